"""Coming in by other ways than a password alone, and what people look after themselves; by keyboard, in every size."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from shell_fakes import FakeDoor, InlineLanes, clock, main_window, settings

from client.shell.guards import Guards
from client.shell.ports import TokenOffer, WaysIn
from client.shell.preferences import ZOOMS, remembered_methods
from client.shell.sign_in import SignInWindow
from client.widgets.qr import QUIET, QrView, modules
from client.widgets.theme import Theme
from modules.common.errors import GovDeskError
from tests.support.a11y import Walk

ALL = ["password", "certificate", "oidc"]
GONE = GovDeskError("NET-001", "连不上服务器。", fix="请检查网络。")


class Stage:
    """A sign-in window over fakes, at a server that offers all ways."""

    def __init__(self, qtbot: Any, folder: Path) -> None:
        self.door = FakeDoor()
        self.door.methods = ALL
        self.lanes = InlineLanes()
        self.settings = settings(folder)
        self.entries: list[Any] = []
        self.bot = qtbot
        self.window: SignInWindow | None = None

    def open(self) -> SignInWindow:
        window = self.window = SignInWindow(self.door, self.lanes, self.settings, clock())
        self.bot.addWidget(window)
        window.signed_in.connect(self.entries.append)
        window.show()
        window.activateWindow()
        self.bot.waitUntil(lambda: QApplication.focusWidget() is not None)
        self.bot.waitUntil(lambda: bool(self.lanes.lanes))
        return window


@pytest.fixture
def stage(qtbot: Any, tmp_path: Path) -> Stage:
    return Stage(qtbot, tmp_path)


def keys(qtbot: Any, text: str) -> None:
    qtbot.keyClicks(QApplication.focusWidget(), text)


def press(qtbot: Any, key: Qt.Key) -> None:
    qtbot.keyClick(QApplication.focusWidget(), key)


def test_a_one_time_code_is_asked_for_after_the_password(stage: Stage, qtbot: Any) -> None:
    stage.door.one_time = "123456"
    window = stage.open()
    pane = window.sign_in
    assert not pane.code.isVisible()
    pane.login.setFocus()
    keys(qtbot, "zhangsan")
    press(qtbot, Qt.Key.Key_Return)
    keys(qtbot, "Govdesk-2026")
    press(qtbot, Qt.Key.Key_Return)
    assert QApplication.focusWidget() is pane.code
    assert "六位数字" in pane._code_field.below()
    keys(qtbot, "000000")
    press(qtbot, Qt.Key.Key_Return)
    assert "AUTH-034" in pane._code_field.below()
    assert (QApplication.focusWidget(), pane.code.selectedText()) == (pane.code, "000000")
    keys(qtbot, "123456")
    press(qtbot, Qt.Key.Key_Return)
    assert [entry.login for entry in stage.entries] == ["zhangsan"]
    assert pane.code.text() == ""
    assert not pane.code.isVisible()


def test_another_name_is_not_asked_for_the_last_ones_code(stage: Stage, qtbot: Any) -> None:
    stage.door.one_time = "123456"
    pane = stage.open().sign_in
    pane.login.setText("zhangsan")
    pane.password.line.setText("Govdesk-2026")
    pane.submit()
    assert pane.code.isVisible()
    pane.login.setFocus()
    keys(qtbot, "x")
    assert not pane.code.isVisible()


def test_a_certificate_needs_a_pin_and_nothing_else(stage: Stage, qtbot: Any) -> None:
    window = stage.open()
    pane = window.sign_in
    pane.methods.buttons["certificate"].click()
    assert not pane.login.isVisible()
    assert pane.key.currentText() == "张三 · 政务UKey"
    pane.pin.line.setFocus()
    press(qtbot, Qt.Key.Key_Return)
    assert "PIN" in pane.pin.below()
    keys(qtbot, "1")
    press(qtbot, Qt.Key.Key_Return)
    assert "最后一次" in pane.pin.below()
    assert "DEV-503" in pane.pin.below()
    assert (QApplication.focusWidget(), pane.pin.line.selectedText()) == (pane.pin.line, "1")
    keys(qtbot, "24681357")
    press(qtbot, Qt.Key.Key_Return)
    assert stage.door.asked[-1] == ("token", "1", "24681357", "", "")
    assert [entry.login for entry in stage.entries] == ["zhangsan"]
    assert pane.pin.take() == ""


def test_a_pin_that_was_quicker_than_the_token_need_not_be_sent_twice(stage: Stage) -> None:
    pane = stage.open().sign_in
    stage.lanes.hold = True
    pane.choose("certificate")
    pane.pin.line.setText("24681357")
    pane.submit()
    assert stage.door.asked == []
    stage.lanes.release()
    assert stage.door.asked == [("token", "1", "24681357", "", "")]
    assert [entry.login for entry in stage.entries] == ["zhangsan"]


def test_arrow_keys_choose_the_way(stage: Stage, qtbot: Any) -> None:
    pane = stage.open().sign_in
    pane.methods.buttons["password"].setFocus()
    press(qtbot, Qt.Key.Key_Right)
    assert pane.method == "certificate"
    assert QApplication.focusWidget() is pane.methods.buttons["certificate"]
    press(qtbot, Qt.Key.Key_Right)
    assert pane.method == "oidc"


def test_a_missing_token_is_said_and_looked_for_again(stage: Stage, qtbot: Any) -> None:
    stage.door.keys = GovDeskError("DEV-502", "没有找到证书介质。", fix="请插好再试。")
    pane = stage.open().sign_in
    pane.choose("certificate")
    assert "DEV-502" in pane._key_field.below()
    pane.pin.line.setText("24681357")
    stage.door.keys = [TokenOffer("张三", "政务UKey", 1), TokenOffer("李四", "政务UKey", 2)]
    pane.submit()
    assert stage.door.asked == [], "the token has only now been found"
    assert pane.key.count() == 2
    pane.key.setCurrentIndex(1)
    pane.submit()
    assert stage.door.asked[-1][:2] == ("token", "2")


@pytest.mark.parametrize("method", ["certificate", "oidc"])
def test_what_is_nobodys_yet_is_bound_by_a_password(stage: Stage, qtbot: Any, method: str) -> None:
    stage.door.bound = False
    pane = stage.open().sign_in
    pane.choose(method)
    pane.pin.line.setText("24681357")
    pane.submit()
    assert "AUTH-039" in pane.notice.accessibleName()
    assert QApplication.focusWidget() is pane.login
    keys(qtbot, "lisi")
    press(qtbot, Qt.Key.Key_Return)
    keys(qtbot, "Govdesk-2026")
    press(qtbot, Qt.Key.Key_Return)
    assert stage.door.asked[-1][-2:] == ("lisi", "Govdesk-2026")
    assert [entry.login for entry in stage.entries] == ["lisi"]


def test_the_browser_is_waited_for_and_can_be_given_up(stage: Stage) -> None:
    pane = (window := stage.open()).sign_in
    pane.choose("oidc")
    stage.lanes.hold = True
    pane.submit()
    assert "浏览器" in pane._doing.text()
    assert QApplication.focusWidget() is pane._stop
    pane._stop.click()
    stage.lanes.release()
    assert stage.entries == []
    assert window.sign_in.go.isVisible()


def test_without_the_server_single_sign_on_asks_for_this_computers_password(stage: Stage, qtbot: Any) -> None:
    stage.door.online = GONE
    pane = stage.open().sign_in
    pane.choose("oidc")
    assert pane.password.line.accessibleName() == "本机口令"
    pane.login.setText("zhangsan")
    pane.password.line.setText("Govdesk-2026")
    pane.submit()
    assert stage.door.asked == [("zhangsan", "Govdesk-2026")]


def test_the_way_is_remembered_with_its_person(stage: Stage, qtbot: Any, tmp_path: Path) -> None:
    pane = stage.open().sign_in
    pane.choose("oidc")
    pane.submit()
    assert remembered_methods(stage.settings) == {"zhangsan": "oidc"}
    assert stage.open().sign_in.method == "oidc"


def test_a_server_that_offers_passwords_alone_shows_no_choice(stage: Stage) -> None:
    stage.door.methods = ["password"]
    assert not stage.open().sign_in.methods.isVisible()


def test_a_role_that_needs_codes_comes_in_only_with_them(stage: Stage, qtbot: Any) -> None:
    stage.door.must_change = stage.door.must_enrol = True
    window = stage.open()
    window.sign_in.login.setText("zhangsan")
    window.sign_in.password.line.setText("Govdesk-2026")
    window.sign_in.submit()
    window.change.new.line.setText("Neues-Wort-1")
    window.change.repeat.line.setText("Neues-Wort-1")
    window.change.submit()
    assert stage.door.asked[-1] == ("totp", "Neues-Wort-1")
    assert stage.entries == []
    assert "GEZD GNBV" in window.totp.secret.text()
    assert QApplication.focusWidget() is window.totp.code
    keys(qtbot, "000000")
    press(qtbot, Qt.Key.Key_Return)
    assert "AUTH-034" in window.totp._code_field.below()
    window.totp.code.setText("287082")
    press(qtbot, Qt.Key.Key_Return)
    assert "ABCD-EFGH-JKMN" in window.totp.recovery.text()
    assert stage.entries == []
    press(qtbot, Qt.Key.Key_Return)
    assert [entry.login for entry in stage.entries] == ["zhangsan"]
    assert window.totp.secret.text() + window.totp.recovery.text() == ""


@pytest.mark.parametrize("skipped", [True, False])
def test_single_sign_on_offers_a_password_of_this_computer(stage: Stage, qtbot: Any, skipped: bool) -> None:
    stage.door.offers_local = True
    window = stage.open()
    window.sign_in.choose("oidc")
    window.sign_in.submit()
    assert stage.entries == []
    if skipped:
        window.local.skip.click()
    else:
        window.local.new.line.setText("kurz")
        window.local.repeat.line.setText("kurz")
        window.local.submit()
        assert stage.entries == []
        window.local.new.line.setText("Neues-Wort-1")
        window.local.repeat.line.setText("Neues-Wort-1")
        window.local.submit()
        assert stage.door.asked[-1] == ("local", "Neues-Wort-1")
    assert [entry.login for entry in stage.entries] == ["zhangsan"]


@pytest.mark.parametrize("zoom", [ZOOMS[0], 100, 150, ZOOMS[-1]])
@pytest.mark.parametrize("step", ["code", "pin", "bind", "totp", "recovery", "local"])
def test_every_step_shows_all_words_at_every_size(stage: Stage, theme: Theme, zoom: int, step: str) -> None:
    theme.apply("light", zoom / 100)
    door = stage.door
    door.one_time = "123456" if step == "code" else ""
    door.bound = step != "bind"
    door.must_enrol = step in ("totp", "recovery")
    door.offers_local = step == "local"
    window = stage.open()
    window.resize(1024, 768)
    pane = window.sign_in
    if step in ("pin", "bind", "local"):
        pane.choose("certificate" if step == "pin" else "oidc")
    pane.login.setText("zhangsan")
    pane.password.line.setText("Govdesk-2026")
    pane.pin.line.setText("1")
    pane.submit()
    if step == "recovery":
        window.totp.code.setText("287082")
        window.totp.go.click()
    walk = Walk(window)
    # heights follow widths in some turns of the event loop, from the inside out
    stage.bot.waitUntil(lambda: walk.clipped() == [], timeout=5_000)
    assert walk.nameless() == []
    assert walk.out_of_order() == []
    assert walk.small(theme.size("target") - 1) == []


# -- the code on the screen


def test_a_telephone_reads_the_code(qtbot: Any) -> None:
    import numpy as np
    import zxingcpp

    text = "otpauth://totp/GovDesk:zhangsan?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=GovDesk&period=30&digits=6"
    view = QrView("二维码")
    qtbot.addWidget(view)
    view.show_text(text)
    view.resize(view.sizeHint())
    image = view.grab().toImage().convertToFormat(view.grab().toImage().Format.Format_Grayscale8)
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    (found,) = zxingcpp.read_barcodes(pixels[:, : image.width()].copy())
    assert found.text == text
    assert view.sizeHint().width() % (len(modules(text)) + 2 * QUIET) == 0
    view.show_text("")
    assert view.sizeHint().isEmpty()


# -- the lock


def test_the_lock_asks_for_what_the_person_signed_in_with(qtbot: Any, tmp_path: Path) -> None:
    for key, name in (("pin", "PIN 码"), ("local", "本机口令"), ("password", "密码")):
        window = main_window(tmp_path)
        qtbot.addWidget(window)
        window.desk.key = key
        window.show()
        window.lock_because("证书介质已拔出。")
        lock = window.locked
        assert lock is not None
        assert lock.password.line.accessibleName() == name
        lock.password.line.setText("Govdesk-2026")
        lock.unlock()
        assert window.locked is None


def test_the_lock_opens_by_the_browser_for_the_same_person_only(qtbot: Any, tmp_path: Path) -> None:
    window = main_window(tmp_path)
    qtbot.addWidget(window)
    window.desk.key = "browser"
    window.show()
    window.lock()
    lock = window.locked
    assert lock is not None
    assert not lock.password.isVisible()
    window.desk.another = True
    lock.go.click()
    assert "AUTH-048" in lock.notice.accessibleName()
    assert window.locked is lock
    window.desk.another = False
    lock.go.click()
    assert window.locked is None


def test_a_token_that_is_pulled_out_or_cannot_be_asked_locks_the_window(qtbot: Any, tmp_path: Path) -> None:
    window = main_window(tmp_path)
    qtbot.addWidget(window)
    window.show()
    reasons: list[str] = []
    guards = Guards(window.host, window.desk, reasons.append, window)
    guards.look()
    assert reasons == []
    window.desk.token_present = lambda: False
    guards.look()
    assert "拔出" in reasons[-1]

    def hung() -> bool:
        raise GovDeskError("DEV-002", "没有反应。")

    window.desk.token_present = hung
    guards.look()
    assert len(reasons) == 2
    guards._system_locked()
    assert "电脑已锁定" in reasons[-1]


# -- what people look after themselves


def test_codes_are_turned_on_and_off(qtbot: Any, tmp_path: Path) -> None:
    from client.shell.own_account import TotpDialog

    window = main_window(tmp_path)
    qtbot.addWidget(window)
    window.show()
    window.open_totp()
    dialog = window.findChild(TotpDialog)
    assert dialog.password.isVisible()
    dialog.password.line.setText("falsch")
    dialog.submit()
    assert "AUTH-002" in dialog.password.below()
    dialog.password.line.setText("Govdesk-2026")
    dialog.submit()
    assert dialog.pane.isVisible()
    dialog.pane.code.setText("287082")
    dialog.pane.go.click()
    dialog.pane.done.click()
    assert window.desk.ways.totp
    dialog.deleteLater()
    other = TotpDialog(window.host, window.desk, window)
    other.open()
    assert other.code.isVisible()
    other.password.line.setText("Govdesk-2026")
    other.code.setText("123456")
    other.submit()
    assert not window.desk.ways.totp


def test_a_role_that_needs_codes_cannot_turn_them_off(qtbot: Any, tmp_path: Path) -> None:
    from client.shell.own_account import TotpDialog

    window = main_window(tmp_path)
    qtbot.addWidget(window)
    window.desk.ways = WaysIn(True, True, 7)
    dialog = TotpDialog(window.host, window.desk, window)
    qtbot.addWidget(dialog)
    dialog.open()
    assert "不能停用" in dialog._words.text()
    assert not dialog.go.isVisible()


def test_own_sessions_are_seen_and_ended(qtbot: Any, tmp_path: Path) -> None:
    from client.shell.own_account import SessionsDialog

    window = main_window(tmp_path)
    qtbot.addWidget(window)
    window.show()
    dialog = SessionsDialog(window.host, window.desk, clock(), window)
    qtbot.addWidget(dialog)
    dialog.open()
    lines = [dialog.list.item(row).text() for row in range(dialog.list.count())]
    assert ["本次登录" in line for line in lines] == [True, False, False]
    assert "5号窗" in lines[1]
    assert "证书" in lines[1]
    dialog.list.setCurrentRow(0)
    assert not dialog.end.isEnabled()
    dialog.list.setCurrentRow(1)
    dialog.end.click()
    assert window.desk.asked[-1] == ("end", "s2")
    assert dialog.list.count() == 2
    dialog.end_others.click()
    assert window.desk.asked[-1] == ("end", "")
    assert dialog.list.count() == 1
    assert not dialog.end_others.isEnabled()
    assert datetime.now(UTC) > window.desk.own_sessions[0].since
    walk = Walk(dialog)
    assert walk.nameless() == []
