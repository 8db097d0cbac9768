"""By what the server knows this computer: a private key that never lies in clear on the disk, and its certificate.

``device.pem`` holds the key, encrypted by a random secret, and the certificate. The secret is kept by the system
keyring where there is a real one; and always also sealed under the store key, which opens when somebody signs in.
So without a keyring, and with one that is locked or lost, the computer is known as soon as a person is.
"""

from __future__ import annotations

import logging
import secrets
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from client.data.keys import KeyRing
from client.data.profile import SERVICE, Profile, Vault, read_json, write_atomically, write_json
from modules.common.clock import Clock
from modules.common.errors import GovDeskError
from modules.common.text import tr

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

log = logging.getLogger(__name__)

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: as the server's."""


def trusting(ca: Path) -> ssl.SSLContext:
    """TLS 1.2 at least, towards servers of the authority in ``ca`` and of no other. Raises ``OSError``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cafile=ca)
    return context


def spki_sha256(der: bytes) -> str:
    """SHA-256 (hex) of the public key in a certificate (DER)."""
    import hashlib

    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = x509.load_der_x509_certificate(der).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


@dataclass(frozen=True, slots=True)
class Term:
    """From when and until when a certificate holds."""

    since: datetime
    until: datetime


class Credential:
    """The key and the certificate of one profile; from any thread. ``trouble`` is why the keyring is of no help."""

    def __init__(self, profile: Profile, keys: KeyRing, clock: Clock) -> None:
        self._profile = profile
        self._keys = keys
        self._clock = clock
        self._lock = threading.RLock()
        self._secret: str | None = None
        self._asked: Vault | None = None
        self._pending: EllipticCurvePrivateKey | None = None
        self._term: Term | None = None
        self._broken = False
        self.generation = 0
        """Goes up whenever new lines must show something else than the old ones."""
        self.trouble: GovDeskError | None = None

    # -- what a line to the server needs

    @property
    def name(self) -> str:
        """The device's id; empty before the enrolment."""
        device = self._profile.device()
        return device.device if device else ""

    @property
    def header(self) -> str:
        """What the computer says of itself: nothing where its certificate speaks for it."""
        with self._lock:
            if self._speaks():
                return ""
            token = self._profile.token()
            return f"{self.name}:{token}" if token else self.name

    @property
    def pins(self) -> frozenset[str]:
        """Public keys (SHA-256, hex) by which the server is known; empty: any key that its authority vouches for."""
        return frozenset((read_json(self._profile.pins) or {}).get("pins", ()))

    def context(self) -> ssl.SSLContext:
        """What to open a line with. Raises ``OSError``, as for a missing authority."""
        with self._lock:
            context = trusting(self._profile.ca)
            if self._speaks():
                try:
                    context.load_cert_chain(self._profile.certificate, password=self._secret)
                except (OSError, ValueError) as error:
                    log.warning("the device's certificate does not open: %s", type(error).__name__)
                    self._broken = True
            return context

    def _speaks(self) -> bool:
        """Whether there is a key that opens, and a certificate in date."""
        if self._broken or not self._profile.certificate.exists():
            return False
        self._ask_keyring()
        return self._secret is not None and self._clock.now() < self._dates().until

    def _dates(self) -> Term:
        if self._term is None:
            from cryptography import x509

            certificate = x509.load_pem_x509_certificate(_certificate_in(self._profile.certificate.read_bytes()))
            self._term = Term(certificate.not_valid_before_utc, certificate.not_valid_after_utc)
        return self._term

    # -- opening

    @property
    def opens(self) -> bool:
        """Whether the key can be used just now, or there is none that waits to be opened."""
        with self._lock:
            self._ask_keyring()
            return self._secret is not None or not self._profile.certificate.exists()

    @property
    def keyless(self) -> bool:
        """Whether the key opens only when somebody signs in: there is no keyring, or it is locked."""
        if self._profile.vault is None:
            return True
        try:
            self._profile.vault.get_password(SERVICE, "credential:")
        except GovDeskError:
            return True
        return False

    @property
    def lost(self) -> bool:
        """Whether there is a certificate that cannot be shown although its key was to be opened: it is out of date."""
        with self._lock:
            return self._profile.certificate.exists() and not self._speaks()

    @property
    def place(self) -> str:
        """In words, where the key is kept."""
        if self.trouble is not None:
            return self.trouble.words()
        if self._profile.vault is None:
            return tr("本机没有可用的系统密钥环：设备密钥封在本机加密数据里，登录后才能打开；没有密钥以明文存放。")
        return tr("设备密钥由系统密钥环保管。")

    def ask_again(self) -> None:
        """Let the keyring be asked once more: it may have been unlocked."""
        self._asked = None

    def _ask_keyring(self) -> None:
        vault = self._profile.vault
        if self._secret is not None or vault is None or vault is self._asked or not self.name:
            return
        self._asked = vault
        try:
            self._secret = vault.get_password(SERVICE, self._entry)
            self.trouble = None
        except GovDeskError as error:
            log.warning("keyring: %s", error.code)
            self.trouble = error
        if self._secret is not None:
            self.generation += 1

    @property
    def _entry(self) -> str:
        return f"credential:{self.name}"

    def opened(self, store_key: bytes) -> None:
        """The store key is known: take the secret out of its seal, or seal it; where there is none yet, make one."""
        with self._lock:
            self._ask_keyring()
            sealed = self._keys.device_secret(store_key)
            if self._secret is None and sealed is not None:
                self._secret = sealed
                self.generation += 1
            self._make_secret()
            if sealed != self._secret:
                self._keys.keep_device_secret(store_key, self._known())

    def _make_secret(self) -> None:
        """Make the secret where there is none, and hand it to the keyring where that hasn't got it."""
        if self._secret is None:
            self._secret = secrets.token_urlsafe(32)
            self._broken = False
        vault = self._profile.vault
        if vault is None or not self.name:
            return
        try:
            if vault.get_password(SERVICE, self._entry) != self._secret:
                vault.set_password(SERVICE, self._entry, self._secret)
            self.trouble = None
        except GovDeskError as error:
            log.warning("keyring: %s", error.code)
            self.trouble = error

    def named(self) -> None:
        """The device has its id: the keyring may be told."""
        with self._lock:
            self._make_secret()

    def _known(self) -> str:
        assert self._secret is not None
        return self._secret

    # -- becoming and staying known

    @property
    def due(self) -> bool:
        """Whether the next certificate should be asked for: half of the time is over, or there is only a token."""
        with self._lock:
            if self._secret is None or not self.name:
                return False
            if not self._profile.certificate.exists():
                return bool(self._profile.token())
            term = self._dates()
            return self._speaks() and self._clock.now() >= term.since + (term.until - term.since) / 2

    def request(self) -> str:
        """A certificate request (PEM) for a new key. Asked again before ``accept``, it is for the same one."""
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import Encoding

        with self._lock:
            if self._pending is None:
                self._pending = ec.generate_private_key(ec.SECP256R1())
            made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(self._pending, SHA256())
        return made.public_bytes(Encoding.PEM).decode("ascii")

    def accept(self, certificate: str) -> None:
        """Keep the key of ``request`` with its certificate (PEM), in place of those before.

        Raises ``GovDeskError`` NET-010 for a certificate of another key. The token of old goes.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

        with self._lock:
            key = self._pending
            try:
                signed = x509.load_pem_x509_certificate(certificate.encode("ascii"))
            except ValueError:
                signed = None
            if key is None or signed is None or signed.public_key() != key.public_key():
                raise GovDeskError(
                    "NET-010", tr("服务器发来的设备证书与本机不符，未采用。"), fix=tr("请联系系统管理员。")
                )
            self._make_secret()
            wrapped = BestAvailableEncryption(self._known().encode("ascii"))
            private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, wrapped)
            write_atomically(self._profile.certificate, private + signed.public_bytes(Encoding.PEM))
            self._pending, self._term, self._broken = None, None, False
            self._profile.forget_token()
            self.generation += 1

    def learn(self, pins: Sequence[str]) -> None:
        """Know the server by these keys from now on: said on a line on which it was known already."""
        if pins and frozenset(pins) != self.pins:
            write_json(self._profile.pins, {"pins": list(pins)})


def _certificate_in(pem: bytes) -> bytes:
    begin = pem.find(b"-----BEGIN CERTIFICATE-----")
    return pem[begin:] if begin >= 0 else b""
