"""A token (UKey, smart card) by its maker's PKCS #11 library. Only the token's own host process loads it.

Keys of RSA from 2048 bits and of P-256. SM2 is not proven: there is no mechanism for it that libraries agree on.
The PIN is handed to the token and kept nowhere; the token counts wrong ones itself.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from devices import wire
from devices.ports import DeviceError
from modules.common.text import tr

if TYPE_CHECKING:
    from pkcs11 import Session, Token

T = TypeVar("T")
_PURPOSE = b"GovDesk store key\n"
"""Before whatever makes a secret: no challenge of a server begins like this."""


class Pkcs11Token:
    """The tokens behind one library. ``library`` is its path, as the maker's driver installs it."""

    def __init__(self, library: str) -> None:
        self._path = library
        self._turn = threading.Lock()
        self._library: Any = None
        self._sessions: dict[str, Session] = {}

    def calls(self) -> dict[str, Callable[[Mapping[str, Any], threading.Event], Any]]:
        """What its host answers, by name; bytes travel as base64."""

        def certificates(args: Mapping[str, Any], cancelled: threading.Event) -> Any:
            return [{**key, "certificate": wire.bytes_to_wire(key["certificate"])} for key in self.certificates()]

        def sign(args: Mapping[str, Any], cancelled: threading.Event) -> str:
            return wire.bytes_to_wire(self.sign(args["serial"], args["id"], wire.bytes_from_wire(args["message"])))

        def secret(args: Mapping[str, Any], cancelled: threading.Event) -> str | None:
            salt, peer = wire.bytes_from_wire(args["salt"]), wire.bytes_from_wire(args["peer"])
            made = self.secret(args["serial"], args["id"], salt, peer)
            return None if made is None else wire.bytes_to_wire(made)

        return {
            "certificates": certificates,
            "unlock": lambda args, cancelled: self.unlock(args["serial"], args["pin"]),
            "lock": lambda args, cancelled: self.lock(args["serial"]),
            "present": lambda args, cancelled: self.present(args["serial"]),
            "sign": sign,
            "secret": secret,
            "probe": lambda args, cancelled: self.probe(),
        }

    def probe(self) -> None:
        """Whether the library can be loaded. Raises DEV-501."""
        with self._turn:
            self._loaded()

    def certificates(self) -> list[dict[str, Any]]:
        """The certificates on all tokens: ``token`` (label), ``serial``, ``id``, ``name``, ``certificate`` (DER).

        Raises DEV-501, DEV-502 without a token, DEV-505 without a certificate that fits.
        """
        with self._turn, _in_words():
            library = self._loaded()
            if not self._sessions:
                # some libraries notice a token that was put in later only when they begin anew
                library.reinitialize()
            tokens = dict(self._present())
            if not tokens:
                raise _no_token()
            found = [key for serial, token in tokens.items() for key in self._certificates(serial, token)]
            if not found:
                raise DeviceError("DEV-505", tr("证书介质里没有可用于登录的证书。"), fix=tr("请联系安全管理员。"))
            return found

    def unlock(self, serial: str, pin: str) -> None:
        """Open a token for ``sign`` and ``secret``. Raises DEV-502 gone, DEV-503 wrong PIN, DEV-504 blocked."""
        import pkcs11

        with self._turn, _in_words():
            self._lock(serial)
            token = self._token(serial)
            try:
                self._sessions[serial] = token.open(user_pin=pin)
            except (pkcs11.exceptions.PinIncorrect, pkcs11.exceptions.PinInvalid, pkcs11.exceptions.PinLenRange):
                raise _wrong_pin(self._token(serial)) from None

    def lock(self, serial: str) -> None:
        """Forget that the PIN was entered."""
        with self._turn:
            self._lock(serial)

    def sign(self, serial: str, id: str, message: bytes) -> bytes:
        """A signature with SHA-256: PKCS #1 v1.5, or ECDSA in DER. Raises DEV-502, DEV-506 when it is locked."""
        return self._with_key(serial, id, lambda key: _sign(key, message))

    def secret(self, serial: str, id: str, salt: bytes, peer: bytes) -> bytes | None:
        """32 bytes that only this key makes: of a signature that is always the same (RSA), or by agreeing with the
        point ``peer`` (P-256). None for a key that may only sign, by curve. Raises as ``sign``.
        """
        return self._with_key(serial, id, lambda key: _secret(key, salt, peer))

    def present(self, serial: str) -> bool:
        """Whether the token is still there."""
        import pkcs11

        with self._turn:
            try:
                return serial in dict(self._present())
            except (pkcs11.exceptions.PKCS11Error, DeviceError):
                return False

    # -- inside, with the turn

    def _loaded(self) -> Any:
        import pkcs11

        if self._library is None:
            try:
                self._library = pkcs11.lib(self._path)
            except (RuntimeError, OSError) as error:
                raise DeviceError(
                    "DEV-501",
                    tr("证书介质的驱动装不上：{path}", path=self._path),
                    fix=tr("请系统管理员检查设备绑定文件里的库路径，并安装厂家驱动。"),
                ) from error
        return self._library

    def _present(self) -> Iterator[tuple[str, Token]]:
        import pkcs11

        for slot in self._loaded().get_slots(token_present=True):
            try:
                token = slot.get_token()
                known = bool(token.flags & pkcs11.TokenFlag.TOKEN_INITIALIZED)
            except pkcs11.exceptions.PKCS11Error:
                continue  # it has just gone
            if known:
                yield token.serial.decode("ascii", "replace").strip(), token

    def _token(self, serial: str) -> Token:
        token = dict(self._present()).get(serial)
        if token is None and not self._sessions:
            self._loaded().reinitialize()  # it may have been put in again
            token = dict(self._present()).get(serial)
        if token is None:
            raise _no_token()
        return token

    def _lock(self, serial: str) -> None:
        import pkcs11

        session = self._sessions.pop(serial, None)
        if session is not None:
            try:
                session.close()
            except pkcs11.exceptions.PKCS11Error:
                return  # the token has gone, and the session with it

    def _certificates(self, serial: str, token: Token) -> Iterator[dict[str, Any]]:
        from cryptography import x509
        from pkcs11 import Attribute, CertificateType, ObjectClass

        held = self._sessions.get(serial)
        session = held or token.open()
        try:
            wanted = {Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.CERTIFICATE_TYPE: CertificateType.X_509}
            for entry in session.get_objects(wanted):
                der = bytes(entry[Attribute.VALUE])
                try:
                    parsed = x509.load_der_x509_certificate(der)
                    if not _fits(parsed.public_key()):
                        continue
                except ValueError:
                    continue
                names = parsed.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
                name = str(names[0].value) if names else parsed.subject.rfc4514_string()
                id = bytes(entry[Attribute.ID]).hex()
                yield {"token": token.label, "serial": serial, "id": id, "name": name, "certificate": der}
        finally:
            if held is None:
                session.close()

    def _with_key(self, serial: str, id: str, use: Callable[[Any], T]) -> T:
        from pkcs11 import ObjectClass

        with self._turn, _in_words():
            session = self._sessions.get(serial)
            if session is None:
                self._token(serial)
                raise DeviceError("DEV-506", tr("证书介质已锁上。"), fix=tr("请重新输入 PIN 码。"))
            return use(session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=bytes.fromhex(id)))


def _fits(key: Any) -> bool:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= 2048
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


def _sign(key: Any, message: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from pkcs11 import KeyType, Mechanism

    if key.key_type == KeyType.RSA:
        return bytes(key.sign(message, mechanism=Mechanism.SHA256_RSA_PKCS))
    raw = key.sign(hashlib.sha256(message).digest(), mechanism=Mechanism.ECDSA)
    half = len(raw) // 2
    return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))


def _secret(key: Any, salt: bytes, peer: bytes) -> bytes | None:
    from pkcs11 import KDF, Attribute, KeyType
    from pkcs11.exceptions import PKCS11Error

    if key.key_type == KeyType.RSA:
        return hashlib.sha256(_sign(key, _PURPOSE + salt)).digest()
    readable = {Attribute.TOKEN: False, Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True}
    try:
        shared = key.derive_key(KeyType.GENERIC_SECRET, 256, mechanism_param=(KDF.NULL, None, peer), template=readable)
        return hashlib.sha256(_PURPOSE + salt + bytes(shared[Attribute.VALUE])).digest()
    except (PKCS11Error, AttributeError, NotImplementedError):
        return None  # a key for signing alone


@contextmanager
def _in_words() -> Iterator[None]:
    """Turn what a library says into an error for people; its own text may quote what was handed to it."""
    from pkcs11 import exceptions

    gone = (
        exceptions.TokenNotPresent,
        exceptions.DeviceRemoved,
        exceptions.SlotIDInvalid,
        exceptions.SessionHandleInvalid,
        exceptions.SessionClosed,
    )
    try:
        yield
    except gone:
        raise _no_token() from None
    except exceptions.PinLocked:
        raise _blocked() from None
    except exceptions.NoSuchKey:
        raise DeviceError("DEV-505", tr("证书介质里没有可用于登录的证书。"), fix=tr("请联系安全管理员。")) from None
    except exceptions.PKCS11Error as error:
        raise DeviceError(
            "DEV-507",
            tr("证书介质没有完成这一步（{kind}）。", kind=type(error).__name__),
            fix=tr("请拔下重新插好再试；反复出现时请联系系统管理员。"),
        ) from None


def _no_token() -> DeviceError:
    return DeviceError("DEV-502", tr("没有找到证书介质。"), fix=tr("请插好 UKey 或智能卡再试。"))


def _blocked() -> DeviceError:
    return DeviceError("DEV-504", tr("PIN 码连续输错，证书介质已锁死。"), fix=tr("请到安全管理员处解锁。"))


def _wrong_pin(token: Token) -> DeviceError:
    """What the token says of the tries that are left: PKCS #11 knows "few" and "the last", and no number."""
    from pkcs11 import TokenFlag

    if token.flags & TokenFlag.USER_PIN_LOCKED:
        return _blocked()
    if token.flags & TokenFlag.USER_PIN_FINAL_TRY:
        left = tr("只剩最后一次机会，再错就会锁死。")
    elif token.flags & TokenFlag.USER_PIN_COUNT_LOW:
        left = tr("剩下的次数不多了。")
    else:
        left = ""
    return DeviceError("DEV-503", tr("PIN 码不正确。") + left, fix=tr("请核对后再输入。"))
