"""The shell's own settings: typed, and what is merely remembered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from client.kernel.settings import Settings, SettingSpec
from modules.common.text import tr

ZOOMS = (80, 90, 100, 110, 125, 150, 175, 200)
MINUTES = (1, 2, 3, 5, 10)


def _percent(zoom: int) -> Callable[[], str]:
    return lambda: f"{zoom}%"


def _minutes(minutes: int) -> Callable[[], str]:
    return lambda: tr("{minutes} 分钟", minutes=minutes)


PALETTE = SettingSpec(
    "shell.palette",
    str,
    "system",
    lambda: tr("外观"),
    {
        "system": lambda: tr("跟随系统"),
        "light": lambda: tr("浅色"),
        "dark": lambda: tr("深色"),
        "contrast": lambda: tr("高对比度"),
    },
)
ZOOM = SettingSpec("shell.zoom", int, 100, lambda: tr("大小"), {zoom: _percent(zoom) for zoom in ZOOMS})
LANGUAGE = SettingSpec(
    "shell.language", str, "zh_CN", lambda: tr("语言"), {"zh_CN": lambda: "中文", "en": lambda: "English"}
)
IDLE_MINUTES = SettingSpec(
    "shell.idle_minutes",
    int,
    5,
    lambda: tr("无人操作多久后锁定"),
    {minutes: _minutes(minutes) for minutes in MINUTES},
)
PRINTER = SettingSpec("shell.printer", str, "", lambda: tr("打印机"))
SPECS: tuple[SettingSpec[Any], ...] = (PALETTE, ZOOM, LANGUAGE, IDLE_MINUTES, PRINTER)

LOGINS = "shell.logins"
METHODS = "shell.sign_in_methods"
WINDOW = "shell.window"
FOLDED = "shell.nav_folded"
"""Keys of what is remembered: login names, how each signs in, the window's place, whether the navigation is folded."""


def words(spec: SettingSpec[Any], value: Any) -> str:
    """What people call a value of a setting."""
    choices = spec.choices or {}
    return choices[value]() if value in choices else str(value)


def remembered_methods(settings: Settings) -> dict[str, str]:
    """By which way each of those people came in last."""
    ways = settings.recall(METHODS)
    return {str(login): str(way) for login, way in ways.items()} if isinstance(ways, dict) else {}


def remembered_logins(settings: Settings) -> list[str]:
    """Login names of late, the last one first."""
    names = settings.recall(LOGINS)
    return [str(name) for name in names] if isinstance(names, list) else []
