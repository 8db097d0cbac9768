"""What belongs to a document besides its pages: outline, bookmarks, attachments, tags, permissions, extensions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from modules.common.ofd import xml
from modules.common.ofd.actions import Action, Destination, actions_of, destination_of
from modules.common.ofd.assembly import page_root
from modules.common.ofd.box import Box
from modules.common.ofd.report import OfdError
from modules.common.ofd.xml import attributes, child, children, flag, local, number, numbers, text

if TYPE_CHECKING:
    from lxml.etree import _Element

    from modules.common.ofd.document import Document

ENTRY_LIMIT = 50_000
"""Entries of an outline or of a tree of tags."""
_DEPTH = 60
_CLICKABLE = {"TextObject", "PathObject", "ImageObject", "CompositeObject"}


@dataclass(frozen=True, slots=True)
class OutlineEntry:
    """An entry of the outline (7.8); ``page`` is where it leads, if into this document."""

    title: str
    expanded: bool
    actions: tuple[Action, ...]
    children: tuple[OutlineEntry, ...]

    @property
    def destination(self) -> Destination | None:
        """Where the entry leads."""
        return next((action.destination for action in self.actions if action.destination is not None), None)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in the file (20). ``size`` is in KiB as the maker wrote it; ``path`` is empty when it is missing."""

    id: str
    name: str
    format: str
    created: str
    size: float
    visible: bool
    usage: str
    path: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A node of a custom tag tree (16): which objects of which pages mean what."""

    name: str
    value: str
    attributes: tuple[tuple[str, str], ...]
    objects: tuple[tuple[str, str], ...]
    """IDs: page, object."""
    children: tuple[Tag, ...]


@dataclass(frozen=True, slots=True)
class Permissions:
    """What the maker allows (7.5, CT_Permission); all is allowed when the document says nothing."""

    edit: bool = True
    annotate: bool = True
    export: bool = True
    sign: bool = True
    watermark: bool = True
    print_screen: bool = True
    print: bool = True
    copies: int = -1
    """How often it may be printed; -1: as often as one likes."""
    valid_from: str = ""
    valid_until: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A place on a page that can be clicked."""

    box: Box
    actions: tuple[Action, ...]


class Extras:
    """Reads each of these when it is asked for."""

    def __init__(self, document: Document) -> None:
        self._document = document

    @cached_property
    def outline(self) -> tuple[OutlineEntry, ...]:
        """The entries of the outline, nested."""
        left = [ENTRY_LIMIT]
        return self._entries(child(self._document.root, "Outlines"), left, 0)

    def _entries(self, element: _Element | None, left: list[int], depth: int) -> tuple[OutlineEntry, ...]:
        found = []
        for each in children(element, "OutlineElem"):
            left[0] -= 1
            if left[0] < 0 or depth > _DEPTH:
                break
            found.append(
                OutlineEntry(
                    each.get("Title", "").strip(),
                    flag(each.get("Expanded"), True),
                    actions_of(each, self._document, self._document.root_path),
                    self._entries(each, left, depth + 1),
                )
            )
        return tuple(found)

    @cached_property
    def bookmarks(self) -> dict[str, Destination]:
        """Destinations by the bookmark's name."""
        found = {}
        for each in children(child(self._document.root, "Bookmarks"), "Bookmark"):
            dest = child(each, "Dest")
            where = None if dest is None else destination_of(dest, self._document)
            if where is not None:
                found[each.get("Name", "")] = where
        return found

    @cached_property
    def actions(self) -> tuple[Action, ...]:
        """What happens when the document is opened."""
        return actions_of(self._document.root, self._document, self._document.root_path)

    @cached_property
    def permissions(self) -> Permissions:
        """What is allowed."""
        element = child(self._document.root, "Permissions")
        if element is None:
            return Permissions()
        printing, period = child(element, "Print"), child(element, "ValidPeriod")
        names = ("Edit", "Annot", "Export", "Signature", "Watermark", "PrintScreen")
        edit, annotate, export, sign, watermark, screen = (flag(text(element, name) or None, True) for name in names)
        return Permissions(
            edit,
            annotate,
            export,
            sign,
            watermark,
            screen,
            printing is None or flag(printing.get("Printable"), True),
            -1 if printing is None else int(number(printing.get("Copies"), -1)),
            "" if period is None else period.get("StartDate", ""),
            "" if period is None else period.get("EndDate", ""),
        )

    @cached_property
    def preferences(self) -> dict[str, str]:
        """How the maker wants it to be shown (VPreferences): PageMode, PageLayout, ZoomMode …"""
        element = child(self._document.root, "VPreferences")
        return {} if element is None else {local(each.tag): text(each) for each in element if local(each.tag)}

    @cached_property
    def attachments(self) -> tuple[Attachment, ...]:
        """The attached files."""
        found = []
        root, where = self._part("Attachments")
        for each in children(root, "Attachment"):
            loc = text(each, "FileLoc")
            path = self._document.package.find(where, loc) if loc else None
            if path is None:
                self._document.report.add("path.missing", where, loc)
            get = each.get
            found.append(
                Attachment(
                    get("ID", ""),
                    get("Name", ""),
                    get("Format", ""),
                    get("CreationDate", ""),
                    number(get("Size")),
                    flag(get("Visible"), True),
                    get("Usage", ""),
                    path or "",
                )
            )
        return tuple(found)

    def attachment(self, id: str) -> bytes:
        """The bytes of an attached file. Raises ``OfdError`` OFD-004 when there is none."""
        path = next((each.path for each in self.attachments if each.id == id), "")
        return self._document.package.read(path)

    @cached_property
    def tags(self) -> tuple[Tag, ...]:
        """The custom tag trees, one root for each file."""
        found = []
        root, where = self._part("CustomTags")
        left = [ENTRY_LIMIT]
        for each in children(root, "CustomTag"):
            loc = text(each, "FileLoc")
            path = self._document.package.find(where, loc) if loc else None
            if path is None:
                self._document.report.add("path.missing", where, loc)
                continue
            try:
                found.append(_tag(xml.load(self._document.package, path), left, 0))
            except OfdError as error:
                self._document.report.add("document.part", path, error.code)
        return tuple(found)

    @cached_property
    def extensions(self) -> tuple[tuple[str, str, str], ...]:
        """Extensions that the maker added (17): application, its version, the ID of the object they belong to."""
        root, _ = self._part("Extensions")
        return tuple(
            (each.get("AppName", ""), each.get("AppVersion", ""), each.get("RefId", ""))
            for each in children(root, "Extension")
        )

    def links(self, index: int) -> tuple[Link, ...]:
        """What can be clicked on a page: link annotations, and objects with actions."""
        document = self._document
        found = [
            Link(each.box, each.actions)
            for each in document.annotations.of_page(index)
            if each.box is not None and each.actions
        ]
        root = page_root(document, document.pages[index].path)
        for each in () if root is None else root.iter():
            if local(each.tag) in _CLICKABLE and child(each, "Actions") is not None:
                place = numbers(each.get("Boundary"))
                actions = actions_of(each, document, document.pages[index].path)
                if len(place) >= 4 and actions:
                    found.append(Link(Box(*place[:4]), actions))
        return tuple(found)

    def _part(self, name: str) -> tuple[_Element | None, str]:
        """The root element of a part that Document.xml names, and its path."""
        document = self._document
        loc = text(document.root, name)
        path = document.package.find(document.root_path, loc) if loc else None
        if path is None:
            if loc:
                document.report.add("path.missing", document.root_path, loc)
            return None, ""
        try:
            return xml.load(document.package, path), path
        except OfdError as error:
            document.report.add("document.part", path, error.code)
            return None, path


def _tag(element: _Element, left: list[int], depth: int) -> Tag:
    objects: list[tuple[str, str]] = []
    inner: list[Tag] = []
    for each in element:
        left[0] -= 1
        if left[0] < 0 or depth > _DEPTH:
            break
        name = local(each.tag)
        if name == "ObjectRef":
            objects.append((each.get("PageRef", ""), text(each)))
        elif name:
            inner.append(_tag(each, left, depth + 1))
    said = tuple((local(name), value) for name, value in attributes(element))
    return Tag(local(element.tag), text(element), said, tuple(objects), tuple(inner))
