"""Start-up imports only what a sign-in window needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from installer.environment import ROOT
from modules.common.manifest import installed
from tests.support.clean_env import clean_env

HEAVY = {
    "sqlalchemy",
    "requests",
    "reportlab",
    "alembic",
    "cryptography",
    "argon2",
    "keyring",
    "jsonschema",
    "cv2",
    "numpy",
    "openpyxl",
    "docx",
    "pypinyin",
    "lxml",
    "pypdfium2",
}
SHELL = sorted(f"client.shell.{path.stem}" for path in (ROOT / "client/shell").glob("[!_]*.py"))


def loaded_by(home: Path, *names: str) -> set[str]:
    """The modules that a fresh interpreter holds after it imported ``names``."""
    code = f"import sys, json, {', '.join(names)}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean_env(home), cwd=home, capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("name", ["client.__main__", "client.app", *SHELL])
def test_start_up_imports_nothing_heavy_and_no_module(name: str, tmp_path: Path) -> None:
    loaded = loaded_by(tmp_path, name)
    modules = tuple(f"modules.{manifest.id}." for manifest in installed())
    assert not HEAVY & loaded
    assert not {name for name in loaded if name.startswith(modules)}


def test_what_is_loaded_is_seen(tmp_path: Path) -> None:
    assert "jsonschema" in loaded_by(tmp_path, "client.kernel.contract", "jsonschema")


def test_manifests_are_read_without_importing_modules(tmp_path: Path) -> None:
    loaded = loaded_by(tmp_path, "modules.common.manifest")
    assert not {name for name in loaded if name.startswith("modules.") and not name.startswith("modules.common")}
