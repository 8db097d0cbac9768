"""From PDF to OFD: text stays text, fonts stay fonts, images stay as they are, and nothing is lost silently."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.widgets.page.exchange.from_pdf import volume_of
from client.widgets.page.exchange.functions import function_of, samples
from modules.common.errors import GovDeskError
from modules.common.ofd.display import GlyphRun, Gradient, Group, Item, Picture, Shape
from modules.common.ofd.document import Document
from modules.common.ofd.report import Report
from modules.common.ofd.writing import write
from modules.common.text import RESOURCES
from tests.support.ofd_schema import faults

MM = 25.4 / 72


def drawn(draw: Callable[[Any], None], size: tuple[float, float] = (300, 400), **more: Any) -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, size, invariant=1, **more)
    draw(canvas)
    canvas.save()
    return out.getvalue()


def raw(content: bytes, resources: Any = None, **page: Any) -> bytes:
    """A PDF of one page whose content is ``content``."""
    document = pikepdf.new()
    document.add_blank_page(page_size=(300, 400))
    document.pages[0].Contents = document.make_stream(content)
    document.pages[0].Resources = document.make_indirect(resources(document) if resources else pikepdf.Dictionary())
    for key, value in page.items():
        document.pages[0][f"/{key}"] = value
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def through(data: bytes) -> tuple[Document, set[str], bytes]:
    report = Report()
    made = write(volume_of(data, report), report)
    assert faults(made) == []
    return Document.open(made), report.codes(), made


def flat(items: tuple[Item, ...]) -> list[Item]:
    return [each for item in items for each in (flat(item.items) if isinstance(item, Group) else [item])]


def items_of(data: bytes) -> tuple[list[Item], set[str]]:
    document, codes, _ = through(data)
    return flat(document.display(0).items), codes


def test_text_keeps_font_size_place_and_colour():
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    pdfmetrics.registerFont(TTFont("Kai", RESOURCES / "fonts/LXGWWenKai-Regular.ttf"))

    def draw(canvas: Any) -> None:
        canvas.setFont("Kai", 20)
        canvas.setFillColorRGB(0.8, 0, 0)
        canvas.drawString(50, 300, "行政许可 Office")

    document, codes, made = through(drawn(draw))
    runs = [each for each in flat(document.display(0).items) if isinstance(each, GlyphRun)]
    assert "".join(each.text for each in runs) == "行政许可 Office"
    assert codes == set()
    first = runs[0]
    assert first.size == pytest.approx(20 * MM, abs=0.01)
    assert (first.xs[0], first.ys[0]) == pytest.approx((50 * MM, 100 * MM), abs=0.01)
    assert first.fill == 0xFFCC0000
    assert first.linear == (1, 0, 0, 1)
    assert first.glyphs is not None
    assert min(first.glyphs) > 0
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert [name for name in archive.namelist() if name.endswith(".ttf")]
    assert [hit.page for hit in document.find("许可 office")] == [0]


def test_a_standard_font_goes_by_its_name_with_its_widths():
    document, codes, _ = through(drawn(lambda canvas: canvas.drawString(50, 300, "WiW")))
    (run,) = flat(document.display(0).items)
    assert isinstance(run, GlyphRun)
    assert codes == {"pdf.font"}
    assert (run.font.name, run.font.family, run.glyphs) == ("Helvetica", "Arial", None)
    assert [x - run.xs[0] for x in run.xs] == pytest.approx([0, 12 * 0.944 * MM, 12 * 1.166 * MM], abs=0.01)
    assert document.text(0).text == "WiW"


def test_a_type_1_font_is_carried_as_opentype():
    from reportlab import rl_config
    from reportlab.pdfbase import pdfmetrics

    found = (each for each in rl_config.T1SearchPath if (Path(each) / "DarkGardenMK.pfb").exists())
    folder = next(found, None)
    if folder is None:
        pytest.skip("reportlab came without its Type 1 font")
    face = pdfmetrics.EmbeddedType1Face(f"{folder}/DarkGardenMK.afm", f"{folder}/DarkGardenMK.pfb")
    pdfmetrics.registerTypeFace(face)
    pdfmetrics.registerFont(pdfmetrics.Font("Garden", "DarkGardenMK", "WinAnsiEncoding"))

    def draw(canvas: Any) -> None:
        canvas.setFont("Garden", 30)
        canvas.drawString(50, 300, "Office")

    document, codes, made = through(drawn(draw))
    runs = [each for each in flat(document.display(0).items) if isinstance(each, GlyphRun)]
    assert "".join(each.text for each in runs) == "Office"
    assert codes == set()
    assert all(each.glyphs is not None and min(each.glyphs) > 0 for each in runs)
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert [name for name in archive.namelist() if name.endswith(".otf")]


def test_gaps_between_words_become_blanks_but_not_those_of_spaced_letters():
    def resources(_: Any) -> Any:
        font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        return pikepdf.Dictionary(Font=pikepdf.Dictionary(F=font))

    content = b"""BT /F 10 Tf 10 300 Td [(to) -300 (be) 20 (st)] TJ 33 0 Td (or) Tj ET
        BT /F 10 Tf 4 Tc 10 200 Td (abc) Tj ET BT /F 10 Tf 0 Tc 10 100 Td (a b) Tj ET"""
    found, _ = items_of(raw(content, resources))
    assert "".join(each.text for each in found if isinstance(each, GlyphRun)) == "to best orabca b"


def test_turned_pages_stand_upright():
    def place(turn: int) -> tuple[float, float, float, float]:
        found, _ = items_of(raw(b"10 20 30 40 re f", Rotate=turn))
        (shape,) = found
        assert isinstance(shape, Shape)
        x, y = shape.outline.matrix[4:]
        xs, ys = [p + x for p in shape.outline.points[::2]], [p + y for p in shape.outline.points[1::2]]
        return tuple(round(each / MM, 1) for each in (min(xs), min(ys), max(xs), max(ys)))  # type: ignore[return-value]

    assert place(0) == (10, 340, 40, 380)
    assert place(90) == (20, 10, 60, 40)
    assert place(180) == (260, 20, 290, 60)
    assert place(270) == (340, 260, 380, 290)


def test_strokes_clips_and_alpha():
    content = (
        b"q 0 0 50 50 re W n 2 0 0 2 0 0 cm 3 w 1 J [4 2] 1 d 0 0 1 RG 5 5 m 60 60 l S Q /G gs 1 0 0 rg 0 0 9 9 re f"
    )
    found, codes = items_of(
        raw(content, lambda _: pikepdf.Dictionary(ExtGState=pikepdf.Dictionary(G=pikepdf.Dictionary(ca=0.5))))
    )
    line, square = found
    assert isinstance(line, Shape)
    assert isinstance(square, Shape)
    assert line.stroke is not None
    assert line.stroke.width == pytest.approx(6 * MM, abs=0.001)
    assert (line.stroke.cap, line.stroke.paint) == ("Round", 0xFF0000FF)
    assert line.stroke.dashes == pytest.approx((8 * MM, 4 * MM), abs=0.001)
    assert square.fill == 0x80FF0000
    assert codes == set()


def test_images_are_kept_or_made_without_loss():
    from PIL import Image
    from reportlab.lib.utils import ImageReader

    jpeg, alpha = io.BytesIO(), io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(jpeg, "JPEG")
    Image.new("RGBA", (4, 4), (255, 0, 0, 128)).save(alpha, "PNG")

    def draw(canvas: Any) -> None:
        canvas.drawImage(ImageReader(jpeg), 10, 20, 100, 50)
        canvas.drawImage(ImageReader(alpha), 10, 200, 40, 40, mask="auto")

    document, codes, _ = through(drawn(draw))
    first, second = (each for each in flat(document.display(0).items) if isinstance(each, Picture))
    assert codes == set()
    assert first.media.data()[:3] == b"\xff\xd8\xff"
    assert first.matrix == pytest.approx((100 * MM, 0, 0, 50 * MM, 10 * MM, 330 * MM), abs=0.001)
    with Image.open(io.BytesIO(second.media.data())) as image:
        assert image.getpixel((1, 1)) == (255, 0, 0, 128)


@pytest.mark.parametrize(("decode", "seen"), [(b"", [0, 255, 255, 0]), (b"/D [1 0]", [255, 0, 0, 255])])
def test_a_stencil_is_painted_in_the_colour_in_force(decode, seen):
    from PIL import Image

    content = b"0 1 0 rg 10 0 0 10 0 0 cm BI /W 2 /H 2 /IM true /BPC 1 %s ID \x80\x40 EI" % decode
    (picture,), codes = items_of(raw(content))
    assert isinstance(picture, Picture)
    assert codes == set()
    with Image.open(io.BytesIO(picture.media.data())) as image:
        pixels = [image.convert("RGBA").getpixel(each) for each in ((0, 0), (1, 0), (0, 1), (1, 1))]
    assert [pixel[3] for pixel in pixels] == seen
    assert {pixel[:3] for pixel in pixels if pixel[3]} == {(0, 255, 0)}


@pytest.mark.parametrize(("decode", "seen"), [(None, [255, 0]), ([1, 0], [0, 255])])
def test_of_a_stencil_mask_the_ones_are_left_out(decode, seen):
    from PIL import Image

    def resources(document: Any) -> Any:
        mask = document.make_stream(b"\x40\x40")
        image = document.make_stream(bytes([200]) * 4)
        for each, bits in ((mask, 1), (image, 8)):
            each.Type, each.Subtype = pikepdf.Name.XObject, pikepdf.Name.Image
            each.Width, each.Height, each.BitsPerComponent = 2, 2, bits
        mask.ImageMask = True
        if decode:
            mask.Decode = pikepdf.Array(decode)
        image.ColorSpace, image.Mask = pikepdf.Name.DeviceGray, mask
        return pikepdf.Dictionary(XObject=pikepdf.Dictionary(X=image))

    (picture,), codes = items_of(raw(b"10 0 0 10 0 0 cm /X Do", resources))
    assert isinstance(picture, Picture)
    assert codes == set()
    with Image.open(io.BytesIO(picture.media.data())) as image:
        assert [image.getpixel((x, 0))[3] for x in (0, 1)] == seen  # type: ignore[index]


def test_a_gradient_keeps_its_ends():
    def resources(_: Any) -> Any:
        function = pikepdf.Dictionary(FunctionType=2, Domain=[0, 1], C0=[1, 0, 0], C1=[0, 0, 1], N=1)
        shading = pikepdf.Dictionary(
            ShadingType=2,
            ColorSpace=pikepdf.Name.DeviceRGB,
            Coords=[0, 0, 100, 0],
            Function=function,
            Extend=[True, False],
        )
        return pikepdf.Dictionary(
            Pattern=pikepdf.Dictionary(P=pikepdf.Dictionary(PatternType=2, Shading=shading)),
        )

    (shape,), codes = items_of(raw(b"/Pattern cs /P scn 10 10 80 80 re f", resources))
    assert isinstance(shape, Shape)
    assert isinstance(shape.fill, Gradient)
    assert codes == set()
    assert [colour for _, colour in shape.fill.stops] == [0xFFFF0000, 0xFF0000FF]
    assert (shape.fill.start, shape.fill.end, shape.fill.extend) == ((0, 0), (100, 0), 1)


def test_a_tiling_is_laid_out_cell_by_cell():
    def resources(document: Any) -> Any:
        cell = document.make_stream(b"0 0 5 5 re f")
        for key, value in {"PatternType": 1, "PaintType": 2, "TilingType": 1, "BBox": [0, 0, 10, 10], "XStep": 10,
                           "YStep": 10, "Resources": pikepdf.Dictionary()}.items():  # fmt: skip
            cell[f"/{key}"] = value
        return pikepdf.Dictionary(
            Pattern=pikepdf.Dictionary(P=cell),
            ColorSpace=pikepdf.Dictionary(C=pikepdf.Array([pikepdf.Name.Pattern, pikepdf.Name.DeviceRGB])),
        )

    found, codes = items_of(raw(b"/C cs 0 1 0 /P scn 0 0 30 20 re f", resources))
    assert len(found) == 6
    assert {each.fill for each in found if isinstance(each, Shape)} == {0xFF00FF00}
    assert codes == set()


def test_what_belongs_to_the_document():
    def draw(canvas: Any) -> None:
        canvas.setTitle("关于某事的通知")
        canvas.setAuthor("某局")
        canvas.bookmarkPage("one", fit="XYZ", left=0, top=300)
        canvas.addOutlineEntry("第一章", "one", 0)
        canvas.showPage()
        canvas.bookmarkPage("two")
        canvas.addOutlineEntry("第二节", "two", 1)
        canvas.showPage()

    with pikepdf.open(io.BytesIO(drawn(draw))) as document:
        document.attachments["附件.xml"] = pikepdf.AttachedFileSpec(document, b"<a/>", filename="附件.xml")
        out = io.BytesIO()
        document.save(out)
    made, _, _ = through(out.getvalue())
    assert (made.body.info["Title"], made.body.info["Author"]) == ("关于某事的通知", "某局")
    (first,) = made.extras.outline
    assert first.destination is not None
    assert (first.title, first.destination.page, first.destination.top) == (
        "第一章",
        0,
        pytest.approx(100 * MM, abs=0.01),
    )
    assert first.children[0].title == "第二节"
    (attached,) = made.extras.attachments
    assert (attached.name, made.extras.attachment(attached.id)) == ("附件.xml", b"<a/>")


def encrypted(**allowed: bool) -> bytes:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(raw(b""))) as document:
        user = "" if allowed else "secret"
        document.save(out, encryption=pikepdf.Encryption(owner="o", user=user, allow=pikepdf.Permissions(**allowed)))
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"%PDF-1.4 nothing", "PDF-001"),
        (raw(b"")[:150], "PDF-001"),
        (encrypted(), "PDF-002"),
        (encrypted(extract=False), "PDF-003"),
    ],
)
def test_what_cannot_be_converted_is_refused(data, code):
    with pytest.raises(GovDeskError) as caught:
        volume_of(data, Report())
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"/No Do", "page.damaged"),
        (b"/F 12 Tf (a) Tj", "page.damaged"),
        (b"10 0 0 10 0 0 cm BI /W 9999999 /H 99999 ID a EI", "image.damaged"),
        (b"1 2 zz", "page.unknown"),
        (b"(a) Tj 0 0 9 9 re f", "page.damaged"),
    ],
)
def test_what_is_amiss_is_said_and_the_rest_is_shown(content, code):
    document, codes, _ = through(raw(content + b" 0 0 5 5 re f"))
    assert code in codes
    assert [each for each in flat(document.display(0).items) if isinstance(each, Shape)]


def test_a_form_that_holds_itself_comes_to_an_end():
    def resources(document: Any) -> Any:
        form = document.make_stream(b"0 0 1 1 re f /X Do")
        form.Type, form.Subtype, form.BBox = pikepdf.Name.XObject, pikepdf.Name.Form, pikepdf.Array([0, 0, 9, 9])
        found = pikepdf.Dictionary(XObject=pikepdf.Dictionary(X=form))
        form.Resources = found
        return found

    found, codes = items_of(raw(b"/X Do", resources))
    assert codes == {"object.recursive"}
    assert 0 < len(found) < 30


_OPERATORS = (
    *("q", "Q", "cm", "w", "J", "j", "M", "d", "m", "l", "c", "v", "y", "h", "re", "S", "s", "f", "f*", "B", "b", "n"),
    *("W", "W*", "BT", "ET", "Tf", "Td", "TD", "Tm", "T*", "Tj", "TJ", "'", "Tc", "Tw", "Tz", "TL", "Ts", "Tr", "cs"),
    *("CS", "sc", "scn", "g", "G", "rg", "RG", "k", "K", "gs", "sh", "Do"),
)
_words = st.one_of(
    st.floats(-1e6, 1e6).map(lambda value: f"{value:.3f}"),
    st.sampled_from(["(ab)", "/F1", "/X", "[(a) -200 (b)]", "[1 2]", "<< >>", "true"]),
    st.sampled_from(_OPERATORS),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(_words, max_size=40))
def test_no_content_stops_it(words):
    def resources(_: Any) -> Any:
        font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        return pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))

    through(raw(" ".join(words).encode(), resources))


def test_functions():
    stitched = pikepdf.Dictionary(
        FunctionType=3, Domain=[0, 1], Bounds=[0.5], Encode=[0, 1, 1, 0],
        Functions=[pikepdf.Dictionary(FunctionType=2, Domain=[0, 1], C0=[0], C1=[1], N=1)] * 2,
    )  # fmt: skip
    found = function_of(stitched)
    assert [found([x])[0] for x in (0, 0.25, 0.5, 0.75, 1)] == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert [at for at, _ in samples(found, 0, 1)] == [0, 0.5, 1]
    assert function_of(pikepdf.Dictionary(FunctionType=2, Domain=[0, 1], C0=[1], C1=[3], N=2))([0.5]) == [1.5]
    document = pikepdf.new()
    calculated = document.make_stream(b"{ dup 0.5 gt { 1 exch sub } { 2 mul } ifelse 3 1 roll pop pop 7 exch }")
    calculated.FunctionType, calculated.Domain, calculated.Range = 4, [0, 1, 0, 1, 0, 1], [0, 9, 0, 9]
    assert function_of(calculated)([0, 0, 0.25]) == pytest.approx([7, 0.5])
    sampled = document.make_stream(bytes([0, 255, 128]))
    sampled.FunctionType, sampled.Domain, sampled.Range = 0, [0, 1], [0, 1]
    sampled.Size, sampled.BitsPerSample = [3], 8
    assert [function_of(sampled)([x])[0] for x in (0, 0.25, 0.5, 1)] == pytest.approx([0, 0.5, 1, 128 / 255])
