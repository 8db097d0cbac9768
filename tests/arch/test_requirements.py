"""The locked lists: hashed, hostless, sufficient, and under licences that may be shipped."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
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
NO_ANSWER = re.compile(
    r"ServiceError|ConnectionError|Could not connect|timed out|Max retries|HTTP|Temporary failure", re.I
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


def test_the_page_of_licences_names_every_package_and_no_other() -> None:
    page = (ROOT / "docs" / "licences.md").read_text("utf-8").partition("## Package by package")[2]
    assert set(re.findall(r"`([\w.-]+)`", page.partition("| ---")[2])) == {
        requirement.name for requirement, _ in locked(RUNTIME)
    }


@pytest.mark.full
@pytest.mark.parametrize("name", [RUNTIME, DEV])
def test_no_package_has_a_known_hole(name: str) -> None:
    """As PyPI's advisories have it today; skipped aloud where they do not answer."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", name, "--require-hashes", "--disable-pip"]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", "15"]
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [*command, "--cache-dir", cache], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
        )
    found, unasked = audited(done.stdout, done.stderr)
    assert not found
    if unasked:
        pytest.skip(f"the advisories do not answer: {unasked}")


def audited(said: str, errors: str) -> tuple[dict[str, list[str]], str]:
    """The holes that ``pip-audit`` knows of, by package, and why it could not ask about all; fails on another error."""
    if not said.strip():
        assert NO_ANSWER.search(errors), errors[-2000:]
        return {}, errors.strip().splitlines()[-1][:200]
    packages = json.loads(said)["dependencies"]
    found = {one["name"]: [hole["id"] for hole in one["vulns"]] for one in packages if one.get("vulns")}
    # a mirror without advisories answers like a PyPI that has never heard of the package
    unasked = [one for one in packages if "skip_reason" in one]
    return found, f"{len(unasked)} of {len(packages)}, such as: {unasked[0]['skip_reason']}" if unasked else ""


def test_no_answer_is_not_taken_for_a_clean_one() -> None:
    hole = {"name": "a", "version": "1", "vulns": [{"id": "CVE-1"}]}
    clean = {"name": "b", "version": "1", "vulns": []}
    skipped = {"name": "c", "skip_reason": "not found on PyPI"}
    assert audited(json.dumps({"dependencies": [clean]}), "") == ({}, "")
    assert audited(json.dumps({"dependencies": [hole, clean]}), "") == ({"a": ["CVE-1"]}, "")
    assert audited(json.dumps({"dependencies": [clean, skipped]}), "") == ({}, "1 of 2, such as: not found on PyPI")
    assert audited("", "requests.exceptions.ProxyError: Max retries exceeded")[1]
    with pytest.raises(AssertionError):
        audited("", "error: no such file")


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
