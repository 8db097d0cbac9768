"""The examples of the standards, and that nothing of a sealed text can be changed unnoticed."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given
from hypothesis import strategies as st

from modules.common.gm import NONCE, Sm4Gcm, hmac_sm3, sm3


def test_samples_of_the_standard() -> None:
    # GB/T 32905-2016, annex A
    assert sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sm3(b"abcd" * 16).hex() == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"


def test_samples_of_the_cipher() -> None:
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    # GB/T 32907-2016, annex A.1: one block under a key equal to it
    block = Cipher(SM4(key), ECB()).encryptor()
    assert (block.update(key) + block.finalize()).hex() == "681edf34d206965e86b3e94f536e4246"
    # RFC 8998, appendix A.1: SM4-GCM
    nonce, bound = bytes.fromhex("00001234567800000000abcd"), bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    text = b"".join(bytes([byte]) * 8 for byte in (0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF, 0xEE, 0xAA))
    sealed = (
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
        "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
        "83de3541e4c2b58177e065a9bf7b62ec"
    )
    assert Sm4Gcm(key).seal(nonce, text, bound).hex() == sealed
    assert Sm4Gcm(key).open(nonce, bytes.fromhex(sealed), bound) == text


def test_samples_of_the_code() -> None:
    # GM/T 0042-2015, annex D.3
    key = bytes(range(1, 33))
    text = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq" * 2
    assert hmac_sm3(key, text).hex() == "ca05e144ed05d1857840d1f318a4a8669e559fc8391f414485bfdf7bb408963a"


@given(st.binary(min_size=16, max_size=16), st.binary(max_size=200), st.binary(max_size=40), st.data())
def test_what_is_sealed_opens_and_any_changed_bit_is_noticed(
    key: bytes, text: bytes, bound: bytes, data: st.DataObject
) -> None:
    nonce = bytes(NONCE)
    sealed = Sm4Gcm(key).seal(nonce, text, bound)
    assert Sm4Gcm(key).open(nonce, sealed, bound) == text
    parts = [bytearray(nonce), bytearray(sealed), bytearray(bound)]
    part = data.draw(st.sampled_from([part for part in parts if part]))
    bit = data.draw(st.integers(0, len(part) * 8 - 1))
    part[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError, match="tag"):
        Sm4Gcm(key).open(bytes(parts[0]), bytes(parts[1]), bytes(parts[2]))
    with pytest.raises(ValueError, match="tag"):
        Sm4Gcm(key).open(nonce, sealed[: data.draw(st.integers(0, len(sealed) - 1))], bound)
