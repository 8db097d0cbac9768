"""An OFD document: its versions, pages and what belongs to it besides the pages, each read when asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from modules.common.ofd import xml
from modules.common.ofd.annotations import Annotations
from modules.common.ofd.box import Box
from modules.common.ofd.container import Package
from modules.common.ofd.display import DisplayList
from modules.common.ofd.extras import Extras
from modules.common.ofd.reading import Hit, PageText, may_hold, read
from modules.common.ofd.report import OfdError, Report
from modules.common.ofd.resources import Resources
from modules.common.ofd.xml import child, children, flag, local, number, numbers, text
from modules.common.text import tr

if TYPE_CHECKING:
    from lxml.etree import _Element

LARGEST = 20_000.0
"""Millimetres that a page may measure on a side; more is a mistake or an attack."""
A4 = (0.0, 0.0, 210.0, 297.0)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a document (GB/T 33190, 18). ``loc`` is the path of its description."""

    id: str
    index: int
    current: bool
    loc: str


class Body(NamedTuple):
    """One document of the package (DocBody, 7.4). Paths are from the root; empty when there is no such part."""

    info: dict[str, str]
    """DocID, Title, Author, Subject, Creator … as written."""
    custom: dict[str, str]
    """CustomDatas by name."""
    keywords: tuple[str, ...]
    root: str
    signatures: str
    versions: tuple[Version, ...]


@dataclass(frozen=True, slots=True)
class PageRef:
    """A page of a document. ``path`` is empty when its content is missing."""

    index: int
    id: str
    path: str


class TemplateRef(NamedTuple):
    """A template page (CT_TemplatePage, 7.5). ``order`` is ``Background`` or ``Foreground``."""

    id: str
    path: str
    order: str


class Document:
    """One document of an OFD package, opened at one version.

    ``report`` says what was skipped. Everything is read on demand and may be asked for from several threads.
    """

    def __init__(self, package: Package, bodies: tuple[Body, ...], chosen: int, version: Version | None) -> None:
        self.package = package
        self.report: Report = package.report
        self.bodies = bodies
        self.body = bodies[chosen]
        self.version = version
        self.root_path = self._root_of(version)

    @classmethod
    def open(cls, source: bytes | Path | Package, *, body: int = 0, version: str | None = None) -> Document:
        """Open a file, its bytes or a package: document ``body``, at the version of that ID or the current one.

        Raises ``OfdError``: OFD-001 to OFD-008, OFD-013 when the file is encrypted.
        """
        package = source if isinstance(source, Package) else Package.open(source)
        found = bodies(package)
        if not found and (locked := _encrypted(package)) is not None:
            raise locked
        if not 0 <= body < len(found):
            raise OfdError("OFD-008", tr("文件中没有可显示的文档。"), fix=tr("请重新获取此文件。"))
        versions = found[body].versions
        chosen = next((each for each in versions if (each.id == version if version else each.current)), None)
        document = cls(package, found, body, chosen)
        try:
            document.root  # noqa: B018 - whether it can be read is known at once
        except OfdError as error:
            raise _encrypted(package) or error from None
        return document

    @cached_property
    def root(self) -> _Element:
        """The root element of the document's description (Document.xml)."""
        return xml.load(self.package, self.root_path)

    def _root_of(self, version: Version | None) -> str:
        if version is None:
            return self.body.root
        try:
            described = xml.load(self.package, version.loc)
        except OfdError as error:
            self.report.add("document.part", version.loc, error.code)
            return self.body.root
        return self.package.find(version.loc, text(described, "DocRoot")) or self.body.root

    @cached_property
    def common(self) -> _Element | None:
        """The CommonData element."""
        return child(self.root, "CommonData")

    @cached_property
    def pages(self) -> tuple[PageRef, ...]:
        """The pages in order; their content is not read."""
        listed = children(child(self.root, "Pages"), "Page")
        return tuple(
            PageRef(index, page.get("ID", ""), self._locate(page.get("BaseLoc", ""), "page.missing"))
            for index, page in enumerate(listed)
        )

    @cached_property
    def page_index(self) -> dict[str, int]:
        """The index of each page by its ID."""
        return {page.id: page.index for page in self.pages}

    @cached_property
    def templates(self) -> dict[str, TemplateRef]:
        """The template pages by ID."""
        found = {}
        for each in children(self.common, "TemplatePage"):
            path = self._locate(each.get("BaseLoc", ""), "page.missing")
            found[each.get("ID", "")] = TemplateRef(each.get("ID", ""), path, each.get("ZOrder", "Background"))
        return found

    @cached_property
    def default_area(self) -> Box:
        """The page box that pages without one of their own have."""
        area = None if self.common is None else child(self.common, "PageArea")
        return area_box(area) or Box(*A4)

    def page_box(self, index: int) -> Box:
        """The physical box of a page in millimetres; only the beginning of its content is read."""
        page = self.pages[index]
        found = _first_area(self.package, page.path) if page.path else None
        box = found or self.default_area
        if box.width > LARGEST or box.height > LARGEST:
            self.report.add("page.huge", page.path, f"{box.width:g} × {box.height:g}")
            box = box._replace(width=min(box.width, LARGEST), height=min(box.height, LARGEST))
        return box

    @cached_property
    def resources(self) -> Resources:
        """The document's public resources and its own."""
        made = Resources(self.package)
        for name in ("PublicRes", "DocumentRes"):
            for each in children(self.common, name):
                path = self._locate(text(each), "path.missing")
                if path:
                    made.add_file(path)
        return made

    def display(self, index: int, *, annotations: bool = True) -> DisplayList:
        """What is to be painted of a page, with its templates, and its annotations on top unless not wanted.

        What can't be read is left out and noted.
        """
        from modules.common.ofd.assembly import page_items

        items = page_items(self, index)
        if annotations:
            items += self.annotations.items(index)
        return DisplayList(self.page_box(index), items)

    def text(self, index: int) -> PageText:
        """The text of a page in reading order, with places."""
        return read(self.display(index))

    def find(self, words: str, pages: Iterable[int] | None = None) -> Iterator[Hit]:
        """Where ``words`` stand in the document, page by page."""
        for index in range(len(self.pages)) if pages is None else pages:
            page = self.display(index)
            if may_hold(page, words):
                yield from read(page).find(words, index)

    @cached_property
    def annotations(self) -> Annotations:
        """The annotations of all pages."""
        return Annotations(self)

    @cached_property
    def extras(self) -> Extras:
        """Outline, bookmarks, attachments, custom tags, permissions."""
        return Extras(self)

    def _locate(self, loc: str, otherwise: str) -> str:
        path = self.package.find(self.root_path, loc) if loc else None
        if path is None:
            self.report.add(otherwise, self.root_path, loc)
        return path or ""


def bodies(package: Package) -> tuple[Body, ...]:
    """The documents of a package (OFD.xml, 7.4). Raises ``OfdError`` OFD-008 when there is none."""
    path = package.find("", "OFD.xml") or next(
        (each for each in package.paths if each.lower().endswith("/ofd.xml")), None
    )
    if path is None:
        raise OfdError("OFD-008", tr("文件中没有可显示的文档。"), fix=tr("请重新获取此文件。"))
    found = []
    for element in children(xml.load(package, path), "DocBody"):
        root = text(element, "DocRoot")
        located = package.find(path, root) if root else None
        if located is None:
            package.report.add("document.body", path, root)
            continue
        found.append(_body(package, path, element, located))
    return tuple(found)


def _encrypted(package: Package) -> OfdError | None:
    """The error to raise for a file that is encrypted as GM/T 0099-2020 says; ``None`` for others."""
    names = {path.rpartition("/")[2].casefold() for path in package.paths}
    if not names & {"encryptions.xml", "decryptseed.dat"}:
        return None
    return OfdError("OFD-013", tr("文件已加密，本程序不能打开。"), fix=tr("请向提供者索取未加密的文件。"))


def _body(package: Package, path: str, element: _Element, root: str) -> Body:
    info: dict[str, str] = {}
    custom: dict[str, str] = {}
    keywords: list[str] = []
    described = child(element, "DocInfo")
    for each in () if described is None else described:
        name = local(each.tag)
        if name == "CustomDatas":
            custom.update((data.get("Name", ""), text(data)) for data in children(each, "CustomData"))
        elif name == "Keywords":
            keywords += [text(word) for word in children(each, "Keyword")]
        elif name:
            info[name] = text(each)
    versions = []
    for number_, each in enumerate(children(child(element, "Versions"), "Version")):
        loc = package.find(path, each.get("BaseLoc", ""))
        if loc:
            index = int(number(each.get("Index"), number_))
            versions.append(Version(each.get("ID", ""), index, flag(each.get("Current")), loc))
    signatures = text(element, "Signatures")
    where = package.find(path, signatures) if signatures else None
    return Body(info, custom, tuple(keywords), root, where or "", tuple(versions))


def area_box(area: _Element | None) -> Box | None:
    """The physical box of a CT_PageArea, if it has a usable one."""
    found = numbers(text(area, "PhysicalBox"))
    return Box(*found[:4]) if len(found) >= 4 and found[2] > 0 and found[3] > 0 else None


def _first_area(package: Package, path: str) -> Box | None:
    """The page's own area, out of the beginning of its content; ``None`` when it has none."""
    from lxml import etree

    parser = etree.XMLPullParser(events=("start", "end"), resolve_entities=False, no_network=True)
    events: Iterator[tuple[str, _Element]] = parser.read_events()  # type: ignore[assignment]
    try:
        parser.feed(package.head(path, 4096))
        for event, element in events:
            name = local(element.tag)
            if event == "end" and name == "Area":
                return area_box(element)
            if event == "start" and name == "Content":
                return None
    except (etree.XMLSyntaxError, OfdError):
        return None
    return None
