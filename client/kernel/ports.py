"""Ports that modules use and that the application provides. All blocking calls belong on a lane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

from modules.common.permissions import Actor

COUNTED = 1000
"""Records are counted so far and no further: nobody waits for a million to be counted."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record as this device sees it: the server's document with the unsent commands applied.

    ``rev`` is the server's last known revision (0: never seen there); ``pending`` counts commands that
    the server has not acknowledged; ``refused`` those that it refused and that nobody has dealt with.
    """

    kind: str
    id: str
    rev: int
    doc: Mapping[str, Any]
    title: str
    state: str
    number: str
    due: date | None
    updated_at: datetime
    pending: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """Unfinished input: kept on this device only, encrypted, until it is used or thrown away."""

    id: str
    kind: str
    title: str
    doc: Mapping[str, Any]
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PrintJob:
    """A paper that is owed: written in the transaction of the change that it documents."""

    id: str
    kind: str
    record_id: str
    template: str
    created_at: datetime


class Session(Protocol):
    """Who is signed in."""

    @property
    def actor(self) -> Actor:
        """The signed-in person. Raises ``GovDeskError`` AUTH-001 when nobody is."""
        ...

    @property
    def place(self) -> str:
        """The name of this counter or room, as enrolled."""
        ...

    @property
    def series(self) -> str:
        """The series of leased numbers that this device uses."""
        ...


class Records(Protocol):
    """The local store's records, on lane ``read`` (or ``data``)."""

    def get(self, kind: str, id: str) -> Record | None:
        """One record, or None."""
        ...

    def find(
        self,
        kind: str,
        *,
        states: Sequence[str] = (),
        text: str = "",
        due: date | None = None,
        since: date | None = None,
        until: date | None = None,
        limit: int = 200,
        newest_first: bool = True,
        by_due: bool = False,
        after: Record | None = None,
    ) -> list[Record]:
        """A page of records by summary state, and by every word of ``text`` in their title, number or search text.

        Han words are found anywhere, of one character and more; letters and digits from a word's beginning (long
        numbers by their last four or six as well); names also by pinyin and its initials. ``due`` on that day or
        before; made from the day ``since`` to the day ``until`` (China; only ids that are UUIDv7 say when they
        were made).

        Newest first by the millisecond of their making; those whose ids do not say it are older than all of these,
        by their arrival here. ``by_due``, and whenever ``due`` is given: soonest due first, then those without a day;
        not for ``text``. The next page stands ``after`` the last record of this one.
        """
        ...

    def count(self, kind: str, *, states: Sequence[str] = (), due: date | None = None) -> int:
        """How many records ``find`` would see without a limit; ``COUNTED + 1`` for all beyond ``COUNTED``."""
        ...

    def searchable(self) -> float:
        """How much can be found by its words, of 1: less while the index is made anew. Lists are whole. Any thread."""
        ...


class Commands(Protocol):
    """The one way to change an aggregate, on lane ``data``."""

    def give(
        self,
        kind: str,
        aggregate_id: str,
        type: str,
        body: Mapping[str, Any],
        *,
        numbered: bool = False,
        series: str = "",
        prints: str = "",
        drops_draft: str = "",
    ) -> Record:
        """Decide, and on success commit record, outbox entry, used number, owed print (template name
        ``prints``) and dropped draft in one transaction. Raises ``Refused`` with nothing changed.

        ``numbered`` takes the next serial of this device's leased block; raises NUM-001 when none is left.
        ``series`` takes it from that series instead (see ``want_series``), numbered or not.
        """
        ...

    def want_series(self, names: Sequence[str]) -> None:
        """Have blocks of these series at hand, such as those of today's and tomorrow's tickets, and of no other.

        Remembered across restarts. Nothing is there until the server has been asked; what it knows no longer
        is forgotten.
        """
        ...

    def new_id(self) -> str:
        """A new UUIDv7 for an aggregate."""
        ...


@dataclass(frozen=True, slots=True)
class BlobRef:
    """How documents name a page image or a scan. ``size`` is in bytes; ``type`` a media type."""

    sha256: str
    size: int
    type: str

    def to_doc(self) -> dict[str, Any]:
        """``{"sha256", "size", "type"}``, as it stands in documents."""
        return {"sha256": self.sha256, "size": self.size, "type": self.type}


class Blobs(Protocol):
    """Page images, scans and files (JPEG, PNG, TIFF, PDF, OFD): kept encrypted, sent to the server by themselves."""

    def put(self, data: bytes, type: str) -> BlobRef:
        """Keep a page of at most 20 MB and have it sent, on lane ``data``. Raises DATA-010 full disk, DATA-031 too
        large, DATA-032 when ``data`` is no ``type`` of ours.
        """
        ...

    def put_file(self, path: Path) -> BlobRef:
        """Keep a file of at most 1 GB and have it sent, on lane ``net``. Raises as ``put``; DATA-035 when the file
        changes meanwhile, DATA-036 when it cannot be read.
        """
        ...

    def get(self, sha256: str) -> bytes:
        """A page, on lane ``net``: from here, else from the server. Raises DATA-030 when it has not arrived there yet,
        DATA-033 when what came is another, NET-… when the server cannot be asked.
        """
        ...

    def waiting(self) -> int:
        """How many pages the server does not have yet, on lane ``read``."""
        ...


class Drafts(Protocol):
    """Unfinished input of the signed-in person, on lane ``data``."""

    def save(self, draft_id: str, kind: str, title: str, doc: Mapping[str, Any]) -> None: ...

    def list(self, kind: str) -> list[Draft]: ...

    def get(self, draft_id: str) -> Draft | None: ...

    def drop(self, draft_id: str) -> None: ...


class Prints(Protocol):
    """Papers owed (see ``Commands.give``), on lane ``data``."""

    def owed(self) -> list[PrintJob]: ...

    def done(self, job_id: str) -> None: ...


class Printer(Protocol):
    """Puts a finished PDF on paper, or into the print folder where no printer is chosen."""

    def print_pdf(self, pdf: bytes, title: str) -> str:
        """Print, on lane ``cpu``; returns a sentence that says where it went. Raises ``GovDeskError`` PRT-…"""
        ...


class MessageGateway(Protocol):
    """Sends a short message to a citizen's phone, on lane ``net``."""

    def send(self, phone: str, text: str) -> str:
        """Send; a sentence that says where it went. Raises ``GovDeskError`` where it could not be handed over."""
        ...


class Server(Protocol):
    """Direct questions to the central server, for what is truly a query, on lane ``net``."""

    def get(self, path: str, **query: str) -> Any:
        """Decoded JSON. Raises ``GovDeskError`` NET-… when offline, or the server's own problem."""
        ...

    def post(self, path: str, body: Mapping[str, Any]) -> Any: ...


class RefusedCommand(Protocol):
    """A command that the server refused, waiting in the tray. ``error`` is ``{"code", "message", "fields"}``."""

    @property
    def cmd_id(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def aggregate_id(self) -> str: ...

    @property
    def type(self) -> str: ...

    @property
    def at(self) -> datetime: ...

    @property
    def person(self) -> str: ...

    @property
    def body(self) -> Mapping[str, Any]: ...

    @property
    def error(self) -> Mapping[str, Any]: ...


class Tray(Protocol):
    """Refused commands that nobody has dealt with (待处理), on lane ``data``."""

    def refused_commands(self) -> Sequence[RefusedCommand]: ...

    def dismiss(self, cmd_id: str) -> None:
        """A person has dealt with it; it leaves the tray."""
        ...
