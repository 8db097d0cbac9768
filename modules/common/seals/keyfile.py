"""A seal and its key as an encrypted file, for signers without a token.

::

    SealFile ::= SEQUENCE { Head, OCTET STRING }
    Head ::= SEQUENCE { version INTEGER, salt OCTET STRING, memory INTEGER (KiB), passes INTEGER, nonce OCTET STRING }

The second part is SM4-GCM over SEQUENCE { seal, certificate, key, SEQUENCE OF certificate } (all OCTET STRING), bound
to the head, under a key that argon2id (RFC 9106) makes of the password.
"""

from __future__ import annotations

import secrets

from modules.common.errors import GovDeskError
from modules.common.gm import NONCE, Sm4Gcm, der, sm2
from modules.common.gm.certificates import read_certificate
from modules.common.passwords import MIN_LENGTH, password_refusal
from modules.common.seals import ses
from modules.common.seals.making import Issued
from modules.common.text import tr

SUFFIX = ".govseal"
_MEMORY_KIB, _PASSES, _KEY = 64 * 1024, 3, 16
_MOST_MEMORY_KIB, _MOST_PASSES = 256 * 1024, 8


def seal_file(issued: Issued, password: str, *, memory_kib: int = _MEMORY_KIB) -> bytes:
    """The encrypted file. Raises ``GovDeskError`` SEAL-011 for a password that is too weak."""
    if no := password_refusal("", password):
        raise GovDeskError("SEAL-011", no.message, fix=tr("请换一个至少 {n} 位的口令。", n=MIN_LENGTH))
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(NONCE)
    numbers = (der.integer(memory_kib), der.integer(_PASSES))
    head = der.sequence(der.integer(1), der.octets(salt), *numbers, der.octets(nonce))
    text = der.sequence(
        der.octets(issued.seal.raw if issued.seal else b""),
        der.octets(issued.certificate.raw),
        der.octets(issued.key.secret.to_bytes(32)),
        der.sequence(*(der.octets(each.raw) for each in issued.chain)),
    )
    hidden = Sm4Gcm(_derive(password, salt, memory_kib, _PASSES)).seal(nonce, text, head)
    return der.sequence(head, der.octets(hidden))


def open_seal_file(data: bytes, password: str) -> Issued:
    """What ``seal_file`` was given. Takes some 0.2 s and 64 MiB.

    Raises ``GovDeskError``: SEAL-012 for what is no such file, SEAL-013 for a wrong password or a changed file.
    """
    try:
        head, hidden = der.read(data).sequence()
        version, salt, memory, passes, nonce = head.sequence()
        cost = memory.int(), passes.int()
        if version.int() != 1 or not (8 <= cost[0] <= _MOST_MEMORY_KIB and 1 <= cost[1] <= _MOST_PASSES):
            raise der.DerError("another version")
        key = _derive(password, salt.expect(der.OCTETS).body, *cost)
        sealed = hidden.expect(der.OCTETS).body
    except ValueError as error:
        raise GovDeskError(
            "SEAL-012", tr("这不是印章文件，或文件已损坏。"), fix=tr("请重新向制章部门领取。")
        ) from error
    try:
        text = Sm4Gcm(key).open(nonce.expect(der.OCTETS).body, sealed, head.raw)
    except ValueError as error:
        raise GovDeskError("SEAL-013", tr("印章口令不正确。"), fix=tr("请重新输入；口令遗失须重新制章。")) from error
    seal, certificate, secret, chain = der.read(text).sequence()
    return Issued(
        ses.read_seal(seal.body) if seal.body else None,
        read_certificate(certificate.body),
        sm2.SoftKey(int.from_bytes(secret.body)),
        tuple(read_certificate(each.body) for each in chain.sequence()),
    )


def _derive(password: str, salt: bytes, memory_kib: int, passes: int) -> bytes:
    from argon2.exceptions import HashingError
    from argon2.low_level import Type, hash_secret_raw

    try:
        return hash_secret_raw(password.encode(), salt, passes, memory_kib, 1, _KEY, Type.ID)
    except HashingError as error:
        raise ValueError("the salt will not do") from error
