"""The environment of every process that a test starts: nothing of the person at the machine is in it."""

from __future__ import annotations

from pathlib import Path

from installer.environment import clean_environ


def clean_env(home: Path, **more: str) -> dict[str, str]:
    """A process environment whose personal folders are all in ``home``, without a display, with ``more`` added."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return clean_environ(home) | more
