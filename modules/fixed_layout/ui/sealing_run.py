"""Seals one file after another in the background: made, laid down, registered, named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QObject, Signal

from client.kernel.contract import Cancelled, Host, Token
from client.kernel.ports import Record
from client.widgets.page.source import Source
from modules.common.text import tr
from modules.fixed_layout.services.sealing import Held, Order, SealingService, free_name, lay_down


@dataclass(frozen=True, slots=True)
class Job:
    """A file to seal: open already (``source``), or to be opened; into ``target``, or a free name in ``folder``."""

    path: Path
    source: Source | None = None
    target: Path | None = None
    folder: Path | None = None


class _Made(NamedTuple):
    part: Path
    target: Path
    data: bytes


class _Steps:
    """A token's steps that also end when the whole run is to stop: the run itself must hear how each file ended."""

    def __init__(self, token: Token, run: SealingRun) -> None:
        self._token, self._run = token, run

    def check(self) -> None:
        if self._run.stopped:
            raise Cancelled

    def progress(self, share: float, text: str = "") -> None:
        self._token.progress(share, text)


class SealingRun(QObject):
    """Told by signals, on the GUI thread. What was made stays when the run is stopped.

    ``moved`` carries share and words, ``made`` the file and what it became, ``failed`` the file and the error.
    """

    moved = Signal(float, str)
    made = Signal(object, object)
    failed = Signal(object, object)
    ended = Signal()

    def __init__(self, host: Host, service: SealingService) -> None:
        super().__init__()  # without a parent: a file that is under way is finished even when its window is gone
        self._host = host
        self._service = service
        self._jobs: list[Job] = []
        self._all = 0
        self.busy = False
        self.stopped = False

    def start(self, held: Held, order: Order, jobs: Sequence[Job]) -> None:
        """Begin. Nothing when one is under way."""
        if self.busy:
            return
        self._jobs, self._all = list(jobs), len(jobs)
        self.busy, self.stopped = True, False
        self._next(held, order)

    def cancel(self) -> None:
        """Stop after what is already being registered; no further file is begun."""
        self.stopped = True

    def _next(self, held: Held, order: Order) -> None:
        if self.stopped or not self._jobs:
            self.busy = False
            self.ended.emit()
            return
        job = self._jobs.pop(0)
        done = self._all - len(self._jobs) - 1
        self.moved.emit(done / self._all, job.path.name)
        token = self._host.run(
            "cpu",
            partial(self._make, job, held, order),
            done=partial(self._laid_down, job, held, order),
            failed=partial(self._refused, job, held, order),
            name=tr("盖章"),
        )
        token.watch(lambda share, text: self.moved.emit((done + share) / self._all, f"{job.path.name} {text}".strip()))

    def _make(self, job: Job, held: Held, order: Order, token: Token) -> _Made:
        from client.widgets.page.opening import open_data, read_file

        steps = _Steps(token, self)
        steps.check()
        source = job.source or open_data(read_file(job.path))
        try:
            data = self._service.make(source, held, order, steps)
        finally:
            if job.source is None:
                source.close()
        steps.check()
        target = job.target or free_name(job.path, order.act, job.folder)
        return _Made(lay_down(target, data), target, data)

    def _laid_down(self, job: Job, held: Held, order: Order, made: _Made) -> None:
        def work(token: Token) -> Record | None:
            if self.stopped:
                made.part.unlink(missing_ok=True)
                return None
            return self._service.finish(made.part, made.target, made.data, held, order)

        self._host.run(
            "data",
            work,
            done=partial(self._finished, job, held, order, made),
            failed=partial(self._refused, job, held, order),
            name=tr("用印登记"),
        )

    def _finished(self, job: Job, held: Held, order: Order, made: _Made, record: Record | None) -> None:
        if record is not None:
            self.made.emit(job.path, made.target)
        self._next(held, order)

    def _refused(self, job: Job, held: Held, order: Order, error: BaseException) -> None:
        if not isinstance(error, Cancelled):
            self.failed.emit(job.path, error)
        self._next(held, order)
