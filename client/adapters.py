"""What the application puts behind the ports of shell and modules."""

from __future__ import annotations

import json
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
from client.shell.ports import Entry, ServerNews, Unsent
from modules.common.clock import Clock, iso, parse_iso
from modules.common.errors import GovDeskError
from modules.common.permissions import Actor
from modules.common.statement import read
from modules.common.text import tr
from sync.accounts import Accounts, OpenSession

if TYPE_CHECKING:
    from client.data.store import Store
    from client.widgets.notices import NoticeModel
    from sync.loop import SyncLoop

T = TypeVar("T")
MESSAGES = "messages.jsonl"
OFFLINE_UNTIL = "shell.offline_until"
"""Remembered before anyone can open the store: until when each login name may sign in without the server."""
LISTED = 500


class AccountsDoor:
    """``client.shell.ports.Door`` over the accounts of one profile. ``url`` is offered before the enrolment.

    The system keyring is looked for at the first question, on its lane: that is too dear for start-up. ``prepare`` is
    called on the lane of each sign-in that is granted, before it is told.
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
    ) -> None:
        self._accounts = accounts
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

    def offline_until(self, login: str) -> datetime | None:
        until = self._remembered().get(login)
        return parse_iso(until) if until else None

    def look(self) -> ServerNews:
        self._find_keyring()
        hello = self._accounts.hello()
        people = ({**person, "role": person["title"]} for person in hello.demo)
        return ServerNews(hello.name, tuple(people))

    def enrol(self, url: str, code: str) -> None:
        self._find_keyring()
        self._accounts.enrol(url, code)

    def sign_in(self, login: str, password: str) -> Entry:
        self._find_keyring()
        entry = self._entry(self._accounts.sign_in(login, password))
        self._prepare()
        return entry

    def change_password(self, login: str, old: str, new: str) -> None:
        self._accounts.change_password(login, old, new)

    def _find_keyring(self) -> None:
        if self._look_for_keyring:
            self._look_for_keyring = False
            self._profile.vault = system_vault()

    def _entry(self, session: OpenSession) -> Entry:
        actor = session.actor
        kept = session.store.last_statement(actor.login)
        until = kept[1] if kept else read(session.statement).expires_at
        self._settings.remember(OFFLINE_UNTIL, {**self._remembered(), actor.login: until})
        return Entry(actor.login, actor.name, session.offline, parse_iso(until), session.must_change)

    def _remembered(self) -> dict[str, str]:
        known = self._settings.recall(OFFLINE_UNTIL)
        return known if isinstance(known, dict) else {}


class SessionDesk:
    """``client.shell.ports.Desk`` over an open session."""

    def __init__(self, accounts: Accounts, store: Store, loop: SyncLoop) -> None:
        self._accounts = accounts
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
        return [*refused, *waiting]

    def _unsent(self, cmd_id: str, kind: str, id: str, at: datetime, person: str) -> Unsent:
        record = self._store.get(kind, id)
        title, number = (record.title, record.number) if record else ("", "")
        return Unsent(cmd_id, title, number, at, person, record=(kind, id))

    def drop_refused(self, cmd_id: str) -> None:
        self._store.dismiss(cmd_id)

    def sync_now(self) -> None:
        self._loop.poke()

    def check_password(self, password: str) -> None:
        self._accounts.verify(password)

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
