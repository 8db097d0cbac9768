"""Makes small OFD files for tests: whole ones, and ones that are wrong in exactly one way."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence

NAMESPACE = 'xmlns:ofd="http://www.ofdspec.org/2016"'
Files = dict[str, bytes]


def ofd_xml(*roots: str, more: str = "") -> str:
    """OFD.xml that names documents."""
    body = "".join(
        f"<ofd:DocBody><ofd:DocInfo><ofd:DocID>{n}</ofd:DocID><ofd:Title>样例</ofd:Title></ofd:DocInfo>"
        f"<ofd:DocRoot>{root}</ofd:DocRoot>{more}</ofd:DocBody>"
        for n, root in enumerate(roots)
    )
    return f'<?xml version="1.0" encoding="UTF-8"?><ofd:OFD {NAMESPACE} Version="1.0" DocType="OFD">{body}</ofd:OFD>'


def page_xml(content: str, head: str = "", layer: str = "") -> str:
    """A page with one layer that holds ``content``."""
    layers = f'<ofd:Layer ID="9000" {layer}>{content}</ofd:Layer>'
    return f"<ofd:Page {NAMESPACE}>{head}<ofd:Content>{layers}</ofd:Content></ofd:Page>"


def document_xml(pages: int, common: str = "", more: str = "", size: str = "0 0 210 297") -> str:
    """Document.xml of so many pages."""
    listed = "".join(f'<ofd:Page ID="{n + 1}" BaseLoc="Pages/Page_{n}/Content.xml"/>' for n in range(pages))
    return (
        f"<ofd:Document {NAMESPACE}><ofd:CommonData><ofd:MaxUnitID>99999</ofd:MaxUnitID>"
        f"<ofd:PageArea><ofd:PhysicalBox>{size}</ofd:PhysicalBox></ofd:PageArea>{common}</ofd:CommonData>"
        f"<ofd:Pages>{listed}</ofd:Pages>{more}</ofd:Document>"
    )


def files(
    pages: Sequence[str] = ("",),
    *,
    resources: str = "",
    common: str = "",
    more: str = "",
    size: str = "0 0 210 297",
    extra: Mapping[str, bytes] | None = None,
) -> Files:
    """The files of a document whose pages hold ``pages`` (content of a layer, or a whole ``<ofd:Page``)."""
    made = {"OFD.xml": ofd_xml("Doc_0/Document.xml").encode()}
    if resources:
        common += "<ofd:PublicRes>PublicRes.xml</ofd:PublicRes>"
        made["Doc_0/PublicRes.xml"] = f'<ofd:Res {NAMESPACE} BaseLoc="Res">{resources}</ofd:Res>'.encode()
    made["Doc_0/Document.xml"] = document_xml(len(pages), common, more, size).encode()
    for number, page in enumerate(pages):
        whole = page if page.startswith("<ofd:Page ") else page_xml(page)
        made[f"Doc_0/Pages/Page_{number}/Content.xml"] = whole.encode()
    return made | dict(extra or {})


def pack(contents: Mapping[str, bytes] | Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The files as a zip, in order; pairs may name one file twice."""
    pairs = contents.items() if isinstance(contents, Mapping) else contents
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in pairs:
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, method)
    return out.getvalue()


def make(pages: Sequence[str] = ("",), **more: object) -> bytes:
    """A whole OFD file; see ``files``."""
    return pack(files(pages, **more))  # type: ignore[arg-type]


def text_object(
    text: str, x: float, y: float, *, font: str = "1", size: float = 4, id: str = "10", more: str = ""
) -> str:
    """A text object with even steps of ``size``, base line at ``y`` + ``size``."""
    delta = f'DeltaX="g {len(text) - 1} {size}"' if len(text) > 1 else ""
    return (
        f'<ofd:TextObject ID="{id}" Boundary="{x} {y} {size * len(text) + 1} {size * 1.3}" Font="{font}" Size="{size}" '
        f'{more}><ofd:TextCode X="0" Y="{size}" {delta}>{text}</ofd:TextCode></ofd:TextObject>'
    )


FONT = '<ofd:Fonts><ofd:Font ID="1" FontName="宋体" FamilyName="宋体"/></ofd:Fonts>'
