"""The structures of seals: made and read in each version, told by shape, and never trusted blindly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.common.gm import der, sm2, sm3
from modules.common.seals import ses
from tests.support.seal_office import PICTURE, SIGNED, SINCE, UNTIL, office

OFFICE = office(1)
VERSIONS: list[Any] = [1, 4, 5]


def signature(version: Any = 4) -> bytes:
    sign = ses.signer_of(OFFICE.signer_key)
    digest = sm3(b"Signature.xml")
    path = "/Doc_0/Signs/Sign_0/Signature.xml"
    return ses.make_signature(OFFICE.seal(version), path, digest, OFFICE.signer.raw, sign, SIGNED)


MADE = {version: signature(version) for version in VERSIONS}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_seal_is_read_as_it_was_made(version: Any) -> None:
    seal = OFFICE.seal(version)
    assert (seal.version, seal.written_version, seal.vendor) == (version, version, "GovDesk")
    assert (seal.id, seal.name, seal.type) == ("34030400000001", "示范区政务服务中心", ses.ORGANISATION)
    assert (seal.created, seal.since, seal.until) == (SINCE, SINCE, UNTIL)
    assert seal.picture == ses.Picture("PNG", PICTURE, 42, 42)
    assert seal.maker == OFFICE.maker.raw
    assert seal.lists(OFFICE.signer.raw)
    assert not seal.lists(OFFICE.maker.raw)
    form = seal.signed_forms()[0]
    assert sm2.verify(OFFICE.maker.point, form, seal.signature)
    assert (len(form) > len(seal.info)) == (version == 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_signature_is_read_as_it_was_made(version: Any) -> None:
    read = ses.read_signature(MADE[version])
    assert (read.version, read.written_version, read.time) == (version, version, SIGNED)
    assert read.digests == (sm3(b"Signature.xml"),)
    assert read.property == "/Doc_0/Signs/Sign_0/Signature.xml"
    assert read.certificate == OFFICE.signer.raw
    assert sm2.verify(OFFICE.signer.point, read.signed, read.value)
    assert read.seal.raw == OFFICE.seal(version).raw or read.seal.info == OFFICE.seal(version).info
    assert read.timestamp == b""


@pytest.mark.parametrize("version", [4, 5])
def test_the_list_may_hold_digests(version: Any) -> None:
    seal = OFFICE.seal(version, list_type=ses.DIGESTS)
    assert seal.signers == (sm3(OFFICE.signer.raw),)
    assert seal.lists(OFFICE.signer.raw)
    assert not seal.lists(OFFICE.maker.raw)


def test_the_shape_tells_the_version_not_the_number_in_it() -> None:
    old = der.read(OFFICE.seal(1).raw).sequence()
    info = old[0].sequence()
    mark, _, vendor = info[0].sequence()
    header = der.sequence(mark.raw, der.integer(4), vendor.raw)
    raw = der.sequence(der.sequence(header, *(part.raw for part in info[1:])), old[1].raw)
    assert (ses.read_seal(raw).version, ses.read_seal(raw).written_version) == (1, 4)


def test_a_signature_may_be_raw_and_may_lack_the_count_of_bits() -> None:
    parts = [part.raw for part in der.read(MADE[4]).sequence()]
    r, s = der.signature(ses.read_signature(MADE[4]).value)
    raw = r.to_bytes(32) + s.to_bytes(32)
    for raw_ in (raw, b"\0" + raw[1:]):  # one that begins with a zero is not mistaken for a count
        for value in (der.bits(raw_), der.value(der.BITS, raw_), der.octets(raw_)):
            assert ses.read_signature(der.sequence(*parts[:3], value)).value == raw_
    for value in (der.bits(raw), der.value(der.BITS, raw), der.octets(raw)):
        read = ses.read_signature(der.sequence(*parts[:3], value))
        assert sm2.verify(OFFICE.signer.point, read.signed, read.value)
    # a count of unused bits that cannot be is no second way to write the same
    body = der.read(parts[3]).body
    zeros = (body[-1] & -body[-1]).bit_length() - 1
    for count in {*range(1, 256)} - {zeros}:
        value = ses.read_signature(der.sequence(*parts[:3], der.value(der.BITS, bytes((count,)) + body[1:]))).value
        assert not sm2.verify(OFFICE.signer.point, read.signed, value)


def test_zeros_that_a_writer_left_out_are_put_back() -> None:
    """As OpenSSL writes bits when it is not told otherwise."""

    def stripped(data: bytes) -> bytes:
        data = data.rstrip(b"\0")
        return der.value(der.BITS, bytes(((data[-1] & -data[-1]).bit_length() - 1,)) + data)

    sign = ses.signer_of(OFFICE.signer_key)
    for digest in (sm3(b"x")[:-1] + b"\x40", sm3(b"x")[:-1] + b"\0", sm3(b"x")[:-2] + b"\x80\0"):
        made = ses.make_signature(OFFICE.seal(1), "/a", digest, OFFICE.signer.raw, sign, SIGNED)
        signed, _ = der.read(made).sequence()
        fields = [part.raw for part in signed.sequence()]
        fields[3] = stripped(digest)
        tbs = der.sequence(*fields)
        while True:  # until a signature ends as wanted
            value = sign(tbs)
            if value[-1] & 1 == 0:
                break
        read = ses.read_signature(der.sequence(tbs, stripped(value)))
        assert digest in read.digests
        assert read.value == value
        assert sm2.verify(OFFICE.signer.point, read.signed, read.value)


def test_a_time_stamp_is_put_in_and_changes_nothing_that_was_signed() -> None:
    stamped = ses.read_signature(ses.add_timestamp(MADE[5], b"token"))
    assert stamped.timestamp == b"token"
    assert replace(stamped, timestamp=b"") == ses.read_signature(MADE[5])
    with pytest.raises(ses.SesError):
        ses.add_timestamp(MADE[1], b"token")


def test_pictures_are_known_by_their_first_bytes() -> None:
    kinds = {b"\x89PNG": "png", b"GIF89a": "gif", b"PK\x03\x04": "ofd", b"BM": "bmp", b"\xff\xd8\xff\xe0": "jpeg"}
    for start, kind in kinds.items():
        assert ses.Picture("Whatever", start, 1, 1).kind == kind
    assert ses.Picture(" SVG ", b"?", 1, 1).kind == "svg"


def fuzzed(data: bytes, draw: st.DataObject) -> bytes:
    """The bytes with a few of them changed, cut off, doubled or torn out."""
    changed = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, max(len(changed) - 1, 0)))
        match draw.draw(st.integers(0, 3)):
            case 0 if changed:
                changed[at] = draw.draw(st.integers(0, 255))
            case 1:
                del changed[at : at + draw.draw(st.integers(1, 9))]
            case 2:
                changed[at:at] = changed[at : at + draw.draw(st.integers(1, 40))]
            case _:
                changed[at:at] = draw.draw(st.binary(max_size=6))
    return bytes(changed)


def reads_or_says_no(draw: st.DataObject) -> None:
    raw = fuzzed(MADE[draw.draw(st.sampled_from(VERSIONS))], draw)
    try:
        read = ses.read_signature(raw)
    except ses.SesError:
        return
    _ = read.seal.picture.kind, read.seal.lists(b""), read.seal.signed_forms()


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_bytes_make_reading_fail_otherwise_than_by_word(data: st.DataObject) -> None:
    reads_or_says_no(data)


@pytest.mark.full
@settings(max_examples=60_000, deadline=None)
@given(st.data())
def test_no_bytes_make_reading_fail_otherwise_than_by_word_at_length(data: st.DataObject) -> None:
    reads_or_says_no(data)


@settings(max_examples=200)
@given(st.binary(max_size=60))
def test_any_bytes_at_all(data: bytes) -> None:
    for read in (ses.read_seal, ses.read_signature):
        with pytest.raises(ses.SesError):
            read(data)
