"""The server's word that a feed has grown: who hears what, how little it says, and that it holds nothing up."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from client.adapters import OwnAccount
from client.data.profile import Profile
from modules.common.clock import SystemClock
from modules.common.errors import GovDeskError
from sync.accounts import Accounts
from sync.engine import SyncEngine
from sync.loop import SyncLoop
from sync.protocol import Nudge
from sync.transport import EventStream, HttpTransport, SignedServer
from tests.support.faults.counter import CHEAP, PASSWORD
from tests.support.servers import RunningServer, postgres, server

DEADLINE = 20.0


class Listening:
    """Somebody signed in at a window, hearing what comes."""

    def __init__(self, folder: Path, url: str, code: str, login: str) -> None:
        self.profile = Profile(folder)
        self.accounts = Accounts(self.profile, SystemClock(), cost=CHEAP)
        self.accounts.enrol(url, code)
        self.store = self.accounts.sign_in(login, PASSWORD).store
        self.heard: queue.Queue[Nudge | None] = queue.Queue()

    def open(self) -> EventStream:
        return self.accounts.transport.listen(self.store.statement)  # type: ignore[attr-defined]

    def listen(self) -> EventStream:
        stream = self.open()
        threading.Thread(target=self._hear, args=(stream,), name="hears", daemon=True).start()
        return stream

    def _hear(self, stream: EventStream) -> None:
        try:
            for nudge in stream:
                self.heard.put(nudge)
        except GovDeskError:
            """The line was closed."""
        finally:
            self.heard.put(None)

    def until(self, scope: str, seq: int) -> Nudge:
        """The next word of ``scope`` that reaches ``seq``."""
        deadline = time.monotonic() + DEADLINE
        while True:
            nudge = self.heard.get(timeout=max(0.1, deadline - time.monotonic()))
            assert nudge is not None, "the line ended"
            if nudge.scope == scope and nudge.seq >= seq:
                return nudge

    def write(self) -> None:
        """Keep a phrase of one's own: a change in a feed that only this person reads."""
        body = {"owner": self.store.actor.id, "text": "材料齐全"}
        self.store.give("phrase", self.store.new_id(), "phrase.put", body)
        loop = SyncLoop(SyncEngine(self.store, SystemClock(), Random(1)), self.accounts.transport)
        deadline = time.monotonic() + DEADLINE
        while self.store.tally().waiting:
            assert time.monotonic() < deadline
            loop.step()

    def close(self) -> None:
        self.accounts.close()
        self.profile.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with server(tmp_path_factory.mktemp("nudges")) as running:
        yield running


@pytest.fixture
def places(tmp_path: Path, running: RunningServer) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def sit(stack: ExitStack, folder: Path, running: RunningServer, place: str, login: str, url: str = "") -> Listening:
    seat = Listening(folder / place, url or running.url, running.codes[place], login)
    stack.callback(seat.close)
    return seat


def test_a_change_is_told_where_it_may_be_read_and_nowhere_else(
    running: RunningServer, places: ExitStack, tmp_path: Path
) -> None:
    here, there, other = (
        sit(places, tmp_path, running, place, login)
        for place, login in (("1号窗", "zhangsan"), ("2号窗", "zhangsan"), ("4号窗", "lisi"))
    )
    own = f"person:{there.store.actor.id}"
    lines = [there.listen(), other.listen()]
    hall = next(scope for scope in there.store.scopes if scope.startswith("hall:"))
    there.until(hall, 1)  # where the feeds stand is said first: what was committed meanwhile is not missed
    before = there.store.cursor(own)
    here.write()
    nudge = there.until(own, before + 1)
    assert set(Nudge.__dataclass_fields__) == {"scope", "seq"}
    assert nudge.scope == own
    other.until(hall, 1)
    for line in lines:
        line.close()
    assert not [heard for heard in drain(other) if heard.scope == own]


def test_it_says_nothing_but_scope_and_number(running: RunningServer, places: ExitStack, tmp_path: Path) -> None:
    seat = sit(places, tmp_path, running, "6号窗", "zhangsan")
    stream = seat.open()
    said = next(line for line in stream._answer.iter_lines() if line)
    assert set(json.loads(said.removeprefix(b"data: "))) == {"scope", "seq"}
    stream.close()


def test_a_device_has_one_line_its_newest(running: RunningServer, places: ExitStack, tmp_path: Path) -> None:
    seat = sit(places, tmp_path, running, "7号窗", "zhangsan")
    seat.listen()
    seat.until("ref", 1)
    second = Listening.open(seat)
    deadline = time.monotonic() + DEADLINE
    while seat.heard.get(timeout=max(0.1, deadline - time.monotonic())) is not None:
        pass
    second.close()


def heads_off(seat: Listening, what: Callable[[], object]) -> float:
    """How many seconds after ``what`` the line of a seat ends."""
    seat.listen()
    seat.until("ref", 1)
    began = time.monotonic()
    what()
    drain(seat)
    return time.monotonic() - began


def test_the_line_of_a_revoked_device_or_person_ends_at_once(
    running: RunningServer, places: ExitStack, tmp_path: Path
) -> None:
    office = sit(places, tmp_path, running, "5号窗", "anquan")
    victim = sit(places, tmp_path, running, "8号窗", "lisi")
    beside = sit(places, tmp_path, running, "3号窗", "zhangsan")
    beside.listen()
    beside.until("ref", 1)

    def post(path: str, body: dict[str, object]) -> None:
        transport = office.accounts.transport
        assert isinstance(transport, HttpTransport)
        SignedServer(transport, lambda: office.store.statement).post(f"/v1/m/people/{path}", body)

    person = victim.store.actor.id
    took = heads_off(victim, lambda: post(f"people/{person}/sign-out", {}))
    assert took < 5
    with pytest.raises(GovDeskError) as caught:
        victim.open()
    assert caught.value.code == "AUTH-016"
    ended = SystemClock().now()
    while victim.store.now() <= ended:
        """This counter's idea of the server's time may be behind by half of a sign-in's way."""
    victim.store.give("phrase", victim.store.new_id(), "phrase.put", {"owner": person, "text": "撤销之后"})
    loop = SyncLoop(SyncEngine(victim.store, SystemClock(), Random(1)), victim.accounts.transport)
    deadline = time.monotonic() + DEADLINE
    while not victim.store.refused_commands():
        assert time.monotonic() < deadline
        loop.step()
    (refused,) = victim.store.refused_commands()
    assert refused.error["code"] == "AUTH-031"
    victim.store = victim.accounts.sign_in("lisi", PASSWORD).store
    office.store = office.accounts.sign_in("xitong", PASSWORD).store
    device = victim.accounts.device()
    assert device is not None
    took = heads_off(victim, lambda: post(f"devices/{device.device}/revoke", {"reason": "lost"}))
    assert took < 5
    with pytest.raises(GovDeskError) as caught:
        victim.open()
    assert caught.value.code == "AUTH-011"
    assert beside.heard.empty(), "nobody else's line has ended"


def test_a_server_that_stops_waits_for_nobody_who_only_listens(tmp_path: Path) -> None:
    with ExitStack() as stack, server(tmp_path) as running:
        seat = sit(stack, tmp_path, running, "1号窗", "zhangsan")
        seat.listen()
        seat.until("ref", 1)
        began = time.monotonic()
        running.process.terminate()
        assert running.process.wait(30) == 0
        assert time.monotonic() - began < 8, "it waited for the listener"


def test_between_two_servers_on_one_postgresql(tmp_path: Path) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(postgres())
        first = stack.enter_context(server(tmp_path, url))
        # another process on the same database, with the same keys
        second = stack.enter_context(server(tmp_path, url, ready="second.json"))
        here = sit(stack, tmp_path, first, "1号窗", "zhangsan")
        there = sit(stack, tmp_path, first, "2号窗", "zhangsan", second.url)
        there.listen()
        there.until("ref", 1)
        here.write()
        there.until(f"person:{there.store.actor.id}", 1)
        # what one server takes, ends a line at the other
        own = OwnAccount(here.accounts)
        (other,) = [each for each in own.sessions() if not each.current]
        own.end_session(other.id)
        drain(there)
        with pytest.raises(GovDeskError) as caught:
            there.open()
        assert caught.value.code == "AUTH-016"


def drain(seat: Listening) -> list[Nudge]:
    heard = []
    while (nudge := seat.heard.get(timeout=DEADLINE)) is not None:
        heard.append(nudge)
    return heard
