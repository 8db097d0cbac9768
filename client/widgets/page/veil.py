"""Seals on the screen: ground glass under a watermark, laid over the pages by the reader and never part of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from PySide6.QtCore import QObject, QRectF
from PySide6.QtGui import QImage, QPainter

from client.kernel.contract import Lanes, Token
from client.widgets.page.canvas import PageCanvas
from client.widgets.page.seals import blurred, marked
from client.widgets.page.source import SealSpot, Source
from client.widgets.page.tiles import NOT_YET
from modules.common.text import tr

_MOST = 8
"""Pages whose seals are waited for: those that were painted last."""
SCALE = 4.0
"""Pixels per millimetre at which a seal is looked at before it is blurred."""


class _Veiled(NamedTuple):
    spot: SealSpot
    picture: QImage


class Veil(QObject):
    """An overlay of ``PageView``. ``words`` says who looks, where and when, asked anew for each page that is shown."""

    def __init__(self, lanes: Lanes, words: Callable[[], str], view: PageCanvas) -> None:
        super().__init__(view)
        self._lanes = lanes
        self._words = words
        self._view = view
        self._source: Source | None = None
        self._seals: dict[int, list[_Veiled]] = {}
        self._wanted: list[int] = []
        self._asked: Token | None = None

    def open(self, source: Source | None) -> None:
        """Veil the seals of another document, or of none; worth it only where there are signatures."""
        if self._asked is not None:
            self._asked.cancel()
        self._asked = None
        self._wanted.clear()
        self._seals.clear()
        self._source = source

    def paint(self, painter: QPainter, page: int) -> None:
        """Draw the seals of a page, in its millimetres; those that are not there yet come later."""
        if page not in self._seals:
            # the page painted last is the one that is looked at
            self._wanted = [*(each for each in self._wanted if each != page), page][-_MOST:]
            self._ask()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setCompositionMode(self._view.blend)
        for veiled in self._seals.get(page, ()):
            painter.drawImage(QRectF(*veiled.spot.box), veiled.picture)

    def _ask(self) -> None:
        """One page at a time: what was scrolled past must not hold up what is seen."""
        source = self._source
        if source is None or self._asked is not None or not self._wanted:
            return
        page = self._wanted.pop()
        self._asked = NOT_YET
        token = self._lanes.run(
            "page",
            partial(veiled, source, page, self._words()),
            done=partial(self._came, source, page),
            failed=lambda error: self._came(source, page, []),
            name="seals",
        )
        if page not in self._seals and self._asked is NOT_YET:
            self._asked = token

    def _came(self, source: Source, page: int, found: list[_Veiled]) -> None:
        if source is self._source:
            self._asked = None
            self._seals[page] = found
            if found:
                self._view.viewport().update()
            self._ask()


def veiled(source: Source, page: int, words: str, token: Token | None = None) -> list[_Veiled]:
    """The seals of a page as they may be seen: blurred by chance, marked with ``words``; on a worker."""
    found = []
    for spot in source.seals(page):
        if token is not None:
            token.check()
        picture = source.seal_picture(spot, SCALE)
        if not picture.isNull():
            glass = blurred(picture, spot.box.width, spot.box.height)
            found.append(_Veiled(spot, marked(glass, words, "" if spot.genuine else tr("签章无效"))))
    return found
