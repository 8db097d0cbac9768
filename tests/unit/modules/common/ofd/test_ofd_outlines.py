"""Path data: every operator, arcs, and what is wrong with it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.common.ofd import outlines


def test_reads_every_operator() -> None:
    ops, points, whole = outlines.parse("S 0 0 M 1 2 L 3 4 Q 5 6 7 8 B 1 2 3 4 5 6 C")
    assert (ops, whole) == ("MMLQBC", True)
    assert points == (0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize("data", ["M0 0L10 0L10,10C", "M 0,0 L 10,0 L 10,10 C", "M 0 0\nL 10 0\tL 1e1 10 C"])
def test_reads_data_without_spaces_and_with_commas(data: str) -> None:
    assert outlines.parse(data) == ("MLLC", (0, 0, 10, 0, 10, 10), True)


@pytest.mark.parametrize(
    ("data", "kept"), [("M 0 0 L 5 5 X 1 1 L 9 9", "ML"), ("M 0 0 L 5", "M"), ("L 1 1", ""), ("M 0 nan", "M")]
)
def test_keeps_what_comes_before_a_mistake(data: str, kept: str) -> None:
    ops, points, whole = outlines.parse(data)
    assert ops in (kept, "")
    assert not whole
    assert all(map(math.isfinite, points))


@pytest.mark.parametrize(
    ("large", "sweep", "through"),
    [(0, 1, (10, 0)), (0, 0, (0, 10))],  # y grows downwards: sweep 1 is clockwise
)
def test_an_arc_passes_where_it_should(large: int, sweep: int, through: tuple[float, float]) -> None:
    """A quarter of a circle of radius 10 from (0, 0) to (10, 10): its centre is (0, 10) or (10, 0)."""
    ops, points, whole = outlines.parse(f"M 0 0 A 10 10 0 {large} {sweep} 10 10")
    assert (ops, whole) == ("MB", True)
    centre = (0, 10) if sweep else (10, 0)
    x0, y0, *rest = points
    x, y = _at(0.5, (x0, y0), rest)
    assert math.dist((x, y), centre) == pytest.approx(10, abs=0.01)
    assert math.dist((x, y), through) < 5


def test_a_large_arc_goes_the_long_way() -> None:
    ops, points, _ = outlines.parse("M 0 0 A 10 10 0 1 1 10 10")
    left, top, right, bottom = outlines.bounds(points)
    assert ops == "MBBB"
    assert right - left > 19
    assert bottom - top > 19


def test_a_turned_ellipse_and_radii_that_are_too_small() -> None:
    ops, points, _ = outlines.parse("M 0 0 A 5 5 0 0 1 20 0")
    assert ops == "MBB"
    assert outlines.bounds(points)[1] == pytest.approx(-10, abs=0.01)
    ops, points, _ = outlines.parse("M 0 0 A 20 10 90 0 1 0 40")
    assert outlines.bounds(points)[2] == pytest.approx(10, abs=0.01)
    assert outlines.parse("M 1 1 A 0 5 0 0 1 9 9")[0] == "ML"
    assert outlines.parse("M 1 1 A 5 5 0 0 1 1 1")[0] == "M"


def _at(t: float, start: tuple[float, float], rest: list[float]) -> tuple[float, float]:
    corners = [start, *zip(rest[::2], rest[1::2], strict=True)]
    weights = [(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t**3]
    return tuple(sum(w * c[axis] for w, c in zip(weights, corners, strict=True)) for axis in (0, 1))  # type: ignore[return-value]


@given(st.text(alphabet="MLSQBAC 0123456789.-e,\n", max_size=120))
def test_any_data_gives_a_path_of_finite_numbers(data: str) -> None:
    ops, points, _ = outlines.parse(data)
    needs = {"M": 2, "L": 2, "Q": 4, "B": 6, "C": 0}
    assert sum(needs[op] for op in ops) == len(points)
    assert all(map(math.isfinite, points))
