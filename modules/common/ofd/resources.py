"""Resources of an OFD (GB/T 33190-2016, 7.9): fonts, images, colour spaces, drawing parameters, composites by ID."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modules.common.ofd import xml
from modules.common.ofd.colours import RGB, Space, space_of
from modules.common.ofd.container import Package, Readable, resolve
from modules.common.ofd.fonts import Font
from modules.common.ofd.report import OfdError
from modules.common.ofd.xml import attributes, child, flag, local, number, numbers, text

if TYPE_CHECKING:
    from lxml.etree import _Element

_CHAIN = 32
"""How far drawing parameters may inherit from one another."""


class Media:
    """An image, sound or film of the package; its bytes are read when asked for. Compared by identity."""

    __slots__ = ("_package", "format", "id", "kind", "path")

    def __init__(self, id: str, kind: str, format: str, path: str, package: Readable) -> None:
        self.id, self.kind, self.format, self.path = id, kind, format, path
        self._package = package

    def data(self) -> bytes:
        """The file's bytes. Raises ``OfdError``."""
        return self._package.read(self.path)

    def note(self, code: str, detail: str = "") -> None:
        """Note something about this file in the document's report."""
        self._package.report.add(code, self.path, detail)


class Style(NamedTuple):
    """Drawing parameters in force (CT_DrawParam, 8.2); ``None`` where nothing has been said."""

    width: float | None = None
    join: str | None = None
    cap: str | None = None
    miter: float | None = None
    dashes: tuple[float, ...] | None = None
    dash_offset: float | None = None
    fill: _Element | None = None
    stroke: _Element | None = None


PLAIN = Style()


class Resources:
    """All resources that a page sees; a page's own come before the document's.

    ``element`` entries are kept as XML until they are used, for most pages use few of them.
    """

    def __init__(self, package: Package, behind: Resources | None = None) -> None:
        self._package = package
        self._behind = behind
        self._elements: dict[tuple[str, str], tuple[_Element, str]] = {}
        self._fonts: dict[str, Font | None] = {}
        self._media: dict[str, Media | None] = {}
        self._spaces: dict[str, Space] = {}
        self._styles: dict[tuple[Style, str], Style] = {}

    def add_file(self, path: str) -> None:
        """Take in a resource file; one that can't be read is noted."""
        report = self._package.report
        try:
            root = xml.load(self._package, path)
        except OfdError as error:
            report.add("document.part", path, error.code)
            return
        base = (root.get("BaseLoc") or "").strip()
        folder = resolve(path, base + "/_") if base else path
        for group in root:
            if not local(group.tag):
                continue
            for each in group:
                name = local(each.tag)
                if name:
                    self._elements[name, (each.get("ID") or "").strip()] = (each, folder)

    def _find(self, kind: str, id: str) -> tuple[_Element, str] | None:
        found = self._elements.get((kind, id))
        return found if found is not None or self._behind is None else self._behind._find(kind, id)

    def _own(self, kind: str, id: str) -> bool:
        """Whether this page, and not the document behind it, defines something."""
        return self._behind is None or (kind, id) in self._elements

    def font(self, id: str) -> Font | None:
        """The font with this ID; the same object each time."""
        if not self._own("Font", id) and self._behind is not None:
            return self._behind.font(id)
        if id not in self._fonts:
            self._fonts[id] = self._make_font(id)
        return self._fonts[id]

    def _make_font(self, id: str) -> Font | None:
        found = self._find("Font", id)
        if found is None:
            return None
        element, folder = found
        loc = text(element, "FontFile")
        path = self._locate(folder, loc) if loc else None
        return Font(
            id,
            element.get("FontName", ""),
            element.get("FamilyName", ""),
            path=path or "",
            package=self._package,
            report=self._package.report,
            bold=flag(element.get("Bold")),
            italic=flag(element.get("Italic")),
            serif=flag(element.get("Serif")),
            fixed=flag(element.get("FixedWidth")),
        )

    def media(self, id: str) -> Media | None:
        """The multimedia file with this ID; the same object each time."""
        if not self._own("MultiMedia", id) and self._behind is not None:
            return self._behind.media(id)
        if id not in self._media:
            found = self._find("MultiMedia", id)
            made = None
            if found is not None:
                element, folder = found
                path = self._locate(folder, text(element, "MediaFile"))
                kind, form = element.get("Type", "Image"), element.get("Format", "")
                made = Media(id, kind, form, path, self._package) if path else None
            self._media[id] = made
        return self._media[id]

    def _locate(self, folder: str, loc: str) -> str | None:
        path = self._package.find(folder, loc) if loc else None
        if path is None:
            # some makers name the folder of resources twice, or not at all
            name = loc.replace("\\", "/").rpartition("/")[2]
            near = [each for each in self._package.paths if each.rpartition("/")[2] == name] if name else []
            if len(near) == 1:
                self._package.report.add("path.mended", folder, loc)
                return near[0]
            self._package.report.add("path.missing", folder, loc)
        return path

    def space(self, id: str) -> Space:
        """The colour space with this ID, or RGB."""
        if id not in self._spaces:
            found = self._find("ColorSpace", id) if id else None
            if found is None:
                if id:
                    self._package.report.add("object.reference", "ColorSpace", id)
                self._spaces[id] = RGB
            else:
                self._spaces[id] = space_of(found[0], self._package.report, found[1])
        return self._spaces[id]

    def composite(self, id: str) -> _Element | None:
        """The CompositeGraphicUnit with this ID."""
        found = self._find("CompositeGraphicUnit", id)
        return None if found is None else found[0]

    def style(self, under: Style, id: str) -> Style:
        """``under`` with the drawing parameters of this ID, and those they inherit from, laid over it."""
        key = (under, id)
        if key not in self._styles:
            chain: list[_Element] = []
            wanted, seen = id, set[str]()
            while wanted and wanted not in seen and len(chain) < _CHAIN:
                seen.add(wanted)
                found = self._find("DrawParam", wanted)
                if found is None:
                    self._package.report.add("object.reference", "DrawParam", wanted)
                    break
                chain.append(found[0])
                wanted = found[0].get("Relative", "")
            made = under
            for element in reversed(chain):
                made = over(made, element)
            self._styles[key] = made
        return self._styles[key]


def over(style: Style, element: _Element) -> Style:
    """``style`` with what an element (a DrawParam or a graphic unit) says of lines and colours laid over it."""
    said: dict[str, object] = {}
    for name, value in attributes(element):
        if name == "LineWidth":
            said["width"] = max(0.0, number(value))
        elif name == "Join":
            said["join"] = value
        elif name == "Cap":
            said["cap"] = value
        elif name == "MiterLimit":
            said["miter"] = number(value, 4.234)
        elif name == "DashPattern":
            said["dashes"] = tuple(numbers(value))
        elif name == "DashOffset":
            said["dash_offset"] = number(value)
    fill, stroke = child(element, "FillColor"), child(element, "StrokeColor")
    if fill is not None:
        said["fill"] = fill
    if stroke is not None:
        said["stroke"] = stroke
    return style._replace(**said) if said else style  # type: ignore[arg-type]
