"""Colours, sizes, fonts and icons: all from ``resources/themes/tokens.json``, changed while the program runs."""

from __future__ import annotations

import gc
import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from PySide6.QtCore import (
    QByteArray,
    QCoreApplication,
    QEvent,
    QObject,
    QRectF,
    QSize,
    Qt,
    QTemporaryDir,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication, QStyle, QStyleFactory, QWidget

from modules.common.text import RESOURCES

THEMES = RESOURCES / "themes"
ICONS = RESOURCES / "icons"
BUNDLED_FONT = RESOURCES / "fonts" / "NotoSansSC-Regular.ttf"
PALETTES = ("system", "light", "dark", "contrast")
TURN_S = 0.008
"""For so long a change of the look works on what is not seen before the window gets its turn."""
_POLISHED = Qt.WidgetAttribute.WA_WState_Polished
_OWN_STYLE = Qt.WidgetAttribute.WA_SetStyle

# Simplified Chinese UI faces that are known to be well hinted; without one of them the bundled font is used.
# A face that merely has the characters may be the Japanese cut of a pan-CJK font, or a serif for print.
_SYSTEM_FACES = (
    "Microsoft YaHei UI",
    "Microsoft YaHei",
    "PingFang SC",
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "Noto Sans SC",
    "HarmonyOS Sans SC",
    "WenQuanYi Micro Hei",
)


@cache
def tokens() -> dict[str, Any]:
    """The tokens file: ``sizes``, ``palettes``, ``pairs`` (which colour stands on which ground) and ``states``."""
    loaded: dict[str, Any] = json.loads((THEMES / "tokens.json").read_text("utf-8"))
    return loaded


@cache
def _drawing(path: Path) -> str:
    return path.read_text("utf-8")


class Theme(QObject):
    """The look in force. Make one, after the QApplication; ``theme()`` finds it from then on.

    ``changed`` is emitted after each ``apply``: what was painted from ``color``, ``space``, ``icon`` or
    ``font`` must ask again; what is styled by role follows by itself.
    """

    changed = Signal()

    def __init__(self, app: QApplication) -> None:
        global _current
        super().__init__(app)
        self._app = app
        self._choice = "system"
        self._name = "light"
        self._zoom = 1.0
        self._wanted = (self._name, self._zoom)
        self._motion = True
        self._icons: dict[tuple[str, str, int], QIcon] = {}
        self._family = ""
        self._files = QTemporaryDir()
        self._swapped = True
        self._turns = QTimer(self)
        self._turns.setInterval(0)
        self._turns.timeout.connect(self._turn)
        app.setStyle(QStyleFactory.create("Fusion"))
        # kept: a wrapper of the hints that goes away takes its connections with it
        self._hints = app.styleHints()
        self._hints.colorSchemeChanged.connect(self._system_changed)
        _current = self

    @property
    def palette_name(self) -> str:
        """The palette that is shown: ``light``, ``dark`` or ``contrast``."""
        return self._name

    @property
    def choice(self) -> str:
        """The palette that was asked for: one of ``PALETTES``."""
        return self._choice

    @property
    def zoom(self) -> float:
        """The zoom in force, 1.0 for 100 %."""
        return self._zoom

    @property
    def motion(self) -> bool:
        """Whether things may move: not when the user asked for none, nor when Qt's style does without."""
        return self._motion and self._app.style().styleHint(QStyle.StyleHint.SH_Widget_Animation_Duration) > 0

    @property
    def changing(self) -> bool:
        """Whether a ``change`` is under way."""
        return self._turns.isActive()

    def apply(self, palette_name: str = "system", zoom: float = 1.0, *, motion: bool = True) -> None:
        """Show ``palette_name`` (one of ``PALETTES``) at ``zoom``, kept within 0.8 and 2.0, everywhere and at once.

        Raises ``ValueError`` for an unknown palette.
        """
        self.change(palette_name, zoom, motion=motion)
        self._turns.stop()
        while not self._work(math.inf):
            pass

    def change(self, palette_name: str, zoom: float = 1.0, *, motion: bool = True) -> None:
        """The same in turns of the event loop, so that a window with many pages never stands still.

        All that is seen changes at once, a moment from now; the pages that are not seen follow. Raises as ``apply``.
        """
        if palette_name not in PALETTES:
            raise ValueError(palette_name)
        least, most = tokens()["sizes"]["zoom"]
        self._choice = palette_name
        self._wanted = (
            self._system_palette() if palette_name == "system" else palette_name,
            min(max(zoom, least), most),
        )
        self._motion = motion
        self._swapped = False
        self._turns.start()

    @Slot()
    def _turn(self) -> None:
        if self._work(TURN_S):
            self._turns.stop()

    def _work(self, seconds: float) -> bool:
        """Go on with a change for so long; true once it is done.

        A sheet that is laid on costs each widget about the same, seen or not. So the old one is taken off what is
        not seen, bit by bit; the sheets are swapped for what is seen; then the others are dressed again.
        """
        # a widget that Qt made itself may go with its parent, and its wrapper would not know: none outlives a turn
        with _nothing_collected():
            widgets = self._app.allWidgets()
            until = time.monotonic() + seconds
            if not self._swapped:
                for widget in widgets:
                    if widget.testAttribute(_POLISHED) and not widget.isVisible():
                        self._strip(widget)
                        if time.monotonic() > until:
                            return False
                self._swapped = True
                self._swap(widgets)
                return False
            for widget in sorted(filter(_is_bare, widgets), key=lambda widget: not widget.isVisible()):
                self._dress(widget)
                if time.monotonic() > until:
                    return False
        return True

    def _strip(self, widget: QWidget) -> None:
        self._app.style().unpolish(widget)
        # Qt lays a sheet on what is polished, and tells all that have no style of their own
        widget.setAttribute(_POLISHED, False)
        widget.setAttribute(_OWN_STYLE)

    def _dress(self, widget: QWidget) -> None:
        widget.setAttribute(_OWN_STYLE, False)
        widget.setAttribute(_POLISHED)
        self._app.style().polish(widget)
        QCoreApplication.sendEvent(widget, QEvent(QEvent.Type.StyleChange))

    def _swap(self, widgets: list[QWidget]) -> None:
        for widget in widgets:
            if _is_bare(widget) and widget.isVisible():
                self._dress(widget)
        self._name, self._zoom = self._wanted
        self._icons.clear()
        # a sheet in the place of another is laid on a widget once for each of its parents; on bare widgets, once
        self._app.setStyleSheet("")
        self._app.setFont(self.font())
        self._app.setPalette(self._qpalette())
        self._app.setStyleSheet(self._sheet())
        self.changed.emit()

    def color(self, name: str) -> QColor:
        """A colour of the palette in force by its token, such as ``text`` or ``due_ground``."""
        return QColor(self._colors()[name])

    def space(self, steps: float) -> int:
        """``steps`` units of spacing in pixels: 1 · 2 · 3 · 4 · 6 · 8 are 4 · 8 · 12 · 16 · 24 · 32 at 100 %."""
        return self._scaled(steps * tokens()["sizes"]["unit"])

    def size(self, name: str) -> int:
        """A size of the tokens (``target``, ``row``, ``icon``, ``corner``) in pixels at this zoom."""
        return self._scaled(tokens()["sizes"][name])

    def text_width(self, characters: float) -> int:
        """The width in pixels of that many Chinese characters of body text."""
        return self._scaled(characters * tokens()["sizes"]["font"]["body"])

    def font(self, scale: str = "body", bold: bool = False, *, tabular: bool = False) -> QFont:
        """The UI font at ``small``, ``body``, ``heading``, ``title`` or ``display`` size; ``tabular`` digits stand
        under each other."""
        sizes = tokens()["sizes"]
        font = QFont(self.family())
        font.setPixelSize(round(sizes["font"][scale] * self._zoom))
        font.setWeight(QFont.Weight(sizes["weight"]["bold" if bold else "normal"]))
        if tabular:
            font.setFeature(QFont.Tag.fromString("tnum"), 1)
        return font

    def family(self) -> str:
        """The family in use: the system's Simplified Chinese face where there is one, else the bundled font."""
        if not self._family:
            present = set(QFontDatabase.families(QFontDatabase.WritingSystem.SimplifiedChinese))
            self._family = next((face for face in _SYSTEM_FACES if face in present), "")
        if not self._family:
            loaded = QFontDatabase.addApplicationFont(str(BUNDLED_FONT))
            self._family = QFontDatabase.applicationFontFamilies(loaded)[0]
        return self._family

    def icon(self, name: str, color: str = "text", size: int = 20) -> QIcon:
        """A line icon tinted with a colour token; ``size`` in pixels at 100 %. Raises ``FileNotFoundError``."""
        key = (name, color, size)
        if key not in self._icons:
            icon = QIcon(self._tinted(name, color, size))
            icon.addPixmap(self._tinted(name, "quiet", size), QIcon.Mode.Disabled)
            self._icons[key] = icon
        return self._icons[key]

    def pixmap(self, name: str, color: str = "text", size: int = 20) -> QPixmap:
        """The icon as a pixmap for a label, sharp on the main screen."""
        side = round(size * self._zoom)
        return self.icon(name, color, size).pixmap(QSize(side, side), self._ratio())

    def state(self, state: str) -> tuple[str, str]:
        """The colour token and the icon of a state: good, info, due, yellow, red, paused, offline or quiet."""
        found = tokens()["states"][state]
        return found["color"], found["icon"]

    def _scaled(self, size: float) -> int:
        return round(size * self._zoom)

    @Slot()
    def _system_changed(self) -> None:
        if self._choice == "system":
            self.change("system", self._wanted[1], motion=self._motion)

    def _system_palette(self) -> str:
        return "dark" if self._hints.colorScheme() == Qt.ColorScheme.Dark else "light"

    def _ratio(self) -> float:
        screen = QGuiApplication.primaryScreen()
        return screen.devicePixelRatio() if screen else 1.0

    def _colors(self) -> dict[str, str]:
        colors: dict[str, str] = tokens()["palettes"][self._name]
        return colors

    def _tinted(self, name: str, color: str, size: int) -> QPixmap:
        source = _drawing(ICONS / f"{name}.svg").replace("currentColor", self._colors()[color])
        renderer = QSvgRenderer(QByteArray(source.encode()))
        side = round(size * self._zoom * self._ratio())
        pixmap = QPixmap(side, side)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        renderer.render(painter, QRectF(0, 0, side, side))
        painter.end()
        pixmap.setDevicePixelRatio(self._ratio())
        return pixmap

    def _qpalette(self) -> QPalette:
        roles = QPalette.ColorRole
        named = {
            "ground": (roles.Window,),
            "surface": (roles.Base, roles.ToolTipBase, roles.Button),
            "raised": (roles.AlternateBase, roles.Midlight, roles.Light),
            "text": (roles.Text, roles.WindowText, roles.ButtonText, roles.ToolTipText, roles.BrightText),
            "quiet": (roles.PlaceholderText,),
            "accent": (roles.Highlight, roles.Link, roles.LinkVisited, roles.Accent),
            "on_accent": (roles.HighlightedText,),
            "line": (roles.Mid,),
            "edge": (roles.Dark,),
            "shade": (roles.Shadow,),
        }
        palette = QPalette()
        for name, group in named.items():
            for role in group:
                palette.setColor(role, self.color(name))
        for role in (roles.Text, roles.WindowText, roles.ButtonText):
            palette.setColor(QPalette.ColorGroup.Disabled, role, self.color("quiet"))
        return palette

    def _sheet(self) -> str:
        sizes = tokens()["sizes"]
        colors = self._colors()
        line = int(colors.get("line_width", sizes["line"]))
        focus = max(sizes["focus"], line)
        unit = sizes["unit"]
        pixels = {f"s{steps}": steps * unit for steps in (1, 2, 3, 4, 6, 8)}
        pixels |= {f"f_{name}": size for name, size in sizes["font"].items()}
        pixels |= {name: sizes[name] for name in ("corner", "row")}
        values: dict[str, object] = {name: f"{round(size * self._zoom)}px" for name, size in pixels.items()}
        # borders do not grow with the zoom; what a thicker focus ring takes is given back by the padding, so
        # that nothing moves when the focus does
        pad = round(unit * self._zoom)
        target = round(sizes["target"] * self._zoom)
        check = round(sizes["icon"] * self._zoom) - 2 * line
        given = {
            "line": line,
            "focus": focus,
            "pad_line": pad,
            "pad_focus": pad - (focus - line),
            "pad_wide": round(4 * unit * self._zoom),
            "pad_wide_focus": round(4 * unit * self._zoom) - (focus - line),
            "s2_focus": round(2 * unit * self._zoom) - (focus - line),
            "target_inner": target - 2 * (pad + line),
            "pad_check": pad + line - focus,
            "check": check,
            "check_round": check // 2 + line,
        }
        values |= {name: f"{size}px" for name, size in given.items()}
        values |= {name: color for name, color in colors.items() if name != "line"}
        values["line_color"] = colors["line"]
        values["bold"] = sizes["weight"]["bold"]
        for name, path, color in (
            ("chevron_down", ICONS / "chevron-down.svg", "quiet"),
            ("chevron_up", ICONS / "chevron-up.svg", "quiet"),
            ("check", ICONS / "check.svg", "on_accent"),
            ("x", ICONS / "x.svg", "quiet"),
            ("dot", ICONS / "dot.svg", "on_accent"),
        ):
            values[f"icon_{name}"] = self._tinted_file(name, path, color)
        return Template((THEMES / "govdesk.qss").read_text("utf-8")).substitute(values)

    def _tinted_file(self, name: str, path: Path, color: str) -> str:
        """A style sheet can only name a file: the drawing in its colour, in this program's own temporary folder."""
        file = Path(self._files.path()) / f"{name}-{self._name}.svg"
        if not file.exists():
            file.write_text(_drawing(path).replace("currentColor", self._colors()[color]), "utf-8")
        return file.as_posix()


def _is_bare(widget: QWidget) -> bool:
    return widget.testAttribute(_OWN_STYLE)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


_current: Theme | None = None


def theme() -> Theme:
    """The theme of this program. Raises ``LookupError`` before one was made."""
    if _current is None:
        raise LookupError("no Theme was made")
    return _current


def set_role(widget: QWidget, role: str, *, state: str = "") -> None:
    """Give a widget its place in the style sheet (``title``, ``card``, ``primary`` …) and its state."""
    widget.setProperty("role", role)
    widget.setProperty("state", state)
    restyle(widget)


def restyle(widget: QWidget) -> None:
    """Have the style sheet look at a widget's properties again, if it has looked at them before."""
    if not widget.testAttribute(_POLISHED):
        return
    style = widget.style()
    style.unpolish(widget)
    style.polish(widget)
