"""Time stamps: asked for, made, believed only from who may give them; also those of another implementation."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.common.gm import der, sm2, timestamps
from modules.common.gm.certificates import Certificate
from modules.common.gm.trust import Trust
from modules.common.seals import verify
from modules.common.seals.ofd_sealing import seal_ofd
from modules.common.seals.report import SignatureReport, Stamp, Verdict
from tests.support.seal_office import NOW, SIGNED, SINCE, UNTIL, office, plain_file

OFFICE, STRANGER = office(1), office(2)
KEY = sm2.SoftKey(777)
AUTHORITY = OFFICE.root.issue(KEY.point, {"CN": "示范区时间戳"}, SINCE, UNTIL, "stamp")
TOKEN = timestamps.make_token(b"value", KEY, AUTHORITY, SIGNED, 5, 7)


def test_a_token_says_when() -> None:
    token = timestamps.read_token(TOKEN)
    assert (token.time, token.nonce, token.authority) == (SIGNED, 7, AUTHORITY)
    assert timestamps.fits(token, b"value")
    assert not timestamps.fits(token, b"other")
    assert AUTHORITY.may_stamp
    assert not OFFICE.signer.may_stamp


def test_an_answer_must_be_to_the_question() -> None:
    asked, nonce = timestamps.request(b"value")
    assert der.read(asked).sequence()[2].int() == nonce

    def answer(status: int, nonce: int, value: bytes = b"value") -> bytes:
        token = timestamps.make_token(value, KEY, AUTHORITY, SIGNED, 5, nonce)
        return der.sequence(der.sequence(der.integer(status)), token)

    made = timestamps.answered(answer(0, nonce), b"value", nonce)
    assert timestamps.fits(timestamps.read_token(made), b"value")
    refused = der.sequence(der.sequence(der.integer(2)))
    for wrong in (refused, answer(2, nonce), answer(0, nonce + 1), answer(0, nonce, b"other"), b"", b"HTTP/1.1 500"):
        with pytest.raises(timestamps.TimestampError):
            timestamps.answered(wrong, b"value", nonce)


def sealed(authority: Certificate, key: sm2.SoftKey, moment: object = SIGNED, over: bytes = b"") -> SignatureReport:
    def stamper(value: bytes) -> bytes:
        return timestamps.make_token(over or value, key, authority, moment, 5)  # type: ignore[arg-type]

    place = [Stamp(0, (10, 10, 42, 42))]
    data = seal_ofd(plain_file(1), OFFICE.holder("v5"), place, SIGNED + timedelta(hours=3), stamper=stamper)
    [report] = verify(data, OFFICE.trust, now=NOW)
    return report


def test_a_stamped_seal_has_its_time_from_the_stamp() -> None:
    report = sealed(AUTHORITY, KEY)
    assert (report.verdict, report.time, report.timestamped) == (Verdict.VALID, SIGNED, True)


def test_only_who_may_is_believed() -> None:
    foreign = STRANGER.root.issue(KEY.point, {"CN": "别处时间戳"}, SINCE, UNTIL, "stamp")
    report = sealed(foreign, KEY)
    assert (report.verdict, report.timestamped) == (Verdict.WARNING, False)
    assert report.time == SIGNED + timedelta(hours=3)
    assert sealed(OFFICE.signer, OFFICE.signer_key).verdict is Verdict.INVALID
    assert sealed(AUTHORITY, OFFICE.signer_key).verdict is Verdict.INVALID
    assert sealed(AUTHORITY, KEY, over=b"another signature").verdict is Verdict.INVALID
    assert sealed(AUTHORITY, KEY, UNTIL + timedelta(1)).verdict is Verdict.INVALID


def test_a_stamp_outlives_a_leaked_key() -> None:
    leaked = SIGNED + timedelta(days=1)

    def judge(stamped: bool) -> Verdict:
        stamper = (lambda value: timestamps.make_token(value, KEY, AUTHORITY, SIGNED, 5)) if stamped else None
        data = seal_ofd(plain_file(1), OFFICE.holder(), [Stamp(0, (10, 10, 42, 42))], SIGNED, stamper=stamper)
        trust: Trust = OFFICE.revoked(OFFICE.signer, leaked, "key_compromise")
        [report] = verify(data, trust, now=NOW)
        return report.verdict

    assert judge(stamped=True) is Verdict.WARNING
    assert judge(stamped=False) is Verdict.INVALID


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(TOKEN) - 1), st.integers(1, 255))
def test_no_change_goes_unnoticed_or_fails_otherwise_than_by_word(at: int, change: int) -> None:
    changed = bytearray(TOKEN)
    changed[at] ^= change
    try:
        token = timestamps.read_token(bytes(changed))
        fits = timestamps.fits(token, b"value")
    except (timestamps.TimestampError, timestamps.UnknownAlgorithm):
        return
    if fits:  # only what is repeated outside of what is signed may differ
        assert replace(token, certificates=()) == replace(timestamps.read_token(TOKEN), certificates=())


def test_a_stamp_of_another_implementation(tmp_path: Path) -> None:
    configuration = tmp_path / "ts.cnf"
    configuration.write_text(
        "[req]\ndistinguished_name=dn\nx509_extensions=ext\nprompt=no\n[dn]\nCN=TSA\n"
        "[ext]\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n"
        f"[tsa]\ndefault_tsa=t\n[t]\nserial={tmp_path}/serial\ncrypto_device=builtin\nsigner_digest=sha256\n"
        "default_policy=1.2.3.4\ndigests=sha256\nordering=no\ntsa_name=no\ness_cert_id_chain=no\n"
    )
    (tmp_path / "serial").write_text("01\n")
    (tmp_path / "value").write_bytes(b"value")
    files = {name: str(tmp_path / name) for name in ("key", "cert", "query", "reply", "value")}

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    try:
        new = ["-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", files["key"], "-out", files["cert"]]
        openssl("req", "-config", str(configuration), *new)
    except FileNotFoundError:
        pytest.skip("no openssl program here: nothing is proven against it")
    openssl("ts", "-query", "-data", files["value"], "-sha256", "-cert", "-out", files["query"])
    signing = ["-config", str(configuration), "-signer", files["cert"], "-inkey", files["key"]]
    openssl("ts", "-reply", "-queryfile", files["query"], *signing, "-out", files["reply"])
    reply = (tmp_path / "reply").read_bytes()
    token = timestamps.read_token(der.read(reply).sequence()[1].raw)
    assert timestamps.fits(token, b"value")
    assert not timestamps.fits(token, b"other")
    assert token.authority is not None
    assert token.authority.may_stamp
