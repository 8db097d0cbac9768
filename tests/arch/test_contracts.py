"""The import contracts hold, and each of them breaks when it is violated."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from installer.environment import ROOT
from modules.common.manifest import load_all
from tests.support.clean_env import clean_env

CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
CONTRACTS = {contract["id"]: contract for contract in CONFIG["contracts"]}
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"

VIOLATIONS = [
    ("floors", "client/app.py", "import client.__main__"),
    ("floors", "client/shell/intruder.py", "import client.app"),
    ("floors", "client/shell/intruder.py", "import client.driver"),
    ("floors", "client/driver/intruder.py", "import client.shell"),
    ("floors", "modules/acceptance/intruder.py", "import client.shell"),
    ("floors", "client/widgets/intruder.py", "import modules.acceptance"),
    ("floors", "sync/intruder.py", "import client.widgets"),
    ("floors", "sync/intruder.py", "import devices"),
    ("floors", "devices/intruder.py", "import sync.protocol"),
    ("floors", "client/data/intruder.py", "import sync.protocol"),
    ("floors", "client/tasks/intruder.py", "import client.data"),
    ("floors", "client/kernel/intruder.py", "import client.tasks"),
    ("floors", "modules/common/intruder.py", "import client.kernel"),
    ("modules", "modules/acceptance/intruder.py", "import modules.people"),
    ("modules", "modules/people/intruder.py", "import modules.acceptance"),
    ("inside", "modules/acceptance/domain/cases/words.py", "import modules.acceptance.services"),
    ("inside", "modules/acceptance/services/intruder.py", "import modules.acceptance.ui"),
    ("inside", "modules/acceptance/ui/intruder.py", "import modules.acceptance.module"),
    *(
        ("no-qt", place, "from PySide6.QtCore import QObject")
        for place in (
            "client/kernel/intruder.py",
            "client/data/intruder.py",
            "client/tasks/intruder.py",
            "devices/intruder.py",
            "sync/intruder.py",
            "server_stub/intruder.py",
            "modules/common/intruder.py",
            "modules/acceptance/domain/cases/words.py",
            "modules/acceptance/services/intruder.py",
            "modules/acceptance/server/jobs.py",
        )
    ),
    ("pure", "modules/acceptance/domain/cases/words.py", "def late():\n    import sqlalchemy"),
    ("pure", "modules/acceptance/domain/cases/words.py", "from time import time"),
    ("common", "modules/common/intruder.py", "from sqlalchemy.orm import Session"),
    ("common", "modules/common/intruder.py", "def late():\n    import requests"),
    ("kernel", "client/kernel/intruder.py", "import keyring"),
    ("server", "server_stub/intruder.py", "import sync.engine"),
    ("server", "server_stub/intruder.py", "import modules.acceptance.domain"),
    ("server", "server_stub/intruder.py", "import client.kernel"),
    ("server-parts", "modules/acceptance/server/jobs.py", "import modules.acceptance.services"),
    ("server-parts", "modules/acceptance/server/jobs.py", "import client.kernel"),
    ("server-parts", "modules/acceptance/server/jobs.py", "import sync.engine"),
    ("nobody-imports-server", "client/intruder.py", "def late():\n    import server_stub"),
    ("nobody-imports-server", "modules/people/intruder.py", "import server_stub"),
]


def lint(folder: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """import-linter's verdict on the packages in ``folder``."""
    environ = clean_env(home, PYTHONPATH=str(folder), COLUMNS="200")
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-logo", "--cache-dir", str(home), *arguments],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages that may be spoiled."""
    folder = tmp_path_factory.mktemp("house")
    for package in CONFIG["root_packages"]:
        only_code = shutil.ignore_patterns("__pycache__", "seeds")
        shutil.copytree(ROOT / package, folder / package, ignore=only_code)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_all_contracts_hold(house: Path, tmp_path: Path) -> None:
    verdict = lint(house, tmp_path)
    assert verdict.returncode == 0, verdict.stdout
    assert f"{len(CONTRACTS)} kept, 0 broken" in verdict.stdout


@pytest.mark.parametrize(("contract", "place", "line"), VIOLATIONS)
def test_a_violated_contract_breaks(house: Path, tmp_path: Path, contract: str, place: str, line: str) -> None:
    spoiled = house / place
    before = spoiled.read_bytes() if spoiled.exists() else None
    spoiled.write_text(f"{before.decode() if before else ''}\n\n{line}\n", "utf-8")
    try:
        verdict = lint(house, tmp_path, "--contract", contract)
    finally:
        spoiled.unlink() if before is None else spoiled.write_bytes(before)
    assert f"{CONTRACTS[contract]['name']} BROKEN" in verdict.stdout, verdict.stdout + verdict.stderr


def test_every_contract_is_shown_to_break() -> None:
    assert {contract for contract, _, _ in VIOLATIONS} == set(CONTRACTS)


def test_the_contracts_name_every_module() -> None:
    manifests, _ = load_all()
    modules = {f"modules.{manifest.id}" for manifest in manifests}
    assert set(CONTRACTS["modules"]["modules"]) == modules
    assert modules <= set(CONTRACTS["server"]["forbidden_modules"])
    assert " | ".join(sorted(modules)) in CONTRACTS["floors"]["layers"]
