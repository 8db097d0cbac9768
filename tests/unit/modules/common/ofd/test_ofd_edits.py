"""Changes to OFD files: what was asked for is there, every other entry keeps its bytes, seals are never broken."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from pathlib import Path

import pytest

from client import ofd
from modules.common.ofd.box import Box
from modules.common.ofd.display import GlyphRun, Group, Item, Shape
from modules.common.ofd.document import Document
from modules.common.ofd.report import OfdError, Report
from modules.common.ofd.writing import Heading, Leaf, Store, Volume, edits, font_from, remarks, write
from modules.common.seals import verify
from modules.common.seals.ofd_sealing import seal_ofd
from modules.common.seals.report import Stamp, Verdict
from modules.common.text import RESOURCES
from tests.support import ofd_maker
from tests.support.ofd_schema import faults
from tests.support.seal_office import SIGNED, office, sealed_file
from tests.unit.modules.common.ofd.test_ofd_writing import PAGE, run

DAY = date(2026, 3, 1)


def three() -> bytes:
    leaves = tuple(Leaf(PAGE, (run(words),)) for words in ("第一页", "第二页", "第三页"))
    return write(Volume(leaves, outline=(Heading("一", 0), Heading("三", 2))))


def entries(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def unchanged(before: bytes, after: bytes, *but: str) -> None:
    old, new = entries(before), entries(after)
    assert {name for name in old if new.get(name) != old[name]} == set(but)


def flat(items: tuple[Item, ...]) -> list[Item]:
    return [each for item in items for each in (flat(item.items) if isinstance(item, Group) else [item])]


def test_attachments_are_added_one_after_another():
    before = three()
    once = edits.attach(before, [("说明.txt", b"one")])
    unchanged(before, once, "Doc_0/Document.xml")
    twice = edits.attach(once, [("说明.txt", b"two"), ("数据.xml", b"<x/>")])
    unchanged(once, twice, "Doc_0/Document.xml", "Doc_0/Attachs/Attachments.xml")
    assert faults(twice) == []
    extras = Document.open(twice).extras
    assert [(each.name, extras.attachment(each.id)) for each in extras.attachments] == [
        ("说明.txt", b"one"), ("说明.txt", b"two"), ("数据.xml", b"<x/>"),
    ]  # fmt: skip


def test_annotations_are_added_and_seen():
    before = three()
    song = font_from(Store(), (RESOURCES / "fonts/NotoSerifSC-Regular.ttf").read_bytes(), "Noto Serif SC")
    made = edits.annotate(
        before,
        [
            (1, remarks.highlight([Box(20, 25, 30, 6)], "看这里")),
            (1, remarks.ink([[(50, 50), (60, 55), (70, 50)], [(80, 80)]])),
            (2, remarks.note("同意\n请办", 100, 100, font=song)),
        ],
        "张三",
        DAY,
    )
    unchanged(before, made, "Doc_0/Document.xml")
    assert faults(made) == []
    document = Document.open(made)
    mark, line = document.annotations.of_page(1)
    assert (mark.type, mark.creator, mark.changed, mark.remark) == ("Highlight", "张三", "2026-03-01", "看这里")
    (shape,) = flat(mark.items)
    assert isinstance(shape, Shape)
    assert shape.fill == 0x66FFE600
    assert len(line.items) == 1
    assert len(flat(line.items)) == 2
    assert "同意\n请办" in document.text(2).text
    assert [hit.boxes[0].x for hit in document.find("请办", [2])] == pytest.approx([100], abs=0.1)
    again = edits.annotate(made, [(1, remarks.highlight([Box(1, 1, 5, 5)]))], "李四", DAY)
    assert faults(again) == []
    assert [each.creator for each in Document.open(again).annotations.of_page(1)] == ["张三", "张三", "李四"]
    assert document.report.notes == ()


def test_a_watermark_covers_the_page_and_brings_its_font():
    song = font_from(Store(), (RESOURCES / "fonts/NotoSerifSC-Regular.ttf").read_bytes(), "Noto Serif SC")
    before = three()
    made = edits.annotate(before, [(0, remarks.watermark("内部资料", PAGE, font=song))], "GovDesk", DAY)
    assert faults(made) == []
    document = Document.open(made)
    (mark,) = document.annotations.of_page(0)
    runs = [each for each in flat(mark.items) if isinstance(each, GlyphRun)]
    assert mark.type == "Watermark"
    assert sum(each.text.count("内部资料") for each in runs) > 6
    assert all(each.glyphs is not None and each.font.data() for each in runs)
    group = mark.box
    assert group is not None
    places = {
        (int(x * 2 // PAGE.width), int(y * 2 // PAGE.height))
        for each in document.display(0).items[-1:]
        for x, y in _places(each, 0, 0)
    }
    assert {(0, 0), (0, 1), (1, 0), (1, 1)} <= places


def _places(item: Item, dx: float, dy: float) -> list[tuple[float, float]]:
    if isinstance(item, Group):
        e, f = item.matrix[4:] if item.matrix is not None else (0, 0)
        return [place for each in item.items for place in _places(each, dx + e, dy + f)]
    assert isinstance(item, GlyphRun)
    return [(x + dx, y + dy) for x, y in zip(item.xs, item.ys, strict=True)]


def test_pages_are_picked_in_the_order_wanted():
    annotated = edits.annotate(three(), [(n, remarks.highlight([Box(1, 1, 5, 5)])) for n in range(3)], "张三", DAY)
    made = edits.pick(annotated, [2, 0])
    assert faults(made) == []
    document = Document.open(made)
    assert [document.text(n).text for n in range(2)] == ["第三页", "第一页"]
    assert [each.destination.page for each in document.extras.outline if each.destination] == [1, 0]
    assert [len(document.annotations.of_page(n)) for n in range(2)] == [1, 1]
    gone = set(entries(annotated)) - set(entries(made))
    assert gone == {"Doc_0/Pages/Page_1/Content.xml", "Doc_0/Annots/Page_1/Annotation.xml"}
    without = Document.open(edits.pick(annotated, [1]))
    assert [each.destination for each in without.extras.outline] == [None, None]
    assert without.report.notes == ()


@pytest.mark.parametrize("pages", [[], [0, 0], [3], [-1]])
def test_pages_that_there_are_not(pages):
    with pytest.raises(OfdError) as caught:
        edits.pick(three(), pages)
    assert caught.value.code == "OFD-028"


def test_files_are_merged_page_after_page():
    first, second = three(), edits.attach(ofd_maker.make([ofd_maker.text_object("别处", 10, 10)] * 2,
                                          resources=ofd_maker.FONT), [("附件.txt", b"x")])  # fmt: skip
    made = edits.merge([first, second], Report())
    assert faults(made) == []
    document = Document.open(made)
    assert [document.text(n).text for n in range(5)] == ["第一页", "第二页", "第三页", "别处", "别处"]
    assert [each.name for each in document.extras.attachments] == ["附件.txt"]


def test_a_sealed_file_is_left_alone_and_its_unsealed_copy_is_not():
    sealed = sealed_file()
    for change in (
        lambda data: edits.attach(data, [("a", b"")]),
        lambda data: edits.annotate(data, [(0, remarks.highlight([Box(0, 0, 1, 1)]))], "张三", DAY),
        lambda data: edits.pick(data, [0]),
        lambda data: edits.merge([data, data], Report()),
    ):
        with pytest.raises(OfdError) as caught:
            change(sealed)
        assert caught.value.code == "OFD-025"
    assert len(verify(Document.open(sealed).package)) == 1
    copy = edits.without_seals(sealed)
    unchanged(sealed, copy, *({"OFD.xml"} | (set(entries(sealed)) - set(entries(copy)))))
    document = Document.open(copy)
    assert not edits.is_sealed(document)
    assert verify(document.package) == []
    assert not [name for name in entries(copy) if "Sign" in name]
    assert len(Document.open(edits.pick(copy, [1, 0])).pages) == 2


@pytest.mark.parametrize(
    ("more", "change"),
    [
        ("<ofd:Annot>false</ofd:Annot>", lambda data: edits.annotate(data, [(0, remarks.note("a", 1, 1))], "a", DAY)),
        ("<ofd:Edit>false</ofd:Edit>", lambda data: edits.attach(data, [("a", b"")])),
    ],
)
def test_the_makers_wish_is_respected(more, change):
    with pytest.raises(OfdError) as caught:
        change(ofd_maker.make(more=f"<ofd:Permissions>{more}</ofd:Permissions>"))
    assert caught.value.code == "OFD-026"


def test_new_ids_are_above_all_others_even_where_the_file_lies():
    data = ofd_maker.make([ofd_maker.text_object("甲", 10, 10, id="123456")], resources=ofd_maker.FONT)
    made = edits.annotate(data, [(0, remarks.highlight([Box(1, 1, 2, 2)]))], "a", DAY)
    assert int(Document.open(made).annotations.of_page(0)[0].id) > 123456
    assert b"<ofd:MaxUnitID>123458</ofd:MaxUnitID>" in entries(made)["Doc_0/Document.xml"]


def test_what_is_written_can_be_sealed_and_verifies():
    holder = office()
    sealed = seal_ofd(edits.attach(three(), [("a.txt", b"x")]), holder.holder(), [Stamp(1, (50, 50, 40, 40))], SIGNED)
    (report,) = verify(Document.open(sealed).package, holder.trust, now=SIGNED)
    assert report.verdict in (Verdict.VALID, Verdict.WARNING), report
    assert report.uncovered in ([], ["OFD.xml"])


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "a.ofd", tmp_path / "b.ofd"
    source.write_bytes(three())
    assert ofd.main(["attach", str(source), str(source), "--out", str(out)]) == 0
    assert ofd.main(["watermark", str(out), "--text", "内部", "--out", str(tmp_path / "c.ofd")]) == 0
    assert ofd.main(["split", str(tmp_path / "c.ofd"), "--pages", "2-3", "--out", str(tmp_path / "d.ofd")]) == 0
    assert ofd.main(["merge", str(source), str(tmp_path / "d.ofd"), "--out", str(tmp_path / "e.ofd")]) == 0
    assert len(Document.open(tmp_path / "e.ofd").pages) == 5
    capsys.readouterr()
    assert ofd.main(["split", str(source), "--pages", "x", "--out", str(tmp_path / "f.ofd")]) == 2
    assert ofd.main(["split", str(source), "--pages", "1", "--out", str(out)]) == 2
    assert ofd.main(["attach", str(source), str(tmp_path / "no"), "--out", str(tmp_path / "f.ofd")]) == 2
    sealed = tmp_path / "s.ofd"
    sealed.write_bytes(sealed_file())
    assert ofd.main(["watermark", str(sealed), "--text", "内部", "--out", str(tmp_path / "f.ofd")]) == 2
    said = capsys.readouterr().err
    assert [code for code in ("OFD-033", "OFD-030", "OFD-032", "OFD-025") if code in said] == [
        "OFD-033", "OFD-030", "OFD-032", "OFD-025",
    ]  # fmt: skip
    assert not (tmp_path / "f.ofd").exists()
    assert ofd.main(["unseal", str(sealed), "--out", str(tmp_path / "f.ofd")]) == 0
