"""The synchronisation's core: it decides what to do next and never does it.

No net, no thread, no sleep: ``next_action`` names one step; whoever drives it (``sync.loop``, or a
simulation) carries it out and reports with ``on_reply`` or ``on_failure``. Clock, chance and storage are
handed in. Commands are sent in the order of their numbers, and each is answered by itself; nothing is
ever given up: what fails is tried again, with full jitter, and what is deferred is asked for again. All that must
outlive a crash is in the store: whatever step is the last, the next start goes on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Protocol

from client.data.feed import Answer, Incoming, Queued, Tally
from modules.common.clock import Clock, iso, parse_iso
from modules.common.errors import GovDeskError
from modules.common.text import tr
from sync.protocol import (
    PROTOCOL,
    PUSH_LIMIT,
    Ack,
    Change,
    ChangesReply,
    Lease,
    LeaseRequest,
    Nudge,
    PushReply,
    PushRequest,
    WireCommand,
)

log = logging.getLogger(__name__)

NETWORK = frozenset({"NET-001", "NET-002", "NET-003", "NET-005", "NET-006"})
"""Failures that concern every question alike."""
NO_SERIES = frozenset({"NUM-005", "NUM-007"})
"""The server's no to a series as such."""


class SyncStore(Protocol):
    """The storage that the engine works on; ``client.data.store.Store`` is one. See there for each promise."""

    @property
    def epoch(self) -> str: ...

    @property
    def statement(self) -> str: ...

    @property
    def scopes(self) -> Sequence[str]: ...

    @property
    def series(self) -> str: ...

    @property
    def lost(self) -> bool: ...

    def suspect(self) -> None: ...

    def contact(self, epoch: str, offset_ms: int, error_ms: int) -> bool: ...

    def tally(self) -> Tally: ...

    def unsent(self, limit: int) -> Sequence[Queued]: ...

    def deferred(self, after: int, limit: int) -> Sequence[Queued]: ...

    def settle(self, answers: Sequence[Answer]) -> None: ...

    def resume(self, expected_n: int, unknown: Sequence[str]) -> None: ...

    def cursor(self, scope: str) -> int: ...

    def floor(self, scope: str) -> int: ...

    def holds(self, scope: str) -> tuple[int, int]: ...

    def forget(self, scope: str) -> None: ...

    def receive(
        self, scope: str, changes: Sequence[Incoming], *, complete: bool, to: int | None, floor: int, more: bool
    ) -> None: ...

    def add_lease(self, series: str, first: int, last: int) -> None: ...

    def drop_series(self, series: str) -> None: ...

    def prune(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Policy:
    """How often and how much. Times are in seconds."""

    pull_every: float = 5.0
    heal_every: float = 3600.0
    """A feed that differs from the server's is read again from its start at most so often."""
    prune_every: float = 86_400.0
    pull_when_told: float = 60.0
    """The same while the server tells what is new: only what was lost on the way is found by asking."""
    backoff_base: float = 1.0
    backoff_cap: float = 60.0
    block: int = 200
    """Serials in a leased block; a new one is asked for when fewer than half of it are left."""
    wanted_block: int = 20
    """The same for each further series that is wanted: the queue of one day needs few."""
    slice: int = 100
    """Changes stored in one transaction to begin with: small enough that an acceptance never waits for a pull."""
    slice_most: int = 500
    slice_s: float = 0.025
    """How long such a transaction should take; slices grow and shrink by it."""
    stuck_after: float = 300.0
    idle: float = 60.0


@dataclass(frozen=True, slots=True)
class Push:
    """Send ``request``; the reply is a ``PushReply``."""

    request: PushRequest


@dataclass(frozen=True, slots=True)
class Pull:
    """Ask for changes of ``scope`` after ``since``; the reply is a ``ChangesReply``."""

    scope: str
    since: int
    epoch: str
    statement: str
    floor: int = 0


@dataclass(frozen=True, slots=True)
class Borrow:
    """Ask for a block of serials; the reply is a ``Lease``. ``wanted``: not of the series of the hall's cases."""

    request: LeaseRequest
    statement: str
    wanted: bool = False


@dataclass(frozen=True, slots=True)
class Store:
    """Call ``store_slice``: no net is needed."""


@dataclass(frozen=True, slots=True)
class Prune:
    """Call ``prune``: what is done is kept for some time, and no longer."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do for so many seconds, unless poked."""

    seconds: float


Action = Push | Pull | Borrow | Store | Prune | Wait
Reply = PushReply | ChangesReply | Lease


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """What to tell people. ``state`` is ``online``, ``offline``, ``stuck`` or ``locked``; ``reason`` an error code or
    empty; ``since`` the UTC text of when the state began.
    """

    state: str
    waiting: int = 0
    refused: int = 0
    reason: str = ""
    since: str = ""
    words: str = ""
    """The reason as people read it."""
    deferred: int = 0
    """Commands that wait at the server for what is not there yet."""


@dataclass(slots=True)
class _Lane:
    """One kind of question: when it may be asked again after failures."""

    tries: int = 0
    until: float = 0.0


@dataclass(slots=True)
class _Page:
    """Changes that have arrived and are not all stored yet; the cursor is then at ``to``. ``last``: they reach the
    feed's end, where it holds ``holds`` (None: not said).
    """

    scope: str
    changes: list[Change]
    last: bool
    to: int
    floor: int
    holds: tuple[int, int] | None


class SyncEngine:
    """See the module. Not thread-safe, but for ``status``: one driver calls it, on the thread that owns the store."""

    def __init__(self, store: SyncStore, clock: Clock, rng: Random, policy: Policy | None = None) -> None:
        self._store = store
        self._clock = clock
        self._rng = rng
        self._policy = policy or Policy()
        self._batch = PUSH_LIMIT
        self._slice = self._policy.slice
        self._lanes: dict[str, _Lane] = {}
        self._due: dict[str, float] = {}
        self._ended: set[str] = set()
        self._page: _Page | None = None
        self._listening = False
        self._heard: dict[str, int] = {}
        self._spent: set[str] = set()
        self._asked_after = 0
        self._healed: dict[str, float] = {}
        self._differs: set[str] = set()
        self._pruned_at = clock.monotonic()
        self._sent_at = clock.monotonic()
        self._online = False
        self._reason = self._words = ""
        self._progress_at = clock.monotonic()
        self._status = SyncStatus("locked", since=iso(clock.now()))

    @property
    def status(self) -> SyncStatus:
        """The latest status; may be read from any thread."""
        return self._status

    def poke(self) -> None:
        """Something has happened: try everything now."""
        self._lanes.clear()
        self._due.clear()

    def nudge(self, nudge: Nudge) -> None:
        """The server says how far a feed has grown: asked for now, if that is news."""
        if nudge.seq > self._store.cursor(nudge.scope):
            # kept for an answer that is on its way and was written before
            self._heard[nudge.scope] = max(nudge.seq, self._heard.get(nudge.scope, 0))
            self._due.pop(nudge.scope, None)

    def attend(self, listening: bool) -> None:
        """Whether the server tells at present what is new. Whoever has gone deaf asks at once, and then more often."""
        if self._listening and not listening:
            self._due.clear()
        self._listening = listening

    def next_action(self) -> Action:
        """The next step. The same again, as long as nothing is reported."""
        if self._page is not None:
            return Store()
        tally = self._store.tally()
        self._tell(tally)
        if not self._store.statement:
            return Wait(self._policy.idle)
        action = self._question(tally)
        self._sent_at = self._clock.monotonic()
        return action

    def on_reply(self, action: Action, reply: Reply) -> None:
        """The server's answer to ``action``."""
        self._online, self._reason, self._words = True, "", ""
        self._lanes.pop("", None)
        if isinstance(action, Push) and isinstance(reply, PushReply):
            self._pushed(action, reply)
        elif isinstance(action, Pull) and isinstance(reply, ChangesReply):
            self._pulled(action, reply)
        elif isinstance(action, Borrow) and isinstance(reply, Lease):
            self._lent(action, reply)
        else:
            raise TypeError(f"{type(reply).__name__} does not answer {type(action).__name__}")
        self._tell(self._store.tally())

    def on_failure(self, action: Action | None, error: Exception) -> None:
        """``action`` could not be carried out, or, without one, the step itself failed: tried again later."""
        code = error.code if isinstance(error, GovDeskError) else "SYNC-010"
        if isinstance(action, Borrow) and action.wanted and code in NO_SERIES:
            # tickets of a day gone by: whoever wants numbers of today says so again
            self._online = True
            self._store.drop_series(action.request.series)
            self._tell(None)
            return
        if self._page is not None:
            # what cannot be stored must not keep the other feeds from being read
            self._hold(f"pull:{self._page.scope}")
            self._due.pop(self._page.scope, None)
            self._page = None
        self._reason = code
        self._words = error.words() if isinstance(error, GovDeskError) else tr("同步时出错，稍后自动重试。")
        if action is None or code in NETWORK:
            if code in NETWORK:
                self._online = False
            self._hold("")
        else:
            # the server has answered, with a no that concerns this question alone
            self._online = True
            self._hold(_lane(action))
        if isinstance(action, Push):
            # should it have been too much at once
            self._batch = max(1, self._batch // 2)
        self._tell(None)

    def store_slice(self) -> None:
        """Store some of what has arrived, in one transaction."""
        page = self._page
        if page is None:
            return
        part, rest = page.changes[: self._slice], page.changes[self._slice :]
        ends = page.last and not rest
        began = self._clock.monotonic()
        self._store.receive(
            page.scope, part, complete=ends, to=None if rest else page.to, floor=page.floor, more=not page.last
        )
        self._fit_slice(len(part), self._clock.monotonic() - began)
        self._page = replace(page, changes=rest) if rest else None
        if not rest:
            self._lanes.pop(f"pull:{page.scope}", None)
        if ends:
            self._ended.add(page.scope)
            self._compare(page.scope, page.holds)

    def _fit_slice(self, stored: int, took: float) -> None:
        """Larger slices where this computer is quick, for each costs a commit; back to the first size elsewhere."""
        if took > 2 * self._policy.slice_s:
            self._slice = max(self._policy.slice, self._slice // 2)
        elif took < self._policy.slice_s and stored == self._slice:
            self._slice = min(self._policy.slice_most, self._slice * 2)

    def prune(self) -> None:
        """Let go of what has been kept for long enough."""
        self._pruned_at = self._clock.monotonic()
        self._store.prune()

    # -- inside -----------------------------------------------------------------------------------

    def _question(self, tally: Tally) -> Action:
        now = self._clock.monotonic()
        store = self._store
        if (general := self._lanes.get("", _Lane()).until) > now:
            return Wait(general - now)
        if (tally.waiting or store.lost) and self._ready("push", now):
            # a push without commands asks what the server has forgotten: what it lacks goes first
            return Push(self._request([] if store.lost else store.unsent(self._batch)))
        if tally.deferred and self._ready("ask", now) and self._ready("push", now):
            # behind the last of them, from the first again
            asked = store.deferred(self._asked_after, self._batch) or store.deferred(0, self._batch)
            return Push(self._request(asked))
        if store.series and tally.serials < self._policy.block / 2 and self._ready("lease", now):
            return Borrow(LeaseRequest(store.series, self._policy.block), store.statement)
        for series, unused in tally.wanted.items():
            if unused < self._policy.wanted_block / 2 and self._ready(f"lease:{series}", now):
                return Borrow(LeaseRequest(series, self._policy.wanted_block), store.statement, wanted=True)
        if now - self._pruned_at >= self._policy.prune_every:
            return Prune()
        times = [lane.until for lane in self._lanes.values() if lane.until > now]
        for scope in store.scopes:
            at = max(self._due.get(scope, 0.0), self._lanes.get(f"pull:{scope}", _Lane()).until)
            if at <= now:
                return Pull(scope, store.cursor(scope), store.epoch, store.statement, store.floor(scope))
            times.append(at)
        return Wait(min([time - now for time in times], default=self._policy.idle))

    def _request(self, entries: Sequence[Queued]) -> PushRequest:
        cmds = [
            WireCommand(
                n=entry.n,
                cmd_id=entry.cmd_id,
                kind=entry.kind,
                aggregate_id=entry.aggregate_id,
                type=entry.type,
                version=entry.version,
                base_rev=entry.base_rev,
                at=entry.at,
                statement=entry.statement,
                body=entry.body,
                number=entry.number,
                clock=entry.clock,
            )
            for entry in entries
        ]
        return PushRequest(PROTOCOL, self._store.epoch, iso(self._clock.now()), cmds)

    def _pushed(self, action: Push, reply: PushReply) -> None:
        self._contact(reply.epoch, reply.server_time)
        # its number may have been spent by a later life of this profile, restored from a copy since: one more
        # try under a new number; a second time the id itself is known with another content
        spent = [ack.cmd_id for ack in reply.acks if ack.status == "hash_mismatch" and ack.cmd_id not in self._spent]
        self._spent.update(spent)
        answers = [_final(ack) for ack in reply.acks if ack.status != "gap" and ack.cmd_id not in spent]
        if answers:
            self._store.settle(answers)
            self._progress_at = self._clock.monotonic()
        if any(answer.status != "deferred" for answer in answers):
            self._due.clear()
            self._lanes.pop("ask", None)
        if any(answer.status == "deferred" for answer in answers):
            # the fate of what waits there is asked for again, the less often the longer it takes
            asked = [command.n for command in action.request.cmds]
            self._asked_after = asked[-1] if len(asked) >= self._batch else 0
            self._hold("ask")
        sent = bool(action.request.cmds)
        if spent or not sent or any(ack.status == "gap" for ack in reply.acks):
            self._store.resume(reply.expected_n, spent)
        if answers or not sent:
            self._lanes.pop("push", None)
            self._batch = min(PUSH_LIMIT, self._batch * 2)
        else:
            # nothing was decided: not at once again, lest two sides that misunderstand each other spin
            self._hold("push")

    def _lent(self, action: Borrow, reply: Lease) -> None:
        def unused() -> int:
            tally = self._store.tally()
            return tally.wanted.get(action.request.series, 0) if action.wanted else tally.serials

        before = unused()
        self._store.add_lease(reply.series, reply.first, reply.last)
        if unused() > before:
            self._lanes.pop(_lane(action), None)
        else:
            # no number that was not here already: not at once again, lest nothing else be asked any more
            self._hold(_lane(action))

    def _pulled(self, action: Pull, reply: ChangesReply) -> None:
        lane = _lane(action)
        renewed = self._contact(reply.epoch, reply.server_time)
        if reply.snapshot_required and not renewed:
            self._read_again(action.scope)
            # either it was away for long, or the server is not what it was, even if it does not know
            self._store.suspect()
            if action.since == 0:
                self._hold(lane)
        if reply.snapshot_required or renewed:
            return
        if (reply.scope, reply.since) != (action.scope, action.since):
            self._hold(lane)  # no answer to this question
            return
        if reply.since != self._store.cursor(action.scope):
            return  # a late copy of an answer
        whole = _leading(reply.changes, reply.since, reply.floor)
        end = whole[-1].seq if whole else reply.since
        broken = len(whole) != len(reply.changes) or not end <= reply.to <= max(end, reply.floor)
        last = not reply.more and not broken
        to = end if broken else reply.to
        holds = (reply.count, reply.digest) if reply.count >= 0 else None
        if to > reply.since or (last and action.scope not in self._ended):
            self._page = _Page(action.scope, whole, last, to, reply.floor, holds)
        if broken and not whole:
            self._reason, self._words = "SYNC-012", tr("服务器发来的内容不连续，正在重新读取。")
            self._hold(lane)
            return
        if reply.more and to == reply.since:
            # it may have grown while it was read; should it say so for ever, the other feeds have their turn
            self._hold(lane)
            return
        if self._page is None:
            self._lanes.pop(lane, None)
        if last and self._heard.pop(action.scope, 0) <= reply.to:
            # spread, so that the counters of a hall do not all ask in the same moment
            every = self._policy.pull_when_told if self._listening else self._policy.pull_every
            self._due[action.scope] = self._spread(every)
        if last and self._page is None:
            self._compare(action.scope, holds)

    def _spread(self, seconds: float) -> float:
        return self._clock.monotonic() + seconds * self._rng.uniform(0.8, 1.2)

    def _compare(self, scope: str, holds: tuple[int, int] | None) -> None:
        """Whether the feed holds here what it holds at the server; if not, it alone is read again from its start."""
        if holds is None or holds == self._store.holds(scope):
            self._differs.discard(scope)
            return
        now = self._clock.monotonic()
        if scope not in self._differs:
            log.warning("feed %s holds %s here and %s at the server", scope, self._store.holds(scope), holds)
        self._differs.add(scope)
        if now - self._healed.get(scope, -self._policy.heal_every) >= self._policy.heal_every:
            self._healed[scope] = now
            self._read_again(scope)

    def _read_again(self, scope: str) -> None:
        self._store.forget(scope)
        self._ended.discard(scope)
        self._due.pop(scope, None)

    def _contact(self, epoch: str, server_time: str) -> bool:
        half = (self._clock.monotonic() - self._sent_at) / 2
        middle = self._clock.now() - timedelta(seconds=half)
        offset = (parse_iso(server_time) - middle) / timedelta(milliseconds=1)
        renewed = self._store.contact(epoch, round(offset), round(half * 1000))
        if renewed:
            self._ended.clear()
            self._due.clear()
        return renewed

    def _ready(self, lane: str, now: float) -> bool:
        return self._lanes.get(lane, _Lane()).until <= now

    def _hold(self, name: str) -> None:
        lane = self._lanes.setdefault(name, _Lane())
        ceiling = min(self._policy.backoff_cap, self._policy.backoff_base * 2.0 ** min(lane.tries, 16))
        lane.tries += 1
        lane.until = self._clock.monotonic() + self._rng.uniform(0, ceiling)

    def _tell(self, tally: Tally | None) -> None:
        waiting = tally.waiting if tally else self._status.waiting
        refused = tally.refused if tally else self._status.refused
        deferred = tally.deferred if tally else self._status.deferred
        if not waiting or not self._online:
            self._progress_at = self._clock.monotonic()
        state, reason, words = "online" if self._online else "offline", self._reason, self._words
        if not self._store.statement:
            state, reason, words = "locked", "", ""
        elif self._clock.monotonic() - self._progress_at > self._policy.stuck_after:
            state, reason, words = "stuck", "SYNC-009", stuck_words()
        elif self._differs and not reason:
            reason, words = "SYNC-020", tr("本机有一部分数据与服务器不一致，正在重新读取；未传的业务不受影响。")
        since = self._status.since if state == self._status.state else iso(self._clock.now())
        self._status = SyncStatus(state, waiting, refused, reason, since, words, deferred)


def stuck_words() -> str:
    """What SYNC-009 means."""
    return tr("待传的件很久没有送达。请点“立即重试”，仍不行请联系系统管理员。")


def _lane(action: Action) -> str:
    if isinstance(action, Pull):
        return f"pull:{action.scope}"
    if isinstance(action, Borrow):
        return f"lease:{action.request.series}" if action.wanted else "lease"
    return "push" if isinstance(action, Push) else ""


def _leading(changes: Sequence[Change], since: int, floor: int) -> list[Change]:
    """The changes up to the first number that is lost: one that is missing above ``floor``."""
    leading = []
    for change in changes:
        if not since < change.seq <= max(since, floor) + 1:
            break
        leading.append(change)
        since = change.seq
    return leading


def _final(ack: Ack) -> Ack:
    """``hash_mismatch`` as a refusal in words: the id is known to the server with another content."""
    if ack.status != "hash_mismatch":
        return ack
    message = tr("服务器上同一编号的操作内容不同，这一笔没有执行。请核对后重新办理。")
    return replace(ack, status="refused", error={"code": "SYNC-011", "message": message, "fields": {}})
