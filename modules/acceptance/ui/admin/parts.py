"""What the settings pages are made of: tabs over one reading of the house, lists to tick, small questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QScrollArea, QVBoxLayout, QWidget

from client.kernel.contract import Host
from client.widgets.basics import Banner, Button, Label, PrimaryButton, SearchBox, SectionTitle
from client.widgets.dialogs import GrowingDialog
from client.widgets.forms import FormView
from client.widgets.theme import set_role, theme
from modules.acceptance.services.registers import House, SettingsService
from modules.acceptance.ui.say import say_error
from modules.acceptance.ui.work import PageWork
from modules.common.errors import GovDeskError, Refused
from modules.common.text import tr

OFFLINE = ("NET-001", "NET-003")


class Desk:
    """What every tab works with: the service, the page's lanes, and how to read everything anew."""

    def __init__(self, host: Host, service: SettingsService, reload: Callable[[], None]) -> None:
        self.host = host
        self.service = service
        self.work = PageWork(host)
        self.reload = reload

    def change(
        self,
        banner: Banner,
        work: Callable[[], Any],
        told: str,
        *,
        then: Callable[[], None] | None = None,
        faults: Callable[[Mapping[str, str]], None] | None = None,
    ) -> None:
        """Give commands; what the person has decided is done even if the page is left at once."""

        def done(_: Any) -> None:
            if not self.work.closed:
                banner.say(told, "good")
                if then is not None:
                    then()
                self.reload()

        def failed(error: BaseException) -> None:
            if self.work.closed:
                return
            say_error(banner, error)
            if faults is not None:
                faults(fields_of(error))
            self.reload()

        self.host.run("data", lambda token: work(), done=done, failed=failed)


class Tab(QWidget):
    """One part of the settings, with its own banner."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.service = desk.service
        self.banner = Banner()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(*(theme().space(3),) * 4)
        self.column.setSpacing(theme().space(2))

    def show_house(self, house: House) -> None:
        """Show what was read; what a person is writing stays."""
        raise NotImplementedError

    def first(self) -> QWidget:
        """What takes the keyboard when the tab is opened."""
        raise NotImplementedError


def fields_of(error: BaseException) -> Mapping[str, str]:
    """The faults by field that a refusal brings; none for another error."""
    return error.refusal.fields if isinstance(error, Refused) else {}


def is_offline(error: BaseException) -> bool:
    """Whether the server could not be asked."""
    return isinstance(error, GovDeskError) and error.code in OFFLINE


def scrolled(widget: QWidget) -> QScrollArea:
    """A widget that scrolls where it is too tall; Tab passes over the frame."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(widget)
    return area


def row_of(*widgets: QWidget, stretch: int = -1, wide: int = -1) -> QHBoxLayout:
    """Widgets side by side. The room left is had by the widget ``wide``, or is before ``stretch``, or after all."""
    row = QHBoxLayout()
    row.setSpacing(theme().space(2))
    for place, widget in enumerate(widgets):
        if place == stretch:
            row.addStretch(1)
        row.addWidget(widget, 1 if place == wide else 0)
    if stretch < 0 and wide < 0:
        row.addStretch(1)
    return row


class PickList(QWidget):
    """A list to tick, found by typing. ``edited`` when a person ticked."""

    edited = Signal()

    def __init__(self, name: str, rows: int = 5) -> None:
        super().__init__()
        self._name = name
        self._rows = rows
        self._read_only = False
        self._title = Label(name, "strong")
        self.search = SearchBox(tr("查找{name}", name=name))
        self.list = QListWidget()
        self.list.setAccessibleName(name)
        self.list.setUniformItemSizes(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().space(1))
        column.addLayout(row_of(self._title))
        column.addWidget(self.search)
        column.addWidget(self.list)
        self.search.searched.connect(self._filter)
        self.list.itemChanged.connect(self._changed)
        theme().changed.connect(self._fit)
        self._fit()

    def values(self) -> list[str]:
        """The ids that are ticked, in the order of the list."""
        return [str(item.data(Qt.ItemDataRole.UserRole)) for item in self._items() if _ticked(item)]

    def show_options(self, options: Iterable[tuple[str, str]], values: Iterable[str]) -> None:
        """Offer ``options`` (id and words), of which ``values`` are ticked; ticked ones stand first."""
        held = list(values)
        known = dict(options)
        unknown = {id: id for id in held if id not in known}
        self.list.blockSignals(True)
        self.list.clear()
        for id, words in sorted({**known, **unknown}.items(), key=lambda entry: entry[0] not in held):
            item = QListWidgetItem(words)
            item.setData(Qt.ItemDataRole.UserRole, id)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            if not self._read_only:
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if id in held else Qt.CheckState.Unchecked)
            self.list.addItem(item)
        self.list.blockSignals(False)
        self._filter()
        self._count()

    def set_read_only(self, read_only: bool) -> None:
        """Whether the ticks can only be read."""
        self._read_only = read_only
        self.list.blockSignals(True)
        for item in self._items():
            flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
            item.setFlags(flags if read_only else flags | Qt.ItemFlag.ItemIsUserCheckable)
        self.list.blockSignals(False)

    def _items(self) -> list[QListWidgetItem]:
        return [self.list.item(row) for row in range(self.list.count())]

    @Slot()
    def _filter(self) -> None:
        words = self.search.text().split()
        for item in self._items():
            item.setHidden(not all(word in item.text() for word in words))

    @Slot(QListWidgetItem)
    def _changed(self, item: QListWidgetItem) -> None:
        self._count()
        self.edited.emit()

    def _count(self) -> None:
        self._title.setText(tr("{name}：已选 {n} 个，共 {all} 个", name=self._name, n=len(self.values()),
                               all=self.list.count()))  # fmt: skip

    @Slot()
    def _fit(self) -> None:
        self.list.setFixedHeight(theme().size("row") * self._rows)


def _ticked(item: QListWidgetItem) -> bool:
    return item.checkState() == Qt.CheckState.Checked


class FormDialog(GrowingDialog):
    """A few fields in a window of their own. ``wanted(values)``; the asker closes it, or says what is wrong."""

    wanted = Signal(object)

    def __init__(
        self, title: str, action: str, form: Mapping[str, Any], values: Mapping[str, Any], parent: QWidget,
        *, words: str = "", width: float = 30,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        set_role(self, "page")
        self.form = FormView(form)
        self.form.set_values(values)
        self.banner = Banner()
        self.go = PrimaryButton(action)
        keep = Button(tr("取消"))
        keep.clicked.connect(self.reject)
        self.go.clicked.connect(self._give)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(3))
        column.addWidget(SectionTitle(title))
        if words:
            column.addWidget(Label(words, wrap=True))
        column.addWidget(self.form)
        column.addWidget(self.banner)
        column.addLayout(row_of(keep, self.go, stretch=0))
        self.setMinimumWidth(theme().text_width(width))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        # the form settles its columns when it gets its width
        QTimer.singleShot(0, self, self.grow)

    def say(self, error: BaseException) -> None:
        """What went wrong; what was entered stays."""
        say_error(self.banner, error)
        self.form.show_faults(fields_of(error))
        self.grow()

    @Slot()
    def _give(self) -> None:
        self.banner.clear()
        self.wanted.emit(self.form.values())


def text_field(title: str, **more: Any) -> dict[str, Any]:
    """A property of a form: text."""
    return {"title": title, "type": "string", **more}


def whole_field(title: str, low: int, high: int, **more: Any) -> dict[str, Any]:
    """A property of a form: a whole number."""
    return {"title": title, "type": "integer", "minimum": low, "maximum": high, **more}


def make_form(*groups: tuple[str, Mapping[str, Mapping[str, Any]]], required: Sequence[str] = ()) -> dict[str, Any]:
    """A form of titled groups of properties."""
    properties = {name: prop for _, fields in groups for name, prop in fields.items()}
    return {
        "schema": {"type": "object", "properties": properties, "required": list(required)},
        "layout": [{"title": title, "fields": list(fields)} for title, fields in groups],
        "fills": {},
    }


def lines(text: Any) -> list[str]:
    """The lines of a text that say something."""
    return [line.strip() for line in str(text or "").splitlines() if line.strip()]
