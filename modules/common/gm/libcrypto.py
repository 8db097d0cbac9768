"""OpenSSL 3 through ctypes: SM2 that is quick and whose time tells nothing of the key.

The wheels of ``cryptography`` carry an OpenSSL of their own that they let nobody at for SM2, so the system's is
asked, or the one that Python itself was built with. Some systems leave SM2 out of it; ``load`` tries before it trusts.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from modules.common.gm import curve, der

NAMES = {
    "win32": ("libcrypto-3-x64.dll", "libcrypto-3-arm64.dll", "libcrypto-3.dll"),
    "darwin": ("libcrypto.3.dylib",),
}
_UNSIGNED, _UTF8, _OCTETS = 2, 4, 5
_KEYPAIR, _PUBLIC = 0x87, 0x86
_UNCOMPRESSED = 4
_OID_SM2 = "1.2.156.10197.1.301"
_SIZE_T, _P = ctypes.c_size_t, ctypes.c_void_p


class _Parameter(ctypes.Structure):
    """OSSL_PARAM."""

    _fields_ = (
        ("key", ctypes.c_char_p),
        ("data_type", ctypes.c_uint),
        ("data", _P),
        ("data_size", _SIZE_T),
        ("return_size", _SIZE_T),
    )


_SIGNATURES: dict[str, tuple[object, list[object]]] = {
    "OpenSSL_version_num": (ctypes.c_ulong, []),
    "ERR_clear_error": (None, []),
    "EVP_PKEY_CTX_new_from_name": (_P, [_P, ctypes.c_char_p, ctypes.c_char_p]),
    "EVP_PKEY_CTX_new_from_pkey": (_P, [_P, _P, ctypes.c_char_p]),
    "EVP_PKEY_CTX_free": (None, [_P]),
    "EVP_PKEY_free": (None, [_P]),
    "EVP_PKEY_fromdata_init": (ctypes.c_int, [_P]),
    "EVP_PKEY_fromdata": (ctypes.c_int, [_P, ctypes.POINTER(_P), ctypes.c_int, ctypes.POINTER(_Parameter)]),
    "EVP_PKEY_verify_init": (ctypes.c_int, [_P]),
    "EVP_PKEY_verify": (ctypes.c_int, [_P, ctypes.c_char_p, _SIZE_T, ctypes.c_char_p, _SIZE_T]),
    "EVP_PKEY_sign_init": (ctypes.c_int, [_P]),
    "EVP_PKEY_sign": (ctypes.c_int, [_P, ctypes.c_char_p, ctypes.POINTER(_SIZE_T), ctypes.c_char_p, _SIZE_T]),
    "OBJ_txt2nid": (ctypes.c_int, [ctypes.c_char_p]),
    "EC_GROUP_new_by_curve_name": (_P, [ctypes.c_int]),
    "EC_POINT_new": (_P, [_P]),
    "EC_POINT_clear_free": (None, [_P]),
    "EC_POINT_oct2point": (ctypes.c_int, [_P, _P, ctypes.c_char_p, _SIZE_T, _P]),
    "EC_POINT_point2oct": (_SIZE_T, [_P, _P, ctypes.c_int, ctypes.c_char_p, _SIZE_T, _P]),
    "EC_POINT_mul": (ctypes.c_int, [_P, _P, _P, _P, _P, _P]),
    "BN_bin2bn": (_P, [ctypes.c_char_p, ctypes.c_int, _P]),
    "BN_clear_free": (None, [_P]),
}


class LibCrypto:
    """The engine over an opened library. Raises ``OSError`` or ``AttributeError`` when it lacks something."""

    name = "openssl"
    constant_time = True

    def __init__(self, library: ctypes.CDLL) -> None:
        self._c = library
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        if library.OpenSSL_version_num() < 0x30000000:
            raise OSError("older than OpenSSL 3")
        nid = library.OBJ_txt2nid(_OID_SM2.encode())
        self._group = library.EC_GROUP_new_by_curve_name(nid) if nid else None
        if not self._group:
            raise OSError("without SM2")
        self._own = threading.local()

    def verify(self, point: bytes, digest: bytes, r: int, s: int) -> bool:
        """See ``Engine``."""
        if not (0 < r < curve.N and 0 < s < curve.N):
            return False
        signature = der.sequence(der.integer(r), der.integer(s))
        try:
            with self._key(point) as context:
                if self._c.EVP_PKEY_verify_init(context) != 1:
                    raise OSError("verification cannot begin")
                return bool(self._c.EVP_PKEY_verify(context, signature, len(signature), digest, len(digest)) == 1)
        except ValueError:
            return False
        finally:
            self._c.ERR_clear_error()

    def sign(self, secret: int, digest: bytes) -> tuple[int, int]:
        """See ``Engine``."""
        with self._key(self.multiply(secret), secret) as context:
            made, size = ctypes.create_string_buffer(96), _SIZE_T(96)
            begun = self._c.EVP_PKEY_sign_init(context) == 1
            if not begun or self._c.EVP_PKEY_sign(context, made, ctypes.byref(size), digest, len(digest)) != 1:
                raise OSError("OpenSSL does not sign")
            return der.signature(made.raw[: size.value])

    def multiply(self, secret: int, point: bytes = b"") -> bytes:
        """See ``Engine``."""
        c, group = self._c, self._group
        result, other, number = c.EC_POINT_new(group), c.EC_POINT_new(group), c.BN_bin2bn(secret.to_bytes(32), 32, None)
        try:
            if not point:
                done = c.EC_POINT_mul(group, result, number, None, None, None)
            elif c.EC_POINT_oct2point(group, other, point, len(point), None) != 1:
                raise ValueError("not a point of the curve")
            else:
                done = c.EC_POINT_mul(group, result, None, other, number, None)
            written = ctypes.create_string_buffer(65)
            size = c.EC_POINT_point2oct(group, result, _UNCOMPRESSED, written, 65, None)
            if done != 1 or size != 65:
                raise ValueError("the multiple is no point")
            return written.raw
        finally:
            c.EC_POINT_clear_free(result)
            c.EC_POINT_clear_free(other)
            c.BN_clear_free(number)
            c.ERR_clear_error()

    @contextmanager
    def _key(self, point: bytes, secret: int = 0) -> Iterator[int]:
        """A context for one use of a key. Its type must be "SM2": a key of type "EC" would run ECDSA."""
        c = self._c
        making, key, context = c.EVP_PKEY_CTX_new_from_name(None, b"SM2", None), _P(), None
        parameters, kept = _parameters(point, secret)
        try:
            kind = _KEYPAIR if secret else _PUBLIC
            if (
                not making
                or c.EVP_PKEY_fromdata_init(making) != 1
                or c.EVP_PKEY_fromdata(making, ctypes.byref(key), kind, parameters) != 1
            ):
                raise ValueError("not a key of the curve")
            context = c.EVP_PKEY_CTX_new_from_pkey(None, key, None)
            yield context
        finally:
            c.EVP_PKEY_CTX_free(context)
            c.EVP_PKEY_free(key)
            c.EVP_PKEY_CTX_free(making)
            for buffer in kept:
                ctypes.memset(buffer, 0, len(buffer))


def _parameters(point: bytes, secret: int) -> tuple[ctypes.Array[_Parameter], list[ctypes.Array[ctypes.c_char]]]:
    values = [(b"group", _UTF8, b"SM2"), (b"pub", _OCTETS, point)]
    if secret:
        values.append((b"priv", _UNSIGNED, secret.to_bytes(32, sys.byteorder)))
    kept = [ctypes.create_string_buffer(value, len(value)) for _, _, value in values]
    entries = [
        _Parameter(name, kind, ctypes.cast(buffer, _P), len(buffer), 0)
        for (name, kind, _), buffer in zip(values, kept, strict=True)
    ]
    return (_Parameter * (len(entries) + 1))(*entries, _Parameter()), kept


def load() -> LibCrypto | None:
    """The engine over the first library that has all of it and gives the standard's own answer, else None."""
    found = ctypes.util.find_library("crypto")
    for name in (*NAMES.get(sys.platform, ("libcrypto.so.3", "libcrypto.so.4")), *([found] if found else [])):
        try:
            engine = LibCrypto(ctypes.CDLL(name))
            if _knows_the_example(engine):
                return engine
        except (OSError, AttributeError, ValueError):
            continue
    return None


def _knows_the_example(engine: LibCrypto) -> bool:
    """Whether it verifies the example of GB/T 32918.5-2017, annex A.2, and refuses another digest."""
    secret = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
    digest = bytes.fromhex("f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640")
    r = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
    s = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA
    point = engine.multiply(secret)
    other = bytes(32)
    return engine.verify(point, digest, r, s) and not engine.verify(point, other, r, s)
