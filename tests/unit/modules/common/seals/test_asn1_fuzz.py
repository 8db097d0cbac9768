"""Every reader of ASN.1 takes whatever bytes come: it reads them or says no by its own word, soon."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable

import pytest

from modules.common.gm import der, envelopes, sm2, timestamps
from modules.common.gm.certificates import CertificateError, read_certificate, read_revocation_list
from modules.common.seals import ses
from modules.common.seals.status import SealState, Status, make_status_list, read_status_list
from tests.support.seal_office import SIGNED, SINCE, UNTIL, office, sealed_file

OFFICE = office(1)
STAMPER = OFFICE.root.issue(OFFICE.signer_key.point, {"CN": "时间戳"}, SINCE, UNTIL, "stamp")
STATUSES = make_status_list([Status("1", SealState.FROZEN, SIGNED)], OFFICE.maker_key, OFFICE.maker.raw, SINCE, UNTIL)


def signed_value() -> bytes:
    from modules.common.ofd.container import Package

    return Package(sealed_file("v5", OFFICE)).read("Doc_0/Signs/Sign_0/SignedValue.dat")


READERS: list[tuple[Callable[[bytes], object], bytes, tuple[type[Exception], ...]]] = [
    (ses.read_signature, signed_value(), (ses.SesError,)),
    (ses.read_seal, OFFICE.seal(1).raw, (ses.SesError,)),
    (read_certificate.__wrapped__, OFFICE.signer.raw, (CertificateError,)),
    (
        read_revocation_list.__wrapped__,
        OFFICE.root.revoke({5: (SIGNED, "hold")}, SINCE, UNTIL),
        (CertificateError,),
    ),
    (
        envelopes.read_signed,
        envelopes.make_signed(b"text", OFFICE.signer_key, OFFICE.signer, SIGNED),
        (envelopes.EnvelopeError,),
    ),
    (
        lambda raw: envelopes.open_envelope(raw, OFFICE.signer, OFFICE.signer_key),
        envelopes.make_envelope(b"text", [OFFICE.signer]),
        (envelopes.EnvelopeError,),
    ),
    (
        timestamps.read_token,
        timestamps.make_token(b"value", OFFICE.signer_key, STAMPER, SIGNED, 5),
        (timestamps.TimestampError,),
    ),
    (lambda raw: read_status_list(raw, OFFICE.maker.raw), STATUSES, (ValueError, IndexError)),
    (der.signature, der.sequence(der.integer(2**255), der.integer(7)), (der.DerError,)),
    (
        lambda raw: sm2.decrypt(OFFICE.signer_key, raw),
        sm2.encrypt(OFFICE.signer.point, b"text"),
        (ValueError,),
    ),
]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The bytes with something flipped, torn out, doubled, cut off or with a length told wrongly."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(max(len(changed), 1))
        match chance.randrange(6):
            case 0 | 1 if at < len(changed):
                changed[at] = chance.randrange(256)
            case 2:
                del changed[at : at + chance.randrange(1, 20)]
            case 3:
                changed[at:at] = changed[at : at + chance.randrange(1, 60)]
            case 4 if at < len(changed):
                changed[at] = chance.choice((0, 0x30, 0x31, 0x7F, 0x80, 0x84, 0xA0, 0xFF))
            case _:
                del changed[at : None if chance.random() < 0.1 else at + 1]
    return bytes(changed)


def fuzz(times: int, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(times):
        read, data, errors = chance.choice(READERS)
        raw = mutated(data, chance)
        began = time.process_time()
        with contextlib.suppress(errors):
            read(raw)
        assert time.process_time() - began < 10, raw.hex()


def test_readers_read_or_say_no() -> None:
    for read, data, _ in READERS:
        read(data)
    fuzz(3_000, 1)


@pytest.mark.full
def test_readers_read_or_say_no_at_length() -> None:
    fuzz(200_000, 2)


def test_depth_and_length_are_bounded() -> None:
    nested = b""
    for _ in range(5_000):
        nested = der.sequence(nested)
    huge = b"\x30\x84\xff\xff\xff\xff" + bytes(10)
    for read, _, errors in READERS:
        for raw in (nested, huge, b"", b"\x30", b"\x30\x80\x00\x00"):
            with pytest.raises(errors):
                read(raw)
