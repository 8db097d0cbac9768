"""SM2: the standard's examples on every engine, agreement with other implementations, no change unnoticed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.common.gm import curve, der, sm2
from modules.common.gm.engines import PORTABLE, Engine, sign_with
from modules.common.gm.engines import engine as best
from modules.common.gm.libcrypto import load

LIBCRYPTO = load()
SECRET = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
K = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
SECRETS = st.integers(1, curve.N - 2)


@pytest.fixture(params=["python", "openssl"])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "python":
        return PORTABLE
    if LIBCRYPTO is None:
        pytest.skip("no OpenSSL 3 with SM2 here: nothing is proven about it")
    return LIBCRYPTO


def test_example_of_a_signature(engine: Engine) -> None:
    # GB/T 32918.5-2017, annex A.2
    key = sm2.SoftKey(SECRET, engine)
    assert key.point.hex() == (
        "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
        "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
    )
    assert sm2.z_value(key.point).hex() == "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3"
    digest = sm2.message_digest(key.point, b"message digest")
    assert digest.hex() == "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640"
    made = sign_with(SECRET, digest, K)
    assert made == (
        0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3,
        0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA,
    )
    raw = made[0].to_bytes(32) + made[1].to_bytes(32)
    for signature in (raw, der.sequence(der.integer(made[0]), der.integer(made[1]))):
        assert sm2.verify(key.point, b"message digest", signature, by=engine)
        assert not sm2.verify(key.point, b"message digesT", signature, by=engine)
        assert not sm2.verify(key.point, b"message digest", signature, b"ALICE123@YAHOO.COM", by=engine)


def test_example_of_an_encryption(engine: Engine) -> None:
    # GB/T 32918.5-2017, annex C.2
    key = sm2.SoftKey(SECRET, engine)
    sealed = sm2.encrypt(key.point, b"encryption standard", engine, k=K)
    x, y, check, hidden = der.read(sealed).sequence()
    assert curve.encode((x.int(), y.int())).hex() == (
        "0404ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73"
        "e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0"
    )
    assert hidden.body.hex() == "21886ca989ca9c7d58087307ca93092d651efa"
    assert check.body.hex() == "59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766"
    assert sm2.decrypt(key, sealed) == b"encryption standard"
    assert sm2.decrypt(key, curve.encode((x.int(), y.int())) + check.body + hidden.body) == b"encryption standard"


def test_example_of_a_key_exchange(engine: Engine) -> None:
    # GB/T 32918.5-2017, annex B.2
    a = sm2.SoftKey(0x81EB26E941BB5AF16DF116495F90695272AE2CD63D6C4AE1678418BE48230029, engine)
    b = sm2.SoftKey(0x785129917D45A9EA5437A59356B82338EAADDA6CEB199088F14AE10DEFA229B5, engine)
    temporary_a = sm2.SoftKey(0xD4DE15474DB74D06491C440D305E012400990F3E390C7E87153C12DB2EA60BB3, engine)
    temporary_b = sm2.SoftKey(0x7E07124814B309489125EAED101113164EBF0F3458C5BD88335C1F9D596243D6, engine)
    for_a = sm2.exchange(a, temporary_a, sm2.Side(b.point, temporary_b.point), 16, initiator=True)
    for_b = sm2.exchange(b, temporary_b, sm2.Side(a.point, temporary_a.point), 16, initiator=False)
    assert for_a.key.hex() == for_b.key.hex() == "6c89347354de2484c60b4ab1fde4c6e5"
    assert for_a.expect.hex() == for_b.send.hex() == "d3a0fe15dee185ceae907a6b595cc32a266ed7b3367e9983a896dc32fa20f8eb"
    assert for_a.send.hex() == for_b.expect.hex() == "18c7894b3816df16cf07b05c5ec0bef5d655d58f779cc1b400a4f3884644db88"


@settings(max_examples=20, deadline=None)
@given(SECRETS, st.binary(max_size=80), st.binary(max_size=30), st.data())
def test_what_one_signs_the_other_verifies_and_no_bit_may_differ(
    secret: int, message: bytes, user: bytes, data: st.DataObject
) -> None:
    engines = [PORTABLE, LIBCRYPTO or PORTABLE]
    signer, verifier = data.draw(st.permutations(engines))
    key = sm2.SoftKey(secret, signer)
    signature = sm2.sign(key, message, user)
    assert sm2.verify(key.point, message, signature, user, verifier)
    r, s = der.signature(signature)
    parts = [bytearray(r.to_bytes(32) + s.to_bytes(32)), bytearray(message), bytearray(key.point[1:])]
    part = data.draw(st.sampled_from([part for part in parts if part]))
    bit = data.draw(st.integers(0, 8 * len(part) - 1))
    part[bit // 8] ^= 1 << bit % 8
    raw, changed, point = map(bytes, parts)
    for engine in engines:
        assert not sm2.verify(b"\x04" + point, changed, raw, user, engine)


@settings(max_examples=15, deadline=None)
@given(SECRETS, st.binary(min_size=1, max_size=100), st.data())
def test_what_is_encrypted_comes_back_and_any_changed_bit_is_noticed(
    secret: int, text: bytes, data: st.DataObject
) -> None:
    one, other = data.draw(st.permutations([PORTABLE, LIBCRYPTO or PORTABLE]))
    key = sm2.SoftKey(secret, one)
    x, y, check, hidden = der.read(sm2.encrypt(key.point, text, other)).sequence()
    sealed = bytearray(curve.encode((x.int(), y.int())) + check.body + hidden.body)
    assert sm2.decrypt(key, bytes(sealed)) == text
    bit = data.draw(st.integers(8, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError):
        sm2.decrypt(key, bytes(sealed))


@settings(max_examples=25, deadline=None)
@given(SECRETS, SECRETS)
def test_points_agree_with_another_implementation(first: int, second: int) -> None:
    if LIBCRYPTO is None:
        pytest.skip("no OpenSSL 3 with SM2 here: nothing is proven about it")
    point = PORTABLE.multiply(first)
    assert point == LIBCRYPTO.multiply(first)
    assert PORTABLE.multiply(second, point) == LIBCRYPTO.multiply(second, point)
    assert curve.decode(bytes((2 + (point[64] & 1),)) + point[1:33]) == curve.decode(point)


@pytest.mark.parametrize("scalar", [1, 2, 3, 15, 16, 17, curve.N - 1, curve.N - 2, 2**255, 2**128 - 1])
def test_multiples_at_the_edges(scalar: int) -> None:
    made = curve.multiply_base(scalar)
    assert curve.on_curve(made)
    assert made == curve.multiply(scalar, curve.G)
    # n·G is infinity, and so is what adds up to it
    assert curve.multiply_two(curve.N - scalar, 1, made) is None
    assert curve.multiply_two(scalar, 1, made) == curve.multiply(2 * scalar % curve.N, curve.G)


@settings(max_examples=5, deadline=None)
@given(SECRETS, st.binary(min_size=1, max_size=60))
def test_agrees_with_gmssl(secret: int, message: bytes) -> None:
    from gmssl.sm2 import CryptSM2

    key = sm2.SoftKey(secret)
    theirs = CryptSM2(private_key=f"{secret:064x}", public_key=key.point[1:].hex(), mode=1)
    digest = sm2.message_digest(key.point, message)
    assert sm2.verify(key.point, message, bytes.fromhex(theirs.sign(digest, f"{K:064x}")))
    r, s = key.sign_digest(digest)
    assert theirs.verify(f"{r:064x}{s:064x}", digest)
    assert sm2.decrypt(key, b"\x04" + theirs.encrypt(message)) == message


def test_agrees_with_the_openssl_program(tmp_path: Path) -> None:
    key, other = tmp_path / "key.pem", tmp_path / "signature"
    try:
        subprocess.run(["openssl", "genpkey", "-algorithm", "SM2", "-out", key], check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("no openssl program with SM2 here: nothing is proven against it")
    text = subprocess.run(["openssl", "pkey", "-in", key, "-outform", "DER"], check=True, capture_output=True).stdout
    secret = int.from_bytes(der.read(text).sequence()[1].body)  # RFC 5915
    message = tmp_path / "message"
    message.write_bytes("关于调整办公时间的通知".encode())
    use = ["-inkey", key, "-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678", "-in", message]
    made = subprocess.run(["openssl", "pkeyutl", "-sign", *use], check=True, capture_output=True).stdout
    own = sm2.SoftKey(secret, PORTABLE)
    assert sm2.verify(own.point, message.read_bytes(), made)
    other.write_bytes(sm2.sign(own, message.read_bytes()))
    subprocess.run(["openssl", "pkeyutl", "-verify", *use, "-sigfile", other], check=True, capture_output=True)
    command = ["openssl", "pkeyutl", "-encrypt", "-inkey", key, "-in", message]
    sealed = subprocess.run(command, check=True, capture_output=True).stdout
    assert sm2.decrypt(own, sealed) == message.read_bytes()


def test_what_is_no_point_or_no_key_is_refused(engine: Engine) -> None:
    point = engine.multiply(7)
    for wrong in (b"", b"\x04", point[:-1], point + b"\0", b"\x04" + bytes(64), b"\x05" + point[1:]):
        assert not engine.verify(wrong, bytes(32), 1, 1)
        if wrong:
            with pytest.raises(ValueError):
                engine.multiply(3, wrong)
    for r, s in ((0, 1), (1, 0), (curve.N, 1), (1, curve.N), (1, curve.N - 1), (-1, 5)):
        assert not engine.verify(point, bytes(32), r, s)
    for secret in (0, curve.N - 1, curve.N, -3):
        with pytest.raises(ValueError):
            sm2.SoftKey(secret, engine)
    assert "7" not in repr(sm2.SoftKey(7, engine)).split("point")[0]


def test_only_the_engine_whose_time_tells_nothing_says_so() -> None:
    assert not sm2.SoftKey(5, PORTABLE).constant_time
    if LIBCRYPTO is not None:
        assert sm2.SoftKey(5).constant_time


def test_no_random_number_comes_twice(engine: Engine) -> None:
    key = sm2.SoftKey(SECRET, engine)
    assert len({sm2.encrypt(key.point, b"text", engine) for _ in range(5)}) == 5
    assert len({key.sign_digest(bytes(32))[0] for _ in range(5)}) == 5
    assert sm2.generate(engine).secret != sm2.generate(engine).secret


def test_a_signature_that_leads_to_infinity_is_none(engine: Engine) -> None:
    # s·G + t·P is infinity for s = -t·d
    t = 4711
    s = -t * SECRET % curve.N
    assert not engine.verify(sm2.SoftKey(SECRET, engine).point, bytes(32), (t - s) % curve.N, s)


def test_openssl_is_used_where_it_knows_sm2() -> None:
    try:
        done = subprocess.run(["openssl", "genpkey", "-algorithm", "SM2"], capture_output=True)
        version = subprocess.run(["openssl", "version"], capture_output=True, text=True).stdout
    except FileNotFoundError:
        pytest.skip("no openssl program here: nobody says whether its library should be found")
    if done.returncode or not version.startswith("OpenSSL 3"):
        pytest.skip("an OpenSSL without SM2: nothing is proven about it")
    assert LIBCRYPTO is not None
    assert best().name == "openssl"
