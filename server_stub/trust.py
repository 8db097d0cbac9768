"""What a statement vouches for: who gave a command, and when it may have been given at the latest and the earliest."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from modules.common.clock import iso, parse_iso
from modules.common.errors import Refusal
from modules.common.statement import Statement
from modules.common.text import tr
from server_stub import feed
from server_stub.identity import Identity
from server_stub.tables import Person, SignInSession

KEEP_SESSIONS = timedelta(days=400)
"""Longer than any device stays away: an older statement without its session vouches for nothing."""


DOUBT = "trust:"
"""Before ``person:<id>`` or ``device:<id>``: whoever listens there may have lost the right to (``nudges``)."""


def end_sessions(session: Session, person_id: str, now: str, *which: ColumnElement[bool]) -> None:
    """Take trust from a person's sessions, or from those of them that are meant; open lines of theirs end at once."""
    mine = SignInSession.person_id == person_id, SignInSession.revoked_at.is_(None)
    session.execute(update(SignInSession).where(*mine, *which).values(revoked_at=now))
    feed.tell(session, {f"{DOUBT}person:{person_id}": 0})


def given_at(claimed: datetime, said: Statement | Refusal, received: datetime) -> datetime:
    """When a command was given, as far as it can be true: not after it was received, nor before the sign-in it names.

    The server's time orders. A counter whose clock is a day wrong has been moved by the offset it knows; what is still
    impossible then is moved to the nearest moment that is possible, and shows in the audit log.
    """
    earliest = claimed if isinstance(said, Refusal) else max(claimed, parse_iso(said.issued_at))
    return min(earliest, received)


def out_of_force(said: Statement, device_id: str, at: datetime) -> Refusal | None:
    """Whether the statement speaks for this device at that time."""
    if said.device != device_id:
        return Refusal("AUTH-008", tr("登录凭据属于另一台设备。请重新登录。"))
    # a restored server's clock, or one that was set back, may be behind its own statements
    if not said.holds_at(max(at, parse_iso(said.issued_at))):
        return Refusal("AUTH-018", tr("办理时登录已过期。请重新登录后再办理。"))
    return None


class Trust:
    """When trust in statements ended, read once each in a transaction. ``revoked_at``: the device's own."""

    def __init__(self, session: Session, identity: Identity, now: datetime, revoked_at: str | None) -> None:
        self._session = session
        self._identity = identity
        self._now = now
        self._revoked_at = revoked_at
        self._ends: dict[str, str | None] = {}

    def lost(self, said: Statement, at: datetime) -> Refusal | None:
        """Whether person, session or device had lost the server's trust when the command was given."""
        if said.id not in self._ends:
            query = select(SignInSession.revoked_at, Person.disabled_at).join(
                Person, Person.id == SignInSession.person_id
            )
            row = self._session.execute(query.where(SignInSession.id == said.session_id)).one_or_none()
            ends = tuple(row) if row is not None else self._forgotten(said)
            if ends is None:
                return Refusal("AUTH-017", tr("服务器没有这次登录的记录。请重新登录后再办理。"))
            self._ends[said.id] = min(filter(None, (*ends, self._revoked_at)), default=None)
        revoked_at = self._ends[said.id]
        if revoked_at and revoked_at <= iso(at):
            return Refusal("AUTH-031", tr("办理时，此人的权限或这台设备已被停用。"))
        return None

    def _forgotten(self, said: Statement) -> tuple[str | None, ...] | None:
        """When trust ended in a sign-in that only its statement remembers: the server was restored from a backup.

        The signature says that this server let the person in. None for a statement so old that its session was
        dropped in the course of things, and for a person that is forgotten too, unless a restore explains it.
        """
        if self._now - parse_iso(said.issued_at) >= KEEP_SESSIONS:
            return None
        row = self._session.execute(select(Person.disabled_at).where(Person.id == said.person)).one_or_none()
        if row is not None:
            return tuple(row)
        return () if said.issued_at <= self._identity.recovered_at else None
