"""The day itself: a plain case from ticket to rating, and beside it what does not go plainly."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from client.driver.client import Driven
from client.driver.tour.hall import PATIENCE, Hall, sign_in, wait_for
from client.driver.tour.record import Transcript

ITEM = "个体工商户设立登记"
TYPED = {
    "联系电话": "13900000000",
    "名称（字号）": "示范市老街面馆",
    "经营场所": "示范市老街 12 号",
    "经营范围": "餐饮服务",
    "资金数额（元）": "50000",
}
"""The five fields that no card says."""
PAGES = ("application", "identity", "lease", "deed", "power", "commitment")


def walk(out: Path, folder: Path, database: str, stalls: Path | None = None) -> None:
    """Walk the day. Raises ``TourError`` or ``DriverError`` where it ends early."""
    record = Transcript(out)
    with ExitStack() as stack:
        hall = Hall(folder, database, stack, stalls=stalls)
        counter = hall.client("counter-3", "3号窗", cable=True, devices="window", citizen=True)
        open_counter(record, hall, counter)
        plain = accept_offline(record, hall, counter)
        counter.quit()
        facts = {"办件编号": plain}
    record.write(facts)


def open_counter(record: Transcript, hall: Hall, counter: Driven) -> None:
    """Sign in and sit down at the window."""
    with record.step("登录页：演示人员一点即登录", counter):
        counter.wait("张三 · 窗口人员", timeout=PATIENCE)
        record.shot(counter, "sign-in")
        sign_in(counter, "张三 · 窗口人员")
    with record.step("首页", counter):
        counter.wait("已连接", timeout=PATIENCE)
        record.shot(counter, "home")
    with record.step("打开一窗受理，登录 3 号窗", counter):
        counter.key("Ctrl+1")
        counter.wait(ITEM, timeout=PATIENCE)
        counter.wait("登录窗口", "enabled", role="button", timeout=PATIENCE)
        counter.key("F2")
        counter.wait("叫号", "enabled", role="button", timeout=PATIENCE)
        record.shot(counter, "service-items")


def accept_offline(record: Transcript, hall: Hall, counter: Driven) -> str:
    """The plain case at the window, most of it without a network; returns the case's number."""
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
        hall.window["id_card"].place("rare")
        counter.key("F4")
        counter.wait("姓名", "text", text="贾", role="field", timeout=PATIENCE)
        record.shot(counter, "card-read")
    with record.step("填写证件上没有的 5 栏，输入即存草稿", counter):
        for field, text in TYPED.items():
            counter.type(text, into=field, role="field")
        counter.click("租赁", role="radio")
        record.shot(counter, "form-filled")
    with record.step("扫描 6 种材料 F6:空格拍一种，转到下一种", counter):
        hall.window["camera"].send("place", page=PAGES[0])
        counter.key("F6")
        counter.wait("拍摄", "enabled", role="button", timeout=PATIENCE)
        record.shot(counter, "scanning")
        for place, page in enumerate(PAGES, 1):
            hall.window["camera"].send("place", page=page)
            scan(counter, place)
        record.shot(counter, "scanned")
        counter.key("Escape")
        counter.wait("扫描材料", "enabled", role="button")
        record.shot(counter, "materials")
    with record.step("请群众核对 F7，群众在自己的屏上确认", counter):
        counter.key("F7")
        counter.wait("确认无误", "enabled", role="button")
        record.shot(counter, "citizen-confirms", of="确认无误")
        counter.click("确认无误", role="button")
        counter.wait("群众已确认")
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
    return str(number)


def scan(counter: Driven, done: int) -> None:
    """Photograph what lies under the camera, and wait until it is kept: ``done`` pages are then there."""
    counter.key("Space")
    wait_for(lambda: scanned(counter) >= done, f"page {done} was not scanned")


def scanned(counter: Driven) -> int:
    """How many materials have a page, as the list of the scanning window says."""
    rows: list[Any] = counter.read("要扫描的材料", role="list").get("rows", [])
    return sum("1 页" in json.dumps(row, ensure_ascii=False) for row in rows)
