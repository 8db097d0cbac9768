"""What a form of sixty fields costs: to draw, to settle while it is typed into, to validate beside jsonschema alone."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from modules.common import forms
from tests.perf.harness import RUNS, least, report
from tests.support.clean_env import clean_env

pytestmark = pytest.mark.perf
TODAY = date(2026, 11, 20)
KINDS: list[tuple[dict[str, Any], Any]] = [
    ({"type": "string", "maxLength": 60}, "张三"),
    ({"type": "string", "format": "date"}, "2026-01-01"),
    ({"type": "string", "format": "phone"}, "13855012345"),
    ({"type": "string", "format": "amount"}, "12.50"),
    ({"type": "integer", "minimum": 0}, 3),
    ({"type": "string", "enum": ["a", "b"]}, "a"),
    ({"type": "string", "enum": list("abcdef")}, "c"),
    ({"type": "boolean"}, True),
    ({"type": "string", "x-lines": 3}, "经营范围" * 10),
    ({"type": "string", "format": "resident-id"}, "11010519491231002X"),
]


def sixty() -> tuple[dict[str, Any], dict[str, Any]]:
    """A form of sixty fields of every kind, a few of them hidden or computed, and values without a fault."""
    properties: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for number in range(60):
        prop, value = KINDS[number % 10]
        properties[f"f{number}"] = {"title": f"栏目{number}", **prop}
        values[f"f{number}"] = value
    properties["f50"]["x-when"] = {"field": "f47", "equals": True}
    properties["f53"]["x-compute"] = "f13 * f14 + f23"
    values["f53"] = "50.00"
    names = list(properties)
    required = [name for name in names[::2] if name != "f50"]
    schema = {"type": "object", "properties": properties, "required": required}
    layout = [{"title": f"第{part}组", "fields": names[part * 10 : part * 10 + 10]} for part in range(6)]
    return {"schema": schema, "layout": layout}, values


# the same work in a fresh process, as often as said: the cheapest of several runs is what it needs
PROGRAM = """
import json, sys, time
work, count = sys.argv[1], int(sys.argv[2])
form, values = json.load(open(sys.argv[3], encoding="utf-8"))
from datetime import date
from modules.common import forms
if work == "build":
    from PySide6.QtWidgets import QApplication
    from client.widgets.theme import Theme
    app = QApplication([])
    Theme(app).apply("light")
    from client.widgets.forms import FormView
    kept = [FormView(form)]
forms.validate(form, values)
from jsonschema import Draft202012Validator
alone = Draft202012Validator(form["schema"])
today = date(2026, 11, 20)
do = {"build": lambda: kept.append(FormView(form)), "validate": lambda: forms.validate(form, values, today),
      "settle": lambda: forms.settle(form, values), "jsonschema": lambda: list(alone.iter_errors(values))}[work]
spent = []
for _ in range(count):
    before = time.process_time()
    do()
    spent.append((time.process_time() - before) * 1000)
print(json.dumps({"ms": min(spent)}), flush=True)
"""


def test_a_form_of_sixty_fields(tmp_path: Path) -> None:
    form, values = sixty()
    assert forms.validate(form, values, TODAY) == {}
    sample = tmp_path / "form.json"
    sample.write_text(json.dumps([form, values]), "utf-8")
    counts = {"build": RUNS, "validate": 50, "settle": 50, "jsonschema": 50}
    commands = {work: [sys.executable, "-c", PROGRAM, work, str(count), str(sample)] for work, count in counts.items()}
    spent = {
        work: float(measured.said["ms"])
        for work, measured in least(commands, {**clean_env(tmp_path / "home"), "QT_QPA_PLATFORM": "offscreen"}).items()
    }
    ratio = spent["validate"] / spent["jsonschema"]
    report("form of 60 fields, built, processor time", spent["build"], "ms", 100)
    report("form of 60 fields, validated, processor time", spent["validate"], "ms", 5)
    report("form of 60 fields, settled at a change", spent["settle"], "ms", 1)
    report("validated ÷ jsonschema alone", ratio, "×", 5)
    assert spent["build"] < 100
    assert spent["validate"] < 5
    assert spent["settle"] < 1
    assert ratio < 5
