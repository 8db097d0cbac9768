"""The main window over fakes: who sees what, how it is found, and what happens when something fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import shell_fakes
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication, QInputMethodEvent
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QLineEdit, QMenu, QVBoxLayout, QWidget
from shell_fakes import SampleView, record, status

from client.kernel.events import DeviceChanged, Events, RecordsChanged, SyncChanged
from client.shell.change_password import ChangePasswordDialog
from client.shell.lock import IdleWatch
from client.shell.main_window import HOME, SETTINGS, MainWindow
from client.shell.palette import Palette
from client.shell.panels import DevicesPanel, FailurePane, ForbiddenPane, HelpPanel, NoticesPanel, SyncPanel
from client.shell.preferences import IDLE_MINUTES, PALETTE, PRINTER, ZOOM, ZOOMS
from client.shell.settings_page import SettingsPage
from client.widgets.basics import Button, ConfirmDialog
from client.widgets.theme import Theme
from devices.ports import DeviceState
from modules.common.errors import GovDeskError
from tests.support.a11y import Walk

Open = Callable[..., MainWindow]


@pytest.fixture
def opened(qtbot: Any, tmp_path: Path) -> Iterator[Open]:
    """Opens a main window with the permissions given; it is closed at the end."""
    windows: list[MainWindow] = []

    def make(*permissions: str, width: int = 1280, height: int = 760, **memory: Any) -> MainWindow:
        window = shell_fakes.main_window(tmp_path, *permissions, **memory)
        windows.append(window)
        qtbot.addWidget(window)
        window.resize(width, height)
        window.show()
        window.activateWindow()
        qtbot.waitUntil(lambda: QApplication.activeWindow() is window)
        QApplication.processEvents()
        return window

    yield make
    for window in windows:
        window.close()
    for widget in QApplication.topLevelWidgets():
        if isinstance(widget, QDialog):
            widget.done(0)


def events(window: MainWindow) -> Events:
    found: Events = window.host.services["Events"]  # type: ignore[attr-defined]
    return found


def texts(widget: QWidget) -> str:
    """Every word of a widget that can be seen."""
    shown = [each for each in widget.findChildren(QWidget) if each.isVisible()]
    return "\n".join(each.text() for each in shown if isinstance(each, QLabel | Button))


def dialog(kind: type[QDialog]) -> Any:
    """The open dialog of a kind."""
    return next(each for each in QApplication.topLevelWidgets() if isinstance(each, kind) and each.isVisible())


# pages and permissions


def test_a_page_is_made_when_it_is_first_opened_and_kept(opened: Open) -> None:
    window = opened()
    assert window.current == HOME
    assert window.view("sample.accept") is None
    window.open_page("sample.accept", action="new")
    first = window.view("sample.accept")
    assert isinstance(first, SampleView)
    assert first.arguments == {"action": "new"}
    first.edit.setText("李")
    window.open_page(HOME)
    window.open_page("sample.accept")
    assert window.view("sample.accept") is first
    assert first.edit.text() == "李"
    assert QApplication.focusWidget() is first.edit


def test_what_is_forbidden_is_nowhere_to_be_found(opened: Open) -> None:
    window = opened("sample.read")
    assert "sample.secret" not in window.nav.buttons
    assert not [command for command in window.book.allowed(window._actor) if "机密" in command.title]
    window.open_palette()
    palette = dialog(Palette)
    palette.edit.setText("机密")
    assert palette.list.count() == 0
    palette.reject()
    window.open_page("sample.secret")
    assert isinstance(window.stack.currentWidget(), ForbiddenPane)


def test_a_module_that_fails_shows_why_and_the_rest_goes_on(opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    window = opened()
    with caplog.at_level(logging.CRITICAL):
        window.open_page("sample.broken")
    pane = window.stack.currentWidget()
    assert isinstance(pane, FailurePane)
    assert "MOD-0" in texts(pane)
    pane.copy.click()
    assert "no_such_view" in QGuiApplication.clipboard().text()
    window.open_page("sample.accept")
    assert isinstance(window.stack.currentWidget(), SampleView)


def test_keys_lead_to_pages_and_escape_back(opened: Open, qtbot: Any) -> None:
    window = opened()
    qtbot.keyClick(window, Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
    assert window.current == "sample.accept"
    qtbot.keyClick(window, Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    assert window.current == SETTINGS
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert window.current == "sample.accept"
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert window.current == HOME
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert window.current == HOME


def test_arrows_walk_the_navigation_and_enter_opens(opened: Open, qtbot: Any) -> None:
    window = opened()
    window.nav.buttons[HOME].setFocus()
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Down)
    assert QApplication.focusWidget() is window.nav.buttons["sample.accept"]
    assert window.current == HOME
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    assert window.current == "sample.accept"
    assert window.nav.buttons["sample.accept"].isChecked()
    assert not window.nav.buttons[HOME].isChecked()


# the palette


def test_the_palette_finds_a_command_and_runs_it(opened: Open, qtbot: Any) -> None:
    window = opened()
    shell_fakes.greeted.clear()
    qtbot.keyClick(window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    palette = dialog(Palette)
    palette.edit.setText("问好")
    qtbot.waitUntil(lambda: not palette._pause.isActive())
    qtbot.keyClick(palette.edit, Qt.Key.Key_Return)
    assert len(shell_fakes.greeted) == 1
    assert not palette.isVisible()


def test_a_scanned_number_opens_its_record_though_enter_comes_at_once(opened: Open, qtbot: Any) -> None:
    window = opened()
    window.open_palette()
    palette = dialog(Palette)
    qtbot.keyClicks(palette.edit, "3411A-20261119-000117")
    qtbot.keyClick(palette.edit, Qt.Key.Key_Return)
    view = window.view("sample.cases")
    assert isinstance(view, SampleView)
    assert view.arguments == {"case": "id-3411A-20261119-000117"}


def test_an_enter_while_the_store_is_asked_waits_for_its_answer(opened: Open, qtbot: Any) -> None:
    window = opened()
    window.open_palette()
    palette = dialog(Palette)
    palette.edit.setText("3411A-20261119-000117")
    window.host.hold = True  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: bool(window.host.held))  # type: ignore[attr-defined]
    qtbot.keyClick(palette.edit, Qt.Key.Key_Return)
    assert palette.isVisible()
    window.host.release()  # type: ignore[attr-defined]
    assert not palette.isVisible()
    assert window.current == "sample.cases"


def test_a_candidates_enter_runs_nothing(opened: Open, qtbot: Any) -> None:
    window = opened()
    window.open_palette()
    palette = dialog(Palette)
    QApplication.sendEvent(palette.edit, QInputMethodEvent("suoding", []))
    qtbot.keyClick(palette.edit, Qt.Key.Key_Return)
    assert palette.isVisible()
    assert window.locked is None


def test_arrows_choose_and_nothing_found_is_said(opened: Open, qtbot: Any) -> None:
    window = opened()
    window.open_palette()
    palette = dialog(Palette)
    before = palette.list.currentRow()
    qtbot.keyClick(palette.edit, Qt.Key.Key_Down)
    assert palette.list.currentRow() == before + 1
    assert palette.edit.accessibleDescription() == palette.list.currentItem().text()
    palette.edit.setText("没有这个")
    qtbot.waitUntil(lambda: "没有找到" in texts(palette))
    qtbot.keyClick(palette.edit, Qt.Key.Key_Return)
    assert palette.isVisible()


# home and counts


def test_home_counts_what_waits_and_leads_there(opened: Open, qtbot: Any) -> None:
    window = opened()
    home = window.view(HOME)
    card = next(each for each in home._cards if each.todo.title == "待审批")  # type: ignore[union-attr]
    assert card.accessibleDescription() == "2 件"
    assert window.nav.buttons["sample.cases"].accessibleDescription() == "办件，3 件待办"
    records = window.host.services["Records"].records  # type: ignore[attr-defined]
    records.append(record("3411A-20261120-000009", "钱多 · 居住登记"))
    events(window).publish(RecordsChanged(frozenset({("case", "x")})))
    assert card.accessibleDescription() == "3 件"
    assert window.nav.buttons["sample.cases"].accessibleDescription() == "办件，4 件待办"
    qtbot.keyClick(card, Qt.Key.Key_Return)
    view = window.view("sample.cases")
    assert isinstance(view, SampleView)
    assert view.arguments == {"states": ["accepted"]}


def test_a_home_without_todos_says_what_to_do_and_still_opens_recent_records(opened: Open) -> None:
    window = opened("sample.read")
    home = window.view(HOME)
    assert "没有待办" in texts(home)  # type: ignore[arg-type]
    home.recent.opened.emit(home.recent.rows[0])  # type: ignore[union-attr]
    assert window.current == "sample.cases"


# status bar, drawer, notices


@pytest.mark.parametrize(
    ("sync", "said"),
    [
        (SyncChanged("online", 0, 0), "已连接"),
        (SyncChanged("online", 3, 0), "已连接，正在传 3 件"),
        (SyncChanged("offline", 12, 0), "离线，12 件待传"),
        (SyncChanged("offline", 0, 0), "离线"),
        (SyncChanged("stuck", 4, 0), "传送受阻，4 件待传"),
        (SyncChanged("online", 0, 2), "已连接，2 件被退回"),
    ],
)
def test_the_status_bar_tells_the_truth_about_the_server(opened: Open, sync: SyncChanged, said: str) -> None:
    window = opened()
    events(window).publish(sync)
    assert window.status.sync.text() == said
    assert window.status.sync.accessibleName() == said


def test_devices_are_shown_with_what_is_the_matter_and_simulators_as_such(opened: Open) -> None:
    window = opened()
    events(window).publish(DeviceChanged(status(DeviceState.READY, "读卡器", simulated=True)))
    events(window).publish(DeviceChanged(status(DeviceState.ATTENTION, "打印机", "缺纸", advice="请放入 A4 纸。")))
    shown = [button.text() for button in window.status._devices.values()]
    assert shown == ["读卡器（模拟）", "打印机 缺纸"]
    window.status._devices["打印机"].click()
    panel = window.drawer.pane()
    assert isinstance(panel, DevicesPanel)
    assert "请放入 A4 纸。" in texts(panel)
    assert "模拟" in texts(panel)


def test_unsent_work_is_listed_retried_and_what_was_refused_is_dealt_with(opened: Open, qtbot: Any) -> None:
    window = opened()
    events(window).publish(SyncChanged("offline", 1, 1, "连不上服务器。（NET-001）"))
    window.nav.setFocus()
    window.status.sync.click()
    panel = window.drawer.pane()
    assert isinstance(panel, SyncPanel)
    assert "NET-001" in texts(panel)
    assert "ACC-012" in texts(panel)
    assert "3411A-20261120-000003" in texts(panel)
    assert "按退回的原因核对后重新办理" in texts(panel)
    assert "联网后自动传送" in texts(panel)
    assert "2 页扫描件在后台传送，还有 3.5 MB" in texts(panel)
    panel.copy.click()
    told = QApplication.clipboard().text()
    assert "refused case c2" in told
    assert "ACC-012" in told
    assert "NET-001" in told
    for each in window.desk.waiting:  # type: ignore[attr-defined]
        assert each.title not in told
        assert each.given_by not in told
    panel.retry.click()
    desk = window.desk  # type: ignore[attr-defined]
    assert desk.asked == [("sync",)]
    next(button for button in panel.findChildren(Button) if "移出" in button.text()).click()
    confirm = dialog(ConfirmDialog)
    assert desk.asked == [("sync",)]
    confirm.accept()
    assert desk.asked[-1] == ("drop", "c2")
    QApplication.processEvents()
    assert "ACC-012" not in texts(panel)
    desk.waiting = []
    events(window).publish(SyncChanged("online", 0, 0))
    assert window.drawer.pane() is panel
    assert panel.retry.isEnabled()
    QApplication.processEvents()
    assert "都已送达" in texts(panel)
    desk.waiting = shell_fakes.FakeDesk().waiting
    qtbot.keyClick(window.drawer, Qt.Key.Key_Escape)
    assert not window.drawer.isVisible()
    assert window.current == HOME
    window.open_sync()
    panel = window.drawer.pane()
    assert isinstance(panel, SyncPanel)
    next(button for button in panel.findChildren(Button) if "打开此件" in button.text()).click()
    view = window.view("sample.cases")
    assert isinstance(view, SampleView)
    assert view.arguments == {"case": "id-3411A-20261119-000116"}


def test_a_notice_is_shown_and_can_be_read_later(opened: Open) -> None:
    window = opened()
    window.host.notice("回执已打印。", state="good")  # type: ignore[attr-defined]
    assert "回执已打印" in window.notice_bar.text()
    assert window.header.bell.accessibleDescription() == "1 条未读"
    window.header.bell.click()
    assert isinstance(window.drawer.pane(), NoticesPanel)
    assert window.header.bell.accessibleDescription() == ""
    assert window.notices.rowCount() == 1


def test_help_lists_the_keys(opened: Open, qtbot: Any) -> None:
    window = opened()
    qtbot.keyClick(window, Qt.Key.Key_F1)
    panel = window.drawer.pane()
    assert isinstance(panel, HelpPanel)
    for keys in ("Ctrl+K", "Ctrl+L", "Ctrl+1", "F1", "Esc"):
        assert keys in texts(panel).split("\n")


# the lock


def test_the_lock_hides_everything_and_gives_it_back(opened: Open, qtbot: Any) -> None:
    window = opened()
    window.open_page("sample.accept")
    view = window.view("sample.accept")
    assert isinstance(view, SampleView)
    view.edit.setText("李建国")
    ask = QDialog(window)
    QVBoxLayout(ask).addWidget(QLabel("证件号 11010519491231002X"))
    ask.open()
    qtbot.keyClick(window, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier) if not window.locked else None
    if window.locked is None:
        window.lock()
    lock = window.locked
    assert lock is not None
    qtbot.waitUntil(lambda: QApplication.activeModalWidget() is lock)
    assert "李建国" not in texts(lock)
    for covered in (window, ask):
        top = covered.childAt(covered.rect().center())
        assert top is not None
        assert texts(covered).count("已锁定") or top.property("role") == "cover"
        assert any(each.property("role") == "cover" for each in (top, top.parentWidget()))
    qtbot.keyClick(lock, Qt.Key.Key_Escape)
    assert lock.isVisible()
    lock.password.line.setText("falsch")
    lock.unlock()
    assert "AUTH-002" in lock.password.below()
    assert window.locked is lock
    qtbot.keyClicks(lock.password.line, "Govdesk-2026")
    qtbot.keyClick(lock.password.line, Qt.Key.Key_Return)
    assert window.locked is None
    assert ask.isVisible()
    assert view.edit.text() == "李建国"
    ask.done(0)


def test_what_comes_up_while_it_is_locked_is_covered_and_gets_no_key(opened: Open, qtbot: Any) -> None:
    window = opened()
    menu = QMenu(window)
    menu.addAction("受理")
    menu.popup(window.mapToGlobal(window.rect().center()))
    qtbot.waitUntil(menu.isVisible)
    window.lock()
    lock = window.locked
    assert lock is not None
    assert not menu.isVisible()
    late = QDialog(window)  # what was being read when the lock fell has come
    line = QLineEdit("证件号 11010519491231002X")
    QVBoxLayout(late).addWidget(line)
    late.open()
    top = late.childAt(late.rect().center())
    assert top is not None
    assert any(each.property("role") == "cover" for each in (top, top.parentWidget()))
    qtbot.waitUntil(lambda: QApplication.activeModalWidget() is lock)
    qtbot.keyClicks(lock.password.line, "Govdesk-2026")
    qtbot.keyClick(lock.password.line, Qt.Key.Key_Return)
    assert window.locked is None
    assert late.isVisible()
    assert QApplication.activeModalWidget() is late
    assert late.childAt(late.rect().center()) is line
    again = QDialog(window)
    again.open()
    assert not [each for each in again.findChildren(QWidget) if each.property("role") == "cover"]
    again.done(0)
    late.done(0)


def test_somebody_else_may_want_in_at_the_lock(opened: Open, qtbot: Any) -> None:
    window = opened()
    window.lock()
    assert window.locked is not None
    with qtbot.waitSignal(window.sign_out_wanted):
        window.locked.other.click()


def test_idleness_locks_after_the_minutes_that_were_set(opened: Open, qtbot: Any) -> None:
    window = opened()
    clock = window.host.services["Clock"]  # type: ignore[attr-defined]
    window.open_page(SETTINGS)
    page = window.view(SETTINGS)
    assert isinstance(page, SettingsPage)
    page.idle.combo.setCurrentIndex(page.idle.combo.findData(2))
    page.idle.combo.activated.emit(page.idle.combo.currentIndex())
    clock.advance(119)
    window.idle.look()
    assert window.locked is None
    clock.advance(1)
    window.idle.look()
    assert window.locked is not None


class Lent(QWidget):
    lent = Signal(bool)


@pytest.mark.parametrize(("away", "locks"), [(119, False), (121, True)])
def test_what_the_public_has_is_not_locked_but_who_takes_it_back_late_is_asked(
    opened: Open, away: int, locks: bool
) -> None:
    window = opened()
    clock = window.host.services["Clock"]  # type: ignore[attr-defined]
    window._settings.set(IDLE_MINUTES, 2)
    window._patience_changed(2)
    page = window._view("sample.lent", Lent)
    assert isinstance(page, Lent)
    page.lent.emit(True)
    clock.advance(away)
    window.idle.look()
    assert window.locked is None
    page.lent.emit(False)
    assert (window.locked is not None) == locks
    if not locks:
        clock.advance(121)
        window.idle.look()
        assert window.locked is not None


def test_a_key_or_a_click_in_any_window_begins_the_wait_anew(opened: Open, qtbot: Any) -> None:
    window = opened()
    clock = window.host.services["Clock"]  # type: ignore[attr-defined]
    watch = IdleWatch(clock, 60)
    told: list[bool] = []
    watch.idle.connect(lambda: told.append(True))
    clock.advance(50)
    qtbot.keyClick(window.windowHandle(), Qt.Key.Key_Shift)
    clock.advance(50)
    watch.look()
    assert told == []
    clock.advance(10)
    watch.look()
    assert told == [True]


def test_no_one_may_do_without_the_lock() -> None:
    assert IDLE_MINUTES.choices is not None
    assert max(IDLE_MINUTES.choices) == 10
    assert min(IDLE_MINUTES.choices) > 0


# settings, session, crash


def test_a_wrong_old_password_is_said_at_its_field_in_full(opened: Open, qtbot: Any) -> None:
    window = opened()
    window.change_password()
    ask = dialog(ChangePasswordDialog)
    for field, text in ((ask.old, "falsch"), (ask.new, "Neues-Wort-1"), (ask.repeat, "Neues-Wort-2")):
        qtbot.keyClicks(field.line, text)
    ask.submit()
    assert "不一样" in ask.repeat.below()
    ask.repeat.line.setText("Neues-Wort-1")
    ask.submit()
    QApplication.processEvents()
    assert "AUTH-002" in ask.old.below()
    assert Walk(ask).clipped() == []
    assert ask.focusWidget() is ask.old.line
    ask.old.line.setText("Govdesk-2026")
    ask.submit()
    assert window.desk.asked == [("password", "Neues-Wort-1")]  # type: ignore[attr-defined]
    assert "密码已修改" in window.notice_bar.text()
    assert ask.new.take() == ""


def test_settings_take_effect_and_are_kept(opened: Open, theme: Theme, qtbot: Any, tmp_path: Path) -> None:
    window = opened()
    window.open_page(SETTINGS)
    page = window.view(SETTINGS)
    assert isinstance(page, SettingsPage)
    page.palettes.buttons["dark"].click()
    qtbot.waitUntil(lambda: theme.palette_name == "dark")
    page.zoom.combo.activated.emit(page.zoom.combo.findData(125))
    qtbot.waitUntil(lambda: theme.zoom == 1.25)
    assert page.printer.combo.findData("办公室激光机") > 0
    page.printer.combo.activated.emit(page.printer.combo.findData("办公室激光机"))
    again = shell_fakes.settings(tmp_path)
    assert (again.get(PALETTE), again.get(ZOOM), again.get(PRINTER)) == ("dark", 125, "办公室激光机")


def test_zoom_keys_step_and_stop_at_the_ends(opened: Open, theme: Theme, qtbot: Any) -> None:
    window = opened()
    for _ in range(9):
        qtbot.keyClick(window, Qt.Key.Key_Equal, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: theme.zoom == 2.0)
    qtbot.keyClick(window, Qt.Key.Key_0, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: theme.zoom == 1.0)
    for _ in range(9):
        qtbot.keyClick(window, Qt.Key.Key_Minus, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: theme.zoom == 0.8)


def test_a_page_whose_code_is_not_there_yet_opens_when_it_is(opened: Open) -> None:
    window = opened()
    host: Any = window.host  # type: ignore[attr-defined]
    host.hold = True
    window.open_page("sample.accept", number="A1")
    assert window.current == "sample.accept"
    assert window.view("sample.accept") is None
    assert window.stack.currentWidget().accessibleName() == "正在打开…"
    # who asks again means the same page, and is served once
    window.open_page("sample.accept", number="A2")
    host.release()
    view = window.view("sample.accept")
    assert isinstance(view, SampleView)
    assert window.stack.currentWidget() is view
    assert view.arguments == {"number": "A2"}


def test_who_leaves_before_a_page_is_there_is_not_called_back(opened: Open) -> None:
    window = opened()
    host: Any = window.host  # type: ignore[attr-defined]
    host.hold = True
    window.open_page("sample.accept")
    window.open_page("shell.settings")
    host.release()
    assert window.current == "shell.settings"
    assert window.view("sample.accept") is None
    window.open_page("sample.accept")
    assert isinstance(window.view("sample.accept"), SampleView)


def test_the_end_of_a_session_leaves_nothing_of_the_person(opened: Open) -> None:
    window = opened()
    window.open_page("sample.accept")
    view = window.view("sample.accept")
    assert isinstance(view, SampleView)
    view.edit.setText("李建国")
    window.open_palette()
    window.end_session()
    assert view.closed
    assert window.stack.count() == 0
    assert window.view("sample.accept") is None
    assert not [each for each in QApplication.topLevelWidgets() if isinstance(each, Palette) and each.isVisible()]
    assert "张三" not in window.windowTitle()
    events(window).publish(SyncChanged("online", 7, 0))
    assert "7" not in window.status.sync.text()


def test_size_and_fold_are_remembered(opened: Open) -> None:
    window = opened(width=1111, height=700)
    window.nav._fold.click()
    assert window.nav.buttons[HOME].text() == ""
    assert window.nav.buttons[HOME].accessibleName() == "首页"
    window.close()
    memory = window.host.services["Settings"]  # type: ignore[attr-defined]
    again = opened(window=memory.recall("shell.window"), nav_folded=memory.recall("shell.nav_folded"))
    assert again.nav.buttons[HOME].text() == ""


@pytest.mark.parametrize("page", [HOME, SETTINGS])
@pytest.mark.parametrize("zoom", ZOOMS)
def test_every_size_shows_all_words_and_names_every_stop(opened: Open, theme: Theme, page: str, zoom: int) -> None:
    theme.apply("contrast" if zoom == 150 else "light", zoom / 100)
    window = opened(width=1024, height=768)
    events(window).publish(DeviceChanged(status(DeviceState.READY, "身份证读卡器", simulated=True)))
    events(window).publish(DeviceChanged(status(DeviceState.ATTENTION, "打印机", "缺纸")))
    events(window).publish(SyncChanged("offline", 12, 1, "连不上服务器。"))
    window.open_page(page)
    QApplication.processEvents()
    assert (window.width(), window.height()) == (1024, 768)
    walk = Walk(window)
    assert walk.nameless() == []
    assert walk.clipped() == []
    assert walk.out_of_order() == []


def test_where_there_is_little_room_what_is_well_is_shortened_first(opened: Open, theme: Theme) -> None:
    theme.apply("light", 2.0)
    window = opened(width=1024, height=768)
    events(window).publish(DeviceChanged(status(DeviceState.READY, "身份证读卡器")))
    events(window).publish(DeviceChanged(status(DeviceState.ATTENTION, "打印机", "缺纸")))
    events(window).publish(SyncChanged("offline", 12, 1))
    well, troubled = window.status._devices.values()
    assert (well.text(), troubled.text()) == ("", "打印机 缺纸")
    assert well.accessibleName() == "身份证读卡器"


@pytest.mark.parametrize("zoom", [100, 200])
def test_panels_show_all_words_at_every_size(opened: Open, theme: Theme, zoom: int) -> None:
    theme.apply("light", zoom / 100)
    window = opened(width=1024, height=768)
    events(window).publish(SyncChanged("offline", 1, 1, "连不上服务器。（NET-001）"))
    for show in (window.open_sync, window.open_devices, window.open_notices, window.open_help):
        show()
        QApplication.processEvents()
        walk = Walk(window.drawer)
        assert walk.nameless() == []
        assert walk.clipped() == []


def test_an_error_with_a_code_becomes_a_notice(opened: Open) -> None:
    window = opened()
    window.tell(GovDeskError("UI-101", "设置未能保存到磁盘。", fix="请检查磁盘空间。"))
    assert "UI-101" in window.notice_bar.text()
