"""Text in reading order, with places, and search in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.common.ofd.document import Document
from modules.common.ofd.reading import Line, PageText
from tests.support import ofd_maker
from tests.support.ofd_maker import FONT, text_object


def open_(*contents: str) -> Document:
    return Document.open(ofd_maker.make(list(contents), resources=FONT))


def lines(content: str) -> list[str]:
    return [line.text for line in open_(content).text(0).lines]


def test_lines_are_read_from_top_to_bottom_whatever_their_order_in_the_file() -> None:
    content = text_object("第三行", 20, 60) + text_object("第一行", 20, 40) + text_object("第二行", 20, 50)
    assert lines(content) == ["第一行", "第二行", "第三行"]


def test_pieces_of_one_line_are_joined_with_a_space_where_there_is_a_gap() -> None:
    content = text_object("项目", 20, 40) + text_object("金额", 60, 40.3) + text_object("名称", 28, 40)
    assert lines(content) == ["项目名称 金额"]


def test_two_columns_are_read_one_after_the_other_and_a_table_by_rows() -> None:
    def column(x: float, word: str, step: float) -> str:
        return "".join(text_object(f"{word}栏第{n}行的文字内容很多", x, 40 + step * n) for n in range(6))

    both = text_object("标题在上", 80, 20, size=6) + column(20, "左", 6) + column(110, "右", 6)
    assert [line[0] for line in lines(both)] == list("标" + "左" * 6 + "右" * 6)
    table = "".join(text_object(word, 20 + 40 * n, 40 + 12 * m) for n in range(3) for m, word in enumerate("甲乙丙"))
    assert lines(table) == ["甲 甲 甲", "乙 乙 乙", "丙 丙 丙"]


def test_vertical_writing_is_read_by_columns_from_the_right() -> None:
    def column(x: float, words: str) -> str:
        steps = f'DeltaY="g {len(words) - 1} 5"'
        code = f'<ofd:TextCode X="0" Y="5" {steps}>{words}</ofd:TextCode>'
        return f'<ofd:TextObject ID="1" Boundary="{x} 20 5 60" Font="1" Size="5">{code}</ofd:TextObject>'

    assert lines(column(50, "左边一列") + column(60, "右边一列")) == ["右边一列", "左边一列"]


def test_slanted_watermarks_come_last_and_do_not_disturb() -> None:
    mark = text_object("内部资料", 30, 30, more='CTM="0.7 0.7 -0.7 0.7 0 0"')
    assert lines(mark + text_object("正文一行", 20, 40)) == ["正文一行", "内部资料"]


def test_boxes_lie_around_the_characters() -> None:
    page = open_(text_object("政务桌面", 20, 40, size=10)).text(0)
    (line,) = page.lines
    assert [box.x for box in line.boxes] == pytest.approx([20, 30, 40, 50])
    assert [box.width for box in line.boxes] == pytest.approx([10] * 4)
    for box in line.boxes:
        assert box.holds(box.x + 5, 45)  # the base line is at 50
    assert page.at(34, 45) == 1
    assert page.at(200, 45) == 3
    assert page.at(34, 200) is None
    assert page.text[1:3] == "务桌"


def test_text_in_composites_and_patterns_is_read_at_its_place() -> None:
    unit = f"<ofd:Content>{text_object('内', 1, 1)}</ofd:Content>"
    resources = (
        f'{FONT}<ofd:CompositeGraphicUnits><ofd:CompositeGraphicUnit ID="60" Width="9" Height="9">{unit}'
        "</ofd:CompositeGraphicUnit></ofd:CompositeGraphicUnits>"
    )
    content = '<ofd:CompositeObject ID="6" Boundary="50 60 9 9" CTM="2 0 0 2 0 0" ResourceID="60"/>'
    page = Document.open(ofd_maker.make([content], resources=resources)).text(0)
    assert page.text == "内"
    assert page.lines[0].box.x == pytest.approx(52)
    assert page.lines[0].box.width == pytest.approx(8)


@pytest.mark.parametrize("words", ["OFD阅读", "ofd 阅读", "ＯＦＤ阅", "阅读器", "阅 读\n器"])
def test_finds_words_over_line_ends_whatever_their_case_and_width(words: str) -> None:
    document = open_(text_object("无", 20, 20), text_object("好用的OFD阅", 20, 40) + text_object("读器在此", 20, 46))
    (hit,) = document.find(words)
    assert hit.page == 1
    assert len(hit.boxes) == 2 or "读" not in words
    assert "OFD阅 读器" in hit.context


def test_finds_every_place_and_nothing_for_nothing() -> None:
    document = open_(text_object("政务政务政务", 20, 40))
    assert [(hit.start, hit.end) for hit in document.find("政务")] == [(0, 2), (2, 4), (4, 6)]
    assert list(document.find(" ")) == []
    assert list(document.find("无此")) == []


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4), st.data())
def test_what_is_on_the_page_is_found(texts: list[str], data: st.DataObject) -> None:
    from modules.common.ofd.box import Box

    page = PageText(tuple(Line(text, tuple(Box(n, 0, 1, 1) for n, _ in enumerate(text))) for text in texts))
    whole = page.text
    start = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.integers(start + 1, len(whole)))
    wanted = whole[start:end]
    hits = list(page.find(wanted))
    if wanted.strip() and any(not character.isspace() for character in wanted):
        import unicodedata

        if "".join(unicodedata.normalize("NFKC", wanted).split()):
            assert hits
    assert all(0 <= hit.start < hit.end <= len(whole) for hit in hits)
