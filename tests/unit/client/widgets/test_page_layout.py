"""Where pages lie: none over another, each found where it is, and back."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.widgets.page.layout import Layout, Mode, turned, turned_box, upright
from client.widgets.page.selection import Selection, Spot, nearest
from client.widgets.page.source import TURNS, Size
from modules.common.ofd.box import Box
from modules.common.ofd.reading import Line, PageText

sides = st.floats(10, 500)
sizes = st.builds(Size, sides, sides)
documents = st.lists(sizes, min_size=1, max_size=9)
modes, turns, scales = st.sampled_from(list(Mode)), st.sampled_from(TURNS), st.floats(0.3, 30)


@given(documents, modes, turns, scales, st.integers(0, 8))
def test_pages_never_overlap_and_lie_inside(
    pages: list[Size], mode: Mode, rotation: int, scale: float, current: int
) -> None:
    layout = Layout(pages, mode, scale, rotation, 10, current % len(pages))
    assert set(layout.places) == ({current % len(pages)} if mode is Mode.SINGLE else set(range(len(pages))))
    for place in layout.places.values():
        assert place.x >= 0
        assert place.x + place.width <= layout.width
        assert place.y >= 10
        assert place.y + place.height + 10 <= layout.height
    for one, other in combinations(layout.places.values(), 2):
        apart_x = one.x + one.width <= other.x or other.x + other.width <= one.x
        apart_y = one.y + one.height <= other.y or other.y + other.height <= one.y
        assert apart_x or apart_y


@given(documents, modes, turns, scales, st.floats(0, 1), st.floats(0.01, 0.5))
def test_what_is_seen_is_what_touches(
    pages: list[Size], mode: Mode, rotation: int, scale: float, at: float, part: float
) -> None:
    layout = Layout(pages, mode, scale, rotation, 10)
    top = int(layout.height * at)
    bottom = top + max(int(layout.height * part), 1)
    touched = [
        page for page, place in sorted(layout.places.items()) if place.y < bottom and place.y + place.height > top
    ]
    assert layout.seen(top, bottom) == touched


@given(documents, st.sampled_from([Mode.CONTINUOUS, Mode.FACING]), turns, scales, st.data())
def test_a_point_of_a_page_is_found_again(
    pages: list[Size], mode: Mode, rotation: int, scale: float, data: st.DataObject
) -> None:
    layout = Layout(pages, mode, scale, rotation, 10)
    page = data.draw(st.integers(0, len(pages) - 1))
    size = pages[page]
    x, y = data.draw(st.floats(0.2, 0.8)) * size.width, data.draw(st.floats(0.2, 0.8)) * size.height
    there = layout.from_page(page, size, x, y)
    assert layout.nearest(*there) == page
    assert layout.to_page(page, size, *there) == pytest.approx((x, y), abs=1e-6)


@given(sizes, turns, st.floats(0, 1), st.floats(0, 1))
def test_turning_and_back(size: Size, rotation: int, across: float, down: float) -> None:
    point = across * size.width, down * size.height
    there = turned(size, rotation, *point)
    assert upright(size, rotation, *there) == pytest.approx(point, abs=1e-6)
    room = size.turned(rotation)
    assert -1e-6 <= there[0] <= room.width + 1e-6
    assert -1e-6 <= there[1] <= room.height + 1e-6


def test_a_quarter_turn_is_clockwise() -> None:
    size = Size(210, 297)
    assert turned(size, 90, 0, 0) == (297, 0), "the top left corner goes to the top right"
    assert turned_box(size, 90, Box(10, 20, 5, 8)) == Box(269, 10, 8, 5)


def text_of(*rows: str) -> PageText:
    """Characters of 4 by 5 mm, rows 10 mm apart."""
    return PageText(
        tuple(
            Line(text, tuple(Box(4.0 * at, 10.0 * row, 4, 5) for at in range(len(text))))
            for row, text in enumerate(rows)
        )
    )


def test_selected_text_goes_from_character_to_character() -> None:
    text, chosen = text_of("政务公开", "第二行字"), Selection([Size(210, 297)] * 3)
    chosen.begin(Spot(0, 4.5, 2), text)
    chosen.extend(Spot(0, 7.9, 12), text)
    assert text.text[slice(*chosen.span(0, len(text.text)))] == "务公开\n第二"
    assert chosen.boxes(0, text) == (Box(4, 0, 12, 5), Box(0, 10, 8, 5))
    chosen.extend(Spot(0, 0, 0), text)
    assert text.text[slice(*chosen.span(0, len(text.text)))] == "政", "backwards, too"
    chosen.all()
    assert list(chosen.pages) == [0, 1, 2]
    assert chosen.span(1, 7) == (0, 7)
    chosen.clear()
    assert not chosen


def test_a_word_is_selected_by_its_script() -> None:
    text, chosen = text_of("编号 GD2026年度"), Selection([Size(210, 297)])
    chosen.word(Spot(0, 17, 1), text)
    assert text.text[slice(*chosen.span(0, len(text.text)))] == "GD2026"
    chosen.word(Spot(0, 1, 1), text)
    assert text.text[slice(*chosen.span(0, len(text.text)))] == "编号"


def test_the_nearest_character_is_of_the_nearest_line() -> None:
    text = text_of("短", "很长的一行字")
    assert text.text[nearest(text, Spot(0, 20, 2))] == "短"
    assert nearest(PageText(()), Spot(0, 1, 1)) == -1
