"""Passwords: hashed, and counted when they are wrong."""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import delete
from sqlalchemy.orm import Session

from modules.common.clock import Clock, iso
from modules.common.errors import GovDeskError
from modules.common.text import tr
from server_stub import audit
from server_stub.config import Settings
from server_stub.database import Database
from server_stub.tables import LoginFailure
from server_stub.writer import Writer

_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without what is misread on paper: I, L, O, 0, 1."""


def readable_secret(groups: int) -> str:
    """Groups of four characters that can be read aloud, about 19.8 bits each."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(groups))


class Passwords:
    """Argon2id (RFC 9106). Hashing is kept to as many at once as there are processors: each takes much memory."""

    def __init__(self, settings: Settings) -> None:
        self._hasher = PasswordHasher(time_cost=settings.argon2_time, memory_cost=settings.argon2_memory_kib)
        self._slots = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._nobody = self.hash(secrets.token_urlsafe())

    def hash(self, password: str) -> str:
        """The encoded hash."""
        with self._slots:
            return self._hasher.hash(password)

    def check(self, stored: str | None, password: str) -> bool:
        """Whether the password is right. Without a stored hash it takes as long, and is wrong."""
        with self._slots:
            try:
                self._hasher.verify(stored or self._nobody, password)
            except (VerifyMismatchError, InvalidHashError):
                return False
        return stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether the hash was made with other costs than today's."""
        return self._hasher.check_needs_rehash(stored)


class Attempts:
    """Failed sign-ins in a row, by login: known and unknown logins lock alike, passwords and one-time codes alike."""

    def __init__(self, database: Database, writer: Writer, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._writer = writer
        self._clock = clock
        self._settings = settings

    def refuse_locked(self, login: str) -> None:
        """Raise AUTH-003 while ``login`` is locked."""
        with self._database.read() as session:
            self._refuse(session.get(LoginFailure, _key(login)))

    def failed(self, login: str, device_id: str, person_id: str) -> None:
        """Count a failure; enough of them lock the login for a while."""

        def count(session: Session) -> None:
            now = self._clock.now()
            key = _key(login)
            failure = session.get(LoginFailure, key, with_for_update=True)
            if failure is None:
                failure = LoginFailure(login_hash=key, failures=0, last_at="")
                session.add(failure)
            failure.failures += 1
            failure.last_at = iso(now)
            failure.locked_until = None
            entries = [audit.Entry("sign_in.failed", person_id, device_id)]
            if failure.failures >= self._settings.lock_failures:
                failure.failures = 0
                failure.locked_until = iso(now + timedelta(seconds=self._settings.lock_seconds))
                entries.append(audit.Entry("sign_in.locked", person_id, device_id))
            session.flush()
            audit.append(session, iso(now), entries)

        self._writer.do(count)

    def forget(self, login: str) -> None:
        """Somebody has proved who they are. Raises AUTH-003 for a login that was locked meanwhile."""

        def drop(session: Session) -> None:
            self._refuse(session.get(LoginFailure, _key(login)))
            session.execute(delete(LoginFailure).where(LoginFailure.login_hash == _key(login)))

        self._writer.do(drop)

    def _refuse(self, failure: LoginFailure | None) -> None:
        if failure and failure.locked_until and failure.locked_until > iso(self._clock.now()):
            minutes = self._settings.lock_seconds // 60
            raise GovDeskError(
                "AUTH-003", tr("密码连续输错，已暂停登录。"), fix=tr("请在 {minutes} 分钟后再试。", minutes=minutes)
            )


def _key(login: str) -> str:
    return hashlib.sha256(login.encode()).hexdigest()
