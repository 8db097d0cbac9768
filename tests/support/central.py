"""A central server inside the test's own process, with a hall, people, a device, and rules of its own (``memo``)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from modules.common.aggregate import Command, Context, Doc, Event, Key, Summary
from modules.common.clock import FixedClock, iso
from modules.common.errors import Refusal
from modules.common.ids import uuid7
from modules.common.statement import read
from server_stub.config import Config, Settings
from server_stub.sealing import seal
from server_stub.seeding import CONSOLE
from server_stub.services import Services
from server_stub.tables import Organisation, Person, PersonRole
from sync.protocol import PROTOCOL, Ack, EnrolRequest, PushReply, PushRequest, SignInRequest, WireCommand
from tests.support.devices import Computer

START = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
PASSWORD = "Central-2026"
QUICK = Settings(argon2_time=1, argon2_memory_kib=64)


class MemoRules:
    """``memo.write`` makes or changes; ``memo.move`` to a department; ``memo.wrong`` has a fault in its rule.

    ``files`` in a body names what must have arrived. Until version 2 ``text`` was called ``words``.
    """

    kind = "memo"
    version = 1

    def upcast(self, command: Command) -> Command:
        if command.version != 2:
            return command
        body = {"text" if name == "words" else name: value for name, value in command.body.items()}
        return replace(command, body=body)

    def needs(self, command: Command) -> Sequence[str]:
        files: Sequence[str] = command.body.get("files", ())
        return files

    def refs(self, command: Command) -> Sequence[Key]:
        return [("organisation", command.body["dept"])] if command.type == "memo.move" else []

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        if command.type == "memo.wrong":
            raise ZeroDivisionError("a fault with 张三's data in its message")
        if command.type == "memo.refused":
            return Refusal("MEMO-001", "不行", {"text": "太长"})
        if command.type == "memo.move":
            known = context.refs.get(("organisation", command.body["dept"]))
            return [Event("moved", {"dept": command.body["dept"]})] if known else Refusal("MEMO-002", "没有")
        body = {"text": command.body["text"], "at": iso(context.now), "by": context.actor.login, "place": context.place}
        pages = {"pages": command.body["pages"]} if "pages" in command.body else {}
        return [Event("written", {**body, **pages, "hall": context.actor.hall_id})]

    def evolve(self, state: Doc | None, event: Event) -> Doc:
        return {"dept": "", **(state or {}), **event.body}

    def summary(self, state: Doc) -> Summary:
        return Summary(state["text"], "written")

    def scopes(self, state: Doc) -> frozenset[str]:
        return frozenset({f"dept:{state['dept']}" if state["dept"] else f"hall:{state['hall']}"})


MEMO = MemoRules()


def memo_rules(kind: str) -> MemoRules:
    return {"memo": MEMO}[kind]


@dataclass
class Counter:
    """A device with somebody signed in: makes numbered commands and pushes them."""

    services: Services
    clock: FixedClock
    device: str
    certificate: str
    statement: str
    series: str
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def command(self, type: str = "memo.write", aggregate: str = "", **changes: Any) -> WireCommand:
        body = changes.pop("body", {"text": "你好"})
        made = WireCommand(
            next(self.numbers),
            uuid7(),
            "memo",
            aggregate or uuid7(),
            type,
            1,
            0,
            iso(self.clock.now()),
            self.statement,
            body,
        )
        return replace(made, **changes)

    def push(self, *commands: WireCommand) -> PushReply:
        request = PushRequest(PROTOCOL, "", iso(self.clock.now()), list(commands))
        return self.services.processor.push(self.device, request)

    def ack(self, command: WireCommand) -> Ack:
        (ack,) = self.push(command).acks
        return ack

    @property
    def session(self) -> str:
        return read(self.statement).session_id

    @property
    def person(self) -> str:
        return read(self.statement).person


@dataclass
class Central:
    """The server and its clock. Ids are unique, so that tests may share one database."""

    services: Services
    clock: FixedClock
    hall: str = ""

    def __post_init__(self) -> None:
        self.hall = f"h{uuid7()[-8:]}"
        self.services.writer.do(self._hall)

    def _hall(self, session: Session) -> None:
        series = self.hall[-6:].upper()
        session.execute(insert(Organisation).values(id=self.hall, kind="hall", name="大厅", series=series))

    def person(self, role: str = "clerk", login: str = "") -> str:
        """Add somebody with a role; the login."""
        login = login or f"u{uuid7()[-8:]}"
        kinds = {"sysadmin": "sys", "secadmin": "sec", "auditadmin": "audit"}
        hashed = self.services.passwords.hash(PASSWORD)

        def store(session: Session) -> None:
            person_id, now, kind = uuid7(), iso(self.clock.now()), kinds.get(role, "")
            name = seal(session, Person, (person_id,), "某人")
            values = {"id": person_id, "login": login, "sealed": name, "hall_id": self.hall, "admin_kind": kind}
            session.execute(insert(Person).values(**values, password_hash=hashed, must_change=False, created_at=now))
            if role:
                granted = {"person_id": person_id, "role_id": role, "admin_kind": kind}
                session.execute(insert(PersonRole).values(**granted, granted_at=now, granted_by=""))

        self.services.writer.do(store)
        return login

    def counter(self, role: str = "clerk", login: str = "") -> Counter:
        """Enrol a device and sign somebody in on it."""
        code = self.services.devices.new_code(CONSOLE, self.hall, "3号窗").secret
        enrolment = self.services.devices.enrol(EnrolRequest(code, Computer().csr))
        login = login or self.person(role)
        reply = self.services.door.sign_in(enrolment.device, SignInRequest(login, PASSWORD))
        return Counter(
            self.services, self.clock, enrolment.device, enrolment.certificate, reply.statement, enrolment.series
        )


@contextmanager
def central(folder: Path, database: str = "", settings: Settings = QUICK) -> Iterator[Central]:
    """A server's services on SQLite in ``folder`` or on a PostgreSQL URL, with the rules of ``memo``."""
    clock = FixedClock(START)
    services = Services(Config(folder, database, settings=settings), clock, memo_rules)
    try:
        yield Central(services, clock)
    finally:
        services.close()
