"""Rows that wrap: in one line where there is room, below each other where there is none."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtWidgets import QApplication, QLabel, QVBoxLayout, QWidget

from client.widgets.flow import beside, flowing


def row(qtbot: Any, width: int, *, apart: bool = False) -> tuple[QWidget, QWidget, list[QLabel]]:
    labels = [QLabel("受理" * 3) for _ in range(3)]
    around = QWidget()
    column = QVBoxLayout(around)
    column.setContentsMargins(0, 0, 0, 0)
    box = flowing(*labels, apart=apart)
    column.addWidget(box)
    column.addStretch(1)
    qtbot.addWidget(around)
    around.resize(width, 300)
    around.show()
    return around, box, labels


@pytest.mark.parametrize("apart", [False, True])
def test_what_has_no_room_beside_stands_below(qtbot: Any, apart: bool) -> None:
    around, box, labels = row(qtbot, 120, apart=apart)
    assert around.isVisible()
    assert len({label.y() for label in labels}) == 3
    assert {label.x() for label in labels} == {0}
    assert box.height() >= sum(label.height() for label in labels)


def test_the_last_one_stands_apart_where_one_line_is_enough(qtbot: Any) -> None:
    around, box, labels = row(qtbot, 600, apart=True)
    assert len({label.y() for label in labels}) == 1
    assert around.isVisible()
    assert labels[1].geometry().right() < 300
    assert labels[2].geometry().right() == box.width() - 1


def test_together_they_stand_from_the_beginning(qtbot: Any) -> None:
    around, _, labels = row(qtbot, 600)
    assert around.isVisible()
    assert labels[2].geometry().right() < 500


def test_what_is_hidden_takes_no_room(qtbot: Any) -> None:
    around, box, labels = row(qtbot, 600, apart=True)
    wide = box.sizeHint().width()
    labels[2].hide()
    assert box.sizeHint().width() < wide
    QApplication.processEvents()
    assert around.isVisible()
    assert labels[1].geometry().right() == box.width() - 1


def test_beside_keeps_them_in_one_line(qtbot: Any) -> None:
    one, other = QLabel("受理"), QLabel("办件")
    box = beside(one, other)
    qtbot.addWidget(box)
    box.show()
    assert one.y() == other.y()
    assert other.x() > one.geometry().right()
