"""Whatever nobody foresaw: said in words, logged, without recursion; the program goes on."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QPlainTextEdit

from client.shell.crash import CrashGuard
from modules.common.errors import GovDeskError


class Told:
    """What a guard asked for."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.saved = 0
        self.left = 0

    def tell(self, error: GovDeskError) -> None:
        self.errors.append(error.code)

    def save(self) -> str:
        self.saved += 1
        return "诊断包已保存到 diagnostics.zip"

    def leave(self) -> None:
        self.left += 1


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def guard(qapp: QApplication, told: Told) -> Iterator[CrashGuard]:
    before = sys.excepthook, threading.excepthook
    made = CrashGuard(told.tell, told.save, told.leave)
    yield made
    made.release()
    qapp.processEvents()
    assert (sys.excepthook, threading.excepthook) == before


def crash(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    QApplication.processEvents()


def test_it_is_said_in_words_and_the_details_are_masked(guard: CrashGuard, told: Told) -> None:
    crash("李建国 11010519491231002X")
    dialog = guard.dialog
    assert dialog is not None
    assert dialog.isVisible()
    words = "\n".join(each.text() for each in dialog.findChildren(object) if callable(getattr(each, "text", None)))
    assert "UI-500" in words
    assert "草稿" in words
    assert "Traceback" not in words
    details = dialog.findChild(QPlainTextEdit)
    assert not details.isVisible()
    dialog.show_details.click()
    assert "ValueError" in details.toPlainText()
    assert "11010519491231002X" not in details.toPlainText()
    dialog.copy.click()
    assert "ValueError" in QGuiApplication.clipboard().text()
    dialog.save.click()
    assert told.saved == 1
    dialog.go_on.click()
    assert guard.dialog is None
    assert told.left == 0


def test_more_errors_are_counted_not_stacked(guard: CrashGuard) -> None:
    crash("one")
    first = guard.dialog
    crash("two")
    crash("three")
    assert guard.dialog is first
    assert first is not None
    assert "2" in first._count.text()


def test_a_thread_and_a_slot_come_to_the_same_dialog(guard: CrashGuard, qtbot: Any) -> None:
    def fail() -> None:
        raise ValueError("in a thread")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: guard.dialog is not None)


def test_an_error_with_a_code_is_only_told(guard: CrashGuard, told: Told) -> None:
    error = GovDeskError("SYNC-003", "退回。")
    sys.excepthook(type(error), error, None)
    QApplication.processEvents()
    assert told.errors == ["SYNC-003"]
    assert guard.dialog is None


def test_a_failure_of_the_telling_is_logged_and_ends_there(
    guard: CrashGuard, told: Told, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(error: BaseException) -> None:
        raise RuntimeError("again")

    monkeypatch.setattr(guard, "_open", fail)
    with caplog.at_level(logging.CRITICAL):
        crash("first")
    assert guard.dialog is None
    with caplog.at_level(logging.ERROR):
        crash("second")
    assert "crash dialog itself failed" in caplog.text


def test_the_program_can_be_ended(guard: CrashGuard, told: Told) -> None:
    crash("x")
    assert guard.dialog is not None
    guard.dialog.leave.click()
    assert told.left == 1


def test_ctrl_c_at_the_terminal_just_ends(guard: CrashGuard, told: Told) -> None:
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    QApplication.processEvents()
    assert told.left == 1
    assert guard.dialog is None


def test_words_of_qt_go_to_the_log(guard: CrashGuard, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        QTimer.singleShot(-1, lambda: None)
    assert [record.name for record in caplog.records] == ["qt"]
