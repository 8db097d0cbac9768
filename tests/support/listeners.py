"""Counters that only listen: enrolled, signed in, told of news, asking for it. Many in one process, for benchmarks.

    python -m tests.support.listeners FOLDER URL LOGIN,LOGIN…  < codes, one a line

Prints ``ready``, then for each page of news ``scope seq moment`` (the machine's monotonic clock, seconds), until its
standard input is closed.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from client.data.profile import Profile
from modules.common.clock import SystemClock
from modules.common.statement import read
from sync.accounts import Accounts
from sync.nudges import NudgeListener
from sync.protocol import Nudge, SignInRequest
from sync.transport import HttpTransport
from tests.support.faults.counter import PASSWORD


class OnlyListens:
    """One device: keeps a cursor per feed and nothing else."""

    def __init__(self, folder: Path, url: str, code: str, login: str) -> None:
        self._profile = Profile(folder)
        self._accounts = Accounts(self._profile, SystemClock())
        self._accounts.enrol(url, code)
        transport = self._accounts.transport
        assert isinstance(transport, HttpTransport)
        self._transport = transport
        self._statement = transport.sign_in(SignInRequest(login, PASSWORD)).statement
        # a person's own feed may not be there yet, and is short; where the others stand is said first
        self._cursors = {scope: 0 if scope.startswith("person:") else -1 for scope in read(self._statement).scopes}
        self._lock = threading.Lock()
        self._listener = NudgeListener(lambda: transport.listen(self._statement), self)
        self._listener.start()

    def attend(self, listening: bool) -> None:
        """Nothing hangs on it here."""

    def nudge(self, nudge: Nudge) -> None:
        cursor = self._cursors[nudge.scope]
        if cursor < 0:  # where the feed stood when it began to listen
            self._cursors[nudge.scope] = nudge.seq
        elif nudge.seq > cursor:
            reply = self._transport.changes(nudge.scope, cursor, "", self._statement, 0)
            self._cursors[nudge.scope] = reply.to
            os.write(1, f"{nudge.scope} {reply.to} {time.monotonic()}\n".encode())

    @property
    def ready(self) -> bool:
        return max(self._cursors.values()) >= 0

    def close(self) -> None:
        self._listener.stop()
        self._accounts.close()
        self._profile.close()


def main() -> None:
    folder, url, logins = Path(sys.argv[1]), sys.argv[2], sys.argv[3].split(",")
    codes = []
    while code := sys.stdin.readline().strip():
        codes.append(code)
    made = [OnlyListens(folder / str(n), url, code, logins[n % len(logins)]) for n, code in enumerate(codes)]
    while not all(each.ready for each in made):
        time.sleep(0.02)
    os.write(1, b"ready\n")
    sys.stdin.read()
    for each in made:
        each.close()


if __name__ == "__main__":
    main()
