"""What every test is held to: nothing it started may still run when it ends."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from client.tasks.lanes import live

GRACE = 5.0
"""Seconds that a thread which has been told to end may take."""
# threads that belong to a library's own loop and end with it, not with a test
LIBRARY_THREADS = ("asyncio_", "AnyIO worker thread", "pytest_timeout")

if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def _left(before: set[threading.Thread]) -> list[str]:
    threads = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
    return [thread.name for thread in threads if not thread.name.startswith(LIBRARY_THREADS)] + live()


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Fail a test that leaves a thread or a job of a lane behind."""
    before = set(threading.enumerate())
    yield
    end = time.monotonic() + GRACE
    while (left := _left(before)) and time.monotonic() < end:
        time.sleep(0.01)
    assert not left, f"still running: {left}"
