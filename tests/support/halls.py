"""A hall that runs: the real server, the reader's simulator, and clients that are driven as a clerk drives them."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import func, select

from client.driver.client import Driven
from client.driver.parts import PROJECT, Part, program, screen
from devices.simulators.control import Control
from server_stub.config import Config, read_settings
from server_stub.seeding import CONSOLE
from server_stub.services import Services, opened
from server_stub.tables import EventRow
from tests.support.central_data import docs, reading
from tests.support.servers import RunningServer

PATIENCE = 30.0
PASSWORD = "Govdesk-2026"
ITEM = "居住登记"
MATERIALS = ("居住登记申报表", "居民身份证", "居住地住址证明")


class Hall:
    """One server and one reader, and as many counters as a test wants; ``line`` is the cable that can be cut."""

    def __init__(self, folder: Path, central: RunningServer, reader: Part, codes: list[str], log: Any) -> None:
        self.folder = folder
        self.central = central
        self.card = Control(reader.said["id_card"]["control"])
        self._said: dict[str, dict[str, Any]] = reader.said
        self._codes = codes
        self._log = log

    @property
    def address(self) -> tuple[str, int]:
        """Where the server listens."""
        port = urlsplit(self.central.url).port
        assert port is not None
        return "127.0.0.1", port

    def client(self, profile: Path, *options: str, url: str = "", reader: bool = False) -> Driven:
        """A client on ``profile``, enrolled at its first start."""
        arguments = ["--profile", str(profile), "--server", url or self.central.url, "--no-keyring", *options]
        if not (profile / "device.json").exists() and "--enrol" not in options:
            arguments += ["--enrol", self.code()]
        if reader:
            arguments += ["--read-serial", str(self._said["id_card"]["port"]), "--simulated"]
        env = {**screen(self.folder), "PYTHONPATH": str(PROJECT)}
        return Driven.launch(*arguments, program=program("client"), env=env, log=self._log)

    def devices(self, *kinds: str) -> list[str]:
        """The options of a client that has these of the simulated devices."""
        bindings = {kind: {**self._said[kind], "simulated": True} for kind in kinds}
        for binding in bindings.values():
            binding.pop("control")
        path = self.folder / f"{'-'.join(kinds)}.json"
        path.write_text(json.dumps(bindings), "utf-8")
        return ["--devices", str(path)]

    def control(self, kind: str) -> Control:
        """What a hand does at a simulated device."""
        return Control(self._said[kind]["control"])

    def code(self) -> str:
        """An enrolment code that nobody has used."""
        return self._codes.pop()

    def give(self, kind: str, id: str, type: str, body: Mapping[str, Any]) -> None:
        """A command of the server's own, as a job or an administrator's page gives it."""
        with self._services() as services:
            services.commands.give(kind, id, type, body)

    def job(self, work: Callable[[Services], None]) -> None:
        """Do now what the server's scheduler does from time to time."""
        with self._services() as services:
            work(services)

    def docs(self, kind: str) -> list[dict[str, Any]]:
        """The server's documents of a kind."""
        with reading(self.central.data) as session:
            return list(docs(session, kind).values())

    def leased(self, part: str) -> int:
        """How many blocks of numbers the server has lent, of series with ``part`` in their name."""
        with closing(sqlite3.connect(self.central.data / "server.db")) as db:
            found = db.execute("select count(*) from number_lease where series like ?", (f"%{part}%",)).fetchone()
            return int(found[0])

    def cases(self, applicant: str) -> list[dict[str, Any]]:
        """The server's cases of an applicant, with how many events each has had."""
        count = select(func.count()).select_from(EventRow)
        with reading(self.central.data) as session:
            found = [doc for doc in docs(session, "case").values() if doc["applicant"]["name"] == applicant]
            events = {doc["id"]: session.scalar(count.filter_by(kind="case", aggregate_id=doc["id"])) for doc in found}
        return [doc | {"events": events[doc["id"]]} for doc in found]

    def enable(self, login: str, enabled: bool) -> None:
        """What the system administrator does to an account."""
        with self._services() as services:
            services.people.set_enabled(CONSOLE, services.people.id_of(login), enabled)

    def _services(self) -> AbstractContextManager[Services]:
        return opened(Config(self.central.data, settings=read_settings(self.central.data)))


def sign_in(window: Driven, login: str = "zhangsan", password: str = PASSWORD) -> None:
    """Sign in by typing, until the home page is there."""
    window.wait("密码", "enabled", role="field", timeout=PATIENCE)
    window.key("Ctrl+A", into="用户名")
    window.type(f"{login}\n{password}\n", into="用户名")
    window.wait("首页", role="part", timeout=PATIENCE)


def begin(window: Driven) -> None:
    """Open a new case of the quickest item."""
    window.key("Ctrl+1")
    window.wait(ITEM, timeout=PATIENCE)
    window.type(ITEM, into="查找事项")
    window.key("Return")
    window.wait("放一放", "enabled", role="button", timeout=PATIENCE)


def fill(window: Driven, name: str, number: str = "341103199005120015") -> None:
    """Fill in all that is asked for."""
    for field, text in {
        "姓名": name,
        "证件号码": number,
        "联系电话": "13900000000",
        "住址": "安徽省滁州市琅琊区训练路1号",
        "户籍地址": "安徽省滁州市琅琊区训练路1号",
        "现居住地址": "示范市老街 12 号",
        "入住日期": "2026-01-05",
    }.items():
        window.type(text, into=field, role="field")
    for field, choice in (("居住事由", "务工"), ("住所类型", "自有房屋")):
        window.click(field, role="choice")
        window.click(choice, role="row")
    for material in MATERIALS:
        window.click(material, role="check")


def wait_for(true: Callable[[], bool], otherwise: str, timeout: float = PATIENCE) -> None:
    """Wait until ``true()``; fail with ``otherwise``."""
    deadline = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)
