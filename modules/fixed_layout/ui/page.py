"""The page 版式文件: open documents in tabs, the files read last, and what to do when there are none."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QFocusEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from client.kernel.contract import Host, Token
from client.widgets.basics import Banner, Button, Label, LineEdit, LinkButton, PrimaryButton
from client.widgets.dialogs import GrowingDialog
from client.widgets.flow import beside
from client.widgets.page.opening import SUFFIXES, known_roots, open_data, read_file
from client.widgets.page.source import Source
from client.widgets.pages import PageWork, when
from client.widgets.theme import set_role, theme
from modules.common.clock import Clock
from modules.common.errors import GovDeskError
from modules.common.text import tr
from modules.fixed_layout.services import Memory, ReaderService, Recent
from modules.fixed_layout.ui.document import DocumentPane, digest_of
from modules.fixed_layout.ui.panels import EntryList

LOCKED = "VIEW-002"
"""The code of a file that asks for a password."""
MOST_OPEN = 12
"""Documents that are open at once: each holds its file in memory."""


class ReaderView(QWidget):
    """The page."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._clock = host.service(Clock)  # type: ignore[type-abstract]
        self._service = ReaderService(host)
        self._work = PageWork(host)
        self._opening: set[Path] = set()
        self._failed: Path | None = None
        set_role(self, "page")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(tr("版式文件"))
        self.setAcceptDrops(True)
        self.open_button = PrimaryButton(tr("打开文件"), icon="folder-open")
        self.another = LinkButton(tr("打开"), icon="folder-open")
        self.recent_button = LinkButton(tr("最近"), icon="history")
        self._recent_menu = QMenu(self)
        self.recent_button.setMenu(self._recent_menu)
        self.banner = Banner()
        self.tabs = QTabWidget()
        self.tabs.setTabsClosable(True)
        self.tabs.setMovable(True)
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setAccessibleName(tr("打开的文件"))
        self.tabs.setCornerWidget(beside(self.another, self.recent_button))
        self.tabs.tabCloseRequested.connect(self.close_tab)
        self.tabs.currentChanged.connect(self._tab_changed)
        self.recent_list = EntryList(tr("最近打开的文件"), tr("还没有打开过文件。"), (tr("清除记录"),))
        self.recent_list.chosen.connect(lambda recent: self.open_file(recent.path))
        self.recent_list.acted.connect(self._forget)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._empty())
        self._stack.addWidget(self.tabs)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(3),) * 4)
        column.setSpacing(theme().space(2))
        column.addWidget(self.banner)
        column.addWidget(self._stack, 1)
        self.open_button.clicked.connect(self.ask_file)
        self.another.clicked.connect(self.ask_file)
        self.banner.acted.connect(self._retry)
        for keys, call in (("Ctrl+W", self._close_current), ("Ctrl+Tab", self._next_tab)):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(call)
        self._read_recent()

    def _empty(self) -> QWidget:
        pane = QWidget()
        column = QVBoxLayout(pane)
        column.setSpacing(theme().space(3))
        column.addStretch(1)
        column.addWidget(Label(tr("打开 OFD 或 PDF 文件"), "title"), 0, Qt.AlignmentFlag.AlignHCenter)
        words = tr("点“打开文件”（Ctrl+O），或把文件拖到这里。能看印章的真伪、全文查找、对比、签批和打印。")
        hint = Label(words, "quiet", wrap=True)
        hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.addWidget(hint)
        column.addWidget(self.open_button, 0, Qt.AlignmentFlag.AlignHCenter)
        self.recent_list.setMinimumWidth(theme().text_width(36))
        column.addWidget(self.recent_list, 4, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(2)
        return pane

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        pane = self.current
        (self.open_button if pane is None else pane).setFocus(event.reason())

    # -- opening -----------------------------------------------------------------------------------

    def show_arguments(self, **arguments: Any) -> None:
        """``path`` opens a file, ``action="open"`` asks for one."""
        if "path" in arguments:
            self.open_file(Path(arguments["path"]))
        elif arguments.get("action") == "open":
            self.ask_file()

    @Slot()
    def ask_file(self) -> None:
        """Ask for files."""
        kinds = tr("版式文件（{kinds}）", kinds="*.ofd *.pdf").replace("（", " (").replace("）", ")")
        dialog = QFileDialog(self, tr("打开文件"), "", f"{kinds};;{tr('所有文件')} (*)")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.filesSelected.connect(self.open_files)
        dialog.open()

    @Slot(list)
    def open_files(self, names: list[str]) -> None:
        """Open several files by their paths."""
        for name in names:
            self.open_file(Path(name))

    def open_file(self, path: Path, password: str = "") -> None:
        """Open a file in a tab of its own, or show the tab where it is open."""
        for at in range(self.tabs.count()):
            if self._pane(at).path == path:
                self.tabs.setCurrentIndex(at)
                return
        if path in self._opening:
            return
        if self.tabs.count() >= MOST_OPEN:
            self.banner.say(tr("已经打开 {n} 个文件，请先关闭几个。", n=MOST_OPEN), "due", code="VIEW-040")
            return
        self._opening.add(path)
        self.banner.say(tr("正在打开 {name}…", name=path.name))

        def work(token: Token) -> tuple[Source, str]:
            data = read_file(path)
            token.check()
            return open_data(data, password, known_roots()), digest_of(data)

        self._work.run(
            "read",
            work,
            done=partial(self._opened, path, password),
            failed=partial(self._not_opened, path),
            name=tr("打开文件"),
        )

    def _opened(self, path: Path, password: str, found: tuple[Source, str]) -> None:
        source, digest = found
        self._work.run(
            "data",
            lambda token: self._service.load(digest),
            done=partial(self._show, path, password, source),
            failed=lambda error: self._show(path, password, source, Memory(digest)),
            name=tr("版式文件"),
        )

    def _show(self, path: Path, password: str, source: Source, memory: Memory) -> None:
        self._opening.discard(path)
        self.banner.clear()
        memory.path, memory.name = str(path), path.name
        pane = DocumentPane(self._host, self._service, source, path, memory, password)
        pane.compare_wanted.connect(self._compare)
        pane.open_wanted.connect(self.open_file)
        at = self.tabs.addTab(pane, path.name)
        self.tabs.setTabToolTip(at, str(path))
        self.tabs.setCurrentIndex(at)
        self._stack.setCurrentIndex(1)
        pane.view.setFocus(Qt.FocusReason.OtherFocusReason)
        pane.save()
        self._read_recent()

    def _not_opened(self, path: Path, error: BaseException) -> None:
        self._opening.discard(path)
        if not isinstance(error, GovDeskError):
            raise error
        if error.code == LOCKED:
            self.banner.clear()
            ask = PasswordDialog(path.name, error.words(), self.window())
            ask.given.connect(partial(self.open_file, path))
            ask.open()
            return
        self._failed = path
        self.banner.say(error.words(), "red", code=error.code, action=tr("再试一次"))

    @Slot()
    def _retry(self) -> None:
        if self._failed is not None:
            self.open_file(self._failed)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _dropped(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        for path in _dropped(event):
            self.open_file(path)
        event.acceptProposedAction()

    # -- tabs --------------------------------------------------------------------------------------

    def _pane(self, at: int) -> Any:
        return self.tabs.widget(at)

    @property
    def current(self) -> DocumentPane | None:
        """The document in front, if it is one."""
        pane = self.tabs.currentWidget()
        return pane if isinstance(pane, DocumentPane) else None

    @Slot(int)
    def close_tab(self, at: int) -> None:
        """Close a tab; how it was read is remembered."""
        pane = self._pane(at)
        self.tabs.removeTab(at)
        pane.leave()
        pane.deleteLater()
        if not self.tabs.count():
            self._stack.setCurrentIndex(0)
            self._read_recent()
            self.open_button.setFocus()

    @Slot()
    def _close_current(self) -> None:
        if self.tabs.count():
            self.close_tab(self.tabs.currentIndex())

    @Slot()
    def _next_tab(self) -> None:
        if self.tabs.count():
            self.tabs.setCurrentIndex((self.tabs.currentIndex() + 1) % self.tabs.count())

    @Slot(int)
    def _tab_changed(self, at: int) -> None:
        pane = self.tabs.widget(at)
        if pane is not None:
            pane.setFocus()

    def back(self) -> bool:
        """Esc ends a tool, or what is found; whether there was anything to end."""
        pane = self.current
        if pane is not None and pane.view.tool != "select":
            pane.view.set_tool("select")
            return True
        if pane is not None and pane.tools.wanted():
            pane.tools.search.clear()
            pane.view.setFocus()
            return True
        return False

    # -- comparing ---------------------------------------------------------------------------------

    @Slot(object)
    def _compare(self, pane: DocumentPane) -> None:
        others = [self._pane(at) for at in range(self.tabs.count())]
        others = [each for each in others if isinstance(each, DocumentPane) and each is not pane]
        menu = QMenu(self)
        for other in others:
            menu.addAction(other.path.name).triggered.connect(partial(self.compare, pane, other))
        if not others:
            menu.addAction(tr("先打开要对比的另一份文件")).setEnabled(False)
        menu.popup(pane.tools.compare.mapToGlobal(pane.tools.compare.rect().bottomLeft()))

    def compare(self, left: DocumentPane, right: DocumentPane, *_clicked: object) -> None:
        """Show two open documents side by side with their differences, in a tab of its own."""
        from modules.fixed_layout.ui.compare import ComparePane

        pane = ComparePane(self._host, left, right)
        at = self.tabs.addTab(pane, tr("对比：{name}", name=left.path.name))
        self.tabs.setTabToolTip(at, f"{left.path.name} ↔ {right.path.name}")
        self.tabs.setCurrentIndex(at)

    # -- recent files ------------------------------------------------------------------------------

    def _read_recent(self) -> None:
        self._work.run(
            "data",
            lambda token: self._service.recent(),
            done=self._show_recent,
            failed=lambda error: None,
            name=tr("最近"),
        )

    def _show_recent(self, found: list[Recent]) -> None:
        now = self._clock.now()
        self.recent_list.show_entries(
            [(f"{recent.name}\n{recent.path.parent} · {when(recent.at, now)}", recent) for recent in found]
        )
        self._recent_menu.clear()
        for recent in found:
            self._recent_menu.addAction(recent.name).triggered.connect(
                lambda checked=False, path=recent.path: self.open_file(path)
            )
        self.recent_button.setEnabled(bool(found))
        self.recent_list.setVisible(bool(found))

    def _forget(self, action: str, data: Any) -> None:
        self._work.run(
            "data", lambda token: self._service.forget(), done=lambda nothing: self._read_recent(), name=tr("最近")
        )

    def closeEvent(self, event: QCloseEvent) -> None:
        self._work.close()
        for at in range(self.tabs.count()):
            self._pane(at).leave()
        self.tabs.clear()
        super().closeEvent(event)


class PasswordDialog(GrowingDialog):
    """Asks for a document's password; ``given`` carries it. It is kept nowhere."""

    given = Signal(str)

    def __init__(self, name: str, words: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("输入密码"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        set_role(self, "page")
        self.password = LineEdit(tr("打开密码"))
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.go = PrimaryButton(tr("打开"))
        self.keep = Button(tr("取消"))
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.keep)
        buttons.addWidget(self.go)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(3))
        column.addWidget(Label(name, "heading", wrap=True))
        column.addWidget(Label(words, wrap=True))
        column.addWidget(self.password)
        column.addLayout(buttons)
        self.go.clicked.connect(self._give)
        self.password.submitted.connect(self._give)
        self.keep.clicked.connect(self.reject)
        self.password.setFocus()

    @Slot()
    def _give(self) -> None:
        if self.password.text():
            self.accept()
            self.given.emit(self.password.text())


def _dropped(event: QDropEvent) -> list[Path]:
    """The files of a drop that can be opened here."""
    urls = event.mimeData().urls()
    paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
    return [path for path in paths if path.suffix.lower() in SUFFIXES]
