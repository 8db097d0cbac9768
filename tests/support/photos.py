"""Photographs of pages on desks, drawn here, with the truth about where each page lies.

A pinhole camera looks at a sheet of A4 on a dark, wooden, patterned or white desk: turned, tilted, held by fingers,
with uneven light, the shadow of a head or an arm, lens blur and sensor noise. No photograph of anybody's document is
needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2  # noqa: TID253 - tests of pictures
import numpy as np  # noqa: TID253
from PIL import Image, ImageDraw, ImageFont  # noqa: TID253

from installer.environment import ROOT

FONT = ROOT / "resources/fonts/NotoSansSC-Regular.ttf"
SIZE = (3264, 2448)
"""An 8-megapixel camera."""
PAGE = (1240, 1754)
"""A4 at 150 dpi: the pages as drawn."""
LINES = (
    "受理通知书",
    "经审查，您提交的个体工商户设立登记申请材料齐全，符合法定形式，",
    "本机关决定予以受理。办理时限为三个工作日，自受理之次日起计算。",
    "一、申请人应当对提交材料的真实性负责。二、领取结果时请携带",
    "本通知书和有效身份证件。三、办理进度可以在大厅自助机上查询。",
)


@dataclass(frozen=True)
class Shot:
    """One photograph: ``corners`` are the page's in pixels, clockwise from the upper left of what is printed.

    ``to_frame`` takes millimetres on the sheet to pixels of the photograph.
    """

    name: str
    picture: Any
    corners: Any
    to_frame: Any


@cache
def sheet(number: int) -> Any:
    """A printed page: text, and in turns a table, a stamp, much or little of everything."""
    rng = np.random.default_rng(number)
    image = Image.new("RGB", PAGE, "white")
    draw = ImageDraw.Draw(image)
    large, small = (ImageFont.truetype(FONT, size) for size in (48, 27))
    draw.text((PAGE[0] / 2, 130), LINES[0], font=large, fill=(15, 15, 20), anchor="ma")
    y = 250
    for row in range(int(rng.integers(9, 26))):
        text = LINES[1 + row % (len(LINES) - 1)]
        draw.text((140, y), text[: int(rng.integers(12, len(text) + 1))], font=small, fill=(20, 20, 25))
        y += 52
    if number % 3 == 1:
        for x in (140, 400, 700, 1100):
            draw.line((x, 1000, x, 1480), fill=(30, 30, 30), width=3)
        for y in range(1000, 1500, 80):
            draw.line((140, y, 1100, y), fill=(30, 30, 30), width=3)
    if number % 3 == 2:
        draw.ellipse((760, 1300, 1040, 1580), outline=(205, 30, 35), width=9)
        draw.text((900, 1440), "专用章", font=large, fill=(205, 30, 35), anchor="mm")
    return np.asarray(image)[:, :, ::-1]


def _clouds(rng: Any, cells: int, size: tuple[int, int] = SIZE) -> Any:
    """Soft noise from -1 to 1: ``cells`` blotches across."""
    rough = rng.uniform(-1, 1, (max(2, cells * 3 // 4), cells)).astype(np.float32)
    return cv2.resize(rough, size, interpolation=cv2.INTER_CUBIC)


def _dark(rng: Any) -> Any:
    colour = np.array(rng.uniform(25, 75, 3), np.float32)
    return colour + (_clouds(rng, 400) * 5 + _clouds(rng, 6) * 8)[..., None]


def _wood(rng: Any) -> Any:
    y = np.linspace(0, 1, SIZE[1], dtype=np.float32)[:, None]
    bend = _clouds(rng, 5) * 0.012
    grain = np.sin((y + bend) * np.float32(rng.uniform(160, 320))) * 0.5 + _clouds(rng, 40) * 0.3
    streaks = cv2.resize(rng.uniform(-1, 1, (700, 8)).astype(np.float32), SIZE, interpolation=cv2.INTER_LINEAR)
    planks = (np.abs(((y * rng.integers(3, 6) + 0.37) % 1) - 0.5) < 0.004).astype(np.float32)
    base = np.array([70, 115, 165], np.float32) * np.float32(rng.uniform(0.7, 1.15))
    return base * (1 + 0.10 * grain + 0.10 * streaks - 0.55 * planks)[..., None]


def _patterned(rng: Any) -> Any:
    pitch = int(rng.integers(90, 240))
    angle = rng.uniform(-0.5, 0.5)
    x = np.arange(SIZE[0], dtype=np.float32)[None, :]
    y = np.arange(SIZE[1], dtype=np.float32)[:, None]
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    if rng.integers(2):
        mask = ((u / pitch).astype(np.int16) + (v / pitch + 100).astype(np.int16)) % 2
    else:
        mask = (np.mod(u, pitch) < pitch * 0.3).astype(np.int16)
    colours = np.array([rng.uniform(70, 200, 3), rng.uniform(40, 150, 3)], np.float32)
    return colours[mask] + (_clouds(rng, 500) * 6)[..., None]


def _white(rng: Any) -> Any:
    colour = np.float32(rng.uniform(205, 232)) + rng.uniform(-5, 5, 3).astype(np.float32)
    return colour + (_clouds(rng, 500) * 2 + _clouds(rng, 5) * 3)[..., None]


DESKS: dict[str, Callable[[Any], Any]] = {"dark": _dark, "wood": _wood, "patterned": _patterned, "white": _white}


def _view(rng: Any) -> Any:
    """Where a camera above the desk sees the sheet: a homography from millimetres to pixels."""
    turn = np.radians(rng.uniform(-28, 28))
    tilt, roll = np.radians(rng.uniform(-14, 14)), np.radians(rng.uniform(-10, 10))
    cos, sin = np.cos, np.sin
    rotation = (
        np.array([[1, 0, 0], [0, cos(tilt), -sin(tilt)], [0, sin(tilt), cos(tilt)]])
        @ np.array([[cos(roll), 0, sin(roll)], [0, 1, 0], [-sin(roll), 0, cos(roll)]])
        @ np.array([[cos(turn), -sin(turn), 0], [sin(turn), cos(turn), 0], [0, 0, 1]])
    )
    focal = 3000.0
    lens = np.array([[focal, 0, SIZE[0] / 2], [0, focal, SIZE[1] / 2], [0, 0, 1]])
    away = rng.uniform(430, 560)
    shift = np.array([rng.uniform(-25, 25), rng.uniform(-10, 10), away])
    centre = np.array([[1, 0, -105], [0, 1, -148.5], [0, 0, 1]])
    return lens @ np.column_stack([rotation[:, 0], rotation[:, 1], shift]) @ centre


def _light(rng: Any, shade: bool) -> Any:
    """What part of the light reaches each place."""
    light = 1 + _clouds(rng, 3) * rng.uniform(0.02, 0.12)
    if shade:
        # an arm or a head between lamp and desk: a soft band
        angle, at = rng.uniform(0, np.pi), rng.uniform(-0.3, 0.3)
        x = np.arange(SIZE[0], dtype=np.float32)[None, :] / SIZE[0] - 0.4
        y = np.arange(SIZE[1], dtype=np.float32)[:, None] / SIZE[0] - 0.4
        across = (x * np.cos(angle) + y * np.sin(angle) - at).astype(np.float32)
        soft, wide = rng.uniform(0.01, 0.05), rng.uniform(0.08, 0.2)
        light = light * (1 - rng.uniform(0.15, 0.4) / (1 + np.exp((np.abs(across) - wide) / soft)))
    return light.astype(np.float32)


def _hold(rng: Any, picture: Any, corners: Any) -> None:
    """Lay some fingers over one side of the page."""
    side = int(rng.integers(4))
    start, end = corners[side], corners[(side + 1) % 4]
    inward = corners.mean(axis=0) - (start + end) / 2
    inward /= np.hypot(*inward)
    skin = np.array([120, 155, 205]) * rng.uniform(0.6, 1.0)
    for place in rng.uniform(0.2, 0.7) + np.arange(int(rng.integers(1, 5))) * 0.055:
        tip = start + (end - start) * place + inward * rng.uniform(60, 160)
        root = start + (end - start) * place - inward * 700
        cv2.line(picture, np.int32(tip).tolist(), np.int32(root).tolist(), skin.tolist(), 74, cv2.LINE_AA)


def desk_alone(desk: str, number: int) -> Any:
    """A photograph of the desk with no page on it."""
    rng = np.random.default_rng([number, *desk.encode()])
    picture = DESKS[desk](rng) * _light(rng, shade=True)[..., None]
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 1.0), 0, 255).astype(np.uint8)


def shot(desk: str, number: int) -> Shot:
    """Photograph ``number`` on this kind of desk; always the same one. Every fourth page is held by fingers."""
    rng = np.random.default_rng([number, *desk.encode()])
    picture = DESKS[desk](rng)
    while True:
        view = _view(rng)
        ends = np.array([[[0, 0], [210, 0], [210, 297], [0, 297]]], np.float64)
        corners = cv2.perspectiveTransform(ends, view)[0]
        if (corners > 40).all() and (corners < np.array(SIZE) - 40).all():
            break
    to_frame = view @ np.diag([210 / PAGE[0], 297 / PAGE[1], 1.0])
    paper = np.float32(rng.uniform(0.93, 0.985))
    ink = cv2.warpPerspective(sheet(number % 6), to_frame, SIZE, flags=cv2.INTER_AREA, borderValue=(255, 255, 255))
    mask = np.zeros(SIZE[::-1], np.uint8)
    cv2.fillConvexPoly(mask, np.round(corners * 256).astype(np.int64).astype(np.int32), 255, cv2.LINE_AA, 8)
    # paper stands a little off the desk: it throws a thin shadow to one side
    away = rng.uniform(2, 6) * np.array([np.cos(a := rng.uniform(0, 2 * np.pi)), np.sin(a)])
    moved = cv2.warpAffine(mask, np.array([[1, 0, away[0]], [0, 1, away[1]]], np.float64), SIZE)
    thrown = cv2.GaussianBlur(moved, (0, 0), 4).astype(np.float32)[..., None] / 255
    picture = picture * (1 - np.float32(rng.uniform(0.15, 0.4)) * thrown)
    cover = mask.astype(np.float32)[..., None] / 255
    picture = picture * (1 - cover) + ink.astype(np.float32) * paper * cover
    if number % 4 == 2:
        _hold(rng, picture, corners)
    picture = picture * _light(rng, shade=number % 2 == 1)[..., None]
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.6, 1.3))
    noise = rng.normal(0, rng.uniform(1.0, 3.0), (SIZE[1] // 2, SIZE[0] // 2)).astype(np.float32)
    picture = picture + cv2.resize(noise, SIZE, interpolation=cv2.INTER_NEAREST)[..., None]
    return Shot(f"{desk}-{number}", np.clip(picture, 0, 255).astype(np.uint8), corners, view)


def overlap(one: Any, other: Any) -> float:
    """Intersection over union of two convex outlines."""
    one, other = np.asarray(one, np.float32), np.asarray(other, np.float32)
    shared, _ = cv2.intersectConvexConvex(one, other)
    return float(shared / (cv2.contourArea(one) + cv2.contourArea(other) - shared))
