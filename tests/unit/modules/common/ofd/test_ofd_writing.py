"""What is written is read again as it was, stands in the schemas' order, and is the same each time."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.common.ofd.box import Box
from modules.common.ofd.display import (
    IDENTITY,
    LOOK_UP,
    NOTHING,
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
from modules.common.ofd.report import OfdError, Report
from modules.common.ofd.writing import Heading, Info, Leaf, Store, Volume, font_from, marks, media_from, write
from modules.common.ofd.writing.images import Word, leaves_of
from modules.common.text import RESOURCES
from tests.support.ofd_schema import faults

BLACK = 0xFF000000
PAGE = Box(0, 0, 210, 297)
SONG = Font("1", "宋体", "宋体")


def run(text: str, x: float = 20, y: float = 30, size: float = 5, **more: object) -> GlyphRun:
    xs = tuple(x + size * n for n in range(len(text)))
    made = GlyphRun(SONG, size, UPRIGHT, text, None, xs, (y,) * len(text), BLACK, None, 400, False)
    return made._replace(**more)  # type: ignore[arg-type]


def square(x: float, y: float, side: float, fill: object = 0xFFCC0000, stroke: Stroke | None = None) -> Shape:
    ops, points = rectangle(x, y, side, side)
    return Shape(Outline(ops, points, IDENTITY, False), fill, stroke)  # type: ignore[arg-type]


def picture(form: str = "PNG", size: tuple[int, int] = (8, 6), **more: object) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(out, form, **more)
    return out.getvalue()


def again(*items: Item, **more: object) -> tuple[Document, tuple[Item, ...]]:
    data = write(Volume((Leaf(PAGE, items),), **more))  # type: ignore[arg-type]
    assert faults(data) == []
    document = Document.open(data)
    found = document.display(0).items
    assert document.report.notes == ()
    return document, found


def test_text_stands_where_it_stood():
    document, (found,) = again(run("政务公开 2026"))
    assert isinstance(found, GlyphRun)
    assert found.text == "政务公开 2026"
    assert found.xs == pytest.approx([20 + 5 * n for n in range(9)], abs=0.002)
    assert found.ys == pytest.approx([30] * 9, abs=0.002)
    assert (found.size, found.fill, found.font.name) == (5, BLACK, "宋体")
    assert [hit.boxes[0].x for hit in document.find("公开")] == pytest.approx([30], abs=0.01)


def test_turned_and_stretched_text_keeps_its_places():
    turned = run("斜体", linear=(0.0, 1.2, -0.6, 0.0), xs=(100.0, 100.0), ys=(50.0, 60.0), italic=True, weight=700)
    _, (found,) = again(turned)
    assert isinstance(found, GlyphRun)
    assert (found.italic, found.weight) == (True, 700)
    assert found.xs == pytest.approx(turned.xs, abs=0.003)
    assert found.ys == pytest.approx(turned.ys, abs=0.003)
    assert [found.size * each for each in found.linear] == pytest.approx([5 * each for each in turned.linear], abs=1e-3)


def test_an_embedded_font_is_a_subset_that_knows_its_characters():
    from fontTools.ttLib import TTFont

    store = Store()
    kai = font_from(store, (RESOURCES / "fonts/LXGWWenKai-Regular.ttf").read_bytes(), "霞鹜文楷")
    whole = TTFont(io.BytesIO((RESOURCES / "fonts/LXGWWenKai-Regular.ttf").read_bytes()), lazy=True)
    data = write(Volume((Leaf(PAGE, (run("龘政龘A", font=kai),)),)))
    assert faults(data) == []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith(".ttf")]
        font = TTFont(io.BytesIO(archive.read(name)))
    assert font["maxp"].numGlyphs < 12
    assert {"OS/2", "cmap", "name", "post"} <= set(font.keys())
    (found,) = Document.open(data).display(0).items
    assert isinstance(found, GlyphRun)
    assert found.glyphs is not None
    cmap = font.getBestCmap()
    for character, glyph in zip(found.text, found.glyphs, strict=True):
        assert font.getGlyphID(cmap[ord(character)]) == glyph
        there = whole["glyf"][whole.getBestCmap()[ord(character)]]
        assert list(font["glyf"][font.getGlyphName(glyph)].coordinates) == list(there.coordinates)


def test_a_character_that_the_font_lacks_is_written_without_a_glyph():
    kai = font_from(Store(), (RESOURCES / "fonts/LXGWWenKai-Regular.ttf").read_bytes(), "霞鹜文楷")
    _, (found,) = again(run("政\U000f0000务", font=kai))
    assert isinstance(found, GlyphRun)
    assert found.glyphs is not None
    assert [glyph == LOOK_UP for glyph in found.glyphs] == [False, True, False]


def test_a_glyph_for_two_characters_stays_one():
    kai = font_from(Store(), (RESOURCES / "fonts/LXGWWenKai-Regular.ttf").read_bytes(), "霞鹜文楷")
    ligature = run("afib", font=kai, glyphs=(36, 70, NOTHING, 37), xs=(20.0, 25.0, 25.0, 30.0))
    document, (found,) = again(ligature)
    assert isinstance(found, GlyphRun)
    assert found.text == "afib"
    assert found.glyphs is not None
    assert found.glyphs[2] == NOTHING
    assert found.xs == pytest.approx(ligature.xs, abs=0.002)
    assert document.text(0).text == "afib"


def test_a_font_that_cannot_be_subset_is_kept_whole_and_said():
    store, report = Store(), Report()
    whole = (RESOURCES / "fonts/LXGWWenKai-Regular.ttf").read_bytes()
    at = whole.index(b"glyf")
    broken = font_from(store, whole[:at] + b"GLYF" + whole[at + 4 :], "坏字体")
    data = write(Volume((Leaf(PAGE, (run("政务", font=broken, glyphs=(5, 6)),)),)), report)
    assert report.codes() == {"font.whole"}
    (found,) = Document.open(data).display(0).items
    assert isinstance(found, GlyphRun)
    assert found.glyphs == (5, 6)


def test_shapes_lines_and_paints():
    stroke = Stroke(0x80112233, 0.5, "Round", "Bevel", dashes=(1.0, 2.0), dash_offset=0.5)
    line = Shape(Outline("ML", (0, 0, 10, 0), (2, 0, 0, 2, 30, 40), False), None, stroke)
    axial = Gradient(False, (0, 0), (10, 0), 0, 0, ((0.0, 0xFFFF0000), (1.0, 0xFF0000FF)), "Repeat", 2.0, 3)
    mesh = Mesh(((0, 0, BLACK), (9, 0, 0xFFFF0000), (0, 9, 0xFF00FF00)), 0xFFFFFFFF)
    cell = Pattern(4, 4, 5, 5, "Row", True, IDENTITY, (square(0, 0, 2),))
    even = square(0, 0, 9)._replace(outline=Outline("MLLC", (0, 0, 9, 0, 9, 9), IDENTITY, True))
    _, found = again(line, even, *(square(0, 0, 10, paint) for paint in (axial, mesh, cell)))
    (wire, flat, first, second, third) = (each for each in found if isinstance(each, Shape))
    assert wire.fill is None
    assert wire.stroke == Stroke(0x80112233, 1.0, "Round", "Bevel", dashes=(2.0, 4.0), dash_offset=1.0)
    assert flat.outline.even_odd
    assert (first.fill, second.fill) == (axial, mesh)
    assert isinstance(third.fill, Pattern)
    assert third.fill._replace(items=()) == cell._replace(items=())
    assert len(third.fill.items) == 1


def test_a_pen_under_an_uneven_matrix_stays_uneven():
    pen = Shape(Outline("ML", (0, 0, 10, 10), (3, 0, 0, 1, 5, 5), False), None, Stroke(BLACK, 1.0))
    _, (found,) = again(pen)
    assert isinstance(found, Shape)
    assert found.stroke is not None
    assert found.stroke.width == 1.0
    assert found.outline.matrix == pytest.approx((3, 0, 0, 1, 5, 5), abs=0.002)


def test_an_image_is_kept_byte_for_byte_and_once():
    store = Store()
    jpeg = picture("JPEG")
    both = [Picture(media_from(store, jpeg, "JPEG"), (40, 0, 0, 30, 10, y), 200, None) for y in (20.0, 80.0)]
    data = write(Volume((Leaf(PAGE, tuple(both)),)))
    assert faults(data) == []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (name,) = [each for each in archive.namelist() if "image" in each]
        assert archive.read(name) == jpeg
    found = Document.open(data).display(0).items
    assert [each.matrix for each in found if isinstance(each, Picture)] == [each.matrix for each in both]
    assert all(isinstance(each, Picture) and each.alpha == 200 for each in found)


def test_clips_hide_only_what_they_hid():
    ops, points = rectangle(0, 0, 50, 50)
    inside = (Outline(ops, points, IDENTITY, False),)
    round_ = (Outline("MBBC", (0, 25, 0, 0, 50, 0, 50, 25, 50, 50, 0, 50, 0, 25), IDENTITY, False),)
    _, found = again(
        Group((square(5, 5, 10), square(40, 40, 30), square(80, 80, 5)), None, (inside,)),
        Group((square(5, 5, 10),), (2, 0, 0, 2, 10, 10), (round_,)),
    )
    whole, cut, curved = found
    assert isinstance(whole, Shape)
    for each in (cut, curved):
        assert isinstance(each, Group)
        (clip,) = each.clips[0]
        assert isinstance(clip, Outline)
        assert len(clip.points) == len(points if each is cut else round_[0].points)


@pytest.mark.parametrize("place", [(45, 20), (-5, 20), (20, 45), (20, -5)])
def test_a_clip_cuts_on_every_side(place):
    ops, points = rectangle(0, 0, 50, 50)
    _, (found,) = again(Group((square(*place, 10),), None, ((Outline(ops, points, IDENTITY, False),),)))
    assert isinstance(found, Group)
    assert len(found.clips) == 1


def test_fill_and_line_stand_where_the_schemas_want_them():
    pen = Stroke(0xFF0000FF, 0.3)
    _, (text, shape) = again(run("描边", stroke=pen), square(5, 5, 10, stroke=pen))
    for each in (text, shape):
        assert isinstance(each, GlyphRun | Shape)
        assert each.fill is not None
        assert each.stroke is not None
        assert each.stroke.paint == 0xFF0000FF


def test_common_opacity_makes_one_composite():
    _, (found,) = again(Group((square(5, 5, 10), square(10, 10, 10)), None, (), 128))
    assert isinstance(found, Group)
    assert found.alpha == 128
    (inner,) = found.items
    assert isinstance(inner, Group)
    assert len(inner.items) == 2


def test_what_belongs_to_the_document():
    info = Info("关于“<放管服>”的通知", "某局", "主题", "摘要", ("一", "二"), "本机", "1", date(2026, 3, 1),
                date(2026, 3, 2), {"文号": "〔2026〕1号"})  # fmt: skip
    outline = (Heading("第一章", 0, 20, (Heading('第"一"节', 1, 50.5),)), Heading("无处", -1))
    volume = Volume(
        (
            Leaf(PAGE, (run("正文"),), below=(0,), above=(1,)),
            Leaf(Box(5, 5, 148, 210), (square(5, 5, 10),), below=(0,)),
        ),
        info,
        ((run("底纹"),), (run("秘密", 60, 90),)),
        outline,
        (("附件 一.xml", b"<a/>"), ("无后缀", b"\0\1")),
    )
    data = write(volume)
    assert data == write(volume)
    assert faults(data) == []
    document = Document.open(data)
    said = document.body.info
    assert (said["Title"], said["Author"], said["CreationDate"], said["ModDate"]) == (
        "关于“<放管服>”的通知", "某局", "2026-03-01", "2026-03-02",
    )  # fmt: skip
    assert len(said["DocID"]) == 32
    assert document.body.keywords == ("一", "二")
    assert document.body.custom == {"文号": "〔2026〕1号"}
    assert document.page_box(1) == Box(0, 0, 148, 210)
    (moved,) = [each for each in document.display(1).items if isinstance(each, Shape)]
    assert moved.outline.matrix[4] + moved.outline.points[0] == pytest.approx(0)
    assert [line.text for line in document.text(0).lines] == ["底纹", "正文"] or "秘密" in document.text(0).text
    first, nowhere = document.extras.outline
    assert first.destination is not None
    assert first.children[0].destination is not None
    assert (first.title, first.children[0].title, first.children[0].destination.page) == ("第一章", '第"一"节', 1)
    assert first.children[0].destination.top == 50.5
    assert nowhere.destination is None
    names = [(each.name, document.extras.attachment(each.id)) for each in document.extras.attachments]
    assert names == [("附件 一.xml", b"<a/>"), ("无后缀", b"\0\1")]


@pytest.mark.parametrize("box", [Box(0, 0, 0, 10), Box(0, 0, 30_000, 10), None])
def test_a_document_without_usable_pages_is_refused(box):
    with pytest.raises(OfdError) as caught:
        write(Volume(() if box is None else (Leaf(box),)))
    assert caught.value.code == "OFD-020"


_numbers = st.floats(-500, 500)
_matrices = st.tuples(*[st.floats(-3, 3)] * 4, _numbers, _numbers)


@settings(max_examples=60, deadline=None)
@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=12),
    st.floats(0.1, 60),
    _matrices,
    st.lists(_numbers, min_size=12, max_size=12),
)
def test_any_text_goes_out_and_in(text, size, matrix, places):
    count = len(text)
    item = GlyphRun(
        SONG, size, UPRIGHT, text, None, tuple(places[:count]), tuple(places[:count]), BLACK, None, 400, False
    )
    data = write(Volume((Leaf(PAGE, (Group((item,), matrix),)),)))
    assert faults(data) == []
    read = "".join(each.text for each in Document.open(data).display(0).items if isinstance(each, GlyphRun))
    if abs(matrix[0] * matrix[3] - matrix[1] * matrix[2]) > 1e-3:
        # what XML forbids comes back as U+FFFD, or, where it is white space to Python, not at all
        sent, came = ([each for each in some if not each.isspace() and each == marks.clean(each) != marks.REPLACEMENT]
                      for some in (text, read))  # fmt: skip
        assert len(came) == len(sent)
        readable = {each for each in sent if each.isprintable() and ord(each) < 0xFFFE}
        assert [each for each in came if each in readable] == [each for each in sent if each in readable]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_numbers, _numbers), min_size=2, max_size=20), _matrices)
def test_any_path_goes_out_and_in(points, matrix):
    flat = tuple(each for point in points for each in point)
    outline = Outline("M" + "L" * (len(points) - 1), flat, matrix, False)
    data = write(Volume((Leaf(PAGE, (Shape(outline, 0xFF336699, None),)),)))
    assert faults(data) == []
    for found in Document.open(data).display(0).items:
        assert isinstance(found, Shape)
        e, f = found.outline.matrix[4:]
        a, b, c, d, k, m = matrix
        for index, (x, y) in enumerate(points):
            assert found.outline.points[2 * index] + e == pytest.approx(a * x + c * y + k, abs=0.003)
            assert found.outline.points[2 * index + 1] + f == pytest.approx(b * x + d * y + m, abs=0.003)


# -- scans ------------------------------------------------------------------------------------------


def test_a_scan_is_its_picture_with_words_that_are_found():
    scan = picture("JPEG", (400, 600), dpi=(100, 100))
    store = Store()
    leaves = leaves_of(scan, store, [[Word("准予许可", Box(100, 50, 200, 40)), Word(" ", Box(0, 0, 9, 9))]])
    data = write(Volume(leaves))
    assert faults(data) == []
    document = Document.open(data)
    assert document.page_box(0)[2:] == pytest.approx((101.6, 152.4))
    shown, hidden = document.display(0).items
    assert isinstance(shown, Picture)
    assert shown.media.data() == scan
    assert isinstance(hidden, GlyphRun)
    assert (hidden.fill, hidden.stroke) == (None, None)
    (hit,) = document.find("许可")
    assert hit.boxes[0] == pytest.approx((50.8, 12.7, 25.4, 10.16), abs=3)


def test_every_image_of_a_tiff_is_a_page():
    from PIL import Image

    out = io.BytesIO()
    pages = [Image.new("1", (200, 100 + n)) for n in range(3)]
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:], compression="group4", dpi=(200, 200))
    document = Document.open(write(Volume(leaves_of(out.getvalue(), Store()))))
    assert [document.page_box(n).height for n in range(3)] == pytest.approx([12.7, 12.827, 12.954])
    assert {each.media.format for n in range(3) for each in document.display(n).items if isinstance(each, Picture)} == {
        "PNG"
    }


def test_a_camera_that_lay_on_its_side():
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    leaf = leaves_of(picture("JPEG", (400, 200), dpi=(100, 100), exif=exif), Store())[0]
    assert (leaf.box.width, leaf.box.height) == pytest.approx((50.8, 101.6))


@pytest.mark.parametrize(
    "data", [b"", b"not a picture", picture("PNG", (64, 64))[:-60], picture("JPEG", (64, 64))[:150], b"%PDF-1.4"]
)
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(OfdError) as caught:
        leaves_of(data, Store())
    assert caught.value.code == "OFD-021"


def test_a_picture_of_too_many_pixels_is_refused_unread():
    head = picture("PNG", (8, 6))
    body = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    huge = head[:12] + b"IHDR" + body + struct.pack(">I", zlib.crc32(b"IHDR" + body)) + head[33:]
    with pytest.raises(OfdError) as caught:
        leaves_of(huge, Store())
    assert caught.value.code == "OFD-021"
