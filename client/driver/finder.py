"""Finds what a person sees by the name a person would use. GUI thread only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from PySide6.QtCore import QModelIndex, QPoint, QRect, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QGroupBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QListView,
    QMenu,
    QMenuBar,
    QPlainTextEdit,
    QProgressBar,
    QRadioButton,
    QScrollArea,
    QScrollBar,
    QStyle,
    QStyleOptionButton,
    QTabBar,
    QTextEdit,
    QTreeView,
    QWidget,
)

from client.driver.protocol import Target

ROWS_AT_MOST = 500
ROLES: tuple[tuple[type[QWidget], str], ...] = (
    (QCheckBox, "check"),
    (QRadioButton, "radio"),
    (QAbstractButton, "button"),
    (QLineEdit, "field"),
    (QTextEdit, "field"),
    (QPlainTextEdit, "field"),
    (QAbstractSpinBox, "field"),
    (QComboBox, "choice"),
    (QHeaderView, "headers"),
    (QAbstractItemView, "list"),
    (QTabBar, "tabs"),
    (QMenu, "menus"),
    (QProgressBar, "progress"),
    (QLabel, "label"),
    (QScrollArea, "area"),
    (QGroupBox, "group"),
)


class NotFoundError(Exception):
    """Nothing, or more than one thing, answers to a target: the message says which."""


class AmbiguousError(NotFoundError):
    """More than one thing answers: something is there."""


@dataclass(frozen=True, slots=True)
class Found:
    """Something that can be pointed at: ``rect`` is in ``widget``'s coordinates; ``texts`` are the cells of a row."""

    widget: QWidget
    rect: QRect
    role: str
    name: str
    text: str
    enabled: bool
    texts: tuple[str, ...] = ()
    kept: tuple[QWidget, ...] = field(default=(), repr=False)
    """All wrappers of the window: PySide takes a child's wrapper for dead once its parent's is collected."""

    def __str__(self) -> str:
        shown = f' "{self.text}"' if self.text and self.text != self.name else ""
        return f"{self.role} {self.name!r}{shown}" + ("" if self.enabled else " (disabled)")


def plain(text: str) -> str:
    """A caption without mnemonic and without the shortcut that follows a tab."""
    text = re.sub(r"\s*\(&\w\)", "", text.split("\t")[0])
    return re.sub(r"&(.)", r"\1", text).strip()


def role_of(widget: QWidget) -> str:
    """What kind of thing a widget is to a person."""
    for kind, role in ROLES:
        if isinstance(widget, kind):
            return role
    return "window" if widget.isWindow() else "part"


def text_of(widget: QWidget) -> str:
    """What a widget shows or holds; a hidden password only as dots."""
    if isinstance(widget, QLineEdit):
        return widget.displayText()
    if isinstance(widget, QTextEdit | QPlainTextEdit):
        return widget.toPlainText()
    if isinstance(widget, QComboBox):
        return widget.currentText()
    if isinstance(widget, QAbstractSpinBox | QProgressBar):
        return widget.text()
    if isinstance(widget, QAbstractButton):
        return plain(widget.text())
    if isinstance(widget, QLabel):
        text = widget.text()
        return re.sub(r"<[^>]+>", "", text) if Qt.TextFormat.PlainText != widget.textFormat() and "</" in text else text
    if isinstance(widget, QGroupBox):
        return plain(widget.title())
    return ""


def name_of(widget: QWidget, buddies: dict[QWidget, str]) -> str:
    """The accessible name: the one set, else the buddy label, else the caption."""
    if said := widget.accessibleName():
        return said
    if widget in buddies:
        return buddies[widget]
    if isinstance(widget, QAbstractButton | QLabel | QGroupBox):
        return text_of(widget)
    return widget.windowTitle() if widget.isWindow() else ""


def windows() -> list[QWidget]:
    """The windows that would take a click now: open popups, else the modal dialog, else all that are shown."""
    shown = [widget for widget in QApplication.topLevelWidgets() if widget.isVisible()]
    if popups := [widget for widget in shown if widget.windowType() == Qt.WindowType.Popup]:
        return popups
    modal = QApplication.activeModalWidget()
    return [modal] if modal else shown


def everything() -> Iterator[Found]:
    """All that is shown, window by window, in order of creation."""
    for window in windows():
        kept = (window, *window.findChildren(QWidget))
        widgets = [widget for widget in kept if _counts(widget, window)]
        buddies = {
            buddy: plain(label.text())
            for label in widgets
            if isinstance(label, QLabel) and (buddy := label.buddy()) is not None
        }
        for widget in widgets:
            yield Found(
                widget,
                _clickable(widget),
                role_of(widget),
                name_of(widget, buddies),
                text_of(widget),
                widget.isEnabled(),
                kept=kept,
            )
            for part in parts_of(widget):
                yield replace(part, kept=kept)


def _counts(widget: QWidget, window: QWidget) -> bool:
    return widget.isVisible() and widget.window() is window and not isinstance(widget, QScrollBar)


def _clickable(widget: QWidget) -> QRect:
    if isinstance(widget, QCheckBox | QRadioButton):
        option = QStyleOptionButton()
        widget.initStyleOption(option)
        element = (
            QStyle.SubElement.SE_CheckBoxClickRect
            if isinstance(widget, QCheckBox)
            else QStyle.SubElement.SE_RadioButtonClickRect
        )
        return widget.style().subElementRect(element, option, widget)
    return widget.rect()


def parts_of(widget: QWidget) -> Iterator[Found]:
    """What a widget shows that is no widget itself: rows, header sections, tabs, menu items."""
    if isinstance(widget, QMenu | QMenuBar):
        for action in widget.actions():
            if action.isVisible() and not action.isSeparator():
                caption = plain(action.text())
                yield Found(
                    widget, widget.actionGeometry(action), "menu", caption, caption, action.isEnabled(), (caption,)
                )
    elif isinstance(widget, QTabBar):
        for number in range(widget.count()):
            if widget.isTabVisible(number):
                caption = widget.accessibleTabName(number) or plain(widget.tabText(number))
                yield Found(
                    widget, widget.tabRect(number), "tab", caption, caption, widget.isTabEnabled(number), (caption,)
                )
    elif isinstance(widget, QHeaderView):
        yield from _headers(widget)
    elif isinstance(widget, QAbstractItemView) and widget.model() is not None:
        for index, texts in rows_of(widget):
            flags = widget.model().flags(index)
            yield Found(
                widget.viewport(),
                widget.visualRect(index),
                "row",
                " · ".join(text for text in texts if text),
                "",
                bool(flags & Qt.ItemFlag.ItemIsEnabled) and widget.isEnabled(),
                texts,
            )


def _headers(header: QHeaderView) -> Iterator[Found]:
    model = header.model()
    for section in range(model.columnCount() if header.orientation() == Qt.Orientation.Horizontal else 0):
        caption = str(model.headerData(section, header.orientation()) or "")
        if caption and not header.isSectionHidden(section):
            rect = QRect(header.sectionViewportPosition(section), 0, header.sectionSize(section), header.height())
            yield Found(header.viewport(), rect, "header", caption, caption, header.isEnabled(), (caption,))


def rows_of(view: QAbstractItemView) -> Iterator[tuple[QModelIndex, tuple[str, ...]]]:
    """The rows of a list, table or tree (open branches too) with the texts of their shown cells."""
    model = view.model()
    column = view.modelColumn() if isinstance(view, QListView) else 0
    waiting = [view.rootIndex()]
    given = 0
    while waiting and given < ROWS_AT_MOST:
        parent = waiting.pop(0)
        columns = [column] if isinstance(view, QListView) else range(model.columnCount(parent))
        for row in range(model.rowCount(parent)):
            index = model.index(row, column, parent)
            if view.visualRect(index).isEmpty() and isinstance(view, QListView) and view.isRowHidden(row):
                continue
            cells = [model.index(row, each, parent) for each in columns]
            yield index, tuple(_cell(cell) for cell in cells)
            given += 1
            if isinstance(view, QTreeView) and view.isExpanded(index):
                waiting.append(index)


def _cell(index: QModelIndex) -> str:
    said: Any = index.data(Qt.ItemDataRole.AccessibleTextRole) or index.data(Qt.ItemDataRole.DisplayRole)
    return "" if said is None else str(said)


def find(target: Target) -> Found:
    """The one thing that ``target`` means. Exact names win over names that only contain the words.

    Raises ``NotFoundError``; ``AmbiguousError``, listing the candidates, when there are several.
    """
    if not target.name:
        return focused()
    candidates = [found for found in everything() if _fits(found, target)]
    for matches in (_is_called, _has_text, _contains):
        if hits := _outermost([found for found in candidates if matches(found, target.name)]):
            if len(hits) > 1:
                listed = "; ".join(f"{found} at {_place(found)}" for found in hits[:12])
                raise AmbiguousError(f"{len(hits)} answer to {target}: {listed}")
            return hits[0]
    raise NotFoundError(f"nothing answers to {target}")


def focused() -> Found:
    """What has the keyboard. Raises ``NotFoundError`` when nothing has."""
    widget = QApplication.focusWidget()
    if widget is None:
        raise NotFoundError("nothing has the keyboard focus")
    window = widget.window()
    return Found(
        widget,
        widget.rect(),
        role_of(widget),
        name_of(widget, {}),
        text_of(widget),
        widget.isEnabled(),
        kept=(window, *window.findChildren(QWidget)),
    )


def _is_called(found: Found, name: str) -> bool:
    return found.name == name or name in found.texts


def _has_text(found: Found, name: str) -> bool:
    return found.text == name


def _contains(found: Found, name: str) -> bool:
    return name in found.name or name in found.text


def _fits(found: Found, target: Target) -> bool:
    if target.role and found.role != target.role:
        return False
    return not target.within or any(
        target.within in (above.accessibleName(), above.windowTitle(), text_of(above)) for above in _above(found.widget)
    )


def _above(widget: QWidget) -> Iterator[QWidget]:
    above: QWidget | None = widget
    while above is not None:
        yield above
        above = above.parentWidget()


def _outermost(hits: list[Found]) -> list[Found]:
    """Without captions of what is itself among the hits, such as the label inside a card of that name; and
    without a field's own label, which shares its name."""
    active = [found for found in hits if found.role not in ("label", "part", "group", "area", "list", "window")]
    if active:
        hits = active
    widgets = {found.widget for found in hits if not found.texts}
    return [found for found in hits if not any(above in widgets for above in list(_above(found.widget))[1:])]


def _place(found: Found) -> str:
    corner = found.widget.mapTo(found.widget.window(), found.rect.topLeft())
    return f"({corner.x()}, {corner.y()})"


def point_of(found: Found) -> tuple[QWidget, QPoint]:
    """Where to click: the window and the point in it, after scrolling it into sight as a person would.

    Raises ``NotFoundError`` when it is disabled, has no size, or something else lies over it.
    """
    if not found.enabled:
        raise NotFoundError(f"{found} is disabled")
    found = bring_into_sight(found)
    window = found.widget.window()
    point = found.widget.mapTo(window, found.rect.center())
    if found.rect.isEmpty() or not window.rect().contains(point):
        raise NotFoundError(f"{found} is not on the screen")
    hit = window.childAt(point) or window
    if found.widget not in _above(hit):
        raise NotFoundError(f"{found} lies under {role_of(hit)} {name_of(hit, {})!r}")
    return window, point


def bring_into_sight(found: Found) -> Found:
    """Scroll until ``found`` can be seen; answers it at its new place."""
    view = found.widget.parentWidget()
    if found.role == "row" and isinstance(view, QAbstractItemView):
        for index, texts in rows_of(view):
            if texts == found.texts and view.visualRect(index).topLeft() == found.rect.topLeft():
                view.scrollTo(index)
                seen = view.visualRect(index).intersected(view.viewport().rect())
                found = replace(found, rect=seen)
                break
    for above in _above(found.widget):
        if isinstance(above, QScrollArea):
            inner = above.widget()
            if inner is not None and inner in _above(found.widget):
                middle = found.widget.mapTo(inner, found.rect.center())
                half = found.rect.height() // 2 + 8
                above.ensureVisible(middle.x(), middle.y(), min(found.rect.width() // 2, above.width() // 2), half)
    return found


def describe(found: Found) -> dict[str, Any]:
    """All that ``read`` says of something."""
    widget = found.widget
    said: dict[str, Any] = {
        "role": found.role,
        "name": found.name,
        "text": found.text,
        "enabled": found.enabled,
        "focused": widget.hasFocus(),
        "description": widget.accessibleDescription(),
    }
    if isinstance(widget, QAbstractButton) and widget.isCheckable():
        said["checked"] = widget.isChecked()
    if isinstance(widget, QAbstractItemView) and widget.model() is not None:
        said["rows"] = [list(texts) for _, texts in rows_of(widget)]
    if found.texts:
        said["cells"] = list(found.texts)
    if found.role in ("part", "area", "window", "group"):
        inside = [each for each in widget.findChildren(QWidget) if each.isVisible()]
        said["text"] = "\n".join(text for each in inside if (text := text_of(each).strip()))
    return said


def tree() -> str:
    """The named things on the screen, one per line, indented by how deep they lie."""
    lines = []
    focus = QApplication.focusWidget()
    for found in everything():
        if found.name or found.text:
            depth = sum(1 for _ in _above(found.widget)) - 1 + bool(found.texts)
            lines.append("  " * depth + str(found) + (" ← focus" if found.widget is focus and not found.texts else ""))
    return "\n".join(lines)
