"""What a person does with notices. Every method blocks, on the lane that it names."""

from __future__ import annotations

from client.kernel.contract import Host
from client.kernel.ports import Commands, Record, Records
from modules.common.notices import KIND
from modules.notices.domain import DISMISS, READ, READ_STATE, UNREAD

MOST = 500
AT_ONCE = 20
"""Notices marked in one go: an acceptance that waits for the same lane gets its turn in between."""


class NoticeService:
    """The use cases of the module."""

    def __init__(self, records: Records, commands: Commands) -> None:
        self._records = records
        self._commands = commands

    def notices(self, unread_only: bool, keep: str = "") -> list[Record]:
        """The person's notices, newest first, on lane ``read``; ``keep`` stays among them though it is read."""
        found = self._records.find(KIND, states=[UNREAD] if unread_only else [UNREAD, READ_STATE], limit=MOST)
        if keep and all(record.id != keep for record in found):
            kept = self._records.get(KIND, keep)
            found += [kept] if kept and kept.state == READ_STATE else []
        # a slug for an id says nothing of when: the notice itself does
        return sorted(found, key=sent_at, reverse=True)

    def read(self, id: str) -> Record:
        """Mark one as read, on lane ``data``."""
        return self._commands.give(KIND, id, READ, {})

    def dismiss(self, id: str) -> Record:
        """Put one away for good, on lane ``data``."""
        return self._commands.give(KIND, id, DISMISS, {})

    def read_some(self) -> bool:
        """Mark some of the unread ones as read, on lane ``data``; whether there are more."""
        found = self._records.find(KIND, states=[UNREAD], limit=AT_ONCE + 1)
        for record in found[:AT_ONCE]:
            self.read(record.id)
        return len(found) > AT_ONCE


def sent_at(record: Record) -> str:
    """When the server sent it, as UTC text."""
    return str(record.doc["at"])


def service_of(host: Host) -> NoticeService:
    """The module's service. Raises ``LookupError`` when the application lacks a port."""
    records, commands = host.service(Records), host.service(Commands)  # type: ignore[type-abstract]
    return NoticeService(records, commands)
