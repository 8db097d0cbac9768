"""Whole sealed files, damaged anyhow, are verified or refused in words; and another implementation agrees on ours."""

from __future__ import annotations

import base64
import io
import random
import time
import zipfile
from xml.etree import ElementTree

import pytest

from modules.common.errors import GovDeskError
from modules.common.gm import der
from modules.common.seals import verify
from modules.common.seals.ofd_sealing import seal_ofd
from modules.common.seals.pdf_sealing import seal_pdf
from modules.common.seals.places import seam
from modules.common.seals.report import Stamp
from tests.support import ofd_maker
from tests.support.seal_office import KINDS, NOW, PICTURE, SIGNED, office, plain_file, plain_pdf, sealed_file

OFFICE = office(1)


def contents(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Bytes with something changed, torn out, doubled or cut off."""
    changed = bytearray(data)
    at = chance.randrange(max(len(changed), 1))
    match chance.randrange(5):
        case 0 if changed:
            changed[at] = chance.randrange(256)
        case 1:
            del changed[at : at + chance.randrange(1, 50)]
        case 2:
            changed[at:at] = changed[at : at + chance.randrange(1, 80)]
        case 3:
            changed = changed.replace(b'"', b"'", chance.randrange(1, 4))
        case _:
            del changed[at:]
    return bytes(changed)


def damage_files(times: int, seed: int) -> None:
    chance = random.Random(seed)
    packages = [contents(sealed_file(kind, OFFICE)) for kind in KINDS]
    pdf = seal_pdf(plain_pdf(), OFFICE.holder("message"), [], SIGNED)
    for _ in range(times):
        kind = chance.random()
        if kind < 0.2:
            data = damaged(damaged(pdf, chance), chance)
        elif kind < 0.4:
            data = damaged(sealed_file("v4", OFFICE), chance)
        else:
            files = dict(chance.choice(packages))
            for _ in range(chance.choice((1, 2, 4))):
                name = chance.choice(list(files))
                files[name] = damaged(files[name], chance)
                if chance.random() < 0.1:
                    del files[name]
            data = ofd_maker.pack(files, zipfile.ZIP_STORED)
        began = time.process_time()
        try:
            for report in verify(data, OFFICE.trust, now=NOW):
                assert report.steps
                report.as_json()
        except GovDeskError as error:
            assert error.code.startswith(("OFD-", "SEAL-")), error  # noqa: PT017 - only these may come
        assert time.process_time() - began < 10


def test_damaged_files_are_verified_or_refused_in_words() -> None:
    damage_files(120, 1)


@pytest.mark.full
def test_damaged_files_are_verified_or_refused_in_words_at_length() -> None:
    damage_files(6_000, 2)


@pytest.mark.parametrize("kind", ["v1", "v4", "v5"])
def test_another_implementation_agrees_on_every_value_of_a_sealed_file(kind: str) -> None:
    """With zipfile, ElementTree and gmssl alone: digests, binding, signer and maker, by the standard's text."""
    from gmssl import func, sm3
    from gmssl.sm2 import CryptSM2

    def digest(data: bytes) -> bytes:
        return bytes.fromhex(sm3.sm3_hash(func.bytes_to_list(data)))

    def signed_by(point: bytes, message: bytes, signature: bytes) -> bool:
        crypt = CryptSM2(private_key="", public_key=point[1:].hex(), asn1=False)
        r, s = (int.from_bytes(part.body) for part in der.read(signature).sequence())
        # gmssl puts the identity 1234567812345678 in front itself
        return bool(crypt.verify_with_sm3(f"{r:064x}{s:064x}", message))

    holder = OFFICE.holder(kind)
    files = contents(seal_ofd(plain_file(3), holder, seam([(210.0, 297.0)] * 3, (42.0, 42.0), 150), SIGNED))
    folder = "Doc_0/Signs/Sign_0/"
    described = ElementTree.fromstring(files[folder + "Signature.xml"])
    namespace = {"ofd": "http://www.ofdspec.org/2016"}
    references = described.findall(".//ofd:Reference", namespace)
    named = {reference.attrib["FileRef"].lstrip("/") for reference in references}
    assert named == set(files) - {folder + "Signature.xml", folder + "SignedValue.dat", "Doc_0/Signs/Signatures.xml"}
    for reference in references:
        value = reference.findtext("ofd:CheckValue", "", namespace)
        assert base64.b64decode(value) == digest(files[reference.attrib["FileRef"].lstrip("/")])
    parts = der.read(files[folder + "SignedValue.dat"]).sequence()
    fields = parts[0].sequence()
    assert fields[3].bits() == digest(files[folder + "Signature.xml"])
    assert fields[4].text() == f"/{folder}Signature.xml"
    assert signed_by(OFFICE.signer.point, parts[0].raw, parts[-1].bits())
    seal = fields[1].sequence()
    assert fields[1].raw == files[folder + "Seal.esl"]
    if kind == "v1":
        maker, algorithm, value_ = seal[1].sequence()
        message = der.sequence(seal[0].raw, maker.raw, algorithm.raw)
    else:
        message, value_ = seal[0].raw, seal[3]
    assert signed_by(OFFICE.maker.point, message, value_.bits())


def test_a_stamp_of_the_picture_alone_is_no_seal() -> None:
    """An image in the content that looks like a seal gets no report, and so no badge."""
    image = '<ofd:MultiMedias><ofd:MultiMedia ID="7" Type="Image"><ofd:MediaFile>a.png</ofd:MediaFile></ofd:MultiMedia>'
    drawn = '<ofd:ImageObject ID="8" Boundary="120 200 42 42" ResourceID="7"/>'
    resources = f"{image}</ofd:MultiMedias>"
    plain = ofd_maker.make([drawn], resources=resources, extra={"Doc_0/Res/a.png": PICTURE})
    assert verify(plain, OFFICE.trust, now=NOW) == []
    [report] = verify(seal_ofd(plain, OFFICE.holder(), [Stamp(0, (10, 10, 42, 42))], SIGNED), OFFICE.trust, now=NOW)
    assert [stamp.boundary for stamp in report.stamps] == [(10, 10, 42, 42)]
