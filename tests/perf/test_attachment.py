"""A gigabyte through twenty kills: what is sent again, and what memory it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.perf.harness import report
from tests.support.sending import MIB, run

pytestmark = pytest.mark.perf
SIZE, KILLS = 1024 * MIB, 20


def test_a_gigabyte_through_twenty_kills(tmp_path: Path) -> None:
    verdict = run(tmp_path, SIZE, KILLS, seed=1, limit_s=1800)
    report(f"1 GB through {KILLS} kills {verdict.kills}, sent again", verdict.again * 100, "%", 5)
    for kind in ("client", "server"):
        report(f"memory of the {kind}, peak", verdict.peak_mib[kind], "MiB", 256)
        report(f"memory of the {kind}, growth while sending", verdict.growth_mib[kind], "MiB", 64)
    report("megabytes a second, kills and restarts included", SIZE / MIB / verdict.seconds, "MB/s", 1)
    assert verdict.whole
    assert not verdict.seen_early
    assert verdict.again <= 0.05
    assert max(verdict.growth_mib.values()) <= 64
