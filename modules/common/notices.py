"""What a notice (消息) from the server is made of, for the jobs that send one and the module that shows it."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from modules.common.clock import iso

KIND = "notice"
SEND = "notice.send"


def notice_id(*what: str) -> str:
    """The id of the one notice about ``what`` (such as a card's name and a person): made again, it is the same."""
    return "n-" + hashlib.sha256("\n".join(what).encode()).hexdigest()[:40]


def notice(to_person: str, title: str, text: str, link: str, at: datetime) -> dict[str, Any]:
    """The body of ``notice.send``. ``link`` is ``<kind>:<id>`` of a record, ``page:<page id>``, or empty."""
    return {"to": to_person, "title": title, "text": text, "link": link, "at": iso(at)}
