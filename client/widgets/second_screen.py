"""The screen that faces the other side of the counter (双屏): one window of its own, on the second monitor."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt, Slot
from PySide6.QtGui import QCloseEvent, QGuiApplication, QScreen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from client.widgets.theme import set_role, theme


class SecondScreen(QWidget):
    """Shows ``content`` on a monitor other than ``main``'s, over the whole of it.

    With one monitor it is an ordinary window when ``windowed`` is set (training, demonstrations), else nothing is
    shown. A monitor that is plugged in or pulled is noticed. It never takes the keyboard from the clerk.
    """

    def __init__(self, content: QWidget, main: QWidget, *, windowed: bool = False) -> None:
        super().__init__(None, Qt.WindowType.Window | Qt.WindowType.WindowDoesNotAcceptFocus)
        self._main = main
        self._windowed = windowed
        self._ending = False
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        set_role(self, "cover")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(content)
        app = QGuiApplication.instance()
        assert isinstance(app, QGuiApplication)
        app.screenAdded.connect(self.arrange)
        app.screenRemoved.connect(self.arrange)
        self.arrange()

    @Slot()
    def arrange(self) -> None:
        """Go to where the other side of the counter looks."""
        if self._ending:
            return
        other = other_screen(self._main)
        if other is not None:
            self.setWindowFlag(Qt.WindowType.FramelessWindowHint, True)
            self.setGeometry(other.geometry())
            self.showFullScreen()
        elif self._windowed:
            self.setWindowFlag(Qt.WindowType.FramelessWindowHint, False)
            self.resize(theme().text_width(60), theme().text_width(42))
            self.showNormal()
        else:
            self.hide()
        if self.isVisible() and self._main.window().isVisible():
            self._main.window().activateWindow()  # some window systems give a new window the keyboard all the same

    def end(self) -> None:
        """Close for good: the counter has been left."""
        self._ending = True
        self.close()
        self.deleteLater()

    def closeEvent(self, event: QCloseEvent) -> None:
        # whoever closes it by its frame only wants it out of the way
        event.accept()
        super().closeEvent(event)


def other_screen(main: QWidget) -> QScreen | None:
    """The first monitor that ``main`` is not on, or None. A mirrored monitor is no other one."""
    here = main.window().screen()
    shown: QRect = here.geometry()
    return next((screen for screen in QGuiApplication.screens() if not screen.geometry().intersects(shown)), None)
