"""Text for people: Simplified Chinese in the source, English from ``resources/i18n/en.json`` beside it.

One ``tr`` serves rules, server and windows alike, so that a sentence written in a rule is
translated the same way on both sides. Values are put in by name: ``tr("共 {n} 件", n=3)``.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

RESOURCES = Path(__file__).resolve().parents[2] / "resources"
_language = "zh_CN"


def set_language(language: str) -> None:
    """Choose ``zh_CN`` (the source text) or ``en`` for the whole process."""
    global _language
    _language = language


def language() -> str:
    """The language in force, ``zh_CN`` or ``en``."""
    return _language


@cache
def _catalogue(name: str) -> dict[str, str]:
    path = RESOURCES / "i18n" / f"{name}.json"
    if not path.exists():
        return {}
    entries: dict[str, str] = json.loads(path.read_text("utf-8"))
    return entries


def tr(source: str, /, **values: object) -> str:
    """The text in the language in force, with ``{name}`` replaced; unknown text stays Chinese."""
    text = source if _language == "zh_CN" else _catalogue(_language).get(source, source)
    return text.format(**values) if values else text


def aside(text: str) -> str:
    """Text in brackets, as the language in force writes them."""
    return f"（{text}）" if _language == "zh_CN" else f"({text})"


def together(*sentences: str) -> str:
    """Sentences one after the other, as the language in force writes them; empty ones are left out."""
    return ("" if _language == "zh_CN" else " ").join(sentence for sentence in sentences if sentence)
