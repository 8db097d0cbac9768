"""Module manifests: what a module declares in ``module.toml``, read without importing any of its code.

Every id starts with the module's id; every target is a string ``package.module:attribute`` that is
resolved at its first use. Client and server read the same files.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from modules.common.errors import GovDeskError
from modules.common.text import tr

API = 1
"""The module contract's number; a manifest with another is refused aloud."""
MODULES = Path(__file__).resolve().parents[1]
MARKS = ("", "bronze", "silver", "gold")


class ManifestError(GovDeskError):
    """A manifest that cannot be used; the message names the file and the fault."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A lazy pointer ``package.module:attribute``: nothing is imported until ``load``."""

    target: str

    def load(self) -> Any:
        """Import and return what the pointer names. Raises ``ImportError`` or ``AttributeError``."""
        module, _, attribute = self.target.partition(":")
        return getattr(import_module(module), attribute)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the main window. ``view`` is built with the host when it is first opened."""

    id: str
    title: str
    view: Ref
    icon: str = "file-text"
    permission: str = ""
    shortcut: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A command of menus, palette and shortcuts. ``handler`` is called with the host."""

    id: str
    title: str
    handler: Ref
    icon: str = ""
    permission: str = ""
    shortcut: str = ""


@dataclass(frozen=True, slots=True)
class Todo:
    """A card "waits for me" (待办) on the home page: counts records of ``kind`` whose summary state is in ``states``.

    ``page`` is opened by it. A person sees the records of their own feeds alone. ``recent``: they stand among what
    the person had in hand last. ``overdue``: only those count whose day has passed; ``mine``: only those whose approval
    (``flow``) the person may sign now. The page is told of both.
    """

    id: str
    title: str
    page: str
    kind: str
    states: tuple[str, ...]
    permission: str = ""
    recent: bool = True
    overdue: bool = False
    mine: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """Background work: ``every`` is in seconds."""

    id: str
    every: float
    run: Ref


@dataclass(frozen=True, slots=True)
class AggregateSpec:
    """The kind of an aggregate and where its rules are (an object with ``decide``, ``evolve`` …).

    ``states``: what people call its summary states, for lists that show records of all kinds.
    """

    kind: str
    rules: Ref
    states: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServerPart:
    """The module's server side: ``routes`` is a callable that returns a FastAPI router."""

    routes: Ref | None = None
    jobs: tuple[Job, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that a module declares."""

    id: str
    name: str
    api: int
    entry: Ref
    icon: str
    order: int
    mark: str
    permissions: dict[str, str]
    roles: dict[str, tuple[str, ...]]
    devices: tuple[str, ...]
    pages: tuple[Page, ...]
    commands: tuple[CommandSpec, ...]
    todos: tuple[Todo, ...]
    aggregates: tuple[AggregateSpec, ...]
    jobs: tuple[Job, ...]
    server: ServerPart


_TARGET = re.compile(r"^[a-z_][\w.]*:[A-Za-z_]\w*$")


def _fault(where: str, what: str) -> ManifestError:
    return ManifestError("MOD-001", tr("模块清单 {where} 不可用：{what}", where=where, what=what))


def parse(text: str, where: str) -> Manifest:
    """Read one manifest. Raises ``ManifestError`` naming ``where`` and what is wrong."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _fault(where, str(error)) from error
    return _Reader(where, data).manifest()


class _Reader:
    """Turns the tables of one file into a ``Manifest``, refusing what is unknown or ill-formed."""

    def __init__(self, where: str, data: dict[str, Any]) -> None:
        self.where = where
        self.data = data
        self.module = str(data.get("id", ""))

    def manifest(self) -> Manifest:
        known = {"id", "name", "api", "entry", "icon", "order", "mark", "permissions", "roles", "devices", "pages",
                 "commands", "todos", "aggregates", "jobs", "server"}  # fmt: skip
        if unknown := sorted(set(self.data) - known):
            raise _fault(self.where, f"unknown keys {', '.join(unknown)}")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.module):
            raise _fault(self.where, "id")
        mark = self.data.get("mark", "")
        if mark not in MARKS:
            raise _fault(self.where, f"mark {mark!r}")
        permissions = dict(self.data.get("permissions", {}))
        for permission in permissions:
            self._own(permission)
        roles = {role: tuple(names) for role, names in self.data.get("roles", {}).items()}
        for role, names in roles.items():
            if missing := [name for name in names if name not in permissions]:
                raise _fault(self.where, f"roles.{role}: {', '.join(missing)}")
        server = dict(self.data.get("server", {}))
        return Manifest(
            id=self.module,
            name=str(self._need("name")),
            api=int(self._need("api")),
            entry=self._ref(self._need("entry")),
            icon=self.data.get("icon", "file-text"),
            order=int(self.data.get("order", 100)),
            mark=mark,
            permissions=permissions,
            roles=roles,
            devices=tuple(self.data.get("devices", ())),
            pages=self._rows(Page, self.data.get("pages", ()), permissions),
            commands=self._rows(CommandSpec, self.data.get("commands", ()), permissions),
            todos=self._rows(Todo, self.data.get("todos", ()), permissions),
            aggregates=tuple(
                AggregateSpec(row["kind"], self._ref(row["rules"]), dict(row.get("states", {})))
                for row in self.data.get("aggregates", ())
            ),
            jobs=self._rows(Job, self.data.get("jobs", ()), permissions),
            server=ServerPart(
                routes=self._ref(server["routes"]) if "routes" in server else None,
                jobs=self._rows(Job, server.get("jobs", ()), permissions),
            ),
        )

    def _need(self, key: str) -> Any:
        if key not in self.data:
            raise _fault(self.where, f"no {key}")
        return self.data[key]

    def _own(self, identifier: str) -> str:
        if not identifier.startswith(self.module + "."):
            raise _fault(self.where, f"{identifier} does not start with {self.module}.")
        return identifier

    def _ref(self, target: Any) -> Ref:
        if not isinstance(target, str) or not _TARGET.match(target):
            raise _fault(self.where, f"{target!r} is not package.module:attribute")
        return Ref(target)

    def _rows(self, cls: type[Any], rows: Any, permissions: dict[str, str]) -> tuple[Any, ...]:
        made = []
        for row in rows:
            values = dict(row)
            self._own(values.get("id", ""))
            if (needed := values.get("permission", "")) and needed not in permissions:
                raise _fault(self.where, f"{values['id']}: permission {needed}")
            for key in ("view", "handler", "run"):
                if key in values:
                    values[key] = self._ref(values[key])
            if "states" in values:
                values["states"] = tuple(values["states"])
            try:
                made.append(cls(**values))
            except TypeError as error:
                raise _fault(self.where, f"{values['id']}: {error}") from error
        return tuple(made)


def load_all(folder: Path = MODULES) -> tuple[list[Manifest], list[ManifestError]]:
    """Every usable manifest in ``folder``, by ``order``, and the faults of the others.

    A module with another ``api`` number is among the faults: the rest go on without it.
    """
    manifests, faults = [], []
    for path in sorted(folder.glob("*/module.toml")):
        try:
            manifest = parse(path.read_text("utf-8"), f"{path.parent.name}/module.toml")
            if manifest.api != API:
                raise ManifestError(
                    "MOD-002",
                    tr(
                        "模块“{name}”是为接口版本 {theirs} 做的，本程序是 {ours}，未载入。请安装匹配的版本。",
                        name=tr(manifest.name),
                        theirs=manifest.api,
                        ours=API,
                    ),
                )
            manifests.append(manifest)
        except ManifestError as error:
            faults.append(error)
    return sorted(manifests, key=lambda manifest: (manifest.order, manifest.id)), faults


@cache
def installed() -> tuple[Manifest, ...]:
    """The manifests of the modules beside this package."""
    return tuple(load_all()[0])


def rules_of(kind: str) -> Any:
    """The rules (an ``Aggregate``) of a kind, imported now. Raises ``KeyError`` for an unknown kind."""
    for manifest in installed():
        for spec in manifest.aggregates:
            if spec.kind == kind:
                return spec.rules.load()
    raise KeyError(kind)


def permissions_of(roles: frozenset[str] | set[str]) -> frozenset[str]:
    """All permissions that the manifests give to any of ``roles``."""
    return frozenset(name for manifest in installed() for role in roles for name in manifest.roles.get(role, ()))


def state_words(kind: str, state: str) -> str:
    """What people call a record's state, as its manifest says; the state itself where it says nothing."""
    named = (spec.states for manifest in installed() for spec in manifest.aggregates if spec.kind == kind)
    title = next(named, {}).get(state)
    return tr(title) if title else state
