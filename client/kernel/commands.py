"""Everything that a menu, a shortcut or the palette can do, as data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from modules.common.manifest import CommandSpec, Manifest, Page
from modules.common.permissions import Actor
from modules.common.text import tr


@dataclass(frozen=True, slots=True)
class Command:
    """Something that can be done by name. ``run`` is called on the GUI thread."""

    id: str
    title: str
    run: Callable[[], None]
    icon: str = ""
    permission: str = ""
    shortcut: str = ""

    def matches(self, text: str) -> bool:
        """Whether a palette that was asked for ``text`` shows this: part of the title or id, or initials of words."""
        wanted = text.strip().casefold()
        initials = "".join(word[0] for word in re.findall(r"[a-z0-9]+", f"{self.id} {self.title}".casefold()))
        return wanted in self.title.casefold() or wanted in self.id or wanted in initials


class CommandBook:
    """The commands of the shell and of all modules."""

    def __init__(self, commands: Iterable[Command] = ()) -> None:
        self._commands: dict[str, Command] = {}
        for command in commands:
            self.add(command)

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands.values())

    def add(self, command: Command) -> None:
        """Add a command. Raises ``ValueError`` when its id is taken, or its shortcut, naming who has it."""
        if command.id in self._commands:
            raise ValueError(f"command {command.id} exists")
        for other in self._commands.values():
            if command.shortcut and command.shortcut == other.shortcut:
                raise ValueError(f"{command.shortcut} of {command.id} belongs to {other.id}")
        self._commands[command.id] = command

    def get(self, command: str) -> Command:
        """One command. Raises ``KeyError``."""
        return self._commands[command]

    def allowed(self, actor: Actor | None) -> list[Command]:
        """What this person may do; of a person nobody has named yet, what needs no permission."""
        return [command for command in self if _may(actor, command)]

    def search(self, text: str, actor: Actor | None) -> list[Command]:
        """The palette's answer: allowed commands that match, titles that begin with ``text`` first."""
        found = [command for command in self.allowed(actor) if command.matches(text)]
        wanted = text.strip().casefold()
        return sorted(found, key=lambda command: not command.title.casefold().startswith(wanted))


def of_manifests(
    manifests: Iterable[Manifest],
    open_page: Callable[[Page], None],
    run_command: Callable[[Manifest, CommandSpec], None],
) -> list[Command]:
    """The commands that manifests declare: one to open each page, and each module's own."""
    made = []
    for manifest in manifests:
        for page in manifest.pages:
            title = tr("打开{title}", title=tr(page.title))
            made.append(Command(page.id, title, _call_page(open_page, page), page.icon, page.permission, page.shortcut))
        for spec in manifest.commands:
            made.append(
                Command(
                    spec.id, tr(spec.title), _call_command(run_command, manifest, spec), spec.icon, spec.permission,
                    spec.shortcut,
                )
            )  # fmt: skip
    return made


def _call_page(open_page: Callable[[Page], None], page: Page) -> Callable[[], None]:
    return lambda: open_page(page)


def _call_command(
    run_command: Callable[[Manifest, CommandSpec], None], manifest: Manifest, spec: CommandSpec
) -> Callable[[], None]:
    return lambda: run_command(manifest, spec)


def _may(actor: Actor | None, command: Command) -> bool:
    return actor.may(command.permission) if actor else not command.permission
