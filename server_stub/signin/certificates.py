"""Sign-in by certificate: a key that never leaves its token signs what the server asks; the server knows whose it is.

RSA from 2048 bits (PKCS #1 v1.5 with SHA-256) and elliptic curve P-256 (ECDSA with SHA-256). SM2 is not proven here.
"""

from __future__ import annotations

import base64
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from modules.common.clock import Clock, iso
from modules.common.errors import GovDeskError
from modules.common.text import tr
from server_stub import audit
from server_stub.config import Settings
from server_stub.database import Database
from server_stub.sealing import open_sealed, seal
from server_stub.tables import PersonCertificate
from server_stub.writer import Writer
from sync.protocol import CertificateInfo, challenge_message

MIN_RSA_BITS = 2048
LIMIT = 8192
"""Bytes of a certificate at most."""


class Certificates:
    """Whose certificates are known, and whether one is fit to sign in with."""

    def __init__(self, data: Path, database: Database, writer: Writer, clock: Clock, settings: Settings) -> None:
        """``data`` is the folder in which the authorities' file and the revocation list of the settings lie."""
        self._data = data
        self._database = database
        self._writer = writer
        self._clock = clock
        self._settings = settings

    def proved(self, device_id: str, challenge: str, certificate: str, signature: str) -> x509.Certificate:
        """The certificate whose key has signed the challenge, fit for use today.

        Raises AUTH-037 for what is no signature by it, AUTH-038 for one that is out of date, not by a trusted
        authority, or revoked.
        """
        found = parse(certificate)
        try:
            signed = base64.b64decode(signature, validate=True)
        except ValueError as error:
            raise _unproved() from error
        _verify(found, signed, challenge_message(challenge, device_id))
        self._fit(found)
        return found

    def owner(self, session: Session, certificate: x509.Certificate) -> str | None:
        """The person whose certificate it is, or None. Raises AUTH-038 for one that was taken back here."""
        row = session.get(PersonCertificate, fingerprint(certificate))
        if row is not None and row.revoked_at:
            raise _unfit(tr("它已被停用"))
        return row.person_id if row is not None else None

    def bind(self, by: str, device_id: str, person_id: str, certificate: x509.Certificate) -> None:
        """Let a certificate stand for a person. Raises AUTH-040 for one that stands for another or was taken back."""
        self._writer.do(lambda session: self.bind_in(session, by, device_id, person_id, certificate))

    def bind_in(self, session: Session, by: str, device_id: str, person_id: str, certificate: x509.Certificate) -> None:
        """As ``bind``, inside a transaction."""
        if self.bound(session, person_id, certificate):
            return
        now, name = iso(self._clock.now()), fingerprint(certificate)
        values = {
            "fingerprint": name,
            "person_id": person_id,
            "not_after": iso(certificate.not_valid_after_utc),
            "bound_at": now,
            "bound_by": by,
            "sealed": seal(session, PersonCertificate, (name,), subject_of(certificate)),
        }
        session.execute(insert(PersonCertificate).values(**values))
        audit.append(session, now, [audit.Entry("certificate.bind", by, device_id, person_id, {"certificate": name})])

    def bound(self, session: Session, person_id: str, certificate: x509.Certificate) -> bool:
        """Whether it stands for the person already. Raises AUTH-040 for another's, or one taken back."""
        row = session.get(PersonCertificate, fingerprint(certificate))
        if row is not None and (row.person_id != person_id or row.revoked_at):
            raise GovDeskError("AUTH-040", tr("这张证书已登记给别人，或已被停用。"), fix=tr("请联系安全管理员。"))
        return row is not None

    def read(self, text: str) -> x509.Certificate:
        """A certificate in PEM or base64 that an administrator hands in. Raises AUTH-037, AUTH-038."""
        certificate = parse("".join(line for line in text.splitlines() if "-----" not in line))
        self._fit(certificate)
        return certificate

    def used(self, session: Session, certificate: x509.Certificate) -> None:
        """Note that somebody has just come in with it."""
        row = update(PersonCertificate).filter_by(fingerprint=fingerprint(certificate))
        session.execute(row.values(used_at=iso(self._clock.now())))

    def of(self, person_id: str) -> list[CertificateInfo]:
        """A person's certificates, the newest first."""
        query = select(PersonCertificate).filter_by(person_id=person_id).order_by(PersonCertificate.bound_at.desc())
        with self._database.read() as session:
            return [
                CertificateInfo(
                    row.fingerprint,
                    open_sealed(session, PersonCertificate, (row.fingerprint,), row.sealed),
                    row.not_after,
                    row.bound_at,
                    row.revoked_at or "",
                    row.used_at,
                )
                for row in session.execute(query).scalars()
            ]

    def take_back(self, by: str, device_id: str, name: str, person_id: str = "") -> None:
        """Let a certificate stand for nobody any more; ``person_id`` says whose it must be. Raises AUTH-041."""

        def store(session: Session) -> None:
            row = session.get(PersonCertificate, name, with_for_update=True)
            if row is None or person_id not in ("", row.person_id):
                raise GovDeskError("AUTH-041", tr("没有登记这张证书。"))
            if row.revoked_at:
                return
            row.revoked_at = iso(self._clock.now())
            session.flush()
            entry = audit.Entry("certificate.revoke", by, device_id, row.person_id, {"certificate": name})
            audit.append(session, row.revoked_at, [entry])

        self._writer.do(store)

    def _fit(self, certificate: x509.Certificate) -> None:
        now = self._clock.now()
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise _unfit(tr("它不在有效期内"))
        if self._settings.certificate_authorities:
            issuer = self._trusted(certificate)
            if self._settings.certificate_revocations:
                self._not_revoked(certificate, issuer)

    def _trusted(self, certificate: x509.Certificate) -> x509.Certificate:
        """The authority that issued ``certificate``: its chain up to a self-signed one lies whole in the file."""
        pem = (self._data / self._settings.certificate_authorities).read_bytes()
        authorities = x509.load_pem_x509_certificates(pem)
        direct = link = self._issuer(certificate, authorities)
        for _ in authorities:
            if link.subject == link.issuer:
                return direct
            link = self._issuer(link, authorities)
        raise _unfit(tr("它不是本系统信任的机构签发的"))

    def _issuer(self, certificate: x509.Certificate, authorities: list[x509.Certificate]) -> x509.Certificate:
        now = self._clock.now()
        for authority in authorities:
            try:
                certificate.verify_directly_issued_by(authority)
                basic = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
            except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
                continue
            if basic.ca and authority.not_valid_before_utc <= now <= authority.not_valid_after_utc:
                return authority
        raise _unfit(tr("它不是本系统信任的机构签发的"))

    def _not_revoked(self, certificate: x509.Certificate, issuer: x509.Certificate) -> None:
        data = (self._data / self._settings.certificate_revocations).read_bytes()
        load = x509.load_pem_x509_crl if b"-----BEGIN" in data else x509.load_der_x509_crl
        revocations = load(data)
        end = revocations.next_update_utc
        of_issuer = revocations.issuer == issuer.subject and revocations.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
        # a list that is stale or somebody else's says nothing, and nothing is not a yes
        if not of_issuer or end is None or end < self._clock.now():
            raise _unfit(tr("吊销列表已过期或不可信，无法核对"))
        if revocations.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
            raise _unfit(tr("签发机构已吊销它"))


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate, 64 hex digits."""
    return certificate.fingerprint(SHA256()).hex()


def subject_of(certificate: x509.Certificate) -> str:
    """Whom a certificate names (RFC 4514)."""
    return certificate.subject.rfc4514_string()


def parse(text: str) -> x509.Certificate:
    """A certificate in base64 of DER. Raises AUTH-037."""
    try:
        data = base64.b64decode(text, validate=True)
        if len(data) > LIMIT:
            raise ValueError(len(data))
        found = x509.load_der_x509_certificate(data)
        found.public_bytes(Encoding.DER)
        return found
    except ValueError as error:
        raise _unproved() from error


def _verify(certificate: x509.Certificate, signature: bytes, message: bytes) -> None:
    try:
        key = certificate.public_key()
        if isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
            key.verify(signature, message, padding.PKCS1v15(), SHA256())
            return
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
            key.verify(signature, message, ec.ECDSA(SHA256()))
            return
    except InvalidSignature as error:
        raise _unproved() from error
    except (UnsupportedAlgorithm, ValueError):
        pass
    raise _unfit(tr("它的密钥类型不受支持（支持 RSA 2048 位以上和 P-256）"))


def _unproved() -> GovDeskError:
    return GovDeskError("AUTH-037", tr("证书或签名无法验证。"), fix=tr("请重新插好证书介质再试。"))


def _unfit(why: str) -> GovDeskError:
    return GovDeskError("AUTH-038", tr("这张证书不能用于登录：{why}。", why=why), fix=tr("请联系安全管理员。"))
