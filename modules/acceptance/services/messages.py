"""Messages to citizens' phones (静默叫号): what they say. They are sent through the port ``MessageGateway``."""

from __future__ import annotations

from collections.abc import Mapping

from modules.common.text import tr

BOOKED, NEAR, CALLED, PROGRESS, DONE = "booked", "near", "called", "progress", "done"


def templates() -> dict[str, str]:
    """The built-in text by kind. Values: number, window, item, slot, ahead, state, hall."""
    return {
        BOOKED: tr("您已预约{slot}办理“{item}”，预约号 {number}。请带身份证到取号机刷卡取号。"),
        NEAR: tr("您的 {number} 号前面还有 {ahead} 人，请到窗口附近等候。"),
        CALLED: tr("请 {number} 号到{window}办理。"),
        PROGRESS: tr("您办理的“{item}”（{number}）现为：{state}。"),
        DONE: tr("您办理的“{item}”（{number}）已办结，可来大厅领取结果。"),
    }


class _Known(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""


def message(kind: str, values: Mapping[str, object], own: Mapping[str, str]) -> str:
    """The text of a message: the hall's ``own`` template where it has one, else the built-in; what is missing is empty.

    A template with broken braces gives the built-in text.
    """
    known = _Known({key: str(value) for key, value in values.items()})
    built_in = templates()[kind]
    try:
        return (own.get(kind) or built_in).format_map(known)
    except (ValueError, IndexError, AttributeError):
        return built_in.format_map(known)
