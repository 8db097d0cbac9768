"""Messages to citizens' phones (静默叫号): templates, the port of a gateway, and a stand-in that says it is one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Protocol

from modules.common.clock import Clock, iso
from modules.common.text import tr

BOOKED, NEAR, CALLED, PROGRESS, DONE = "booked", "near", "called", "progress", "done"


class MessageGateway(Protocol):
    """Sends a short message. Blocking: belongs on lane ``net``."""

    def send(self, phone: str, text: str) -> str:
        """Send; a sentence that says where it went. Raises ``GovDeskError`` where it could not be handed over."""
        ...


class OutboxGateway:
    """The stand-in: writes each message into a file, one JSON line each, and says that nothing was sent."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = Lock()

    def send(self, phone: str, text: str) -> str:
        line = {"at": iso(self._clock.now()), "phone": phone, "text": text, "simulated": True}
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        return tr("模拟短信：没有短信网关，已写入发件箱，未真正发送。")


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
