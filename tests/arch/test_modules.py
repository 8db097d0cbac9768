"""Every module's manifest is valid, and everything it names exists."""

from __future__ import annotations

from importlib import import_module

import pytest

from installer import bundle
from modules.common.manifest import MODULES, Ref, installed, load_all, state_words

MANIFESTS = installed()


def test_every_manifest_is_usable() -> None:
    manifests, faults = load_all()
    assert not faults
    folders = {path.name for path in MODULES.iterdir() if (path / "__init__.py").exists()} - {"common"}
    assert {manifest.id for manifest in manifests} == folders


@pytest.mark.parametrize("ref", [ref for manifest in MANIFESTS for ref in bundle.targets(manifest)], ids=str)
def test_every_target_exists(ref: Ref) -> None:
    assert callable(ref.load()) or hasattr(ref.load(), "decide")


@pytest.mark.parametrize(
    ("name", "forbidden"),
    [
        ("PySide6/Qt/lib/libQt6Charts.so.6", True),
        ("Qt6Charts.dll", True),
        ("PySide6/QtNetworkAuth.abi3.so", True),
        ("PySide6/Qt/plugins/platforminputcontexts/libqtvirtualkeyboardplugin.so", True),
        ("libreadline.so.8", True),
        ("python3.11/lib-dynload/readline.cpython-311-x86_64-linux-gnu.so", True),
        ("PySide6/Qt/lib/libQt6Network.so.6", False),
        ("opencv_python_headless.libs/libavcodec-c4204469.so.62.28.101", False),
        ("PySide6/QtWidgets.abi3.so", False),
    ],
)
def test_what_is_under_the_gpl_is_recognised_in_a_bundle(name: str, forbidden: bool) -> None:
    assert bundle.is_gpl(name) is forbidden


def test_ids_are_given_once() -> None:
    ids = [row.id for manifest in MANIFESTS for row in (*manifest.pages, *manifest.commands, *manifest.todos)]
    kinds = [aggregate.kind for manifest in MANIFESTS for aggregate in manifest.aggregates]
    shortcuts = [
        row.shortcut for manifest in MANIFESTS for row in (*manifest.pages, *manifest.commands) if row.shortcut
    ]
    for given in (ids, kinds, shortcuts):
        assert len(given) == len(set(given))


def test_the_states_of_a_case_have_the_names_that_its_rules_give_them() -> None:
    """Lists of all kinds say what the module itself says."""
    cases = import_module("modules.acceptance.domain.cases")
    assert {state: state_words("case", state) for state in cases.STATES} == {
        state: cases.state_name(state) for state in cases.STATES
    }
