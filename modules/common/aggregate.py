"""One rule for both sides: an aggregate is changed by ``decide`` and ``evolve``, here and on the server.

State is a plain JSON document (``Doc``), because it is stored, sent and compared as one. ``decide``
looks nothing up: whatever it needs beside its own state is named by ``refs`` and handed in with the
context. The client runs it to show the result at once and offline; the server runs the same code on
its own state, to decide for real.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol

from modules.common.errors import Refusal
from modules.common.permissions import Actor

if TYPE_CHECKING:
    from modules.common.calendar import WorkCalendar

Doc = Mapping[str, Any]
Key = tuple[str, str]
"""Kind and id of a record, such as ``("service_item", "…")``."""


@dataclass(frozen=True, slots=True)
class Number:
    """A serial out of a leased block. ``series`` names the sequence; a serial is used once, ever."""

    series: str
    serial: int


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody wants done to one aggregate. ``id`` is a UUIDv7 made by the client."""

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
    """The rules of one kind of thing that several people change. Pure: no Qt, no database, no I/O."""

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
