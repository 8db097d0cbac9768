"""``./run ofd convert``: what comes out, and the statuses that scripts rely on."""

from __future__ import annotations

from pathlib import Path

import pytest

from client import ofd
from modules.common.ofd.document import Document
from tests.support.seal_office import plain_file


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    from PIL import Image

    file = tmp_path / "扫描.jpg"
    Image.new("RGB", (300, 200), "white").save(file, dpi=(100, 100))
    return file


def test_a_picture_becomes_a_document(scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ofd.main(["convert", str(scan), "--to", "ofd", "--out", str(tmp_path / "out")]) == 0
    made = tmp_path / "out/扫描.ofd"
    assert capsys.readouterr().out == f"{made}\n"
    assert Document.open(made).page_box(0).width == pytest.approx(76.2)


def test_one_that_cannot_be_read_keeps_none_of_the_others_back(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "坏.jpg"
    broken.write_bytes(scan.read_bytes()[:200])
    missing = tmp_path / "没有.png"
    words = ["convert", str(broken), str(missing), str(scan), "--to", "ofd", "--out", str(tmp_path)]
    assert ofd.main(words) == 2
    said = capsys.readouterr().err
    assert "OFD-021" in said
    assert "OFD-023" in said
    assert (tmp_path / "扫描.ofd").exists()
    assert not (tmp_path / "坏.ofd").exists()


def test_the_source_is_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "a.ofd"
    source.write_bytes(b"precious")
    assert ofd.main(["convert", str(source), "--to", "ofd", "--out", str(tmp_path)]) == 2
    assert "OFD-022" in capsys.readouterr().err
    assert source.read_bytes() == b"precious"


def test_there_and_back(scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "a.ofd", str(tmp_path / "out")
    source.write_bytes(plain_file(2))
    assert ofd.main(["convert", str(source), "--to", "pdf", "--out", out]) == 0
    assert ofd.main(["convert", str(tmp_path / "out/a.pdf"), "--to", "ofd", "--out", out]) == 0
    before, after = Document.open(source), Document.open(tmp_path / "out/a.ofd")
    assert [after.text(page).text for page in range(2)] == [before.text(page).text for page in range(2)]
    assert ofd.main(["convert", str(scan), "--to", "pdf", "--out", out]) == 2
    assert "OFD-001" in capsys.readouterr().err
