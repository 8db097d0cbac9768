"""Rules of the reader without a window: what people put on pages, and how two texts differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from modules.common.ofd.box import Box

INK, OPINION, HIGHLIGHT = "ink", "opinion", "highlight"
LONGEST_OPINION = 200
_FINEST = 4000
"""Characters of a changed passage that are compared one by one; a longer one counts as changed throughout."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What somebody put on a page; millimetres from its top left corner. Never part of the file itself.

    ``kind`` is ``ink``: ``strokes`` of points (across, down, pressure from 0 to 1); ``opinion``: ``text`` whose first
    line begins at ``x``, ``y``; or ``highlight``: ``boxes`` over ``text`` of the page.
    """

    kind: str
    page: int
    person: str
    day: str
    strokes: tuple[tuple[tuple[float, float, float], ...], ...] = ()
    text: str = ""
    x: float = 0.0
    y: float = 0.0
    boxes: tuple[Box, ...] = ()

    def to_doc(self) -> dict[str, Any]:
        """To be kept."""
        strokes = [[[round(number, 2) for number in point] for point in stroke] for stroke in self.strokes]
        return {
            "kind": self.kind,
            "page": self.page,
            "person": self.person,
            "day": self.day,
            "strokes": strokes,
            "text": self.text,
            "x": self.x,
            "y": self.y,
            "boxes": [[round(side, 2) for side in box] for box in self.boxes],
        }

    @classmethod
    def of(cls, doc: Mapping[str, Any]) -> Mark:
        """Out of what was kept. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for what is no mark."""
        strokes = tuple(
            tuple((float(x), float(y), float(pressure)) for x, y, pressure in stroke) for stroke in doc["strokes"]
        )
        return cls(
            str(doc["kind"]),
            int(doc["page"]),
            str(doc["person"]),
            str(doc["day"]),
            strokes,
            str(doc["text"]),
            float(doc["x"]),
            float(doc["y"]),
            tuple(Box(*map(float, box)) for box in doc.get("boxes") or ()),
        )

    @property
    def top(self) -> float:
        """Where on its page it begins."""
        if self.boxes:
            return self.boxes[0].y
        return self.strokes[0][0][1] if self.strokes and self.strokes[0] else self.y

    def words(self) -> str:
        """The lines of an opinion as they stand on the page."""
        return f"{self.text}\n{self.person}  {self.day}"


def marks_of(docs: Sequence[Mapping[str, Any]]) -> list[Mark]:
    """The marks that can be understood."""
    found = []
    for doc in docs:
        try:
            found.append(Mark.of(doc))
        except (KeyError, TypeError, ValueError):
            continue
    return found


@dataclass(frozen=True, slots=True)
class Passage:
    """Characters ``start`` to ``end`` of a page's text; equal numbers for a place between two characters."""

    page: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Change:
    """A difference between two texts: ``added`` on the right, ``removed`` from the left, or ``changed``."""

    kind: str
    left: Passage
    right: Passage
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class _Line:
    page: int
    start: int
    text: str

    @property
    def bare(self) -> str:
        return "".join(self.text.split())


def differences(left: Sequence[str], right: Sequence[str]) -> list[Change]:
    """How two documents' texts, a string for each page, differ. Blanks and where lines end make no difference.

    Lines are matched first; passages that differ are then compared character by character.
    """
    olds, news = list(_lines(left)), list(_lines(right))
    matcher = SequenceMatcher(None, [line.bare for line in olds], [line.bare for line in news], autojunk=False)
    found: list[Change] = []
    for what, a, b, c, d in matcher.get_opcodes():
        if what != "equal":
            found += _inside(_characters(olds[a:b]), _characters(news[c:d]), _end(olds, a), _end(news, c))
    return found


def _lines(pages: Sequence[str]) -> Iterator[_Line]:
    for page, text in enumerate(pages):
        start = 0
        for line in text.split("\n"):
            if line.strip():
                yield _Line(page, start, line)
            start += len(line) + 1


_Characters = list[tuple[str, int, int]]


def _characters(lines: Sequence[_Line]) -> _Characters:
    """The characters of lines, blanks left out, each with page and index."""
    return [
        (character, line.page, line.start + at)
        for line in lines
        for at, character in enumerate(line.text)
        if not character.isspace()
    ]


def _end(lines: Sequence[_Line], before: int) -> Passage:
    """The place before a line, where something is missing."""
    if before < len(lines):
        return Passage(lines[before].page, lines[before].start, lines[before].start)
    if lines:
        last = lines[-1]
        end = last.start + len(last.text)
        return Passage(last.page, end, end)
    return Passage(0, 0, 0)


def _inside(old: _Characters, new: _Characters, old_place: Passage, new_place: Passage) -> list[Change]:
    before, after = ("".join(character for character, _, _ in side) for side in (old, new))
    if max(len(old), len(new)) > _FINEST:
        codes = [("replace", 0, len(old), 0, len(new))]
    else:
        codes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()  # type: ignore[assignment]
    found = []
    for what, a, b, c, d in codes:
        if what == "equal":
            continue
        kind = "removed" if c == d else "added" if a == b else "changed"
        left, right = _passage(old, a, b, old_place), _passage(new, c, d, new_place)
        found.append(Change(kind, left, right, before[a:b], after[c:d]))
    return found


def _passage(characters: _Characters, first: int, last: int, otherwise: Passage) -> Passage:
    """The characters as a passage of the page on which they begin."""
    if first == last:
        if first and first <= len(characters):
            _, page, at = characters[first - 1]
            return Passage(page, at + 1, at + 1)
        return otherwise
    _, page, start = characters[first]
    end = start
    for _, on, at in characters[first:last]:
        if on == page:
            end = at
    return Passage(page, start, end + 1)
