"""A large file on its way, both ends killed again and again: it arrives whole, once, and hardly a part of it twice."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sync.pages import PART_MOST
from tests.support.sending import MIB, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kills by signal, memory by /proc")


@pytest.mark.parametrize(
    ("size", "kills"),
    [(16 * MIB + 12345, 4), pytest.param(512 * MIB, 20, marks=pytest.mark.full)],
    ids=["short", "long"],
)
def test_a_file_outlasts_kills_of_both_ends(tmp_path: Path, size: int, kills: int) -> None:
    verdict = run(tmp_path, size, kills, seed=4, limit_s=600)
    assert verdict.whole, "what the server shows is what was sent"
    assert not verdict.seen_early, "it is invisible until it is whole"
    assert sum(verdict.kills.values()) == kills
    assert verdict.sent - size <= kills * PART_MOST, verdict
    # the memory that it takes has nothing to do with its size
    assert max(verdict.growth_mib.values()) < 64, verdict
