"""A large file through kills: a counter and the server, real processes, killed in turns while the file is on its way.

    python -m tests.support.sending PROFILE FILE TALLY

is the counter: it keeps FILE once, sends what waits, and exits 0 when nothing does. Every byte that it hands to the
line is counted in TALLY, which outlives it.
"""

from __future__ import annotations

import hashlib
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from client.data.blobs import Blobs
from client.data.profile import Profile
from client.driver.parts import PROJECT, Part
from modules.common.clock import SystemClock
from modules.common.errors import GovDeskError
from server_stub.blobs.files import SealedFiles, damaged_in
from server_stub.config import Config
from server_stub.database import Database
from sync.accounts import Accounts
from sync.pages import PagePump
from sync.transport import HttpTransport
from sync.uploads import Uploads
from tests.support.faults.counter import CHEAP, PASSWORD
from tests.support.servers import QUICK

LOGIN = "zhangsan"
MIB = 1024 * 1024


class Counted(Uploads):
    """Uploads that count, before they send."""

    tally: Path

    def create(self, sha256: str, size: int, first: bytes) -> int:
        self._count(first)
        return super().create(sha256, size, first)

    def append(self, sha256: str, size: int, offset: int, data: bytes) -> int:
        self._count(data)
        return super().append(sha256, size, offset, data)

    def _count(self, data: bytes) -> None:
        with self.tally.open("a", encoding="ascii") as file:
            file.write(f"{len(data)}\n")


def main(profile_path: str, file: str, tally: str) -> int:
    """The counter."""
    accounts = Accounts(Profile(Path(profile_path)), SystemClock(), cost=CHEAP)
    while True:
        try:
            store = accounts.sign_in(LOGIN, PASSWORD).store
            break
        except GovDeskError as error:
            if not error.code.startswith("NET-"):
                raise
            time.sleep(0.1)
    transport = accounts.transport
    assert isinstance(transport, HttpTransport)
    uploads = Counted(transport, lambda: store.statement)
    uploads.tally = Path(tally)
    blobs = Blobs(store, uploads.fetch)
    kept = Path(file).with_suffix(".kept")
    if not kept.exists():
        Path(file).with_suffix(".memory").write_text(str(_now("self")), "ascii")
        kept.write_text(blobs.put_file(Path(file)).sha256, "ascii")
    pump = PagePump(blobs, uploads, rng=random.Random())
    while blobs.waiting():
        time.sleep(min(0.2, pump.step()))
    accounts.close()
    return 0


@dataclass
class Verdict:
    """What became of it, in bytes. ``growth_mib``: how much each process's peak was above what it held before."""

    size: int
    sent: int = 0
    kills: dict[str, int] = field(default_factory=dict)
    whole: bool = False
    seen_early: bool = False
    peak_mib: dict[str, float] = field(default_factory=dict)
    growth_mib: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def again(self) -> float:
        """The share that was sent more than once."""
        return self.sent / self.size - 1


class Memory:
    """The peak of all processes of one kind, and what one of them held before the file was begun."""

    def __init__(self) -> None:
        self.before = self.peak = 0.0

    def look(self, pid: int) -> None:
        try:
            status = Path(f"/proc/{pid}/status").read_text("ascii")
        except OSError:
            return
        self.peak = max(self.peak, _memory(status, "VmHWM"))


def _memory(status: str, what: str) -> float:
    """MiB in a process's ``/proc/<pid>/status``; 0 for one that has ended."""
    line = next((line for line in status.splitlines() if line.startswith(what)), "- 0")
    return int(line.split()[1]) / 1024


def _now(pid: int | str) -> float:
    return _memory(Path(f"/proc/{pid}/status").read_text("ascii"), "VmRSS")


def document(path: Path, size: int) -> str:
    """A PDF by its head, no two of its megabytes alike; its SHA-256."""
    digest, block = hashlib.sha256(), random.Random(size).randbytes(MIB)
    with path.open("wb") as file:
        for number in range(-(-size // MIB)):
            head = b"%PDF-1.7" if number == 0 else number.to_bytes(8, "big")
            piece = (head + block[8:])[: size - number * MIB]
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def run(folder: Path, size: int, kills: int, seed: int, limit_s: float, server_module: str = "server_stub") -> Verdict:
    """Send a file of ``size`` bytes through ``kills`` kills, half of them the server's."""
    rng = random.Random(seed)
    file, tally = folder / "scan.pdf", folder / "tally"
    name = document(file, size)
    data = folder / "server"
    data.mkdir()
    (data / "server.toml").write_text(QUICK, "utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (folder / "parts.log").open("ab")
    server = Part(server_module, "--data", str(data), "--demo", "--port", str(port), folder=folder, log=log)
    verdict = Verdict(size, kills={"client": 0, "server": 0})
    memories = {"client": Memory(), "server": Memory()}
    with Profile(folder / "profile") as profile:
        accounts = Accounts(profile, SystemClock(), cost=CHEAP)
        accounts.enrol(f"https://127.0.0.1:{port}", server.said["enrolment_codes"][0]["code"], "1号窗")
        accounts.sign_in(LOGIN, PASSWORD)
        accounts.close()
    memories["server"].before = _now(server.process.pid)

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.support.sending", str(folder / "profile"), str(file), str(tally)]
        return subprocess.Popen(command, cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)}, stderr=log)

    whole = data / "files" / name[:2] / name
    began = time.monotonic()
    client = start()
    try:
        marks = [size * (n + rng.random() * 0.9) / kills for n in range(kills)]
        order = rng.sample(["client", "server"] * (kills - kills // 2), kills)
        for mark, which in zip(marks, order, strict=True):
            _until(lambda mark=mark: _arrived(data, name) >= mark, memories, server, client, began + limit_s)  # type: ignore[misc]
            verdict.seen_early |= whole.exists()
            verdict.kills[which] += 1
            if which == "server":
                server.kill_and_restart()
            else:
                client.kill()
                client.wait()
                client = start()
        _until(lambda: client.poll() is not None, memories, server, client, began + limit_s)
        assert client.returncode == 0, (folder / "parts.log").read_text("utf-8")[-3000:]
    finally:
        client.kill()
        client.wait()
        server.stop()
        log.close()
    verdict.seconds = time.monotonic() - began
    verdict.sent = sum(map(int, tally.read_text("ascii").split()))
    verdict.whole = whole.exists() and not _damaged(data)
    memories["client"].before = float(file.with_suffix(".memory").read_text("ascii"))
    for kind, memory in memories.items():
        verdict.peak_mib[kind], verdict.growth_mib[kind] = memory.peak, memory.peak - memory.before
    return verdict


def _damaged(data: Path) -> list[str]:
    config = Config(data)
    database = Database(config.url, config.master_key)
    try:
        database.unlock()
        return damaged_in(data / "files", SealedFiles(database.sealing))
    finally:
        database.close()


def _arrived(data: Path, name: str) -> int:
    return sum(path.stat().st_size for path in (data / "files" / "incoming").glob(f"*.{name}"))


def _until(
    true: Callable[[], bool],
    memories: dict[str, Memory],
    server: Part,
    client: subprocess.Popen[bytes],
    deadline: float,
) -> None:
    while not true():
        memories["server"].look(server.process.pid)
        memories["client"].look(client.pid)
        assert time.monotonic() < deadline, "it never arrives"
        assert client.poll() is None or client.returncode == 0, "the counter ended"
        time.sleep(0.005)


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
