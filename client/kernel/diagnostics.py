"""The diagnostic bundle (诊断包): what those who mend the program need, and nothing about people."""

from __future__ import annotations

import json
import platform
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from client.kernel.logs import FAULT_FILE, LOG_FILE, mask
from client.kernel.registry import Failure
from client.kernel.settings import Settings
from modules.common.manifest import Manifest

LINES = 2000
"""How many of the last lines of a log go into the bundle."""
_PACKAGES = ("PySide6-Essentials", "SQLAlchemy", "alembic", "sqlcipher3-wheels", "cryptography", "requests")


def versions() -> dict[str, str]:
    """The versions of the system, Python and the main packages."""
    found = {"system": platform.platform(), "python": sys.version.split()[0]}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = ""
    return found


def write_bundle(
    target: Path,
    *,
    settings: Settings,
    logs: Path,
    manifests: Iterable[Manifest],
    failures: Iterable[Failure] = (),
    facts: Mapping[str, str] | None = None,
) -> Path:
    """Write the bundle to ``target`` (a zip) and return it. Raises ``OSError``.

    Settings are the registered ones alone; each text is masked again, whoever wrote it. ``facts`` are
    further lines about this run, such as the state of the devices.
    """
    import zipfile

    parts = {
        "about.json": {**versions(), **(facts or {})},
        "settings.json": {spec.key: settings.get(spec) for spec in settings.specs},
        "modules.json": [
            {"id": manifest.id, "name": manifest.name, "api": manifest.api, "mark": manifest.mark}
            for manifest in manifests
        ],
        "failures.json": [{"module": failure.module, "diagnostics": failure.diagnostics} for failure in failures],
    }
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, part in parts.items():
            bundle.writestr(name, mask(json.dumps(part, ensure_ascii=False, indent=1)))
        for name in (LOG_FILE, FAULT_FILE):
            bundle.writestr(name, mask(_tail(logs / name)))
    return target


def _tail(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open(encoding="utf-8", errors="replace") as file:
        return "".join(deque(file, LINES))
