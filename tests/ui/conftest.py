"""Qt for tests of views: one theme, and no message from Qt that nobody expects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication

from client.widgets.theme import Theme

EXPECTED = (
    "This plugin does not support propagateSizeHints()",  # the offscreen platform has no window manager
    "This plugin does not support raise()",
    "This plugin does not support grabbing the keyboard",
)


@pytest.fixture(scope="session")
def look(qapp: QApplication) -> Theme:
    """The one theme of the test process."""
    return Theme(qapp)


@pytest.fixture(autouse=True)
def theme(look: Theme) -> Theme:
    """The theme, light and at 100 % whatever the test before did."""
    if look.changing or (look.choice, look.palette_name, look.zoom) != ("light", "light", 1.0):
        look.apply("light")
    return look


@pytest.fixture(autouse=True)
def tidy(theme: Theme) -> Iterator[None]:
    """Let what a test has closed go before the next begins.

    What waits for its end still hears of a new look; the collector may have emptied its Python half by then.
    """
    yield
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture(autouse=True)
def quiet_qt(qtlog: Any) -> Iterator[None]:
    """Fail a test in which Qt warned of what is not expected (``qt_log_ignore`` marks what a test provokes)."""
    yield
    told = [record.message for record in qtlog.records if not record.ignored and record.message not in EXPECTED]
    assert not told, told
