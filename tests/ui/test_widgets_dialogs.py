"""The dialog that asks for words: phrases help, nothing is sent empty, Esc leaves."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from client.widgets.dialogs import TextDialog


@pytest.fixture
def parent(qtbot: Any) -> QWidget:
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.show()
    return widget


def ask(parent: QWidget, **options: Any) -> tuple[TextDialog, list[str]]:
    dialog, given = TextDialog("退回", "理由", parent, **options), []
    dialog.given.connect(given.append)
    dialog.open()
    return dialog, given


def test_words_are_given_trimmed_by_ctrl_enter(qtbot: Any, parent: QWidget) -> None:
    dialog, given = ask(parent)
    QTest.keyClicks(dialog.text, "  ok ")
    QTest.keyClick(dialog.text, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert given == ["ok"]


def test_a_phrase_is_put_in_by_enter_and_can_be_added_to(qtbot: Any, parent: QWidget) -> None:
    dialog, given = ask(parent, phrases=["材料不清晰。", "请补充。"])
    dialog.phrases.setCurrentRow(1)
    QTest.keyClick(dialog.phrases, Qt.Key.Key_Return)
    QTest.keyClicks(dialog.text, "1")
    dialog.go.click()
    assert given in (["请补充。1"], ["1请补充。"])


def test_nothing_is_not_sent_and_says_what_is_needed(qtbot: Any, parent: QWidget) -> None:
    dialog, given = ask(parent, needed="请写明理由。", longest=3)
    dialog.go.click()
    assert given == []
    assert "请写明理由。" in [label.text() for label in dialog.findChildren(type(dialog._fault))]
    QTest.keyClicks(dialog.text, "four")
    dialog.go.click()
    assert given == []


def test_an_optional_text_may_stay_empty(qtbot: Any, parent: QWidget) -> None:
    dialog, given = ask(parent, optional=True, danger=True)
    dialog.go.click()
    assert given == [""]


def test_escape_gives_nothing(qtbot: Any, parent: QWidget) -> None:
    dialog, given = ask(parent)
    QTest.keyClicks(dialog.text, "x")
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert given == []
    assert not dialog.isVisible()
