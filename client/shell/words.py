"""Times as people say them."""

from __future__ import annotations

from datetime import datetime

from client.kernel.ports import COUNTED
from modules.common.clock import CHINA
from modules.common.text import tr


def number(count: int) -> str:
    """A count as far as it goes (``ports.COUNTED``): ``12``, ``1000+``."""
    return str(count) if count <= COUNTED else f"{COUNTED}+"


def counted(count: int) -> str:
    """The same in words: ``12 件``, ``超过 1000 件``."""
    return tr("{count} 件", count=count) if count <= COUNTED else tr("超过 {count} 件", count=COUNTED)


def moment(at: datetime, now: datetime) -> str:
    """``今天 10:24``, ``昨天 09:05``, ``11月27日 17:30``, ``2025年3月1日``: China time, as near as needed."""
    there, here = at.astimezone(CHINA), now.astimezone(CHINA)
    clock = f"{there:%H:%M}"
    days = (there.date() - here.date()).days
    if near := {0: tr("今天"), -1: tr("昨天"), 1: tr("明天")}.get(days):
        return f"{near} {clock}"
    if there.year == here.year:
        return tr("{month}月{day}日 {clock}", month=there.month, day=there.day, clock=clock)
    return tr("{year}年{month}月{day}日", year=there.year, month=there.month, day=there.day)
