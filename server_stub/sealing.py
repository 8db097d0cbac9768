"""What the database holds of people is sealed: SM4-GCM bound to the row, and HMAC-SM3 to find a number again.

Every table with a column ``sealed`` keeps there, as one text, all that tells of people or must stay secret. The key
is a data key of the ring in the table ``sealing_key``, wrapped by the master key that is kept outside (``keyring``).

    row.sealed = seal(session, Person, (person_id,), name)
    name = open_sealed(session, Person, (row.id,), row.sealed)

A value is ``format (1) · key version (2) · nonce (12) · ciphertext · tag (16)``; table and primary key are bound to it,
so that a value moved into another row does not open.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from modules.common.codes import normalise
from modules.common.errors import GovDeskError
from modules.common.gm import NONCE, Sm4Gcm, hmac_sm3
from modules.common.text import tr

if TYPE_CHECKING:
    from server_stub.tables import Base

OPTION = "sealing"
"""The execution option by which engine, connection and session know how to seal."""
KEY_BYTES = 48
"""A data key: 16 bytes that seal, 32 that make the blind index."""
_FORMAT = 1
_HEAD = struct.Struct(">BH")
_NUMBER = re.compile(r"(?=(?:[A-Z]*[0-9]){6})[0-9A-Z]{7,20}")
"""What may be the number of a person, a firm, a phone or a case: six digits at least."""
_DIALLED = re.compile(r"\+?86(1[0-9]{10})")


@dataclass(frozen=True, slots=True)
class _Key:
    cipher: Sm4Gcm
    blind: bytes
    files: bytes


class Sealing:
    """Seals under the newest of its keys, opens under each. Empty until ``use``; safe to share between threads."""

    def __init__(self) -> None:
        self._keys: dict[int, _Key] = {}
        self._newest = 0
        self.reload: Callable[[], None] = lambda: None
        """Asked once when a value names a key that is not known: somebody else may have made it meanwhile."""

    @property
    def newest(self) -> int:
        """The version of the key that seals."""
        return self._newest

    def use(self, keys: Mapping[int, bytes]) -> None:
        """From now on these keys, by version, ``KEY_BYTES`` each."""
        self._keys = {
            version: _Key(Sm4Gcm(key[:16]), key[16:], hmac_sm3(key, b"govdesk seals files"))
            for version, key in keys.items()
        }
        self._newest = max(keys)

    def seal(self, table: type[Base], key: Sequence[Any], text: str) -> bytes:
        """``text``, to be kept in the row of ``table`` whose primary key is ``key``. Raises SRV-050 without keys."""
        newest = self._newest
        if not newest:
            raise _locked()
        nonce = os.urandom(NONCE)
        sealed = self._keys[newest].cipher.seal(nonce, text.encode(), _place(table, key))
        return _HEAD.pack(_FORMAT, newest) + nonce + sealed

    def open(self, table: type[Base], key: Sequence[Any], sealed: bytes) -> str:
        """The text of a row. Raises ``GovDeskError`` SRV-053 when it, or the row around it, is not what was sealed."""
        try:
            version = version_of(sealed)
            if version not in self._keys:
                self.reload()
            nonce = sealed[_HEAD.size : _HEAD.size + NONCE]
            text = self._keys[version].cipher.open(nonce, sealed[_HEAD.size + NONCE :], _place(table, key))
        except (KeyError, ValueError) as error:
            if not self._newest:
                raise _locked() from error
            raise GovDeskError(
                "SRV-053",
                tr("服务器数据表 {table} 中有一行无法解封，可能已被改动。", table=table.__tablename__),
                fix=tr("请联系系统管理员，用最近的备份核对。"),
            ) from error
        return text.decode()

    def file_key(self, version: int) -> bytes:
        """What the keys of files are made from. Raises ``KeyError`` for a version that nobody has, SRV-050 before any
        key is there.
        """
        if not self._newest:
            raise _locked()
        if version not in self._keys:
            self.reload()
        return self._keys[version].files

    def blinds(self, number: str) -> list[bytes]:
        """What the blind index holds for a number under each key, newest first; see ``numbers_in``."""
        text = plain_number(number).encode()
        return [self._blind(version, text) for version in sorted(self._keys, reverse=True)]

    def blind(self, number: str) -> bytes:
        """What the blind index is to hold for a number."""
        return self._blind(self._newest, plain_number(number).encode())

    def _blind(self, version: int, text: bytes) -> bytes:
        return _HEAD.pack(_FORMAT, version) + hmac_sm3(self._keys[version].blind, text)


def version_of(sealed: bytes) -> int:
    """The version of the key that sealed it, or made it blind. Raises ``ValueError`` for what is neither."""
    if len(sealed) < _HEAD.size or sealed[0] != _FORMAT:
        raise ValueError("not of a format that is known")
    version: int = _HEAD.unpack_from(sealed)[1]
    return version


def head_of(version: int) -> bytes:
    """How every value under the key of ``version`` begins."""
    return _HEAD.pack(_FORMAT, version)


def plain_number(text: str) -> str:
    """A number as it is compared: half-width, upper case, without spaces, dashes and the country's prefix."""
    number = normalise(text).replace("-", "")
    dialled = _DIALLED.fullmatch(number)
    return dialled[1] if dialled else number


def numbers_in(words: str) -> set[str]:
    """The numbers among ``words`` by which a record is to be found again: of people, firms, phones, cases."""
    return {word for word in map(plain_number, words.split()) if _NUMBER.fullmatch(word)}


def of(session: Session | Connection) -> Sealing:
    """How the database that a session works on is sealed."""
    bind = session.get_bind() if isinstance(session, Session) else session
    found: Sealing = bind.get_execution_options()[OPTION]
    return found


def seal(session: Session | Connection, table: type[Base], key: Sequence[Any], text: str) -> bytes:
    """``Sealing.seal`` of the session's database."""
    return of(session).seal(table, key, text)


def open_sealed(session: Session | Connection, table: type[Base], key: Sequence[Any], sealed: bytes) -> str:
    """``Sealing.open`` of the session's database."""
    return of(session).open(table, key, sealed)


def sealed_tables(tables: type[Base]) -> Iterable[type[Base]]:
    """The tables with a column ``sealed``."""
    return sorted(
        (mapper.class_ for mapper in tables.registry.mappers if "sealed" in mapper.local_table.columns),
        key=lambda table: table.__tablename__,
    )


def _place(table: type[Base], key: Sequence[Any]) -> bytes:
    # no text of ours holds a NUL: PostgreSQL could not keep it
    return "\0".join((table.__tablename__, *map(str, key))).encode()


def _locked() -> GovDeskError:
    return GovDeskError("SRV-050", tr("服务器数据还没有解锁。"), fix=tr("请检查主密钥文件。"))
