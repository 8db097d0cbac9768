"""What the contract suites share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def brief_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that goes on for minutes is no answer to a client in this process that reads it to its end."""
    monkeypatch.setattr("server_stub.nudges.LIVES_S", 0.0)
