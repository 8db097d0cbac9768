"""Background work on named lanes of threads; nothing here knows of Qt."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import TypeVar
from weakref import WeakSet

from client.kernel.contract import Cancelled, Token

T = TypeVar("T")
Post = Callable[[Callable[[], None]], None]
Unhandled = Callable[[str, BaseException], None]

WIDTHS = {"data": 1, "read": 2, "net": 4, "cpu": 1, "page": 2}
"""How many threads each lane has; a device's lane ``dev:<id>`` has one."""
log = logging.getLogger(__name__)
_here = threading.local()
_live: WeakSet[Job] = WeakSet()


def current_lane() -> str:
    """The lane that the calling code runs on, or nothing."""
    return getattr(_here, "lane", "")


def check_lane(*lanes: str) -> None:
    """Raise ``RuntimeError`` unless the caller runs on one of ``lanes``."""
    if current_lane() not in lanes:
        raise RuntimeError(f"on {threading.current_thread().name}, not on lane {' or '.join(lanes)}")


def live() -> list[str]:
    """The names of jobs, in all lanes of the process, that have not ended: none should be left by a test."""
    return sorted(job.name for job in tuple(_live) if not job.finished)


class Job:
    """The token of one piece of work (``contract.Token``)."""

    def __init__(self, name: str, post: Post) -> None:
        self.name = name
        self._post = post
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._watchers: list[Callable[[float, str], None]] = []
        self._latest = (0.0, "")
        self._telling = False
        _live.add(self)

    def check(self) -> None:
        """Raise ``Cancelled`` when the work is no longer wanted."""
        if self._cancelled.is_set():
            raise Cancelled(self.name)

    def progress(self, share: float, text: str = "") -> None:
        """Report how far the work is; never slower than the work, however slow the window."""
        with self._lock:
            self._latest = (share, text)
            if self._telling or not self._watchers:
                return
            self._telling = True
        self._post(self._tell)

    def watch(self, call: Callable[[float, str], None]) -> None:
        """Have ``call`` told of progress where results are told."""
        self._watchers.append(call)

    def cancel(self) -> None:
        """Ask the work to stop; neither ``done`` nor ``failed`` will be called."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether the work was asked to stop."""
        return self._cancelled.is_set()

    @property
    def finished(self) -> bool:
        """Whether the work has ended, in whatever way."""
        return self._ended.is_set()

    def end(self) -> None:
        """Mark the work as ended; for the lanes alone."""
        self._ended.set()

    def _tell(self) -> None:
        with self._lock:
            self._telling = False
            share, text = self._latest
        if not self.cancelled:
            for call in self._watchers:
                call(share, text)


class _Runner:
    """What both kinds of lanes do with one piece of work."""

    def __init__(self, post: Post, unhandled: Unhandled) -> None:
        self._post = post
        self._unhandled = unhandled

    def perform(
        self,
        job: Job,
        lane: str,
        work: Callable[[Token], T],
        done: Callable[[T], None] | None,
        failed: Callable[[BaseException], None] | None,
    ) -> None:
        _here.lane, before = lane, current_lane()
        told: Callable[[], None] | None = None
        try:
            job.check()
            result = work(job)
            told = _bound(done, result) if done else None
        except Cancelled:
            pass
        except Exception as error:  # noqa: BLE001 - handed to who asked for the work
            told = self._failure(job, error, failed)
        finally:
            _here.lane = before
            job.end()
        if told and not job.cancelled:
            self._post(_unless_cancelled(job, told))

    def _failure(
        self, job: Job, error: Exception, failed: Callable[[BaseException], None] | None
    ) -> Callable[[], None]:
        if failed is not None:
            return _bound(failed, error)
        log.error("job failed", exc_info=error, extra={"job": job.name})
        return lambda: self._unhandled(job.name, error)


def _unless_cancelled(job: Job, call: Callable[[], None]) -> Callable[[], None]:
    return lambda: None if job.cancelled else call()


def _bound(call: Callable[[T], None], value: T) -> Callable[[], None]:
    return lambda: call(value)


class ThreadLanes:
    """``contract.Lanes`` on thread pools.

    ``post`` has a call made on the GUI thread (``GuiThread.post``); ``unhandled(name, error)`` is called there
    for work that failed and that has no ``failed``.
    """

    def __init__(self, post: Post, unhandled: Unhandled) -> None:
        self._post = post
        self._runner = _Runner(post, unhandled)
        self._lock = threading.Lock()
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._jobs: dict[Future[None], Job] = {}
        self._closed = False

    def run(
        self,
        lane: str,
        work: Callable[[Token], T],
        *,
        done: Callable[[T], None] | None = None,
        failed: Callable[[BaseException], None] | None = None,
        name: str = "",
    ) -> Token:
        """See ``contract.Lanes.run``. Raises ``ValueError`` for an unknown lane. After ``close`` work is
        cancelled before it begins."""
        with self._lock:
            pool = self._pool(lane)
            job = Job(name or getattr(work, "__qualname__", lane), self._post)
            if self._closed:
                job.cancel()
                job.end()
                return job
            future = pool.submit(self._runner.perform, job, lane, work, done, failed)
            self._jobs[future] = job
        future.add_done_callback(self._forget)
        return job

    def settle(self, lane: str, timeout: float = 5.0) -> bool:
        """Wait until all that was given to ``lane``, which has one thread, before this is done; False when it is not
        within ``timeout`` seconds. Never called on that lane.
        """
        with self._lock:
            if self._closed or lane not in self._pools:
                return True
            last = self._pools[lane].submit(lambda: None)
        return not wait_for({last}, timeout).not_done

    def close(self, timeout: float = 5.0) -> list[str]:
        """Cancel all work, wait at most ``timeout`` seconds, and name the jobs that hold on.

        Where it names any, the process must end without joining threads (``os._exit``).
        """
        with self._lock:
            self._closed = True
            jobs = dict(self._jobs)
            pools = list(self._pools.values())
        for job in jobs.values():
            job.cancel()
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
        running = {future for future in jobs if not future.cancelled()}
        held = wait_for(running, timeout).not_done
        for future in jobs.keys() - running:
            jobs[future].end()  # cancelled before they began
        if not held:
            for pool in pools:
                pool.shutdown(wait=True)
        return sorted(jobs[future].name for future in held)

    def _pool(self, lane: str) -> ThreadPoolExecutor:
        if lane not in self._pools:
            width = 1 if lane.startswith("dev:") else WIDTHS.get(lane)
            if width is None:
                raise ValueError(f"no lane {lane!r}")
            self._pools[lane] = ThreadPoolExecutor(width, thread_name_prefix=lane)
        return self._pools[lane]

    def _forget(self, future: Future[None]) -> None:
        with self._lock:
            self._jobs.pop(future, None)


class InlineLanes:
    """``contract.Lanes`` for tests: work is done at once, on the caller's thread, and so are its callbacks.

    An error without ``failed`` is raised to the caller.
    """

    def __init__(self) -> None:
        self._runner = _Runner(_at_once, _raise)

    def run(
        self,
        lane: str,
        work: Callable[[Token], T],
        *,
        done: Callable[[T], None] | None = None,
        failed: Callable[[BaseException], None] | None = None,
        name: str = "",
    ) -> Token:
        """See ``contract.Lanes.run``."""
        if lane not in WIDTHS and not lane.startswith("dev:"):
            raise ValueError(f"no lane {lane!r}")
        job = Job(name or lane, _at_once)
        self._runner.perform(job, lane, work, done, failed)
        return job

    def close(self, timeout: float = 5.0) -> list[str]:
        """Nothing ever holds on."""
        return []


def _at_once(call: Callable[[], None]) -> None:
    call()


def _raise(name: str, error: BaseException) -> None:
    raise error
