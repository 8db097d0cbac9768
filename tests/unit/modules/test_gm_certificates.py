"""SM2 certificates, chains, revocation lists and GB/T 35275 messages, also under another implementation's eyes."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.common.gm import der, envelopes, issuing, sm2, sm4
from modules.common.gm.certificates import CertificateError, read_certificate, read_revocation_list
from modules.common.gm.trust import Chain, Revocation, Trust, chain_of, load_trust
from tests.support.seal_office import NOW, SIGNED, SINCE, UNTIL, Office, office

OFFICE, STRANGER = office(1), office(2)
MESSAGE = envelopes.make_signed(b"text", OFFICE.signer_key, OFFICE.signer, SIGNED)


def chain(trust: Trust = OFFICE.trust, moment: datetime = SIGNED, of: Office = OFFICE) -> Chain:
    return chain_of(of.signer, (), trust, moment, NOW)


def test_a_chain_to_the_office_s_root_is_trusted() -> None:
    found = chain()
    assert (found.trusted, found.revocation, found.expired, found.unfit) == (True, Revocation.GOOD, [], [])
    assert [each.name for each in found.certificates] == ["示范区政务服务中心", "示范区印章根证书1"]


def test_what_breaks_trust() -> None:
    assert not chain(STRANGER.trust).trusted
    assert chain(moment=UNTIL + timedelta(1)).expired
    assert chain(replace(OFFICE.trust, lists=())).revocation is Revocation.UNKNOWN
    # a list that nobody renewed, and one that another authority signed
    stale = read_revocation_list(OFFICE.root.revoke({}, SINCE, NOW - timedelta(1)))
    assert chain(replace(OFFICE.trust, lists=(stale,))).revocation is Revocation.UNKNOWN
    foreign = replace(STRANGER.root, certificate=OFFICE.root.certificate).revoke({}, SINCE, UNTIL)
    assert chain(replace(OFFICE.trust, lists=(read_revocation_list(foreign),))).revocation is Revocation.UNKNOWN
    before, after = SIGNED - timedelta(1), SIGNED + timedelta(1)
    assert chain(OFFICE.revoked(OFFICE.signer, before)).revocation is Revocation.REVOKED
    later = chain(OFFICE.revoked(OFFICE.signer, after, "key_compromise"))
    assert (later.revocation, later.reason) == (Revocation.LATER, "key_compromise")


def test_who_is_no_authority_vouches_for_nobody() -> None:
    below = issuing.Authority(OFFICE.signer_key, OFFICE.signer)
    leaf = below.issue(STRANGER.signer_key.point, {"CN": "冒充"}, SINCE, UNTIL)
    found = chain_of(leaf, [OFFICE.signer], OFFICE.trust, SIGNED, NOW)
    assert found.trusted
    assert found.unfit == [OFFICE.signer]
    # an authority that may issue no further authorities
    middle = issuing.Authority(
        OFFICE.maker_key, OFFICE.root.issue(OFFICE.maker_key.point, {"CN": "中级"}, SINCE, UNTIL, "authority")
    )
    lower = issuing.Authority(
        STRANGER.maker_key, middle.issue(STRANGER.maker_key.point, {"CN": "下级"}, SINCE, UNTIL, "authority")
    )
    leaf = lower.issue(OFFICE.signer_key.point, {"CN": "用户"}, SINCE, UNTIL)
    others = [lower.certificate, middle.certificate]
    assert chain_of(leaf, others, OFFICE.trust, SIGNED, NOW).unfit == [middle.certificate]


def test_a_changed_certificate_is_forged() -> None:
    raw = bytearray(OFFICE.signer.raw)
    at = raw.find("政务服务中心".encode())
    raw[at + 2] ^= 1
    found = chain_of(read_certificate(bytes(raw)), (), OFFICE.trust, SIGNED, NOW)
    assert not found.trusted
    assert len(found.forged) == 1


def test_another_implementation_believes_our_certificates_and_lists(tmp_path: Path) -> None:
    from asn1crypto import pem

    root, signer, crl = tmp_path / "root.pem", tmp_path / "signer.pem", tmp_path / "crl.pem"
    root.write_bytes(pem.armor("CERTIFICATE", OFFICE.root.certificate.raw))
    signer.write_bytes(pem.armor("CERTIFICATE", OFFICE.signer.raw))
    revoked = OFFICE.root.revoke({OFFICE.signer.serial: (SIGNED, "key_compromise")}, SINCE, UNTIL)
    crl.write_bytes(pem.armor("X509 CRL", revoked))
    moment = ["-attime", str(int(NOW.timestamp())), "-vfyopt", "distid:1234567812345678"]
    command = ["openssl", "verify", *moment, "-x509_strict", "-CAfile", root, signer]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no openssl program here: nothing is proven against it")
    assert done.returncode == 0, done.stdout + done.stderr
    # it verifies no revocation list by SM2, for it knows no identity there; it reads what stands in it
    command = ["openssl", "crl", "-in", str(crl), "-noout", "-text"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"Serial Number: {OFFICE.signer.serial:032X}" in listed
    assert "Key Compromise" in listed


def test_a_folder_of_roots_is_read(tmp_path: Path) -> None:
    from asn1crypto import pem

    roots = OFFICE.write_roots(tmp_path / "roots")
    text = b"".join(pem.armor("CERTIFICATE", each.raw) for each in (STRANGER.root.certificate, STRANGER.maker))
    (roots / "others.pem").write_bytes(text)
    (roots / "broken.cer").write_bytes(b"\x30\x03abc")
    (roots / "readme.txt").write_text("hello")
    trust = load_trust(roots)
    assert {each.name for each in trust.anchors} == {"示范区印章根证书1", "示范区印章根证书2", "示范区公安局制章系统"}
    assert len(trust.lists) == 1
    assert trust.skipped == ("broken.cer",)
    assert chain(trust).trusted


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_bytes_make_a_certificate_fail_otherwise_than_by_word(data: st.DataObject) -> None:
    raw = bytearray(OFFICE.signer.raw)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        certificate = read_certificate(bytes(raw))
    except CertificateError:
        return
    chain_of(certificate, [certificate], OFFICE.trust, SIGNED, NOW)
    _ = certificate.may_sign, certificate.strange, certificate.path_length


@pytest.mark.parametrize("detached", [True, False])
def test_a_signed_message_says_who_signed_what(detached: bool) -> None:
    content = "通知".encode()
    made = envelopes.make_signed(content, OFFICE.signer_key, OFFICE.signer, SIGNED, detached=detached)
    assert envelopes.is_signed(made)
    read = envelopes.read_signed(made)
    [signer] = read.signers
    certificate = read.certificate_of(signer)
    assert certificate == OFFICE.signer
    assert (read.content, signer.time) == (None if detached else content, SIGNED)
    assert envelopes.digest_fits(signer, content)
    assert envelopes.signature_fits(signer, OFFICE.signer, content)
    assert not envelopes.digest_fits(signer, content + b"!")
    assert not envelopes.signature_fits(signer, OFFICE.maker, content)
    assert not envelopes.is_signed(OFFICE.signer.raw)


@settings(max_examples=10, deadline=None)
@given(st.binary(max_size=200))
def test_an_envelope_opens_for_whom_it_is(content: bytes) -> None:
    made = envelopes.make_envelope(content, [OFFICE.signer, OFFICE.maker])
    assert envelopes.open_envelope(made, OFFICE.signer, OFFICE.signer_key) == content
    assert envelopes.open_envelope(made, OFFICE.maker, OFFICE.maker_key) == content
    for certificate, key in ((STRANGER.signer, STRANGER.signer_key), (OFFICE.signer, OFFICE.maker_key)):
        with pytest.raises(envelopes.EnvelopeError):
            envelopes.open_envelope(made, certificate, key)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_bytes_make_a_message_fail_otherwise_than_by_word(data: st.DataObject) -> None:
    made = bytearray(MESSAGE)
    for _ in range(data.draw(st.integers(1, 4))):
        made[data.draw(st.integers(0, len(made) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = envelopes.read_signed(bytes(made))
    except envelopes.EnvelopeError:
        return
    for signer in read.signers:
        read.certificate_of(signer)


@settings(max_examples=50)
@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16), st.binary(max_size=100))
def test_cbc_and_ctr_come_back(key: bytes, start: bytes, text: bytes) -> None:
    assert sm4.cbc_decrypt(key, start, sm4.cbc_encrypt(key, start, text)) == text
    assert sm4.ctr(key, start, sm4.ctr(key, start, text)) == text


def test_cbc_and_ctr_agree_with_gmssl_and_openssl() -> None:
    from gmssl.sm4 import SM4_DECRYPT, CryptSM4

    key, start, text = bytes(range(16)), bytes(range(16, 32)), "国家标准".encode() * 9
    theirs = CryptSM4()
    theirs.set_key(key, SM4_DECRYPT)
    assert theirs.crypt_cbc(start, sm4.cbc_encrypt(key, start, text)) == text
    command = ["openssl", "enc", "-sm4-ctr", "-K", key.hex(), "-iv", start.hex()]
    try:
        done = subprocess.run(command, input=text, capture_output=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("no openssl program with SM4 here: nothing is proven against it")
    assert sm4.ctr(key, start, text) == done.stdout


def test_a_message_that_is_cut_off_is_none() -> None:
    for length in range(0, len(MESSAGE), 7):
        with pytest.raises(envelopes.EnvelopeError):
            envelopes.read_signed(MESSAGE[:length])


@given(st.integers(-(2**80), 2**80), st.binary(max_size=300))
def test_values_are_read_as_written(number: int, body: bytes) -> None:
    assert der.read(der.integer(number)).int() == number
    assert der.read(der.octets(body)).body == body
    assert der.read(der.bits(body)).bits() == body
    assert [part.raw for part in der.read(der.sequence(der.octets(body), der.integer(number))).sequence()] == [
        der.octets(body),
        der.integer(number),
    ]


@pytest.mark.parametrize("dotted", ["1.2.156.10197.1.501", "2.5.29.15", "0.9.2342", "2.999.3", "1.2.840.113549.1.9.4"])
def test_names_of_objects_come_back(dotted: str) -> None:
    assert der.read(der.oid(dotted)).oid() == dotted


def test_a_key_s_certificate_verifies_with_its_key() -> None:
    assert OFFICE.signer.point == OFFICE.signer_key.point
    assert OFFICE.signer.may_sign
    assert OFFICE.root.certificate.is_authority
    assert not OFFICE.signer.is_authority
    assert sm2.verify(OFFICE.root.key.point, OFFICE.signer.tbs, OFFICE.signer.signature)
