"""Changes to an OFD file that leave the bytes of every other entry as they are (GB/T 33190-2016, 7.5, 15, 20).

A sealed file is refused: any change would break its seals. ``without_seals`` makes a copy that can be changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from modules.common.ofd import xml
from modules.common.ofd.container import Package
from modules.common.ofd.display import IDENTITY, Item
from modules.common.ofd.document import Document
from modules.common.ofd.report import OfdError, Report
from modules.common.ofd.writing.geometry import extent
from modules.common.ofd.writing.marks import NAMESPACE, array, quoted, text, whole
from modules.common.ofd.writing.objects import Objects
from modules.common.ofd.writing.package import attachment_mark, write
from modules.common.ofd.writing.shelf import Shelving
from modules.common.ofd.writing.volume import Info, Leaf, Volume
from modules.common.ofd.zip_edit import rewrite
from modules.common.text import tr

if TYPE_CHECKING:
    from lxml.etree import _Element

_ID = re.compile(rb"""\b(?:ID|MaxUnitID)\s*(?:=\s*["']|>)\s*(\d{1,9})""")
_DOCUMENT = ("CommonData", "Pages", "Outlines", "Permissions", "Actions", "VPreferences", "Bookmarks", "Annotations",
             "CustomTags", "Attachments", "Extensions")  # fmt: skip
_COMMON = ("MaxUnitID", "PageArea", "PublicRes", "DocumentRes", "TemplatePage", "DefaultCS")


@dataclass(frozen=True, slots=True)
class Remark:
    """An annotation to be added: its kind (Highlight, Path, Watermark, Stamp) and how it looks on the page."""

    kind: str
    items: tuple[Item, ...]
    words: str = ""
    subtype: str = ""


def is_sealed(document: Document) -> bool:
    """Whether any document of the file has seals or signatures."""
    return any(body.signatures for body in document.bodies)


def _opened(data: bytes, allowed: str) -> Document:
    document = Document.open(data)
    if is_sealed(document):
        raise OfdError(
            "OFD-025",
            tr("文件已盖章，改动会使印章失效，没有改动。"),
            fix=tr("请先另存一份不带印章的副本，再改副本。"),
        )
    if not getattr(document.extras.permissions, allowed):
        raise OfdError("OFD-026", tr("作者不允许这样改动，没有改动。"), fix=tr("请联系发文单位。"))
    if len(document.bodies) > 1 or document.body.versions:
        raise OfdError("OFD-027", tr("文件里有几份文档或几个版本，没有改动。"), fix=tr("请用制作它的软件改动。"))
    return document


class _Edit:
    """Collects what changes in a package."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.package: Package = document.package
        self.changes: dict[str, bytes | None] = {}
        self.folder = document.root_path.rpartition("/")[0]
        self.root = document.root
        self.last = max((int(each) for path in self.package.paths if path.lower().endswith(".xml")
                         for each in _ID.findall(self.package.read(path))), default=0)  # fmt: skip

    def next_id(self) -> int:
        self.last += 1
        return self.last

    def free(self, path: str) -> str:
        """A path in the document's folder that nothing has."""
        stem, dot, suffix = path.rpartition(".")
        number = 0
        while True:
            name = f"{self.folder}/{stem}{number or ''}{dot}{suffix}".lstrip("/")
            if name not in self.package and name not in self.changes:
                return name
            number += 1

    def load(self, path: str) -> _Element:
        """A file's root element, as changed so far."""
        return xml.parse(self.changes.get(path) or self.package.read(path), path, self.package.report)

    def save(self, path: str, root: _Element) -> None:
        from lxml import etree

        self.changes[path] = etree.tostring(root, xml_declaration=True, encoding="UTF-8")

    def done(self) -> bytes:
        """The package with all changes."""
        common = xml.child(self.root, "CommonData")
        if common is not None:
            placed(common, "MaxUnitID", _COMMON).text = str(self.last)
        self.save(self.document.root_path, self.root)
        return rewrite(self.package, self.changes)


def placed(parent: _Element, tag: str, order: Sequence[str], again: bool = False) -> _Element:
    """The child of that name, or a new one (always with ``again``) where the schema's order puts it."""
    from lxml import etree

    found = xml.child(parent, tag)
    if found is not None and not again:
        return found
    space = etree.QName(parent).namespace
    made = etree.Element(f"{{{space}}}{tag}" if space else tag)
    later = order[order.index(tag) + 1 :]
    at = next((n for n, each in enumerate(parent) if xml.local(each.tag) in later), len(parent))
    parent.insert(at, made)
    return made


def _appended(parent: _Element, mark: str) -> _Element:
    """An element out of text with the prefix ``ofd``, in the parent's own namespace, at its end."""
    from lxml import etree

    space = etree.QName(parent).namespace or ""
    made: Any = etree.fromstring(f'<ofd:x xmlns:ofd="{quoted(space or NAMESPACE)}">{mark}</ofd:x>')[0]
    if not space:
        for each in made.iter():
            each.tag = etree.QName(each).localname
    parent.append(made)
    return made  # type: ignore[no-any-return]


def attach(data: bytes, files: Sequence[tuple[str, bytes]]) -> bytes:
    """The file with more attachments. Raises ``OfdError`` OFD-025 to OFD-027, and as ``Document.open``."""
    edit = _Edit(_opened(data, "edit"))
    loc = placed(edit.root, "Attachments", _DOCUMENT)
    path = edit.package.find(edit.document.root_path, xml.text(loc)) if xml.text(loc) else None
    if path is None:
        path = edit.free("Attachs/Attachments.xml")
        loc.text = f"/{path}"
        edit.changes[path] = whole("Attachments", "")
    root = edit.load(path)
    for name, content in files:
        mark, file = attachment_mark(edit.next_id(), len(root), name, len(content))
        there = edit.free(f"Attachs/{file}")
        element = _appended(root, mark)
        element[0].text = f"/{there}"
        edit.changes[there] = content
    edit.save(path, root)
    return edit.done()


def annotate(data: bytes, remarks: Sequence[tuple[int, Remark]], creator: str, day: date) -> bytes:
    """The file with annotations on pages (by index). Raises ``OfdError`` OFD-025 to OFD-027, as ``Document.open``."""
    document = _opened(data, "annotate")
    edit = _Edit(document)
    folder = edit.free("AnnotRes.xml").removesuffix(".xml")
    shelf = Shelving(Report(), f"{folder}/", edit.last)
    for _, remark in remarks:
        shelf.collect(remark.items)
    shelf.embed()
    loc = placed(edit.root, "Annotations", _DOCUMENT)
    path = document.annotations.path
    if not path:
        path = edit.free("Annots/Annotations.xml")
        loc.text = f"/{path}"
        edit.changes[path] = whole("Annotations", "")
    listed = edit.load(path)
    for index in sorted({index for index, _ in remarks}):
        page = document.pages[index]
        files = document.annotations.files.get(page.id, ())
        if files:
            file = files[-1]
        else:
            file = edit.free(f"Annots/Page_{index}/Annotation.xml")
            edit.changes[file] = whole("PageAnnot", "")
            _appended(
                listed, f'<ofd:Page PageID="{quoted(page.id)}"><ofd:FileLoc>/{text(file)}</ofd:FileLoc></ofd:Page>'
            )
        root = edit.load(file)
        for number, remark in remarks:
            if number == index:
                _appended(root, _mark(remark, shelf, creator, day, file))
        edit.save(file, root)
    edit.save(path, listed)
    edit.last = shelf.last
    _resources(edit, shelf, folder)
    return edit.done()


def _mark(remark: Remark, shelf: Shelving, creator: str, day: date, place: str) -> str:
    left, top, right, bottom = extent(remark.items, IDENTITY) or (0.0, 0.0, 1.0, 1.0)
    left, top = round(left, 3), round(top, 3)
    objects = Objects(shelf, place).of(remark.items, (1.0, 0.0, 0.0, 1.0, -left, -top))
    kind = f' Subtype="{quoted(remark.subtype)}"' if remark.subtype else ""
    words = f"<ofd:Remark>{text(remark.words)}</ofd:Remark>" if remark.words else ""
    boundary = array((left, top, max(right - left, 0.001), max(bottom - top, 0.001)), 3)
    return (
        f'<ofd:Annot ID="{shelf.next_id()}" Type="{quoted(remark.kind)}" Creator="{quoted(creator)}" '
        f'LastModDate="{day.isoformat()}"{kind}>{words}<ofd:Appearance Boundary="{boundary}">{objects}'
        "</ofd:Appearance></ofd:Annot>"
    )


def _resources(edit: _Edit, shelf: Shelving, folder: str) -> None:
    """Put what the new objects refer to into the document's resources: a file of its own."""
    groups = (("Fonts", shelf.fonts), ("MultiMedias", shelf.images), ("CompositeGraphicUnits", shelf.composites))
    content = "".join(f"<ofd:{name}>{''.join(marks)}</ofd:{name}>" for name, marks in groups if marks)
    if not content:
        return
    edit.changes.update(shelf.new_files)
    path = f"{folder}.xml"
    edit.changes[path] = whole("Res", content, f'BaseLoc="{quoted(folder.rpartition("/")[2])}"')
    common = placed(edit.root, "CommonData", _DOCUMENT)
    placed(common, "DocumentRes", _COMMON, again=True).text = f"/{path}"


def pick(data: bytes, pages: Sequence[int]) -> bytes:
    """The file with only these pages (by index), in this order; what belonged to others alone is taken out.

    Raises ``OfdError`` OFD-025 to OFD-027, OFD-028 for a page twice or one that there isn't.
    """
    document = _opened(data, "edit")
    if len(set(pages)) != len(pages) or not pages or not all(0 <= each < len(document.pages) for each in pages):
        raise OfdError("OFD-028", tr("页码重复或不存在，没有改动。"), fix=tr("请检查页码。"))
    edit = _Edit(document)
    listed = xml.child(edit.root, "Pages")
    assert listed is not None
    elements = xml.children(listed, "Page")
    for each in elements:
        listed.remove(each)
    for index in pages:
        listed.append(elements[index])
    kept = {document.pages[index].path for index in pages}
    gone = {page.id: page.path for page in document.pages if page.index not in set(pages)}
    edit.changes.update((path, None) for path in gone.values() if path and path not in kept)
    _forget(edit, gone)
    return edit.done()


def _forget(edit: _Edit, gone: Iterable[str]) -> None:
    """Take out the annotations of pages, and where the outline and bookmarks lead to them."""
    ids = set(gone)
    document = edit.document
    path = document.annotations.path
    if path:
        root = edit.load(path)
        for each in [each for each in xml.children(root, "Page") if each.get("PageID", "") in ids]:
            root.remove(each)
        edit.save(path, root)
        kept = {file for id, files in document.annotations.files.items() if id not in ids for file in files}
        lost = {file for id, files in document.annotations.files.items() if id in ids for file in files}
        edit.changes.update(dict.fromkeys(lost - kept))
    for dest in [each for each in edit.root.iter() if xml.local(each.tag) == "Dest" and each.get("PageID") in ids]:
        holder = dest.getparent()
        while holder is not None and xml.local(holder.tag) not in ("Actions", "Bookmark"):
            holder = holder.getparent()
        above = None if holder is None else holder.getparent()
        if above is not None and holder is not None:
            above.remove(holder)


def without_seals(data: bytes) -> bytes:
    """A copy without seals and signatures, everything else byte for byte but for OFD.xml."""
    package = Package.open(data)
    document = Document.open(package)
    top = package.find("", "OFD.xml") or ""
    root = xml.load(package, top)
    changes: dict[str, bytes | None] = {}
    for body in document.bodies:
        if body.signatures:
            for each in xml.children(xml.load(package, body.signatures), "Signature"):
                found = package.find(body.signatures, each.get("BaseLoc", ""))
                changes.update(dict.fromkeys(_of_signature(package, found)))
            changes[body.signatures] = None
    for body_element in xml.children(root, "DocBody"):
        for each in xml.children(body_element, "Signatures"):
            body_element.remove(each)
    from lxml import etree

    changes[top] = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return rewrite(package, changes)


def _of_signature(package: Package, described: str | None) -> list[str]:
    """The files of one signature."""
    if described is None:
        return []
    root = xml.load(package, described)
    signed = xml.child(root, "SignedInfo")
    seal = None if signed is None else xml.child(signed, "Seal")
    locs = [xml.text(root, "SignedValue"), "" if seal is None else xml.text(seal, "BaseLoc")]
    return [described, *filter(None, (package.find(described, loc) for loc in locs if loc))]


def merge(files: Sequence[bytes], report: Report) -> bytes:
    """One file of the pages of several, as they look, with their attachments; annotations become part of the pages.

    Raises ``OfdError`` OFD-025 to OFD-027.
    """
    leaves: list[Leaf] = []
    attachments: list[tuple[str, bytes]] = []
    for data in files:
        document = _opened(data, "export")
        leaves += [Leaf(document.page_box(n), document.display(n).items) for n in range(len(document.pages))]
        attachments += [
            (each.name or each.path.rpartition("/")[2], document.extras.attachment(each.id))
            for each in document.extras.attachments
            if each.path
        ]
        for note in document.report.notes:
            report.add(*note)
    return write(Volume(tuple(leaves), Info(), attachments=tuple(attachments)), report)
