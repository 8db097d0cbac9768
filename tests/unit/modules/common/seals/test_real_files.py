"""Every signature in the real files gets the verdict that an independent checker's facts lead to."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modules.common.gm import sm3
from modules.common.seals import ses, verify
from modules.common.seals.report import SignatureReport
from tests.support.samples import sample

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def reports(name: str) -> dict[str, SignatureReport]:
    return {report.path: report for report in verify(sample("ofd", name), now=NOW)}


def test_verdicts() -> None:
    with sample("ofd", "verdicts.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    found = {name: reports(name) for name in {row["file"] for row in rows}}
    got = {(row["file"], row["signature"]): str(found[row["file"]][row["signature"]].verdict) for row in rows}
    assert got == {(row["file"], row["signature"]): row["expect"] for row in rows}
    assert sum(map(len, found.values())) == len(rows) > 15


def test_a_lock_that_was_broken_is_said_exactly() -> None:
    first, second = reports("h.ofd").values()
    assert first.locked
    step = first.step("digests")
    assert step is not None
    assert "锁定了签章列表" in step.detail
    assert [step.key for step in first.steps if step.verdict == "invalid"] == ["digests"]
    assert str(second.verdict) == "warning"


def test_a_changed_page_is_named() -> None:
    for report in reports("zsbk.ofd").values():
        step = report.step("digests")
        assert step is not None
        assert "第 1 页" in step.detail
        assert "第 2 页" in step.detail


def test_what_is_unprotected_is_listed() -> None:
    [report] = reports("999.ofd").values()
    assert report.uncovered == ["OFD.xml"]
    assert len(reports("draw_param_ref.ofd").popitem()[1].uncovered) == 2


def test_a_seam_is_seen_on_every_page() -> None:
    [report] = reports("V4RideRight.ofd").values()
    assert [stamp.page for stamp in report.stamps] == [0, 1, 2, 3, 4]
    assert report.stamps[1].clip == (8, 0, 8, 40)
    assert report.picture is not None
    assert report.picture.kind == "png"


@pytest.mark.parametrize(("name", "version"), [("SignedValueV4.dat", 4), ("SignedValueV5.dat", 5)])
def test_bare_signatures(name: str, version: int) -> None:
    signature = ses.read_signature(sample("ofd", "seals", name).read_bytes())
    assert (signature.version, signature.seal.version, signature.written_version) == (version, version, version)
    assert signature.seal.lists(signature.certificate)


@pytest.mark.parametrize(("name", "version"), [("UserV4.esl", 4), ("UserV5.esl", 5)])
def test_bare_seals(name: str, version: int) -> None:
    raw = sample("ofd", "seals", name).read_bytes()
    seal = ses.read_seal(raw)
    assert (seal.version, seal.raw) == (version, raw)
    assert seal.picture.width == 40


def test_no_file_without_a_signature_gets_one() -> None:
    listed = {row.split("\t")[0] for row in sample("ofd", "verdicts.tsv").read_text("utf-8").splitlines()}
    for path in sorted(Path(sample("ofd")).glob("*.ofd")):
        if path.name not in listed:
            assert verify(path, now=NOW) == [], path.name


def test_the_digest_is_of_the_bytes_as_they_are() -> None:
    from modules.common.ofd.container import Package

    package = Package.open(sample("ofd", "1.ofd"))
    signature = ses.read_signature(package.read("Doc_0/Signs/Sign_0/SignedValue.dat"))
    assert sm3(package.read("Doc_0/Signs/Sign_0/Signature.xml")) in signature.digests
