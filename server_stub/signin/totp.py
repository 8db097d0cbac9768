"""One-time codes by time (TOTP, RFC 6238) as the second factor beside a password, and codes for when it is lost."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from modules.common.clock import Clock, iso
from modules.common.errors import GovDeskError
from modules.common.text import tr
from server_stub import audit
from server_stub.config import Settings
from server_stub.database import Database
from server_stub.sealing import open_sealed, seal
from server_stub.signin.passwords import readable_secret
from server_stub.tables import Person, PersonRole, SecondFactor
from server_stub.writer import Writer
from sync.protocol import TotpSecret

PERIOD = 30
DIGITS = 6
DRIFT = 1
"""Steps by which a telephone's clock may be off (RFC 6238, 5.2)."""
SECRET_BYTES = 20
RECOVERY_CODES = 10
_ISSUER = "GovDesk"


def code_at(secret: bytes, step: int) -> str:
    """The code of one step of ``PERIOD`` seconds since 1970."""
    # SHA-1 and six digits are what every authenticator app can do; HMAC does not rest on SHA-1's collisions
    return HOTP(secret, DIGITS, SHA1()).generate(step).decode()  # noqa: S303 - see above


def matching_step(secret: bytes, code: str, now: float, last_step: int) -> int | None:
    """The step after ``last_step`` and within the drift whose code this is, or None. ``now`` is seconds since 1970."""
    step = int(now) // PERIOD
    near = (step + offset for offset in (0, *(sign * n for n in range(1, DRIFT + 1) for sign in (-1, 1))))
    given = code.encode()
    found = None
    for candidate in near:
        # all are compared, so that time tells nothing
        if secrets.compare_digest(code_at(secret, candidate).encode(), given) and candidate > last_step:
            found = candidate
    return found


class Totp:
    """Second factors: made, confirmed, asked for, taken away. Secrets are sealed, recovery codes hashed."""

    def __init__(self, database: Database, writer: Writer, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._writer = writer
        self._clock = clock
        self._settings = settings

    def begin(self, person_id: str, login: str) -> TotpSecret:
        """A new secret that counts once ``confirm`` has seen a code of it. Raises AUTH-035 where one counts already."""
        secret = secrets.token_bytes(SECRET_BYTES)

        def store(session: Session) -> None:
            row = session.get(SecondFactor, person_id, with_for_update=True)
            if row is not None and row.confirmed_at:
                raise GovDeskError("AUTH-035", tr("您已经启用了动态口令。"), fix=tr("要换手机，请先停用再启用。"))
            if row is None:
                row = SecondFactor(person_id=person_id, last_step=0)
                session.add(row)
            _keep(session, row, secret, [])

        self._writer.do(store)
        text = base64.b32encode(secret).decode()
        label = quote(f"{_ISSUER}:{login}")
        query = urlencode({"secret": text, "issuer": _ISSUER, "period": PERIOD, "digits": DIGITS, "algorithm": "SHA1"})
        return TotpSecret(text, f"otpauth://totp/{label}?{query}")

    def confirm(self, person_id: str, device_id: str, code: str) -> list[str]:
        """Let the secret count from now on; the recovery codes, never to be seen again. Raises AUTH-034."""
        codes = [readable_secret(3) for _ in range(RECOVERY_CODES)]

        def store(session: Session) -> bool:
            row = session.get(SecondFactor, person_id, with_for_update=True)
            if row is None or row.confirmed_at or not self._fits(session, row, code):
                return False
            row.confirmed_at = iso(self._clock.now())
            _keep(session, row, _secret(session, row), [_hash(each) for each in codes])
            session.flush()
            audit.append(
                session, row.confirmed_at, [audit.Entry("second_factor.enable", person_id, device_id, person_id)]
            )
            return True

        if not self._writer.do(store):
            raise wrong_code()
        return codes

    def enabled(self, session: Session, person_id: str) -> bool:
        """Whether the person's sign-in by password asks for a code."""
        row = session.get(SecondFactor, person_id)
        return row is not None and bool(row.confirmed_at)

    def demanded(self, person: Person, roles: Iterable[str], began: str = "") -> str:
        """By what a person must have a second factor: ``role``, ``person`` or nothing. A session that ``began`` before
        it was asked of the person goes on.
        """
        if not set(self._settings.totp_roles).isdisjoint(roles):
            return "role"
        return "person" if person.totp_since and (not began or began >= person.totp_since) else ""

    def require(self, person_id: str, required: bool, by: str, device_id: str) -> None:
        """Demand a second factor of a person from the next sign-in on, or leave it to the roles."""

        def store(session: Session) -> None:
            person = session.get_one(Person, person_id, with_for_update=True)
            if bool(person.totp_since) == required:
                return
            now = iso(self._clock.now())
            person.totp_since = now if required else ""
            session.flush()
            action = "second_factor.require" if required else "second_factor.release"
            audit.append(session, now, [audit.Entry(action, by, device_id, person_id)])

        self._writer.do(store)

    def uses(self, person_id: str) -> tuple[str, str, int]:
        """Since when a person has one, when it was last used (to half a minute), how many recovery codes are left."""
        with self._database.read() as session:
            row = session.get(SecondFactor, person_id)
            if row is None or not row.confirmed_at:
                return "", "", 0
            used = iso(datetime.fromtimestamp(row.last_step * PERIOD, UTC)) if row.last_step else ""
            return row.confirmed_at, used, len(_recovery(session, row))

    def recovery_left(self, person_id: str) -> int:
        """How many recovery codes are unused."""
        with self._database.read() as session:
            row = session.get(SecondFactor, person_id)
            return len(_recovery(session, row)) if row else 0

    def use(self, person_id: str, device_id: str, code: str) -> bool:
        """Whether ``code`` is right; it is used up then, in the same transaction. A recovery code does as well."""

        def spend(session: Session) -> bool:
            row = session.get(SecondFactor, person_id, with_for_update=True)
            if row is None or not row.confirmed_at:
                return False
            if self._fits(session, row, code):
                return True
            left = _recovery(session, row)
            if _hash(code) not in left:
                return False
            left.remove(_hash(code))
            _keep(session, row, _secret(session, row), left)
            session.flush()
            detail = {"left": len(left)}
            entry = audit.Entry("second_factor.recovery", person_id, device_id, person_id, detail)
            audit.append(session, iso(self._clock.now()), [entry])
            return True

        return self._writer.do(spend)

    def remove(self, person_id: str, by: str, device_id: str) -> None:
        """Ask for no code any more. Raises AUTH-036 for oneself where one is demanded."""

        def drop(session: Session) -> None:
            roles = session.execute(select(PersonRole.role_id).filter_by(person_id=person_id)).scalars().all()
            if by == person_id and self.demanded(session.get_one(Person, person_id), roles):
                raise GovDeskError(
                    "AUTH-036", tr("您必须使用动态口令，不能停用。"), fix=tr("手机丢失时请联系安全管理员。")
                )
            session.execute(delete(SecondFactor).where(SecondFactor.person_id == person_id))
            now = iso(self._clock.now())
            audit.append(session, now, [audit.Entry("second_factor.disable", by, device_id, person_id)])

        self._writer.do(drop)

    def _fits(self, session: Session, row: SecondFactor, code: str) -> bool:
        given = code.strip().replace(" ", "")
        step = matching_step(_secret(session, row), given, self._clock.now().timestamp(), row.last_step)
        if step is None:
            return False
        row.last_step = step
        return True


def _keep(session: Session, row: SecondFactor, secret: bytes, recovery: list[str]) -> None:
    text = json.dumps({"secret": secret.hex(), "recovery": recovery})
    row.sealed = seal(session, SecondFactor, (row.person_id,), text)


def _kept(session: Session, row: SecondFactor) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(open_sealed(session, SecondFactor, (row.person_id,), row.sealed))
    return kept


def _secret(session: Session, row: SecondFactor) -> bytes:
    return bytes.fromhex(_kept(session, row)["secret"])


def _recovery(session: Session, row: SecondFactor) -> list[str]:
    return list(_kept(session, row)["recovery"])


def _hash(code: str) -> str:
    """Of a recovery code as people type it. It has 59 bits of chance, and lies in the seal."""
    return hashlib.sha256("".join(char for char in code.upper() if char.isalnum()).encode()).hexdigest()


def code_wanted() -> GovDeskError:
    """The password was right; what is missing is the code."""
    return GovDeskError("AUTH-032", tr("还需要动态口令。"), fix=tr("请输入手机上显示的六位数字。"))


def wrong_code() -> GovDeskError:
    """The answer to a code that is wrong, too old, or used before."""
    return GovDeskError(
        "AUTH-034", tr("动态口令不正确或已用过。"), fix=tr("请等手机显示下一个数字再输入；每个数字只能用一次。")
    )
