"""The stand-in of the provincial catalogue as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.servers import PROJECT, START_SECONDS


@dataclass(frozen=True, slots=True)
class StandIn:
    """Where the catalogue is, and its keys."""

    url: str
    app: str
    key: str
    admin: str
    process: subprocess.Popen[bytes]

    def show(self, path: str, body: Any) -> None:
        """What its administrator does: ``items``, ``items/<code>/withdraw``, ``mode``."""
        answer = httpx.post(
            f"{self.url}/admin/{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.admin}"},
            timeout=60,
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text

    def settings(self) -> str:
        """What connects a central server to it."""
        return f'province_url = "{self.url}"\nprovince_app = "{self.app}"\nprovince_key = "{self.key}"\n'


@contextmanager
def stand_in(tmp: Path, port: int = 0) -> Iterator[StandIn]:
    """Start it with its data in ``tmp/province``, and stop it by SIGTERM."""
    ready = tmp / "province-ready.json"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "server_stub.standins.province", "--data", str(tmp / "province")]
    command += ["--ready-file", str(ready), "--port", str(port)]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the stand-in did not start")
            time.sleep(0.02)
        said = json.loads(ready.read_text("utf-8"))
        yield StandIn(said["url"], said["app"], said["key"], said["admin"], process)
        process.terminate()
        assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
