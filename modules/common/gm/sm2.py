"""SM2 (GB/T 32918-2016, curve of GB/T 32918.5-2017): signatures, encryption and key exchange."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from modules.common.gm import curve, der
from modules.common.gm.digests import sm3
from modules.common.gm.engines import Engine, engine

USER = b"1234567812345678"
"""The identity that GM/T 0009-2012, 10 prescribes where none was agreed."""
_CURVE = b"".join(part.to_bytes(32) for part in (curve.A, curve.B, *curve.G))


@lru_cache(256)
def z_value(point: bytes, user: bytes = USER) -> bytes:
    """Z: the digest of an identity, the curve and a public key of 65 bytes (GB/T 32918.2, 5.5)."""
    return sm3((8 * len(user)).to_bytes(2) + user + _CURVE + point[1:])


def message_digest(point: bytes, message: bytes, user: bytes = USER) -> bytes:
    """e: what of ``message`` is signed by the key of ``point``."""
    return sm3(z_value(point, user) + message)


def verify(point: bytes, message: bytes, signature: bytes, user: bytes = USER, by: Engine | None = None) -> bool:
    """Whether ``signature`` (DER or 64 bytes) over ``message`` is one by the public key ``point`` (65 bytes)."""
    try:
        r, s = der.signature(signature)
    except der.DerError:
        return False
    return (by or engine()).verify(point, message_digest(point, message, user), r, s)


class Key(Protocol):
    """A private key, wherever it lives."""

    @property
    def point(self) -> bytes:
        """Its public key, 65 bytes."""
        ...

    @property
    def constant_time(self) -> bool:
        """False when the time that a signature takes may tell of the key; then people are to be told so."""
        ...

    def sign_digest(self, digest: bytes) -> tuple[int, int]:
        """(r, s) over a digest made by ``message_digest``."""
        ...


def sign(key: Key, message: bytes, user: bytes = USER) -> bytes:
    """The DER signature over ``message`` (GB/T 32918.2, 6)."""
    r, s = key.sign_digest(message_digest(key.point, message, user))
    return der.sequence(der.integer(r), der.integer(s))


@dataclass(frozen=True, slots=True)
class SoftKey:
    """A private key in this process's memory. ``secret`` lies in 1…n-2. Raises ``ValueError`` when it does not."""

    secret: int = field(repr=False)
    engine: Engine = field(default_factory=engine, repr=False)
    point: bytes = field(init=False)

    def __post_init__(self) -> None:
        if not 0 < self.secret < curve.N - 1:
            raise ValueError("not a private key")
        object.__setattr__(self, "point", self.engine.multiply(self.secret))

    @property
    def constant_time(self) -> bool:
        """See ``Key``."""
        return self.engine.constant_time

    def sign_digest(self, digest: bytes) -> tuple[int, int]:
        """See ``Key``."""
        return self.engine.sign(self.secret, digest)


def generate(by: Engine | None = None) -> SoftKey:
    """A new key from the system's random numbers (GB/T 32918.1, 6.1)."""
    return SoftKey(1 + secrets.randbelow(curve.N - 2), by or engine())


def kdf(shared: bytes, length: int) -> bytes:
    """``length`` bytes derived from a shared secret (GB/T 32918.3, 5.4.3)."""
    blocks = (sm3(shared + count.to_bytes(4)) for count in range(1, -(-length // 32) + 1))
    return b"".join(blocks)[:length]


def encrypt(point: bytes, text: bytes, by: Engine | None = None, *, k: int = 0) -> bytes:
    """``text`` for the key of ``point``, as the DER of GM/T 0009-2012, 7.2. ``k`` is for the standard's examples only.

    Raises ``ValueError`` when ``text`` is empty or ``point`` is none.
    """
    if not text:
        raise ValueError("nothing to encrypt")
    by = by or engine()
    while True:
        number = k or 1 + secrets.randbelow(curve.N - 1)
        first, shared = by.multiply(number), by.multiply(number, point)
        mask = kdf(shared[1:], len(text))
        if any(mask):
            break
    x, y = int.from_bytes(first[1:33]), int.from_bytes(first[33:])
    check = sm3(shared[1:33] + text + shared[33:])
    return der.sequence(der.integer(x), der.integer(y), der.octets(check), der.octets(_xor(text, mask)))


def decrypt(key: SoftKey, sealed: bytes) -> bytes:
    """What ``encrypt`` was given; ``sealed`` is DER, or the bytes C1 C3 C2 of GB/T 32918.4-2016.

    Raises ``ValueError`` when a bit of it differs or it is for another key.
    """
    if sealed[:1] == b"\x04":
        first, check, hidden = sealed[:65], sealed[65:97], sealed[97:]
    else:
        parts = der.read(sealed).sequence()
        if len(parts) != 4:
            raise ValueError("not an SM2 ciphertext")
        x, y = parts[0].int(), parts[1].int()
        if not (0 <= x < curve.P and 0 <= y < curve.P):
            raise ValueError("not a point of the curve")
        first, check, hidden = curve.encode((x, y)), parts[2].expect(der.OCTETS).body, parts[3].expect(der.OCTETS).body
    shared = key.engine.multiply(key.secret, first)
    text = _xor(hidden, kdf(shared[1:], len(hidden)))
    if not hidden or not secrets.compare_digest(sm3(shared[1:33] + text + shared[33:]), check):
        raise ValueError("the check value does not fit")
    return text


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left) ^ int.from_bytes(right)).to_bytes(len(left))


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a key exchange gives one side: the key, the check value to send and the one to expect."""

    key: bytes
    send: bytes
    expect: bytes


@dataclass(frozen=True, slots=True)
class Side:
    """What one side of an exchange shows: its public key, its temporary public key and its identity."""

    point: bytes
    ephemeral: bytes
    user: bytes = USER


def exchange(
    own: SoftKey, ephemeral: SoftKey, other: Side, length: int, *, initiator: bool, user: bytes = USER
) -> Agreed:
    """The key of ``length`` bytes shared with ``other`` (GB/T 32918.3, 6), with check values for confirming it.

    Raises ``ValueError`` when the other side's points are none, or the shared point is infinity.
    """

    def folded(point: bytes) -> int:
        return 2**127 + (int.from_bytes(point[1:33]) & (2**127 - 1))

    curve.decode(other.point)
    mine = (own.secret + folded(ephemeral.point) * ephemeral.secret) % curve.N
    theirs = own.engine.multiply(folded(other.ephemeral), other.ephemeral)
    total = curve.add_affine((*curve.decode(other.point), 1), curve.decode(theirs))
    if not mine or not total[2]:
        raise ValueError("no shared point")
    [base] = curve.to_affine([total])
    shared = own.engine.multiply(mine, curve.encode(base))
    x, y = shared[1:33], shared[33:]
    sides = [(z_value(own.point, user), ephemeral.point), (z_value(other.point, other.user), other.ephemeral)]
    (z_a, r_a), (z_b, r_b) = sides if initiator else sides[::-1]
    inner = sm3(x + z_a + z_b + r_a[1:] + r_b[1:])
    from_b, from_a = sm3(b"\x02" + y + inner), sm3(b"\x03" + y + inner)
    send, expect = (from_a, from_b) if initiator else (from_b, from_a)
    return Agreed(kdf(x + y + z_a + z_b, length), send, expect)
