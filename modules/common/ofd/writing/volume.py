"""What is to be written: pages as display lists, and what belongs to the document besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from modules.common.ofd.box import Box
from modules.common.ofd.display import Item
from modules.common.ofd.fonts import Font
from modules.common.ofd.report import OfdError, Report
from modules.common.ofd.resources import Media
from modules.common.text import tr


class Store:
    """Files in memory that fonts and images of a volume read from, as those of a document read from its package."""

    def __init__(self) -> None:
        self.report = Report()
        self._files: dict[str, bytes] = {}

    def put(self, data: bytes, name: str = "") -> str:
        """Keep ``data``; the path to ask for it by."""
        path = name or f"{len(self._files)}"
        self._files[path] = data
        return path

    def read(self, path: str) -> bytes:
        """What was kept. Raises ``OfdError`` OFD-004."""
        if path not in self._files:
            raise OfdError("OFD-004", tr("文件包中缺少“{path}”。", path=path))
        return self._files[path]


def font_from(store: Store, data: bytes, name: str, family: str = "", **look: bool) -> Font:
    """A font out of the bytes of a TrueType, OpenType or bare CFF file; without bytes, one known by its name only."""
    path = store.put(data) if data else ""
    return Font(path or name, name, family or name, path=path, package=store, report=store.report, **look)


def media_from(store: Store, data: bytes, form: str) -> Media:
    """An image out of the bytes of its file; ``form`` is PNG, JPEG, TIFF, BMP or GIF."""
    path = store.put(data)
    return Media(path, "Image", form, path, store)


@dataclass(frozen=True, slots=True)
class Info:
    """Who made the document and what it is about (CT_DocInfo, 7.4). What is empty is not written."""

    title: str = ""
    author: str = ""
    subject: str = ""
    abstract: str = ""
    keywords: tuple[str, ...] = ()
    creator: str = "GovDesk"
    version: str = ""
    created: date | None = None
    changed: date | None = None
    custom: Mapping[str, str] = field(default_factory=dict)
    id: str = ""
    """32 hexadecimal digits; made from the content when not given."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A page: its box in millimetres, its items from the bottom up, and what repeats on many pages below and above.

    ``below`` and ``above`` are numbers of ``Volume.templates``.
    """

    box: Box
    items: tuple[Item, ...] = ()
    below: tuple[int, ...] = ()
    above: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Heading:
    """An entry of the outline; ``page`` is an index (-1: leads nowhere), ``top`` millimetres from the page's top."""

    title: str
    page: int
    top: float = 0.0
    children: tuple[Heading, ...] = ()


@dataclass(frozen=True, slots=True)
class Volume:
    """A document to be written. ``attachments`` are file names with their bytes."""

    leaves: tuple[Leaf, ...]
    info: Info = Info()
    templates: tuple[tuple[Item, ...], ...] = ()
    outline: tuple[Heading, ...] = ()
    attachments: tuple[tuple[str, bytes], ...] = ()
