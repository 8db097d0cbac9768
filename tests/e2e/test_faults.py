"""Nothing lost, nothing doubled, while counters and server are killed and the line is sabotaged (A06, E3)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.faults import run

MUTANT = "tests.support.mutant_server"


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_cases_survive_kills_on_both_sides_exactly_once(tmp_path: Path) -> None:
    verdict = run(tmp_path, counters=2, each=20, client_kills=5, server_kills=3, seed=11)
    assert not verdict.problems
    assert verdict.accepted == 40
    assert verdict.stored >= 40
    assert (verdict.client_kills, verdict.server_kills) == (5, 3)


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_the_same_run_convicts_a_server_that_deduplicates_in_another_transaction(tmp_path: Path) -> None:
    kills = {"client_kills": 0, "server_kills": 4}
    verdict = run(tmp_path, counters=2, each=10, **kills, seed=11, server_module=MUTANT, limit_s=60)
    assert verdict.problems


@pytest.mark.full
@pytest.mark.parametrize("seed", range(4))
def test_longer_runs_with_other_seeds(tmp_path: Path, seed: int) -> None:
    verdict = run(tmp_path, counters=4, each=120, client_kills=30, server_kills=12, seed=seed, limit_s=600)
    assert not verdict.problems
    assert verdict.accepted == 480
