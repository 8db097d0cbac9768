"""Real servers for tests: the program itself on a free port, and a private PostgreSQL where one is installed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
QUICK = "argon2_time = 1\nargon2_memory_kib = 64\nsign_ins_per_minute_device = 600\n"
"""Settings for tests: hashing that costs nothing."""
START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Where a server is. ``codes`` maps a window's or room's name to its enrolment code (demo only)."""

    url: str
    ca: Path
    codes: Mapping[str, str]
    process: subprocess.Popen[bytes]
    data: Path


@contextmanager
def server(
    tmp: Path, database: str | None = None, demo: bool = True, settings: str = QUICK, ready: str = "ready.json"
) -> Iterator[RunningServer]:
    """Start the real process with its data in ``tmp/server``, wait for it, and stop it by SIGTERM."""
    data = tmp / "server"
    data.mkdir(parents=True, exist_ok=True)
    (data / "server.toml").write_text(settings, "utf-8")
    ready_file = tmp / ready
    command = [sys.executable, "-m", "server_stub", "--data", str(data), "--ready-file", str(ready_file)]
    command += ["--database", database] if database else []
    command += ["--demo"] if demo else []
    output = (tmp / "server.out").open("ab")
    process = subprocess.Popen(command, cwd=PROJECT, stdout=output, stderr=output)
    try:
        said = _wait(process, ready_file, tmp / "server.out")
        codes = {code["name"]: code["code"] for code in said.get("enrolment_codes", ())}
        yield RunningServer(said["url"], Path(said["ca"]), codes, process, data)
        if process.poll() is None:
            process.terminate()
            assert process.wait(30) == 0, (tmp / "server.out").read_text("utf-8")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        output.close()


def _wait(process: subprocess.Popen[bytes], ready: Path, output: Path) -> dict[str, Any]:
    deadline = time.monotonic() + START_SECONDS
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the server did not start:\n{output.read_text('utf-8')}")
        time.sleep(0.02)
    said: dict[str, Any] = json.loads(ready.read_text("utf-8"))
    return said


def _postgres_tools() -> Path | None:
    """The newest installed PostgreSQL's programs, at least 15."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found and int(found[-1].parts[-3]) >= 15:
        return found[-1].parent
    linked = shutil.which("initdb")
    return Path(linked).resolve().parent if linked else None


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database in a private PostgreSQL; skips, with the reason, where none is installed."""
    tools = _postgres_tools()
    if tools is None:
        pytest.skip("PostgreSQL 15 is not installed: nothing is proven about it here")
    # PostgreSQL refuses to run as root, and its user must be able to reach the folder
    demoted = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="govdesk-pg-"))
    if demoted:
        shutil.chown(folder, "nobody")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    cluster = folder / "data"
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"

    def run(*command: str | Path) -> None:
        subprocess.run([*demoted, *command], check=True, cwd=folder, stdout=subprocess.DEVNULL)

    try:
        run(tools / "initdb", "-D", cluster, "-U", "govdesk", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        run(tools / "pg_ctl", "-D", cluster, "-o", options, "-l", folder / "log", "-w", "start")
        try:
            run(tools / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "govdesk", "govdesk")
            yield f"postgresql://govdesk@127.0.0.1:{port}/govdesk"
        finally:
            run(tools / "pg_ctl", "-D", cluster, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)
