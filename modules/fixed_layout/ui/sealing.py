"""The panel 盖章 beside the pages: which seal, where, why, into which file; and taking back one's own last seal."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QFileDialog, QScrollArea, QVBoxLayout, QWidget

from client.kernel.contract import Host
from client.widgets.basics import (
    Banner,
    Button,
    ConfirmDialog,
    IconButton,
    Label,
    LineEdit,
    PrimaryButton,
    ProgressPane,
    SectionTitle,
)
from client.widgets.flow import beside
from client.widgets.page.source import Source
from client.widgets.page.view import PageView
from client.widgets.theme import theme
from modules.common.errors import GovDeskError
from modules.common.seals.register import SEALED, WITHDRAWN
from modules.common.text import tr
from modules.fixed_layout.services.sealing import Order, Place, SealingService, free_name
from modules.fixed_layout.ui.seal_choice import SealChoice
from modules.fixed_layout.ui.seal_place import Ghost, PlaceForm, start_at
from modules.fixed_layout.ui.sealing_run import Job, SealingRun


class SealingPanel(QWidget):
    """Asks for all that a seal needs and puts it on. ``made`` carries the new file, ``left`` when it is closed."""

    made = Signal(object)
    left = Signal()

    def __init__(self, host: Host, view: PageView, source: Source, path: Path) -> None:
        super().__init__()
        self._service = SealingService(host)
        self._view, self._source, self._path = view, source, path
        self.run = SealingRun(host, self._service)
        self.choice = SealChoice(host, self._service)
        self.form = PlaceForm(source.pages)
        self.form.put(*start_at(source))
        self.ghost = Ghost(view, self.form, self.choice)
        self.shut = IconButton(tr("关闭盖章"), icon="x")
        self.hint = Label("", "small", wrap=True)
        self.lock = QCheckBox(tr("锁定：之后不能再加盖"))
        self.reason = LineEdit(tr("用印事由"))
        self.reason.setPlaceholderText(tr("用印事由（必填，记入登记）"))
        self.approved = LineEdit(tr("批准人"))
        self.approved.setPlaceholderText(tr("批准人（可不填）"))
        self.target = Label("", "small", wrap=True)
        self.elsewhere = Button(tr("另选位置…"))
        self.banner = Banner()
        self.go = PrimaryButton(tr("盖章"), icon="stamp")
        self.back = Button(tr("撤销自己最后的章…"), icon="undo-2")
        self.progress = ProgressPane()
        self.progress.hide()
        self._target: Path | None = None
        self._act = SEALED
        self._build()
        self._connect()
        self._refresh()

    def _build(self) -> None:
        self.setAccessibleName(tr("盖章"))
        self.setMinimumWidth(theme().text_width(21))
        head = beside(SectionTitle(tr("盖章")), self.shut)
        head.layout().setStretch(0, 1)  # type: ignore[union-attr]
        inside = QWidget()
        asked = _column(inside)
        asks: list[QWidget] = [
            self.choice,
            self.form,
            self.hint,
            self.lock,
            self.reason,
            self.approved,
            self.target,
            self.elsewhere,
        ]
        for part in asks:
            asked.addWidget(part)
        asked.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        column = _column(self)
        column.addWidget(head)
        column.addWidget(area, 1)
        below: list[QWidget] = [self.banner, self.progress, self.go, self.back]
        for part in below:
            column.addWidget(part)

    def _connect(self) -> None:
        self.shut.clicked.connect(self.left)
        self.ghost.left.connect(self.left)
        self.ghost.settled.connect(self.reason.setFocus)
        self.choice.changed.connect(self._seal_changed)
        self.form.changed.connect(self._refresh)
        self.elsewhere.clicked.connect(self._ask_target)
        self.go.clicked.connect(self.ask_seal)
        self.back.clicked.connect(self.ask_withdraw)
        self.reason.submitted.connect(self.ask_seal)
        self.progress.cancelled.connect(self.run.cancel)
        self.run.moved.connect(self.progress.show_progress)
        self.run.made.connect(self._made)
        self.run.failed.connect(self._failed)
        self.run.ended.connect(self._ended)

    # -- being there -------------------------------------------------------------------------------

    def begin(self) -> None:
        """It is shown: the mouse moves the seal from now on."""
        self.ghost.set_active(True)
        self.show()
        (self.choice.choose if self.choice.held is None else self._view).setFocus()

    def stop(self) -> None:
        """It is hidden: the seal is put away, what is under way stops."""
        self.run.cancel()
        self.choice.forget()
        self.ghost.set_active(False)
        self.hide()

    def leave(self) -> None:
        """The document closes."""
        self.run.cancel()
        self.ghost.set_active(False)
        self.choice.leave()

    @Slot()
    def _seal_changed(self) -> None:
        """The seal is seen where it stands, and the keys move it."""
        self._refresh()
        if self.choice.held is not None:
            self.ghost.reveal()
            self._view.setFocus()

    @Slot()
    def _refresh(self) -> None:
        held = self.choice.held
        self.go.setEnabled(self.choice.usable and not self.run.busy)
        self.back.setEnabled(held is not None and not self.run.busy)
        self.hint.setVisible(held is not None)
        self.hint.setText(
            tr("在页面上按住鼠标拖动印章；或点一下页面，用方向键每次移 1 毫米（按住 Shift 10 毫米），PgUp、PgDn 换页。")
        )
        target = self._target or free_name(self._path)
        self.target.setText(tr("另存为：{name}（原文件不动）", name=target.name))
        self.target.setToolTip(str(target))

    @Slot()
    def _ask_target(self) -> None:
        kinds = f"{self._source.format} (*{self._path.suffix})"
        # what is there already is refused later, not written over
        name, _ = QFileDialog.getSaveFileName(
            self, tr("另存为"), str(self._target or free_name(self._path)), kinds,
            options=QFileDialog.Option.DontConfirmOverwrite,
        )  # fmt: skip
        if name:
            self.set_target(Path(name))

    def set_target(self, target: Path) -> None:
        """Have the sealed file put there."""
        self._target = target
        self._refresh()

    # -- sealing -----------------------------------------------------------------------------------

    @Slot()
    def ask_seal(self) -> None:
        """Say what will happen, and seal once that is meant."""
        held = self.choice.held
        if not self.go.isEnabled() or held is None:
            return
        try:
            place = self.form.place()
        except ValueError as error:
            self.banner.say(str(error), "red", code="SEAL-046")
            (self.form.words if self.form.words.isVisible() else self.form.pages).setFocus()
            return
        if not self.reason.text().strip():
            self.banner.say(tr("请填写用印事由，它会记入用印登记。"), "red", code="SEAL-047")
            self.reason.setFocus()
            return
        order = Order(place, self.reason.text().strip(), self.lock.isChecked(), self.approved.text().strip())
        target = self._target or free_name(self._path)
        told = tr(
            "在“{file}”的{place}盖“{seal}”，存为“{target}”，并记入用印登记。",
            file=self._path.name, place=place.told(), seal=held.seal.name, target=target.name,
        )  # fmt: skip
        if order.lock:
            told += tr("盖后锁定，任何人不能再加盖。")
        self._confirm(tr("盖章"), told, order, target)

    @Slot()
    def ask_withdraw(self) -> None:
        """Say what will happen, and take one's own last seal out once that is meant."""
        held = self.choice.held
        if held is None or self.run.busy:
            return
        target = self._target or free_name(self._path, WITHDRAWN)
        told = tr(
            "撤销“{file}”最后一个章，它必须是“{name}”所盖。撤章后的文件存为“{target}”，原文件不动，并记入用印登记。",
            file=self._path.name, name=held.issued.certificate.name, target=target.name,
        )  # fmt: skip
        reason = self.reason.text().strip() or tr("撤章")
        order = Order(Place(), reason, approved_by=self.approved.text().strip(), act=WITHDRAWN)
        self._confirm(tr("撤销签章"), told, order, target)

    def _confirm(self, action: str, told: str, order: Order, target: Path) -> None:
        self.banner.clear()
        ask = ConfirmDialog(action, told, keep=tr("取消"), parent=self.window())
        ask.accepted.connect(partial(self.begin_run, order, target))
        ask.open()

    def begin_run(self, order: Order, target: Path) -> None:
        """Do what was confirmed."""
        held = self.choice.held
        if held is None:
            return
        self.progress.show_progress(0, tr("正在准备"))
        self.progress.show()
        self._act = order.act
        self.run.start(held, order, [Job(self._path, self._source, target)])
        self._refresh()

    def _made(self, path: Path, target: Path) -> None:
        self._target = None
        name = target.name
        done = tr("已盖章，存为 {name}。", name=name) if self._act == SEALED else tr("已撤章，存为 {name}。", name=name)
        self.banner.say(done, "good")
        self.made.emit(target)

    def _failed(self, path: Path, error: BaseException) -> None:
        if not isinstance(error, GovDeskError):
            self._ended()
            raise error
        self.banner.say(error.words(), "red", code=error.code)

    @Slot()
    def _ended(self) -> None:
        self.progress.hide()
        if self.run.stopped and not self.banner.text():
            self.banner.say(tr("已停止，没有盖章。"), "due")
        self._refresh()


def _column(widget: QWidget) -> QVBoxLayout:
    column = QVBoxLayout(widget)
    column.setContentsMargins(*(theme().space(2),) * 4)
    column.setSpacing(theme().space(2))
    return column
