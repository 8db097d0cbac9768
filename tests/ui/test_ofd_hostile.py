"""Files that are meant to harm: bounded time and memory, the rest is still shown, and what was passed over is noted."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from client.widgets.page import painter
from client.widgets.page.cache import PaintCache
from client.widgets.page.painter import paint
from modules.common.ofd.document import Document
from modules.common.ofd.report import OfdError, Report
from tests.support import ofd_maker
from tests.support.clean_env import clean_env
from tests.support.ofd_maker import FONT, text_object

pytestmark = pytest.mark.usefixtures("qapp")
SECONDS = 8.0
"""What one hostile page may take on a busy machine."""


def shown(content: str, **more: object) -> Document:
    """Read and draw the first page, within the time; the document."""
    document = Document.open(ofd_maker.make([content], **more))
    began = time.process_time()
    paint(document.display(0), 50)
    document.text(0)
    assert time.process_time() - began < SECONDS
    return document


def path(data: str, attributes: str = "", inside: str = "") -> str:
    return (
        f'<ofd:PathObject ID="7" Boundary="0 0 200 200" {attributes}>{inside}'
        f"<ofd:AbbreviatedData>{data}</ofd:AbbreviatedData></ofd:PathObject>"
    )


def test_a_page_of_a_million_glyphs() -> None:
    word = "政" * 190_000
    code = f'<ofd:TextCode X="0" Y="5" DeltaX="g 189999 0.001">{word}</ofd:TextCode>'
    text = f'<ofd:TextObject ID="1" Boundary="0 0 9 9" Font="1" Size="1">{code}</ofd:TextObject>'
    document = Document.open(ofd_maker.make([text * 30], resources=FONT))
    began = time.process_time()
    made = document.display(0)
    assert time.process_time() - began < SECONDS
    assert sum(len(run.text) for run in made.items) < 2_500_000  # type: ignore[union-attr]
    assert "page.limit" in document.report.codes()


def test_dashes_beyond_number_and_lines_beyond_measure() -> None:
    shown(path("M 0 0 L 9e7 9e7", 'LineWidth="0.01" DashPattern="0.0001 0.0001"'))
    shown(path("M 0 0 L 200 200", 'LineWidth="0.001" DashPattern="0.00001 0.00001"'))
    shown(path("M -9e7 -9e7 L 9e7 9e7 L 0 9e7 C", 'Fill="true" LineWidth="9e8" DashPattern="1 1"'))
    shown(path("M 0 0 L 200 200", 'LineWidth="0.2" DashPattern="0.01 0.01" CTM="1000 0 0 1000 0 0"'))


def test_a_path_of_more_corners_than_any() -> None:
    document = shown(path("M 0 0 " + "L 1 1 L 2 0 " * 300_000, 'Fill="true"'))
    assert "path.data" in document.report.codes()


def test_degenerate_and_exploding_transformations() -> None:
    for ctm in ("0 0 0 0 0 0", "1e-9 0 0 1e-9 0 0", "1e8 0 0 1e8 0 0", "1 1 1 1 0 0", "nan 0 0 1 0 0", "1 0 0"):
        shown(path("M 0 0 L 9 9 L 0 9 C", f'Fill="true" CTM="{ctm}"') + text_object("政", 1, 1, more=f'CTM="{ctm}"'),
              resources=FONT)  # fmt: skip


def test_a_pattern_of_tiny_cells_and_patterns_in_patterns() -> None:
    def pattern(inside: str, size: str) -> str:
        return path(
            "M 0 0 L 200 0 L 200 200 L 0 200 C",
            'Fill="true" Stroke="false"',
            f'<ofd:FillColor><ofd:Pattern Width="{size}" Height="{size}"><ofd:CellContent>{inside}</ofd:CellContent>'
            "</ofd:Pattern></ofd:FillColor>",
        )

    shown(pattern(path("M 0 0 L 1 1"), "0.00001"))
    shown(pattern(path("M 0 0 L 1 1"), "1e8"))
    nested = path("M 0 0 L 1 1")
    for _ in range(35):
        nested = pattern(nested, "3")
    document = shown(nested + text_object("在", 1, 1), resources=FONT)
    assert "在" in document.text(0).text


def test_blocks_in_blocks_and_templates_without_end() -> None:
    deep = "<ofd:PageBlock>" * 120 + text_object("深", 1, 1) + "</ofd:PageBlock>" * 120
    document = shown(deep + text_object("在", 20, 20), resources=FONT)
    assert document.text(0).text == "在"
    assert "object.recursive" in document.report.codes()
    used = '<ofd:Template TemplateID="50"/>' * 5000
    page = ofd_maker.page_xml(text_object("在", 1, 1), used)
    common = '<ofd:TemplatePage ID="50" BaseLoc="T.xml"/>'
    extra = {"Doc_0/T.xml": ofd_maker.page_xml(text_object("板", 50, 50) * 500).encode()}
    shown(page, resources=FONT, common=common, extra=extra)


def test_composites_that_multiply_are_stopped_while_painting_too(monkeypatch: pytest.MonkeyPatch) -> None:
    units = "".join(
        f'<ofd:CompositeGraphicUnit ID="{n}" Width="9" Height="9"><ofd:Content>'
        + f'<ofd:CompositeObject ID="1" Boundary="0 0 9 9" ResourceID="{n + 1}" Alpha="254"/>' * 8
        + "</ofd:Content></ofd:CompositeGraphicUnit>"
        for n in range(100, 112)
    )
    units += (
        f'<ofd:CompositeGraphicUnit ID="112" Width="9" Height="9"><ofd:Content>{path("M 0 0 L 9 9")}</ofd:Content>'
        "</ofd:CompositeGraphicUnit>"
    )
    content = '<ofd:CompositeObject ID="1" Boundary="0 0 9 9" ResourceID="100"/>'
    document = Document.open(
        ofd_maker.make([content], resources=f"<ofd:CompositeGraphicUnits>{units}</ofd:CompositeGraphicUnits>")
    )
    monkeypatch.setattr(painter, "SECONDS", 1.0)
    began = time.process_time()
    made = document.display(0)
    assert "page.limit" in document.report.codes()
    cache = PaintCache(Report())
    painter.paint(made, 50, cache=cache)
    assert time.process_time() - began < SECONDS
    assert cache.report is not None
    assert cache.report.codes() == {"page.limit"}


def test_xml_that_is_only_tags_and_xml_that_is_only_text() -> None:
    files = ofd_maker.files([text_object("一", 1, 1), "", text_object("三", 1, 1)], resources=FONT)
    files["Doc_0/Pages/Page_1/Content.xml"] = b"<a>" + b"<b/>" * 2_000_000 + b"</a>"
    document = Document.open(ofd_maker.pack(files))
    assert [document.text(n).text for n in range(3)] == ["一", "", "三"]
    assert "zip.limit" in document.report.codes()


def test_clips_of_many_tangled_parts() -> None:
    chance = random.Random(1)
    corners = " ".join(f"L {chance.random() * 200:.2f} {chance.random() * 200:.2f}" for _ in range(3000))
    data = f"<ofd:AbbreviatedData>M 0 0 {corners} C</ofd:AbbreviatedData>"
    area = f"<ofd:Area><ofd:Path Boundary='0 0 200 200'>{data}</ofd:Path></ofd:Area>"
    clips = f"<ofd:Clips><ofd:Clip>{area * 3}</ofd:Clip><ofd:Clip>{area * 3}</ofd:Clip></ofd:Clips>"
    shown(path("M 0 0 L 200 0 L 200 200 C", 'Fill="true"', clips))


def test_a_bomb_among_the_entries_leaves_the_rest() -> None:
    files = ofd_maker.files([text_object("一", 1, 1), ""], resources=FONT)
    files["Doc_0/Pages/Page_1/Content.xml"] = b" " * (140 << 20)
    document = Document.open(ofd_maker.pack(files))
    assert document.text(0).text == "一"
    assert document.text(1).text == ""
    assert "zip.limit" in document.report.codes()


def test_entities_neither_grow_nor_fetch() -> None:
    laughs = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>'
    files = ofd_maker.files([text_object("一", 1, 1), ""], resources=FONT)
    page = ofd_maker.page_xml(text_object("&b;&c;", 1, 1))
    for data in (
        (laughs + page).encode(),
        ('<?xml version="1.0" encoding="UTF-16"?>' + laughs + page).encode("utf-16"),
    ):
        files["Doc_0/Pages/Page_1/Content.xml"] = data
        document = Document.open(ofd_maker.pack(files))
        assert document.text(1).text == ""
        assert "xml.entities" in document.report.codes()
    files["OFD.xml"] = (laughs + files["OFD.xml"].decode().split("?>")[1]).encode()
    with pytest.raises(OfdError):
        Document.open(ofd_maker.pack(files))


def fuzz(tmp_path: Path, *words: str) -> dict[str, object]:
    command = [sys.executable, "-m", "tests.support.ofd_fuzz", *words]
    done = subprocess.run(command, env=clean_env(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
    said: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_a_short_run_of_damaged_files_and_parts(tmp_path: Path) -> None:
    said = fuzz(tmp_path, "--files", "100", "--parsers", "2000", "--seed", "33190")
    assert said["problems"] == []


@pytest.mark.full
def test_a_long_run_of_damaged_files_and_parts(tmp_path: Path) -> None:
    said = fuzz(tmp_path, "--files", "5000", "--parsers", "200000", "--seed", str(int(time.time()) // 86_400))
    assert said["problems"] == []
