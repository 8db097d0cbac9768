"""From OFD to PDF: the text is found where it stood, the pages look the same, nothing is lost silently."""

from __future__ import annotations

import io
import math
from typing import Any

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.widgets.page.exchange.from_pdf import volume_of
from client.widgets.page.exchange.to_pdf import pdf_of
from modules.common.errors import GovDeskError
from modules.common.ofd.box import Box
from modules.common.ofd.display import (
    IDENTITY,
    UPRIGHT,
    GlyphRun,
    Gradient,
    Group,
    Item,
    Mesh,
    Outline,
    Pattern,
    Picture,
    Shape,
    Stroke,
)
from modules.common.ofd.document import Document
from modules.common.ofd.fonts import Font
from modules.common.ofd.outlines import rectangle
from modules.common.ofd.report import Report
from modules.common.ofd.writing import Heading, Info, Leaf, Store, Volume, font_from, media_from, write
from modules.common.text import RESOURCES
from tests.support import ofd_maker
from tests.support.seal_office import sealed_file as sealed

PAGE = Box(0, 0, 100, 80)
POINTS = 72 / 25.4
BLACK = 0xFF000000


def text(words: str, font: Font | None = None, **more: Any) -> GlyphRun:
    xs = tuple(10.0 + 5.3 * n for n in range(len(words)))
    run = GlyphRun(
        font or Font("1", "宋体"), 5, UPRIGHT, words, None, xs, (30.0,) * len(words), BLACK, None, 400, False
    )
    return run._replace(**more)


def square(fill: Any, stroke: Stroke | None = None) -> Shape:
    ops, points = rectangle(20, 20, 40, 40)
    return Shape(Outline(ops, points, IDENTITY, False), fill, stroke)


def made(*items: Item, **more: Any) -> tuple[bytes, set[str]]:
    report = Report()
    data = pdf_of(Document.open(write(Volume((Leaf(PAGE, items),), **more))), report)
    return data, report.codes()


def drawn(data: bytes, dpi: float = 254) -> Any:
    """The first page as a picture, ten pixels a millimetre."""
    import pypdfium2

    document = pypdfium2.PdfDocument(data)
    try:
        return document[0].render(scale=dpi / 72).to_pil().convert("RGB")
    finally:
        document.close()


def letters(data: bytes) -> list[tuple[str, float, float]]:
    """The characters of the first page with their places, millimetres from the top left."""
    volume = volume_of(data, Report())
    runs: list[GlyphRun] = []

    def walk(items: tuple[Item, ...]) -> None:
        for item in items:
            if isinstance(item, Group):
                walk(item.items)
            elif isinstance(item, GlyphRun):
                runs.append(item)

    walk(volume.leaves[0].items)
    return [(c, x, y) for run in runs for c, x, y in zip(run.text, run.xs, run.ys, strict=True) if c != " "]


def test_text_stays_text_where_it_stood():
    kai = font_from(Store(), (RESOURCES / "fonts/LXGWWenKai-Regular.ttf").read_bytes(), "霞鹜文楷")
    data, codes = made(text("政务公开2026", kai))
    found = letters(data)
    assert "".join(each[0] for each in found) == "政务公开2026"
    assert [each[1] for each in found] == pytest.approx([10 + 5.3 * n for n in range(8)], abs=0.02)
    assert [each[2] for each in found] == pytest.approx([30] * 8, abs=0.02)
    assert codes == set()
    with pikepdf.open(io.BytesIO(data)) as document:
        (font,) = document.pages[0].Resources.Font.values()
        assert str(font.Subtype) == "/Type0"
        assert len(font.DescendantFonts[0].FontDescriptor.FontFile2.read_bytes()) < 20_000


def test_a_font_that_is_not_carried_is_replaced_by_ours():
    data, codes = made(text("宋体Aé"), text("楷", Font("2", "楷体_GB2312"), ys=(60.0,)))
    assert "".join(each[0] for each in letters(data)) == "宋体Aé楷"
    assert codes == set()
    with pikepdf.open(io.BytesIO(data)) as document:
        assert len(document.pages[0].Resources.Font.keys()) == 2


def test_a_character_that_no_font_has_is_said():
    _, codes = made(text("好\U000e0100"))
    assert codes == {"font.glyphs"}


def test_hidden_text_is_found_and_not_seen():
    data, _ = made(text("隐藏", fill=None))
    assert "".join(each[0] for each in letters(data)) == "隐藏"
    assert drawn(data).getextrema() == ((255, 255),) * 3


RED, GREEN, BLUE = 0xFFFF0000, 0xFF00FF00, 0xFF0000FF
AXIAL = Gradient(False, (20, 0), (60, 0), 0, 0, ((0.0, RED), (1.0, BLUE)), "Direct", 0, 0)
RADIAL = Gradient(True, (40, 40), (40, 40), 0, 40, ((0.0, GREEN), (1.0, GREEN)), "Direct", 0, 3)
MESH = Mesh(((0, 0, GREEN), (200, 0, GREEN), (0, 200, GREEN)))
CELL = Shape(Outline("MLLLC", (0, 0, 4, 0, 4, 4, 0, 4), IDENTITY, False), 0xFF123456, None)
HOLE = (Outline("MLLLC", (30, 30, 50, 30, 50, 50, 30, 50), IDENTITY, False),)


@pytest.mark.parametrize(
    ("item", "place", "colour"),
    [
        (square(0xFFCC0000), (400, 400), (204, 0, 0)),
        (square(0x80FF0000), (400, 400), (255, 127, 127)),
        (square(None, Stroke(BLUE, 4.0)), (200, 400), (0, 0, 255)),
        (square(AXIAL), (400, 400), (127, 0, 128)),
        (square(RADIAL), (300, 300), (0, 255, 0)),
        (square(MESH), (400, 400), (0, 255, 0)),
        (square(Pattern(4, 4, 4, 4, "Normal", False, IDENTITY, (CELL,))), (410, 410), (18, 52, 86)),
        (Group((square(RED), square(BLUE)), None, (), 128), (400, 400), (127, 127, 255)),
        (Group((square(RED), square(GREEN)), (1, 0, 0, 1, 10, 0)), (650, 400), (0, 255, 0)),
        (Group((square(RED),), None, (HOLE,)), (250, 250), (255, 255, 255)),
    ],
)
def test_everything_looks_as_it_did(item, place, colour):
    data, codes = made(item)
    assert codes == set()
    found = drawn(data).getpixel(place)
    assert found == pytest.approx(colour, abs=4)


@pytest.mark.parametrize(
    ("mode", "form"), [("RGB", "JPEG"), ("L", "JPEG"), ("RGBA", "PNG"), ("1", "PNG"), ("P", "PNG")]
)
def test_images_stand_upright_and_jpeg_is_kept(mode, form):
    from PIL import Image

    image = Image.new("RGB", (16, 16), "white")
    image.paste((0, 0, 0), (0, 0, 16, 8))  # the upper half is black
    out = io.BytesIO()
    image.convert(mode).save(out, form)
    media = media_from(Store(), out.getvalue(), form)
    data, codes = made(Picture(media, (40, 0, 0, 40, 10, 10), 255, None))
    assert codes == set()
    seen = drawn(data)
    assert max(seen.getpixel((300, 150))) < 40
    assert min(seen.getpixel((300, 450))) > 215
    if form == "JPEG":
        with pikepdf.open(io.BytesIO(data)) as document:
            (stream,) = document.pages[0].Resources.XObject.values()
            assert stream.read_raw_bytes() == out.getvalue()


def test_what_belongs_to_the_document():
    volume = Volume(
        (Leaf(PAGE), Leaf(PAGE)),
        Info("标题", "作者", keywords=("一", "二")),
        outline=(Heading("章", 0, 0, (Heading("节", 1, 20),)), Heading("无", -1)),
        attachments=(("附件.txt", b"abc"),),
    )
    document = Document.open(write(volume))
    data = pdf_of(document, Report())
    assert data == pdf_of(document, Report())
    back = volume_of(data, Report())
    assert (back.info.title, back.info.author, back.info.keywords) == ("标题", "作者", ("一", "二"))
    assert [(each.title, each.page) for each in back.outline] == [("章", 0), ("无", -1)]
    assert (back.outline[0].children[0].page, back.outline[0].children[0].top) == (1, pytest.approx(20, abs=0.01))
    assert back.attachments == (("附件.txt", b"abc"),)
    assert back.leaves[0].box[2:] == pytest.approx((100, 80), abs=0.001)


def test_a_seal_is_not_carried_over_and_that_is_said():
    report = Report()
    pdf_of(Document.open(sealed()), report)
    assert "ofd.sealed" in report.codes()


def test_the_makers_wish_is_respected():
    more = "<ofd:Permissions><ofd:Export>false</ofd:Export></ofd:Permissions>"
    with pytest.raises(GovDeskError) as caught:
        pdf_of(Document.open(ofd_maker.make(more=more)), Report())
    assert caught.value.code == "PDF-004"


_places = st.floats(5, 90)


@settings(max_examples=12, deadline=None)
@given(
    st.text("政务公开办事Office2026，。", min_size=1, max_size=10),
    st.lists(st.tuples(_places, _places), min_size=10, max_size=10),
    st.floats(-3.1, 3.1),
)
def test_text_anywhere_goes_out_and_in(words, places, turn):
    linear = (math.cos(turn), math.sin(turn), -math.sin(turn), math.cos(turn))
    xs, ys = zip(*places[: len(words)], strict=True)
    data, codes = made(text(words, linear=linear, xs=xs, ys=ys))
    assert codes == set()
    found = letters(data)
    assert [each[0] for each in found] == list(words)
    assert [each[1] for each in found] == pytest.approx(xs, abs=0.03)
    assert [each[2] for each in found] == pytest.approx(ys, abs=0.03)
