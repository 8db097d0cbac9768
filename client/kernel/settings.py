"""Typed settings in one JSON file: ``{"version": …, "values": {…}, "memory": {…}}``."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

from modules.common.errors import GovDeskError
from modules.common.text import tr

T = TypeVar("T", str, int, float, bool)
Values = dict[str, Any]
Migration = Callable[[Values], Values]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SettingSpec(Generic[T]):
    """One setting. ``title`` is asked when it is shown, so that the language is known by then.

    ``choices`` are all values that it may have, each with its words; empty for any value of the type.
    """

    key: str
    type: type[T]
    default: T
    title: Callable[[], str]
    choices: Mapping[T, Callable[[], str]] | None = None

    def accepts(self, value: object) -> bool:
        """Whether ``value`` may be this setting's: the very type (an int also for a float), one of the choices."""
        fits = type(value) is self.type or (self.type is float and type(value) is int)
        return fits and (self.choices is None or value in self.choices)


class Migrations:
    """The numbered steps from older files: ``@migrations.to(2)`` over a function from values to values."""

    def __init__(self) -> None:
        self._steps: dict[int, Migration] = {}

    @property
    def version(self) -> int:
        """The version that files have after the last step; the first was 1."""
        return max(self._steps, default=1)

    def to(self, version: int) -> Callable[[Migration], Migration]:
        """Register the step to ``version``. Raises ``ValueError`` unless it follows the last one."""
        if version != self.version + 1:
            raise ValueError(f"step to {version} after {self.version}")

        def register(step: Migration) -> Migration:
            self._steps[version] = step
            return step

        return register

    def apply(self, values: Values, version: int) -> Values:
        """``values`` of a file of ``version`` as the newest version has them."""
        for step in range(version + 1, self.version + 1):
            values = self._steps[step](values)
        return values


MIGRATIONS = Migrations()


class Settings:
    """The settings of one profile, for the GUI thread alone.

    Values that this program does not know are kept in the file; one that it knows and cannot use gives way to
    the default, with a warning in the log. A file that is no JSON is set aside beside itself.
    """

    def __init__(self, path: Path, specs: Iterable[SettingSpec[Any]] = (), migrations: Migrations = MIGRATIONS) -> None:
        self._path = path
        self._specs: dict[str, SettingSpec[Any]] = {}
        self._migrations = migrations
        self._watchers: list[Callable[[str], None]] = []
        self._version = migrations.version
        self._values: Values = {}
        self._memory: Values = {}
        self._unsaved = False
        self._writing = Lock()
        self.save_on: Callable[[Callable[[], None]], None] = lambda save: save()
        """Where a change is saved: at once, unless somebody has a lane that may wait for the disk."""
        self._load()
        for spec in specs:
            self.register(spec)

    @property
    def specs(self) -> tuple[SettingSpec[Any], ...]:
        """All registered settings, in the order of their registration."""
        return tuple(self._specs.values())

    def register(self, spec: SettingSpec[Any]) -> None:
        """Make a setting known. Raises ``ValueError`` when its key is taken or its default is none it accepts."""
        if spec.key in self._specs or not spec.accepts(spec.default):
            raise ValueError(spec.key)
        self._specs[spec.key] = spec
        if spec.key in self._values and not spec.accepts(self._values[spec.key]):
            log.warning("setting not usable, default taken", extra={"setting": spec.key})

    def get(self, spec: SettingSpec[T]) -> T:
        """The value in force. Raises ``KeyError`` when the setting is not registered."""
        known = self._specs[spec.key]
        value = self._values.get(spec.key, known.default)
        return spec.type(value) if known.accepts(value) else spec.default

    def set(self, spec: SettingSpec[T], value: T) -> None:
        """Change a value and save the file by ``save_on``. Raises ``ValueError`` for a value that is not accepted.

        What ``save_on`` runs raises ``GovDeskError`` UI-101 when the file cannot be written; the value is in force all
        the same.
        """
        if not self._specs[spec.key].accepts(value):
            raise ValueError(f"{spec.key} = {value!r}")
        self._values[spec.key] = value
        for watcher in tuple(self._watchers):
            watcher(spec.key)
        self._unsaved = True
        self.save_on(self.flush)

    def watch(self, call: Callable[[str], None]) -> None:
        """Have ``call(key)`` told of each change."""
        self._watchers.append(call)

    def recall(self, key: str) -> Any:
        """What ``remember`` was given under ``key``, or None."""
        return self._memory.get(key)

    def remember(self, key: str, value: Any) -> None:
        """Keep how the user left a view (widths, sort, sizes): JSON data, saved with the next ``save``."""
        if self._memory.get(key) != value:
            self._memory[key] = value
            self._unsaved = True

    def flush(self) -> None:
        """Save what was changed or remembered and is not yet saved, on any thread; called at the program's end, too."""
        with self._writing:
            if self._unsaved:
                self.save()

    def save(self) -> None:
        """Write the file whole or not at all. Raises ``GovDeskError`` UI-101."""
        # whatever is changed from here on is another save's
        self._unsaved = False
        data = {"version": self._version, "values": dict(self._values), "memory": dict(self._memory)}
        scratch = self._path.with_suffix(".new")
        try:
            with scratch.open("w", encoding="utf-8") as file:
                json.dump(data, file, ensure_ascii=False, indent=1)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(self._path)
        except OSError as error:
            self._unsaved = True
            raise GovDeskError(
                "UI-101", tr("设置未能保存到磁盘，本次使用仍然有效。"), fix=tr("请检查磁盘空间和权限。")
            ) from error

    def _load(self) -> None:
        try:
            data = json.loads(self._path.read_text("utf-8"))
            version, values, memory = int(data["version"]), dict(data["values"]), dict(data.get("memory", {}))
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError):
            log.warning("settings file not readable, set aside", exc_info=True)
            self._path.replace(self._path.with_suffix(".broken"))
            return
        # a file of a newer program is used as it is, and keeps its version
        self._version = max(version, self._migrations.version)
        self._values = self._migrations.apply(values, version)
        self._memory = memory
