"""The other side of the counter: second screen and evaluator, whichever the citizen uses first."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from client.kernel.contract import Host, Token
from client.kernel.settings import Settings
from client.widgets.second_screen import SecondScreen, other_screen
from devices.ports import DeviceError, Evaluator, WindowScreen
from modules.acceptance.ui.citizen import CitizenView, OwnData

WINDOWED = "acceptance.citizen_window"
"""Whether the citizen's screen is shown as a window where there is one monitor (training, demonstrations)."""
ASK_TIME = 90.0
"""Seconds that the evaluator waits for a key."""
_QUIET = ("DEV-401", "DEV-405", "DEV-408")
"""Nobody pressed a key, nobody wants it any more, none is set up: nothing to tell the clerk."""


class CitizenSide(QObject):
    """Shows the citizen what concerns them and brings back what they say, each once.

    ``failed``: a device failed; the screen goes on.
    """

    confirmed = Signal(bool)
    rated = Signal(int, list)
    failed = Signal(object)

    def __init__(self, host: Host, parent: QWidget) -> None:
        super().__init__(parent)
        self._host = host
        self._parent = parent
        self._memory = host.service(Settings)
        self._screen: SecondScreen | None = None
        self._asking: Token | None = None
        self._above: Token | None = None
        self._rating = False
        self.view = CitizenView()
        # it stands in no window of ours, or in one that may be closed: nobody else ends it
        parent.destroyed.connect(self.view.deleteLater)
        self.view.confirmed.connect(self.confirmed)
        self.view.rated.connect(self._rated)

    @property
    def windowed(self) -> bool:
        """Whether it is shown as a window where there is no second monitor."""
        return self._memory.recall(WINDOWED) is True

    def set_windowed(self, windowed: bool) -> None:
        """Show or hide the window that stands for the second monitor; remembered."""
        self._memory.remember(WINDOWED, windowed)
        self.close()
        self.open()

    def open(self) -> None:
        """Put the screen where the citizen looks, if there is such a place."""
        if self._screen is None and (self.windowed or other_screen(self._parent) is not None):
            self._screen = SecondScreen(self.view, self._parent, windowed=self.windowed)

    def close(self) -> None:
        """The counter is left."""
        self.stop_asking()
        if self._above is not None:
            self._above.cancel()
        screen, self._screen = self._screen, None
        if screen is not None:
            self.view.setParent(None)  # it outlives the window that it is shown in
            screen.end()

    def welcome(self, place: str, line: str = "") -> None:
        """Nobody's data; the small screen above the window says the same."""
        self.stop_asking()
        self.view.welcome(place, line)
        self._show_above([line or place])

    def show_data(self, data: OwnData, *, ask: bool = False) -> None:
        """The citizen's own data."""
        self.view.show_data(data, ask=ask)

    def ask_rating(self, title: str, reasons: Sequence[str]) -> bool:
        """Ask on the screen and at the evaluator; False when there is neither."""
        self._rating = True
        self.view.ask_rating(title, reasons)
        evaluator = self._host.service(Evaluator)  # type: ignore[type-abstract]
        self._asking = self._host.run(
            "dev:evaluator", lambda token: evaluator.ask(ASK_TIME), done=self._pressed, failed=self._not_pressed
        )
        return self._screen is not None

    def stop_asking(self) -> None:
        """Nobody waits for a rating any more."""
        self._rating = False
        if self._asking is not None and not self._asking.finished:
            self._asking.cancel()
            evaluator = self._host.service(Evaluator)  # type: ignore[type-abstract]
            self._host.run("net", lambda token: evaluator.cancel())
        self._asking = None

    def _show_above(self, lines: Sequence[str]) -> None:
        screen = self._host.service(WindowScreen)  # type: ignore[type-abstract]
        if self._above is not None:
            self._above.cancel()  # only the newest text counts
        self._above = self._host.run("net", lambda token: screen.show(lines), failed=self._not_pressed)

    @Slot(int, list)
    def _rated(self, stars: int, reasons: list[str]) -> None:
        if self._rating:
            self.stop_asking()
            self.rated.emit(stars, reasons)

    def _pressed(self, stars: int) -> None:
        """A key of the evaluator. It has no keys for reasons: for the two lowest the screen asks for them."""
        if not self._rating:
            return
        if stars < 3 and self._screen is not None:
            self.view.choose(stars)
            return
        self.stop_asking()
        self.view.thank("")
        self.rated.emit(stars, [])

    def _not_pressed(self, error: BaseException) -> None:
        quiet = isinstance(error, DeviceError) and (error.code in _QUIET or error.code in ("DEV-455", "DEV-458"))
        if not quiet:
            self.failed.emit(error)
