"""Session statements: what the server says of a signed-in person, signed (Ed25519, RFC 8032).

A command carries the statement of the person who gave it, so that work done offline can be judged
later, under whoever is signed in then, for the time at which it was done.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache

from modules.common.clock import parse_iso
from modules.common.errors import GovDeskError
from modules.common.permissions import Actor
from modules.common.text import tr


@dataclass(frozen=True, slots=True)
class Statement:
    """The claims. Times are UTC text as ``clock.iso`` writes them; ``scopes`` are the feeds the person may read.

    Each statement of one sign-in names the same ``session``. It answers questions until ``online_until``
    (empty in statements of old) and vouches for commands until ``expires_at``.
    """

    id: str
    person: str
    login: str
    name: str
    device: str
    issued_at: str
    expires_at: str
    hall_id: str = ""
    department_id: str = ""
    roles: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    session: str = ""
    online_until: str = ""

    @property
    def session_id(self) -> str:
        """The sign-in that the statement belongs to."""
        return self.session or self.id

    def actor(self) -> Actor:
        """The actor of rules and permission checks."""
        return Actor(
            id=self.person,
            login=self.login,
            name=self.name,
            hall_id=self.hall_id,
            department_id=self.department_id,
            roles=frozenset(self.roles),
            permissions=frozenset(self.permissions),
        )

    def holds_at(self, moment: datetime) -> bool:
        """Whether the statement is in force at ``moment``."""
        return parse_iso(self.issued_at) <= moment < parse_iso(self.expires_at)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _invalid() -> GovDeskError:
    return GovDeskError("AUTH-007", tr("登录凭据无法识别。"), fix=tr("请重新登录。"))


def sign(statement: Statement, private_key: bytes) -> str:
    """The token: payload and signature, base64url, with a dot between. ``private_key`` is 32 raw bytes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    payload = json.dumps(asdict(statement), ensure_ascii=False, separators=(",", ":")).encode()
    return f"{_b64(payload)}.{_b64(Ed25519PrivateKey.from_private_bytes(private_key).sign(payload))}"


def read(token: str) -> Statement:
    """The claims of a token, signature unchecked: for the client, which trusts its own TLS answer."""
    try:
        data = json.loads(_unb64(token.partition(".")[0]))
        for key in ("roles", "permissions", "scopes"):
            data[key] = tuple(data[key])
        # what a newer server says beyond this is not ours to judge
        return Statement(**{key: value for key, value in data.items() if key in Statement.__dataclass_fields__})
    except (ValueError, TypeError, KeyError, UnicodeDecodeError) as error:
        raise _invalid() from error


@lru_cache(maxsize=4096)
def verify(token: str, public_key: bytes) -> Statement:
    """The claims of a token that ``public_key`` (32 raw bytes) signed. Raises ``GovDeskError`` AUTH-007."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    payload, _, signature = token.partition(".")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(_unb64(signature), _unb64(payload))
    except (InvalidSignature, ValueError) as error:
        raise _invalid() from error
    return read(token)
