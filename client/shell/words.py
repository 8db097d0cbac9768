"""Times as people say them."""

from __future__ import annotations

from datetime import datetime

from modules.common.clock import CHINA
from modules.common.text import tr


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
