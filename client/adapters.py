"""What the application puts behind the ports of shell and modules."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from client.data.profile import Profile, system_vault
from client.kernel.contract import Lanes, Token
from client.kernel.ports import Record
from client.kernel.settings import Settings
from client.shell.ports import Entry, OwnSession, ServerNews, TokenOffer, TotpOffer, Unsent, WaysIn
from modules.common.clock import Clock, iso, parse_iso
from modules.common.errors import GovDeskError
from modules.common.permissions import Actor
from modules.common.statement import read
from modules.common.text import tr
from sync.accounts import CERTIFICATE, OIDC, PASSWORD, Accounts, OpenSession
from sync.protocol import (
    OwnSignIn,
    RecoveryCodes,
    SessionEnd,
    SessionInfo,
    TotpBegin,
    TotpConfirm,
    TotpRemove,
    TotpSecret,
    from_wire,
)
from sync.transport import HttpTransport

if TYPE_CHECKING:
    from client.data.store import Store
    from client.widgets.notices import NoticeModel
    from devices.host import HostedDriver
    from devices.ports import TokenKey
    from devices.token import HostedToken, UnlockedKey
    from sync.loop import SyncLoop
    from sync.pages import PagePump

T = TypeVar("T")
log = logging.getLogger(__name__)
MESSAGES = "messages.jsonl"
SERVER_METHODS = "shell.server_methods"
"""Remembered for when the server is away: by which ways it lets people in."""
OFFLINE_UNTIL = "shell.offline_until"
"""Remembered before anyone can open the store: until when each login name may sign in without the server."""
LISTED = 500


class Tokens:
    """The certificates on the tokens of this computer, by the library that the bindings name; none without one.

    The driver's process is started at the first look.
    """

    def __init__(self, library: str) -> None:
        self.available = bool(library)
        self._library = library
        self._driver: HostedDriver | None = None
        self._unlocked: UnlockedKey | None = None

    def find(self) -> list[TokenOffer]:
        """What is there. Raises ``GovDeskError`` DEV-…"""
        return [TokenOffer(key.name, key.token, key) for key in self.certificates()]

    def certificates(self) -> Sequence[TokenKey]:
        """The port ``TokenReader``."""
        return self._token().certificates()

    def unlock(self, key: TokenKey, pin: str) -> UnlockedKey:
        """Open a token by its PIN. Raises ``GovDeskError`` DEV-50…"""
        self._unlocked = self._token().unlock(key, pin)
        return self._unlocked

    def unlock_again(self, pin: str) -> UnlockedKey:
        """The same token by its PIN once more."""
        assert self._unlocked is not None
        return self.unlock(self._unlocked.key, pin)

    @property
    def in_use(self) -> bool:
        """Whether somebody signed in with a token."""
        return self._unlocked is not None

    def present(self) -> bool:
        """Whether the token in use is still there."""
        return self._unlocked is None or self._unlocked.present()

    def release(self) -> None:
        """Nobody works with a token any more."""
        unlocked, self._unlocked = self._unlocked, None
        if unlocked is not None:
            try:
                self._token().lock(unlocked.key)
            except GovDeskError as error:
                log.info("a token was not locked: %s", error.code)

    def close(self) -> None:
        """End the driver's process."""
        if self._driver is not None:
            self._driver.close()

    def _token(self) -> HostedToken:
        from devices.host import HostedDriver
        from devices.token import HostedToken

        if self._driver is None:
            self._driver = HostedDriver("pkcs11", {"library": self._library})
        return HostedToken(self._driver)


class OwnAccount:
    """What people ask the server about their own ways in and sessions. All calls block."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def _ask(self, method: str, name: str, body: Any = None) -> Any:
        session = self._accounts.session
        transport = self._accounts.transport
        assert session is not None
        assert isinstance(transport, HttpTransport)
        return transport.ask(method, name, body, statement=session.store.statement)

    def ways_in(self) -> WaysIn:
        own = from_wire(OwnSignIn, self._ask("GET", "own"))
        session = self._accounts.session
        local = self._accounts.has_password_here() if session and session.method == OIDC else None
        return WaysIn(own.totp, own.totp_required, own.recovery_left, local)

    def begin_totp(self, password: str) -> TotpOffer:
        made = from_wire(TotpSecret, self._ask("POST", "totp_begin", TotpBegin(password)))
        return TotpOffer(made.secret, made.url)

    def confirm_totp(self, code: str) -> Sequence[str]:
        codes = from_wire(RecoveryCodes, self._ask("POST", "totp_confirm", TotpConfirm(code))).codes
        session = self._accounts.session
        if session is not None and session.must_enrol:
            self._accounts.refresh()
        return codes

    def remove_totp(self, password: str, code: str) -> None:
        self._ask("POST", "totp_remove", TotpRemove(password, code))

    def sessions(self) -> Sequence[OwnSession]:
        found = [from_wire(SessionInfo, each) for each in self._ask("GET", "sessions")]
        return [
            OwnSession(
                each.id,
                each.place,
                each.method,
                parse_iso(each.signed_in_at),
                parse_iso(each.seen_at),
                each.current,
                each.signed_out,
            )
            for each in found
        ]

    def end_session(self, id: str) -> None:
        self._ask("POST", "end_session", SessionEnd(id))


class AccountsDoor(OwnAccount):
    """``client.shell.ports.Door`` over the accounts of one profile. ``url`` is offered before the enrolment.

    The system keyring is looked for at the first question, on its lane: that is too dear for start-up. ``prepare`` is
    called on the lane of each sign-in that is granted, before it is told; ``open_url`` shows an address in a browser.
    """

    def __init__(
        self,
        accounts: Accounts,
        profile: Profile,
        settings: Settings,
        *,
        url: str,
        keyring: bool,
        prepare: Callable[[], None],
        tokens: Tokens,
        open_url: Callable[[str], None],
    ) -> None:
        super().__init__(accounts)
        self._tokens = tokens
        self._open_url = open_url
        self._profile = profile
        self._settings = settings
        self._url = url
        self._look_for_keyring = keyring
        self._prepare = prepare

    @property
    def url(self) -> str:
        device = self._accounts.device()
        return device.server if device else self._url

    @property
    def enrolled(self) -> bool:
        return self._accounts.device() is not None

    @property
    def place(self) -> str:
        device = self._accounts.device()
        return device.name if device else ""

    @property
    def methods(self) -> Sequence[str]:
        offered = self._settings.recall(SERVER_METHODS)
        known = [str(name) for name in offered] if isinstance(offered, list) else [PASSWORD]
        return [name for name in known if name != CERTIFICATE or self._tokens.available]

    def offline_until(self, login: str) -> datetime | None:
        until = self._remembered().get(login)
        return parse_iso(until) if until else None

    def look(self) -> ServerNews:
        self._find_keyring()
        hello = self._accounts.hello()
        self._settings.remember(SERVER_METHODS, hello.methods)
        people = ({**person, "role": person["title"]} for person in hello.demo)
        return ServerNews(hello.name, tuple(people), hello.oidc_name)

    def enrol(self, url: str, code: str) -> None:
        self._find_keyring()
        self._accounts.enrol(url, code)

    def sign_in(self, login: str, password: str, code: str = "") -> Entry:
        self._find_keyring()
        return self._entered(self._accounts.sign_in(login, password, code))

    def tokens(self) -> Sequence[TokenOffer]:
        return self._tokens.find()

    def sign_in_by_token(self, key: TokenOffer, pin: str, login: str, password: str, code: str) -> Entry:
        self._find_keyring()
        signer = self._tokens.unlock(key.handle, pin)
        try:
            session = self._accounts.sign_in_by_certificate(signer, login, password, code)
        except BaseException:
            self._tokens.release()
            raise
        return self._entered(session)

    def sign_in_by_browser(self, going_on: Callable[[], None], login: str, password: str, code: str) -> Entry:
        self._find_keyring()
        challenge, answer = by_browser(self._accounts, self._open_url, going_on)
        return self._entered(self._accounts.sign_in_by_oidc(challenge, answer, login, password, code))

    def change_password(self, login: str, old: str, new: str) -> Entry:
        session = self._accounts.change_password(login, old, new)
        assert session is not None
        return self._entry(session)

    def set_local_password(self, password: str) -> None:
        self._accounts.set_local_password(password)

    def _entered(self, session: OpenSession) -> Entry:
        entry = self._entry(session)
        self._prepare()
        return entry

    def _find_keyring(self) -> None:
        if self._look_for_keyring:
            self._look_for_keyring = False
            self._profile.vault = system_vault()

    def _entry(self, session: OpenSession) -> Entry:
        actor = session.actor
        kept = session.store.last_statement(actor.login)
        until = kept[1] if kept else read(session.statement).expires_at
        self._settings.remember(OFFLINE_UNTIL, {**self._remembered(), actor.login: until})
        local = session.method == OIDC and not session.offline and not self._accounts.has_password_here()
        return Entry(
            actor.login,
            actor.name,
            session.offline,
            parse_iso(until),
            session.must_change,
            session.must_enrol,
            local,
        )

    def _remembered(self) -> dict[str, str]:
        known = self._settings.recall(OFFLINE_UNTIL)
        return known if isinstance(known, dict) else {}


def by_browser(accounts: Accounts, open_url: Callable[[str], None], going_on: Callable[[], None]) -> tuple[str, str]:
    """Let somebody sign in in the browser; the challenge and what came back for it."""
    from sync.loopback import Loopback

    with Loopback() as loopback:
        challenge = accounts.begin_oidc(loopback.redirect)
        open_url(challenge.url)
        return challenge.id, loopback.code(challenge.id, going_on)


class SessionDesk(OwnAccount):
    """``client.shell.ports.Desk`` over an open session."""

    def __init__(
        self,
        accounts: Accounts,
        store: Store,
        loop: SyncLoop,
        pages: PagePump,
        tokens: Tokens,
        open_url: Callable[[str], None],
    ) -> None:
        super().__init__(accounts)
        self._pages = pages
        self._tokens = tokens
        self._open_url = open_url
        self._store = store
        self._loop = loop

    @property
    def actor(self) -> Actor:
        return self._accounts.actor

    @property
    def place(self) -> str:
        return self._accounts.place

    def unsent(self) -> Sequence[Unsent]:
        waiting = [
            self._unsent(entry.cmd_id, entry.kind, entry.aggregate_id, parse_iso(entry.at), read(entry.statement).name)
            for entry in self._store.unsent(LISTED)
        ]
        refused = [
            replace(
                self._unsent(entry.cmd_id, entry.kind, entry.aggregate_id, entry.at, entry.person),
                refused=True,
                code=str(entry.error.get("code", "")),
                reason=str(entry.error.get("message", "")),
            )
            for entry in self._store.refused_commands()
        ]
        held = [
            replace(
                self._unsent(
                    entry.cmd_id, entry.kind, entry.aggregate_id, parse_iso(entry.at), read(entry.statement).name
                ),
                held=True,
            )
            for entry in self._store.deferred(0, LISTED)
        ]
        return [*refused, *held, *waiting]

    def scans(self) -> tuple[int, int]:
        progress = self._pages.progress()
        return progress.waiting, max(0, progress.size - progress.there)

    def _unsent(self, cmd_id: str, kind: str, id: str, at: datetime, person: str) -> Unsent:
        record = self._store.get(kind, id)
        title, number = (record.title, record.number) if record else ("", "")
        return Unsent(cmd_id, title, number, at, person, record=(kind, id))

    def drop_refused(self, cmd_id: str) -> None:
        self._store.dismiss(cmd_id)

    def sync_now(self) -> None:
        self._loop.poke()

    @property
    def key(self) -> str:
        session = self._accounts.session
        if session is None or session.method == PASSWORD:
            return "password"
        if session.method == CERTIFICATE:
            return "pin"
        return "local" if self._accounts.has_password_here() else "browser"

    def check_password(self, password: str) -> None:
        if self.key == "pin":
            self._accounts.verify_signer(self._tokens.unlock_again(password))
        else:
            self._accounts.verify(password)

    def check_in_browser(self, going_on: Callable[[], None]) -> None:
        self._accounts.verify_oidc(*by_browser(self._accounts, self._open_url, going_on))

    def token_present(self) -> bool:
        return self._tokens.present()

    def set_local_password(self, password: str) -> None:
        self._accounts.set_local_password(password)

    def change_password(self, old: str, new: str) -> None:
        self._accounts.change_password(self.actor.login, old, new)

    @property
    def key_place(self) -> str:
        return self._accounts.credential.place

    def printers(self) -> Sequence[str]:
        from client.widgets.printing import printers

        return printers()


class SendingCommands:
    """The port ``Commands``: what is given is sent at once where the network allows it."""

    def __init__(self, store: Store, sent: Callable[[], None]) -> None:
        self._store = store
        self._sent = sent

    def new_id(self) -> str:
        return self._store.new_id()

    def give(
        self,
        kind: str,
        aggregate_id: str,
        type: str,
        body: Mapping[str, Any],
        *,
        numbered: bool = False,
        series: str = "",
        prints: str = "",
        drops_draft: str = "",
    ) -> Record:
        record = self._store.give(
            kind, aggregate_id, type, body, numbered=numbered, series=series, prints=prints, drops_draft=drops_draft
        )
        self._sent()
        return record

    def want_series(self, names: Sequence[str]) -> None:
        self._store.want_series(names)
        self._sent()


class AppHost:
    """The ``Host`` of one session's modules."""

    def __init__(self, lanes: Lanes, notices: NoticeModel, services: Mapping[Any, Any]) -> None:
        self._lanes = lanes
        self._notices = notices
        self._services = services
        self.show_page: Callable[..., None] = lambda page, **arguments: None
        """What ``open_page`` does; the main window's own method, once there is one."""

    def service(self, port: type[T]) -> T:
        if port not in self._services:
            raise LookupError(port.__name__)
        offered: T = self._services[port]
        return offered

    def run(
        self,
        lane: str,
        work: Callable[[Token], T],
        *,
        done: Callable[[T], None] | None = None,
        failed: Callable[[BaseException], None] | None = None,
        name: str = "",
    ) -> Token:
        return self._lanes.run(lane, work, done=done, failed=failed, name=name)

    def open_page(self, page: str, **arguments: Any) -> None:
        self.show_page(page, **arguments)

    def notice(self, text: str, *, state: str = "info", code: str = "") -> None:
        self._notices.tell(text, state=state, code=code)


def on_data_lane(lanes: Lanes) -> Callable[[Callable[[], Any]], Any]:
    """Runs a call on lane ``data`` and waits for it: the store has one writer, the synchronisation's steps included."""

    def run(call: Callable[[], T]) -> T:
        future: Future[T] = Future()

        def work(_token: Token) -> None:
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - handed to the waiting thread, whatever it is
                future.set_exception(error)

        token = lanes.run("data", work, name=tr("同步"))
        while True:
            try:
                return future.result(timeout=0.5)
            except TimeoutError:
                # the lanes close before this thread does: then nothing will ever come
                if token.finished and not future.done():
                    raise GovDeskError("SYNC-013", tr("程序正在退出，同步已停止。")) from None

    return run


def use_server(profile: Profile, url: str) -> None:
    """Follow the server to another address. The authority stays pinned: no other server can take its place."""
    device = profile.device()
    if url and device is not None and device.server != url.rstrip("/"):
        profile.save_device(replace(device, server=url.rstrip("/")))


class OutboxGateway:
    """``MessageGateway`` where no gateway is set up: writes each message into a file and says that nothing was sent.

    The number is written as papers show it: the file is for training, not for anybody to be called from.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = Lock()

    def send(self, phone: str, text: str) -> str:
        from modules.common.codes import masked

        line = {"at": iso(self._clock.now()), "phone": masked(phone), "text": text, "simulated": True}
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        return tr("模拟短信：没有短信网关，已写入发件箱，未真正发送。")
