"""Pages out of photographs, on drawn ones whose truth is known. The numbers are printed with ``-rP``."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

import cv2  # noqa: TID253 - tests of pictures
import numpy as np  # noqa: TID253
import pytest

from devices import imaging
from tests.support import photos

EACH = 11
"""Photographs on each sort of desk: 44 in all."""
FEW = 5
"""Of these, what the short form looks at."""


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    overlap: float
    confidence: float
    skew: float


def judged(desk: str, number: int) -> Result:
    shot = photos.shot(desk, number)
    found = imaging.outline(shot.picture)
    if found is None:
        return Result(shot.name, 0.0, 0.0, 90.0)
    _, transform = imaging.straighten(shot.picture, found.corners)
    # where a level line on the sheet comes to lie
    ends = np.array([[[30.0, 148.5], [180.0, 148.5]]])
    (x0, y0), (x1, y1) = cv2.perspectiveTransform(ends, transform @ shot.to_frame)[0]
    skew = abs(math.degrees(math.atan2(y1 - y0, x1 - x0)))
    return Result(shot.name, photos.overlap(found.corners, shot.corners), found.confidence, skew)


@pytest.mark.parametrize("each", [FEW, pytest.param(EACH, marks=pytest.mark.full)])
@pytest.mark.parametrize("desk", photos.DESKS)
def test_pages_are_found_and_set_straight(desk: str, each: int) -> None:
    results = [judged(desk, number) for number in range(each)]
    overlaps, skews = [result.overlap for result in results], [result.skew for result in results]
    sys.stdout.write(
        f"\n{len(results)} photographs on {desk}: IoU {np.mean(overlaps):.4f}, worst {min(overlaps):.4f}; "
        f"skew {np.mean(skews):.4f}°, worst {max(skews):.4f}°\n"
    )
    wrong = [result for result in results if result.overlap < 0.97 and result.confidence >= imaging.SURE]
    assert not wrong, "cropped wrongly, and sure of it"
    assert np.mean(overlaps) >= 0.99
    assert np.mean(skews) <= 0.03
    assert max(skews) <= 0.15


@pytest.mark.parametrize("desk", photos.DESKS)
def test_nothing_is_surely_found_on_an_empty_desk(desk: str) -> None:
    for number in range(2):
        found = imaging.outline(photos.desk_alone(desk, number))
        assert found is None or found.confidence < imaging.SURE


def test_a_page_cut_by_the_pictures_edge_is_not_surely_found() -> None:
    picture = photos.shot("dark", 0).picture
    corners = photos.shot("dark", 0).corners
    cut = picture[:, : int(corners[:, 0].max() - 250)]
    found = imaging.outline(np.ascontiguousarray(cut))
    assert found is None or found.confidence < imaging.SURE


@pytest.mark.parametrize("angle", [-3.1, -0.4, 0.05, 1.7, 2.9])
def test_the_skew_of_text_is_measured(angle: float) -> None:
    page = photos.sheet(0)
    turned = cv2.warpAffine(
        page,
        cv2.getRotationMatrix2D((620, 877), -angle, 1),
        photos.PAGE,
        flags=cv2.INTER_AREA,
        borderValue=(255, 255, 255),
    )
    assert imaging.skew(cv2.cvtColor(turned, cv2.COLOR_BGR2GRAY)) == pytest.approx(angle, abs=0.06)


def test_an_empty_page_has_no_skew() -> None:
    assert imaging.skew(np.full((1000, 700), 240, np.uint8)) == 0.0


def test_shadows_are_whitened_and_ink_stays() -> None:
    page = photos.sheet(2).astype(np.float32)
    shade = np.linspace(1.0, 0.45, photos.PAGE[0], dtype=np.float32)[None, :, None]
    white = imaging.whiten((page * shade).astype(np.uint8))
    paper = page.min(axis=2) > 250
    assert np.percentile(white[paper], 5) > 235
    red = (page[..., 2] > 190) & (page[..., 1] < 60)
    ink = white[red].mean(axis=0)
    assert ink[2] > ink[1] + 80, "a red stamp stays red"
    assert white[page.max(axis=2) < 60].mean() < 110, "text stays dark"


def test_a_picture_is_pressed_into_its_budget() -> None:
    noisy: Any = np.random.default_rng(0).integers(0, 255, (1000, 1000, 3), np.uint8)
    free, fitted = imaging.write(noisy), imaging.write(noisy, 400_000)
    assert len(fitted) < len(free)
    assert imaging.read(fitted).shape == noisy.shape
    easy = imaging.write(photos.sheet(0), 600_000)
    assert len(easy) <= 600_000


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError):
        imaging.read(b"\xff\xd8 cut off")


@pytest.mark.parametrize(("size", "ratio"), [((210, 297), math.sqrt(2)), ((297, 210), math.sqrt(2)), ((100, 300), 3.0)])
def test_a_page_keeps_its_shape(size: tuple[int, int], ratio: float) -> None:
    wide, high = size[0] * 8, size[1] * 8
    width, height = imaging.page_size(np.array([[0, 0], [wide, 0], [wide, high], [0, high]], float))
    assert max(width, height) / min(width, height) == pytest.approx(ratio, abs=0.01)
    assert (width > height) == (wide > high)
