"""Display lists as pictures: what must be seen is seen, where it should be, on any thread, within limits."""

from __future__ import annotations

import io
import struct
import threading
import zlib

import pytest
from PIL import Image  # noqa: TID253 - tests of pictures
from PySide6.QtCore import QRect
from PySide6.QtGui import QImage

from client.widgets.page import glyphs, images, painter
from client.widgets.page.cache import PaintCache
from client.widgets.page.painter import paint, pixel_size
from modules.common.ofd.box import Box
from modules.common.ofd.display import GlyphRun
from modules.common.ofd.document import Document
from tests.support import ofd_maker, ofd_zoo
from tests.support.ofd_maker import FONT, text_object
from tests.support.samples import sample

pytestmark = pytest.mark.usefixtures("qapp")
DPI = 25.4
"""One pixel a millimetre, so that places can be read off."""
WHITE = 0xFFFFFFFF


def picture(content: str, dpi: float = DPI, *, resources: str = FONT, extra: dict[str, bytes] | None = None) -> QImage:
    document = Document.open(ofd_maker.make([content], resources=resources, extra=extra, size="0 0 100 100"))
    return paint(document.display(0), dpi)


def at(image: QImage, x: int, y: int) -> int:
    return image.pixel(x, y)


def box(x: float, y: float, width: float, height: float, inside: str = "", attributes: str = "") -> str:
    colour = inside or '<ofd:FillColor Value="255 0 0"/>'
    data = f"M 0 0 L {width} 0 L {width} {height} L 0 {height} C"
    return (
        f'<ofd:PathObject ID="7" Boundary="{x} {y} {width} {height}" Stroke="false" Fill="true" {attributes}>{colour}'
        f"<ofd:AbbreviatedData>{data}</ofd:AbbreviatedData></ofd:PathObject>"
    )


def dark(image: QImage, area: QRect) -> int:
    """How many pixels of an area are dark."""
    cut = image.copy(area)
    return sum(cut.pixelColor(x, y).lightness() < 128 for x in range(cut.width()) for y in range(cut.height()))


def test_a_box_is_where_it_should_be() -> None:
    image = picture(box(10, 20, 30, 40))
    assert (image.width(), image.height()) == (100, 100)
    inside, outside = [(11, 21), (38, 58)], [(8, 21), (42, 58), (11, 18), (38, 62)]
    assert {at(image, *point) for point in inside} == {0xFFFF0000}
    assert {at(image, *point) for point in outside} == {WHITE}


@pytest.mark.parametrize(("rotation", "corner"), [(0, (15, 5)), (90, (95, 15)), (180, (85, 95)), (270, (5, 85))])
def test_pages_are_turned_clockwise(rotation: int, corner: tuple[int, int]) -> None:
    document = Document.open(ofd_maker.make([box(10, 0, 10, 10)], size="0 0 100 100"))
    image = paint(document.display(0), DPI, rotation=rotation)
    assert at(image, *corner) == 0xFFFF0000


def test_tiles_are_parts_of_the_whole() -> None:
    content = text_object("政务桌面", 5, 5, size=10) + box(50, 40, 30, 40)
    document = Document.open(ofd_maker.make([content], resources=FONT, size="0 0 100 100"))
    page, cache = document.display(0), PaintCache()
    whole = paint(page, 100, cache=cache)
    for rotation in (0, 90):
        whole = paint(page, 100, cache=cache, rotation=rotation)
        for tile in (QRect(0, 0, 128, 128), QRect(128, 128, 200, 100), QRect(300, 300, 200, 200)):
            part = paint(page, 100, cache=cache, tile=tile, rotation=rotation)
            assert part.size() == tile.size()
            seen = tile.intersected(whole.rect())
            mine, theirs = part.copy(seen.translated(-tile.x(), -tile.y())), whole.copy(seen)
            assert mine.convertToFormat(theirs.format()) == theirs


def test_text_is_drawn_at_its_place_in_every_way() -> None:
    area = QRect(20, 20, 42, 12)
    plain = dark(picture(text_object("政务桌面", 20, 20, size=10)), area)
    bold = dark(picture(text_object("政务桌面", 20, 20, size=10, more='Weight="700"')), area)
    assert plain > 60
    assert bold > plain
    image = picture(text_object("政务桌面", 20, 20, size=10))
    assert dark(image, QRect(0, 0, 100, 100)) == dark(image, area)
    large = picture(text_object("政", 0, 0, size=90))
    assert dark(large, QRect(0, 0, 100, 100)) > 1500
    stroked = picture(text_object("政", 0, 0, size=90, more='Fill="false" Stroke="true" LineWidth="1"'))
    assert 300 < dark(stroked, QRect(0, 0, 100, 100)) < dark(large, QRect(0, 0, 100, 100))
    turned = picture(text_object("政务", 50, 50, size=10, more='CTM="0 1 -1 0 0 0"'))
    assert dark(turned, QRect(38, 50, 12, 22)) > 30
    assert dark(turned, QRect(52, 50, 40, 40)) == 0


def test_a_damaged_font_is_replaced_and_noted() -> None:
    fonts = '<ofd:Fonts><ofd:Font ID="1" FontName="X"><ofd:FontFile>f.ttf</ofd:FontFile></ofd:Font></ofd:Fonts>'
    for data in (b"rubbish", b"\0\1\0\0" + bytes(200), b"\1\0\4\2" + bytes(99), b""):
        made = ofd_maker.make([text_object("政", 10, 10, size=50)], resources=fonts, extra={"Doc_0/Res/f.ttf": data})
        document = Document.open(made)
        assert dark(paint(document.display(0), DPI), QRect(0, 0, 100, 100)) > 300
        assert "font.damaged" in document.report.codes()


def drawn_by_glyph_4(word: str, place: float, size: float) -> str:
    given = f'<ofd:CGTransform CodePosition="0" CodeCount="{len(word)}"><ofd:Glyphs>4</ofd:Glyphs></ofd:CGTransform>'
    return text_object(word, place, place, size=size).replace("<ofd:TextCode", given + "<ofd:TextCode")


@pytest.mark.parametrize(("name", "data"), [("t.ttf", ofd_zoo.truetype()), ("c.cff", ofd_zoo.bare_cff())])
def test_embedded_fonts_cut_down_and_bare(name: str, data: bytes) -> None:
    """The fonts' glyphs 1 to 4, A to D, are squares of 0.3, 0.4, 0.5 and 0.6 of the size."""
    fonts = f'<ofd:Fonts><ofd:Font ID="1" FontName="X"><ofd:FontFile>{name}</ofd:FontFile></ofd:Font></ofd:Fonts>'
    by_number = drawn_by_glyph_4("A", 0, 50)
    for content, side in ((text_object("A", 0, 0, size=50), 15), (by_number, 30)):
        made = ofd_maker.make([content], resources=fonts, extra={f"Doc_0/Res/{name}": data}, size="0 0 100 100")
        document = Document.open(made)
        image = paint(document.display(0), DPI)
        assert dark(image, QRect(0, 0, 100, 100)) == pytest.approx(side * side, abs=2 * side)
        assert dark(image, QRect(5, 50 - side, side, side)) == pytest.approx(side * side, abs=2 * side)
        assert not document.report.notes


def test_a_bare_font_keyed_by_characters_is_asked_by_their_numbers() -> None:
    document = Document.open(sample("ofd", "signout.ofd"))
    runs = [item for item in document.display(0).items if isinstance(item, GlyphRun) and item.text == "XX"]
    (placed,) = glyphs.place(runs[0], (5, 0, 0, 5, 0, 0), PaintCache().faces)
    assert runs[0].glyphs == (57, 57)
    assert placed.face.embedded
    assert placed.glyphs == [2, 2]


def test_a_font_that_stands_in_is_squeezed_into_the_room_there_is() -> None:
    word = '<ofd:TextCode X="0" Y="10" DeltaX="5 5 5">WWWW</ofd:TextCode>'
    content = f'<ofd:TextObject ID="1" Boundary="10 10 80 20" Font="1" Size="10">{word}</ofd:TextObject>'
    image = picture(content, 254)
    columns = [dark(image, QRect(x, 100, 1, 100)) for x in range(100, 310)]
    gaps = [index for index in range(1, 200) if columns[index] == 0 and columns[index - 1] > 0]
    assert 2 <= len(gaps) <= 4  # the letters stand apart


def test_parts_of_a_ligature_are_drawn_one_by_one_when_its_font_is_missing() -> None:
    image = picture(drawn_by_glyph_4("fi", 10, 20))
    assert dark(image, QRect(0, 0, 19, 100)) > 5
    assert dark(image, QRect(19, 0, 20, 100)) > 5


# -- paint that is more than a colour --

SEGMENTS = (
    '<ofd:Segment Position="0"><ofd:Color Value="255 0 0"/></ofd:Segment>'
    '<ofd:Segment Position="1"><ofd:Color Value="0 0 255"/></ofd:Segment>'
)


def shade(attributes: str, kind: str = "AxialShd") -> QImage:
    return picture(
        box(0, 0, 100, 100, f"<ofd:FillColor><ofd:{kind} {attributes}>{SEGMENTS}</ofd:{kind}></ofd:FillColor>")
    )


def rgb(image: QImage, x: int, y: int) -> tuple[int, int, int]:
    colour = image.pixelColor(x, y)
    return colour.red(), colour.green(), colour.blue()


def test_axial_shading_runs_from_start_to_end_and_beyond_only_where_it_extends() -> None:
    image = shade('StartPoint="20 0" EndPoint="80 0"')
    assert rgb(image, 21, 50)[0] > 240
    assert rgb(image, 79, 50)[2] > 240
    assert rgb(image, 50, 50) == pytest.approx((127, 0, 127), abs=5)
    assert rgb(image, 10, 50) == rgb(image, 90, 50) == (255, 255, 255)
    both = shade('StartPoint="20 0" EndPoint="80 0" Extend="3"')
    assert (rgb(both, 5, 50), rgb(both, 95, 50)) == ((255, 0, 0), (0, 0, 255))
    repeated = shade('StartPoint="0 0" EndPoint="20 0" MapType="Repeat" MapUnit="20"')
    assert rgb(repeated, 45, 50) == pytest.approx(rgb(repeated, 5, 50), abs=5)
    there_and_back = shade('StartPoint="0 0" EndPoint="20 0" MapType="Reflect" MapUnit="20"')
    assert rgb(there_and_back, 35, 50) == pytest.approx(rgb(there_and_back, 4, 50), abs=12)


def test_radial_shading_within_a_circle_and_as_a_cone() -> None:
    image = shade('StartPoint="50 50" StartRadius="0" EndPoint="50 50" EndRadius="40"', "RadialShd")
    assert rgb(image, 50, 50)[0] > 240
    assert rgb(image, 50, 88)[2] > 230
    assert rgb(image, 2, 2) == (255, 255, 255)
    cone = shade('StartPoint="20 50" StartRadius="5" EndPoint="80 50" EndRadius="5"', "RadialShd")
    assert rgb(cone, 50, 50)[1] == 0
    assert rgb(cone, 50, 60) == (255, 255, 255)
    assert rgb(cone, 25, 50)[0] > rgb(cone, 75, 50)[0]
    assert rgb(cone, 12, 50) == rgb(cone, 88, 50) == (255, 255, 255)


def test_patterns_repeat_their_cell() -> None:
    cell = box(0, 0, 5, 5)
    pattern = (
        '<ofd:FillColor><ofd:Pattern Width="5" Height="5" XStep="10" YStep="10"><ofd:CellContent>'
        f"{cell}</ofd:CellContent></ofd:Pattern></ofd:FillColor>"
    )
    image = picture(box(10, 10, 40, 40, pattern))
    assert {at(image, 12 + 10 * n, 12 + 10 * m) for n in range(4) for m in range(4)} == {0xFFFF0000}
    assert {at(image, 17 + 10 * n, 17) for n in range(3)} == {WHITE}


def test_opacity_blend_and_clips() -> None:
    assert rgb(picture(box(0, 0, 50, 50, attributes='Alpha="128"')), 20, 20) == pytest.approx((255, 127, 127), abs=2)
    below = box(0, 0, 50, 50, '<ofd:FillColor Value="0 255 0"/>')
    multiplied = picture(below + box(0, 0, 50, 50, attributes='BlendMode="Multiply"'))
    assert rgb(multiplied, 20, 20) == (0, 0, 0)
    triangle = (
        '<ofd:Clips TransFlag="false"><ofd:Clip><ofd:Area><ofd:Path Boundary="0 0 50 50"><ofd:AbbreviatedData>'
        "M 0 0 L 50 0 L 0 50 C</ofd:AbbreviatedData></ofd:Path></ofd:Area></ofd:Clip></ofd:Clips>"
    )
    clipped = picture(box(0, 0, 50, 50, f'{triangle}<ofd:FillColor Value="255 0 0"/>'))
    assert (at(clipped, 10, 10), at(clipped, 45, 45)) == (0xFFFF0000, WHITE)
    edges = {clipped.pixelColor(x, 49 - x).green() for x in range(5, 44)}
    assert any(0 < green < 255 for green in edges)  # a smooth edge


def test_a_clip_of_several_parts_shows_what_lies_in_any() -> None:
    def area(x: float, data: str) -> str:
        path = f'<ofd:Path Boundary="{x} 0 20 20"><ofd:AbbreviatedData>{data}</ofd:AbbreviatedData></ofd:Path>'
        return f"<ofd:Area>{path}</ofd:Area>"

    parts = area(0, "M 0 0 L 20 0 L 20 20 L 0 20 C") + area(25, "M 0 0 L 0 20 L 20 20 L 20 0 C")  # the other way round
    clips = f'<ofd:Clips TransFlag="false"><ofd:Clip>{parts}</ofd:Clip></ofd:Clips>'
    image = picture(box(0, 0, 50, 50, f'{clips}<ofd:FillColor Value="255 0 0"/>'))
    assert {at(image, x, 10) for x in (5, 15, 30, 40)} == {0xFFFF0000}
    assert {at(image, x, 10) for x in (22, 48)} == {WHITE}
    none = picture(box(0, 0, 50, 50, '<ofd:Clips><ofd:Clip/></ofd:Clips><ofd:FillColor Value="255 0 0"/>'))
    assert at(none, 10, 10) == WHITE


# -- images --


def shown(data: bytes, form: str, attributes: str = "", mask: bytes | None = None) -> tuple[QImage, Document]:
    media = f'<ofd:MultiMedia ID="70" Type="Image" Format="{form}"><ofd:MediaFile>i</ofd:MediaFile></ofd:MultiMedia>'
    if mask is not None:
        media += '<ofd:MultiMedia ID="71" Type="Image"><ofd:MediaFile>m</ofd:MediaFile></ofd:MultiMedia>'
    content = f'<ofd:ImageObject ID="5" Boundary="10 10 80 80" CTM="80 0 0 80 0 0" ResourceID="70" {attributes}/>'
    extra = {"Doc_0/Res/i": data, "Doc_0/Res/m": mask or b""}
    resources = f"<ofd:MultiMedias>{media}</ofd:MultiMedias>"
    document = Document.open(ofd_maker.make([content], resources=resources, extra=extra, size="0 0 100 100"))
    return paint(document.display(0), DPI), document


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "GIF", "TIFF"])
def test_images_of_every_format(form: str) -> None:
    image, document = shown(ofd_zoo.image(form), form)
    assert rgb(image, 50, 50) == pytest.approx((0, 128, 0), abs=3)
    assert rgb(image, 5, 5) == (255, 255, 255)
    assert not document.report.notes


def test_jbig2_by_the_decoder_of_pdfium() -> None:
    image, document = shown(ofd_zoo.jbig2(64, 8), "GBIG2")
    assert not document.report.notes
    assert rgb(image, 50, 50) == (0, 0, 0)


def test_a_mask_hides_where_it_is_black() -> None:
    mask = io.BytesIO()
    halves = Image.new("L", (8, 8), 0)
    halves.paste(255, (0, 0, 4, 8))
    halves.save(mask, "PNG")
    image, _ = shown(ofd_zoo.image("PNG"), "PNG", 'ImageMask="71"', mask.getvalue())
    assert rgb(image, 20, 50) == pytest.approx((0, 128, 0), abs=3)
    assert rgb(image, 80, 50) == (255, 255, 255)


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it has so many pixels, and has next to none."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


@pytest.mark.qt_log_ignore("JPEG", "JFIF", "libpng", "QImageIOHandler", "allocation limit", "png")
@pytest.mark.parametrize(
    "data", [b"", b"rubbish", ofd_zoo.image("PNG")[:40], ofd_zoo.image("JPEG")[:60], b"II*\0" + bytes(30),
             b"\x97JB2\r\n\x1a\n\1\0\0\0\1", png_of(200_000, 200_000), ofd_zoo.jbig2(64, 8, region=0x7FFFFFFF)],
    ids=["empty", "rubbish", "png", "jpeg", "tiff", "jbig2", "bomb", "jbig2 bomb"],
)  # fmt: skip
def test_broken_images_are_left_out_and_noted(data: bytes) -> None:
    image, document = shown(data, "PNG")
    assert rgb(image, 5, 5) == (255, 255, 255)
    assert document.report.codes() <= {"image.damaged", "image.format", "image.huge"}
    assert document.report.notes


def test_an_image_larger_than_allowed_is_read_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "PIXEL_LIMIT", 16)
    image, document = shown(ofd_zoo.image("PNG"), "PNG")
    assert rgb(image, 50, 50) == pytest.approx((0, 128, 0), abs=3)
    assert document.report.codes() == {"image.huge"}


# -- threads, limits --


def test_pages_are_painted_on_other_threads_all_alike() -> None:
    content = "".join(text_object("政务桌面全国统一", 5, 5 + 8 * n, size=7) for n in range(10)) + box(60, 60, 20, 20)
    document = Document.open(ofd_maker.make([content], resources=FONT, size="0 0 100 100"))
    cache, made = PaintCache(), []

    def work() -> None:
        for _ in range(5):
            made.append(paint(document.display(0), 100, cache=cache))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 15
    assert all(image == made[0] for image in made)


def test_painting_can_be_cancelled() -> None:
    document = Document.open(ofd_maker.make([box(1, 1, 2, 2) * 500]))
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 2

    with pytest.raises(painter.Stopped):
        paint(document.display(0), DPI, cancelled=cancelled)
    assert len(asked) == 3


def test_huge_pages_are_painted_smaller() -> None:
    size = pixel_size(Box(0, 0, 20_000, 20_000), 600)
    assert 0.9 * painter.PIXEL_LIMIT < size.width() * size.height() < 1.1 * painter.PIXEL_LIMIT
    with pytest.raises(ValueError, match="tile"):
        paint(Document.open(ofd_maker.make()).display(0), 600, tile=QRect(0, 0, 100_000, 100_000))
