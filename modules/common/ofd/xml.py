"""XML out of a package: parsed without entities, networks or surprises; names without their namespaces."""

from __future__ import annotations

import math
import re
import sys
from typing import TYPE_CHECKING

from modules.common.ofd.container import Package
from modules.common.ofd.report import OfdError, Report
from modules.common.text import tr

if TYPE_CHECKING:
    from lxml.etree import _Element

SIZE_LIMIT = 48 << 20
"""Bytes of one XML file."""
TAG_LIMIT = 1_500_000
"""Tags, opening and closing, of one XML file: bounds the memory of its tree."""

_SPLIT = re.compile(r"[\s,]+")


class _LocalNames(dict[object, str]):
    """Tag → name without namespace; OFD files come with the namespace, without, and with others."""

    def __missing__(self, tag: object) -> str:
        # a prefix that nobody declared stays in the name
        name = sys.intern(tag.rpartition("}")[2].rpartition(":")[2]) if isinstance(tag, str) else ""
        if len(self) < 4096:
            self[tag] = name
        return name


local = _LocalNames().__getitem__
"""The name of a tag without its namespace; empty for what is no element."""


def parse(data: bytes, place: str, report: Report) -> _Element:
    """The root element of an XML file.

    Damaged XML is read as far as possible, and noted. Raises ``OfdError`` OFD-007 when nothing can be read, when
    there is a document type declaration (entity tricks), or over a limit.
    """
    from lxml import etree

    if len(data) > SIZE_LIMIT or data.count(b"<") > TAG_LIMIT:
        report.add("zip.limit", place)
        raise _unreadable(place)
    beginning = data[:65536].replace(b"\0", b"").upper()  # without the zeros of UTF-16
    if b"<!DOCTYPE" in beginning or b"<!ENTITY" in beginning:
        report.add("xml.entities", place)
        raise _unreadable(place)
    options = {"resolve_entities": False, "no_network": True, "remove_comments": True, "remove_pis": True}
    try:
        return etree.fromstring(data, etree.XMLParser(**options))  # type: ignore[arg-type]
    except (etree.XMLSyntaxError, ValueError):
        report.add("xml.damaged", place)
    try:
        root = etree.fromstring(data, etree.XMLParser(recover=True, **options))  # type: ignore[arg-type]
    except (etree.XMLSyntaxError, ValueError):
        root = None
    if root is None:
        raise _unreadable(place)
    return root


def load(package: Package, path: str) -> _Element:
    """The root element of the XML file at ``path``. Raises ``OfdError`` OFD-004 to OFD-007."""
    return parse(package.read(path), path, package.report)


def child(element: _Element, name: str) -> _Element | None:
    """The first child of this local name."""
    for each in element:
        if local(each.tag) == name:
            return each
    return None


def children(element: _Element | None, name: str) -> list[_Element]:
    """All children of this local name."""
    return [] if element is None else [each for each in element if local(each.tag) == name]


def attributes(element: _Element) -> list[tuple[str, str]]:
    """The attributes of an element."""
    return element.items()  # type: ignore[return-value]


def text(element: _Element | None, name: str = "") -> str:
    """The stripped text of an element, or of its child ``name``; empty when it is not there."""
    if element is not None and name:
        element = child(element, name)
    return "" if element is None else (element.text or "").strip()


def number(value: str | None, default: float = 0.0) -> float:
    """A finite number as OFD writes it, or ``default``."""
    try:
        found = float(value) if value else default
    except ValueError:
        return default
    return found if math.isfinite(found) and abs(found) < 1e9 else default


def numbers(value: str | None) -> list[float]:
    """The numbers of an ST_Array; what is no number ends the list."""
    if not value:
        return []
    try:
        found = list(map(float, value.split()))
    except ValueError:
        found = []
        for word in _SPLIT.split(value.strip()):
            try:
                found.append(float(word))
            except ValueError:
                break
    for index, each in enumerate(found):
        if not -1e9 < each < 1e9:  # also not a number
            return found[:index]
    return found


def flag(value: str | None, default: bool = False) -> bool:
    """A boolean attribute."""
    return default if value is None else value.strip().lower() in ("true", "1", "yes")


def _unreadable(place: str) -> OfdError:
    return OfdError("OFD-007", tr("文件的一部分“{path}”无法读取。", path=place))
