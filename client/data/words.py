"""The upkeep of the index of words beside everybody's work: making words that wait, making all anew after an upgrade,
and keeping the index tidy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from client.data import index

if TYPE_CHECKING:
    from client.data.store import Store

AT_ONCE = 2000
"""Records whose words are made while the store is opened; of more, all is left to ``Words.step``."""


class Words:
    """How far the words of one store are, and the next step of their upkeep."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tidying = False
        with store._reading() as db:
            self._making = index.unfinished(db)
            small = index.is_small(db, AT_ONCE)
            self.share = index.share_made(db) if self._making else 1.0
            """How much has been indexed, of 1. Lists are whole meanwhile; searches find what has been. Any thread."""
            self._waiting, self._all = index.waiting(db)
        self._begun = self._waiting > AT_ONCE
        self._say()
        if self._making and small:
            self._make(AT_ONCE + 1)

    def wait(self, count: int) -> None:
        """So many more records wait for their words."""
        self._waiting += count
        self._all += count
        self._begun = self._begun or self._waiting > AT_ONCE
        self._say()

    def step(self) -> bool:
        """A small piece of work, on lane ``data``; True when there is nothing left to do."""
        if self._making:
            self._make(index.SLICE)
            return False
        if self._waiting:
            self._catch_up()
            return False
        if not self._tidying:
            return True
        with self._store._writing() as unit:
            self._tidying = not index.tidy(unit.db)
        return not self._tidying

    def _make(self, count: int) -> None:
        with self._store._writing() as unit:
            index.begin_rebuild(unit.db)
            made = index.rebuild(unit.db, count)
            share = 1.0 if made else index.share_made(unit.db)
        self._making, self.share = not made, share
        if made and count == index.SLICE:
            self._begin_tidying()

    def _catch_up(self) -> None:
        with self._store._writing() as unit:
            index.make_waiting(unit.db, index.SLICE)
            self._waiting, self._all = index.waiting(unit.db)
        self._say()
        if self._begun and not self._waiting:
            self._begun = False
            self._begin_tidying()

    def _say(self) -> None:
        if not self._making:
            self.share = 1.0 - min(self._waiting / max(self._all, 1), 1.0)

    def _begin_tidying(self) -> None:
        with self._store._writing() as unit:
            self._tidying = not index.tidy(unit.db, first=True)
