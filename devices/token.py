"""Keys on tokens, as whoever signs in uses them: found, unlocked by a PIN, watched. The driver lives in a host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from devices import wire
from devices.host import Hosted
from devices.ports import TokenKey

LOOK_SECONDS = 10.0
USE_SECONDS = 30.0
"""A token that makes a signature may take seconds, and some ask for a touch."""
WATCH_SECONDS = 5.0


class HostedToken(Hosted):
    """The tokens behind one library. All calls block, and raise ``DeviceError`` DEV-00… and DEV-50…"""

    def certificates(self) -> Sequence[TokenKey]:
        """What is on the tokens that are there. Raises DEV-501, DEV-502, DEV-505."""
        return [
            TokenKey(**{**found, "certificate": wire.bytes_from_wire(found["certificate"])})
            for found in self._call("certificates", {}, LOOK_SECONDS)
        ]

    def unlock(self, key: TokenKey, pin: str) -> UnlockedKey:
        """Open the token for use. Raises DEV-502, DEV-503, DEV-504."""
        self._call("unlock", {"serial": key.serial, "pin": pin}, USE_SECONDS)
        return UnlockedKey(self, key)

    def lock(self, key: TokenKey) -> None:
        """Forget that the PIN was entered."""
        self._call("lock", {"serial": key.serial}, LOOK_SECONDS)

    def present(self, key: TokenKey) -> bool:
        """Whether the token is still there."""
        return bool(self._call("present", {"serial": key.serial}, WATCH_SECONDS))

    def use(self, what: str, key: TokenKey, **args: bytes) -> bytes | None:
        """``sign`` or ``secret`` (see ``pkcs11_token``)."""
        sent: dict[str, Any] = {name: wire.bytes_to_wire(value) for name, value in args.items()}
        made = self._call(what, {"serial": key.serial, "id": key.id, **sent}, USE_SECONDS)
        return wire.bytes_from_wire(made) if made is not None else None


class UnlockedKey:
    """A key that signs (``sync.store_key.Signer``), until its token is locked or pulled out."""

    def __init__(self, token: HostedToken, key: TokenKey) -> None:
        self._token = token
        self.key = key

    @property
    def certificate(self) -> bytes:
        return self.key.certificate

    def sign(self, message: bytes) -> bytes:
        """See ``Signer.sign``."""
        made = self._token.use("sign", self.key, message=message)
        assert made is not None
        return made

    def secret(self, salt: bytes, peer: bytes) -> bytes | None:
        """See ``Signer.secret``."""
        return self._token.use("secret", self.key, salt=salt, peer=peer)

    def present(self) -> bool:
        """Whether the token is still there."""
        return self._token.present(self.key)
