"""What the shell asks of the application that composes it. Light: sign-in imports it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from modules.common.permissions import Actor

PASSWORD, CERTIFICATE, OIDC = "password", "certificate", "oidc"
"""The ways to come in."""


@dataclass(frozen=True, slots=True)
class ServerNews:
    """What a server says before anyone has signed in. ``demo``: one-click people with ``login``, ``name``,
    ``title`` and ``password``, on a demonstration server only. ``oidc_name``: what single sign-on is called there.
    """

    name: str
    demo: tuple[Mapping[str, str], ...] = ()
    oidc_name: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody has come in. ``until``: how long they may come in without the server, if known.

    ``offers_local_password``: single sign-on would do without the server if there was a password of this computer.
    """

    login: str
    name: str
    offline: bool = False
    until: datetime | None = None
    must_change_password: bool = False
    must_enrol_totp: bool = False
    offers_local_password: bool = False


@dataclass(frozen=True, slots=True)
class TokenOffer:
    """A certificate on a token that is there: whom it names, and on which token. ``handle`` is the door's own."""

    name: str
    token: str
    handle: Any = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody entered to come in."""

    method: str
    login: str = ""
    password: str = ""
    code: str = ""
    key: TokenOffer | None = None
    pin: str = ""

    def __repr__(self) -> str:
        return f"Attempt({self.method!r}, …)"


@dataclass(frozen=True, slots=True)
class TotpOffer:
    """A secret for one-time codes, as text and as the address that a QR code holds."""

    secret: str
    url: str

    def __repr__(self) -> str:
        return "TotpOffer(…)"


@dataclass(frozen=True, slots=True)
class OwnSession:
    """One of a person's own sessions."""

    id: str
    place: str
    method: str
    since: datetime
    seen: datetime
    current: bool
    signed_out: bool


@dataclass(frozen=True, slots=True)
class WaysIn:
    """How a person may sign in. ``local_password``: whether there is one of this computer; None where it is no use."""

    totp: bool
    totp_required: bool
    recovery_left: int
    local_password: bool | None = None


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

    @property
    def methods(self) -> Sequence[str]:
        """The ways in that the server offers, as far as it has said, and this computer can go. Quick."""
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

    def sign_in(self, login: str, password: str, code: str = "") -> Entry:
        """Sign in, without the server where it is not to be had. Raises ``GovDeskError`` AUTH-…, NET-…"""
        ...

    def tokens(self) -> Sequence[TokenOffer]:
        """The certificates that are there. Raises ``GovDeskError`` DEV-…"""
        ...

    def sign_in_by_token(self, key: TokenOffer, pin: str, login: str, password: str, code: str) -> Entry:
        """Sign in by a certificate; login and password make it the person's. Raises DEV-…, and as ``sign_in``."""
        ...

    def sign_in_by_browser(self, going_on: Callable[[], None], login: str, password: str, code: str) -> Entry:
        """Open the browser and wait for its answer; ``going_on`` raises to give up. Raises as ``sign_in``."""
        ...

    def begin_totp(self, password: str) -> TotpOffer:
        """A new secret for whoever is signed in. Raises ``GovDeskError``."""
        ...

    def confirm_totp(self, code: str) -> Sequence[str]:
        """Let the secret count; the recovery codes. Raises ``GovDeskError`` AUTH-034."""
        ...

    def set_local_password(self, password: str) -> None:
        """Let a password of this computer stand in for single sign-on without the server. Raises ``GovDeskError``."""
        ...

    def change_password(self, login: str, old: str, new: str) -> Entry:
        """Change the password on the server and rewrap the store key; who is in now. Raises ``GovDeskError``."""
        ...


@dataclass(frozen=True, slots=True)
class Unsent:
    """A command that waits to be sent, or (``refused``) that the server has refused, or (``held``) that is there
    and waits for what it needs.
    """

    cmd_id: str
    title: str
    number: str
    given_at: datetime
    given_by: str
    refused: bool = False
    code: str = ""
    reason: str = ""
    record: tuple[str, str] = ("", "")
    held: bool = False


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

    def scans(self) -> tuple[int, int]:
        """How many scanned pages and files wait, and the bytes of them that are not at the server. Lane ``read``."""
        ...

    def drop_refused(self, cmd_id: str) -> None:
        """Take a refused command from the tray: somebody has dealt with it. Lane ``data``."""
        ...

    def sync_now(self) -> None:
        """Try at once to reach the server. Returns at once."""
        ...

    @property
    def key(self) -> str:
        """What opens the lock: ``password``, ``pin``, ``local`` (a password of this computer) or ``browser``. Quick."""
        ...

    def check_password(self, password: str) -> None:
        """Whether password or PIN are the signed-in person's own: returns, or raises AUTH-…, DEV-… Lane ``net``."""
        ...

    def check_in_browser(self, going_on: Callable[[], None]) -> None:
        """The same by single sign-on; ``going_on`` raises to give up. Lane ``net``."""
        ...

    def token_present(self) -> bool:
        """Whether the token that somebody signed in with is still there; True without one. Lane ``net``."""
        ...

    def ways_in(self) -> WaysIn:
        """How the person may sign in. Raises ``GovDeskError``. Lane ``net``."""
        ...

    def begin_totp(self, password: str) -> TotpOffer:
        """As ``Door.begin_totp``."""
        ...

    def confirm_totp(self, code: str) -> Sequence[str]:
        """As ``Door.confirm_totp``."""
        ...

    def remove_totp(self, password: str, code: str) -> None:
        """Do without one-time codes. Raises ``GovDeskError``. Lane ``net``."""
        ...

    def set_local_password(self, password: str) -> None:
        """As ``Door.set_local_password``."""
        ...

    def sessions(self) -> Sequence[OwnSession]:
        """One's own sessions everywhere, the newest first. Raises ``GovDeskError``. Lane ``net``."""
        ...

    def end_session(self, id: str) -> None:
        """End one of them, or with an empty id all others. Raises ``GovDeskError``. Lane ``net``."""
        ...

    def change_password(self, old: str, new: str) -> None:
        """As ``Door.change_password``, for the signed-in person. Lane ``net``."""
        ...

    @property
    def key_place(self) -> str:
        """In words, where this computer's own key is kept."""
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
