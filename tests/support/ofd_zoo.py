"""One OFD that uses nearly everything of the format, made of small parts of our own: fonts, images, a JBIG2 bitmap."""

from __future__ import annotations

import io
import struct
from functools import cache

from tests.support import ofd_maker
from tests.support.ofd_maker import NAMESPACE, text_object


@cache
def image(form: str, mode: str = "RGB") -> bytes:
    """An 8 by 8 picture in a format that Pillow writes."""
    from PIL import Image

    out = io.BytesIO()
    Image.new(mode, (8, 8), "white" if mode == "L" else (0, 128, 0)).save(out, form)
    return out.getvalue()


def jbig2(width: int, height: int, region: int = 0) -> bytes:
    """A JBIG2 file of one black page, MMR coded; 64 pixels wide. ``region`` is how high its region says it is."""
    assert width == 64
    # the first line in horizontal mode: no white, then 64 black; the others just like the line above (vertical mode 0)
    data = "001" + "00110101" + "0000001111" + "0000110111" + "11" * (height - 1)
    packed = int(data.ljust((len(data) + 7) // 8 * 8, "0"), 2).to_bytes((len(data) + 7) // 8, "big")

    def segment(number: int, kind: int, body: bytes) -> bytes:
        return struct.pack(">IBBBI", number, kind, 0, 1, len(body)) + body

    page = segment(0, 48, struct.pack(">IIIIBH", width, height, 0, 0, 0, 0))
    drawn = segment(1, 38, struct.pack(">IIIIBB", width, region or height, 0, 0, 0, 1) + packed)
    end = segment(2, 49, b"") + segment(3, 51, b"")
    return b"\x97JB2\r\n\x1a\n\x01" + struct.pack(">I", 1) + page + drawn + end


def _glyphs(pen_of: object, count: int) -> dict[str, object]:
    made = {}
    for number in range(count):
        pen = pen_of()  # type: ignore[operator]
        side = 200 + 100 * number
        pen.moveTo((100, 0))
        for corner in ((100 + side, 0), (100 + side, side), (100, side)):
            pen.lineTo(corner)
        pen.closePath()
        made[_NAMES[number]] = pen
    return made


_NAMES = [".notdef", "A", "B", "C", "D"]


@cache
def truetype(without: tuple[str, ...] = ("name", "post", "OS/2")) -> bytes:
    """A TrueType font of four squares, A to D, cut down like the subsets that makers embed."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(_NAMES)
    builder.setupCharacterMap({ord(name): name for name in _NAMES[1:]})
    builder.setupGlyf({name: pen.glyph() for name, pen in _glyphs(lambda: TTGlyphPen(None), 5).items()})  # type: ignore[attr-defined]
    builder.setupHorizontalMetrics(dict.fromkeys(_NAMES, (1000, 100)))
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupNameTable({"familyName": "Squares", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    for tag in without:
        del builder.font[tag]
    out = io.BytesIO()
    builder.font.save(out)
    return out.getvalue()


@cache
def bare_cff() -> bytes:
    """The same as Type 1C without a wrapper."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.t2CharStringPen import T2CharStringPen

    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder(_NAMES)
    builder.setupCharacterMap({ord(name): name for name in _NAMES[1:]})
    strings = {name: pen.getCharString() for name, pen in _glyphs(lambda: T2CharStringPen(1000, None), 5).items()}  # type: ignore[attr-defined]
    builder.setupCFF("Squares", {"FullName": "Squares"}, strings, {})
    builder.setupHorizontalMetrics(dict.fromkeys(_NAMES, (1000, 100)))
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupNameTable({"familyName": "Squares", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    out = io.BytesIO()
    builder.font.save(out)
    from modules.common.ofd.fonts import tables

    offset, length = tables(out.getvalue())["CFF "]
    return out.getvalue()[offset : offset + length]


_SEGMENTS = (
    '<Segment Position="0"><Color Value="255 0 0"/></Segment>'
    '<Segment Position="1"><Color Value="0 0 255" Alpha="99"/></Segment>'
)


def _path(x: float, y: float, inside: str, more: str = "") -> str:
    data = "M 0 0 L 20 0 Q 25 5 20 10 B 15 12 10 12 5 10 A 5 5 0 0 1 0 5 C"
    return (
        f'<PathObject ID="7" Boundary="{x} {y} 26 14" Fill="true" {more}>{inside}'
        f"<AbbreviatedData>{data}</AbbreviatedData></PathObject>"
    )


def _axial(said: str) -> str:
    return _fill(f"<AxialShd {said}>{_SEGMENTS}</AxialShd>")


def _radial(said: str) -> str:
    return _fill(f"<RadialShd {said}>{_SEGMENTS}</RadialShd>")


def _listed(kind: str, inside: str) -> bytes:
    return f"<ofd:{kind} {NAMESPACE}>{inside}</ofd:{kind}>".encode()


def _fill(inside: str) -> str:
    return f'<FillColor Value="10 20 30">{inside}</FillColor>'


def resources() -> str:
    """Fonts, images, colour spaces, drawing parameters and a composite."""
    forms = {70: "PNG", 71: "JPEG", 72: "GIF", 73: "BMP", 74: "TIFF", 75: "GBIG2"}
    media = "".join(
        f'<MultiMedia ID="{id}" Type="Image" Format="{form}"><MediaFile>{id}</MediaFile></MultiMedia>'
        for id, form in forms.items()
    )
    fonts = "".join(
        f'<Font ID="{id}" FontName="{name}">{file}</Font>'
        for id, name, file in (
            (1, "宋体", ""),
            (2, "Squares", "<FontFile>t.ttf</FontFile>"),
            (3, "Bare", "<FontFile>c.cff</FontFile>"),
        )
    )
    unit = _path(1, 1, _fill("")) + text_object("内", 5, 5)
    return (
        f"<Fonts>{fonts}</Fonts><MultiMedias>{media}</MultiMedias><ColorSpaces>"
        '<ColorSpace ID="20" Type="CMYK"/><ColorSpace ID="22" Type="RGB"><Palette><CV>1 2 3</CV>'
        '</Palette></ColorSpace></ColorSpaces><DrawParams><DrawParam ID="30" LineWidth="2"/>'
        '<DrawParam ID="31" Relative="30" Cap="Round"/></DrawParams><CompositeGraphicUnits>'
        f'<CompositeGraphicUnit ID="60" Width="9" Height="9"><Content>{unit}</Content>'
        "</CompositeGraphicUnit></CompositeGraphicUnits>"
    )


def content() -> str:
    """A page with everything that can stand on one."""
    corners = "".join(
        f'<Point X="{x}" Y="{y}"><Color Value="{9 * x} 0 0"/></Point>' for x, y in ((0, 0), (20, 0), (0, 10))
    )
    clip = (
        '<Clips><Clip><Area CTM="1 0 0 1 1 0"><Path Boundary="0 0 9 9"><AbbreviatedData>'
        "M 0 0 L 20 0 L 0 10 C</AbbreviatedData></Path></Area></Clip></Clips>"
    )
    transform = '<CGTransform CodePosition="0" CodeCount="2" GlyphCount="1"><Glyphs>2</Glyphs></CGTransform>'
    squares = text_object("ABCD", 10, 100, font="2").replace("<ofd:TextCode", transform + "<ofd:TextCode")
    pattern = (
        f'<Pattern Width="5" Height="5" XStep="6" ReflectMethod="RowAndColumn"><CellContent>{_path(0, 0, _fill(""))}'
        "</CellContent></Pattern>"
    )
    images = "".join(
        f'<ImageObject ID="5" Boundary="{10 + 25 * n} 150 20 20" CTM="20 0 0 20 0 0" ResourceID="{70 + n}" '
        'Alpha="200"/>'
        for n in range(6)
    )
    return "".join(
        (
            text_object("政务桌面 OFD", 10, 10),
            text_object("竖", 50, 10, more='CTM="0 1 -1 0 0 0" Weight="700" Italic="true"'),
            text_object("描边", 80, 10, more='Stroke="true" Fill="false" LineWidth="0.2" HScale="0.8"'),
            squares,
            text_object("ABC", 60, 100, font="3", more='CharDirection="90" ReadDirection="90"'),
            _path(10, 30, _fill(""), 'Rule="Even-Odd" DashPattern="2 1" DrawParam="31"'),
            _path(50, 30, _axial('StartPoint="0 0" EndPoint="20 0" MapType="Repeat" MapUnit="5"')),
            _path(90, 30, _radial('StartPoint="5 5" EndPoint="9 5" EndRadius="9" Extend="1"')),
            _path(130, 30,
                  _radial('StartPoint="2 5" StartRadius="2" EndPoint="18 5" EndRadius="3"')),
            _path(10, 60, _fill(f"<GouraudShd>{corners}</GouraudShd>")),
            _path(50, 60, _fill(pattern)),
            _path(90, 60, clip + _fill(""), 'Alpha="120" BlendMode="Multiply"'),
            _path(130, 60, '<FillColor Value="0 99 0 0" ColorSpace="20"/>', 'Stroke="false"'),
            _path(160, 60, '<FillColor Index="0" ColorSpace="22"/>'),
            images,
            '<CompositeObject ID="6" Boundary="10 200 20 20" CTM="2 0 0 2 0 0" ResourceID="60" Alpha="180"/>',
            f"<PageBlock>{text_object('块', 10, 240)}</PageBlock>",
        )
    )  # fmt: skip


def everything() -> bytes:
    """The file."""
    goto = '<Actions><Action Event="CLICK"><Goto><Dest Type="XYZ" PageID="1" Left="1"/></Goto></Action></Actions>'
    page = (
        f'<ofd:Page {NAMESPACE}><Area><PhysicalBox>0 0 210 297</PhysicalBox></Area><Template TemplateID="50"/>'
        f'<Content><Layer ID="2" DrawParam="30">{content()}</Layer></Content></ofd:Page>'
    )
    extra = {
        "Doc_0/T.xml": ofd_maker.page_xml(text_object("模板", 150, 10)).encode(),
        "Doc_0/An.xml": _listed("Annotations", '<Page PageID="1"><FileLoc>P.xml</FileLoc></Page>'),
        "Doc_0/P.xml": (
            f'<PageAnnot {NAMESPACE}><Annot ID="90" Type="Highlight">{goto}<Appearance Boundary="9 9 30 30">'
            f"{_path(0, 0, _fill(''))}</Appearance></Annot></PageAnnot>"
        ).encode(),
        "Doc_0/At.xml": _listed("Attachments", '<Attachment ID="1" Name="a"><FileLoc>T.xml</FileLoc></Attachment>'),
        "Doc_0/Ct.xml": _listed("CustomTags", '<CustomTag TypeID="x"><FileLoc>Tree.xml</FileLoc></CustomTag>'),
        "Doc_0/Tree.xml": f'<公文 {NAMESPACE}><标题><ObjectRef PageRef="1">10</ObjectRef></标题></公文>'.encode(),
        "Doc_0/Res/t.ttf": truetype(),
        "Doc_0/Res/c.cff": bare_cff(),
        "Doc_0/Res/75": jbig2(64, 8),
    } | {f"Doc_0/Res/{70 + n}": image(form) for n, form in enumerate(("PNG", "JPEG", "GIF", "BMP", "TIFF"))}
    more = (
        "<Annotations>An.xml</Annotations><Attachments>At.xml</Attachments><CustomTags>Ct.xml</CustomTags>"
        f'<Outlines><OutlineElem Title="一">{goto}<OutlineElem Title="二"/></OutlineElem></Outlines>'
        '<Bookmarks><Bookmark Name="b"><Dest Type="Fit" PageID="1"/></Bookmark></Bookmarks>'
        '<Permissions><Print Printable="true" Copies="2"/></Permissions>'
    )
    common = '<TemplatePage ID="50" BaseLoc="T.xml"/>'
    return ofd_maker.make(
        [page, text_object("二", 10, 10)], resources=resources(), common=common, more=more, extra=extra
    )
