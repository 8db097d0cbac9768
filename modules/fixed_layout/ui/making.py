"""The page 制章: the seal authority is opened, seals are made and handed out, frozen, thawed and revoked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QCloseEvent, QImage, QPixmap
from PySide6.QtWidgets import QFileDialog, QFormLayout, QLineEdit, QScrollArea, QSpinBox, QVBoxLayout, QWidget

from client.kernel.contract import Host, Token
from client.kernel.ports import Record
from client.kernel.settings import Settings
from client.widgets.basics import Banner, Button, ComboBox, Label, LineEdit, PrimaryButton, SectionTitle
from client.widgets.dialogs import TextDialog
from client.widgets.flow import flowing
from client.widgets.page.seals import marked
from client.widgets.pages import PageWork
from client.widgets.tables import Column, MasterDetail, RecordTable
from client.widgets.theme import set_role, theme
from modules.common.errors import GovDeskError
from modules.common.seals.keyfile import SUFFIX
from modules.common.seals.register import ACTIVE, FROZEN, REVOKED, state_words
from modules.common.text import tr
from modules.fixed_layout.services.making import EMBLEM, IMPORTED, STAR, Bench, MakingService, SealOrder
from modules.fixed_layout.services.sealing import RENEWED, free_name

_STATES = {ACTIVE: "good", FROZEN: "due", REVOKED: "red"}
_LARGEST_ART = 8 << 20


class MakingView(QWidget):
    """The page. Passwords are asked and kept nowhere; the authority's keys are in memory while the page is open."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._work = PageWork(host)
        self._service = MakingService(host)
        self._folder: Path | None = None
        self._art = b""
        self.bench: Bench | None = None
        set_role(self, "page")
        self.setAccessibleName(tr("制章"))
        self.folder = Label("", wrap=True)
        self.choose = Button(tr("制章机构文件夹…"), icon="folder-open")
        self.district = _line(tr("机构名称（新建时填）"))
        self.password = _secret(tr("制章口令"))
        self.open = Button(tr("打开机构"), icon="lock")
        self.found = Button(tr("新建机构"), icon="plus")
        self.lists = Button(tr("更新验章名单"), icon="refresh-cw")
        self.name = _line(tr("印章名称（环绕的字）"))
        self.code = _line(tr("印章编码"))
        self.diameter = ComboBox(tr("直径"))
        for size, whose in ((42, tr("县级、企事业单位")), (45, tr("市级")), (50, tr("省级"))):
            self.diameter.addItem(tr("{n} 毫米（{whose}）", n=size, whose=whose), size)
        self.look = ComboBox(tr("图样"))
        for look, words in ((STAR, tr("五角星")), (EMBLEM, tr("自备国徽图片")), (IMPORTED, tr("导入整枚印模"))):
            self.look.addItem(words, look)
        self.pick = Button(tr("选图片…"), icon="image")
        self.below = _line(tr("星下横排的字（可不填）"))
        self.signer = _line(tr("用章人（证书上的名字）"))
        self.users = _line(tr("可用的账号，逗号分开"))
        self.years = QSpinBox()
        self.years.setAccessibleName(tr("有效期（年）"))
        self.years.setRange(1, 5)
        self.years.setValue(3)
        self.seal_password = _secret(tr("印章口令"))
        self.picture = Label("")
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.preview = Button(tr("预览"), icon="eye")
        self.make = PrimaryButton(tr("制作并发放…"), icon="stamp")
        self.banner = Banner()
        self.freeze = Button(tr("冻结…"))
        self.thaw = Button(tr("解冻…"))
        self.revoke = Button(tr("注销…"))
        self.renew = Button(tr("换发…"))
        self.table = RecordTable(
            (
                Column("name", tr("印章"), lambda row: str(row.doc["name"]), 12, stretch=True),
                Column("code", tr("编码"), lambda row: str(row.doc["code"]), 10),
                Column("state", tr("状态"), lambda row: state_words(row.doc["state"]), 7,
                       state=lambda row: _STATES[row.doc["state"]]),
                Column("until", tr("到期"), lambda row: str(row.doc["until"])[:10], 7),
                Column("users", tr("可用的账号"), lambda row: "、".join(row.doc["users"]), 8),
            ),
            title=tr("印章登记"), name="fixed_layout.seals", key=lambda row: str(row.id),
            memory=host.service(Settings),
        )  # fmt: skip
        self._build()
        self._connect()
        self._refresh()
        if self._service.may_make:
            self.reload()
        else:
            self.table.show_forbidden()

    def _build(self) -> None:
        asked = QWidget()
        form = QFormLayout(asked)
        form.setContentsMargins(*(theme().space(2),) * 4)
        form.setSpacing(theme().space(2))
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
        parts: list[QWidget] = [
            SectionTitle(tr("制章机构")), self.folder, self.choose, self.district, self.password,
            flowing(self.open, self.found, self.lists), SectionTitle(tr("新印章")), self.name, self.code,
            self.diameter, self.look, self.pick, self.below, self.signer, self.users, self.years,
            self.seal_password, self.preview, self.picture,
        ]  # fmt: skip
        for part in parts:
            if isinstance(part, LineEdit | ComboBox | QSpinBox):
                form.addRow(part.accessibleName(), part)
            else:
                form.addRow(part)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setMinimumWidth(theme().text_width(24))
        area.setWidget(asked)
        kept = QWidget()
        column = QVBoxLayout(kept)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().space(2))
        column.addWidget(self.table, 1)
        column.addWidget(flowing(self.freeze, self.thaw, self.revoke, self.renew))
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(2))
        column.addWidget(MasterDetail(kept, area, name="fixed_layout.making"), 1)
        column.addWidget(self.banner)
        column.addWidget(self.make, 0, Qt.AlignmentFlag.AlignRight)

    def _connect(self) -> None:
        self.choose.clicked.connect(self._ask_folder)
        self.open.clicked.connect(self.open_bench)
        self.password.submitted.connect(self.open_bench)
        self.found.clicked.connect(self.establish)
        self.lists.clicked.connect(self.write_lists)
        self.look.currentIndexChanged.connect(self._refresh)
        self.pick.clicked.connect(self._ask_art)
        self.preview.clicked.connect(self.show_preview)
        self.make.clicked.connect(self._ask_target)
        self.renew.clicked.connect(self._ask_old)
        self.table.chosen.connect(lambda row: self._refresh())
        for button, what in ((self.freeze, "freeze"), (self.thaw, "thaw"), (self.revoke, "revoke")):
            button.clicked.connect(partial(self.ask_move, what))

    def _run(self, lane: str, work: Callable[[Token], Any], done: Callable[[Any], None]) -> None:
        self._work.run(lane, work, done=done, failed=self._failed, name=tr("制章"))

    def _failed(self, error: BaseException) -> None:
        self._refresh()
        if not isinstance(error, GovDeskError):
            raise error
        self.banner.say(error.words(), "red", code=error.code)

    @Slot()
    def _refresh(self) -> None:
        row, may = self.table.current, self._service.may_make
        state = row.doc["state"] if row is not None and may else ""
        self.freeze.setEnabled(state == ACTIVE)
        self.thaw.setEnabled(state == FROZEN)
        self.revoke.setEnabled(state in (ACTIVE, FROZEN))
        self.make.setEnabled(self.bench is not None)
        self.renew.setEnabled(self.bench is not None and state in (ACTIVE, FROZEN))
        self.lists.setEnabled(self.bench is not None)
        self.open.setEnabled(may and self._folder is not None)
        self.found.setEnabled(may and self._folder is not None)
        self.pick.setVisible(self.look.currentData() != STAR)
        if self.bench is not None:
            self.folder.setText(tr("已打开：{name}", name=self.bench.workshop.root.certificate.name))
        else:
            self.folder.setText(str(self._folder) if self._folder else tr("还没有选择制章机构的文件夹。"))

    # -- the authority -----------------------------------------------------------------------------

    @Slot()
    def _ask_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, tr("制章机构文件夹…"))
        if name:
            self.set_folder(Path(name))

    def set_folder(self, folder: Path) -> None:
        """Where the authority's keys are, or shall be."""
        self._folder, self.bench = folder, None
        self._refresh()
        self.password.setFocus()

    def _taken_password(self, line: LineEdit) -> str:
        password = line.text()
        line.clear()
        return password

    @Slot()
    def open_bench(self) -> None:
        """Open the authority of the folder."""
        folder, password = self._folder, self._taken_password(self.password)
        if folder is not None:
            self._run("cpu", lambda token: self._service.open(folder, password), self._opened)

    @Slot()
    def establish(self) -> None:
        """Make a new authority in the folder."""
        folder, district = self._folder, self.district.text().strip()
        if folder is None or not district:
            self.banner.say(tr("请填写机构名称。"), "due")
            self.district.setFocus()
            return
        password = self._taken_password(self.password)
        self._run("cpu", lambda token: self._service.establish(folder, district, password), self._opened)

    def _opened(self, bench: Bench) -> None:
        self.bench = bench
        self.banner.say(tr("机构已打开，可以制章。"), "good")
        self._refresh()

    @Slot()
    def write_lists(self) -> None:
        """Lay down root, revocation list and stopped seals anew."""
        bench = self.bench
        if bench is not None:
            self._run(
                "data",
                lambda token: self._service.write_lists(bench, self._service.seals()),
                lambda folder: self.banner.say(
                    tr("验章名单已写到 {folder}，请发给各单位放进根证书文件夹，30 天内再更新。", folder=folder), "good"
                ),
            )

    # -- a new seal --------------------------------------------------------------------------------

    @Slot()
    def _ask_art(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, tr("选图片…"), "", "PNG, JPEG (*.png *.jpg *.jpeg)")
        if name:
            self.set_art(Path(name))

    def set_art(self, path: Path) -> None:
        """The emblem, or the whole picture."""

        def work(token: Token) -> bytes:
            try:
                return path.read_bytes() if path.stat().st_size <= _LARGEST_ART else b""
            except OSError as error:
                raise GovDeskError("SEAL-052", tr("图片“{name}”读不出来。", name=path.name)) from error

        self._run("read", work, self._art_came)

    def _art_came(self, data: bytes) -> None:
        self._art = data
        self.show_preview()

    def order(self) -> SealOrder:
        """What was asked for."""
        users = [each.strip().lower() for each in self.users.text().replace("，", ",").split(",")]
        return SealOrder(
            self.name.text().strip(), self.code.text().strip(), self.signer.text().strip(),
            tuple(each for each in users if each), int(self.diameter.currentData()), str(self.look.currentData()),
            self.below.text().strip(), self._art, self.years.value(),
        )  # fmt: skip

    @Slot()
    def show_preview(self) -> None:
        """Show how it will look, marked as a preview: the true picture is in the seal alone."""
        order = self.order()
        self._run("cpu", lambda token: self._service.picture(order).data, self._previewed)

    def _previewed(self, data: bytes) -> None:
        self.banner.clear()
        side = theme().text_width(14)
        mode = Qt.TransformationMode.SmoothTransformation
        image = QImage.fromData(data).scaled(side, side, Qt.AspectRatioMode.KeepAspectRatio, mode)
        small = image.scaled(side // 3, side // 3, Qt.AspectRatioMode.KeepAspectRatio, mode)
        self.picture.setPixmap(QPixmap.fromImage(marked(small, tr("预览"))))
        self.picture.setAccessibleName(tr("印章预览：{name}", name=self.name.text().strip()))

    @Slot()
    def _ask_target(self) -> None:
        name = f"{self.name.text().strip() or tr('印章')}{SUFFIX}"
        path, _ = QFileDialog.getSaveFileName(
            self, tr("印章文件存到"), name, f"{tr('印章文件')} (*{SUFFIX})",
            options=QFileDialog.Option.DontConfirmOverwrite,
        )  # fmt: skip
        if path:
            self.issue(Path(path))

    def issue(self, target: Path) -> None:
        """Make the seal and hand it out as an encrypted file."""
        bench, order = self.bench, self.order()
        if bench is None:
            return
        for line, value in ((self.name, order.name), (self.code, order.code), (self.signer, order.signer),
                            (self.users, order.users), (self.seal_password, self.seal_password.text())):  # fmt: skip
            if not value:
                self.banner.say(tr("请填写{name}。", name=line.accessibleName()), "red", code="SEAL-053")
                line.setFocus()
                return
        password = self._taken_password(self.seal_password)
        self.make.setEnabled(False)

        def made(issued: Any) -> None:
            work = partial(self._service.issue, issued, order, target, password)
            self._run("data", lambda token: work(), partial(self._issued, target))

        self._run("cpu", lambda token: self._service.make(bench, order), made)

    def _issued(self, target: Path, record: Record) -> None:
        self.banner.say(tr("已制作，存为 {name}。请把文件和口令分开交给用章人。", name=target.name), "good")
        self._refresh()
        self.reload()

    @Slot()
    def _ask_old(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, tr("要换发的印章文件"), "", f"{tr('印章文件')} (*{SUFFIX})")
        if name:
            self.renew_from(Path(name))

    def renew_from(self, path: Path) -> None:
        """Renew the chosen seal: its old file and password in, a new file under the same password beside it."""
        bench, row = self.bench, self.table.current
        if bench is None or row is None:
            return
        if not self.seal_password.text():
            self.banner.say(tr("请在“印章口令”里填写原印章文件的口令。"), "due")
            self.seal_password.setFocus()
            return
        password = self._taken_password(self.seal_password)
        target = free_name(path, RENEWED)

        def made(issued: Any) -> None:
            work = partial(self._service.hand_out_anew, issued, row, target, password)
            self._run("data", lambda token: work(), partial(self._issued, target))

        self._run("cpu", lambda token: self._service.renewed(bench, row, path, password), made)

    # -- their life --------------------------------------------------------------------------------

    @Slot()
    def reload(self) -> None:
        """Read the register of seals anew."""
        self._run("read", lambda token: self._service.seals(), self._came)

    def _came(self, rows: list[Record]) -> None:
        self.table.show_rows(rows, empty=tr("还没有制作过印章。在右边打开制章机构，填写新印章。"))
        self._refresh()

    def ask_move(self, what: str, *_clicked: object) -> None:
        """Ask why a seal is frozen, thawed or revoked."""
        row = self.table.current
        if row is None:
            return
        action, told = {
            "freeze": (tr("冻结印章"), tr("冻结后不能用它盖章，可以解冻。")),
            "thaw": (tr("解冻印章"), tr("解冻后可以继续使用。")),
            "revoke": (tr("注销印章"), tr("注销后不能恢复，须重新制章。")),
        }[what]
        ask = TextDialog(
            action, tr("原因"), self.window(), consequence=f"{row.doc['name']}：{told}", danger=what == "revoke"
        )
        ask.given.connect(partial(self.carry_out, row, what))
        ask.open()

    def carry_out(self, row: Record, what: str, why: str) -> None:
        """Do what was confirmed."""
        self._run("data", lambda token: self._service.carry_out(row, what, why), lambda record: self._moved())

    def _moved(self) -> None:
        self.banner.say(tr("已登记。请“更新验章名单”并发给各单位，他们验章时才会知道。"), "good")
        self.reload()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.bench = None
        self._work.close()
        super().closeEvent(event)


def _line(name: str) -> LineEdit:
    return LineEdit(name)


def _secret(name: str) -> LineEdit:
    line = _line(name)
    line.setEchoMode(QLineEdit.EchoMode.Password)
    return line
