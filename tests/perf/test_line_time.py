"""What it costs a counter and the server to be sure of each other: a new line with and without a device's certificate,
and a question on a line that is kept.

Processor time of both sides, which share this process; the application answers at once, so all of it is the line's.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from client.data.credential import trusting
from server_stub import tls
from sync.transport import HttpTransport, Nobody
from tests.perf.harness import report
from tests.support.lines import caller, listening

pytestmark = pytest.mark.perf
LINES, QUESTIONS = 200, 2000
GOAL_MS = 10.0
GOAL_RATIO = 0.5


@dataclass(slots=True)
class Device(Nobody):
    """Somebody with a certificate."""

    shown: Path = Path()

    def context(self) -> ssl.SSLContext:
        made = trusting(self.ca)
        made.load_cert_chain(self.shown)
        return made


def cost(times: int, work: Callable[[], object]) -> float:
    """Milliseconds of processor time for each of so many, the least of three rounds."""
    rounds = []
    for _ in range(3):
        before = time.process_time()
        for _ in range(times):
            work()
        rounds.append((time.process_time() - before) * 1000 / times)
    return min(rounds)


def test_a_line_and_what_it_is_kept_for(tmp_path: Path) -> None:
    made = tls.ensure(tmp_path / "tls", [], datetime.now(UTC))
    identity, _ = caller(made, tmp_path)
    with listening(made) as (host, port):
        url = f"https://{host}:{port}"
        nobody = HttpTransport(url, Nobody(made.ca))
        known = HttpTransport(url, Device(made.ca, pins=frozenset(made.pins), shown=identity))

        def anew(http: HttpTransport) -> None:
            http.close()
            http.ask("GET", "/")

        plain = cost(LINES, lambda: anew(nobody))
        mutual = cost(LINES, lambda: anew(known))
        known.ask("GET", "/")
        kept = cost(QUESTIONS, lambda: known.ask("GET", "/"))
        for http in (nobody, known):
            http.close()
    report("what the certificate and the pin add to a new line", mutual - plain, "ms CPU", GOAL_MS / 4)
    report("a new line with a device's certificate, both sides", mutual, "ms CPU", GOAL_MS)
    report("a question on a kept line, of that of a new one", kept / mutual, "times", GOAL_RATIO)
