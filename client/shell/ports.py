"""What the shell asks of the application that composes it. Light: sign-in imports it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from modules.common.permissions import Actor


@dataclass(frozen=True, slots=True)
class ServerNews:
    """What a server says before anyone has signed in. ``demo``: one-click people with ``login``, ``name``,
    ``title`` and ``password``, on a demonstration server only.
    """

    name: str
    demo: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody has come in. ``until``: how long they may come in without the server, if known."""

    login: str
    name: str
    offline: bool = False
    until: datetime | None = None
    must_change_password: bool = False


class Door(Protocol):
    """Behind the sign-in window. The properties are quick; the methods block and belong on lane ``net``."""

    @property
    def url(self) -> str:
        """The server's address as enrolled, or as handed in on the command line; may be empty."""
        ...

    @property
    def enrolled(self) -> bool:
        """Whether this computer has been enrolled."""
        ...

    @property
    def place(self) -> str:
        """The name of this counter or room, as enrolled."""
        ...

    def offline_until(self, login: str) -> datetime | None:
        """Until when ``login`` may sign in here without the server; None for whoever never did. Quick."""
        ...

    def look(self) -> ServerNews:
        """Ask the server who it is. Raises ``GovDeskError``: NET-001 unreachable, NET-002 wrong certificate …"""
        ...

    def enrol(self, url: str, code: str) -> None:
        """Enrol this computer. Raises ``GovDeskError``."""
        ...

    def sign_in(self, login: str, password: str) -> Entry:
        """Sign in, without the server where it is not to be had. Raises ``GovDeskError`` AUTH-…, NET-…"""
        ...

    def change_password(self, login: str, old: str, new: str) -> None:
        """Change the password on the server and rewrap the store key. Raises ``GovDeskError``."""
        ...


@dataclass(frozen=True, slots=True)
class Unsent:
    """A command that waits to be sent, or (``refused``) that the server has refused."""

    cmd_id: str
    title: str
    number: str
    given_at: datetime
    given_by: str
    refused: bool = False
    code: str = ""
    reason: str = ""
    record: tuple[str, str] = ("", "")


class Desk(Protocol):
    """Behind the main window, for as long as somebody is signed in."""

    @property
    def actor(self) -> Actor:
        """Who is signed in."""
        ...

    @property
    def place(self) -> str: ...

    def unsent(self) -> Sequence[Unsent]:
        """What waits and what was refused, oldest first. Lane ``read``."""
        ...

    def drop_refused(self, cmd_id: str) -> None:
        """Take a refused command from the tray: somebody has dealt with it. Lane ``data``."""
        ...

    def sync_now(self) -> None:
        """Try at once to reach the server. Returns at once."""
        ...

    def check_password(self, password: str) -> None:
        """Whether it is the signed-in person's own: returns, or raises ``GovDeskError`` AUTH-… Lane ``net``."""
        ...

    def change_password(self, old: str, new: str) -> None:
        """As ``Door.change_password``, for the signed-in person. Lane ``net``."""
        ...

    def printers(self) -> Sequence[str]:
        """The names of the printers of this computer. Lane ``cpu``."""
        ...


class View(Protocol):
    """What a page's view may offer beyond being a ``QWidget``; each is optional."""

    def show_arguments(self, **arguments: Any) -> None:
        """Show what ``Host.open_page`` was called with."""
        ...

    lent: Any
    """A signal of bool: the public has the page's face now, or the staff have it back."""

    def back(self) -> bool:
        """Go back one step inside the page; False when there is none."""
        ...
