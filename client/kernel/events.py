"""The event bus: facts that other parts may care about, told on the GUI thread."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

E = TypeVar("E")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecordsChanged:
    """Records changed here or arrived from the server. ``keys`` are ``(kind, id)``."""

    keys: frozenset[tuple[str, str]]

    def touches(self, kind: str) -> bool:
        """Whether a record of ``kind`` is among them."""
        return any(key[0] == kind for key in self.keys)


@dataclass(frozen=True, slots=True)
class SyncChanged:
    """What the status bar says of server and unsent work.

    ``state``: ``online``, ``offline``, ``stuck`` or ``locked`` (nobody signed in).
    ``reason`` is a sentence with its code.
    """

    state: str
    waiting: int
    refused: int
    reason: str = ""
    since: str = ""


@dataclass(frozen=True, slots=True)
class DeviceChanged:
    """A device's state, as ``devices.ports.DeviceStatus`` has it."""

    status: Any


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person has signed in; ``offline`` when the server was not asked."""

    name: str
    offline: bool


@dataclass(frozen=True, slots=True)
class SignedOut:
    """Nobody is signed in any more."""


class Events:
    """Publish and subscribe by event class. A handler's error is logged and stops nobody else."""

    def __init__(self) -> None:
        self._handlers: dict[type[Any], list[Callable[[Any], None]]] = defaultdict(list)
        self._sync: SyncChanged | None = None

    @property
    def online(self) -> bool:
        """Whether the server was reached when it was told of last: a page that opens late has missed the telling."""
        return self._sync is not None and self._sync.state == "online"

    def subscribe(self, event: type[E], handler: Callable[[E], None]) -> Callable[[], None]:
        """Call ``handler`` on each ``event``; returns what ends the subscription."""
        self._handlers[event].append(handler)

        def end() -> None:
            if handler in self._handlers[event]:
                self._handlers[event].remove(handler)

        return end

    def publish(self, event: Any) -> None:
        """Tell every subscriber of the event's class, in order of subscription."""
        if isinstance(event, SyncChanged):
            self._sync = event
        for handler in tuple(self._handlers[type(event)]):
            try:
                handler(event)
            except Exception:
                log.exception("event handler failed", extra={"event": type(event).__name__})
