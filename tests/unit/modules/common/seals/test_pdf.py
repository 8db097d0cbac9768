"""PDF: sealed by SM2 and signed by other keys, verified step by step, with nothing changed unnoticed."""

from __future__ import annotations

import io
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from modules.common.errors import GovDeskError
from modules.common.gm.certificates import read_certificate
from modules.common.gm.trust import Trust
from modules.common.seals import verify
from modules.common.seals.pdf_sealing import paper_sizes, seal_pdf, sign_pdf, withdraw_last_pdf
from modules.common.seals.pictures import Design, draw
from modules.common.seals.places import seam
from modules.common.seals.report import SignatureReport, Stamp, Verdict
from modules.common.seals.ses import Picture
from tests.support.samples import sample
from tests.support.seal_office import NOW, SIGNED, office, plain_pdf

OFFICE, STRANGER = office(1), office(2)
LOOK = draw(Design("示范区政务服务中心"))
HOLDER = OFFICE.holder(picture=LOOK)
PLACE = [Stamp(1, (120.0, 200.0, 42.0, 42.0))]


def judge(data: bytes, trust: Trust = OFFICE.trust) -> list[SignatureReport]:
    return verify(data, trust, now=NOW)


def test_a_sealed_pdf_is_valid_and_keeps_what_was_there() -> None:
    before = plain_pdf()
    sealed = seal_pdf(before, HOLDER, PLACE, SIGNED)
    assert sealed.startswith(before)
    [report] = judge(sealed)
    assert (report.verdict, report.time, report.signer) == (Verdict.VALID, SIGNED, "示范区政务服务中心")
    assert report.stamps[0].page == 1
    assert report.stamps[0].boundary == pytest.approx((120, 200, 42, 42), abs=0.4)
    assert [each.verdict for each in verify(sealed, now=NOW)] == [Verdict.WARNING]


def test_the_seal_is_seen_on_the_page() -> None:
    import pypdfium2

    stamps = seam([(210.0, 297.0)] * 3, (42.0, 42.0), 150)
    document = pypdfium2.PdfDocument(seal_pdf(plain_pdf(), HOLDER, stamps, SIGNED))
    document.init_forms()
    for page in document:
        image = page.render(scale=72 / 72).to_pil().convert("RGB")
        red = [x for x in range(image.width) for y in range(360, 490) if image.getpixel((x, y))[1] < 100]  # type: ignore[index]
        assert red
        assert min(red) >= 595 - 42 / 3 * 72 / 25.4 - 2
    document.close()


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_on_a_turned_page_the_seal_is_where_it_was_put_and_upright(turn: int) -> None:
    """PDFium, which knows nothing of ours, sees the left half red, in both ways of drawing."""
    import pikepdf
    import pypdfium2
    from PIL import Image

    look = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    look.paste((230, 0, 18, 255), (0, 0, 200, 400))
    out = io.BytesIO()
    look.save(out, "PNG")
    turned = io.BytesIO()
    with pikepdf.open(io.BytesIO(plain_pdf(1))) as book:
        book.pages[0].Rotate = turn
        book.pages[0].CropBox = [10, 20, 585, 800]
        book.save(turned)
    [paper] = paper_sizes(turned.getvalue())
    places = [(20.0, 30.0), (100.0, 120.0)]
    stamps = [Stamp(0, (*place, 40.0, 40.0)) for place in places]
    holder = OFFICE.holder(picture=Picture("PNG", out.getvalue(), 40, 40))
    sealed = seal_pdf(turned.getvalue(), holder, stamps, SIGNED)
    [report] = judge(sealed)
    assert report.verdict is Verdict.VALID
    assert report.stamps[0].boundary == pytest.approx((20, 30, 40, 40), abs=0.4)
    document = pypdfium2.PdfDocument(sealed)
    document.init_forms()
    image = document[0].render(scale=10 * 25.4 / 72).to_pil().convert("RGB")
    document.close()
    assert image.size == pytest.approx([side * 10 for side in paper], abs=2)
    for x, y in places:
        for across, red in ((10, True), (30, False), (-3, False)):
            pixel = image.getpixel((round((x + across) * 10), round((y + 20) * 10)))
            assert (pixel[0] - pixel[1] > 100) is red, (x, across, pixel)  # type: ignore[index,operator]


def test_several_in_turn_and_a_lock() -> None:
    once = seal_pdf(plain_pdf(), HOLDER, PLACE, SIGNED)
    twice = seal_pdf(once, OFFICE.holder("message"), [], SIGNED)
    assert [(each.id, each.verdict) for each in judge(twice)] == [("Seal1", Verdict.VALID), ("Seal2", Verdict.VALID)]
    locked = seal_pdf(plain_pdf(), HOLDER, PLACE, SIGNED, lock=True)
    [report] = judge(locked)
    assert (report.verdict, report.locked) == (Verdict.VALID, True)
    for data, lock in ((locked, False), (once, True)):
        with pytest.raises(GovDeskError) as caught:
            seal_pdf(data, HOLDER, PLACE, SIGNED, lock=lock)
        assert caught.value.code == "SEAL-017"


def changed_later(sealed: bytes) -> bytes:
    """The file with another content on its first page, appended as PDF allows."""
    from pyhanko.pdf_utils.generic import TextStringObject, pdf_name
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    writer = IncrementalPdfFileWriter(io.BytesIO(sealed))
    page = writer.prev.find_page_for_modification(0)[0].get_object()
    page["/Contents"] = writer.prev.find_page_for_modification(2)[0].get_object().raw_get("/Contents")
    page[pdf_name("/Note")] = TextStringObject("changed")
    writer.update_container(page)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_only_one_s_own_last_signature_is_withdrawn() -> None:
    plain = plain_pdf()
    once = seal_pdf(plain, HOLDER, PLACE, SIGNED)
    twice = seal_pdf(once, STRANGER.holder(picture=LOOK), PLACE, SIGNED)
    assert withdraw_last_pdf(twice, STRANGER.holder()) == once
    assert withdraw_last_pdf(once, HOLDER).rstrip() == plain.rstrip()
    assert judge(withdraw_last_pdf(once, HOLDER)) == []
    for data, code in ((plain, "SEAL-035"), (twice, "SEAL-036"), (changed_later(once), "SEAL-035")):
        with pytest.raises(GovDeskError) as caught:
            withdraw_last_pdf(data, HOLDER)
        assert caught.value.code == code


def flip(times: int, seed: int) -> None:
    sealed, chance = seal_pdf(plain_pdf(), HOLDER, PLACE, SIGNED), random.Random(seed)
    start = sealed.index(b"/Contents <") + len(b"/Contents <")
    end = sealed.index(b">", start)
    places = [*range(start), *range(end + 1, len(sealed))]
    for _ in range(times):
        changed = bytearray(sealed)
        at = chance.choice(places)
        changed[at] ^= chance.randrange(1, 256)
        try:
            reports = judge(bytes(changed))
        except GovDeskError as error:
            assert error.code in ("SEAL-018", "OFD-001"), error  # noqa: PT017 - only these may come
            continue
        assert [report.verdict for report in reports] == [Verdict.INVALID], at


def test_any_one_byte() -> None:
    flip(60, 7)


@pytest.mark.full
def test_any_one_byte_at_length() -> None:
    flip(5_000, 11)


def test_what_is_added_later_is_told() -> None:
    [report] = judge(changed_later(seal_pdf(plain_pdf(), HOLDER, PLACE, SIGNED)))
    assert report.verdict is Verdict.INVALID
    step = report.step("coverage")
    assert step is not None
    assert step.verdict is Verdict.INVALID


def pkcs12() -> tuple[bytes, bytes]:
    """A key of another curve with its own certificate: PKCS #12, and the certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding
    from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "李四")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 4711, now - timedelta(1), now + timedelta(900))
    usage = x509.KeyUsage(True, True, False, False, False, False, False, False, False)
    certificate = made.add_extension(usage, critical=True).sign(key, SHA256())
    data = serialize_key_and_certificates(b"key", key, certificate, None, BestAvailableEncryption(b"secret"))
    return data, certificate.public_bytes(Encoding.DER)


def test_a_pdf_is_signed_by_another_key() -> None:
    data, certificate = pkcs12()
    signed = sign_pdf(plain_pdf(), data, "secret", PLACE, picture=LOOK)
    trust = Trust((read_certificate(certificate),))
    now = datetime.now(UTC)
    [report] = verify(signed, trust, now=now)
    assert (report.verdict, report.signer) == (Verdict.VALID, "李四")
    assert [each.verdict for each in verify(signed, now=now)] == [Verdict.WARNING]
    changed = signed.replace(b"/Creator", b"/Kreator", 1)
    assert changed != signed
    assert [each.verdict for each in verify(changed, trust, now=now)] == [Verdict.INVALID]
    with pytest.raises(GovDeskError):
        sign_pdf(plain_pdf(), data, "wrong")


def test_real_files() -> None:
    found = {}
    for path in sorted(Path(sample("pdf")).glob("*.pdf")):
        try:
            found[path.name] = [str(report.verdict) for report in verify(path, now=NOW)]
        except GovDeskError as error:
            found[path.name] = [error.code]
    assert found["minimal-signed-twice-both-created.pdf"] == ["warning", "warning"]
    assert found["pades-lta-dss-indirect-arrs-test.pdf"] == ["warning", "warning"]
    assert found["sig-with-ski-sid.pdf"] == ["warning"]
    assert found["signed-encrypted-pubkey-with-catalog-ref.pdf"] == ["SEAL-018"]
    assert found["Test.pdf"] == []


def test_sizes_of_pages() -> None:
    assert paper_sizes(plain_pdf(2)) == [pytest.approx((210, 297), abs=0.01)] * 2
    with pytest.raises(GovDeskError):
        paper_sizes(b"%PDF-1.4 nothing")


def test_what_is_left_of_a_signature_is_told() -> None:
    sealed = seal_pdf(plain_pdf(), HOLDER, PLACE, SIGNED)
    [report] = judge(sealed.replace(b"/FT /Sig", b"/FT /Sog"))
    assert report.verdict is Verdict.INVALID
