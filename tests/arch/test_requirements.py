"""The locked lists: hashed, hostless, sufficient, and under licences that may be shipped."""

from __future__ import annotations

import re
import sys
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from installer import sources
from installer.environment import ROOT

RUNTIME, DEV = "requirements.lock", "requirements-dev.lock"
# the classifier's or expression's words of licences that may be shipped with a program of any licence
PERMITTED = re.compile(
    r"\b(MIT|0?BSD|Apache|ISC|PSF|Python Software Foundation|LGPL|GNU Lesser|MPL|Mozilla|HPND|Unlicense|zlib|CC0)\b",
    re.I,
)
OURS = set(sources.PACKAGES)


def locked(name: str) -> list[tuple[Requirement, int]]:
    """The requirements of a lock file, each with the number of its hashes."""
    entries = (ROOT / name).read_text("utf-8").replace("\\\n", " ").splitlines()
    return [
        (Requirement(line.split(" --hash")[0]), line.count("--hash=sha256:")) for line in entries if line[:1].isalnum()
    ]


def licence(distribution: metadata.Distribution) -> str:
    """What a distribution's metadata says of its licence."""
    said = distribution.metadata
    expression = said.get("License-Expression") or ""
    classifiers = [line for line in said.get_all("Classifier") or [] if line.startswith("License")]
    return expression or " ".join(classifiers) or (said.get("License") or "")[:200]


@pytest.mark.parametrize("name", [RUNTIME, DEV])
def test_every_requirement_is_pinned_and_hashed(name: str) -> None:
    for requirement, hashes in locked(name):
        assert str(requirement.specifier).startswith("=="), requirement
        assert hashes, requirement


@pytest.mark.parametrize("name", [RUNTIME, DEV])
def test_a_lock_names_no_host(name: str) -> None:
    assert "://" not in (ROOT / name).read_text("utf-8")


def test_the_checks_run_on_what_the_product_runs_on() -> None:
    product = {str(requirement) for requirement, _ in locked(RUNTIME)}
    assert product <= {str(requirement) for requirement, _ in locked(DEV)}


def test_everything_imported_is_in_the_product_s_list() -> None:
    owners = metadata.packages_distributions()
    product = {re.sub(r"[-_.]+", "-", requirement.name).lower() for requirement, _ in locked(RUNTIME)}
    strangers = {
        (place, name)
        for place, name in sources.imports()
        if (top := name.partition(".")[0]) not in sys.stdlib_module_names | OURS
        and not product & {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners.get(top, ())}
    }
    assert not strangers


def test_every_licence_may_be_shipped() -> None:
    refused = {}
    for requirement, _ in locked(RUNTIME):
        if requirement.marker is None or requirement.marker.evaluate():
            said = licence(metadata.distribution(requirement.name))
            if not PERMITTED.search(said):
                refused[requirement.name] = said
    assert not refused


@pytest.mark.parametrize(
    ("said", "permitted"),
    [
        ("MIT", True),
        ("LGPL-3.0-only OR GPL-2.0-only", True),
        ("License :: OSI Approved :: BSD License", True),
        ("GPL-3.0-or-later", False),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", False),
        ("AGPL-3.0", False),
        ("", False),
    ],
)
def test_licences_are_told_apart(said: str, permitted: bool) -> None:
    assert bool(PERMITTED.search(said)) is permitted
