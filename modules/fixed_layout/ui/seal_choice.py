"""Chooses the seal: its file, its password, and whether it may be used now."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog, QLineEdit, QVBoxLayout, QWidget

from client.kernel.contract import Host, Token
from client.widgets.basics import Banner, Button, Label, LineEdit, StateLabel
from client.widgets.flow import beside
from client.widgets.page.opening import known_roots
from client.widgets.page.seals import Art, blurred, picture_of
from client.widgets.pages import PageWork
from client.widgets.theme import theme
from modules.common.errors import GovDeskError
from modules.common.seals.keyfile import SUFFIX
from modules.common.seals.report import NO_TRUST
from modules.common.text import tr
from modules.fixed_layout.services.sealing import Held, SealingService

_SCALE = 4.0


class SealChoice(QWidget):
    """``changed`` when a seal was opened, or put away. The password is asked each time and kept nowhere."""

    changed = Signal()

    def __init__(self, host: Host, service: SealingService) -> None:
        super().__init__()
        self._work = PageWork(host)
        self._service = service
        self._path: Path | None = None
        self.held: Held | None = None
        self.glass = QImage()
        """The seal as it may be seen on the screen."""
        self.faults: tuple[str, ...] = ()
        self.file = Label("", wrap=True)
        self.choose = Button(tr("选择印章文件…"), icon="folder-open")
        self.password = LineEdit(tr("印章口令"))
        self.password.setPlaceholderText(tr("印章口令"))
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.open = Button(tr("打开印章"), icon="lock")
        self._ask = beside(self.password, self.open)
        self.name = Label("", "strong", wrap=True)
        self.state = StateLabel("good", "")
        self.facts = Label("", "small", wrap=True, selectable=True)
        self.put_away = Button(tr("收起印章，换一枚"))
        self.banner = Banner()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().space(2))
        for widget in (self.file, self.choose, self._ask, self.name, self.state, self.facts, self.put_away):
            column.addWidget(widget)
        column.addWidget(self.banner)
        self.choose.clicked.connect(self._choose)
        self.open.clicked.connect(self.try_open)
        self.password.submitted.connect(self.try_open)
        self.put_away.clicked.connect(self.forget)
        self._show()
        self._work.run(
            "data", lambda token: service.last_seal(), done=self._remembered, failed=self._failed, name=tr("印章")
        )

    # -- the file ----------------------------------------------------------------------------------

    def _remembered(self, path: Path | None) -> None:
        if self._path is None and path is not None:
            self.set_file(path)

    @Slot()
    def _choose(self) -> None:
        folder = str(self._path.parent) if self._path else ""
        dialog = QFileDialog(self, tr("选择印章文件"), folder, f"{tr('印章文件')} (*{SUFFIX})")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda name: self.set_file(Path(name)))
        dialog.open()

    def set_file(self, path: Path) -> None:
        """Choose a seal file; its password is asked next."""
        self.forget()
        self._path = path
        self._show()
        self.password.setFocus()

    # -- the seal ----------------------------------------------------------------------------------

    @Slot()
    def try_open(self) -> None:
        """Open the seal with the password that was typed, which is then forgotten."""
        path, password = self._path, self.password.text()
        self.password.clear()
        if path is None or not password:
            self.banner.say(tr("请先选择印章文件并输入口令。"), "due")
            (self.password if path else self.choose).setFocus()
            return
        self.banner.say(tr("正在打开印章…"))
        self.open.setEnabled(False)

        def work(token: Token) -> tuple[Held, QImage]:
            held = self._service.open(path, password, known_roots() or NO_TRUST)
            picture = held.seal.picture
            wide, high = float(picture.width), float(picture.height)
            seen = picture_of(Art(picture.kind.lower(), picture.data), wide, high, _SCALE)
            return held, seen if seen.isNull() else blurred(seen, wide, high)

        self._work.run("cpu", work, done=self._opened, failed=self._failed, name=tr("印章"))

    def _opened(self, found: tuple[Held, QImage]) -> None:
        held = found[0]

        def work(token: Token) -> str:
            self._service.keep_seal(held.path)
            return self._service.registered_fault(held)

        self._work.run("data", work, done=partial(self._known, *found), failed=self._failed, name=tr("印章"))

    def _known(self, held: Held, glass: QImage, registered: str) -> None:
        self.open.setEnabled(True)
        self.banner.clear()
        self.held, self.glass = held, glass
        self.faults = tuple(filter(None, (*held.standing.faults, registered)))
        self._show()
        self.changed.emit()

    def _failed(self, error: BaseException) -> None:
        self.open.setEnabled(True)
        if not isinstance(error, GovDeskError):
            raise error
        self.banner.say(error.words(), "red", code=error.code)
        self.password.setFocus()

    @Slot()
    def forget(self) -> None:
        """Put the seal away: its key is no longer in memory."""
        had = self.held is not None
        self.held, self.glass, self.faults = None, QImage(), ()
        self.password.clear()
        self.banner.clear()
        self._show()
        if had:
            self.changed.emit()

    def leave(self) -> None:
        """The window closes."""
        self.forget()
        self._work.close()

    @property
    def usable(self) -> bool:
        """Whether a seal is open that may be used now."""
        return self.held is not None and not self.faults

    def _show(self) -> None:
        held = self.held
        self.file.setText(str(self._path.name) if self._path else tr("还没有选择印章文件（*{kind}）。", kind=SUFFIX))
        self.file.setToolTip(str(self._path) if self._path else "")
        self.choose.setVisible(held is None)
        self._ask.setVisible(held is None and self._path is not None)
        for widget in (self.name, self.state, self.facts, self.put_away):
            widget.setVisible(held is not None)
        if held is None:
            return
        seal, certificate = held.seal, held.issued.certificate
        self.name.setText(seal.name)
        if self.faults:
            self.state.show_state("red", tr("现在不能使用"))
        elif held.standing.notes:
            self.state.show_state("yellow", tr("可以使用，有提示"))
        else:
            self.state.show_state("good", tr("可以使用"))
        term = tr("{since} 至 {until}", since=f"{seal.since.astimezone():%Y-%m-%d}",
                  until=f"{seal.until.astimezone():%Y-%m-%d}")  # fmt: skip
        lines = [
            tr("印章编码：{code}", code=seal.id),
            tr("用章人：{name}", name=certificate.name),
            tr("有效期：{term}", term=term),
            *self.faults,
            *held.standing.notes,
        ]
        if not held.issued.key.constant_time:
            lines.append(slow_words())
        self.facts.setText("\n".join(lines))


def slow_words() -> str:
    """That signing runs in plain Python here, as the window must say."""
    return tr(
        "提示：本机没有国密加速库，签名用通用实现，不是恒定时间的：用时可能泄露密钥信息，请勿在多人共用的机器上盖章。"
    )
