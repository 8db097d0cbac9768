"""What nobody foresaw: logged, told in plain words, and the program goes on if the person wants."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Callable
from types import TracebackType

from PySide6.QtCore import QMessageLogContext, QtMsgType, Signal, Slot, qInstallMessageHandler
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from client.kernel.logs import mask
from client.widgets.basics import Button, IconLabel, Label, LinkButton, PrimaryButton
from client.widgets.dialogs import GrowingDialog
from client.widgets.gui_thread import GuiThread
from client.widgets.theme import theme
from modules.common.errors import GovDeskError
from modules.common.text import tr

log = logging.getLogger("client.crash")
_qt = logging.getLogger("qt")
_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


class CrashDialog(GrowingDialog):
    """An error that nobody foresaw. ``save_wanted``: a diagnostic bundle; ``leave_wanted``: end the program."""

    save_wanted = Signal()
    leave_wanted = Signal()

    def __init__(self, details: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._details = details
        self._more = 0
        self.setWindowTitle(tr("程序出错"))
        words = Label(
            tr(
                "程序遇到意外错误（UI-500）。已受理的件和草稿都已存在本机，没有丢失；刚才这一步可能没有完成，请核对后再做一次。"
            ),
            wrap=True,
        )
        words.setMinimumWidth(theme().text_width(30))
        self._count = Label(role="quiet", wrap=True)
        self._count.hide()
        self._text = QPlainTextEdit(details)
        self._text.setReadOnly(True)
        self._text.setTabChangesFocus(True)
        self._text.setAccessibleName(tr("技术细节"))
        self._text.setMinimumHeight(theme().text_width(12))
        self._text.hide()
        self.show_details = LinkButton(tr("技术细节"), icon="chevron-right")
        self.copy = Button(tr("复制"), icon="copy")
        self.save = Button(tr("保存诊断包"), icon="download")
        self.leave = Button(tr("退出程序"))
        self.go_on = PrimaryButton(tr("继续使用"))
        self.show_details.clicked.connect(self._unfold)
        self.copy.clicked.connect(self._copy)
        self.save.clicked.connect(self.save_wanted)
        self.leave.clicked.connect(self.leave_wanted)
        self.go_on.clicked.connect(self.accept)
        top = QHBoxLayout()
        top.addWidget(IconLabel("octagon-alert", "red", 24))
        top.addWidget(Label(tr("程序出错了，您的工作已保存"), "heading"), 1)
        low = QHBoxLayout()
        low.addWidget(self.show_details)
        low.addWidget(self.copy)
        low.addWidget(self.save)
        low.addStretch(1)
        low.addWidget(self.leave)
        low.addWidget(self.go_on)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(3))
        column.addLayout(top)
        column.addWidget(words)
        column.addWidget(self._count)
        column.addWidget(self._text, 1)
        column.addLayout(low)
        self.go_on.setFocus()

    def another(self) -> None:
        """One more error while this is open."""
        self._more += 1
        self.say(tr("此后又发生 {n} 个错误，已记入日志。", n=self._more))

    def say(self, text: str) -> None:
        """How the saving went."""
        self._count.setText(text)
        self._count.show()
        self.grow()

    @Slot()
    def _unfold(self) -> None:
        self._text.setVisible(not self._text.isVisible())
        self.grow()

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._details)
        self.say(tr("已复制到剪贴板。"))


class CrashGuard:
    """Catches what is raised past everybody, on any thread, and Qt's own messages, from making to ``release``.

    An error with a code, raised where nobody waited for it, becomes a notice (``tell``); any other opens the dialog.
    ``save_bundle`` writes a diagnostic bundle and says where; ``leave`` ends the program.
    """

    def __init__(
        self,
        tell: Callable[[GovDeskError], None],
        save_bundle: Callable[[], str],
        leave: Callable[[], None],
    ) -> None:
        self._tell = tell
        self._save_bundle = save_bundle
        self._leave = leave
        self._gui = GuiThread()
        self._dialog: CrashDialog | None = None
        self._before = (sys.excepthook, threading.excepthook)
        sys.excepthook = self._raised
        threading.excepthook = self._raised_in_thread
        self._qt_before = qInstallMessageHandler(_log_qt)

    @property
    def dialog(self) -> CrashDialog | None:
        """The dialog that is open, or None."""
        return self._dialog

    def release(self) -> None:
        """Put back what was there before."""
        sys.excepthook, threading.excepthook = self._before
        qInstallMessageHandler(self._qt_before)
        if self._dialog is not None:
            self._dialog.close()

    def _raised(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt | SystemExit):
            self._leave()
            return
        log.error("unforeseen error", exc_info=(kind, error, trace))
        self._gui.post(lambda: self._show(error))

    def _raised_in_thread(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            self._raised(args.exc_type, args.exc_value, args.exc_traceback)

    def _show(self, error: BaseException) -> None:
        # On the GUI thread. What fails in here is only logged: a dialog about a dialog would never end.
        try:
            if isinstance(error, GovDeskError):
                self._tell(error)
            elif self._dialog is not None:
                self._dialog.another()
            else:
                self._open(error)
        except Exception:
            log.exception("the crash dialog itself failed")

    def _open(self, error: BaseException) -> None:
        details = mask("".join(traceback.format_exception(error)))
        dialog = self._dialog = CrashDialog(details, QApplication.activeWindow())
        dialog.save_wanted.connect(self._save)
        dialog.leave_wanted.connect(self._leave)
        dialog.finished.connect(self._closed)
        dialog.open()

    def _save(self) -> None:
        if self._dialog is not None:
            self._dialog.say(self._save_bundle())

    def _closed(self) -> None:
        dialog, self._dialog = self._dialog, None
        if dialog is not None:
            # later, and held until then: it is still in the middle of closing
            self._gui.post(dialog.deleteLater)


def _log_qt(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
    _qt.log(_LEVELS.get(kind, logging.WARNING), "%s", message)
