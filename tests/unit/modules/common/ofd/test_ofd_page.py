"""Pages as display lists: text, paths, images, inheritance, layers, clips, limits."""

from __future__ import annotations

import pytest

from modules.common.ofd import page as page_module
from modules.common.ofd.display import LOOK_UP, NOTHING, GlyphRun, Gradient, Group, Item, Mesh, Pattern, Picture, Shape
from modules.common.ofd.document import Document
from modules.common.ofd.fonts import role_of
from tests.support import ofd_maker
from tests.support.ofd_maker import FONT, text_object

PNG = b"\x89PNG\r\n\x1a\n"


def open_(content: str, **more: object) -> Document:
    return Document.open(ofd_maker.make([content], resources=FONT, **more))


def items(content: str, **more: object) -> tuple[Item, ...]:
    return open_(content, **more).display(0).items


def run(content: str) -> GlyphRun:
    (found,) = items(content)
    assert isinstance(found, GlyphRun)
    return found


def path(attributes: str, inside: str = "", data: str = "M 0 0 L 10 0 L 10 10 C") -> str:
    return (
        f'<ofd:PathObject ID="7" Boundary="5 6 10 10" {attributes}>{inside}'
        f"<ofd:AbbreviatedData>{data}</ofd:AbbreviatedData></ofd:PathObject>"
    )


def shape(attributes: str, inside: str = "", **more: object) -> Shape:
    (found,) = items(path(attributes, inside), **more)
    assert isinstance(found, Shape)
    return found


# -- text --


def text(code: str, attributes: str = "", before: str = "") -> str:
    return (
        f'<ofd:TextObject ID="8" Boundary="10 20 50 9" Font="1" Size="5" {attributes}>{before}{code}</ofd:TextObject>'
    )


@pytest.mark.parametrize(
    ("delta", "xs"),
    [
        ("5 5 5", (10, 15, 20, 25)),
        ("g 3 5", (10, 15, 20, 25)),
        ("1 g 2 5", (10, 11, 16, 21)),
        ("g 2 5 1", (10, 15, 20, 21)),
        ("5", (10, 15, 20, 25)),  # too few: the last goes on
        ("g 99999999 5", (10, 15, 20, 25)),
        ("5 x", (10, 15, 20, 25)),
    ],
)
def test_steps_of_characters(delta: str, xs: tuple[float, ...]) -> None:
    found = run(text(f'<ofd:TextCode X="0" Y="5" DeltaX="{delta}">政务桌面</ofd:TextCode>'))
    assert found.text == "政务桌面"
    assert found.xs == pytest.approx(xs)
    assert found.ys == pytest.approx((25,) * 4)


def test_vertical_text_and_a_second_code_that_takes_over_a_coordinate() -> None:
    found = run(
        text('<ofd:TextCode X="1" Y="5" DeltaY="6 6">竖排字</ofd:TextCode><ofd:TextCode X="3">接</ofd:TextCode>')
    )
    assert found.xs == pytest.approx((11, 11, 11, 13))
    assert found.ys == pytest.approx((25, 31, 37, 25))  # the Y that the code before began with (11.3)


def test_text_without_steps_is_not_heaped_up() -> None:
    found = run(text('<ofd:TextCode X="0" Y="5">政A务</ofd:TextCode>'))
    assert found.xs == pytest.approx((10, 15, 17.5))
    down = run(text('<ofd:TextCode X="0" Y="5">政务</ofd:TextCode>', 'ReadDirection="90"'))
    assert down.ys == pytest.approx((25, 30))


def test_ctm_stretch_and_turned_characters() -> None:
    code = '<ofd:TextCode X="1" Y="2">字</ofd:TextCode>'
    found = run(text(code, 'CTM="0 2 -2 0 3 4"'))
    assert (found.xs, found.ys) == (pytest.approx((-4 + 3 + 10,)), pytest.approx((2 + 4 + 20,)))
    assert found.linear == (0, 2, -2, 0)
    assert run(text(code, 'HScale="0.5"')).linear == (0.5, 0, 0, 1)
    assert run(text(code, 'CharDirection="90"')).linear == (0, 1, -1, 0)
    assert run(text(code, 'CharDirection="180"')).linear == (-1, 0, 0, -1)


def test_given_glyphs_one_for_one_many_for_one_and_one_for_many() -> None:
    def transform(at: int, codes: int, glyphs: str) -> str:
        return (
            f'<ofd:CGTransform CodePosition="{at}" CodeCount="{codes}" GlyphCount="{len(glyphs.split())}">'
            f"<ofd:Glyphs>{glyphs}</ofd:Glyphs></ofd:CGTransform>"
        )

    before = transform(1, 2, "71 72") + transform(3, 2, "80") + transform(5, 1, "90 91")
    found = run(text('<ofd:TextCode X="0" Y="5" DeltaX="g 6 5">abcdefg</ofd:TextCode>', before=before))
    assert found.text == "abcdef\0g"
    assert found.glyphs == (LOOK_UP, 71, 72, 80, NOTHING, 90, 91, LOOK_UP)
    assert found.xs == pytest.approx((10, 15, 20, 25, 25, 30, 35, 40))


def test_texts_that_look_alike_become_one_run() -> None:
    both = text_object("政务", 10, 10) + text_object("桌面", 10, 20)
    (found,) = items(both)
    assert isinstance(found, GlyphRun)
    assert found.text == "政务桌面"
    assert len(items(both.replace('Size="4"', 'Size="5"', 1))) == 2


def test_layout_of_the_xml_is_not_text_but_spaces_are() -> None:
    assert run(text('<ofd:TextCode X="0" Y="5">甲\n      乙</ofd:TextCode>')).text == "甲 乙"
    assert run(text('<ofd:TextCode X="0" Y="5"> 甲  乙 </ofd:TextCode>')).text == " 甲  乙 "


def test_invisible_text_stays_to_be_found() -> None:
    found = run(text('<ofd:TextCode X="0" Y="5">暗</ofd:TextCode>', 'Alpha="0"'))
    assert (found.text, found.fill) == ("暗", None)
    assert items(text('<ofd:TextCode X="0" Y="5">暗</ofd:TextCode>', 'Visible="false"')) == ()


# -- paths and colours --


def test_paths_are_stroked_black_unless_they_say_otherwise() -> None:
    plain = shape("")
    assert plain.fill is None
    assert plain.stroke is not None
    assert (plain.stroke.paint, plain.stroke.width) == (0xFF000000, 0.353)
    assert plain.outline.matrix == (1, 0, 0, 1, 5, 6)
    filled = shape('Fill="true" Stroke="false" Rule="Even-Odd"', '<ofd:FillColor Value="255 0 16"/>')
    assert (filled.fill, filled.stroke, filled.outline.even_odd) == (0xFFFF0010, None, True)


def test_line_styles() -> None:
    said = 'LineWidth="2" Cap="Round" Join="Bevel" MiterLimit="3" DashPattern="1 2" DashOffset="0.5" Alpha="128"'
    stroke = shape(said, '<ofd:StrokeColor Value="1 2 3" Alpha="128"/>').stroke
    assert stroke is not None
    assert stroke == (64 << 24 | 0x010203, 2, "Round", "Bevel", 3, (1, 2), 0.5)


SPACES = (
    '<ofd:ColorSpaces><ofd:ColorSpace ID="20" Type="CMYK"/><ofd:ColorSpace ID="21" Type="GRAY" BitsPerComponent="4"/>'
    '<ofd:ColorSpace ID="22" Type="RGB"><ofd:Palette><ofd:CV>1 2 3</ofd:CV><ofd:CV>4 5 6</ofd:CV></ofd:Palette>'
    "</ofd:ColorSpace></ofd:ColorSpaces>"
)


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ('Value="#FF #80 #00"', 0xFFFF8000),
        ('Value="#FF8000"', 0xFFFF8000),
        ('Value="300 -5 16"', 0xFFFF0010),
        ('Value="0 255 255 0" ColorSpace="20"', 0xFFFF0000),
        ('Value="0 0 0 255" ColorSpace="20"', 0xFF000000),
        ('Value="15" ColorSpace="21"', 0xFFFFFFFF),
        ('Index="1" ColorSpace="22"', 0xFF040506),
        ('Value="7 8 9" Alpha="51"', 0x33070809),
    ],
)
def test_colours_of_every_space(colour: str, expected: int) -> None:
    content = path('Fill="true" Stroke="false"', f"<ofd:FillColor {colour}/>")
    (found,) = Document.open(ofd_maker.make([content], resources=SPACES)).display(0).items
    assert isinstance(found, Shape)
    assert found.fill == expected


def test_shadings_meshes_and_patterns() -> None:
    segments = (
        '<ofd:Segment Position="0"><ofd:Color Value="255 0 0"/></ofd:Segment>'
        '<ofd:Segment><ofd:Color Value="0 0 255"/></ofd:Segment>'
    )
    axial = shape(
        'Fill="true"',
        '<ofd:FillColor Alpha="128"><ofd:AxialShd StartPoint="0 0" EndPoint="9 0" MapType="Reflect" MapUnit="3" '
        f'Extend="2">{segments}</ofd:AxialShd></ofd:FillColor>',
    ).fill
    assert axial == Gradient(False, (0, 0), (9, 0), 0, 0, ((0, 0x80FF0000), (1, 0x800000FF)), "Reflect", 3, 2)
    radial = shape(
        'Fill="true"',
        '<ofd:FillColor><ofd:RadialShd StartPoint="1 2" StartRadius="3" EndPoint="4 5" EndRadius="6" '
        f'Eccentricity="0.5" Angle="30">{segments}</ofd:RadialShd></ofd:FillColor>',
    ).fill
    assert isinstance(radial, Gradient)
    assert (radial.start_radius, radial.end_radius, radial.eccentricity, radial.angle) == (3, 6, 0.5, 30)
    corners = "".join(
        f'<ofd:Point X="{x}" Y="{y}" EdgeFlag="{edge}"><ofd:Color Value="{x} 0 0"/></ofd:Point>'
        for x, y, edge in ((0, 0, 0), (9, 0, 0), (0, 9, 0), (9, 9, 1))
    )
    mesh = shape('Fill="true"', f"<ofd:FillColor><ofd:GouraudShd>{corners}</ofd:GouraudShd></ofd:FillColor>").fill
    assert isinstance(mesh, Mesh)
    assert [corner[:2] for corner in mesh.corners] == [(0, 0), (9, 0), (0, 9), (9, 0), (0, 9), (9, 9)]
    lattice = shape(
        'Fill="true"',
        f'<ofd:FillColor><ofd:LaGouraudShd VerticesPerRow="2">{corners}</ofd:LaGouraudShd></ofd:FillColor>',
    ).fill
    assert isinstance(lattice, Mesh)
    assert len(lattice.corners) == 6
    cell = path('Fill="true" Stroke="false"', '<ofd:FillColor Value="0 0 0"/>')
    pattern = shape(
        'Fill="true"',
        '<ofd:FillColor><ofd:Pattern Width="4" Height="5" XStep="6" ReflectMethod="Row" RelativeTo="Page" '
        f'CTM="2 0 0 2 0 0"><ofd:CellContent>{cell}</ofd:CellContent></ofd:Pattern></ofd:FillColor>',
    ).fill
    assert isinstance(pattern, Pattern)
    assert (pattern.x_step, pattern.y_step, pattern.reflect, pattern.from_page) == (6, 5, "Row", True)
    assert len(pattern.items) == 1


PARAMETERS = (
    '<ofd:DrawParams><ofd:DrawParam ID="30" LineWidth="2" Cap="Round"><ofd:StrokeColor Value="1 1 1"/></ofd:DrawParam>'
    '<ofd:DrawParam ID="31" Relative="30" LineWidth="3"/>'
    '<ofd:DrawParam ID="32" Relative="33"/><ofd:DrawParam ID="33" Relative="32" LineWidth="7"/></ofd:DrawParams>'
)


def test_drawing_parameters_are_inherited_from_one_another_from_the_layer_and_overridden() -> None:
    def stroke(attributes: str, layer: str = "") -> tuple[object, ...]:
        page = ofd_maker.page_xml(path(attributes), layer=layer)
        (found,) = Document.open(ofd_maker.make([page], resources=PARAMETERS)).display(0).items
        assert isinstance(found, Shape)
        assert found.stroke is not None
        return found.stroke.width, found.stroke.cap, found.stroke.paint

    assert stroke('DrawParam="31"') == (3, "Round", 0xFF010101)
    assert stroke('DrawParam="31" LineWidth="4"') == (4, "Round", 0xFF010101)
    assert stroke("", 'DrawParam="31"') == (3, "Round", 0xFF010101)
    assert stroke('DrawParam="32"') == (7, "Butt", 0xFF000000)  # a ring of references ends


# -- layers, templates, composites, clips --


def _ids(document: Document) -> list[str]:
    """The texts in the order in which they are painted."""
    return [item.text for item in document.display(0).items if isinstance(item, GlyphRun)]


def test_layers_and_templates_lie_in_their_order() -> None:
    def layer(kind: str, word: str, size: float) -> str:
        return f'<ofd:Layer ID="1" Type="{kind}">{text_object(word, 1, 1, size=size)}</ofd:Layer>'

    content = layer("Foreground", "前", 1) + layer("Body", "中", 2) + layer("Background", "后", 3)
    page = (
        f'<ofd:Page {ofd_maker.NAMESPACE}><ofd:Template TemplateID="50" ZOrder="Foreground"/>'
        f'<ofd:Template TemplateID="51"/><ofd:Template TemplateID="99"/><ofd:Content>{content}</ofd:Content></ofd:Page>'
    )
    templates = {
        f"Doc_0/T{n}.xml": ofd_maker.page_xml(text_object(f"板{n}", 1, 1, size=4 + n)).encode() for n in (0, 1)
    }
    common = '<ofd:TemplatePage ID="50" BaseLoc="T0.xml"/><ofd:TemplatePage ID="51" BaseLoc="T1.xml"/>'
    document = Document.open(ofd_maker.make([page], resources=FONT, common=common, extra=templates))
    assert _ids(document) == ["板1", "后", "中", "板0", "前"]  # of one kind, the template lies lower
    assert "object.reference" in document.report.codes()


def composite(id: int, content: str) -> str:
    return (
        f'<ofd:CompositeGraphicUnit ID="{id}" Width="9" Height="9"><ofd:Content>{content}</ofd:Content>'
        "</ofd:CompositeGraphicUnit>"
    )


def use(id: int, more: str = "") -> str:
    return f'<ofd:CompositeObject ID="6" Boundary="3 4 9 9" ResourceID="{id}" {more}/>'


def _with_composites(content: str, units: str) -> Document:
    resources = f"<ofd:CompositeGraphicUnits>{units}</ofd:CompositeGraphicUnits>"
    return Document.open(ofd_maker.make([content], resources=resources))


def test_composites_carry_their_content() -> None:
    (group,) = _with_composites(use(60, 'CTM="2 0 0 2 1 1"'), composite(60, path(""))).display(0).items
    assert isinstance(group, Group)
    assert group.matrix == (2, 0, 0, 2, 4, 5)
    assert len(group.items) == 1
    (faint,) = _with_composites(use(60, 'Alpha="128"'), composite(60, path(""))).display(0).items
    assert isinstance(faint, Group)
    assert faint.alpha == 128


def test_composites_that_hold_themselves_end() -> None:
    document = _with_composites(
        use(60) + path(""), composite(60, use(61) + path("")) + composite(61, use(60) + path(""))
    )
    assert len(document.display(0).items) == 2
    assert ("object.recursive", "60") in {(note.code, note.detail) for note in document.report.notes}


def test_composites_that_double_thirty_times_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "ITEM_LIMIT", 10_000)
    units = "".join(composite(60 + n, use(61 + n) * 2) for n in range(30)) + composite(90, path("") * 5)
    document = _with_composites(path("") + use(60), units)
    found = document.display(0).items
    assert isinstance(found[0], Shape)
    assert "page.limit" in document.report.codes()


def test_clips_lie_at_the_object_and_follow_its_ctm_only_when_told() -> None:
    def clips(flag: str) -> str:
        return (
            f'<ofd:Clips {flag}><ofd:Clip><ofd:Area CTM="1 0 0 1 1 0"><ofd:Path Boundary="2 0 1 1" Fill="true">'
            "<ofd:AbbreviatedData>M 0 0 L 1 0 L 0 1 C</ofd:AbbreviatedData></ofd:Path></ofd:Area></ofd:Clip>"
            "</ofd:Clips>"
        )

    (still,) = items(path('CTM="9 0 0 9 0 0"', clips('TransFlag="false"'), "M 0 0 L 1 1"))
    (carried,) = items(path('CTM="9 0 0 9 0 0"', clips(""), "M 0 0 L 1 1"))
    assert isinstance(still, Group)
    assert isinstance(carried, Group)
    assert [part.matrix for part in still.clips[0]] == [(1, 0, 0, 1, 8, 6)]  # type: ignore[union-attr]
    assert [part.matrix for part in carried.clips[0]] == [(9, 0, 0, 9, 32, 6)]  # type: ignore[union-attr]


def test_a_clip_that_hides_nothing_is_dropped_and_a_boundary_that_is_left_cuts() -> None:
    wide = (
        '<ofd:Clips TransFlag="false"><ofd:Clip><ofd:Area><ofd:Path Boundary="-5 -5 99 99"><ofd:AbbreviatedData>'
        "M 0 0 L 99 0 L 99 99 L 0 99 C</ofd:AbbreviatedData></ofd:Path></ofd:Area></ofd:Clip></ofd:Clips>"
    )
    (plain,) = items(path("", wide))
    assert isinstance(plain, Shape)
    (cut,) = items(path("", "", "M 0 0 L 50 50"))
    assert isinstance(cut, Group)
    assert len(cut.clips) == 1


def test_images_with_mask_opacity_and_blend() -> None:
    media = "".join(
        f'<ofd:MultiMedia ID="{id}" Type="Image"><ofd:MediaFile>{id}.png</ofd:MediaFile></ofd:MultiMedia>'
        for id in (70, 71)
    )
    content = (
        '<ofd:ImageObject ID="5" Boundary="10 20 30 40" CTM="30 0 0 40 0 0" ResourceID="70" ImageMask="71" Alpha="99" '
        'BlendMode="Multiply"/><ofd:ImageObject ID="4" Boundary="0 0 9 9" ResourceID="404"/>'
    )
    extra = {f"Doc_0/Res/{id}.png": PNG for id in (70, 71)}
    resources = f"<ofd:MultiMedias>{media}</ofd:MultiMedias>"
    document = Document.open(ofd_maker.make([content], resources=resources, extra=extra))
    (group,) = document.display(0).items
    assert isinstance(group, Group)
    assert group.blend == "multiply"
    (picture,) = group.items
    assert isinstance(picture, Picture)
    assert (picture.matrix, picture.alpha) == ((30, 0, 0, 40, 10, 20), 99)
    assert (picture.media.data(), picture.mask is not None) == (PNG, True)
    assert [note.detail for note in document.report.notes] == ["MultiMedia 404"]


def test_what_is_not_known_is_passed_over_and_noted_with_its_place() -> None:
    document = open_(path("") + '<ofd:Hologram ID="77"/>' + text_object("后", 1, 1))
    assert len(document.display(0).items) == 2
    assert ("page.unknown", "Doc_0/Pages/Page_0/Content.xml#77", "Hologram") in document.report.notes


def test_a_missing_page_and_a_broken_one_leave_the_others() -> None:
    files = ofd_maker.files(["", text_object("好", 1, 1), ""], resources=FONT)
    del files["Doc_0/Pages/Page_0/Content.xml"]
    files["Doc_0/Pages/Page_2/Content.xml"] = b"\0\1\2"
    document = Document.open(ofd_maker.pack(files))
    assert [len(document.display(n).items) for n in range(3)] == [0, 1, 0]
    assert {"page.missing", "page.damaged"} <= document.report.codes()


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("方正小标宋简体", "title"),
        ("仿宋_GB2312", "fang"),
        ("SimSun", "song"),
        ("宋体", "song"),
        ("KaiTi_GB2312", "kai"),
        ("Microsoft YaHei", "hei"),
        ("Courier New", "mono"),
        ("TimesNewRomanPSMT", "serif"),
        ("ArialMT", "sans"),
        ("不知名", "song"),
    ],
)
def test_the_role_of_a_font(name: str, role: str) -> None:
    assert role_of(name) == role
