"""Who multiplies points of the SM2 curve: OpenSSL where it is there, else our own Python.

An engine knows nothing of digests, identities or certificates: ``sm2`` builds those on it. Keys that live in a token
are no engine but another ``sm2.Key`` (``tokens``), and a key behind the SKF interface (GM/T 0016) would be one too.
"""

from __future__ import annotations

import secrets
from functools import cache
from typing import Protocol

from modules.common.gm import curve


class Engine(Protocol):
    """Arithmetic with and without secrets: points of 65 bytes (04 x y), numbers in 1…n-1, digests of 32 bytes."""

    name: str
    constant_time: bool
    """Whether the time of what takes a secret tells nothing of it."""

    def verify(self, point: bytes, digest: bytes, r: int, s: int) -> bool:
        """Whether (r, s) is a signature of ``digest`` (e of GB/T 32918.2, 7.1) by the key of ``point``."""
        ...

    def sign(self, secret: int, digest: bytes) -> tuple[int, int]:
        """A signature of ``digest`` under ``secret``, with a new random number (GB/T 32918.2, 6.1)."""
        ...

    def multiply(self, secret: int, point: bytes = b"") -> bytes:
        """``secret`` times ``point``, or times the base point. Raises ``ValueError`` when it is none of the curve."""
        ...


class Portable:
    """The engine that is always there."""

    name = "python"
    constant_time = False

    def verify(self, point: bytes, digest: bytes, r: int, s: int) -> bool:
        """See ``Engine``."""
        t = (r + s) % curve.N
        if not (0 < r < curve.N and 0 < s < curve.N and t):
            return False
        try:
            found = curve.multiply_two(s, t, curve.decode(point))
        except ValueError:
            return False
        return found is not None and (int.from_bytes(digest) + found[0]) % curve.N == r

    def sign(self, secret: int, digest: bytes) -> tuple[int, int]:
        """See ``Engine``."""
        while True:
            if made := sign_with(secret, digest, 1 + secrets.randbelow(curve.N - 1)):
                return made

    def multiply(self, secret: int, point: bytes = b"") -> bytes:
        """See ``Engine``."""
        made = curve.multiply(secret, curve.decode(point)) if point else curve.multiply_base(secret)
        return curve.encode(made)


def sign_with(secret: int, digest: bytes, k: int) -> tuple[int, int] | None:
    """The signature that the random number ``k`` makes; None where the standard demands another number."""
    n = curve.N
    r = (int.from_bytes(digest) + curve.multiply_base(k)[0]) % n
    s = pow(1 + secret, -1, n) * (k - r * secret) % n
    return (r, s) if r and s and r + k != n else None


PORTABLE = Portable()


@cache
def engine() -> Engine:
    """The best engine of this machine: OpenSSL 3 when it is there and proves that it knows SM2."""
    from modules.common.gm.libcrypto import load

    return load() or PORTABLE
