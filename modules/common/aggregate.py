"""One rule for both sides: an aggregate is changed by ``decide`` and ``evolve``, here and on the server.

State is a plain JSON document (``Doc``), because it is stored, sent and compared as one. ``decide``
looks nothing up: whatever it needs beside its own state is named by ``refs`` and handed in with the
context. The client runs it to show the result at once and offline; the server runs the same code on
its own state, to decide for real.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol, cast

from modules.common.errors import Refusal
from modules.common.permissions import Actor
from modules.common.text import tr

if TYPE_CHECKING:
    from modules.common.calendar import WorkCalendar

Doc = Mapping[str, Any]
BACK = 2
"""How many earlier versions of its commands a kind takes: a counter that was away for long still has them."""
Key = tuple[str, str]
"""Kind and id of a record, such as ``("service_item", "…")``."""


@dataclass(frozen=True, slots=True)
class Number:
    """A serial out of a leased block. ``series`` names the sequence; a serial is used once, ever."""

    series: str
    serial: int


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody wants done to one aggregate. ``id`` is a UUIDv7 made by the client; ``version`` is that of the
    kind's commands; ``base_rev`` the revision that its giver had in sight, 0 for none.
    """

    id: str
    kind: str
    aggregate_id: str
    type: str
    body: Doc
    version: int = 1
    base_rev: int = 0
    number: Number | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """What has happened to an aggregate. ``body`` holds all that ``evolve`` needs."""

    type: str
    body: Doc


@dataclass(frozen=True, slots=True)
class Context:
    """All that a rule may know beside the state: nothing is looked up inside ``decide``."""

    now: datetime
    actor: Actor
    calendar: WorkCalendar
    place: str = ""
    """The name of the counter or room whose device gave the command."""
    refs: Mapping[Key, Doc] = field(default_factory=dict)
    rev: int = 0
    """The revision of the state; 0 before the first."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What lists, to-do counts and search need, computed once by the server and stored as columns."""

    title: str
    state: str
    number: str = ""
    due: date | None = None
    search: str = ""

    def to_wire(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "state": self.state,
            "number": self.number,
            "due": self.due.isoformat() if self.due else None,
            "search": self.search,
        }


class Aggregate(Protocol):
    """The rules of one kind of thing that several people change. Pure: no Qt, no database, no I/O.

    Rules may also be ``Versioned`` and ``Needing``.
    """

    kind: str

    def refs(self, command: Command) -> Sequence[Key]:
        """The records that ``decide`` needs in ``context.refs``; a missing one is left out there."""
        ...

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        """The events that the command brings about, or why not. ``state`` is None before the first."""
        ...

    def evolve(self, state: Doc | None, event: Event) -> Doc:
        """The state after one event. Never refuses: what is stored has already been decided."""
        ...

    def summary(self, state: Doc) -> Summary:
        """Columns for lists and search."""
        ...

    def scopes(self, state: Doc) -> frozenset[str]:
        """The change feeds that carry this aggregate, such as ``hall:h1`` and ``dept:d2``."""
        ...


class Versioned(Protocol):
    """Rules whose commands have changed since version 1."""

    version: int

    def upcast(self, command: Command) -> Command:
        """A command of an earlier version as the next version says it."""
        ...


class Needing(Protocol):
    """Rules whose commands may need files at the server before they are carried out."""

    def needs(self, command: Command) -> Sequence[str]:
        """SHA-256 of the files; the command is deferred until the server has them."""
        ...


def version_of(aggregate: Aggregate) -> int:
    """The version of the commands that are given today."""
    return cast("Versioned", aggregate).version if hasattr(aggregate, "upcast") else 1


def carries(aggregate: Aggregate, version: int) -> bool:
    """Whether commands of ``version`` are still understood: today's, and those of ``BACK`` versions before."""
    return max(1, version_of(aggregate) - BACK) <= version <= version_of(aggregate)


def current(aggregate: Aggregate, command: Command) -> Command | Refusal:
    """``command`` as today's rules understand it, or why they cannot (CMD-002)."""
    if not carries(aggregate, command.version):
        return Refusal("CMD-002", tr("这一笔是由版本不相容的程序办理的，不能执行。请重新办理。"))
    while command.version < version_of(aggregate):
        command = replace(cast("Versioned", aggregate).upcast(command), version=command.version + 1)
    return command


def needs_of(aggregate: Aggregate, command: Command) -> Sequence[str]:
    """The files that must be at the server first; none for most rules."""
    return cast("Needing", aggregate).needs(command) if hasattr(aggregate, "needs") else ()


def apply(
    aggregate: Aggregate, state: Doc | None, command: Command, context: Context
) -> tuple[Doc, Sequence[Event]] | Refusal:
    """Decide, then evolve over each event: the one way in which a command changes a state.

    A command that brings about no events is refused: it would have no effect that could be synced.
    """
    outcome = aggregate.decide(state, command, context)
    if isinstance(outcome, Refusal):
        return outcome
    for event in outcome:
        state = aggregate.evolve(state, event)
    if state is None or not outcome:
        return Refusal("CMD-001", f"{command.type}: no effect")
    return state, outcome
