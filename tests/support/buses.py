"""A D-Bus of the test's own, and a process that says on it what logind or a screensaver would say."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.clean_env import clean_env

_PUBLISHER = """
import sys
from jeepney import DBusAddress, new_signal
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection
connection = open_dbus_connection(sys.argv[1])
for name in sys.argv[2].split(","):
    connection.send_and_get_reply(message_bus.RequestName(name))
print("ready", flush=True)
for line in sys.stdin:
    path, interface, name, signature, value = line.split()
    body = () if signature == "-" else (value == "true",)
    emitter = DBusAddress(path, interface=interface)
    connection.send(new_signal(emitter, name, None if signature == "-" else signature, body))
    print("said", flush=True)
"""


class Publisher:
    """Owns names on a bus and emits signals in them."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._hear("ready")

    def emit(self, path: str, interface: str, name: str, value: bool | None = None) -> None:
        assert self._process.stdin is not None
        sent = "- -" if value is None else f"b {str(value).lower()}"
        self._process.stdin.write(f"{path} {interface} {name} {sent}\n")
        self._process.stdin.flush()
        self._hear("said")

    def _hear(self, word: str) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == word


@contextmanager
def bus(folder: Path) -> Iterator[str]:
    """The address of a private bus; skips, with the reason, where there is no dbus-daemon."""
    daemon = shutil.which("dbus-daemon")
    if daemon is None:
        pytest.skip("dbus-daemon is not installed: nothing is proven about the system's lock here")
    folder.mkdir(parents=True, exist_ok=True)
    command = [daemon, "--session", "--nofork", "--nopidfile", "--print-address", f"--address=unix:path={folder}/bus"]
    with subprocess.Popen(command, env=clean_env(folder / "home"), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@contextmanager
def publisher(address: str, folder: Path, *names: str) -> Iterator[Publisher]:
    """A process that owns ``names`` on the bus at ``address``."""
    command = [sys.executable, "-c", _PUBLISHER, address, ",".join(names)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=clean_env(folder), text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield Publisher(process)
        finally:
            process.kill()
