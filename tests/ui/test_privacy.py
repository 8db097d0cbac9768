"""Numbers of people do not stay in the clipboard, nor in pictures of the screen where the system can prevent that."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import shell_fakes
import shiboken6
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QLineEdit, QWidget

from client.app import Application
from client.data.profile import Profile
from client.kernel.policy import Policy
from client.shell.main_window import SETTINGS
from client.shell.settings_page import SettingsPage
from client.widgets.printing import PdfPrinter
from client.widgets.privacy import CaptureGuard, ClipboardGuard

NUMBER, PHONE = "11010519491231002X", "13800000000"
Guarded = Callable[..., ClipboardGuard]


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def guarded(qtbot: Any, told: list[str]) -> Iterator[Guarded]:
    """Makes a guard. The offscreen platform never says that a clipboard is ours, so the test does."""
    made: list[ClipboardGuard] = []
    QGuiApplication.clipboard().clear()

    def make(policy: Policy, *, ours: bool = True) -> ClipboardGuard:
        made.append(ClipboardGuard(policy, told.append, ours=lambda mode: ours))
        return made[-1]

    yield make
    for guard in made:
        shiboken6.delete(guard)
    QGuiApplication.clipboard().clear()


def copy(qtbot: Any, text: str) -> str:
    """Copy from a field as a person would; returns what another program would get."""
    field = QLineEdit(text)
    qtbot.addWidget(field)
    field.selectAll()
    field.copy()
    return QGuiApplication.clipboard().text()


def test_a_number_is_taken_out_of_the_clipboard_again(guarded: Guarded, qtbot: Any) -> None:
    guard = guarded(Policy(clear_clipboard_s=30))
    assert copy(qtbot, f"身份证 {NUMBER}") == f"身份证 {NUMBER}"
    assert 29_000 < guard.waiting_ms < 32_000
    data = QGuiApplication.clipboard().mimeData()
    assert data.data("x-kde-passwordManagerHint").data() == b"secret"
    assert data.hasFormat("ExcludeClipboardContentFromMonitorProcessing")
    guard.forget()
    assert QGuiApplication.clipboard().text() == ""
    assert guard.waiting_ms == -1


def test_the_clock_does_it_by_itself(guarded: Guarded, qtbot: Any) -> None:
    guarded(Policy(clear_clipboard_s=0))
    copy(qtbot, PHONE)
    qtbot.waitUntil(lambda: QGuiApplication.clipboard().text() == "", timeout=5000)


def test_what_was_copied_later_stays(guarded: Guarded, qtbot: Any) -> None:
    guard = guarded(Policy())
    copy(qtbot, NUMBER)
    copy(qtbot, "3411A-20261201-000001")
    guard.forget()
    assert QGuiApplication.clipboard().text() == "3411A-20261201-000001"


@pytest.mark.parametrize("text", ["3411A-20261201-000001", "110105********002X", "示范市老街 12 号"])
def test_case_numbers_masked_numbers_and_words_are_left_alone(guarded: Guarded, qtbot: Any, text: str) -> None:
    guard = guarded(Policy(copy_personal=False))
    assert copy(qtbot, text) == text
    assert guard.waiting_ms == -1


@pytest.mark.parametrize("text", [NUMBER, f"电话：{PHONE}。"])
def test_where_it_is_forbidden_nothing_is_copied_and_it_is_said(
    guarded: Guarded, qtbot: Any, told: list[str], text: str
) -> None:
    guarded(Policy(copy_personal=False))
    assert copy(qtbot, text) == ""
    assert told == ["按本机的个人信息保护规定，证件号码和电话不能复制。"]


def test_what_another_program_copied_is_not_touched(guarded: Guarded, qtbot: Any) -> None:
    guarded(Policy(copy_personal=False), ours=False)
    assert copy(qtbot, NUMBER) == NUMBER


def test_every_window_is_kept_out_of_pictures_once(qtbot: Any) -> None:
    refused: list[int] = []
    guard = CaptureGuard(refused.append)
    for _ in range(2):
        window = QWidget()
        qtbot.addWidget(window)
        window.show()
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusWindowChanged.emit(window.windowHandle())
        assert int(window.winId()) in refused
    assert len(refused) == len(set(refused)) >= 2
    guard.deleteLater()


def test_the_settings_page_says_the_rules_and_offers_no_change(qtbot: Any, tmp_path: Path) -> None:
    policy = Policy(keep_prints_days=3, save_diagnostics=False, source="/etc/govdesk/policy.json")
    window = shell_fakes.main_window(tmp_path, policy=policy)
    qtbot.addWidget(window)
    window.show()
    window.open_page(SETTINGS)
    page = window.view(SETTINGS)
    assert isinstance(page, SettingsPage)
    assert dict(page.rules)["打印文件夹里的文书"] == "3 天后删除"
    assert dict(page.rules)["依据"] == "/etc/govdesk/policy.json"
    window.close()


def test_old_papers_leave_the_print_folder(tmp_path: Path) -> None:
    now = shell_fakes.NOW
    for name, days in (("old.pdf", 8), ("new.pdf", 6)):
        (tmp_path / name).write_bytes(b"%PDF-")
        moment = (now - timedelta(days=days)).timestamp()
        os.utime(tmp_path / name, (moment, moment))
    PdfPrinter(lambda: "", tmp_path).drop_older(now - timedelta(days=7))
    assert [path.name for path in tmp_path.iterdir()] == ["new.pdf"]
    PdfPrinter(lambda: "", tmp_path / "none").drop_older(now)


def test_the_program_does_as_the_policy_says(tmp_path: Path) -> None:
    suite: Any = SimpleNamespace(policy=Policy(keep_pages_days=3, save_diagnostics=False))
    with Profile(tmp_path / "profile") as profile:
        store = Application._open_store(suite, profile, bytes(32), shell_fakes.clock())
        assert store.keep_pages == timedelta(days=3)
        store.close()
    assert "不能保存诊断包" in Application._save_bundle(suite)
