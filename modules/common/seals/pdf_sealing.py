"""Signs a PDF file with the picture of a seal on its pages: with SM2, or with a PKCS #12 key through pyHanko."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from modules.common.errors import GovDeskError
from modules.common.gm import envelopes
from modules.common.seals.ofd_sealing import Holder, check_holder
from modules.common.seals.report import Stamp
from modules.common.seals.ses import Picture
from modules.common.text import tr

if TYPE_CHECKING:
    from PIL import Image

_POINTS = 72 / 25.4
_DEEPEST = 50
_ROOM = 16_384
"""Bytes kept free for a signature."""


def paper_sizes(data: bytes) -> list[tuple[float, float]]:
    """Width and height of each page in millimetres, as it is seen. Raises ``GovDeskError`` SEAL-019."""
    from pyhanko.pdf_utils.reader import PdfFileReader

    with _signable():
        reader = PdfFileReader(io.BytesIO(data), strict=False)
        pages = range(int(reader.root["/Pages"]["/Count"]))
        boxes = [(page_box(reader, index), page_turn(reader, index)) for index in pages]
    sizes = [((box[2] - box[0]) / _POINTS, (box[3] - box[1]) / _POINTS, turn) for box, turn in boxes]
    return [(high, wide) if turn % 180 else (wide, high) for wide, high, turn in sizes]


def page_box(reader: Any, index: int) -> list[float]:
    """What of a page is seen, in points; a page may have it from those above it."""
    found = _inherited(reader, index, "/CropBox", "/MediaBox")
    return [0.0, 0.0, 595.0, 842.0] if found is None else [float(value) for value in found]


def page_turn(reader: Any, index: int) -> int:
    """By how many degrees a page is turned clockwise when it is seen: 0, 90, 180 or 270."""
    found = _inherited(reader, index, "/Rotate")
    turn = 0 if found is None else int(found) % 360
    return turn if turn % 90 == 0 else 0


def _inherited(reader: Any, index: int, *names: str) -> Any:
    """What a page, or the nearest of those above it, has by one of the names."""
    page = reader.find_page_for_modification(index)[0].get_object()
    for _ in range(_DEEPEST):
        for name in names:
            if name in page:
                return page[name]
        if "/Parent" not in page:
            break
        page = page["/Parent"]
    return None


def seal_pdf(data: bytes, holder: Holder, stamps: Sequence[Stamp], now: datetime, *, lock: bool = False) -> bytes:
    """The file with one more signature by SM2; the seal shows at ``stamps``. What was there keeps its bytes.

    ``lock`` forbids any later change, which only the first signature can. Raises ``GovDeskError``: SEAL-003 as for OFD,
    SEAL-017 when it cannot be locked any more or is locked, SEAL-019 when the file cannot be signed.
    """
    from pyhanko.pdf_utils.generic import pdf_name
    from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
    from pyhanko.sign.signers.cms_embedder import (
        PdfCMSEmbedder,
        SigAppearanceSetup,
        SigIOSetup,
        SigMDPSetup,
        SigObjSetup,
    )
    from pyhanko.sign.signers.pdf_byterange import PdfSignedData

    check_holder(holder, now)
    picture = holder.seal.picture if holder.seal else None
    with _signable():
        writer, name = _prepare(data, stamps, picture, lock=lock)
        steps = PdfCMSEmbedder().write_cms(field_name=name, writer=writer)
        next(steps)
        filter_ = SigSeedSubFilter.ADOBE_PKCS7_DETACHED
        # its length is doubled, for it is written in hexadecimal
        room = _ROOM + 2 * sum(len(each.raw) for each in (holder.certificate, *holder.chain))
        value = PdfSignedData(pdf_name("/Sig"), subfilter=filter_, timestamp=now, bytes_reserved=room)
        look = SigAppearanceSetup(_style(writer, picture, stamps[0]), now, None) if stamps and picture else None
        locking = SigMDPSetup("sm3", certify=True, docmdp_perms=MDPPerm.NO_CHANGES) if lock else None
        steps.send(SigObjSetup(value, mdp_setup=locking, appearance_setup=look))
        prepared, output = steps.send(SigIOSetup("sm3"))
        steps.send(envelopes.make_cms(prepared.document_digest, holder.key, holder.certificate, now, holder.chain))
        made: bytes = output.getvalue()
    return made


def sign_pdf(
    data: bytes,
    pkcs12: bytes,
    password: str,
    stamps: Sequence[Stamp] = (),
    *,
    picture: Picture | None = None,
    lock: bool = False,
    timestamper: Any = None,
) -> bytes:
    """The file signed now by the key of a PKCS #12 file (RSA or ECDSA, PAdES); ``timestamper`` is one of pyHanko's.

    Raises ``GovDeskError`` as ``seal_pdf``, and SEAL-019 also when the key cannot be opened.
    """
    from pyhanko.sign import signers
    from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter

    with _signable():
        writer, name = _prepare(data, stamps, picture, lock=lock)
        signer = signers.SimpleSigner.load_pkcs12_data(pkcs12, [], password.encode())
        if signer is None:
            raise ValueError("the key cannot be opened")
        meta = signers.PdfSignatureMetadata(
            name,
            md_algorithm="sha256",
            subfilter=SigSeedSubFilter.PADES,
            certify=lock,
            docmdp_permissions=MDPPerm.NO_CHANGES if lock else MDPPerm.FILL_FORMS,
        )
        style = _style(writer, picture, stamps[0]) if stamps and picture else None
        made = signers.PdfSigner(meta, signer, timestamper=timestamper, stamp_style=style).sign_pdf(writer)
        result: bytes = made.getvalue()
    return result


def withdraw_last_pdf(data: bytes, holder: Holder) -> bytes:
    """The file as it was before its last signature, which must be by ``holder``'s certificate and the last change.

    Raises ``GovDeskError``: SEAL-035 when there is none, or something was added after it; SEAL-036 when it is somebody
    else's.
    """
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation.status import SignatureCoverageLevel

    with _signable():
        found = list(PdfFileReader(io.BytesIO(data), strict=False).embedded_signatures)
        if not found or found[-1].evaluate_signature_coverage() is not SignatureCoverageLevel.ENTIRE_FILE:
            raise GovDeskError("SEAL-035", tr("文件没有可撤销的签名，或签名之后又有改动。文件没有改动。"))
        if _signer_of(found[-1]) != holder.certificate.raw:
            raise GovDeskError(
                "SEAL-036", tr("最后一个签名不是您所签，不能撤销。文件没有改动。"), fix=tr("请由签名者本人撤销。")
            )
        if len(found) > 1:  # an earlier signature says where the file ended then
            return data[: sum(int(number) for number in list(found[-2].byte_range)[2:4])]
        mark = data.rfind(b"%%EOF", 0, data.rfind(b"%%EOF")) + len(b"%%EOF")
        return data[:mark] + b"\n"


def _signer_of(embedded: Any) -> bytes:
    """The certificate of who made a signature, as the message brings it."""
    try:
        message = envelopes.read_signed(bytes(embedded.pkcs7_content))
        found = message.certificate_of(message.signers[0])
    except (envelopes.EnvelopeError, IndexError):
        return b""
    return found.raw if found else b""


@contextmanager
def _signable() -> Iterator[None]:
    """Turns what libraries throw at a file that they cannot sign into a sentence."""
    from pyhanko.pdf_utils.misc import PdfError

    try:
        yield
    except (PdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, OSError) as error:
        raise GovDeskError(
            "SEAL-019", tr("此 PDF 无法签名：文件损坏、已加密，或密钥打不开。"), fix=tr("文件没有改动，请检查后重试。")
        ) from error


def refuse_encrypted(data: bytes) -> None:
    """Raise ``GovDeskError`` SEAL-037 for an encrypted file."""
    from pyhanko.pdf_utils.reader import PdfFileReader

    if PdfFileReader(io.BytesIO(data), strict=False).encrypted:
        raise GovDeskError(
            "SEAL-037",
            tr("此 PDF 已加密，不能盖章。文件没有改动。"),
            fix=tr("请由作者解除密码后另存，再盖章。"),
        )


def _prepare(data: bytes, stamps: Sequence[Stamp], picture: Picture | None, *, lock: bool) -> tuple[Any, str]:
    """A writer with a new empty signature field, and all stamps but the first, which the field itself shows."""
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign.fields import SigFieldSpec, append_signature_field, enumerate_sig_fields

    refuse_encrypted(data)
    writer = IncrementalPdfFileWriter(io.BytesIO(data), strict=False)
    earlier = list(writer.prev.embedded_signatures)
    if any(each.docmdp_level is not None and each.docmdp_level.value == 1 for each in earlier) or (lock and earlier):
        raise GovDeskError("SEAL-017", tr("文件已有签名，不能再锁定；已锁定的文件不能再签名。文件没有改动。"))
    taken = {name for name, _, _ in enumerate_sig_fields(writer)}
    name = next(f"Seal{number}" for number in range(1, len(taken) + 2) if f"Seal{number}" not in taken)
    for stamp in stamps[1:]:
        _annotate(writer, stamp, picture)
    if stamps:
        page, box = stamps[0].page, tuple(round(value) for value in _box(writer, stamps[0]))
        append_signature_field(writer, SigFieldSpec(name, on_page=page, box=box))  # type: ignore[arg-type]
    else:
        append_signature_field(writer, SigFieldSpec(name))
    return writer, name


def _box(writer: Any, stamp: Stamp) -> tuple[float, float, float, float]:
    """What of the stamp shows, in the page's own points."""
    media = page_box(writer.prev, stamp.page)
    x, y, width, height = stamp.boundary
    left, top, wide, high = stamp.clip or (0.0, 0.0, width, height)
    first, last = (x + left) * _POINTS, (y + top) * _POINTS
    corners = ((first, last), (first + wide * _POINTS, last + high * _POINTS))
    turn = page_turn(writer.prev, stamp.page)
    across, up = zip(*(_unturned(media, turn, *corner) for corner in corners), strict=True)
    return min(across), min(up), max(across), max(up)


def seen_at(reader: Any, index: int, rect: Sequence[float]) -> tuple[float, float, float, float]:
    """Where a rectangle of the file is on the page as it is seen: left, top, width, height in millimetres."""
    left, bottom, right, top = page_box(reader, index)
    corners = [
        {
            0: (u - left, top - v),
            90: (v - bottom, u - left),
            180: (right - u, v - bottom),
            270: (top - v, right - u),
        }[page_turn(reader, index)]
        for u, v in ((rect[0], rect[1]), (rect[2], rect[3]))
    ]
    (ax, ay), (bx, by) = corners
    return min(ax, bx) / _POINTS, min(ay, by) / _POINTS, abs(ax - bx) / _POINTS, abs(ay - by) / _POINTS


def _unturned(media: list[float], turn: int, x: float, y: float) -> tuple[float, float]:
    """The file's own point for one of the page as it is seen, from its top left corner downwards."""
    left, bottom, right, top = media
    return {
        0: (left + x, top - y),
        90: (left + y, bottom + x),
        180: (right - x, bottom + y),
        270: (right - y, top - x),
    }[turn]


def _shown(writer: Any, picture: Picture, stamp: Stamp) -> Image.Image:
    """The part of the picture that a stamp shows, turned against its page so that it is seen upright."""
    from PIL import Image

    whole, turn = Image.open(io.BytesIO(picture.data)).convert("RGBA"), page_turn(writer.prev, stamp.page)
    if stamp.clip is None:
        return whole.rotate(turn, expand=True)
    across, down = whole.width / stamp.boundary[2], whole.height / stamp.boundary[3]
    left, top, wide, high = stamp.clip
    edges = (left * across, top * down, (left + wide) * across, (top + high) * down)
    return whole.crop(tuple(round(edge) for edge in edges)).rotate(turn, expand=True)  # type: ignore[arg-type]


def _style(writer: Any, picture: Picture, stamp: Stamp) -> Any:
    from pyhanko.pdf_utils.images import PdfImage
    from pyhanko.pdf_utils.layout import AxisAlignment, InnerScaling, Margins, SimpleBoxLayoutRule
    from pyhanko.stamp import StaticStampStyle

    whole = SimpleBoxLayoutRule(
        AxisAlignment.ALIGN_MID, AxisAlignment.ALIGN_MID, Margins(0, 0, 0, 0), InnerScaling.STRETCH_FILL
    )
    return StaticStampStyle(
        border_width=0, background=PdfImage(_shown(writer, picture, stamp)), background_layout=whole
    )


def _annotate(writer: Any, stamp: Stamp, picture: Picture | None) -> None:
    """A stamp annotation; it comes before the signature and is covered by it."""
    from pyhanko.pdf_utils import generic as untyped
    from pyhanko.pdf_utils.images import PdfImage
    from pyhanko.pdf_utils.layout import BoxConstraints

    generic: Any = untyped
    if picture is None:
        return
    box = _box(writer, stamp)
    size = BoxConstraints(width=box[2] - box[0], height=box[3] - box[1])
    image = PdfImage(_shown(writer, picture, stamp), writer=writer, box=size)
    look = writer.add_object(image.as_form_xobject())
    page, _ = writer.prev.find_page_for_modification(stamp.page)
    name = generic.pdf_name
    entries = {
        name("/Type"): name("/Annot"),
        name("/Subtype"): name("/Stamp"),
        name("/Rect"): generic.ArrayObject(generic.FloatObject(value) for value in box),
        name("/AP"): generic.DictionaryObject({name("/N"): look}),
        name("/F"): generic.NumberObject(_PRINTED_AND_LOCKED),
        name("/P"): page,
    }
    writer.register_annotation(page, writer.add_object(generic.DictionaryObject(entries)))


_PRINTED_AND_LOCKED = 4 | 128
