"""The driver's wire: one JSON object per line, requests to the client's stdin, replies from its stdout."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

Verb = Literal["click", "double_click", "type", "key", "wait", "read", "shot", "tree", "quit"]
Condition = Literal["visible", "text", "enabled", "gone"]


@dataclass(frozen=True, slots=True)
class Target:
    """What is meant, as a person would call it: by accessible name or shown text.

    ``role`` narrows it (button, field, choice, check, row, tab, menu, header, label, list, page …) and so
    does ``within``, the name of something that contains it. An empty name means the focused widget.
    """

    name: str = ""
    role: str = ""
    within: str = ""

    def __str__(self) -> str:
        said = self.name or "(focus)"
        return said + (f" [{self.role}]" if self.role else "") + (f" within {self.within}" if self.within else "")


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to do. ``timeout`` is how many seconds the target may take to appear.

    ``text``: characters of ``type``, key sequence of ``key``, expected part of ``wait``; ``path``: where ``shot``
    puts its PNG.
    """

    id: int
    verb: Verb
    target: Target = field(default_factory=Target)
    text: str = ""
    condition: Condition = "visible"
    timeout: float = 10.0
    path: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a person would have done so far. ``composed`` characters came through the input method; ``typed`` of the
    ``keys`` were characters of a text.
    """

    clicks: int = 0
    keys: int = 0
    composed: int = 0
    typed: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """The outcome of the request with the same ``id``. On failure ``error`` says why and ``tree`` what was there."""

    id: int
    error: str = ""
    value: Any = None
    tree: str = ""
    counts: Counts = field(default_factory=Counts)


def encode(message: Request | Reply) -> bytes:
    """One line, with its end."""
    return json.dumps(asdict(message), ensure_ascii=False).encode() + b"\n"


def decode_request(line: bytes) -> Request:
    """Read a request. Raises ``ValueError`` for anything else."""
    try:
        data = json.loads(line)
        request = Request(**{**data, "target": Target(**data.get("target", {}))})
    except (TypeError, AttributeError) as error:
        raise ValueError(f"not a request: {error}") from error
    if request.verb not in get_args(Verb) or request.condition not in get_args(Condition):
        raise ValueError(f"unknown verb or condition: {request.verb} {request.condition}")
    return request


def decode_reply(line: bytes) -> Reply:
    """Read a reply. Raises ``ValueError`` for anything else."""
    try:
        data = json.loads(line)
        return Reply(**{**data, "counts": Counts(**data["counts"])})
    except (TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"not a reply: {error}") from error
