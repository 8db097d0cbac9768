"""The layers of a page and of its templates in the order in which they lie (GB/T 33190-2016, 7.6, 7.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modules.common.ofd import xml
from modules.common.ofd.display import Item
from modules.common.ofd.page import PageBuilder
from modules.common.ofd.report import OfdError
from modules.common.ofd.resources import Resources
from modules.common.ofd.xml import children, local, text

if TYPE_CHECKING:
    from lxml.etree import _Element

    from modules.common.ofd.document import Document

_ORDER = {"Background": 0, "Body": 1, "Foreground": 2}
TEMPLATE_LIMIT = 64
"""Templates of one page."""


def page_items(document: Document, index: int) -> tuple[Item, ...]:
    """All items of a page, from the bottom up, without annotations."""
    page = document.pages[index]
    root = page_root(document, page.path)
    if root is None:
        return ()
    levels: list[list[Item]] = [[], [], []]
    for each in children(root, "Template")[:TEMPLATE_LIMIT]:
        id = each.get("TemplateID", "")
        template = document.templates.get(id)
        if template is None:
            document.report.add("object.reference", page.path, f"Template {id}")
            continue
        inner = page_root(document, template.path)
        if inner is not None:
            order = each.get("ZOrder") or template.order
            built = _layers(document, inner, template.path)
            levels[_ORDER.get(order, 0)] += [item for level in built for item in level]
    for level, items in zip(levels, _layers(document, root, page.path), strict=True):
        level += items
    return tuple(item for level in levels for item in level)


def page_root(document: Document, path: str) -> _Element | None:
    """The root element of a page or template; ``None`` and a note when it can't be read."""
    if not path:
        return None
    try:
        return xml.load(document.package, path)
    except OfdError as error:
        document.report.add("page.damaged", path, error.code)
        return None


def page_resources(document: Document, root: _Element, path: str) -> Resources:
    """The resources that a page sees: its own, then the document's."""
    own = children(root, "PageRes")
    if not own:
        return document.resources
    made = Resources(document.package, document.resources)
    for each in own:
        found = document.package.find(path, text(each))
        if found is None:
            document.report.add("path.missing", path, text(each))
        else:
            made.add_file(found)
    return made


def _layers(document: Document, root: _Element, path: str) -> tuple[list[Item], list[Item], list[Item]]:
    levels: tuple[list[Item], list[Item], list[Item]] = ([], [], [])
    builder = PageBuilder(page_resources(document, root, path), document.report, path)
    for each in root:
        name = local(each.tag)
        if name == "Content":
            loose = False
            for layer in each:
                kind = local(layer.tag)
                if kind == "Layer":
                    levels[_ORDER.get(layer.get("Type", "Body"), 1)].extend(builder.layer(layer))
                elif kind:
                    loose = True
            if loose:  # objects that lie in no layer
                for layer in children(each, "Layer"):
                    each.remove(layer)
                levels[1].extend(builder.build(each))
        elif name not in ("Area", "Template", "PageRes", "Actions", ""):
            document.report.add("page.unknown", path, name)
    return levels
