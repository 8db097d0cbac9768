"""Wire types of the synchronisation between a device and the central server, shared by both.

A device pushes commands, contiguously numbered; the server acknowledges each by itself. A device
pulls changes per scope, by a counter without gaps. Times on the wire are UTC text (``clock.iso``).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeVar

import msgspec

T = TypeVar("T")

PROTOCOL = 2
"""1 (2026-11-22): commands with statements, per-scope feeds, leased numbers.
2 (2026-12-01): commands may be deferred, and say how well their clock was known; feeds are thinned, and tell a digest.
"""
PROTOCOL_MIN = 1
"""A device of protocol 1 is refused what another is deferred, and must upgrade before it reads a thinned part."""
PUSH_LIMIT = 100
"""Commands in one push at most."""
PULL_LIMIT = 500
"""Changes in one page at most."""

AckStatus = Literal["applied", "refused", "deferred", "gap", "hash_mismatch"]


@dataclass(frozen=True, slots=True)
class WireCommand:
    """A command on its way. ``n`` counts per device from 1; ``at`` is when it was given, by the client's
    clock moved by its last known offset; ``statement`` is the token of the person who gave it;
    ``number`` is ``{"series": str, "serial": int}`` when the command uses a leased number; ``clock`` is
    ``{"offset_ms": int, "error_ms": int}``: by how much the client's clock was moved, and how well that was known.
    """

    n: int
    cmd_id: str
    kind: str
    aggregate_id: str
    type: str
    version: int
    base_rev: int
    at: str
    statement: str
    body: dict[str, Any]
    number: dict[str, Any] | None = None
    clock: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class PushRequest:
    """``epoch`` is the server epoch the device last saw, empty at first."""

    proto: int
    epoch: str
    client_time: str
    cmds: list[WireCommand]


@dataclass(frozen=True, slots=True)
class Ack:
    """The fate of one command. Final: ``applied`` and ``refused``. ``deferred``: its number is spent, and it waits for
    what ``error`` names; the device sends it again, as it is, until it is decided. ``duplicate`` says that it is a
    stored answer. ``gap`` asks for the number in ``PushReply.expected_n``. ``hash_mismatch``: the id is
    known with another body. ``error`` is ``{"code", "message", "fields"}``.
    """

    cmd_id: str
    n: int
    status: AckStatus
    duplicate: bool = False
    rev: int = 0
    error: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class PushReply:
    """``expected_n`` is the next number that the server waits for from this device."""

    epoch: str
    server_time: str
    expected_n: int
    acks: list[Ack]


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a feed: the whole document after it. ``cause`` is the command's id, or empty."""

    seq: int
    kind: str
    id: str
    rev: int
    op: Literal["put", "tombstone"]
    doc: dict[str, Any]
    summary: dict[str, Any]
    cause: str = ""


@dataclass(frozen=True, slots=True)
class ChangesReply:
    """Changes with ``since < seq <= to``. A number that is missing was thinned away if it is not above ``floor``, and
    is lost if it is. ``snapshot_required``: forget the cursor, ask from 0. ``count`` and ``digest`` say what the feed
    holds at ``to`` (``modules.common.digests``), when that is its end; else ``count`` is -1.
    """

    epoch: str
    server_time: str
    scope: str
    since: int
    to: int
    more: bool
    snapshot_required: bool
    changes: list[Change]
    floor: int = 0
    count: int = -1
    digest: int = 0


@dataclass(frozen=True, slots=True)
class Nudge:
    """The feed ``scope`` has reached ``seq``. It carries nothing else, and its loss does no harm."""

    scope: str
    seq: int


@dataclass(frozen=True, slots=True)
class LeaseRequest:
    """Asks for ``count`` serials of ``series``."""

    series: str
    count: int


@dataclass(frozen=True, slots=True)
class Lease:
    """Serials ``first`` … ``last`` belong to the asking device."""

    series: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class EnrolRequest:
    """``code`` is the one-time enrolment code; ``name`` the counter's or room's name; ``csr`` (PEM) a request for a
    certificate by a key on P-256. ``device``: this computer was a device before, and wants to be it again.
    ``keyless``: it has no system keyring, so that its key opens only when somebody signs in.
    """

    code: str
    csr: str
    name: str = ""
    device: str = ""
    keyless: bool = False


@dataclass(frozen=True, slots=True)
class Enrolment:
    """``certificate`` (PEM) is the device's credential. ``hall_id`` and ``name`` come from the code. ``escrow``
    (base64) opens a store that is yet to be made; empty for a device that has one. ``pins``: see ``Hello``.
    """

    device: str
    certificate: str
    name: str
    hall_id: str
    series: str
    escrow: str
    pins: list[str]


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A device asks for its next certificate, while the present one (or the token of old) is good."""

    csr: str
    keyless: bool = False


@dataclass(frozen=True, slots=True)
class CertificateReply:
    """``certificate`` (PEM) replaces the present one as soon as it is used. ``pins``: see ``Hello``."""

    certificate: str
    pins: list[str]


@dataclass(frozen=True, slots=True)
class ChallengeRequest:
    """Asks for a challenge of ``method`` (``certificate``, ``oidc``); a browser is to come back to ``redirect``."""

    method: str
    redirect: str = ""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a device answers once before ``expires_at``: signs (see ``challenge_message``), or lets a browser open
    ``url``, which comes back with ``state=<id>``.
    """

    id: str
    expires_at: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """``method`` ``password``: login, password and, where it is asked for, ``code`` (TOTP or a recovery code).
    ``certificate``: ``answer`` is the signature (base64) of the challenge's message by ``certificate`` (DER, base64).
    ``oidc``: ``answer`` is the authorization code. With those two, login and password bind a proof that is
    nobody's yet.
    """

    login: str
    password: str
    method: str = "password"
    code: str = ""
    challenge: str = ""
    answer: str = ""
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class SignInReply:
    """``statement`` is the token; ``escrow`` (base64) opens the device's store key (see client.data.keys);
    ``offline_seconds`` is how long the person may sign in here without the server; ``renew_seconds`` after how long
    the statement should be renewed. A renewal has no escrow. ``totp``: the password alone does not let the person in.
    """

    statement: str
    escrow: str
    server_time: str
    offline_seconds: int
    must_change_password: bool = False
    must_enrol_totp: bool = False
    renew_seconds: int = 0
    totp: bool = False


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One of a person's own sessions. ``signed_out``: it answers no more, but still vouches for offline work."""

    id: str
    place: str
    method: str
    signed_in_at: str
    seen_at: str
    current: bool
    signed_out: bool


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """Which of one's own sessions to end; empty: all but the asking one."""

    session: str = ""


@dataclass(frozen=True, slots=True)
class CertificateInfo:
    """A certificate bound to a person; ``revoked_at`` is empty while it stands, ``used_at`` before its first use."""

    fingerprint: str
    subject: str
    not_after: str
    bound_at: str
    revoked_at: str
    used_at: str = ""


@dataclass(frozen=True, slots=True)
class OwnSignIn:
    """How a person may sign in."""

    totp: bool
    totp_required: bool
    recovery_left: int
    certificates: list[CertificateInfo]


@dataclass(frozen=True, slots=True)
class TotpBegin:
    password: str


@dataclass(frozen=True, slots=True)
class TotpSecret:
    """A new secret (base32) and the same as an ``otpauth`` address; shown once."""

    secret: str
    url: str


@dataclass(frozen=True, slots=True)
class TotpConfirm:
    code: str


@dataclass(frozen=True, slots=True)
class RecoveryCodes:
    """For when the telephone is lost; each once; shown once."""

    codes: list[str]


@dataclass(frozen=True, slots=True)
class TotpRemove:
    password: str
    code: str


@dataclass(frozen=True, slots=True)
class PasswordChange:
    login: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Hello:
    """What a server says to anyone. ``demo`` lists one-click people, only on a demonstration server. ``pins``: SHA-256
    (hex) of the public keys by which the server is known, the present one and the next. ``methods`` are
    the ways to sign in; ``oidc_name`` is what people call the provider of single sign-on.
    """

    product: str
    version: str
    name: str
    proto: int
    proto_min: int
    epoch: str
    server_time: str
    ca_sha256: str
    demo: list[dict[str, str]] = field(default_factory=list)
    pins: list[str] = field(default_factory=list)
    methods: list[str] = field(default_factory=lambda: ["password"])
    oidc_name: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """The body of every answer that is not 2xx: code and sentence for people."""

    code: str
    message: str
    fix: str = ""
    fields: dict[str, str] = field(default_factory=dict)


PATHS = {
    "hello": "/v1/hello",
    "ca": "/v1/ca.pem",
    "enrol": "/v1/devices/enrol",
    "certificate": "/v1/devices/certificate",
    "sign_in": "/v1/sign-in",
    "sign_out": "/v1/sign-out",
    "challenge": "/v1/sign-in/challenge",
    "own": "/v1/sign-in/own",
    "renew": "/v1/sessions/renew",
    "sessions": "/v1/sessions",
    "end_session": "/v1/sessions/end",
    "totp_begin": "/v1/totp/begin",
    "totp_confirm": "/v1/totp/confirm",
    "totp_remove": "/v1/totp/remove",
    "password": "/v1/password",
    "push": "/v1/sync/push",
    "changes": "/v1/sync/changes",
    "lease": "/v1/sync/lease",
    "nudges": "/v1/sync/nudges",
}
BLOB_PATH = "/v1/blobs/"
"""Before the SHA-256 of a page or file: GET gives its bytes, or a range of them."""
UPLOAD_PATH = "/v1/uploads"
"""Where pages and files are handed in by tus (https://tus.io/protocols/resumable-upload): POST creates, with the
SHA-256 in ``Upload-Metadata``; ``/<sha256>`` is the asking device's upload of that content."""
TUS = "1.0.0"
TUS_BODY = "application/offset+octet-stream"
DEVICE_HEADER = "GovDesk-Device"
"""Carries the device's id where it cannot show its certificate yet; ``<id>:<token>`` from one enrolled long ago."""
STATEMENT_HEADER = "GovDesk-Statement"
"""Carries the signed-in person's statement token, on whatever a person asks."""
CODE_HEADER = "GovDesk-Code"
"""Carries the code of a ``Problem``."""


def to_wire(value: Any) -> Any:
    """A dataclass of this module as JSON-able data."""
    return asdict(value)


def from_wire(cls: type[T], data: Any) -> T:
    """Build ``cls`` from decoded JSON. Unknown keys are ignored (a newer peer); raises ``ValueError`` when
    something needed is missing or of another type."""
    try:
        return msgspec.convert(data, cls)
    except msgspec.ValidationError as error:
        raise ValueError(f"not a {cls.__name__}: {error}") from error


def pulled(body: bytes) -> ChangesReply:
    """The answer to a pull, from its JSON. Documents stay as they came: they are stored, and read when somebody looks.
    Raises ``ValueError`` as ``from_wire``, and for what is not JSON, the documents included.
    """
    try:
        return msgspec.json.decode(body, type=_Pulled)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a ChangesReply: {error}") from error


@dataclass(frozen=True, slots=True)
class _PulledChange(Change):
    doc: msgspec.Raw  # type: ignore[assignment]  # the same on the wire


@dataclass(frozen=True, slots=True)
class _Pulled(ChangesReply):
    changes: list[_PulledChange]  # type: ignore[assignment]  # read only


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: what is hashed. Raises ``ValueError`` for what JSON or UTF-8 cannot say."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def challenge_message(challenge: str, device: str) -> bytes:
    """What a certificate's key signs: nothing that could mean anything elsewhere, on another device or another day."""
    return f"GovDesk sign-in\n{device}\n{challenge}".encode()


def body_hash(command: WireCommand) -> str:
    """SHA-256 over everything that makes the command what it is; the same id with another hash is refused."""
    import hashlib

    said = asdict(command)
    if command.clock is None:
        del said["clock"]  # as protocol 1 hashed it
    return hashlib.sha256(canonical(said)).hexdigest()
