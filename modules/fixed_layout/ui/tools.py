"""The row of tools above a document."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, Slot
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QVBoxLayout, QWidget

from client.widgets.basics import Button, IconButton, Label, LineEdit, LinkButton, SearchBox
from client.widgets.dialogs import TextDialog
from client.widgets.flow import beside, flowing
from client.widgets.page.layout import Mode
from client.widgets.theme import theme
from modules.common.text import tr
from modules.fixed_layout.domain import LONGEST_OPINION

if TYPE_CHECKING:
    from modules.fixed_layout.ui.document import DocumentPane

_ZOOMS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0)
_TYPED_MS = 250


class Tools(QWidget):
    """Buttons, each with its words as tool tip and name; what is rarely wanted stands in menus."""

    def __init__(self, pane: DocumentPane) -> None:
        super().__init__()
        self._pane = pane
        self.side = IconButton(tr("显示或隐藏左侧"), icon="list")
        self.back = IconButton(tr("上一页"), icon="chevron-up")
        self.page = LineEdit(tr("页码"))
        self.page.setFixedWidth(theme().text_width(4))
        self.count = Label("", "quiet")
        self.forth = IconButton(tr("下一页"), icon="chevron-down")
        self.smaller = IconButton(tr("缩小（Ctrl+−）"), icon="zoom-out")
        self.zoom = LinkButton("100%")
        self.larger = IconButton(tr("放大（Ctrl++）"), icon="zoom-in")
        self.look = LinkButton(tr("显示"), icon="columns-2")
        self.turn = IconButton(tr("顺时针旋转（R）"), icon="rotate-cw")
        self.hand = self._tool(tr("抓手：拖动页面"), "hand", "hand")
        self.measure = self._tool(tr("量距离"), "arrow-right-left", "measure")
        self.ink = self._tool(tr("手写签批"), "pencil", "ink")
        self.marker = IconButton(tr("高亮选中的文字（Ctrl+H）"), icon="tag")
        self.opinion = Button(tr("签意见"), icon="square-pen")
        self.search = SearchBox(tr("在全文中查找"))
        self.search.setFixedWidth(theme().text_width(13))
        self.previous = IconButton(tr("上一处（Shift+F3）"), icon="arrow-up")
        self.next = IconButton(tr("下一处（F3）"), icon="arrow-down")
        self.seal = Button(tr("盖章"), icon="stamp")
        self.seal.setCheckable(True)
        self.print = Button(tr("打印"), icon="printer")
        self.compare = Button(tr("对比"), icon="git-compare")
        self.words = Label("", "quiet")
        flow = flowing(
            self.side, beside(self.back, self.page, self.count, self.forth),
            beside(self.smaller, self.zoom, self.larger), self.look, self.turn,
            self.hand, self.measure, self.marker, self.ink, self.opinion, self.compare, self.seal, self.print,
            beside(self.search, self.previous, self.next), self.words,
        )  # fmt: skip
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(flow)
        self._typed = QTimer(self)
        self._typed.setSingleShot(True)
        self._typed.setInterval(_TYPED_MS)
        self._typed.timeout.connect(self._search)
        self.zoom.setMenu(self._zoom_menu())
        self.look.setMenu(self._look_menu())
        self._connect()

    def _tool(self, words: str, icon: str, tool: str) -> IconButton:
        button = IconButton(words, icon=icon)
        button.setCheckable(True)
        button.clicked.connect(lambda checked: self._pane.view.set_tool(tool if checked else "select"))
        return button

    def _connect(self) -> None:
        pane = self._pane
        self.side.clicked.connect(pane.toggle_side)
        self.back.clicked.connect(lambda: pane.view.go_to(pane.view.page - self._step()))
        self.forth.clicked.connect(lambda: pane.view.go_to(pane.view.page + self._step()))
        self.page.submitted.connect(self._go)
        self.smaller.clicked.connect(lambda: pane.view.zoom_step(-1))
        self.larger.clicked.connect(lambda: pane.view.zoom_step(1))
        self.turn.clicked.connect(lambda: pane.view.rotate())
        self.marker.clicked.connect(pane.highlight)
        self.opinion.clicked.connect(self._ask_opinion)
        self.search.searched.connect(lambda text: self._typed.start())
        self.search.submitted.connect(self._submitted)
        self.previous.clicked.connect(lambda: pane.find_step(-1))
        self.next.clicked.connect(lambda: pane.find_step(1))
        self.seal.clicked.connect(pane.toggle_sealing)
        self.seal.setVisible(pane.service.may_seal)
        self.print.clicked.connect(pane.print_)
        self.compare.clicked.connect(lambda: pane.compare_wanted.emit(pane))

    def _step(self) -> int:
        return 2 if self._pane.view.mode is Mode.FACING else 1

    def _zoom_menu(self) -> QMenu:
        menu = QMenu(self)
        self._add(menu, tr("适合宽度") + "\tCtrl+2", lambda: self._pane.view.fit_to("width"))
        self._add(menu, tr("适合整页") + "\tCtrl+1", lambda: self._pane.view.fit_to("page"))
        self._add(menu, tr("实际大小") + "\tCtrl+0", lambda: self._pane.view.zoom_to(1.0))
        menu.addSeparator()
        for zoom in _ZOOMS:
            self._add(menu, f"{zoom:.0%}", partial(self._zoom_to, zoom))
        return menu

    def _zoom_to(self, zoom: float) -> None:
        self._pane.view.zoom_to(zoom)

    def _look_menu(self) -> QMenu:
        menu = QMenu(self)
        group = QActionGroup(menu)
        self._modes: dict[Mode, QAction] = {}
        for mode, words in (
            (Mode.CONTINUOUS, tr("连续")),
            (Mode.SINGLE, tr("单页")),
            (Mode.FACING, tr("双页")),
        ):
            action = self._modes[mode] = self._add(menu, words, partial(self._set_mode, mode))
            action.setCheckable(True)
            group.addAction(action)
        menu.addSeparator()
        self._night = self._add(menu, tr("夜间阅读"), self._toggle_night)
        self._night.setCheckable(True)
        return menu

    def _set_mode(self, mode: Mode) -> None:
        self._pane.view.set_mode(mode)

    def _toggle_night(self) -> None:
        self._pane.view.set_night(not self._pane.view.night)

    @staticmethod
    def _add(menu: QMenu, words: str, call: Callable[[], object]) -> QAction:
        action = menu.addAction(words)
        action.triggered.connect(lambda checked=False: call())
        return action

    @Slot()
    def refresh(self) -> None:
        """Show how the document is seen now."""
        view = self._pane.view
        if not self.page.hasFocus():
            self.page.setText(str(view.page + 1))
        self.count.setText(f"/ {view.pages}")
        self.zoom.set_label(f"{view.zoom:.0%}")
        self.zoom.setAccessibleName(tr("缩放 {percent}", percent=f"{view.zoom:.0%}"))
        self._modes[view.mode].setChecked(True)
        self._night.setChecked(view.night)
        self.marker.setEnabled(bool(view.selection))
        for button, tool in ((self.hand, "hand"), (self.measure, "measure"), (self.ink, "ink")):
            button.setChecked(view.tool == tool)

    @Slot(str)
    def say(self, words: str) -> None:
        """A few words at the end of the row."""
        self.words.setText(words)

    def wanted(self) -> str:
        """What is looked for."""
        return self.search.text()

    def go_to_search(self) -> None:
        """Go to the search box; what is selected on one page is looked for."""
        self.search.setFocus()
        self.search.selectAll()

    def ask_page(self) -> None:
        """Go to the page number."""
        self.page.setFocus()
        self.page.selectAll()

    @Slot()
    def _go(self) -> None:
        try:
            page = int(self.page.text())
        except ValueError:
            self.refresh()
            return
        self._pane.view.setFocus()
        self._pane.view.go_to(page - 1)
        self.refresh()

    @Slot()
    def _search(self) -> None:
        self._pane.find_words(self.search.text())

    @Slot()
    def _submitted(self) -> None:
        if self._typed.isActive():
            self._typed.stop()
            self._search()
        else:
            self._pane.find_step(1)

    @Slot()
    def _ask_opinion(self) -> None:
        service = self._pane.service
        self._pane.host.run("data", lambda token: service.opinions(), done=self._opinion_dialog)

    def _opinion_dialog(self, stored: list[str]) -> None:
        ask = TextDialog(
            tr("签到页面上"),
            tr("意见"),
            self.window(),
            consequence=tr("意见、姓名和日期放在当前页上，只存在本机，打印时可以带上，不改动文件，也不影响已有印章。"),
            phrases=stored or [tr("同意。"), tr("已阅。"), tr("请按规定办理。")],
            longest=LONGEST_OPINION,
        )
        ask.given.connect(partial(self._opinion_given, stored))
        ask.open()

    def _opinion_given(self, stored: list[str], text: str) -> None:
        self._pane.put_opinion(text)
        kept = [text, *(each for each in stored if each != text)]
        service = self._pane.service
        self._pane.host.run("data", lambda token: service.keep_opinions(kept), name=tr("意见"))
