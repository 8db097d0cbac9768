"""Sealing in turn, over seams, locking, withdrawing: other files keep their bytes, earlier seals stay valid."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.common.errors import GovDeskError
from modules.common.ofd.container import Package
from modules.common.seals import verify
from modules.common.seals.ofd_sealing import seal_ofd, withdraw_last
from modules.common.seals.places import centred, groups, on_pages, overlap, seam
from modules.common.seals.report import Stamp, Verdict
from tests.support import ofd_maker
from tests.support.samples import sample
from tests.support.seal_office import KINDS, NOW, SIGNED, UNTIL, office, plain_file, sealed_file

OFFICE, STRANGER = office(1), office(2)
PLACE = [Stamp(2, (120, 200, 42, 42))]


def entries(data: bytes) -> dict[str, tuple[int, bytes]]:
    """Compression and compressed bytes of each file."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        found = {}
        for info in archive.infolist():
            start = info.header_offset + 30 + len(info.filename.encode())
            found[info.filename] = (info.compress_type, data[start : start + info.compress_size])
        return found


def verdicts(data: bytes) -> list[Verdict]:
    return [report.verdict for report in verify(data, OFFICE.trust, now=NOW)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lock", [True, False])
def test_a_sealed_file_is_valid_and_all_else_keeps_its_bytes(kind: str, lock: bool) -> None:
    plain = plain_file()
    sealed = seal_ofd(plain, OFFICE.holder(kind), PLACE, SIGNED, lock=lock)
    [report] = verify(sealed, OFFICE.trust, now=NOW)
    assert (report.verdict, report.locked, report.sealed) == (Verdict.VALID, lock, kind != "message")
    assert (report.stamps, report.uncovered, report.time) == (PLACE, [], SIGNED)
    before, after = entries(plain), entries(sealed)
    assert {name for name in before if after[name] != before[name]} == {"OFD.xml"}
    # and without roots nobody says that all is well
    assert [each.verdict for each in verify(sealed, now=NOW)] == [Verdict.WARNING]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4), st.booleans())
def test_several_in_turn_and_each_withdrawn_again(kinds: list[str], lock: bool) -> None:
    files = [plain_file()]
    for kind in kinds:
        last = kind is kinds[-1] and len(files) == len(kinds)
        files.append(seal_ofd(files[-1], OFFICE.holder(kind), PLACE, SIGNED, lock=lock and last))
        assert verdicts(files[-1]) == [Verdict.VALID] * (len(files) - 1)
        old = {
            name: entry
            for name, entry in entries(files[-2]).items()
            if name not in ("OFD.xml", "Doc_0/Signs/Signatures.xml")
        }
        assert old.items() <= entries(files[-1]).items()
    for number, earlier in reversed(list(enumerate(files[:-1]))):
        files[-1] = withdraw_last(files[-1], OFFICE.holder())
        assert verdicts(files[-1]) == [Verdict.VALID] * number
        assert set(entries(files[-1])) == set(entries(earlier))
    back, first = Package(files[-1]), Package(files[0])
    assert {path: back.read(path) for path in back.paths} == {path: first.read(path) for path in first.paths}


def refused(code: str, call: object, *arguments: object, **more: object) -> None:
    with pytest.raises(GovDeskError) as caught:
        call(*arguments, **more)  # type: ignore[operator]
    assert caught.value.code == code


def test_a_locked_file_takes_no_more() -> None:
    refused("SEAL-002", seal_ofd, sealed_file("v4", OFFICE, lock=True), OFFICE.holder(), PLACE, SIGNED)


def test_only_one_s_own_last_seal_is_withdrawn() -> None:
    refused("SEAL-005", withdraw_last, plain_file(), OFFICE.holder())
    refused("SEAL-006", withdraw_last, sealed_file("v4", OFFICE), STRANGER.holder())
    both = seal_ofd(sealed_file("v4", OFFICE), STRANGER.holder(), PLACE, SIGNED)
    refused("SEAL-006", withdraw_last, both, OFFICE.holder())


def test_a_seal_out_of_its_time_or_of_somebody_else_seals_nothing() -> None:
    late = UNTIL + timedelta(1)
    refused("SEAL-003", seal_ofd, plain_file(), OFFICE.holder(), PLACE, late)
    short = OFFICE.holder(until=SIGNED - timedelta(1))
    refused("SEAL-003", seal_ofd, plain_file(), short, PLACE, SIGNED)
    foreign = replace(OFFICE.holder(), seal=STRANGER.seal())
    refused("SEAL-003", seal_ofd, plain_file(), foreign, PLACE, SIGNED)
    refused("SEAL-004", seal_ofd, plain_file(), OFFICE.holder(), [Stamp(9, (1, 1, 42, 42))], SIGNED)


def test_another_writer_s_words_are_kept() -> None:
    files = ofd_maker.files(["", ""])
    plain = files["OFD.xml"].replace(b"xmlns:ofd", b"xmlns").replace(b"ofd:", b"")
    sealed = seal_ofd(ofd_maker.pack(files | {"OFD.xml": plain}), OFFICE.holder(), [Stamp(1, (1, 1, 42, 42))], SIGNED)
    assert verdicts(sealed) == [Verdict.VALID]
    assert b"<Signatures>/Doc_0/Signs/Signatures.xml</Signatures></DocBody>" in Package(sealed).read("OFD.xml")


def test_the_second_document_of_a_package_is_sealed_by_itself() -> None:
    one = ofd_maker.files([""])
    two = {name.replace("Doc_0", "Doc_1"): content for name, content in one.items()}
    files = one | two | {"OFD.xml": ofd_maker.ofd_xml("Doc_0/Document.xml", "Doc_1/Document.xml").encode()}
    sealed = seal_ofd(ofd_maker.pack(files), OFFICE.holder(), [Stamp(0, (1, 1, 42, 42))], SIGNED, body=1)
    [report] = verify(sealed, OFFICE.trust, now=NOW)
    assert (report.verdict, report.document) == (Verdict.VALID, 1)
    assert report.path.startswith("Doc_1/")


@pytest.mark.parametrize(
    "name", ["helloworld.ofd", "999.ofd", "V4RideRight.ofd", "6.2.004_2 路径中含有空格.ofd", "z.ofd"]
)
def test_files_of_others_are_sealed(name: str) -> None:
    path = Path(sample("ofd", name))
    if name == "V4RideRight.ofd":  # it is locked
        refused("SEAL-002", seal_ofd, path.read_bytes(), OFFICE.holder(), [Stamp(0, (1, 1, 42, 42))], SIGNED)
        return
    before = [report.verdict for report in verify(path, OFFICE.trust, now=NOW)]
    sealed = seal_ofd(path.read_bytes(), OFFICE.holder(), [Stamp(0, (1, 1, 42, 42))], SIGNED)
    assert verdicts(sealed) == [*before, Verdict.VALID]
    assert verdicts(withdraw_last(sealed, OFFICE.holder())) == before


@given(st.integers(2, 300), st.integers(2, 40))
def test_seams_are_grouped_evenly_and_no_page_is_alone(count: int, most: int) -> None:
    found = groups(count, most)
    assert sum(found) == count
    assert min(found) >= 2
    assert max(found) - min(found) <= 1
    assert max(found) <= max(most, 3)


@given(st.integers(2, 60), st.sampled_from(["left", "right"]), st.floats(0, 297))
def test_the_slices_of_a_seam_make_the_whole_seal(count: int, edge: str, middle: float) -> None:
    stamps = seam([(210.0, 297.0)] * count, (42.0, 42.0), middle, edge)  # type: ignore[arg-type]
    assert [stamp.page for stamp in stamps] == list(range(count))
    at = 0
    for span in groups(count):
        clips = [stamp.clip for stamp in stamps[at : at + span] if stamp.clip]
        lefts = sorted(clip[0] for clip in clips)
        assert lefts == pytest.approx([42 / span * index for index in range(span)], abs=1e-3)
        assert sum(clip[2] for clip in clips) == pytest.approx(42, abs=1e-2)
        at += span
    for stamp in stamps:
        assert stamp.clip is not None
        left = stamp.boundary[0] + stamp.clip[0]
        # each slice ends at the paper's edge
        assert (
            left == pytest.approx(0, abs=1e-3)
            if edge == "left"
            else left + stamp.clip[2] == pytest.approx(210, abs=1e-3)
        )
        assert 0 <= stamp.boundary[1] <= 297 - 42


def test_the_seam_is_as_real_files_have_it() -> None:
    [report] = verify(sample("ofd", "V4RideRight.ofd"), now=NOW)
    made = seam([(210.0, 297.0)] * 5, (40.0, 40.0), 60.0)
    assert [(stamp.page, stamp.boundary, stamp.clip) for stamp in made] == [tuple(stamp) for stamp in report.stamps]
    refused("SEAL-001", seam, [(210.0, 297.0)], (42.0, 42.0), 100.0)


def test_a_seal_stays_on_the_paper_and_is_seen_to_lie_on_another() -> None:
    assert centred(0, 0, 0, (42, 42), (210, 297)).boundary == (0, 0, 42, 42)
    assert centred(0, 500, 500, (42, 42), (210, 297)).boundary == (168, 255, 42, 42)
    one, other = on_pages([0, 1], 100, 100, (42, 42), [(210.0, 297.0)] * 2)
    assert not overlap(one, other)
    assert overlap(one, centred(0, 120, 120, (42, 42), (210, 297)))
    assert not overlap(one, centred(0, 160, 100, (42, 42), (210, 297)))


def test_of_files_of_one_name_the_one_that_counts_is_kept() -> None:
    files = ofd_maker.files(["", ""])
    page = "Doc_0/Pages/Page_0/Content.xml"
    with pytest.warns(UserWarning, match="Duplicate"):
        doubled = ofd_maker.pack([(page, b"old"), *files.items()])
    sealed = seal_ofd(doubled, OFFICE.holder(), [Stamp(0, (1, 1, 42, 42))], SIGNED)
    assert verdicts(sealed) == [Verdict.VALID]
    assert Package(sealed).read(page) == files[page]
    with zipfile.ZipFile(io.BytesIO(sealed)) as archive:
        assert archive.namelist().count(page) == 1
