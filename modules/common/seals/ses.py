"""The structures of electronic seals and of signatures by them (SES): read as found, and made.

v1 is GM/T 0031-2014, v4 GB/T 38540-2020, v5 GM/T 0031-2025. What is found says of itself what it likes: the version is
told by the shape. Everything signed is kept as the bytes that came, and never written anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from modules.common.gm import der, sm2
from modules.common.gm.certificates import SM2_WITH_SM3
from modules.common.gm.digests import sm3

Version = Literal[1, 4, 5]
ORGANISATION, PERSON = 1, 2
"""What a seal is of: an organisation or a person's signature."""
CERTIFICATES, DIGESTS = 1, 2
"""What the list of signers in a seal holds."""
Signer = Callable[[bytes], bytes]
"""Signs a message and gives DER."""


class SesError(ValueError):
    """Bytes that are no seal, or no signature by one."""


@dataclass(frozen=True, slots=True)
class Picture:
    """How a seal looks. ``type`` is as written (PNG, gif, ofd …); sizes are in millimetres."""

    type: str
    data: bytes
    width: int
    height: int

    @property
    def kind(self) -> str:
        """What the data is by its first bytes (png, jpeg, gif, bmp, tiff, ofd, svg), else the type in small letters."""
        for start, kind in _MAGIC:
            if self.data.startswith(start):
                return kind
        return self.type.strip().lower()


_MAGIC = (
    (b"\x89PNG", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"PK\x03\x04", "ofd"),
    (b"<svg", "svg"),
)


@dataclass(frozen=True, slots=True)
class Seal:
    """An electronic seal (SESeal). ``raw`` and ``info`` are its bytes and those of its SES_SealInfo, as they came."""

    raw: bytes
    version: Version
    written_version: int
    """The version that its header claims."""
    vendor: str
    id: str
    type: int
    name: str
    list_type: int
    signers: tuple[bytes, ...]
    """Certificates, or their digests, as ``list_type`` says."""
    created: datetime
    since: datetime
    until: datetime
    picture: Picture
    info: bytes
    maker: bytes
    """The certificate of who made it."""
    algorithm: str
    signature: bytes

    def lists(self, certificate: bytes) -> bool:
        """Whether ``certificate`` (DER) is one of those who may use the seal."""
        return (sm3(certificate) if self.list_type == DIGESTS else certificate) in self.signers

    def signed_forms(self) -> tuple[bytes, ...]:
        """What the maker may have signed: the information alone (as v4 has it), or with certificate and algorithm."""
        whole = der.sequence(self.info, der.octets(self.maker), der.oid(self.algorithm))
        return (whole, self.info) if self.version == 1 else (self.info, whole)


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature by a seal (SES_Signature). ``signed`` are the bytes that the signer signed (TBS_Sign)."""

    version: Version
    written_version: int
    seal: Seal
    time: datetime | None
    """When the signer claims to have signed."""
    digests: tuple[bytes, ...]
    """dataHash; a second reading where the bits do not begin at a byte."""
    property: str
    """The path of the Signature.xml that is meant."""
    certificate: bytes
    algorithm: str
    signed: bytes
    value: bytes
    timestamp: bytes
    """The time stamp token (RFC 3161) over ``value``; empty when there is none."""


def _bits(value: der.Tlv, length: int = 0) -> tuple[bytes, ...]:
    """The bytes of a BIT STRING, filled up to ``length``; where the count of unused bits was forgotten, those too.

    Some writers leave out the zeros at the end, as for a list of named bits, and count them.
    """
    body = value.expect(der.BITS, der.OCTETS).body
    if value.tag == der.OCTETS:
        return (body,)
    readings = (body[1:],) if body[:1] == b"\0" and len(body) % 2 else (body[1:], body)
    return tuple(reading.ljust(length, b"\0") for reading in readings)


def _signature_value(value: der.Tlv) -> bytes:
    """The bytes of a signature. Nothing guards them, so that each has one way to be written, or two at the most."""
    body = value.expect(der.BITS, der.OCTETS).body
    if value.tag == der.OCTETS:
        return body
    count, rest = body[:1], body[1:]
    if len(body) == 64 and rest[:1] != b"\x30":  # r and s without the count, whose first byte may be zero too
        return body
    if count == b"\x30":  # DER without the count
        return body
    zeros = bytes((((rest[-1] & -rest[-1]).bit_length() - 1),)) if rest and rest[-1] else b""
    if count not in (b"\0", zeros):
        return b""
    return rest.ljust(2 + rest[1] if rest[:1] == b"\x30" and len(rest) > 1 and rest[1] < 0x80 else 64, b"\0")


def _explicit(values: list[der.Tlv], tag: int) -> der.Tlv | None:
    return next((value for value in values if value.tag == tag), None)


def read_seal(raw: bytes) -> Seal:
    """The seal that ``raw`` is. Raises ``SesError``."""
    try:
        return _seal(der.read(raw))
    except (ValueError, IndexError) as error:
        raise SesError("not an electronic seal") from error


def _seal(value: der.Tlv) -> Seal:
    parts = value.sequence()
    info = parts[0]
    header, identifier, properties, picture = info.sequence()[:4]
    mark, written, vendor = header.sequence()[:3]
    if mark.text() != "ES":
        raise SesError("not the header of a seal")
    old = len(parts) == 2
    maker, algorithm, signature = parts[1].sequence()[:3] if old else parts[1:4]
    version: Version = 1 if old else 5 if written.int() == 5 else 4
    fields = properties.sequence()
    kind, name, *rest = fields
    list_type = CERTIFICATES
    if rest[0].tag == der.INTEGER:
        list_type, rest = rest[0].int(), rest[1:]
    listed, created, since, until = rest[:4]
    shown, data, width, height = picture.sequence()[:4]
    return Seal(
        value.raw,
        version,
        written.int(),
        vendor.text(),
        identifier.text(),
        kind.int(),
        name.text(),
        list_type,
        tuple(_listed(entry) for entry in listed.expect(der.SEQUENCE, 0xA0, 0xA1).children()),
        created.time(),
        since.time(),
        until.time(),
        Picture(shown.text(), data.expect(der.OCTETS).body, width.int(), height.int()),
        info.raw,
        maker.expect(der.OCTETS).body,
        algorithm.oid(),
        _signature_value(signature),
    )


def _listed(entry: der.Tlv) -> bytes:
    """A certificate as octets; or a digest, with the word for its kind before it."""
    return entry.body if entry.tag == der.OCTETS else entry.sequence()[1].expect(der.OCTETS).body


def read_signature(raw: bytes) -> Signature:
    """The signature by a seal that ``raw`` is; what follows it is let alone. Raises ``SesError``."""
    try:
        value = der.read_first(raw)
        parts = value.sequence()
        signed = parts[0]
        fields = signed.sequence()
        seal = _seal(fields[1])
        time, digest, path = fields[2:5]
        if len(parts) == 2:
            version: Version = 1
            certificate, algorithm = fields[5:7]
            signature, timestamp = parts[1], None
        else:
            version = 5 if seal.written_version == 5 else 4
            certificate, algorithm, signature = parts[1:4]
            timestamp = _explicit(parts[4:], 0xA0)
        return Signature(
            version,
            fields[0].int(),
            seal,
            _time(time),
            _bits(digest, 32),
            path.text(),
            certificate.expect(der.OCTETS).body,
            algorithm.oid(),
            signed.raw,
            _signature_value(signature),
            _token(timestamp) if timestamp else b"",
        )
    except (ValueError, IndexError) as error:
        raise SesError("not a signature by an electronic seal") from error


def _time(value: der.Tlv) -> datetime | None:
    """The time of v4, or what v1 keeps as bits: text, a time, or a token that is no time by itself."""
    if value.tag in (der.UTC_TIME, der.GENERALIZED_TIME):
        return value.time()
    for reading in _bits(value):
        try:
            inner = der.read(reading)
            return inner.time() if inner.tag in (der.UTC_TIME, der.GENERALIZED_TIME) else None
        except der.DerError:
            pass
        try:
            return der.parse_time(reading.strip(b"\0"), short=len(reading) == 13)
        except der.DerError:
            continue
    return None


def _token(value: der.Tlv) -> bytes:
    [inner] = value.children()
    return inner.bits() if inner.tag == der.BITS else inner.raw


@dataclass(frozen=True, slots=True)
class SealForm:
    """What is filled in to make a seal. ``signers`` are the certificates of those who may use it."""

    id: str
    name: str
    picture: Picture
    signers: Sequence[bytes]
    created: datetime
    since: datetime
    until: datetime
    type: int = ORGANISATION
    vendor: str = "GovDesk"
    list_type: int = CERTIFICATES


def make_seal(form: SealForm, maker: bytes, sign: Signer, version: Version = 4) -> bytes:
    """The bytes of a seal whose maker has the certificate ``maker`` and signs by ``sign``."""
    tag = der.UTC_TIME if version == 1 else der.GENERALIZED_TIME
    if form.list_type == DIGESTS and version != 1:
        listed = [der.sequence(der.text("SM3", 19), der.octets(sm3(each))) for each in form.signers]
    else:
        listed = [der.octets(each) for each in form.signers]
    info = der.sequence(
        der.sequence(der.text("ES", der.IA5), der.integer(version), der.text(form.vendor, der.IA5)),
        der.text(form.id, der.IA5),
        der.sequence(
            der.integer(form.type),
            der.text(form.name),
            *([] if version == 1 else [der.integer(form.list_type)]),
            der.sequence(*listed),
            *(der.time(moment, tag) for moment in (form.created, form.since, form.until)),
        ),
        der.sequence(
            der.text(form.picture.type, der.IA5),
            der.octets(form.picture.data),
            der.integer(form.picture.width),
            der.integer(form.picture.height),
        ),
    )
    who = (der.octets(maker), der.oid(SM2_WITH_SM3))
    if version == 1:
        return der.sequence(info, der.sequence(*who, der.bits(sign(der.sequence(info, *who)))))
    return der.sequence(info, *who, der.bits(sign(info)))


def make_signature(seal: Seal, path: str, digest: bytes, certificate: bytes, sign: Signer, time: datetime) -> bytes:
    """The bytes of a signature by ``seal`` over the Signature.xml at ``path``, whose SM3 digest is ``digest``."""
    who = (der.octets(certificate), der.oid(SM2_WITH_SM3))
    moment = der.time(time)
    old = seal.version == 1
    signed = der.sequence(
        der.integer(seal.version),
        seal.raw,
        der.bits(moment[2:]) if old else moment,
        der.bits(digest),
        der.text(path, der.IA5),
        *(who if old else ()),
    )
    value = der.bits(sign(signed))
    return der.sequence(signed, value) if old else der.sequence(signed, *who, value)


def add_timestamp(signature: bytes, token: bytes) -> bytes:
    """A v4 or v5 signature with the time stamp ``token`` over its value; what was signed keeps its bytes.

    Raises ``SesError`` for v1, which has no room for one.
    """
    parts = der.read(signature).sequence()
    if len(parts) < 4:
        raise SesError("no room for a time stamp")
    return der.sequence(*(part.raw for part in parts[:4]), der.value(0xA0, der.bits(token)))


def signer_of(key: sm2.Key) -> Signer:
    """Signs by an SM2 key."""
    return lambda message: sm2.sign(key, message)


def utc(moment: datetime) -> datetime:
    """A moment to the second, as the structures keep it."""
    return moment.astimezone(UTC).replace(microsecond=0)
