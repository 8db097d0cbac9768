"""The day itself: a plain case from ticket to rating, and beside it what does not go plainly."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from client.driver.client import Driven
from client.driver.tour.hall import PATIENCE, Hall, sign_in, wait_for
from client.driver.tour.record import TourError, Transcript

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
PLAIN = "一件办到底"
"""The steps whose keys and clicks are counted together: one plain case, as the people at work would press them."""


def walk(out: Path, folder: Path, database: str, stalls: Path | None = None) -> None:
    """Walk the day. Raises ``TourError`` or ``DriverError`` where it ends early."""
    record = Transcript(out)
    with ExitStack() as stack:
        hall = Hall(folder, database, stack, stalls=stalls)
        counter = hall.client("counter-3", "3号窗", cable=True, devices="window", citizen=True)
        open_counter(record, counter)
        take_ticket(record, hall)
        plain = accept_offline(record, hall, counter)
        officer = hall.client("market", "市场监管审批室")
        approve(record, hall, officer, plain)
        hand_out(record, hall, counter, plain)
        others = [
            correct(record, hall, counter),
            decline(record, hall, counter),
            provisional(record, hall, counter),
        ]
        suspend_and_extend(record, hall, officer, others[-1])
        officer.quit()
        answer_extension(record, hall, others[-1])
        another_counter(record, hall, plain)
        read_a_document(record, hall, counter)
        show_the_rest(record, counter)
        counter.quit()
        run_the_hall(record, hall)
        cases = {case["id"]: case for case in hall.cases()}
    judge(record, cases, plain, others, database)


def open_counter(record: Transcript, counter: Driven) -> None:
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
        record.shot(counter, "window-opened")


def take_ticket(record: Transcript, hall: Hall) -> None:
    """A citizen at the ticket machine, with their identity card."""
    kiosk = hall.client("kiosk", "1号取号机", devices="kiosk")
    with record.step("取号机：刷身份证，选事项，出票", kiosk):
        sign_in(kiosk, "孙七 · 大厅管理员")
        kiosk.wait("已连接", timeout=PATIENCE)
        kiosk.click("取号", role="button")
        kiosk.wait("身份证取号", "enabled", timeout=PATIENCE)
        record.shot(kiosk, "kiosk")
        hall.kiosk["id_card"].place("rare")
        kiosk.click("身份证取号")
        kiosk.wait("查找事项", timeout=PATIENCE)
        kiosk.type("gtgsh", into="查找事项")
        kiosk.wait(ITEM, timeout=PATIENCE)
        record.shot(kiosk, "kiosk-items")
        kiosk.click(ITEM)
        kiosk.wait("取号成功", timeout=PATIENCE)
        record.shot(kiosk, "kiosk-ticket")
        wait_for(lambda: any((hall.folder / "tickets").glob("*.png")), "no ticket came out")
        record.keep(next((hall.folder / "tickets").glob("*.png")), "ticket.png")
    kiosk.quit()


def accept_offline(record: Transcript, hall: Hall, counter: Driven) -> str:
    """The plain case at the window, most of it without a network; returns the case's number."""
    with record.step("叫号 F2:事项随号打开", counter, part=PLAIN):
        counter.wait("等候 1 人", timeout=PATIENCE)
        counter.key("F2")
        counter.wait("受理", "enabled", role="button", timeout=PATIENCE)
        record.shot(counter, "called")
    hall.line.cut()
    with record.step("网络断开：状态栏如实显示离线", counter):
        counter.wait("离线", timeout=PATIENCE)
        record.shot(counter, "network-down")
    with record.step("读身份证 F4:字段标出来自身份证", counter, part=PLAIN):
        hall.window["id_card"].place("rare")
        counter.key("F4")
        counter.wait("姓名", "text", text="贾", role="field", timeout=PATIENCE)
        record.shot(counter, "card-read")
    with record.step("没填完就受理：错误在字段旁，焦点在第一处", counter):
        counter.key("F8")
        counter.wait("请填写联系电话。")
        record.shot(counter, "faults")
    with record.step("填写证件上没有的 5 栏，输入即存草稿", counter, part=PLAIN):
        # after the card the focus stands at the first thing that it does not say
        for place, (field, text) in enumerate(TYPED.items()):
            counter.type(text, into=field if place else "", role="field" if place else "")
        counter.click("租赁", role="radio")
        record.shot(counter, "form-filled")
    with record.step("扫描 6 种材料 F6:空格拍一种，转到下一种", counter, part=PLAIN):
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
    with record.step("请群众核对 F7", counter):
        counter.key("F7")
        counter.wait("确认无误", "enabled", role="button")
    with record.step("群众屏：群众确认", counter):
        record.shot(counter, "citizen-confirms", of="确认无误")
        counter.click("确认无误", role="button")
        counter.wait("群众已确认")
    with record.step("受理 F8:断网也当场出编号", counter, part=PLAIN):
        counter.key("F8")
        counter.wait("打印回执", "enabled", timeout=PATIENCE)
        record.shot(counter, "accepted-offline")
        number = str(counter.read("编号", role="label")["text"])
    with record.step("打印受理通知书 F9", counter, part=PLAIN):
        counter.key("F9")
        record.picture_of_page(paper(record, hall, "受理通知书", "receipt"), "receipt")
        record.shot(counter, "printed")
    with record.step("待传的件和原因", counter):
        counter.click("离线", role="button")
        counter.wait("等待传送")
        record.shot(counter, "waiting-to-be-sent")
        counter.key("Escape")
    if any(case["number"] == number for case in hall.cases()):
        raise TourError("the case was on the server while the network was down")
    hall.line.restore()
    with record.step("网络恢复：办件和扫描件自动送达服务器", counter):
        counter.wait("已连接", timeout=PATIENCE)
        wait_for(lambda: any(case["number"] == number for case in hall.cases()), "the case did not arrive")
        record.shot(counter, "network-back")
    return number


def approve(record: Transcript, hall: Hall, officer: Driven, number: str) -> None:
    """An officer of the item's department, at another computer, approves and makes the result."""
    with record.step("审批室：王五登录，首页有待审批", officer):
        sign_in(officer, "王五 · 部门审批人员")
        officer.wait("待审批", "text", text="1", timeout=PATIENCE)
        record.shot(officer, "officer-home")
    with record.step("查看办件和扫描件", officer, part=PLAIN):
        officer.click("待审批")
        officer.wait("准予", "enabled", timeout=PATIENCE)
        if number not in officer.tree():
            raise TourError("the first case that waits is another one")
        record.shot(officer, "officer-case")
    with record.step("准予", officer, part=PLAIN):
        officer.type("材料齐全，符合条件。", into="审批意见")
        officer.click("准予", role="button")
        officer.wait("登记出件", "enabled", role="button", timeout=PATIENCE)
        record.shot(officer, "approved")
    with record.step("登记出件：结果名称和文号", officer, part=PLAIN):
        officer.click("登记出件", role="button")
        officer.wait("结果名称", role="field")
        officer.type("营业执照")
        officer.type("92341100MA00000001", into="证照或文书编号")
        record.shot(officer, "result-made")
        officer.key("Ctrl+Return")
        wait_for(lambda: state_of(hall, number) == "issued", "the result was not made")


def hand_out(record: Transcript, hall: Hall, counter: Driven, number: str) -> None:
    """The citizen comes for the result, and rates; the clerk sees it closed."""
    with record.step("群众来取：登记领取即办结", counter, part=PLAIN):
        counter.key("Ctrl+2")
        counter.click(number, role="row", timeout=PATIENCE)
        counter.click("登记领取", role="button", timeout=PATIENCE)
        counter.wait("领取人", timeout=PATIENCE)
        hall.window["id_card"].lift()
        hall.window["id_card"].place("rare")
        counter.key("F4")
        counter.wait("领取人证件号码", "text", text="3411", role="field", timeout=PATIENCE)
        record.shot(counter, "collecting")
        counter.key("Return")
        counter.wait("已办结", role="part", timeout=PATIENCE)
        record.shot(counter, "counter-sees-closed")
    with record.step("请群众评价 F10，群众按评价器", counter, part=PLAIN):
        counter.key("Ctrl+1")
        counter.wait("请群众评价", "enabled", role="button")
        counter.key("F10")
        counter.wait("请您评价本次服务", timeout=PATIENCE)
        record.shot(counter, "citizen-rates", of="请您评价本次服务")
        press(hall, counter)
        record.shot(counter, "rated")


def correct(record: Transcript, hall: Hall, counter: Driven) -> str:
    """Beside it: materials are lacking; everything is told once. Returns the case's applicant."""
    with record.step("补正：缺什么一次性告知", counter):
        begin(hall, counter, "居住登记", "zhangsan")
        counter.type("13900000002", into="联系电话", role="field")
        counter.click("补正…", role="button")
        counter.wait("出具告知书", "enabled", role="button")
        record.shot(counter, "correction")
        counter.click("出具告知书", role="button")
        counter.wait("打印一次性告知书", "enabled", role="button", timeout=PATIENCE)
        counter.key("F9")
        record.picture_of_page(paper(record, hall, "一次性告知书", "correction"), "correction-notice")
    return applicant_of(hall, "correcting")


def decline(record: Transcript, hall: Hall, counter: Driven) -> str:
    """Beside it: an application that cannot be accepted, with its legal ground."""
    with record.step("不予受理：法律依据、理由、救济途径", counter):
        begin(hall, counter, "老年人优待证", "zhangsan")
        counter.type("13900000003", into="联系电话", role="field")
        counter.click("不予受理…", role="button")
        counter.click("法律依据")
        counter.key("Down")
        counter.key("Return")
        counter.type("申请人户籍不在本市，应向户籍地提出申请。", into="具体理由")
        record.shot(counter, "declining")
        counter.click("不予受理", role="button")
        counter.wait("打印不予受理决定书", "enabled", role="button", timeout=PATIENCE)
        counter.key("F9")
        record.picture_of_page(paper(record, hall, "不予受理决定书", "declined"), "declining-decision")
    return applicant_of(hall, "declined")


def provisional(record: Transcript, hall: Hall, counter: Driven) -> str:
    """Beside it: a secondary material may follow; what, by when and what else is on paper. Returns the number."""
    with record.step("容缺受理：次要材料限期补交", counter):
        begin(hall, counter, "个体", "zhangsan")
        for field, text in TYPED.items():
            counter.type(text, into=field, role="field")
        counter.click("租赁", role="radio")
        for material in ("个体工商户登记（备案）申请书", "经营者身份证件复印件"):
            counter.click(material, role="check")
        counter.click("经营场所使用证明 容缺", role="check")
        record.shot(counter, "lacking")
        counter.key("F8")
        counter.wait("打印回执和容缺受理告知书", "enabled", role="button", timeout=PATIENCE)
        number = str(counter.read("编号", role="label")["text"])
        record.shot(counter, "accepted-provisionally")
        counter.key("F9")
        record.picture_of_page(paper(record, hall, "容缺受理告知书", "provisional"), "provisional-notice")
        wait_for(lambda: state_of(hall, number) == "accepted", "the case did not arrive")
    return number


def suspend_and_extend(record: Transcript, hall: Hall, officer: Driven, number: str) -> None:
    """Beside it: the clock is stopped and goes on; a longer term is asked for."""
    with record.step("挂起：时钟停止", officer):
        officer.click("首页", role="button")
        officer.click("待审批", timeout=PATIENCE)
        officer.click(number, role="row", timeout=PATIENCE)
        officer.wait("准予", "enabled", role="button", timeout=PATIENCE)
        more(officer, "挂起")
        officer.type("等待消防现场核查。", into="理由")
        officer.key("Ctrl+Return")
        officer.wait("已挂起", role="part", timeout=PATIENCE)
        record.shot(officer, "suspended")
    with record.step("恢复：从今天起继续计时", officer):
        officer.click("恢复办理", role="button")
        officer.wait("从今天起继续计时。")
        officer.click("恢复办理", role="button")
        officer.wait("准予", "enabled", role="button", timeout=PATIENCE)
    with record.step("申请延期", officer):
        more(officer, "延期")
        officer.type("3", into="延长几个工作日")
        officer.type("需现场核查。", into="理由")
        officer.key("Ctrl+Return")
        wait_for(lambda: bool((case_of(hall, number)["flow"] or {}).get("extension")), "no extension was asked for")
        record.shot(officer, "extension-asked")


def answer_extension(record: Transcript, hall: Hall, number: str) -> None:
    """The section head agrees: term and monitoring point move."""
    head = hall.client("market", "市场监管审批室")
    with record.step("科室负责人批复延期：期限和监察点后移", head):
        due = case_of(hall, number)["due"]["date"]
        sign_in(head, "许刚 · 科室负责人")
        head.key("Ctrl+2")
        head.click(number, role="row", timeout=PATIENCE)
        head.click("批复延期", role="button", timeout=PATIENCE)
        head.click("同意延期")
        record.shot(head, "extension-answered")
        head.key("Ctrl+Return")
        wait_for(lambda: case_of(hall, number)["due"]["date"] > due, "the due date did not move")
    head.quit()


def another_counter(record: Transcript, hall: Hall, number: str) -> None:
    """A colleague at another counter scans the receipt and sees the same case."""
    other = hall.client("counter-5", "5号窗")
    with record.step("5号窗：李四扫回执上的码，看到同一件", other):
        sign_in(other, "李四 · 窗口人员")
        other.key("Ctrl+2")
        other.type(number, into="查找办件")
        other.key("Return")
        other.wait("已办结", role="part", timeout=PATIENCE)
        record.shot(other, "another-counter")
    other.quit()


def read_a_document(record: Transcript, hall: Hall, counter: Driven) -> None:
    """A file is opened from outside: it comes to the program that runs."""
    file = next((hall.folder / "counter-3" / "print").glob("*受理通知书*.pdf"))
    with record.step("双击文件：在正在运行的程序里打开", counter):
        if hall.second_start("counter-3", file):
            raise TourError("the second start was not heard")
        counter.wait("签意见", "enabled", role="button", timeout=PATIENCE)
        record.shot(counter, "reader")
    with record.step("全文查找 Ctrl+F", counter):
        counter.type("受理", into="在全文中查找")
        counter.wait("查找结果", role="list", timeout=PATIENCE)
        record.shot(counter, "reader-found")
    with record.step("打印预览", counter):
        counter.click("打印", role="button")
        counter.click("预览", role="button")
        counter.wait("打印…", "enabled", role="button", timeout=PATIENCE)
        record.shot(counter, "reader-print", of="打印…")
        counter.click("取消", role="button")


def show_the_rest(record: Transcript, counter: Driven) -> None:
    """Knowledge, palette, looks, zoom and lock."""
    with record.step("知识库", counter):
        counter.click("知识库", role="button")
        counter.wait("住宅能当经营场所吗？", role="row", timeout=PATIENCE)
        record.shot(counter, "knowledge")
    with record.step("命令面板 Ctrl+K", counter):
        counter.key("Ctrl+K")
        counter.type("办件")
        record.shot(counter, "palette")
        counter.key("Escape")
    with record.step("放大到 150 %", counter):
        counter.key("Ctrl+2")
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


def run_the_hall(record: Transcript, hall: Hall) -> None:
    """The hall's manager and the administrators."""
    manager = hall.client("administration", "系统管理室")
    with record.step("大厅管理员：平面图、窗口状态、叫号策略", manager):
        sign_in(manager, "孙七 · 大厅管理员")
        manager.click("大厅现场", role="button")
        manager.wait("1号窗（A 队列）", timeout=PATIENCE)
        record.shot(manager, "floor-plan")
    with record.step("事项管理：36 要素、材料、收费、表单、版本", manager):
        manager.click("事项管理", role="button")
        manager.wait(ITEM, role="row", timeout=PATIENCE)
        manager.click(ITEM, role="row")
        record.shot(manager, "items")
    manager.quit()
    admin = hall.client("administration", "系统管理室")
    with record.step("系统管理员：窗口、字典、节假日", admin):
        sign_in(admin, "吴系统 · 系统管理员")
        admin.click("大厅设置", role="button", timeout=PATIENCE)
        admin.wait("3号窗", role="row", timeout=PATIENCE)
        record.shot(admin, "hall-settings")
    admin.quit()
    security = hall.client("administration", "系统管理室")
    with record.step("安全管理员：人员与角色", security):
        sign_in(security, "郑安全 · 安全管理员")
        security.click("人员与角色", role="button")
        security.wait("张三", role="row", timeout=PATIENCE)
        record.shot(security, "people")
    security.quit()


def judge(record: Transcript, cases: dict[str, dict[str, Any]], plain: str, others: list[str], database: str) -> None:
    """Write the transcript, and raise ``TourError`` unless every case is on the server once, as the day left it."""
    numbered = [case for case in cases.values() if case["number"]]
    done = [case for case in numbered if case["number"] == plain]
    extended = [case for case in numbered if case["number"] == others[2]]
    states = sorted(case["state"] for case in cases.values() if case["source"] == "window")
    clicks, keys = record.pressed(PLAIN)
    case = done[0] if done else {}
    facts = {
        "办件编号": plain,
        f"{PLAIN}：点击和按键（输入的字另计）": clicks + keys,
        "服务器上当天窗口办的件": states,
        "此件的扫描页数": sum(len(material.get("images", ())) for material in case.get("materials", ())),
        "此件的评价": (case.get("rating") or {}).get("stars"),
        "此件的事件数": case.get("events", 0),
        "延期后的应办结日期": extended[0]["due"]["date"] if extended else "",
        "数据库": database.split("@")[-1] if database else "SQLite",
    }
    record.write(facts)
    whole = (
        len(done) == len(extended) == 1
        and len(numbered) == 2
        and case["state"] == "closed"
        and facts["此件的扫描页数"] == len(PAGES)
        and facts["此件的评价"] == 5
        and states == ["accepted", "closed", "correcting", "declined"]
    )
    if not whole:
        raise TourError(f"on the server: {json.dumps(facts, ensure_ascii=False)}")


# -- what the steps share -------------------------------------------------------------------------


def begin(hall: Hall, counter: Driven, words: str, card: str) -> None:
    """Take up a case of the item that ``words`` find, for the holder of ``card``."""
    counter.key("Ctrl+N")
    counter.type(words, into="查找事项")
    counter.key("Return")
    counter.wait("读卡", "enabled", role="button", timeout=PATIENCE)
    hall.window["id_card"].lift()
    hall.window["id_card"].place(card)
    counter.key("F4")
    counter.wait("姓名", "text", text="张", role="field", timeout=PATIENCE)


def more(window: Driven, command: str) -> None:
    """Choose a command under 更多."""
    window.click("更多", role="button", timeout=PATIENCE)
    window.click(command, role="button", timeout=PATIENCE)


def press(hall: Hall, counter: Driven) -> None:
    """The citizen presses 非常满意 on the evaluator."""
    hall.window["evaluator"].send("press", key=5)
    counter.wait("群众已评价，谢谢。", timeout=PATIENCE)


def paper(record: Transcript, hall: Hall, title: str, name: str) -> Path:
    """The newest paper of that title that the counter has printed."""
    prints = hall.folder / "counter-3" / "print"
    wait_for(lambda: any(prints.glob(f"*{title}*.pdf")), f"no {title} in the print folder")
    newest = max(prints.glob(f"*{title}*.pdf"), key=lambda path: path.stat().st_mtime)
    return record.keep(newest, f"{name}.pdf")


def scan(counter: Driven, done: int) -> None:
    """Photograph what lies under the camera, and wait until it is kept: ``done`` pages are then there."""
    counter.key("Space")
    wait_for(lambda: scanned(counter) >= done, f"page {done} was not scanned")


def scanned(counter: Driven) -> int:
    """How many materials have a page, as the list of the scanning window says."""
    rows: list[Any] = counter.read("要扫描的材料", role="list").get("rows", [])
    return sum("1 页" in json.dumps(row, ensure_ascii=False) for row in rows)


def case_of(hall: Hall, number: str) -> dict[str, Any]:
    """The case of a number as the server has it. Raises ``TourError`` where it has none."""
    for case in hall.cases():
        if case["number"] == number:
            return case
    raise TourError(f"{number} is not on the server")


def state_of(hall: Hall, number: str) -> str:
    """The state of a case on the server; nothing while it is not there."""
    return next((str(case["state"]) for case in hall.cases() if case["number"] == number), "")


def applicant_of(hall: Hall, state: str) -> str:
    """Whose case came to ``state`` at the window; waits for it to arrive."""

    def found() -> list[str]:
        here = (case for case in hall.cases() if case["state"] == state and case["source"] == "window")
        return [str(case["applicant"]["name"]) for case in here]

    wait_for(lambda: bool(found()), f"no case became {state}")
    return found()[0]
