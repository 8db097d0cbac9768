"""Nothing of what a seal protects can be changed unnoticed, and what was changed is named."""

from __future__ import annotations

import io
import random
import zipfile
from dataclasses import replace
from datetime import timedelta

import pytest

from modules.common.gm import der, issuing
from modules.common.gm.certificates import read_certificate
from modules.common.ofd.container import Package
from modules.common.ofd.report import OfdError
from modules.common.seals import verify
from modules.common.seals.ofd_sealing import seal_ofd
from modules.common.seals.places import seam
from modules.common.seals.report import SignatureReport, Verdict
from tests.support import ofd_maker
from tests.support.seal_office import KINDS, NOW, SIGNED, SINCE, UNTIL, office, plain_file, sealed_file

OFFICE, STRANGER = office(1), office(2)
LIST, SIGN = "Doc_0/Signs/Signatures.xml", "Doc_0/Signs/Sign_0/"
PAGES = {f"Doc_0/Pages/Page_{number}/Content.xml": f"第 {number + 1} 页" for number in range(3)}


def contents(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def judge(files: dict[str, bytes] | bytes) -> list[SignatureReport]:
    return verify(
        files if isinstance(files, bytes) else ofd_maker.pack(files, zipfile.ZIP_STORED), OFFICE.trust, now=NOW
    )


def sealed(kind: str) -> dict[str, bytes]:
    """A file under a seal of a kind; "seam" is one over all edges, "twice" has two."""
    if kind == "seam":
        return contents(seal_ofd(plain_file(), OFFICE.holder(), seam([(210, 297)] * 3, (42, 42), 150), SIGNED))
    if kind == "twice":
        return contents(seal_ofd(sealed_file("v5", OFFICE), OFFICE.holder("message"), [], SIGNED, lock=True))
    return contents(sealed_file(kind, OFFICE))


ALL = (*KINDS, "seam", "twice")


def flip(kind: str, times: int, seed: int) -> None:
    """Flip single bytes of what is protected, each anew."""
    files, chance = sealed(kind), random.Random(seed)
    assert [report.verdict for report in judge(files)] == [Verdict.VALID] * (2 if kind == "twice" else 1)
    # a signature that no later one covers guards itself, but for what a message's envelope repeats around it
    loose = {LIST} if kind != "twice" else {"Doc_0/Signs/Sign_1/SignedValue.dat"}
    if kind == "message":
        loose.add(SIGN + "SignedValue.dat")
    protected = [name for name in files if name not in loose]
    weights = [len(files[name]) + 400 for name in protected]
    for _ in range(times):
        [name] = chance.choices(protected, weights)
        changed = bytearray(files[name])
        at = chance.randrange(len(changed))
        changed[at] ^= chance.randrange(1, 256)
        reports = judge(files | {name: bytes(changed)})
        assert Verdict.INVALID in [report.verdict for report in reports], (name, at, changed[at])
        if name in PAGES:
            assert all(PAGES[name] in report.summary() for report in reports), (name, at)


@pytest.mark.parametrize("kind", ALL)
def test_any_one_byte(kind: str) -> None:
    flip(kind, 60, 7)


@pytest.mark.full
@pytest.mark.parametrize("kind", ALL)
def test_any_one_byte_at_length(kind: str) -> None:
    flip(kind, 5_000, 11)


def flip_package(times: int, seed: int) -> int:
    """Flip single bytes of the whole package, compressed as it is; how many were called valid."""
    data, chance = sealed_file("v4", OFFICE, lock=True), random.Random(seed)
    before = {path: Package(data).read(path) for path in Package(data).paths}
    valid = 0
    for _ in range(times):
        changed = bytearray(data)
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        try:
            package = Package(bytes(changed))
            reports = verify(package, OFFICE.trust, now=NOW)
        except OfdError:
            continue
        if reports and all(report.verdict is Verdict.VALID for report in reports):
            valid += 1
            # then the flip lay in what no reader looks at: nothing of the content differs
            found = {path: package.find("", path) for path in before}
            assert {path: package.read(other) for path, other in found.items() if other} == before
    return valid


def test_any_one_bit_of_the_package() -> None:
    assert flip_package(300, 3) < 200


@pytest.mark.full
def test_any_one_bit_of_the_package_at_length() -> None:
    assert flip_package(10_000, 5) < 6_000


def test_a_resource_that_was_changed_is_named_with_its_page() -> None:
    files = sealed("v4")
    files["Doc_0/Res/a.png"] += b"!"
    [report] = judge(files)
    assert report.verdict is Verdict.INVALID
    assert "第 1 页用到的 a.png" in report.summary()


def test_parts_that_pages_use_by_others_are_named_with_their_pages() -> None:
    media = '<ofd:MultiMedia ID="77" Type="Image"><ofd:MediaFile>a.png</ofd:MediaFile></ofd:MultiMedia>'
    image = '<ofd:ImageObject ID="78" Boundary="10 10 20 20" ResourceID="77"/>'
    used = '<ofd:Template TemplateID="5" ZOrder="Background"/>'
    notes = f'<ofd:Annotations {ofd_maker.NAMESPACE}><ofd:Page PageID="3"><ofd:FileLoc>A.xml</ofd:FileLoc></ofd:Page>'
    plain = ofd_maker.make(
        ["", ofd_maker.page_xml("", used), ""],
        resources=f"<ofd:MultiMedias>{media}</ofd:MultiMedias>",
        common='<ofd:TemplatePage ID="5" BaseLoc="T.xml"/>',
        more="<ofd:Annotations>Annots/Annotations.xml</ofd:Annotations>",
        extra={
            "Doc_0/Res/a.png": b"picture",
            "Doc_0/T.xml": ofd_maker.page_xml(image).encode(),
            "Doc_0/Annots/Annotations.xml": f"{notes}</ofd:Annotations>".encode(),
            "Doc_0/Annots/A.xml": f"<ofd:PageAnnot {ofd_maker.NAMESPACE}/>".encode(),
        },
    )
    files = contents(seal_ofd(plain, OFFICE.holder(), [], SIGNED))
    for path, said in (("Res/a.png", "第 2 页"), ("T.xml", "第 2 页"), ("Annots/A.xml", "第 3 页")):
        [report] = judge(files | {f"Doc_0/{path}": files[f"Doc_0/{path}"] + b" "})
        assert report.verdict is Verdict.INVALID
        assert said in report.summary(), path


def test_a_seal_swapped_for_another_is_noticed() -> None:
    mine = sealed("v4")
    other = contents(sealed_file("v4", STRANGER))
    for name in ("SignedValue.dat", "Seal.esl", "Signature.xml"):
        [report] = judge(mine | {SIGN + name: other[SIGN + name]})
        assert report.verdict is Verdict.INVALID, name
    # all of it at once is the other office's signature, and nobody here trusts that
    [report] = judge(
        mine | {SIGN + name: other[SIGN + name] for name in ("SignedValue.dat", "Seal.esl", "Signature.xml")}
    )
    assert report.verdict is not Verdict.VALID


def test_a_seal_moved_to_another_file_is_noticed() -> None:
    files = sealed("v4")
    other = ofd_maker.files([ofd_maker.text_object("拨付一百万元", 20, 30)] * 3)
    other["OFD.xml"] = files["OFD.xml"]
    moved = other | {name: content for name, content in files.items() if "/Signs/" in name}
    [report] = judge(moved)
    assert report.verdict is Verdict.INVALID
    assert "第 1 页" in report.summary()


def test_an_added_page_is_noticed() -> None:
    files = sealed("v4")
    page = {"Doc_0/Pages/Page_3/Content.xml": ofd_maker.page_xml("").encode()}
    document = files["Doc_0/Document.xml"]
    listed = document.replace(b"</ofd:Pages>", b'<ofd:Page ID="99" BaseLoc="Pages/Page_3/Content.xml"/></ofd:Pages>')
    [report] = judge(files | page | {"Doc_0/Document.xml": listed})
    assert report.verdict is Verdict.INVALID
    # a page that nothing shows is told all the same
    [report] = judge(files | page)
    assert (report.verdict, report.uncovered) == (Verdict.WARNING, list(page))


def test_a_page_added_by_another_version_is_noticed() -> None:
    files = sealed("v4")
    unprotected = contents(sealed_file("v4", OFFICE))
    assert unprotected.keys() == files.keys()
    more = files["Doc_0/Document.xml"].replace(
        b"</ofd:Pages>", b'<ofd:Page ID="99" BaseLoc="Pages/Page_3/Content.xml"/></ofd:Pages>'
    )
    added = {"Doc_0/Document_1.xml": more, "Doc_0/Pages/Page_3/Content.xml": ofd_maker.page_xml("").encode()}
    pointed = files["OFD.xml"].replace(b"Doc_0/Document.xml", b"Doc_0/Document_1.xml")
    [report] = judge(files | added | {"OFD.xml": pointed})
    assert report.verdict is Verdict.INVALID
    step = report.step("coverage")
    assert step is not None
    assert step.verdict is Verdict.INVALID
    assert "第 4 页" in step.detail


def test_a_second_file_of_the_same_name_is_told() -> None:
    files = list(sealed("v4").items())
    page = next(name for name in PAGES)
    evil = (page, ofd_maker.page_xml("").encode())
    with pytest.warns(UserWarning, match="Duplicate"):
        first, last = ofd_maker.pack([evil, *files]), ofd_maker.pack([*files, evil])
    assert judge(first)[0].verdict is Verdict.WARNING
    assert judge(last)[0].verdict is Verdict.INVALID


def test_bytes_around_the_package_are_told() -> None:
    data = sealed_file("v4", OFFICE)
    for around in (b"prefix" + data, data + b"suffix"):
        [report] = judge(around)
        assert report.verdict is Verdict.WARNING
        assert report.steps[0].verdict is Verdict.WARNING


def test_a_signature_that_is_gone_is_told() -> None:
    files = sealed("v4")
    for name, verdict in (("Signature.xml", Verdict.INVALID), ("SignedValue.dat", Verdict.UNVERIFIABLE)):
        rest = {path: content for path, content in files.items() if path != SIGN + name}
        [report] = judge(rest)
        assert report.verdict is verdict, name
    for emptied in (b"<broken", files[LIST].replace(b"<ofd:Signature ", b"<ofd:Nothing ")):
        [report] = judge(files | {LIST: emptied})
        assert report.verdict is Verdict.WARNING
        assert "没有列出" in report.steps[0].detail


def steps_of(reports: list[SignatureReport], verdict: Verdict) -> list[str]:
    """The keys of the steps with this verdict."""
    return [step.key for report in reports for step in report.steps if step.verdict is verdict]


def test_another_algorithm_in_the_signature_than_in_its_description_is_noticed() -> None:
    files = sealed("v4")
    value = files[SIGN + "SignedValue.dat"]
    ours, other = der.oid("1.2.156.10197.1.501"), der.oid("1.2.156.10197.1.502")
    at = value.rindex(ours)
    changed = value[:at] + other + value[at + len(ours) :]
    assert steps_of(judge(files | {SIGN + "SignedValue.dat": changed}), Verdict.INVALID) == ["format"]


def test_another_seal_beside_the_signature_is_noticed() -> None:
    from modules.common.seals.ofd_containers import open_container
    from modules.common.seals.ofd_verifying import Described

    files = sealed("v4")
    container = open_container(files[SIGN + "SignedValue.dat"])
    for seal, expected in ((b"", []), (files[SIGN + "Seal.esl"], []), (OFFICE.seal(id="2").raw, ["format"])):
        report = SignatureReport("1", SIGN + "Signature.xml")
        described = Described(files[SIGN + "Signature.xml"], method="1.2.156.10197.1.501", seal=seal)
        container.judge(report, described, OFFICE.trust, NOW)
        assert steps_of([report], Verdict.INVALID) == expected


def test_a_seal_used_out_of_its_time_is_invalid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.common.seals.ofd_sealing.check_holder", lambda holder, now: None)
    for term in ({"until": SIGNED - timedelta(seconds=1)}, {"since": SIGNED + timedelta(seconds=1)}):
        holder = OFFICE.holder("v4", **term)
        reports = judge(contents(seal_ofd(plain_file(), holder, [], SIGNED)))
        assert steps_of(reports, Verdict.INVALID) == ["validity"]
    expired = OFFICE.holder("v4", until=SIGNED + timedelta(days=1))
    assert steps_of(judge(contents(seal_ofd(plain_file(), expired, [], SIGNED))), Verdict.WARNING) == ["validity"]
    # somebody whom the seal was not given to
    foreign = replace(OFFICE.holder(), key=OFFICE.maker_key, certificate=OFFICE.maker)
    assert steps_of(judge(contents(seal_ofd(plain_file(), foreign, [], SIGNED))), Verdict.INVALID) == ["listed"]


def test_a_certificate_that_only_claims_its_issuer_is_noticed() -> None:
    pretender = issuing.Authority(STRANGER.root.key, OFFICE.root.certificate)
    forged = pretender.issue(OFFICE.signer_key.point, {"CN": "冒充"}, SINCE, UNTIL)
    # by its name and key identifier it is the office's, by its signature it is not
    identifier = issuing.key_identifier(OFFICE.root.key.point)
    raw = forged.raw.replace(issuing.key_identifier(STRANGER.root.key.point), identifier)
    holder = replace(OFFICE.holder("message"), certificate=read_certificate(raw))
    assert steps_of(judge(contents(seal_ofd(plain_file(), holder, [], SIGNED))), Verdict.INVALID) == ["chain"]
