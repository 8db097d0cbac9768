"""What the sources say, read without importing them: the sentences for people and the codes of errors.

``python3 -m installer.sources`` rewrites ``docs/error-codes.md`` and lists the sentences that
``resources/i18n/en.json`` lacks, or has and nobody says; ``--add`` puts the missing ones there, empty.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("client", "modules", "devices", "sync", "server_stub")
ENGLISH = ROOT / "resources/i18n/en.json"
ERROR_CODES = ROOT / "docs/error-codes.md"
ROLES = "modules/common/permissions.py"
TITLES = ("title", "name", "label", "source")
CODE = re.compile(r"[A-Z]{2,5}-\d{3}")
HEAD = """# Error codes

Made by `python3 -m installer.sources`; a test fails when it is out of date. A code has one meaning and one
place; where several sentences stand under one code, they are the same fault seen in different detail.

| code | what people read | where |
| --- | --- | --- |
"""


@dataclass
class Code:
    """An error code: its sentences (with what to do next) and the files that use it."""

    sentences: dict[str, set[str]] = field(default_factory=dict)


def files() -> list[Path]:
    """Every Python file of the product."""
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call in the product, with the file it is in."""
    for path in files():
        place = path.relative_to(ROOT).as_posix()
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Call):
                yield place, node


def imports() -> Iterator[tuple[str, str]]:
    """Every module imported anywhere in the product, also inside functions, with the file it is in."""
    for path in files():
        place = path.relative_to(ROOT).as_posix()
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Import):
                yield from ((place, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield place, node.module
                yield from ((place, f"{node.module}.{alias.name}") for alias in node.names)


def _is_tr(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "tr"


def _text(node: ast.AST | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def sentences() -> dict[str, set[str]]:
    """Every sentence for people, with the files that say it.

    From ``tr("…")``, the manifests, the built-in roles, and the forms in the modules' rules.
    """
    said: dict[str, set[str]] = {}
    for place, call in calls():
        if _is_tr(call) and call.args and (text := _text(call.args[0])) is not None:
            said.setdefault(text, set()).add(place)
        if place == ROLES and isinstance(call.func, ast.Name) and call.func.id == "Role":
            said.setdefault(ast.literal_eval(call.args[1]), set()).add(place)
    rules = [*(ROOT / "modules").glob("*/domain.py"), *(ROOT / "modules").glob("*/domain/**/*.py")]
    for path in sorted(rules):
        for text in _form_texts(_tree(path)):
            said.setdefault(text, set()).add(path.relative_to(ROOT).as_posix())
    for path in sorted((ROOT / "modules").glob("*/module.toml")):
        place = path.relative_to(ROOT).as_posix()
        for text in _manifest_texts(tomllib.loads(path.read_text("utf-8"))):
            said.setdefault(text, set()).add(place)
    return said


def _manifest_texts(manifest: dict[str, Any]) -> Iterator[str]:
    yield manifest["name"]
    yield from manifest.get("permissions", {}).values()
    for row in manifest.get("aggregates", ()):
        yield from row.get("states", {}).values()
    for table in ("pages", "commands", "todos"):
        yield from (row["title"] for row in manifest.get(table, ()))


def _form_texts(tree: ast.Module) -> Iterator[str]:
    """The titles and labels of the forms that a module's rules hold."""
    for node in ast.walk(tree):
        for key, value in zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ():
            if _text(key) == "title" and (title := _text(value)):
                yield title
            elif _text(key) == "x-labels":
                yield from ast.literal_eval(value)


def _names_a_title(node: ast.expr) -> bool:
    """Whether it is by its name what data calls something: a title, a name, a label, a source."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str":
        return _names_a_title(node.args[0])
    if isinstance(node, ast.Subscript):
        return _text(node.slice) in TITLES
    return (node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")) in TITLES


def unreadable() -> list[str]:
    """Calls of ``tr`` whose sentence is neither written there nor what data calls something."""
    return [
        f"{place}:{call.lineno}"
        for place, call in calls()
        if _is_tr(call) and not (call.args and (_text(call.args[0]) is not None or _names_a_title(call.args[0])))
    ]


def english() -> dict[str, str]:
    """The English of the sentences."""
    entries: dict[str, str] = json.loads(ENGLISH.read_text("utf-8")) if ENGLISH.exists() else {}
    return entries


def _first_sentence(nodes: list[ast.expr]) -> str | None:
    for root in nodes:
        for node in ast.walk(root):
            if isinstance(node, ast.Call) and _is_tr(node) and node.args:
                return _text(node.args[0])
    return None


def codes() -> dict[str, Code]:
    """Every error code that is given to a call, with its sentences."""
    found: dict[str, Code] = {}
    for place, call in calls():
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        for node in [*call.args, keywords.get("code")]:
            code = _text(node)
            if code is None or not CODE.fullmatch(code):
                continue
            sentence = _first_sentence(call.args) or ""
            fix = _first_sentence([keywords["fix"]]) if "fix" in keywords else ""
            found.setdefault(code, Code()).sentences.setdefault(sentence + (fix or ""), set()).add(place)
    return dict(sorted(found.items()))


def ambiguous() -> dict[str, dict[str, set[str]]]:
    """The codes that say different things in different files."""
    return {
        code: entry.sentences
        for code, entry in codes().items()
        if len({sentence for sentence in entry.sentences if sentence}) > 1
        and len(set().union(*entry.sentences.values())) > 1
    }


def error_codes() -> str:
    """The text of ``docs/error-codes.md``."""
    rows = []
    for code, entry in codes().items():
        said = "<br>".join(sentence.replace("|", "\\|") for sentence in sorted(entry.sentences) if sentence)
        places = "<br>".join(f"`{place}`" for place in sorted(set().union(*entry.sentences.values())))
        rows.append(f"| {code} | {said or '(made where it arises)'} | {places} |\n")
    return HEAD + "".join(rows)


def main() -> None:
    """Rewrite the list of codes; tell, or with ``--add`` write down, what English lacks."""
    ERROR_CODES.parent.mkdir(exist_ok=True)
    ERROR_CODES.write_text(error_codes(), "utf-8")
    said, has = sentences(), english()
    lacking, unused = sorted(said.keys() - has.keys()), sorted(has.keys() - said.keys())
    if "--add" in sys.argv[1:]:
        kept = {text: has.get(text, "") for text in sorted(said)}
        ENGLISH.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", "utf-8")
    for title, texts in (("no English", lacking), ("English of what nobody says", unused)):
        print(f"{title}: {len(texts)}")
        for text in texts:
            print(f"  {text}")
    for place in unreadable():
        print(f"not a written sentence: {place}")
    for code, different in ambiguous().items():
        print(f"{code} has several meanings: {different}")


if __name__ == "__main__":
    main()
