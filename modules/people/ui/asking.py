"""What the pages of people, devices and audit share: asking the server, dialogs, names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from typing import TypeVar

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QCloseEvent, QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from client.kernel.contract import Host, Token
from client.kernel.ports import Records, Server, Session
from client.widgets.basics import (
    Banner,
    Button,
    ComboBox,
    DangerButton,
    Label,
    LineEdit,
    PrimaryButton,
    SectionTitle,
)
from client.widgets.dialogs import GrowingDialog
from client.widgets.tables import RecordTable
from client.widgets.theme import theme
from modules.common.clock import CHINA, parse_iso
from modules.common.errors import GovDeskError, Refused
from modules.common.permissions import BUILTIN_ROLES
from modules.common.server_ports import (
    PersonView,
)
from modules.common.text import tr

T = TypeVar("T")
BASE = "/v1/m/people"
ROLES = {role.id: role for role in BUILTIN_ROLES}
OFFLINE = ("NET-001", "NET-003")


def role_name(role: str) -> str:
    """A role as people call it; one this program does not know keeps its id."""
    return tr(ROLES[role].name) if role in ROLES else role


def role_names(roles: Sequence[str]) -> str:
    """Roles as people call them."""
    return tr("、").join(role_name(role) for role in roles)


def said_time(text: str) -> str:
    """A time of the wire in China: ``2026-11-20 10:24``; nothing for nothing."""
    return f"{parse_iso(text).astimezone(CHINA):%Y-%m-%d %H:%M}" if text else ""


class Asking(QWidget):
    """A pane that asks the server; what still runs when it closes is cancelled."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._tokens: list[Token] = []
        self.notice = Banner()

    def closeEvent(self, event: QCloseEvent) -> None:
        for token in self._tokens:
            token.cancel()
        super().closeEvent(event)

    def may(self, permission: str) -> bool:
        """Whether the signed-in person holds it; the server judges again."""
        return self._host.service(Session).actor.may(permission)  # type: ignore[type-abstract]

    def ask(
        self,
        work: Callable[[Server], T],
        done: Callable[[T], None],
        failed: Callable[[GovDeskError], None] | None = None,
    ) -> None:
        """Ask on lane ``net``. A refusal goes to ``failed``, else into the notice of this pane."""
        server = self._host.service(Server)  # type: ignore[type-abstract]
        self.run(lambda: work(server), done, failed)

    def run(
        self,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[GovDeskError], None] | None = None,
    ) -> None:
        """As ``ask``, for what does not need the server."""
        self._tokens = [token for token in self._tokens if not token.finished]
        told = failed or self.say
        self._tokens.append(
            self._host.run("net", lambda token: work(), done=done, failed=partial(_sort, told), name=BASE)
        )

    def say(self, error: GovDeskError) -> None:
        """An error in its place."""
        self.notice.say(error.words(), "offline" if error.code in OFFLINE else "red", code=error.code)


def _sort(told: Callable[[GovDeskError], None], error: BaseException) -> None:
    if not isinstance(error, GovDeskError):
        raise error
    told(error)


def show_trouble(table: RecordTable, error: GovDeskError) -> None:
    """The state of a list that could not be had."""
    if error.code in OFFLINE:
        table.show_offline(
            tr("人员、设备和审计只存在服务器上，现在连不上。连上后可重试。（{code}）", code=error.code), tr("重试")
        )
    elif error.code == "AUTH-403":
        table.show_forbidden()
    else:
        table.show_failed(error.sentence(), tr("重试"))


class OneTimeDialog(QDialog):
    """A secret that is shown this once."""

    def __init__(self, title: str, words: str, secret: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.secret = LineEdit(title)
        self.secret.setText(secret)
        self.secret.setReadOnly(True)
        self.secret.setMinimumWidth(theme().text_width(22))
        copy = Button(tr("复制"), icon="copy")
        copy.clicked.connect(self._copy)
        self.close_button = PrimaryButton(tr("我已记下，关闭"))
        self.close_button.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.addWidget(self.secret, 1)
        row.addWidget(copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(3))
        column.addWidget(SectionTitle(title))
        column.addWidget(Label(words, wrap=True))
        column.addLayout(row)
        column.addWidget(Label(tr("关闭后不再显示，也无法找回，只能重新生成。"), "small", wrap=True))
        column.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignRight)
        self.secret.selectAll()

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.secret.text())


class AskDialog(GrowingDialog):
    """A few fields to be filled in; ``sent`` carries them. The asker closes it, or shows what is wrong.

    ``danger`` says what will happen and cannot be taken back: then the button is a dangerous one.
    """

    sent = Signal(dict)

    def __init__(
        self, title: str, action: str, fields: Mapping[str, QWidget], parent: QWidget, *, danger: str = ""
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self._fields = dict(fields)
        self._faults: dict[str, Label] = {}
        self.notice = Banner()
        self.go: Button = DangerButton(action) if danger else PrimaryButton(action)
        self.go.clicked.connect(self._send)
        leave = Button(tr("取消"))
        leave.clicked.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(2))
        column.addWidget(SectionTitle(title))
        if danger:
            self.setAccessibleDescription(danger)
            words = Label(danger, wrap=True)
            words.setMinimumWidth(theme().text_width(22))
            column.addWidget(words)
        column.addWidget(self.notice)
        for name, field in self._fields.items():
            label = Label(field.accessibleName())
            label.setBuddy(field)
            fault = Label(role="fault", wrap=True)
            fault.hide()
            self._faults[name] = fault
            for widget in (label, field, fault):
                column.addWidget(widget)
        low = QHBoxLayout()
        low.addStretch(1)
        low.addWidget(leave)
        low.addWidget(self.go)
        column.addSpacing(theme().space(2))
        column.addLayout(low)
        self.setMinimumWidth(theme().text_width(26))
        lines = [field for field in self._fields.values() if isinstance(field, LineEdit)]
        for before, after in zip_longest(lines, lines[1:]):
            before.submitted.connect(after.setFocus if after is not None else self._send)
        next(iter(self._fields.values())).setFocus()

    def values(self) -> dict[str, str]:
        """What is entered; of a choice, its id."""
        return {
            name: str(field.currentData() or "") if isinstance(field, ComboBox) else _text(field).strip()
            for name, field in self._fields.items()
        }

    def show_faults(self, faults: Mapping[str, str]) -> None:
        """What is wrong, at each field; the first takes the keyboard."""
        self.go.setEnabled(True)
        for name, label in self._faults.items():
            label.setText(faults.get(name, ""))
            label.setVisible(name in faults)
            self._fields[name].setAccessibleDescription(faults.get(name, ""))
        self.grow()
        first = next((name for name in self._fields if name in faults), "")
        if first:
            self._fields[first].setFocus()

    def show_error(self, error: GovDeskError) -> None:
        """Why the server refused it; what was entered stays."""
        fields = error.refusal.fields if isinstance(error, Refused) else {}
        self.show_faults({name: text for name, text in fields.items() if name in self._fields})
        self.notice.say(error.words(), "red", code=error.code)

    @Slot()
    def _send(self) -> None:
        self.notice.clear()
        self.go.setEnabled(False)
        self.sent.emit(self.values())


def _text(field: QWidget) -> str:
    assert isinstance(field, LineEdit)
    return field.text()


class Organisations:
    """Names of halls and departments, as this computer knows them."""

    def __init__(self) -> None:
        self.halls: dict[str, str] = {}
        self.departments: dict[str, str] = {}

    def name(self, person: PersonView) -> str:
        """Where a person works."""
        places = {**self.halls, **self.departments}
        ids = [each for each in (person.department_id, person.hall_id) if each]
        return " · ".join(places.get(each, each) for each in ids)


def organisations(host: Host, _token: Token) -> Organisations:
    found = Organisations()
    for record in host.service(Records).find("organisation", limit=1000):  # type: ignore[type-abstract]
        halls = record.doc.get("kind") == "hall"
        (found.halls if halls else found.departments)[record.id] = str(record.doc.get("name", record.title))
    return found
