"""Jobs by the clock: one thread runs the server's own and the modules', one after another, each never twice at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import insert
from sqlalchemy.orm import Session

from modules.common.clock import Clock, iso
from server_stub.log import incident
from server_stub.tables import JobRun
from server_stub.writer import Writer


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A job and its period in seconds. It is first due one period after the start."""

    id: str
    every: float
    run: Callable[[], None]


class Scheduler:
    """Runs what is due. A job that fails is logged, recorded and due again; it stops nothing."""

    def __init__(self, jobs: Sequence[Scheduled], writer: Writer, clock: Clock) -> None:
        self._jobs = jobs
        self._writer = writer
        self._clock = clock
        self._due = {job.id: clock.monotonic() + job.every for job in jobs}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="scheduler", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Let the running job end, and no other begin."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def run_due(self) -> None:
        """Run every job whose time has come, in order."""
        for job in self._jobs:
            if self._stop.is_set():
                return
            if self._clock.monotonic() >= self._due[job.id]:
                self._run(job)
                self._due[job.id] = self._clock.monotonic() + job.every

    def _run(self, job: Scheduled) -> None:
        started = iso(self._clock.now())
        error = None
        try:
            job.run()
        except Exception as failure:  # noqa: BLE001 - recorded with its incident; other jobs go on
            error = incident("job failed", failure, job=job.id)

        def record(session: Session) -> None:
            session.execute(
                insert(JobRun).values(job=job.id, started_at=started, finished_at=iso(self._clock.now()), error=error)
            )

        try:
            self._writer.do(record)
        except Exception as failure:  # noqa: BLE001 - a full disk must not end the scheduler
            incident("job not recorded", failure, job=job.id)

    def _loop(self) -> None:
        while not self._stop.wait(1.0):
            self.run_due()
