"""An encrypted file that is written and read as a stream: any changed, missing or added byte is noticed.

``GOVDESK-BACKUP-1``, a line of JSON that says how the file's key is wrapped, then chunks of 64 KiB, SM4-GCM each, whose
nonce is the chunk's number and whether it is the last one (the STREAM construction): none can be left out, moved or cut
off. The digest of the head is bound to each. The key is random for each file, and wrapped for a recipient (X25519) or
under a passphrase (argon2id).
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from typing import IO, Any

from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from modules.common.errors import GovDeskError
from modules.common.gm import NONCE, TAG, Sm4Gcm, hmac_sm3, sm3
from modules.common.text import tr

MAGIC = b"GOVDESK-BACKUP-1\n"
CHUNK = 64 * 1024
HEAD_LIMIT = 4096
RECIPIENT, OPENER = "govdesk-recipient-", "govdesk-opener-"
"""How the two halves of a key begin: what a server needs to write, and what is needed to read."""
_KEY = 16
_ARGON = {"time_cost": 3, "memory_cost": 64 * 1024, "parallelism": 4}


@dataclass(frozen=True, slots=True)
class Secret:
    """What opens or closes a file: a recipient or an opener, or any other text, which is a passphrase."""

    text: str


def recipient(text: str) -> Secret:
    """A recipient; a passphrase belongs into a file, not here. Raises ``GovDeskError`` SRV-038."""
    if not text.startswith(RECIPIENT):
        raise _nobody()
    return Secret(text)


def secret_in(text: str) -> Secret:
    """What stands in a file: an opener, a recipient or a passphrase. Raises ``GovDeskError`` SRV-038 for nothing."""
    if not text.strip():
        raise _nobody()
    return Secret(text.strip())


def _nobody() -> GovDeskError:
    return GovDeskError(
        "SRV-038",
        tr("没有指定备份的密钥。"),
        fix=tr("请先用 backup-key 建立密钥，或用 --secret-file 指定口令文件。"),
    )


def new_pair() -> tuple[str, str]:
    """An opener, to be kept away from the server, and its recipient, for the server."""
    private = X25519PrivateKey.generate()
    return OPENER + private.private_bytes_raw().hex(), RECIPIENT + private.public_key().public_bytes_raw().hex()


def wrong_secret() -> GovDeskError:
    return GovDeskError("SRV-034", tr("备份的密钥或口令不对，或备份文件开头已损坏。"), fix=tr("请核对密钥文件。"))


def damaged() -> GovDeskError:
    return GovDeskError("SRV-035", tr("备份文件已损坏或不完整，没有使用。"), fix=tr("请换一份备份。"))


def _closing(secret: Secret) -> tuple[dict[str, Any], bytes]:
    """How the key that wraps is found again, and that key."""
    if secret.text.startswith(OPENER):
        private = X25519PrivateKey.from_private_bytes(_raw(secret.text, OPENER))
        secret = Secret(RECIPIENT + private.public_key().public_bytes_raw().hex())
    if secret.text.startswith(RECIPIENT):
        recipient = _raw(secret.text, RECIPIENT)
        once = X25519PrivateKey.generate()
        shared = once.exchange(X25519PublicKey.from_public_bytes(recipient))
        public = once.public_key().public_bytes_raw()
        return {"once": public.hex()}, hmac_sm3(shared, public + recipient)[:_KEY]
    salt = secrets.token_bytes(16)
    return {"salt": salt.hex(), **_ARGON}, _from_passphrase(secret.text, salt, _ARGON)


def _opening(secret: Secret, how: dict[str, Any]) -> bytes:
    if "once" in how:
        if not secret.text.startswith(OPENER):
            raise wrong_secret()
        private = X25519PrivateKey.from_private_bytes(_raw(secret.text, OPENER))
        public = bytes.fromhex(how["once"])
        shared = private.exchange(X25519PublicKey.from_public_bytes(public))
        return hmac_sm3(shared, public + private.public_key().public_bytes_raw())[:_KEY]
    costs = {name: int(how[name]) for name in _ARGON}
    if costs["memory_cost"] > 2**21 or costs["time_cost"] > 100:
        raise damaged()
    return _from_passphrase(secret.text, bytes.fromhex(how["salt"]), costs)


def _from_passphrase(text: str, salt: bytes, costs: dict[str, int]) -> bytes:
    return hash_secret_raw(text.encode(), salt, hash_len=_KEY, type=Type.ID, **costs)


def _raw(text: str, prefix: str) -> bytes:
    try:
        raw = bytes.fromhex(text.removeprefix(prefix))
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise wrong_secret()
    return raw


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(NONCE - 1, "big") + bytes([last])


class Writer:
    """Takes bytes and writes them sealed; without ``close`` the file is one that was cut off."""

    def __init__(self, file: IO[bytes], secret: Secret) -> None:
        how, wrapping = _closing(secret)
        self.key = os.urandom(_KEY)
        nonce = os.urandom(NONCE)
        wrapped = nonce + Sm4Gcm(wrapping).seal(nonce, self.key, MAGIC)
        head = MAGIC + json.dumps({**how, "key": wrapped.hex()}).encode() + b"\n"
        file.write(head)
        self._file, self._bound, self._cipher = file, sm3(head), Sm4Gcm(self.key)
        self._rest, self._number = bytearray(), 0

    def write(self, data: bytes) -> int:
        """Add bytes."""
        self._rest += data
        while len(self._rest) > CHUNK:
            self._put(bytes(self._rest[:CHUNK]), last=False)
            del self._rest[:CHUNK]
        return len(data)

    def close(self) -> None:
        """Write the last chunk: from now on the file is whole."""
        self._put(bytes(self._rest), last=True)

    def _put(self, chunk: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.seal(_nonce(self._number, last), chunk, self._bound))
        self._number += 1


class Reader:
    """Gives the bytes back, each chunk after its tag was checked. Raises SRV-034 and SRV-035.

    ``key`` instead of a secret: who has just written a file reads it again.
    """

    def __init__(self, file: IO[bytes], secret: Secret | None = None, key: bytes = b"") -> None:
        magic = file.read(len(MAGIC))
        line = file.readline(HEAD_LIMIT)
        if magic != MAGIC or not line.endswith(b"\n"):
            raise damaged()
        if secret is not None:
            try:
                how = json.loads(line)
                wrapped = bytes.fromhex(how["key"])
                key = Sm4Gcm(_opening(secret, how)).open(wrapped[:NONCE], wrapped[NONCE:], MAGIC)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise wrong_secret() from error
        self._file, self._bound, self._cipher = file, sm3(magic + line), Sm4Gcm(key)
        self._ahead = file.read(CHUNK + TAG)
        self._rest, self._number, self.ended = b"", 0, False

    def read(self, size: int = -1) -> bytes:
        """The next ``size`` bytes, fewer at the end; all that is left for -1."""
        parts, wanted = [], size
        while wanted != 0:
            if not self._rest:
                if self.ended:
                    break
                self._rest = self._next()
                continue
            part = self._rest if wanted < 0 else self._rest[:wanted]
            self._rest = self._rest[len(part) :]
            parts.append(part)
            wanted -= len(part) if wanted > 0 else 0
        return b"".join(parts)

    def finish(self) -> None:
        """Read to the end, so that all of it has been checked."""
        while not self.ended:
            self._next()
        self._rest = b""

    def _next(self) -> bytes:
        chunk, self._ahead = self._ahead, self._file.read(CHUNK + TAG)
        self.ended = not self._ahead
        try:
            text = self._cipher.open(_nonce(self._number, self.ended), chunk, self._bound)
        except ValueError as error:
            raise damaged() from error
        self._number += 1
        return text
