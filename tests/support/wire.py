"""Computers with real stores before a real server in one process: each question goes through its routes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import httpx

from client.data.store import Store
from modules.common.clock import FixedClock
from modules.common.errors import GovDeskError
from server_stub.app import create_app
from server_stub.services import Services
from sync.engine import Borrow, Policy, Prune, Pull, Push, SyncEngine, Wait
from sync.engine import Store as StoreSlice
from sync.protocol import PATHS, STATEMENT_HEADER
from sync.transport import InMemoryTransport, Request
from tests.support.central import Counter, memo_rules
from tests.support.devices import showing, shown

KEY = b"k" * 32


class Wire:
    """The peer of an ``InMemoryTransport``. ``services`` may be exchanged for those of a restored server."""

    def __init__(self, services: Services) -> None:
        self._runner = asyncio.Runner()
        self.use(services)

    def use(self, services: Services) -> None:
        """From now on this server answers."""
        self._transport = httpx.ASGITransport(showing(create_app(services)))

    def __call__(self, request: Request) -> tuple[int, Any]:
        headers = {**shown(request.device), STATEMENT_HEADER: request.statement}
        path = PATHS.get(request.name, request.name)

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="https://server") as session:
                return await session.request(
                    request.method, path, json=request.body, params=dict(request.query), headers=headers
                )

        answer = self._runner.run(ask())
        return answer.status_code, answer.json() if answer.content else None

    def close(self) -> None:
        self._runner.close()


class Computer:
    """The device of a ``Counter`` with a store of its own."""

    def __init__(self, path: Path, wire: Wire, counter: Counter, clock: FixedClock) -> None:
        self.counter = counter
        self.clock = clock
        self.wire = wire
        self.store = Store.open(path, KEY, clock, rules=memo_rules)
        self.enter(counter)

    def enter(self, counter: Counter) -> None:
        """Work as the counter's person on the counter's device."""
        self.counter = counter
        self.store.open_session(counter.statement, "3号窗", counter.series)
        self.transport = InMemoryTransport(self.wire, counter.certificate)
        self.engine = SyncEngine(self.store, self.clock, Random(1), Policy(block=20, pull_every=30.0))

    def write(self, text: str, id: str = "", **options: Any) -> str:
        """Make or change a memo; its id."""
        return self.store.give("memo", id or self.store.new_id(), "memo.write", {"text": text}, **options).id

    def step(self) -> float:
        """One step; how long it wants to wait. A failure is told to the engine."""
        action = self.engine.next_action()
        if isinstance(action, Wait):
            return action.seconds
        if isinstance(action, StoreSlice | Prune):
            self.engine.store_slice() if isinstance(action, StoreSlice) else self.engine.prune()
            return 0.0
        reply: Any
        try:
            if isinstance(action, Push):
                reply = self.transport.push(action.request)
            elif isinstance(action, Pull):
                reply = self.transport.changes(action.scope, action.since, action.epoch, action.statement, action.floor)
            else:
                assert isinstance(action, Borrow)
                reply = self.transport.lease(action.request, action.statement)
        except GovDeskError as error:
            self.engine.on_failure(action, error)
            return 0.0
        self.engine.on_reply(action, reply)
        return 0.0


def settle(clock: FixedClock, *computers: Computer, seconds: float = 100) -> None:
    """Drive everybody for so long."""
    end = clock.monotonic() + seconds
    while clock.monotonic() < end:
        waits = [computer.step() for computer in computers]
        if all(waits):
            clock.advance(min(waits))
