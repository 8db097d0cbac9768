"""What the sources may not contain, and what must follow from them."""

from __future__ import annotations

import re
import string
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer import bundle, sources
from installer.environment import ROOT

SKIPPED = {".git", ".venv", "build", "dist", "tour", ".bare-tour", "__pycache__", ".hypothesis"}
SKIPPED |= {".mypy_cache", ".ruff_cache", ".import_linter_cache"}
TEXT = {
    "",
    ".py",
    ".toml",
    ".md",
    ".json",
    ".in",
    ".lock",
    ".spec",
    ".qss",
    ".svg",
    ".txt",
    ".mako",
    ".feature",
    ".yml",
}
UNWANTED = {
    "a path of one machine": re.compile(r"(?<![\w./-])/(?:work|root|home/\w+|Users/\w+)/"),
    "a temporary path of one machine": re.compile(r"""["'`\s]/tmp/\w"""),
    "a package index": re.compile(
        r"p[y]pi\.org|files\.pythonh[o]sted|--index-url|--extra-index-url|--find-links|artif[a]ctory", re.I
    ),
    "a private host": re.compile(r"https?://(?!127\.|localhost)[\w.-]+\.(?:internal|corp|lan|local)\b"),
    "a note to self": re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b"),
}


def own_files() -> Iterator[Path]:
    """Every text file of the project, as a fresh clone has it."""
    for path in sorted(ROOT.rglob("*")):
        if path.suffix in TEXT and path.is_file() and not SKIPPED & set(path.relative_to(ROOT).parts):
            yield path


@pytest.mark.parametrize("what", UNWANTED)
def test_no_file_holds(what: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in own_files()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if UNWANTED[what].search(line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a path of one machine", 'open("/home/li/notes")'),
        ("a temporary path of one machine", 'Path("/tmp/x")'),
        ("a package index", "pip install --index-url https://mirror/simple"),
        ("a private host", "see http://build.corp/x"),
        ("a note to self", "# " + "TO" + "DO: later"),
    ],
)
def test_what_is_unwanted_is_recognised(what: str, line: str) -> None:
    assert UNWANTED[what].search(line)


def test_no_module_of_qt_under_the_gpl_is_imported() -> None:
    forbidden = {f"PySide6.{module}" for module in bundle.GPL_QT}
    assert not [(place, name) for place, name in sources.imports() if name in forbidden]


def test_every_sentence_has_its_english_and_no_english_is_left_over() -> None:
    said, english = sources.sentences(), sources.english()
    lacking = {text: sorted(places) for text, places in said.items() if not english.get(text)}
    assert not lacking, "python3 -m installer.sources --add, then translate"
    assert not sorted(english.keys() - said.keys())


def _fields(text: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_english_has_the_same_fields() -> None:
    different = {text: english for text, english in sources.english().items() if _fields(text) != _fields(english)}
    assert not different


def test_every_sentence_is_written_where_it_is_translated() -> None:
    assert not sources.unreadable()


def test_a_code_means_one_thing() -> None:
    assert not sources.ambiguous()


def test_the_list_of_error_codes_is_up_to_date() -> None:
    assert sources.ERROR_CODES.read_text("utf-8") == sources.error_codes(), "python3 -m installer.sources"


def test_the_sources_are_read_by_the_standard_library_alone() -> None:
    """``installer.environment`` and ``installer.sources`` run before anything is installed."""
    code = "import installer.environment, installer.sources"
    done = subprocess.run([sys.executable, "-S", "-E", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_roles_forms_and_manifests_are_translated_too() -> None:
    said = sources.sentences()
    found = {word: sorted(said.get(word, ())) for word in ("窗口人员", "证件号码", "居民身份证", "待审批")}
    assert found == {
        "窗口人员": ["modules/common/permissions.py"],
        "证件号码": ["modules/acceptance/domain/cases/words.py"],
        "居民身份证": ["modules/acceptance/domain/cases/words.py"],
        "待审批": ["modules/acceptance/module.toml"],
    }


def test_no_two_test_files_have_one_name() -> None:
    """Without packages among the tests, the second of them is not collected."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert not [name for name, count in names.items() if count > 1]
