"""What passes between the store and the synchronisation, without SQLAlchemy and without wire types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Queued:
    """A command that waits for the server. ``at`` is UTC text; ``statement`` is a token."""

    n: int
    cmd_id: str
    kind: str
    aggregate_id: str
    type: str
    version: int
    base_rev: int
    at: str
    statement: str
    body: dict[str, Any]
    number: dict[str, Any] | None
    clock: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RefusedCommand:
    """A command that the server refused and that a person must look at. ``error`` is ``{code, message, fields}``."""

    cmd_id: str
    kind: str
    aggregate_id: str
    type: str
    at: datetime
    person: str
    body: Mapping[str, Any]
    error: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tally:
    """Commands that wait, commands refused and not dealt with, unused serials of the session's series, those of
    each further series that is wanted, and commands that wait at the server for what is not there yet.
    """

    waiting: int
    refused: int
    serials: int
    wanted: Mapping[str, int] = field(default_factory=dict)
    deferred: int = 0


class Answer(Protocol):
    """The fate of one command (``sync.protocol.Ack``): ``applied``, ``refused`` or ``deferred``."""

    @property
    def cmd_id(self) -> str: ...

    @property
    def status(self) -> str: ...

    @property
    def rev(self) -> int: ...

    @property
    def error(self) -> dict[str, Any] | None: ...


class Incoming(Protocol):
    """One entry of a change feed (``sync.protocol.Change``)."""

    @property
    def seq(self) -> int: ...

    @property
    def kind(self) -> str: ...

    @property
    def id(self) -> str: ...

    @property
    def rev(self) -> int: ...

    @property
    def op(self) -> str: ...

    @property
    def doc(self) -> Any:
        """A dictionary, or its JSON (``msgspec.Raw``)."""
        ...

    @property
    def summary(self) -> dict[str, Any]: ...

    @property
    def cause(self) -> str: ...
