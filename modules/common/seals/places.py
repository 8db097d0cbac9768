"""Where a seal goes on pages, in millimetres: at one place, on several pages, over the seam (骑缝), at words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Literal

from modules.common.errors import GovDeskError
from modules.common.ofd.box import Box
from modules.common.seals.report import Stamp
from modules.common.text import tr

MOST_SLICES = 20
"""Pages that share one seam seal before the next one begins; a slice of a 42 mm seal is then 2 mm wide."""
Size = tuple[float, float]
Edge = Literal["left", "right"]


def centred(page: int, x: float, y: float, size: Size, paper: Size) -> Stamp:
    """The whole seal with its middle at (x, y), moved so far that it lies inside the paper."""
    width, height = size
    left = min(max(x - width / 2, 0.0), max(paper[0] - width, 0.0))
    top = min(max(y - height / 2, 0.0), max(paper[1] - height, 0.0))
    return Stamp(page, (round(left, 3), round(top, 3), width, height))


def on_pages(pages: Iterable[int], x: float, y: float, size: Size, papers: Sequence[Size]) -> list[Stamp]:
    """The same place on several pages."""
    return [centred(page, x, y, size, papers[page]) for page in pages]


def groups(count: int, most: int = MOST_SLICES) -> list[int]:
    """How many pages each seam seal spans: as even as can be, and never a last one of a single page."""
    number = max(1, min(-(-count // most), count // 2))
    small, more = divmod(count, number)
    return [small + (index < more) for index in range(number)]


def seam(
    papers: Sequence[Size],
    size: Size,
    middle: float,
    edge: Edge = "right",
    most: int = MOST_SLICES,
    pages: Sequence[int] | None = None,
) -> list[Stamp]:
    """A seal over the edge of all pages fanned out, a slice on each; ``middle`` is its height on the page.

    ``papers`` are the sizes of all pages, ``pages`` those that are meant (all). Raises ``GovDeskError`` SEAL-001 for
    one page.
    """
    wanted = range(len(papers)) if pages is None else pages
    if len(wanted) < 2:
        raise GovDeskError("SEAL-001", tr("骑缝章至少需要两页。"), fix=tr("请改为普通盖章。"))
    width, height = size
    stamps = []
    following = iter(wanted)
    for span in groups(len(wanted), most):
        slice_ = width / span
        for index, page in enumerate(islice(following, span)):
            paper = papers[page]
            top = min(max(middle - height / 2, 0.0), max(paper[1] - height, 0.0))
            # at the right edge the first page shows the seal's left; at the left edge the last page does
            shown = index if edge == "right" else span - 1 - index
            left = paper[0] - slice_ * (shown + 1) if edge == "right" else -slice_ * shown
            boundary = (round(left, 4), round(top, 4), width, height)
            stamps.append(Stamp(page, boundary, (round(slice_ * shown, 4), 0.0, round(slice_, 4), height)))
    return stamps


def at_words(words: str, found: Iterable[tuple[int, Box]], size: Size, papers: Sequence[Size]) -> list[Stamp]:
    """The seal over each of the places where ``words`` were found (page and box).

    Raises ``GovDeskError`` SEAL-033 when they were found nowhere.
    """
    stamps = [centred(page, box.x + box.width / 2, box.y + box.height / 2, size, papers[page]) for page, box in found]
    if not stamps:
        raise GovDeskError(
            "SEAL-033", tr("文件中没有“{words}”。文件没有改动。", words=words), fix=tr("请核对关键字，或改选盖章位置。")
        )
    return stamps


def overlap(one: Stamp, other: Stamp) -> bool:
    """Whether two stamps lie on one another, which the rules of official documents forbid."""
    if one.page != other.page:
        return False
    (ax, ay, aw, ah), (bx, by, bw, bh) = (_shown(each) for each in (one, other))
    return ax < bx + bw and bx < ax + aw and ay < by + bh and by < ay + ah


def _shown(stamp: Stamp) -> tuple[float, float, float, float]:
    x, y, width, height = stamp.boundary
    if stamp.clip is None:
        return x, y, width, height
    left, top, wide, high = stamp.clip
    return x + left, y + top, wide, high
