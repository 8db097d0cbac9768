"""What differs between two texts, and what was put on pages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from modules.fixed_layout.domain import INK, OPINION, Mark, Passage, differences, marks_of

words = st.text(st.sampled_from("政务公开条例第一二三 \n，。ab1"), max_size=40)
documents = st.lists(words, min_size=1, max_size=4)


def test_a_changed_number_is_named_with_its_place() -> None:
    found = differences(["第一条\n罚款 500 元以上", "附则"], ["第一条\n罚款 800 元以上", "附则"])
    (change,) = found
    assert (change.kind, change.before, change.after) == ("changed", "5", "8")
    assert change.left == Passage(0, 7, 8)
    assert change.right == Passage(0, 7, 8)


def test_what_is_added_and_removed() -> None:
    (added,) = differences(["甲\n丙"], ["甲\n乙乙\n丙"])
    assert (added.kind, added.after, added.right) == ("added", "乙乙", Passage(0, 2, 4))
    assert added.left == Passage(0, 2, 2), "on the left it stands before 丙"
    (removed,) = differences(["甲", "乙"], ["甲"])
    assert (removed.kind, removed.before, removed.left) == ("removed", "乙", Passage(1, 0, 1))
    assert removed.right.page == 0


def test_where_lines_and_pages_end_makes_no_difference_inside_a_passage() -> None:
    assert differences(["为了保障公民\n依法获取"], ["为了保障公民依\n法获取"]) == []
    assert differences(["甲 乙"], ["甲乙"]) == []
    (change,) = differences(["甲 乙丙"], ["甲乙 丁"])
    assert (change.before, change.after) == ("丙", "丁"), "nor in a line that differs otherwise"


@given(documents)
def test_a_text_does_not_differ_from_itself(pages: list[str]) -> None:
    assert differences(pages, pages) == []


@given(documents, documents)
def test_the_changes_turn_one_text_into_the_other(left: list[str], right: list[str]) -> None:
    old, new = ("".join("".join(pages).split()) for pages in (left, right))
    found = differences(left, right)
    kept = sum(len(change.before) for change in found)
    came = sum(len(change.after) for change in found)
    assert len(old) - kept == len(new) - came, "what is in no change is on both sides"
    for change in found:
        assert {"added": not change.before, "removed": not change.after, "changed": True}[change.kind]
        assert change.before or change.after
    if old != new:
        assert found


@given(documents, documents)
def test_a_passage_holds_what_it_names(left: list[str], right: list[str]) -> None:
    for change in differences(left, right):
        for passage, text, pages in ((change.left, change.before, left), (change.right, change.after, right)):
            there = "".join(pages[passage.page][passage.start : passage.end].split())
            assert text.startswith(there)
            assert bool(there) == bool(text)


points = st.lists(st.tuples(st.floats(0, 300), st.floats(0, 300), st.floats(0, 1)), min_size=1, max_size=5)


@given(st.lists(points, max_size=3), st.integers(0, 9), st.text(max_size=20))
def test_marks_are_kept_as_they_are(strokes: list[list[tuple[float, float, float]]], page: int, text: str) -> None:
    ink = Mark(INK, page, "张三", "2026-12-01", tuple(map(tuple, strokes)))
    opinion = Mark(OPINION, page, "张三", "2026-12-01", (), text, 3.0, 4.0)
    again = marks_of([ink.to_doc(), {"kind": "ink"}, opinion.to_doc()])
    assert again[1] == opinion
    assert again[0].to_doc() == ink.to_doc(), "to the hundredth of a millimetre"
    assert len(again) == 2, "what is no mark is left out"
