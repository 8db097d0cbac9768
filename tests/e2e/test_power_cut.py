"""No printed receipt without its case, whenever the power fails (E3): each moment of a day is tried as the last."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.powercut import sweep
from tests.support.powercut.scenario import MUTANTS

pytestmark = pytest.mark.skipif(bool(sweep.missing()), reason=sweep.missing() or "-")
FOUND = {
    "synchronous-off": "has no case",
    "synchronous-normal": "has no case",
    "printed-early": "has no case",
    "unsynced-files": "settings went back",
}


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return sweep.build(tmp_path_factory.mktemp("tools"))


def broken(tools: tuple[Path, Path], folder: Path, scenario: str, mutant: str = "", *, thorough: bool) -> list[str]:
    """All that does not hold after any cut of the scenario, with the cut."""
    recorded = sweep.record(tools, folder / "recorded", scenario, mutant)
    chosen = list(sweep.cuts(recorded.ops, thorough=thorough))
    found = sweep.sweep(recorded, chosen, folder / "cuts")
    sys.stdout.write(f"{scenario}: {len(recorded.ops)} records, {len(chosen)} cuts, {len(found)} broken\n")
    assert len(chosen) > 20
    return [f"{cut}: {fault}" for cut, faults in found.items() for fault in faults]


@pytest.mark.parametrize("scenario", ["day", "upgrade"])
def test_what_was_promised_is_there_after_a_cut(tools: tuple[Path, Path], tmp_path: Path, scenario: str) -> None:
    assert broken(tools, tmp_path, scenario, thorough=False) == []


@pytest.mark.full
@pytest.mark.parametrize("scenario", ["day", "upgrade"])
def test_what_was_promised_is_there_after_any_cut(tools: tuple[Path, Path], tmp_path: Path, scenario: str) -> None:
    assert broken(tools, tmp_path, scenario, thorough=True) == []


@pytest.mark.parametrize(
    "mutant", [pytest.param(name, marks=() if name == "synchronous-normal" else pytest.mark.full) for name in MUTANTS]
)
def test_who_does_not_wait_for_the_disk_is_convicted(tools: tuple[Path, Path], tmp_path: Path, mutant: str) -> None:
    faults = broken(tools, tmp_path, "day", mutant, thorough=False)
    assert any(FOUND[mutant] in fault for fault in faults)
