"""Failed sign-ins on this computer: enough of them in a row lock a login for a while, across restarts."""

from __future__ import annotations

import math
from datetime import timedelta

from client.data.profile import Profile, read_json, write_json
from modules.common.clock import Clock, iso, parse_iso
from modules.common.errors import GovDeskError
from modules.common.text import tr

LOCK_FAILURES = 5
LOCK_TIME = timedelta(minutes=15)


class Attempts:
    """Failures in a row and the end of a lock, by login, in a file of the profile."""

    def __init__(self, profile: Profile, clock: Clock) -> None:
        self._profile = profile
        self._clock = clock

    def refuse_locked(self, login: str) -> None:
        """Raise AUTH-003 while ``login`` is locked."""
        _, until = self._all().get(login, (0, ""))
        left = parse_iso(until) - self._clock.now() if until else timedelta(0)
        # a clock that was set back must not lock people out for longer than the rule says
        if timedelta(0) < left <= LOCK_TIME:
            raise _locked(left)

    def failed(self, login: str) -> None:
        """Count a failure."""
        attempts = self._all()
        failures, _ = attempts.get(login, (0, ""))
        locks = failures + 1 >= LOCK_FAILURES
        attempts[login] = (0, iso(self._clock.now() + LOCK_TIME)) if locks else (failures + 1, "")
        write_json(self._profile.attempts, dict(attempts))

    def forget(self, login: str) -> None:
        """Somebody has proved who they are."""
        attempts = self._all()
        if attempts.pop(login, None) is not None:
            write_json(self._profile.attempts, attempts)

    def _all(self) -> dict[str, tuple[int, str]]:
        stored = read_json(self._profile.attempts) or {}
        return {login: (int(failures), str(until)) for login, (failures, until) in stored.items()}


def _locked(left: timedelta) -> GovDeskError:
    minutes = math.ceil(left / timedelta(minutes=1))
    return GovDeskError(
        "AUTH-003", tr("密码连续输错，已暂停登录。"), fix=tr("请在 {minutes} 分钟后再试。", minutes=minutes)
    )
