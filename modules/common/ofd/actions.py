"""Actions and destinations (GB/T 33190-2016, 14): what a click, or an entry of the outline, leads to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.common.ofd import outlines
from modules.common.ofd.box import Box
from modules.common.ofd.xml import child, children, local, number, numbers, text

if TYPE_CHECKING:
    from lxml.etree import _Element

    from modules.common.ofd.document import Document


@dataclass(frozen=True, slots=True)
class Destination:
    """A place in the document. ``page`` is the page's index; coordinates in millimetres, 0 where not given."""

    page: int
    kind: str
    """XYZ, Fit, FitH, FitV or FitR."""
    left: float = 0.0
    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    zoom: float = 0.0


@dataclass(frozen=True, slots=True)
class Action:
    """What happens on ``event`` (CLICK, PO page open, DO document open).

    ``kind``: Goto with ``destination`` or the name of a bookmark in ``target``; URI with the address in ``target``;
    GotoA with an attachment's ID in ``target``; Sound and Movie with a resource's ID in ``target``.
    """

    event: str
    kind: str
    target: str = ""
    destination: Destination | None = None
    region: Box | None = None


def destination_of(element: _Element, document: Document) -> Destination | None:
    """The destination that a Dest element names; ``None`` when its page does not exist."""
    index = document.page_index.get(element.get("PageID", ""))
    if index is None:
        document.report.add("object.reference", document.root_path, f"PageID {element.get('PageID', '')}")
        return None
    left, top, right, bottom, zoom = (number(element.get(name)) for name in ("Left", "Top", "Right", "Bottom", "Zoom"))
    return Destination(index, element.get("Type", "XYZ"), left, top, right, bottom, zoom)


def actions_of(element: _Element | None, document: Document, place: str) -> tuple[Action, ...]:
    """The actions that an element holds in its Actions."""
    holder = None if element is None else child(element, "Actions")
    found = []
    for each in children(holder, "Action"):
        event = each.get("Event", "CLICK").upper()
        region = _region(child(each, "Region"))
        for part in each:
            kind = local(part.tag)
            if kind == "Goto":
                dest, mark = child(part, "Dest"), child(part, "Bookmark")
                where = destination_of(dest, document) if dest is not None else None
                name = mark.get("Name", "") if mark is not None else ""
                if where is not None or name:
                    found.append(Action(event, "Goto", name, where, region))
            elif kind == "URI":
                found.append(Action(event, "URI", (part.get("URI") or text(part)).strip(), None, region))
            elif kind == "GotoA":
                found.append(Action(event, "GotoA", part.get("AttachID", ""), None, region))
            elif kind in ("Sound", "Movie"):
                found.append(Action(event, kind, part.get("ResourceID", ""), None, region))
            elif kind not in ("Region", ""):
                document.report.add("page.unknown", place, kind)
    return tuple(found)


def _region(element: _Element | None) -> Box | None:
    """The box around an action's region."""
    if element is None:
        return None
    points: list[float] = []
    for area in children(element, "Area"):
        points += numbers(area.get("Start"))[:2]
        for part in area:
            for name in ("Point1", "Point2", "Point3", "EndPoint"):
                points += numbers(part.get(name))[:2]
    if len(points) < 4:
        return None
    left, top, right, bottom = outlines.bounds(tuple(points[: len(points) // 2 * 2]))
    return Box(left, top, right - left, bottom - top)
