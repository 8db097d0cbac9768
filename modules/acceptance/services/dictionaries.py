"""The office's dictionaries (字典, D12): short lists of words that administrators keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from client.kernel.ports import Records

KIND = "dictionary"
DECLINE, LOW_RATING, OPINIONS, CORRECTIONS, ABORTING, EXTENDING = (
    "decline-ground",
    "low-rating-reason",
    "opinion-phrase",
    "correction-phrase",
    "abort-reason",
    "extension-reason",
)


def entries(records: Records, id: str) -> list[tuple[str, str]]:
    """Value and words of a dictionary's entries in their order, on lane ``read``; none where it is not there."""
    record = records.get(KIND, id)
    found: list[Mapping[str, Any]] = list(record.doc.get("entries", [])) if record else []
    return [(str(entry["value"]), str(entry["text"])) for entry in found if not entry.get("removed")]


def texts(records: Records, id: str) -> list[str]:
    """The words of a dictionary's entries, on lane ``read``."""
    return [text for _value, text in entries(records, id)]
