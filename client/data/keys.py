"""The store key: one random key per profile, kept only in wrapped form.

It is wrapped for each person who signed in here (argon2id, RFC 9106; ChaCha20-Poly1305, RFC 8439), for each
token with which somebody did (by a secret that only its key brings forth), by a key that the server gives
back at every sign-in (escrow), and by the system keyring where there is a real one. So a forgotten password
never strands unsent work: the server resets the password, and the escrow key opens the same store.
"""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from client.data.profile import SERVICE, Profile, damaged, read_json, write_json
from modules.common.errors import GovDeskError
from modules.common.text import tr

log = logging.getLogger(__name__)

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class KdfCost:
    """argon2id's cost. ``memory`` is in KiB."""

    time: int = 3
    memory: int = 65536
    lanes: int = 4


@dataclass(frozen=True, slots=True)
class TokenWrap:
    """Of what a token makes the secret that opens the store for ``login``: both are chance, and no secrets.

    ``peer`` is a point of P-256 (65 bytes, uncompressed) whose own key nobody has kept.
    """

    login: str
    salt: bytes
    peer: bytes


def wrong_password() -> GovDeskError:
    """The one answer to a wrong name and a wrong password."""
    return GovDeskError("AUTH-002", tr("用户名或密码不正确。"), fix=tr("请检查后重新输入。"))


class KeyRing:
    """The wrapped copies of one profile's store key. ``cost`` applies to wraps made from now on.

    Every change replaces ``keys.json`` atomically. Raises ``GovDeskError`` DATA-005 when it is damaged.
    """

    def __init__(self, profile: Profile, cost: KdfCost | None = None) -> None:
        self._profile = profile
        self._cost = cost or KdfCost()

    def exists(self) -> bool:
        """Whether there is a store key."""
        return self._profile.keys.exists()

    def create(self, escrow: bytes) -> bytes:
        """Make the store key, wrapped by ``escrow`` (32 bytes) and by the system keyring where there is one."""
        if self.exists():
            raise FileExistsError(self._profile.keys)
        key = secrets.token_bytes(KEY_BYTES)
        data: dict[str, Any] = {"format": 1, "people": {}, "escrow": _seal(escrow, key, "escrow")}
        if self._profile.vault is not None:
            outer = secrets.token_bytes(KEY_BYTES)
            entry = f"store-key:{secrets.token_hex(8)}"  # several profiles share one keyring
            try:
                self._profile.vault.set_password(SERVICE, entry, _text(outer))
            except GovDeskError as error:
                log.warning("keyring: %s", error.code)
            else:
                data |= {"keyring": _seal(outer, key, "keyring"), "keyring_entry": entry}
        write_json(self._profile.keys, data)
        return key

    def knows(self, login: str) -> bool:
        """Whether ``login`` has a wrap here: has signed in here before."""
        return login in self._read()["people"]

    def open_with_password(self, login: str, password: str) -> bytes:
        """The store key. Raises ``GovDeskError`` AUTH-002 for a wrong password or an unknown person."""
        entry = self._read()["people"].get(login)
        if entry is None:
            raise wrong_password()
        key = _unseal(_derive(password, entry["kdf"]), entry["box"], f"person:{login}")
        if key is None:
            raise wrong_password()
        return key

    def open_with_escrow(self, escrow: bytes) -> bytes:
        """The store key. Raises ``GovDeskError`` DATA-009 when the server's key does not fit."""
        key = _unseal(escrow, self._read()["escrow"], "escrow")
        if key is None:
            raise GovDeskError(
                "DATA-009",
                tr("服务器给出的密钥打不开本机数据。"),
                fix=tr("未发送的业务仍在本机，请勿删除。请由在这台电脑上登录过的人先登录一次，或联系系统管理员。"),
            )
        return key

    def open_with_keyring(self) -> bytes | None:
        """The store key out of the system keyring, or None where it is not there."""
        data = self._read()
        box = data.get("keyring")
        if box is None or self._profile.vault is None:
            return None
        try:
            outer = self._profile.vault.get_password(SERVICE, data.get("keyring_entry", "store-key"))
        except GovDeskError as error:
            log.warning("keyring: %s", error.code)
            return None
        return _unseal(base64.b64decode(outer), box, "keyring") if outer else None

    def keep_escrow(self, escrow: bytes, key: bytes) -> None:
        """Let the server's key open the store from now on: it has forgotten the one before."""
        data = self._read()
        if _unseal(escrow, data["escrow"], "escrow") != key:
            write_json(self._profile.keys, {**data, "escrow": _seal(escrow, key, "escrow")})

    def device_secret(self, key: bytes) -> str | None:
        """What opens the device's own key, if it was sealed here."""
        box = self._read().get("device")
        secret = _unseal(key, box, "device") if box else None
        return secret.decode("ascii") if secret else None

    def keep_device_secret(self, key: bytes, secret: str) -> None:
        """Seal what opens the device's own key."""
        write_json(self._profile.keys, {**self._read(), "device": _seal(key, secret.encode("ascii"), "device")})

    def add_person(self, login: str, password: str, key: bytes, *, local: bool = False) -> None:
        """Wrap ``key`` for a person, in place of any earlier wrap: at the first sign-in and at each new password.

        ``local``: the password is of this computer alone, and the server knows nothing of it.
        """
        kdf = {**asdict(self._cost), "salt": _text(secrets.token_bytes(16))}
        data = self._read()
        entry = {"kdf": kdf, "box": _seal(_derive(password, kdf), key, f"person:{login}")}
        before = data["people"].get(login, {})
        kept = {"coded": True} if before.get("coded") and not local else {}
        data["people"][login] = {**entry, **kept, **({"local": True} if local else {})}
        write_json(self._profile.keys, data)

    def needs_code(self, login: str) -> bool:
        """Whether the server asks ``login`` for a one-time code beside the password, as far as is known here."""
        return bool(self._read()["people"].get(login, {}).get("coded"))

    def note_code(self, login: str, needed: bool) -> None:
        """Remember that; of somebody who has a wrap here."""
        data = self._read()
        entry = data["people"].get(login)
        if entry is not None and bool(entry.get("coded")) != needed:
            entry["coded"] = needed
            write_json(self._profile.keys, data)

    def is_local(self, login: str) -> bool:
        """Whether ``login`` has a password here that the server does not know."""
        return bool(self._read()["people"].get(login, {}).get("local"))

    def forget_person(self, login: str) -> None:
        """Drop a person's wrap: that person can sign in here again only with the server's consent."""
        data = self._read()
        if data["people"].pop(login, None) is not None:
            write_json(self._profile.keys, data)

    def token(self, name: str) -> TokenWrap | None:
        """How the token whose certificate has the SHA-256 ``name`` opens the store, or None where it does not."""
        entry = self._read().get("tokens", {}).get(name)
        if entry is None:
            return None
        return TokenWrap(entry["login"], base64.b64decode(entry["salt"]), base64.b64decode(entry["peer"]))

    def open_with_token(self, name: str, secret: bytes) -> bytes:
        """The store key by what the token made of its ``TokenWrap``. Raises ``GovDeskError`` AUTH-002."""
        entry = self._read().get("tokens", {}).get(name)
        key = _unseal(secret, entry["box"], f"token:{name}") if entry else None
        if key is None:
            raise wrong_password()
        return key

    def add_token(self, name: str, wrap: TokenWrap, secret: bytes, key: bytes) -> None:
        """Wrap ``key`` for a token by ``secret`` (32 bytes), which it makes of ``wrap`` and nothing else does."""
        data = self._read()
        data.setdefault("tokens", {})[name] = {
            "login": wrap.login,
            "salt": _text(wrap.salt),
            "peer": _text(wrap.peer),
            "box": _seal(secret, key, f"token:{name}"),
        }
        write_json(self._profile.keys, data)

    def forget_tokens(self, *, login: str = "", name: str = "") -> None:
        """Drop the wraps of a person's tokens, or of one token."""
        data = self._read()
        tokens = data.get("tokens", {})
        left = {each: entry for each, entry in tokens.items() if each != name and entry["login"] != login}
        if left != tokens:
            write_json(self._profile.keys, {**data, "tokens": left})

    def _read(self) -> dict[str, Any]:
        data = read_json(self._profile.keys)
        if data is None or data.get("format") != 1 or "people" not in data or "escrow" not in data:
            raise damaged(self._profile.keys.name)
        return data


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _derive(password: str, kdf: Mapping[str, Any]) -> bytes:
    from argon2.low_level import Type, hash_secret_raw

    return hash_secret_raw(
        password.encode(),
        base64.b64decode(kdf["salt"]),
        time_cost=int(kdf["time"]),
        memory_cost=int(kdf["memory"]),
        parallelism=int(kdf["lanes"]),
        hash_len=KEY_BYTES,
        type=Type.ID,
    )


def _seal(outer: bytes, key: bytes, purpose: str) -> str:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    nonce = secrets.token_bytes(12)
    # the purpose is bound in, so that a wrap cannot be passed off as another's
    return _text(nonce + ChaCha20Poly1305(outer).encrypt(nonce, key, purpose.encode()))


def _unseal(outer: bytes, box: str, purpose: str) -> bytes | None:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    sealed = base64.b64decode(box)
    try:
        return ChaCha20Poly1305(outer).decrypt(sealed[:12], sealed[12:], purpose.encode())
    except InvalidTag:
        return None
