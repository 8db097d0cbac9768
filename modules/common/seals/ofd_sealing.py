"""Seals an OFD file and withdraws one's own last seal.

Only the list of signatures is written anew, and OFD.xml when a document gets its first one; the bytes of every other
file stay (GB/T 33190-2016, 18). A signature protects every file of the package, OFD.xml and earlier signatures too.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

from modules.common.errors import GovDeskError
from modules.common.gm import envelopes, sm2, sm3
from modules.common.gm.certificates import SM2_WITH_SM3, SM3, Certificate
from modules.common.ofd.container import Package
from modules.common.ofd.document import Body, Document, bodies
from modules.common.ofd.zip_edit import rewrite
from modules.common.seals import ofd_verifying, ses
from modules.common.seals.judging import minute
from modules.common.seals.report import Stamp
from modules.common.text import tr
from modules.common.version import VERSION

_NAMESPACE = "http://www.ofdspec.org/2016"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
Stamper = Callable[[bytes], bytes]
"""Gets a time stamp token over a signature's value."""


@dataclass(frozen=True)
class Holder:
    """Who signs: the key, its certificate, and the seal; without a seal the signature is by certificate alone."""

    key: sm2.Key
    certificate: Certificate
    seal: ses.Seal | None = None
    chain: tuple[Certificate, ...] = ()
    """Certificates of authorities, which a signature without a seal brings along."""


def seal_ofd(
    data: bytes,
    holder: Holder,
    stamps: Sequence[Stamp],
    now: datetime,
    *,
    lock: bool = False,
    body: int = 0,
    stamper: Stamper | None = None,
) -> bytes:
    """The file with one more signature at ``stamps``; ``lock`` forbids later ones.

    Raises ``GovDeskError``: SEAL-002 locked by an earlier seal, SEAL-003 the seal is not in its time or not this
    signer's, SEAL-004 a stamp is on no page, OFD-… when the file cannot be read.
    """
    package = Package.open(data)
    document = Document.open(package, body=body)
    check_holder(holder, now)
    found = bodies(package)[body]
    listed = _listed(package, found)
    list_path = found.signatures or f"{_folder(found.root)}Signs/Signatures.xml"
    for each in listed:
        if each.path and _locks(package, each.path, list_path):
            raise GovDeskError(
                "SEAL-002",
                tr("文件已被签章锁定，不能再加盖。"),
                fix=tr("如确需加盖，请由锁定者撤销其签章后重新依次盖章。"),
            )
    pages = document.pages
    if any(not 0 <= stamp.page < len(pages) for stamp in stamps):
        raise GovDeskError("SEAL-004", tr("印章位置所在的页不存在。文件没有改动。"), fix=tr("请重新选择盖章位置。"))
    folder = _new_folder(package, list_path)
    sign_path = f"{folder}Signature.xml"
    number, last = _next_ids(package, found, listed, len(stamps))
    changes: dict[str, bytes | None] = {}
    entry = f'<ofd:Signature ID="{number}" Type="{"Seal" if holder.seal else "Sign"}" BaseLoc="/{sign_path}"/>'
    if found.signatures:
        changes[list_path] = _add_to_list(package.read(list_path), entry, last)
    else:
        opening = f'{_HEAD}<ofd:Signatures xmlns:ofd="{_NAMESPACE}"><ofd:MaxSignId>{last}</ofd:MaxSignId>'
        changes[list_path] = f"{opening}{entry}</ofd:Signatures>".encode()
        path = package.find("", "OFD.xml") or "OFD.xml"
        changes[path] = _name_list(package.read(path), list_path, body)
    if holder.seal is not None:
        changes[f"{folder}Seal.esl"] = holder.seal.raw
    protected = {each: None for each in (*package.paths, *changes) if lock or each != list_path}
    digests = {each: sm3(changes.get(each) or package.read(each)) for each in protected}
    described = _describe(folder, holder, stamps, [page.id for page in pages], number, digests, now)
    changes[sign_path] = described
    changes[f"{folder}SignedValue.dat"] = _value(holder, sign_path, described, now, stamper)
    return rewrite(package, changes)


def withdraw_last(data: bytes, holder: Holder, body: int = 0) -> bytes:
    """The file without its last signature, which must be by ``holder``'s certificate; earlier ones stay valid.

    Raises ``GovDeskError``: SEAL-005 there is none, SEAL-006 it is somebody else's.
    """
    package = Package.open(data)
    found = bodies(package)[body]
    listed = _listed(package, found)
    if not listed or not listed[-1].path:
        raise GovDeskError("SEAL-005", tr("文件没有可撤销的签章。"))
    last = listed[-1]
    described = ofd_verifying.describe(package, last.path)
    if _signer_of(package.read(described.value_path) if described.value_path else b"") != holder.certificate.raw:
        raise GovDeskError(
            "SEAL-006", tr("最后一个签章不是您所盖，不能撤销。文件没有改动。"), fix=tr("请由加盖者本人撤销。")
        )
    folder = last.path.rpartition("/")[0] + "/"
    used = {each for other in listed[:-1] if other.path for each in _files_of(package, other.path)}
    gone = {last.path, described.value_path, described.seal_path} - used - {""}
    changes: dict[str, bytes | None] = dict.fromkeys(gone)
    changes |= {each: None for each in package.paths if each.startswith(folder) and each not in used}
    text = package.read(found.signatures)
    rest, count = _element(last.id).subn(b"", text)
    if count != 1:
        raise GovDeskError("SEAL-005", tr("文件没有可撤销的签章。"))
    changes[found.signatures] = rest
    if len(listed) == 1:
        path = package.find("", "OFD.xml") or "OFD.xml"
        changes[found.signatures] = None
        changes[path] = _unname_list(package.read(path), found.signatures)
    # the first seal's mark in OFD.xml stays where a list stays, or earlier signatures would no longer fit
    return rewrite(package, changes)


def _element(identifier: str) -> re.Pattern[bytes]:
    """How Signatures.xml lists the signature of this ID."""
    named = rb'(?=[^>]*\sID="' + re.escape(identifier.encode()) + rb'")'
    return re.compile(rb"<(?:\w+:)?Signature\b" + named + rb"[^>]*?(?:/>|>\s*</(?:\w+:)?Signature>)")


def check_holder(holder: Holder, now: datetime) -> None:
    """Raise ``GovDeskError`` SEAL-003 unless certificate and seal hold ``now`` and belong together."""
    seal = holder.seal
    if not holder.certificate.not_before <= now <= holder.certificate.not_after:
        raise GovDeskError("SEAL-003", tr("“{name}”的证书不在有效期内，不能签章。", name=holder.certificate.name))
    if seal is None:
        return
    if not seal.since <= now <= seal.until:
        raise GovDeskError(
            "SEAL-003", tr("印章“{name}”不在有效期内，不能盖章。", name=seal.name), fix=tr("请向制章部门申请换发。")
        )
    if not seal.lists(holder.certificate.raw):
        raise GovDeskError("SEAL-003", tr("印章“{name}”没有授权给您使用。", name=seal.name))


def _folder(path: str) -> str:
    folder = path.rpartition("/")[0]
    return f"{folder}/" if folder else ""


def _listed(package: Package, body: Body) -> list[ofd_verifying.Listed]:
    return ofd_verifying.listed_signatures(package, body) if body.signatures else []


def _locks(package: Package, path: str, list_path: str) -> bool:
    described = ofd_verifying.describe(package, path)
    return any(package.find(path, loc) == list_path for loc, _ in described.references)


def _files_of(package: Package, path: str) -> set[str]:
    described = ofd_verifying.describe(package, path)
    return {path, described.value_path, described.seal_path}


def _new_folder(package: Package, list_path: str) -> str:
    base = _folder(list_path)
    taken = {each.lower() for each in package.paths}
    number = 0
    while any(each.startswith(f"{base}Sign_{number}/".lower()) for each in taken):
        number += 1
    return f"{base}Sign_{number}/"


def _next_ids(package: Package, body: Body, listed: Sequence[ofd_verifying.Listed], stamps: int) -> tuple[int, int]:
    """The new signature's ID, and the greatest in use after it and its stamps."""
    text = package.read(body.signatures).decode("utf-8", "replace") if body.signatures else ""
    used = [int(found) for each in listed for found in re.findall(r"\d+", each.id)[-1:]]
    used += [int(found) for found in re.findall(r"MaxSignId>\D*(\d+)\s*<", text)]
    number = max(used, default=0) + 1
    return number, number + stamps


def _add_to_list(text: bytes, entry: str, last: int) -> bytes:
    """Signatures.xml with one more entry; what stands in it stays as it is written."""
    end = re.search(rb"</(?:(\w+):)?Signatures\s*>\s*$", text)
    if end is None:
        raise _strange("Signatures.xml")
    prefix = (end[1] or b"").decode()
    own = entry if prefix == "ofd" else entry.replace("ofd:", f"{prefix}:" if prefix else "")
    written = re.compile(rb"(MaxSignId\s*>)\s*\w*\s*(<)")
    head = written.sub(lambda found: found[1] + str(last).encode() + found[2], text[: end.start()])
    return head + own.encode() + text[end.start() :]


def _strange(file: str) -> GovDeskError:
    return GovDeskError("SEAL-008", tr("“{file}”的写法特殊，无法加入签章。文件没有改动。", file=file))


def _name_list(text: bytes, list_path: str, body: int) -> bytes:
    """OFD.xml in which a document names its list of signatures."""
    ends = list(re.finditer(rb"</(?:(\w+):)?DocBody\s*>", text))
    if body >= len(ends):
        raise _strange("OFD.xml")
    end = ends[body]
    prefix = f"{end[1].decode()}:" if end[1] else ""
    own = f"<{prefix}Signatures>/{escape(list_path)}</{prefix}Signatures>"
    return text[: end.start()] + own.encode() + text[end.start() :]


def _unname_list(text: bytes, list_path: str) -> bytes:
    path = re.escape(escape(list_path).encode())
    return re.sub(rb"<((?:\w+:)?Signatures)>\s*/?" + path + rb"\s*</\1>", b"", text, count=1)


def _describe(
    folder: str,
    holder: Holder,
    stamps: Sequence[Stamp],
    page_ids: Sequence[str],
    number: int,
    digests: dict[str, bytes],
    now: datetime,
) -> bytes:
    """Signature.xml."""
    parts = [
        f'{_HEAD}<ofd:Signature xmlns:ofd="{_NAMESPACE}"><ofd:SignedInfo>',
        f'<ofd:Provider ProviderName="GovDesk" Company="GovDesk" Version="{VERSION}"/>',
        f"<ofd:SignatureMethod>{SM2_WITH_SM3}</ofd:SignatureMethod>",
        f"<ofd:SignatureDateTime>{minute(now)}</ofd:SignatureDateTime>",
        f'<ofd:References CheckMethod="{SM3}">',
    ]
    for path, digest in digests.items():
        value = base64.b64encode(digest).decode()
        name = quoteattr("/" + path)
        parts.append(f"<ofd:Reference FileRef={name}><ofd:CheckValue>{value}</ofd:CheckValue></ofd:Reference>")
    parts.append("</ofd:References>")
    for index, stamp in enumerate(stamps, 1):
        clip = f' Clip="{_numbers(stamp.clip)}"' if stamp.clip else ""
        place = f'PageRef={quoteattr(page_ids[stamp.page])} Boundary="{_numbers(stamp.boundary)}"'
        parts.append(f'<ofd:StampAnnot ID="{number + index}" {place}{clip}/>')
    if holder.seal is not None:
        parts.append(f"<ofd:Seal><ofd:BaseLoc>/{escape(folder)}Seal.esl</ofd:BaseLoc></ofd:Seal>")
    parts.append(
        f"</ofd:SignedInfo><ofd:SignedValue>/{escape(folder)}SignedValue.dat</ofd:SignedValue></ofd:Signature>"
    )
    return "".join(parts).encode()


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:g}" for value in values)


def _value(holder: Holder, path: str, described: bytes, now: datetime, stamper: Stamper | None) -> bytes:
    if holder.seal is None:
        return envelopes.make_signed(described, holder.key, holder.certificate, now, detached=True, others=holder.chain)
    sign = ses.signer_of(holder.key)
    made = ses.make_signature(holder.seal, f"/{path}", sm3(described), holder.certificate.raw, sign, now)
    return ses.add_timestamp(made, stamper(ses.read_signature(made).value)) if stamper else made


def _signer_of(value: bytes) -> bytes:
    try:
        return ses.read_signature(value).certificate
    except ses.SesError:
        pass
    try:
        message = envelopes.read_signed(value)
        found = message.certificate_of(message.signers[0]) if message.signers else None
    except envelopes.EnvelopeError:
        return b""
    return found.raw if found else b""
