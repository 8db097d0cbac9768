"""The first window: in by keyboard alone, with every refusal said where it belongs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QInputMethodEvent, QKeyEvent
from PySide6.QtWidgets import QApplication, QLineEdit
from shell_fakes import FakeDoor, InlineLanes, clock, settings

from client.shell.preferences import LANGUAGE, ZOOM, ZOOMS, remembered_logins
from client.shell.sign_in import SignInWindow
from client.widgets.theme import Theme
from modules.common.errors import GovDeskError, Refusal, Refused
from modules.common.text import set_language
from tests.support.a11y import Walk

ROOT = Path(__file__).resolve().parents[2]
NOT_LOADED = ("sqlalchemy", "requests", "reportlab", "alembic", "cryptography", "keyring", "argon2", "jsonschema")


class Stage:
    """A sign-in window over fakes."""

    def __init__(self, qtbot: Any, folder: Path, *logins: str, online: GovDeskError | None = None) -> None:
        self.door = FakeDoor()
        self.door.online = online
        self.lanes = InlineLanes()
        self.settings = settings(folder, logins=list(logins))
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
        self.bot.waitUntil(lambda: bool(self.lanes.lanes) or not self.door.url)  # the server has been asked
        return window


@pytest.fixture
def stage(qtbot: Any, tmp_path: Path) -> Stage:
    return Stage(qtbot, tmp_path)


def keys(qtbot: Any, text: str) -> None:
    qtbot.keyClicks(QApplication.focusWidget(), text)


def press(qtbot: Any, key: Qt.Key) -> None:
    qtbot.keyClick(QApplication.focusWidget(), key)


def test_the_keyboard_alone_suffices(stage: Stage, qtbot: Any) -> None:
    stage.open()
    keys(qtbot, "zhangsan")
    press(qtbot, Qt.Key.Key_Return)
    keys(qtbot, "Govdesk-2026")
    press(qtbot, Qt.Key.Key_Return)
    assert [entry.login for entry in stage.entries] == ["zhangsan"]
    assert set(stage.lanes.lanes) == {"net"}


def test_the_enter_of_a_candidate_does_not_submit(stage: Stage, qtbot: Any) -> None:
    window = stage.open()
    window.sign_in.password.line.setText("Govdesk-2026")
    QApplication.sendEvent(window.sign_in.login, QInputMethodEvent("zhangs", []))
    press(qtbot, Qt.Key.Key_Return)
    assert stage.door.asked == []
    commit = QInputMethodEvent()
    commit.setCommitString("zhangsan")
    QApplication.sendEvent(window.sign_in.login, commit)
    press(qtbot, Qt.Key.Key_Return)
    assert stage.door.asked == [("zhangsan", "Govdesk-2026")]


def test_a_wrong_password_keeps_the_login_and_is_said_at_the_field(stage: Stage, qtbot: Any) -> None:
    window = stage.open()
    window.sign_in.login.setText("zhangsan")
    window.sign_in.password.line.setText("falsch")
    window.sign_in.submit()
    assert stage.entries == []
    assert window.sign_in.login.text() == "zhangsan"
    assert "AUTH-002" in window.sign_in.password.below()
    assert QApplication.focusWidget() is window.sign_in.password.line
    assert window.sign_in.password.line.hasSelectedText()
    assert window.sign_in.go.isVisible()


def test_nothing_entered_is_said_before_the_server_is_asked(stage: Stage) -> None:
    window = stage.open()
    window.sign_in.submit()
    assert stage.door.asked == []
    assert QApplication.focusWidget() is window.sign_in.login
    assert "密码" in window.sign_in.password.below()


def test_one_click_enters_as_a_person_of_the_demonstration(stage: Stage, qtbot: Any) -> None:
    window = stage.open()
    person = next(each for each in window.demo.findChildren(object) if "王五" in getattr(each, "text", str)())
    qtbot.mouseClick(person, Qt.MouseButton.LeftButton)
    assert stage.door.asked == [("wangwu", "Govdesk-2026")]
    assert stage.entries[0].login == "wangwu"


def test_names_are_remembered_and_passwords_never(stage: Stage, tmp_path: Path) -> None:
    window = stage.open()
    window.sign_in.login.setText("zhangsan")
    window.sign_in.password.line.setText("Govdesk-2026")
    window.sign_in.submit()
    stage.settings.flush()
    assert remembered_logins(stage.settings) == ["zhangsan"]
    assert "Govdesk-2026" not in (tmp_path / "settings.json").read_text("utf-8")
    assert window.sign_in.password.take() == ""


def test_whoever_came_last_types_only_the_password(qtbot: Any, tmp_path: Path) -> None:
    window = Stage(qtbot, tmp_path, "zhangsan", "lisi").open()
    assert window.sign_in.login.text() == "zhangsan"
    assert QApplication.focusWidget() is window.sign_in.password.line


def test_waiting_can_be_ended_and_its_answer_comes_to_nothing(stage: Stage, qtbot: Any) -> None:
    window = stage.open()
    stage.lanes.hold = True
    window.sign_in.login.setText("zhangsan")
    window.sign_in.password.line.setText("Govdesk-2026")
    window.sign_in.submit()
    assert not window.sign_in.go.isVisible()
    window.sign_in.submit()
    assert len(stage.lanes.held) == 1
    window.sign_in.cancelled.emit()
    stage.lanes.release()
    assert stage.entries == []
    assert window.sign_in.go.isVisible()
    assert window.sign_in.login.text() == "zhangsan"


def test_a_second_enter_does_not_take_back_the_first(stage: Stage, qtbot: Any) -> None:
    window = stage.open()
    stage.lanes.hold = True
    window.sign_in.login.setText("zhangsan")
    window.sign_in.password.line.setText("Govdesk-2026")
    window.sign_in.password.line.setFocus()
    press(qtbot, Qt.Key.Key_Return)
    press(qtbot, Qt.Key.Key_Return)
    stage.lanes.release()
    assert [entry.login for entry in stage.entries] == ["zhangsan"]


def test_who_stops_waiting_goes_on_at_the_password(stage: Stage) -> None:
    window = stage.open()
    stage.lanes.hold = True
    window.sign_in.login.setText("zhangsan")
    window.sign_in.password.line.setText("Govdesk-2026")
    window.sign_in.submit()
    window.sign_in._stop.setFocus()
    window.sign_in._stop.click()
    assert QApplication.focusWidget() is window.sign_in.password.line


def test_a_refused_password_is_not_tried_on_another_name(stage: Stage, qtbot: Any) -> None:
    window = stage.open()
    window.sign_in.login.setText("zhangsan")
    window.sign_in.password.line.setText("falsch")
    window.sign_in.submit()
    window.sign_in.login.setFocus()
    window.sign_in.login.selectAll()
    keys(qtbot, "lisi")
    press(qtbot, Qt.Key.Key_Return)
    assert [login for login, _ in stage.door.asked] == ["zhangsan"]
    assert QApplication.focusWidget() is window.sign_in.password.line


def test_without_a_server_it_says_what_that_means_and_until_when(qtbot: Any, tmp_path: Path) -> None:
    gone = GovDeskError("NET-001", "连不上服务器。", fix="请检查网络。")
    stage = Stage(qtbot, tmp_path, "zhangsan", online=gone)
    window = stage.open()
    assert "离线登录" in window.sign_in.notice.text()
    assert "11月27日 17:30" in window.sign_in._login_field.below()
    assert not window.demo.isVisible()
    stage.door.online = None
    window.look()
    assert window.sign_in.notice.text() == ""
    assert window.demo.isVisible()


def test_another_servers_certificate_is_said_in_plain_words(qtbot: Any, tmp_path: Path) -> None:
    wrong = GovDeskError("NET-002", "这台服务器出示的证书不是登记时的那一张，已断开。", fix="请勿输入密码。")
    window = Stage(qtbot, tmp_path, online=wrong).open()
    assert "证书" in window.sign_in.notice.text()
    assert "NET-002" in window.sign_in.notice.text()
    assert "离线登录" not in window.sign_in.notice.text()


def test_a_new_computer_is_enrolled_first(stage: Stage, qtbot: Any) -> None:
    stage.door.enrolled = False
    window = stage.open()
    assert window.enrol.isVisible()
    assert not window.demo.isVisible()
    keys(qtbot, "FALS-CH00.0")
    press(qtbot, Qt.Key.Key_Return)
    assert "AUTH-020" in window.enrol.notice.accessibleName()
    assert window.enrol.code.text() == "FALS-CH00.0"
    keys(qtbot, "ABCD-EFGH.0123456789abcdef0123")
    press(qtbot, Qt.Key.Key_Return)
    assert window.sign_in.isVisible()
    assert window.demo.isVisible()


@pytest.mark.parametrize("code", ["AUTH-071", "NET-011"])
def test_a_computer_that_is_not_known_any_more_asks_for_a_code_and_lets_go_back(
    stage: Stage, qtbot: Any, code: str
) -> None:
    window = stage.open()
    stage.door.refuses = GovDeskError(code, "这台设备没有出示有效的证书。", fix="请用登记码。")
    keys(qtbot, "zhangsan")
    press(qtbot, Qt.Key.Key_Return)
    keys(qtbot, "Govdesk-2026")
    press(qtbot, Qt.Key.Key_Return)
    assert window.enrol.isVisible()
    assert code in window.enrol.notice.accessibleName()
    assert "保留" in window.enrol._words.text()
    window.enrol._back.click()
    assert window.sign_in.isVisible()
    assert window.sign_in.login.text() == "zhangsan"


def test_a_password_that_somebody_else_chose_is_changed_before_anything(stage: Stage, qtbot: Any) -> None:
    stage.door.must_change = True
    window = stage.open()
    window.sign_in.login.setText("zhangsan")
    window.sign_in.password.line.setText("Govdesk-2026")
    window.sign_in.submit()
    assert stage.entries == []
    for new, again, fault in (
        ("kurz", "kurz", window.change.new),
        ("Govdesk-2026", "Govdesk-2026", window.change.new),
        ("Neues-Wort-1", "Neues-Wort-2", window.change.repeat),
    ):
        window.change.new.line.setText(new)
        window.change.repeat.line.setText(again)
        window.change.submit()
        assert QApplication.focusWidget() is fault.line
        assert stage.entries == []
    window.change.repeat.line.setText("Neues-Wort-1")
    window.change.submit()
    assert stage.door.asked[-1] == ("zhangsan", "Govdesk-2026", "Neues-Wort-1")
    assert [entry.login for entry in stage.entries] == ["zhangsan"]
    assert window.change.new.take() == ""


def test_the_servers_no_to_a_new_password_stands_at_its_field(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(login: str, old: str, new: str) -> None:
        raise Refused(Refusal("AUTH-020", "密码用过了。", {"new": "密码用过了。"}))

    stage.door.must_change = True
    monkeypatch.setattr(stage.door, "change_password", no)
    window = stage.open()
    window.sign_in.login.setText("zhangsan")
    window.sign_in.password.line.setText("Govdesk-2026")
    window.sign_in.submit()
    window.change.new.line.setText("Neues-Wort-1")
    window.change.repeat.line.setText("Neues-Wort-1")
    window.change.submit()
    assert "AUTH-020" in window.change.new.below()
    assert stage.entries == []


def test_the_password_can_be_looked_at_and_capital_lock_is_betrayed(stage: Stage, qtbot: Any) -> None:
    field = stage.open().sign_in.password
    for text, modifiers, locked in (
        ("A", Qt.KeyboardModifier.ShiftModifier, False),
        ("A", Qt.KeyboardModifier.NoModifier, True),
        ("a", Qt.KeyboardModifier.NoModifier, False),
        ("a", Qt.KeyboardModifier.ShiftModifier, True),
    ):
        QApplication.sendEvent(field.line, QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_A, modifiers, text))
        assert ("大写" in field.below()) is locked
    field.reveal.click()
    assert field.line.echoMode() is QLineEdit.EchoMode.Normal
    field.clear()
    assert field.line.echoMode() is QLineEdit.EchoMode.Password


def test_zoom_and_language_are_at_hand_before_anyone_is_in(stage: Stage, qtbot: Any) -> None:
    window = stage.open()
    window.look_bar.larger.click()
    assert stage.settings.get(ZOOM) == 110
    try:
        with qtbot.waitSignal(window.language_changed):
            window.look_bar.language.click()
        assert stage.settings.get(LANGUAGE) == "en"
    finally:
        set_language("zh_CN")


@pytest.mark.parametrize("zoom", ZOOMS)
def test_every_size_shows_all_words_and_names_every_stop(stage: Stage, theme: Theme, zoom: int) -> None:
    theme.apply("light", zoom / 100)
    window = stage.open()
    window.resize(1024, 768)
    window.sign_in.login.setText("zhangsan")
    window.sign_in.password.line.setText("falsch")
    window.sign_in.submit()
    QApplication.processEvents()
    assert window.size().width() == 1024
    walk = Walk(window)
    assert walk.nameless() == []
    assert walk.clipped() == []
    assert walk.out_of_order() == []
    assert walk.small(theme.size("target") - 1) == []


def test_importing_it_loads_nothing_heavy_and_no_module() -> None:
    script = (
        "import sys, client.shell.sign_in\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules} | set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "PySide6" in loaded
    assert [name for name in loaded if name in NOT_LOADED] == []
    assert [name for name in loaded if name.startswith("modules.") and not name.startswith("modules.common")] == []
