"""``./run ofd info|text|render`` on OFD and PDF."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QImage
from reportlab.pdfgen.canvas import Canvas  # noqa: TID253 - a PDF for the test

from client.ofd import main
from modules.common.seals.ofd_sealing import seal_ofd
from modules.common.seals.report import Stamp
from modules.common.seals.ses import Picture
from tests.support import ofd_maker
from tests.support.ofd_maker import FONT, text_object
from tests.support.samples import sample
from tests.support.seal_office import SIGNED, office, plain_file

pytestmark = pytest.mark.usefixtures("qapp")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    ofd, pdf, junk = tmp_path / "公文.ofd", tmp_path / "a.pdf", tmp_path / "junk.ofd"
    pages = [text_object("第一页", 20, 20), text_object("第二页", 20, 20) + '<ofd:Unknown ID="5"/>']
    ofd.write_bytes(ofd_maker.make(pages, resources=FONT))
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(144, 72))
    canvas.drawString(10, 10, "Hello")
    canvas.save()
    pdf.write_bytes(out.getvalue())
    junk.write_bytes(b"junk")
    return {"ofd": ofd, "pdf": pdf, "junk": junk}


def test_info_says_what_is_inside_and_what_is_amiss(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--check", str(files["ofd"])]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["pages"], said["sizes_mm"][0], said["info"]["Title"]) == (2, [210, 297], "样例")
    assert [(note["code"], note["place"]) for note in said["notes"]] == [
        ("page.unknown", "Doc_0/Pages/Page_1/Content.xml#5")
    ]
    assert main(["info", str(files["pdf"])]) == 0
    assert json.loads(capsys.readouterr().out)["sizes_mm"] == [[50.8, 25.4]]


def test_text_of_chosen_pages(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["text", str(files["ofd"])]) == 0
    assert capsys.readouterr().out == "第一页\n\f第二页\n"
    assert main(["text", "--pages", "2", str(files["ofd"])]) == 0
    assert capsys.readouterr().out == "第二页\n"
    assert main(["text", str(files["pdf"])]) == 0
    assert "Hello" in capsys.readouterr().out


def test_render_writes_a_picture_for_each_page(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["render", "--dpi", "100", "--out", str(out), str(files["ofd"]), str(files["pdf"])]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["a-1.png", "公文-1.png", "公文-2.png"]
    assert QImage(str(out / "公文-1.png")).width() == 827
    assert QImage(str(out / "a-1.png")).width() == 200
    assert "page.unknown" in capsys.readouterr().err


def test_what_cannot_be_read_is_said_in_words_and_keeps_nothing_back(
    files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["text", str(files["junk"]), str(files["ofd"].with_name("none.ofd")), str(files["ofd"])]) == 2
    said = capsys.readouterr()
    assert "OFD-001" in said.err
    assert "OFD-010" in said.err
    assert "Traceback" not in said.err
    assert "第一页" in said.out
    assert main(["text", "--pages", "x", str(files["ofd"])]) == 2
    assert "OFD-012" in capsys.readouterr().err


def test_render_draws_a_seal_that_verifies_and_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    red = QImage(50, 50, QImage.Format.Format_ARGB32)
    red.fill(0xFFD00000)
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    red.save(buffer, "PNG")
    there = office()
    holder = there.holder(picture=Picture("PNG", data.data(), 42, 42))
    sealed = seal_ofd(plain_file(1), holder, [Stamp(0, (120, 200, 42, 42))], SIGNED)
    with zipfile.ZipFile(io.BytesIO(sealed)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    page = next(name for name in parts if name.endswith("Page_0/Content.xml"))
    broken = parts | {page: parts[page].replace("通知".encode(), "决定".encode())}
    (tmp_path / "good.ofd").write_bytes(sealed)
    (tmp_path / "bad.ofd").write_bytes(ofd_maker.pack(broken))
    command = ["render", "--dpi", "50.8", "--out", str(tmp_path)]
    assert main([*command, str(tmp_path / "good.ofd"), str(tmp_path / "bad.ofd")]) == 0
    middle = 141 * 2, 221 * 2
    assert QImage(str(tmp_path / "good-1.png")).pixelColor(*middle).name() == "#d00000"
    assert QImage(str(tmp_path / "bad-1.png")).pixelColor(*middle).name() == "#ffffff"
    assert main([*command, "--seals", "none", str(tmp_path / "good.ofd")]) == 0
    assert QImage(str(tmp_path / "good-1.png")).pixelColor(*middle).name() == "#ffffff"
    capsys.readouterr()


def test_seals_are_true_blurred_or_left_out(tmp_path: Path) -> None:
    file = sample("ofd", "allprotected.ofd")
    found = {}
    for seals in ("true", "blurred", "none"):
        out = tmp_path / seals
        assert main(["render", "--dpi", "60", "--seals", seals, "--out", str(out), str(file)]) == 0
        image = QImage(str(out / "allprotected-1.png"))
        found[seals] = {image.pixel(x, y) for x in range(image.width()) for y in range(image.height())}
    assert not any((colour >> 16 & 255) > (colour & 255) + 60 for colour in found["none"])
    assert any((colour >> 16 & 255) > (colour & 255) + 30 for colour in found["blurred"])
    assert len(found["blurred"]) > 2 * len(found["none"])
