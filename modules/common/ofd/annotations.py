"""Annotations (GB/T 33190-2016, 15): what they say, where they lie, and how they look."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from modules.common.ofd import xml
from modules.common.ofd.actions import Action, actions_of
from modules.common.ofd.box import Box
from modules.common.ofd.display import Group, Item
from modules.common.ofd.page import PageBuilder
from modules.common.ofd.report import OfdError
from modules.common.ofd.xml import child, children, flag, numbers, text

if TYPE_CHECKING:
    from lxml.etree import _Element

    from modules.common.ofd.document import Document


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotation. ``items`` is its appearance in the space of the page."""

    id: str
    type: str
    """Link, Path, Highlight, Stamp or Watermark, or what the maker wrote."""
    subtype: str
    creator: str
    changed: str
    remark: str
    visible: bool
    printed: bool
    no_zoom: bool
    no_rotate: bool
    read_only: bool
    parameters: tuple[tuple[str, str], ...]
    box: Box | None
    actions: tuple[Action, ...]
    items: tuple[Item, ...]
    path: str
    """The file in which it stands."""


class Annotations:
    """All annotations of a document, read page by page."""

    def __init__(self, document: Document) -> None:
        self._document = document

    @cached_property
    def path(self) -> str:
        """The file that lists the pages' annotations; empty when there is none."""
        loc = text(self._document.root, "Annotations")
        return (self._document.package.find(self._document.root_path, loc) or "") if loc else ""

    @cached_property
    def files(self) -> dict[str, tuple[str, ...]]:
        """The files of annotations by the ID of their page."""
        if not self.path:
            return {}
        document = self._document
        try:
            root = xml.load(document.package, self.path)
        except OfdError as error:
            document.report.add("document.part", self.path, error.code)
            return {}
        found: dict[str, tuple[str, ...]] = {}
        for page in children(root, "Page"):
            loc = text(page, "FileLoc")
            path = document.package.find(self.path, loc) if loc else None
            if path is None:
                document.report.add("path.missing", self.path, loc)
                continue
            id = page.get("PageID", "")
            found[id] = (*found.get(id, ()), path)
        return found

    def of_page(self, index: int) -> tuple[Annotation, ...]:
        """The annotations of a page, from the bottom up."""
        document = self._document
        out: list[Annotation] = []
        for path in self.files.get(document.pages[index].id, ()):
            try:
                root = xml.load(document.package, path)
            except OfdError as error:
                document.report.add("document.part", path, error.code)
                continue
            builder = PageBuilder(document.resources, document.report, path)
            out += [self._annotation(each, builder, path) for each in children(root, "Annot")]
        return tuple(out)

    def items(self, index: int) -> tuple[Item, ...]:
        """What a page's visible annotations look like."""
        return tuple(item for each in self.of_page(index) if each.visible for item in each.items)

    def _annotation(self, element: _Element, builder: PageBuilder, path: str) -> Annotation:
        get = element.get
        appearance = child(element, "Appearance")
        place = numbers(appearance.get("Boundary")) if appearance is not None else []
        box = Box(*place[:4]) if len(place) >= 4 else None
        items: tuple[Item, ...] = ()
        if appearance is not None:
            items = builder.build(appearance)
            if items and box is not None and (box.x or box.y):
                items = (Group(items, (1.0, 0.0, 0.0, 1.0, box.x, box.y)),)
        kind = get("Type", "")
        if not items and kind not in ("Link", "Stamp"):
            self._document.report.add("annotation.plain", f"{path}#{get('ID', '')}", kind)
        parameters = children(child(element, "Parameters"), "Parameter")
        return Annotation(
            get("ID", ""),
            kind,
            get("Subtype", ""),
            get("Creator", ""),
            get("LastModDate", ""),
            text(element, "Remark"),
            flag(get("Visible"), True),
            flag(get("Print"), True),
            flag(get("NoZoom")),
            flag(get("NoRotate")),
            flag(get("ReadOnly"), True),
            tuple((each.get("Name", ""), text(each)) for each in parameters),
            box,
            actions_of(element, self._document, path),
            items,
            path,
        )
