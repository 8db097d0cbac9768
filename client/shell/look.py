"""Palette, zoom and language: the quick controls and what applies them."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QHBoxLayout, QMenu, QWidget

from client.kernel.settings import Settings
from client.shell.preferences import LANGUAGE, PALETTE, ZOOM, ZOOMS, words
from client.widgets.basics import IconButton, LinkButton
from client.widgets.theme import theme
from modules.common.text import set_language, tr


def apply_look(settings: Settings) -> None:
    """Show what the settings say, before anything is shown."""
    theme().apply(settings.get(PALETTE), settings.get(ZOOM) / 100)


def change_look(settings: Settings) -> None:
    """Show what the settings say from a moment on, without holding up the window."""
    theme().change(settings.get(PALETTE), settings.get(ZOOM) / 100)


def choose_palette(settings: Settings, palette: str) -> None:
    """Show another palette from now on."""
    settings.set(PALETTE, palette)
    change_look(settings)


def choose_zoom(settings: Settings, percent: int) -> None:
    """Show everything at another size from now on."""
    settings.set(ZOOM, percent)
    change_look(settings)


def step_zoom(settings: Settings, steps: int) -> None:
    """The next size up (1) or down (-1); 0 goes back to 100 %."""
    place = ZOOMS.index(settings.get(ZOOM)) + steps
    choose_zoom(settings, ZOOMS[min(max(place, 0), len(ZOOMS) - 1)] if steps else 100)


class LookBar(QWidget):
    """A row of quick controls, for the eyes that are here now. ``language_changed``: build the window anew."""

    language_changed = Signal()

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self.smaller = IconButton(tr("缩小"), icon="zoom-out")
        self.zoom = LinkButton("")
        self.larger = IconButton(tr("放大"), icon="zoom-in")
        self.palette_choice = LinkButton(tr("外观"), icon="contrast")
        self.palette_choice.setMenu(self._palette_menu())
        self.language = LinkButton("")
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        for widget in (self.smaller, self.zoom, self.larger, self.palette_choice, self.language):
            self._row.addWidget(widget)
        self.smaller.clicked.connect(self._shrink)
        self.larger.clicked.connect(self._grow)
        self.zoom.clicked.connect(self._reset)
        self.language.clicked.connect(self._switch)
        theme().changed.connect(self._say)
        self._say()

    def _palette_menu(self) -> QMenu:
        menu = QMenu(self)
        group = QActionGroup(menu)
        for name in PALETTE.choices or ():
            action = QAction(words(PALETTE, name), menu)
            action.setCheckable(True)
            action.setData(name)
            action.triggered.connect(partial(choose_palette, self._settings, name))
            group.addAction(action)
            menu.addAction(action)
        menu.aboutToShow.connect(self._mark)
        return menu

    @Slot()
    def _mark(self) -> None:
        for action in self.palette_choice.menu().actions():
            action.setChecked(action.data() == theme().choice)

    @Slot()
    def _say(self) -> None:
        percent = words(ZOOM, self._settings.get(ZOOM))
        self.zoom.set_label(percent)
        self.zoom.setAccessibleName(tr("大小 {percent}", percent=percent))
        self.zoom.setToolTip(tr("恢复到 100%"))
        self.language.set_label(words(LANGUAGE, self._other_language()))
        self._row.setSpacing(theme().space(1))

    def _other_language(self) -> str:
        return "en" if self._settings.get(LANGUAGE) == "zh_CN" else "zh_CN"

    @Slot()
    def _shrink(self) -> None:
        step_zoom(self._settings, -1)

    @Slot()
    def _grow(self) -> None:
        step_zoom(self._settings, 1)

    @Slot()
    def _reset(self) -> None:
        step_zoom(self._settings, 0)

    @Slot()
    def _switch(self) -> None:
        chosen = self._other_language()
        self._settings.set(LANGUAGE, chosen)
        set_language(chosen)
        self.language_changed.emit()
