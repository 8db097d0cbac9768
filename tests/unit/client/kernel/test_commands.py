from __future__ import annotations

import pytest

from client.kernel.commands import Command, CommandBook, of_manifests
from modules.common.manifest import parse
from modules.common.permissions import Actor

CLERK = Actor("1", "zhangsan", "张三", permissions=frozenset({"case.accept"}))


def nothing() -> None: ...


def book() -> CommandBook:
    return CommandBook(
        [
            Command("shell.settings", "设置", nothing, shortcut="Ctrl+,"),
            Command("case.accept", "受理", nothing, permission="case.accept", shortcut="F8"),
            Command("case.decide", "作出决定", nothing, permission="case.decide"),
        ]
    )


def test_only_permitted_commands_are_offered() -> None:
    assert [command.id for command in book().allowed(CLERK)] == ["shell.settings", "case.accept"]
    assert [command.id for command in book().allowed(None)] == ["shell.settings"]


@pytest.mark.parametrize("text", ["受", "accept", "ca", " CA "])
def test_the_palette_finds_by_words_id_and_initials(text: str) -> None:
    assert [command.id for command in book().search(text, CLERK)] == ["case.accept"]


def test_titles_that_begin_with_the_words_come_first() -> None:
    commands = CommandBook([Command("a.x", "打开受理", nothing), Command("a.y", "受理", nothing)])
    assert [command.id for command in commands.search("受理", None)] == ["a.y", "a.x"]


@pytest.mark.parametrize(
    "command", [Command("case.accept", "又一个", nothing), Command("b.b", "另", nothing, shortcut="F8")]
)
def test_an_id_or_a_shortcut_belongs_to_one_command(command: Command) -> None:
    with pytest.raises(ValueError, match=r"case\.accept"):
        book().add(command)


def test_manifests_become_commands_without_their_code() -> None:
    manifest = parse(
        """
        id = "duty"
        name = "值班"
        api = 1
        entry = "nowhere.at.all:Module"
        permissions = { "duty.view" = "查看" }
        [[pages]]
        id = "duty.roster"
        title = "排班表"
        view = "nowhere.at.all:View"
        permission = "duty.view"
        [[commands]]
        id = "duty.swap"
        title = "调班"
        handler = "nowhere.at.all:swap"
        shortcut = "Ctrl+S"
        """,
        "duty",
    )
    calls: list[str] = []
    made = of_manifests(
        [manifest], lambda page: calls.append(page.id), lambda owner, spec: calls.append(f"{owner.id} {spec.id}")
    )
    for command in made:
        command.run()
    assert calls == ["duty.roster", "duty duty.swap"]
    assert [(command.title, command.permission, command.shortcut) for command in made] == [
        ("打开排班表", "duty.view", ""),
        ("调班", "", "Ctrl+S"),
    ]
