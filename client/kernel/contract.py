"""What a module is to the suite, and what the suite lends a module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Cancelled(Exception):
    """Raised by ``Token.check`` inside work that is no longer wanted."""


class Token(Protocol):
    """Held by whoever asked for work; handed to the work itself."""

    def check(self) -> None:
        """Raise ``Cancelled`` when the work is no longer wanted. Called between steps."""
        ...

    def progress(self, share: float, text: str = "") -> None:
        """Report how far the work is, ``share`` from 0 to 1, and what is being done."""
        ...

    def watch(self, call: Callable[[float, str], None]) -> None:
        """Have ``call(share, text)`` told of progress on the GUI thread, the latest only where it comes fast."""
        ...

    def cancel(self) -> None:
        """Ask the work to stop; its result is dropped."""
        ...

    @property
    def finished(self) -> bool:
        """Whether the work has ended, in whatever way."""
        ...


class Lanes(Protocol):
    """Named lanes of background work: ``data`` (one writer), ``read`` (two), ``net`` (four), ``cpu`` (one), ``page``
    (two, for what of a document is about to be looked at).
    """

    def run(
        self,
        lane: str,
        work: Callable[[Token], T],
        *,
        done: Callable[[T], None] | None = None,
        failed: Callable[[BaseException], None] | None = None,
        name: str = "",
    ) -> Token:
        """Run ``work(token)`` on ``lane``; ``done`` or ``failed`` is called on the GUI thread.

        Neither is called once the token is cancelled. Without ``failed`` an error becomes a notice.
        """
        ...


class Host(Lanes, Protocol):
    """What a module may use. Every view, command handler and module is handed one."""

    def service(self, port: type[T]) -> T:
        """The one object that offers ``port`` (a Protocol of ``client.kernel.ports``, ``devices.ports`` …).

        Raises ``LookupError`` with the port's name when nothing offers it.
        """
        ...

    def open_page(self, page: str, **arguments: Any) -> None:
        """Show a page of the main window by its manifest id; ``arguments`` reach its ``show_arguments``."""
        ...

    def notice(self, text: str, *, state: str = "info", code: str = "") -> None:
        """Tell the user something that can be read later. ``state``: info, good, due, red."""
        ...


class Module(Protocol):
    """What a module's entry class offers. Both run on the GUI thread and are quick."""

    def start(self, host: Host) -> None:
        """Build services from what the host lends; open nothing, import no driver."""
        ...

    def stop(self) -> None:
        """Cancel what runs and forget the host. Called once, even after a failed start."""
        ...
