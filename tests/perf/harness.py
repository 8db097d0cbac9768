"""Measures programs in fresh processes: processor time with children, and memory.

Processor time and memory of a process are steadier than the clock on a busy machine; the least of several
runs is what the program needs when nothing disturbs it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RUNS = 7
# a small parent: a child's greatest memory counts from what its parent held when it was started
LAUNCHER = """
import json, os, subprocess, sys
process = subprocess.Popen(json.loads(sys.argv[1]), stdin=0, stdout=subprocess.PIPE)
said = process.stdout.read().decode("utf-8")
_, status, used = os.wait4(process.pid, 0)
json.dump({"status": os.waitstatus_to_exitcode(status), "cpu_ms": (used.ru_utime + used.ru_stime) * 1000,
           "peak_mib": used.ru_maxrss / 1024, "said": said}, sys.stdout)
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One program's need. ``said`` is what it printed as its last line of JSON, in the cheapest run."""

    cpu_ms: float
    peak_mib: float
    said: dict[str, Any]

    @property
    def rss_mib(self) -> float:
        """What the program held when it was ready, by its own account."""
        return float(self.said["rss_mib"])


def once(command: Sequence[str], env: Mapping[str, str], stdin: str = "") -> Measured:
    """Run ``command`` to its end. Raises ``AssertionError`` when it fails."""
    launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER, json.dumps(list(command))]
    done = subprocess.run(launcher, env=dict(env), input=stdin, stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout)
    assert result["status"] == 0, f"{command} ended with {result['status']}"
    return Measured(result["cpu_ms"], result["peak_mib"], json.loads(result["said"].splitlines()[-1]))


def least(commands: Mapping[str, Sequence[str]], env: Mapping[str, str], stdin: str = "") -> dict[str, Measured]:
    """The cheapest of ``RUNS`` runs of each command, in turns, so that a disturbance hits all alike."""
    for command in commands.values():
        once(command, env, stdin)  # the first reads from disk and writes byte code
    rounds = [{name: once(command, env, stdin) for name, command in commands.items()} for _ in range(RUNS)]
    return {name: min((each[name] for each in rounds), key=lambda measured: measured.cpu_ms) for name in commands}


def processor_seconds(pid: int) -> float:
    """Processor time that a running process has used so far. Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(what: str, value: float, unit: str, goal: float) -> None:
    """One line: what was measured, its goal, and their ratio."""
    sys.stdout.write(f"\n{what:52} {value:8.1f} {unit:4} goal {goal:6.1f}   {value / goal:5.2f} of the goal")
    sys.stdout.flush()
