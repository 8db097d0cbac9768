"""Many counters at once, from outside: a line of their own each, mutual TLS, signed in; reading feeds, giving commands.

    python -m tests.support.crowd PLAN.json

A process of its own on one event loop, with as little between it and the wire as there can be: it shares the machine
with the server that it measures. Prints one JSON line: seconds of each read and write, and what was not answered well.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from modules.common.clock import SystemClock, iso
from modules.common.ids import uuid7
from sync.protocol import PATHS, PROTOCOL, STATEMENT_HEADER, PushRequest, WireCommand, to_wire
from tests.support.devices import trusting
from tests.support.faults.counter import body

SHARE_OF_WRITES = 0.2
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_HANDSHAKES = 16
"""At the same time, while everybody arrives."""


@dataclass(frozen=True, slots=True)
class Member:
    """One counter: ``credential`` is a file with key and certificate (PEM), ``first`` its first leased serial."""

    credential: str
    statement: str
    scope: str
    series: str
    first: int


@dataclass(frozen=True, slots=True)
class Plan:
    """``pause``: seconds between an answer and the next question, on average; ``item_version``: of what is accepted."""

    url: str
    ca: str
    seconds: float
    pause: float
    item_version: int
    members: list[Member]


@dataclass(slots=True)
class Seen:
    """What came of it."""

    reads: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Counter:
    """Asks one thing after the other on one line."""

    def __init__(self, plan: Plan, member: Member, number: int, seen: Seen) -> None:
        self._plan = plan
        self._member = member
        self._seen = seen
        self._rng = random.Random(number)
        self._since = self._n = 0

    async def arrive(self, room: asyncio.Semaphore) -> None:
        """Open the line."""
        context = trusting(Path(self._plan.ca))
        context.load_cert_chain(self._member.credential)
        at = urlsplit(self._plan.url)
        async with room:
            self._reader, self._writer = await asyncio.open_connection(at.hostname, at.port, ssl=context)

    async def work(self) -> None:
        """Read and write until the time is over."""
        end = time.monotonic() + self._plan.seconds
        await asyncio.sleep(self._plan.pause * self._rng.random())
        while time.monotonic() < end:
            began = time.monotonic()
            writes = self._rng.random() < SHARE_OF_WRITES
            try:
                fault = await (self._write() if writes else self._read())
            except (OSError, asyncio.IncompleteReadError) as error:
                self._seen.errors.append(type(error).__name__)
                return
            (self._seen.writes if writes else self._seen.reads).append(time.monotonic() - began)
            if fault:
                self._seen.errors.append(fault)
            await asyncio.sleep(self._plan.pause * self._rng.uniform(0.5, 1.5))
        self._writer.transport.abort()

    async def _read(self) -> str:
        query = {"scope": self._member.scope, "since": self._since, "limit": 500, "epoch": "", "floor": 0}
        status, answer = await self._ask("GET", f"{PATHS['changes']}?{urlencode(query)}")
        if status != 200:
            return f"read {status}: {answer[:200]!r}"
        self._since = json.loads(answer)["to"]
        return ""

    async def _write(self) -> str:
        self._n += 1
        number = {"series": self._member.series, "serial": self._member.first + self._n - 1}
        now = iso(SystemClock().now())
        command = WireCommand(
            self._n,
            uuid7(),
            "case",
            uuid7(),
            "case.accept",
            1,
            0,
            now,
            self._member.statement,
            body(self._plan.item_version, self._n),
            number,
        )
        said = json.dumps(to_wire(PushRequest(PROTOCOL, "", now, [command])), ensure_ascii=False).encode()
        status, answer = await self._ask("POST", PATHS["push"], said)
        if status != 200 or json.loads(answer)["acks"][0]["status"] != "applied":
            return f"write {status}: {answer[:200]!r}"
        return ""

    async def _ask(self, method: str, address: str, said: bytes = b"") -> tuple[int, bytes]:
        head = (
            f"{method} {address} HTTP/1.1\r\nhost: {urlsplit(self._plan.url).netloc}\r\n"
            f"{STATEMENT_HEADER}: {self._member.statement}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(said)}\r\n\r\n"
        )
        self._writer.write(head.encode() + said)
        await self._writer.drain()
        answered = await self._reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(answered)
        return int(answered[9:12]), await self._reader.readexactly(int(length[1]) if length else 0)


async def crowd(plan: Plan) -> Seen:
    """Everybody arrives; then all work."""
    seen, room = Seen(), asyncio.Semaphore(_HANDSHAKES)
    counters = [Counter(plan, member, number, seen) for number, member in enumerate(plan.members)]
    await asyncio.gather(*(counter.arrive(room) for counter in counters))
    await asyncio.gather(*(counter.work() for counter in counters))
    return seen


def main() -> None:
    said = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    plan = Plan(**{**said, "members": [Member(**member) for member in said["members"]]})
    sys.stdout.write(json.dumps(asdict(asyncio.run(crowd(plan)))) + "\n")


if __name__ == "__main__":
    main()
