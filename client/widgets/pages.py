"""What pages need: work that ends with its page, and times as people say them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from client.kernel.contract import Host, Token
from modules.common.clock import CHINA
from modules.common.text import tr

T = TypeVar("T")


class PageWork:
    """Runs a page's work and cancels what is left of it when the page closes."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._tokens: list[Token] = []
        self._closed = False

    def run(
        self,
        lane: str,
        work: Callable[[Token], T],
        *,
        done: Callable[[T], None] | None = None,
        failed: Callable[[BaseException], None] | None = None,
        name: str = "",
    ) -> Token | None:
        """As ``Lanes.run``; nothing once the page is closed."""
        if self._closed:
            return None
        self._tokens = [token for token in self._tokens if not token.finished]
        token = self._host.run(lane, work, done=done, failed=failed, name=name)
        self._tokens.append(token)
        return token

    @property
    def closed(self) -> bool:
        """Whether the page is gone."""
        return self._closed

    def close(self) -> None:
        """Cancel everything; called when the page closes."""
        self._closed = True
        for token in self._tokens:
            token.cancel()
        self._tokens.clear()


def when(moment: datetime, now: datetime) -> str:
    """A moment as people say it: 今天 10:24, 昨天 16:05, 11月3日 09:12, 2025年12月30日."""
    local, today = moment.astimezone(CHINA), now.astimezone(CHINA).date()
    days = (today - local.date()).days
    time = f"{local:%H:%M}"
    if days == 0:
        return tr("今天 {time}", time=time)
    if days == 1:
        return tr("昨天 {time}", time=time)
    if local.year == today.year:
        return tr("{month}月{day}日 {time}", month=local.month, day=local.day, time=time)
    return tr("{year}年{month}月{day}日", year=local.year, month=local.month, day=local.day)
