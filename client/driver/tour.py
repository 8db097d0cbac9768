"""The tour: the whole path of a case in the real program, by real clicks and keys, with a picture of each step.

    python -m client.driver.tour --out DIR [--database URL]

A server, the device simulators and three clients run as processes of their own; between the first client and
the server lies a line that is cut and mended. The exit status is 0 only if the case is on the server
exactly once, and closed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from client.driver.client import Driven, DriverError
from client.driver.parts import Part, program, screen
from client.driver.relay import Relay
from devices.simulators.control import Control

PATIENCE = 30.0
ITEM = "个体工商户设立登记"
FORM = {
    "联系电话": "13900000000",
    "名称（字号）": "示范市老街面馆",
    "经营场所": "示范市老街 12 号",
    "经营范围": "餐饮服务",
    "资金数额（元）": "50000",
}
CHOICES = ("个人经营", "租赁")
MATERIALS = {"个体工商户登记（备案）申请书": "2", "经营者身份证件复印件": "1", "经营场所使用证明": "3"}


class TourError(Exception):
    """The path was not walked to its end; the message says where it stopped."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the transcript. Seconds since the start; clicks and keys are this step's own."""

    at: float
    took: float
    title: str
    clicks: int
    keys: int
    pictures: tuple[str, ...]


class Transcript:
    """Numbers the pictures and writes down what was done, how long it took, and with how many clicks and keys."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.steps: list[Step] = []
        self._begun = time.monotonic()
        self._picture = 0
        self._pictures: list[str] = []

    @contextmanager
    def step(self, title: str, window: Driven) -> Iterator[None]:
        """What happens inside is one step of ``window``."""
        started, before, self._pictures = time.monotonic(), window.counts, []
        sys.stdout.write(f"{started - self._begun:6.1f} s  {title}\n")
        sys.stdout.flush()
        yield
        after = window.counts
        took = time.monotonic() - started
        clicks, keys = after.clicks - before.clicks, after.keys + after.composed - before.keys - before.composed
        self.steps.append(Step(started - self._begun, took, title, clicks, keys, tuple(self._pictures)))

    def shot(self, window: Driven, name: str) -> None:
        """A picture of the window as it is now."""
        window.shot(self._next(name))

    def keep(self, source: Path, name: str) -> Path:
        """Keep a file that the program made."""
        target = self.out / name
        shutil.copyfile(source, target)
        self._pictures.append(name)
        return target

    def _next(self, name: str) -> Path:
        self._picture += 1
        path = self.out / f"{self._picture:02d}-{name}.png"
        self._pictures.append(path.name)
        return path

    def picture_of_page(self, pdf: Path, name: str) -> None:
        """The first page of a PDF, as it would lie on the counter."""
        import pypdfium2

        document = pypdfium2.PdfDocument(pdf)
        try:
            document[0].render(scale=1.5).to_pil().save(self._next(name))
        finally:
            document.close()

    def write(self, facts: dict[str, Any]) -> None:
        """Write ``transcript.md`` and ``transcript.json``."""
        total = {"seconds": round(time.monotonic() - self._begun, 1)}
        total |= {"clicks": sum(s.clicks for s in self.steps), "keys": sum(s.keys for s in self.steps)}
        rows = [
            f"| {i} | {step.at:.1f} | {step.took:.2f} | {step.clicks} | {step.keys} | {step.title} | "
            f"{' '.join(f'[{name}]({name})' for name in step.pictures)} |"
            for i, step in enumerate(self.steps, 1)
        ]
        lines = [
            "# 演示记录",
            "",
            "真实的服务器、设备模拟器和客户端进程；点击和按键都发给真实的窗口。读卡器是模拟器，说的是读卡器的线路协议。",
            "",
            "| # | 起 (s) | 用时 (s) | 点击 | 按键 | 步骤 | 图 |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            f"共 {total['seconds']} s,点击 {total['clicks']} 次，按键 {total['keys']} 次。",
            "",
            *(f"- {name}: {value}" for name, value in facts.items()),
            "",
        ]
        (self.out / "transcript.md").write_text("\n".join(lines), "utf-8")
        steps = [{name: getattr(step, name) for name in Step.__slots__} for step in self.steps]
        text = json.dumps({"total": total, "facts": facts, "steps": steps}, ensure_ascii=False, indent=1)
        (self.out / "transcript.json").write_text(text, "utf-8")


class Hall:
    """The server, the reader and the line that the tour's clients use."""

    def __init__(self, folder: Path, database: str, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self._log = stack.enter_context((folder / "parts.log").open("ab"))
        options = ["--data", str(folder / "server"), "--demo", *(["--database", database] if database else [])]
        self.server = stack.enter_context(Part("server_stub", *options, folder=folder, log=self._log))
        self.reader = stack.enter_context(Part("devices.simulators", folder=folder, log=self._log))
        address = urlsplit(self.server.said["url"])
        assert address.port is not None
        self.line = Relay(("127.0.0.1", address.port))
        stack.callback(self.line.close)
        self.database = database or f"sqlite:///{folder / 'server' / 'server.db'}"
        self.card = Control(self.reader.said["id_card"]["control"])

    def client(self, profile: str, place: str, *, cable: bool = False, reader: bool = False) -> Driven:
        """A client enrolled for ``place``; with ``cable`` its way to the server is the line that is cut."""
        code = next(entry["code"] for entry in self.server.said["enrolment_codes"] if entry["name"] == place)
        url = f"https://127.0.0.1:{self.line.port}" if cable else str(self.server.said["url"])
        arguments = ["--profile", str(self.folder / profile), "--server", url, "--enrol", code, "--no-keyring"]
        if reader:
            arguments += ["--read-serial", self.reader.said["id_card"]["port"], "--simulated"]
        driven = Driven.launch(*arguments, program=program("client"), env=screen(self.folder), log=self._log)
        return self._stack.enter_context(driven)

    def cases(self) -> list[dict[str, Any]]:
        """The cases in the server's database, with the number of events that each has had."""
        from sqlalchemy import create_engine, text

        engine = create_engine(self.database.replace("postgresql://", "postgresql+psycopg://"))
        try:
            with engine.connect() as db:
                rows = db.execute(text("select id, doc from aggregate_state where kind = 'case'")).all()
                events = text("select count(*) from event where kind = 'case' and aggregate_id = :id")
                return [json.loads(row.doc) | {"events": db.scalar(events, {"id": row.id})} for row in rows]
        finally:
            engine.dispose()


def sign_in(window: Driven, person: str) -> None:
    """One click on a demonstration person, until the home page is there."""
    window.click(person, timeout=PATIENCE)
    window.wait("首页", role="part", timeout=PATIENCE)


def walk(out: Path, folder: Path, database: str) -> None:
    """Walk the path. Raises ``TourError`` or ``DriverError`` where it ends early."""
    record = Transcript(out)
    with ExitStack() as stack:
        hall = Hall(folder, database, stack)
        counter = hall.client("counter-3", "3号窗", cable=True, reader=True)
        number = accept_offline(record, hall, counter)
        hall.line.restore()
        with record.step("网络恢复：办件自动送达服务器", counter):
            counter.wait("已连接", timeout=PATIENCE)
            wait_for(lambda: len(hall.cases()) == 1, "the case did not arrive")
            record.shot(counter, "network-back")
        decide(record, hall, number)
        see_closed(record, hall, counter, number)
        show_the_rest(record, hall, counter)
        counter.quit()
        cases = hall.cases()
    found = [case for case in cases if case["number"] == number]
    facts = {
        "办件编号": number,
        "服务器上的件数": len(cases),
        "此件的事件数（受理、决定、办结）": found[0]["events"] if found else 0,
        "服务器上的状态": found[0]["state"] if found else "",
        "数据库": database.split("@")[-1] if database else "SQLite",
    }
    record.write(facts)
    if len(cases) != 1 or len(found) != 1 or found[0]["state"] != "closed" or found[0]["events"] != 3:
        raise TourError(f"on the server: {json.dumps(facts, ensure_ascii=False)}")


def accept_offline(record: Transcript, hall: Hall, counter: Driven) -> str:
    """From signing in to the printed receipt, the last part of it without a network; returns the case's number."""
    with record.step("登录页：演示人员一点即登录", counter):
        counter.wait("张三 · 窗口人员", timeout=PATIENCE)
        record.shot(counter, "sign-in")
        sign_in(counter, "张三 · 窗口人员")
    with record.step("首页", counter):
        counter.wait("已连接", timeout=PATIENCE)
        record.shot(counter, "home")
    with record.step("打开一窗受理，事项已同步到本机", counter):
        counter.key("Ctrl+1")
        counter.wait(ITEM, timeout=PATIENCE)
        record.shot(counter, "service-items")
    hall.line.cut()
    with record.step("网络断开：状态栏如实显示离线", counter):
        counter.wait("离线", timeout=PATIENCE)
        record.shot(counter, "network-down")
    with record.step("选择事项", counter):
        counter.type("个体", into="查找事项")
        counter.key("Return")
        counter.wait("受理", "enabled", role="button")
        record.shot(counter, "case-opened")
    with record.step("读身份证 F4:字段标出来自身份证", counter):
        hall.card.place("rare")
        counter.key("F4")
        counter.wait("姓名", "text", text="贾", role="field", timeout=PATIENCE)
        record.shot(counter, "card-read")
    with record.step("没填完就受理：错误在字段旁，焦点在第一处", counter):
        counter.key("F8")
        counter.wait("请填写联系电话。")
        record.shot(counter, "faults")
    with record.step("填写表单，输入即存草稿", counter):
        for field, text in FORM.items():
            counter.type(text, into=field, role="field")
        for choice in CHOICES:
            counter.click(choice, role="radio")
        record.shot(counter, "form-filled")
    with record.step("清点材料", counter):
        for name, pages in MATERIALS.items():
            counter.click(name, role="check")
            counter.key("Ctrl+A", into=f"{name} 页数")
            counter.type(pages, into=f"{name} 页数")
        record.shot(counter, "materials")
    with record.step("受理 F8:断网也当场出编号", counter):
        counter.key("F8")
        counter.wait("打印回执", "enabled", timeout=PATIENCE)
        record.shot(counter, "accepted-offline")
        number = counter.read("编号", role="label")["text"]
    with record.step("打印受理通知书 F9", counter):
        counter.key("F9")
        prints = hall.folder / "counter-3" / "print"
        wait_for(lambda: any(prints.glob("*.pdf")), "no receipt in the print folder")
        pdf = record.keep(next(prints.glob("*.pdf")), "receipt.pdf")
        record.picture_of_page(pdf, "receipt")
        record.shot(counter, "printed")
    with record.step("待传的件和原因", counter):
        counter.click("离线", role="button")
        counter.wait("等待传送 1 件")
        record.shot(counter, "waiting-to-be-sent")
        counter.key("Escape")
    if hall.cases():
        raise TourError("the case was on the server while the network was down")
    return str(number)


def decide(record: Transcript, hall: Hall, number: str) -> None:
    """An officer of the item's department, at another computer, approves and closes."""
    officer = hall.client("market", "市场监管审批室")
    with record.step("审批室：王五登录，首页有待审批", officer):
        sign_in(officer, "王五 · 部门审批人员")
        officer.wait("待审批", "text", text="1", timeout=PATIENCE)
        record.shot(officer, "officer-home")
    with record.step("查看办件", officer):
        officer.click("待审批")
        officer.click(number, role="row", timeout=PATIENCE)
        officer.wait("准予", "enabled", timeout=PATIENCE)
        record.shot(officer, "officer-case")
    with record.step("准予", officer):
        officer.type("材料齐全，符合条件。", into="审批意见")
        officer.click("准予", role="button")
        officer.wait("已决定", role="part", timeout=PATIENCE)
        record.shot(officer, "approved")
    with record.step("办结", officer):
        officer.click("办结", role="button")
        wait_for(
            lambda: [case["state"] for case in hall.cases()] == ["closed"], "the case was not closed on the server"
        )
        record.shot(officer, "closed")
    officer.quit()


def see_closed(record: Transcript, hall: Hall, counter: Driven, number: str) -> None:
    """The clerk sees it closed, and so does a colleague at another counter, by scanning the receipt."""
    with record.step("3号窗：张三看到已办结", counter):
        counter.key("Ctrl+2")
        counter.wait(number, role="row", timeout=PATIENCE)
        counter.click(number, role="row")
        counter.wait("已办结", role="part", timeout=PATIENCE)
        record.shot(counter, "counter-sees-closed")
    other = hall.client("counter-5", "5号窗")
    with record.step("5号窗：李四扫回执上的码，看到同一件", other):
        sign_in(other, "李四 · 窗口人员")
        other.key("Ctrl+2")
        other.type(number, into="查找办件")
        other.key("Return")
        other.wait("已办结", role="part", timeout=PATIENCE)
        record.shot(other, "another-counter")
    other.quit()


def show_the_rest(record: Transcript, hall: Hall, counter: Driven) -> None:
    """Palette, looks, zoom and lock."""
    with record.step("命令面板 Ctrl+K", counter):
        counter.key("Ctrl+K")
        counter.type("办件")
        record.shot(counter, "palette")
        counter.key("Escape")
    with record.step("放大到 150 %", counter):
        for _ in range(3):
            counter.key("Ctrl+=")
        record.shot(counter, "zoom-150")
        counter.key("Ctrl+0")
    for look in ("深色", "高对比度", "浅色"):
        with record.step(f"外观：{look}", counter):
            counter.key("Ctrl+,")
            counter.click(look, role="radio")
            counter.key("Ctrl+2")
            record.shot(counter, {"深色": "dark", "高对比度": "high-contrast", "浅色": "light"}[look])
    with record.step("锁定 Ctrl+L", counter):
        counter.key("Ctrl+L")
        counter.wait("已锁定")
        record.shot(counter, "locked")
        counter.type("Govdesk-2026", into="密码")
        counter.key("Return")
        counter.wait("已锁定", "gone", timeout=PATIENCE)
    admin = hall.client("administration", "系统管理室")
    with record.step("安全管理员：人员与角色", admin):
        sign_in(admin, "郑安全 · 安全管理员")
        admin.click("人员与角色", role="button")
        admin.wait("张三", role="row", timeout=PATIENCE)
        record.shot(admin, "people")
    admin.quit()


def wait_for(true: Callable[[], bool], otherwise: str) -> None:
    """Wait until ``true()``. Raises ``TourError`` saying ``otherwise``."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise TourError(otherwise)
        time.sleep(0.1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Walk the path and leave pictures, receipt and transcript in ``--out``; returns the exit status."""
    parser = argparse.ArgumentParser(prog="run tour", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where pictures and transcript go")
    parser.add_argument("--database", default="", metavar="URL", help="the server's database; default SQLite")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="govdesk-tour-"))
    try:
        walk(options.out.resolve(), folder, options.database)
    except (TourError, DriverError, RuntimeError) as error:
        kept = options.out / "parts.log"
        shutil.copyfile(folder / "parts.log", kept)
        sys.stderr.write(f"the tour ended early: {error}\nlogs: {kept}\n")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(f"done: {options.out / 'transcript.md'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
