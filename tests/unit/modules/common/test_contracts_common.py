"""The small shared contracts: ids, clock, text, manifests, statements, aggregates."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from modules.common import manifest as manifests
from modules.common.aggregate import Command, Context, Event, Summary, apply
from modules.common.calendar import WorkCalendar
from modules.common.clock import FixedClock, iso, parse_iso
from modules.common.errors import GovDeskError, Refusal
from modules.common.ids import is_uuid7, uuid7
from modules.common.permissions import Actor, admin_kinds_of
from modules.common.statement import Statement, read, sign, verify
from modules.common.text import set_language, tr

MOMENT = datetime(2026, 11, 20, 2, 24, tzinfo=UTC)


def test_ids_made_by_many_threads_are_distinct_and_ordered_within_each() -> None:
    made: list[list[str]] = []

    def make() -> None:
        made.append([uuid7() for _ in range(500)])

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flat = [identifier for batch in made for identifier in batch]
    assert len(set(flat)) == 4000
    assert all(batch == sorted(batch) for batch in made)
    assert all(map(is_uuid7, flat))


def test_an_id_carries_its_millisecond() -> None:
    far = 4102444800000  # 2100-01-01
    identifier = uuid7(far)
    assert int(identifier.replace("-", "")[:12], 16) == far
    assert not is_uuid7(identifier.upper())
    assert not is_uuid7("nonsense")


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001
def test_moments_survive_the_wire_to_the_millisecond(moment: datetime) -> None:
    back = parse_iso(iso(moment))
    assert timedelta(0) <= moment - back < timedelta(milliseconds=1)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        parse_iso("2026-11-20T10:00:00")


def test_a_fixed_clock_moves_only_when_moved() -> None:
    clock = FixedClock(MOMENT)
    assert clock.now() == clock.now() == MOMENT
    clock.advance(90)
    assert clock.now() - MOMENT == timedelta(seconds=90)
    assert clock.monotonic() == 90


MANIFEST = """
id = "demo"
name = "演示"
api = 1
entry = "modules.demo.module:DemoModule"
[permissions]
"demo.view" = "查看"
[roles]
clerk = ["demo.view"]
[[pages]]
id = "demo.list"
title = "列表"
view = "modules.demo.ui:ListView"
permission = "demo.view"
"""


def test_a_manifest_is_read_without_importing_its_module() -> None:
    manifest = manifests.parse(MANIFEST, "demo/module.toml")
    assert manifest.pages[0].view.target == "modules.demo.ui:ListView"
    assert manifest.roles == {"clerk": ("demo.view",)}


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('"demo.list"', '"other.list"', "other.list"),
        ('view = "modules.demo.ui:ListView"', 'view = "not a target"', "not a target"),
        ('permission = "demo.view"', 'permission = "demo.nothing"', "demo.nothing"),
        ('clerk = ["demo.view"]', 'clerk = ["demo.other"]', "demo.other"),
        ('name = "演示"', "", "name"),
        ("api = 1", "api = 1\nsurprise = 2", "surprise"),
        ("api = 1", "api = [", "demo/module.toml"),
        ('title = "列表"', 'title = "列表"\ncolour = 1', "colour"),
    ],
)
def test_a_faulty_manifest_is_refused_and_the_fault_is_named(old: str, new: str, named: str) -> None:
    with pytest.raises(manifests.ManifestError) as refused:
        manifests.parse(MANIFEST.replace(old, new), "demo/module.toml")
    assert refused.value.code == "MOD-001"
    assert named in refused.value.message


def test_a_module_for_another_contract_is_refused_in_words_and_the_rest_go_on(tmp_path) -> None:  # type: ignore[no-untyped-def]
    for name, text in {"demo": MANIFEST, "old": MANIFEST.replace("demo", "old").replace("api = 1", "api = 9")}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "module.toml").write_text(text, "utf-8")
    usable, faults = manifests.load_all(tmp_path)
    assert [manifest.id for manifest in usable] == ["demo"]
    assert [fault.code for fault in faults] == ["MOD-002"]
    assert "9" in faults[0].message


def _keys() -> tuple[bytes, bytes]:
    key = Ed25519PrivateKey.generate()
    raw = key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    return raw, key.public_key().public_bytes_raw()


STATEMENT = Statement(
    id="s1", person="p1", login="zhangsan", name="张三", device="d1", issued_at=iso(MOMENT),
    expires_at=iso(MOMENT + timedelta(hours=72)), hall_id="hall-1", permissions=("acceptance.accept",),
    roles=("clerk",),
)  # fmt: skip


def test_a_statement_is_believed_only_when_the_server_signed_it() -> None:
    private, public = _keys()
    token = sign(STATEMENT, private)
    assert verify(token, public) == STATEMENT == read(token)
    with pytest.raises(GovDeskError) as refused:
        verify(token, _keys()[1])
    assert refused.value.code == "AUTH-007"


@given(st.text(max_size=80))
def test_no_text_at_all_passes_for_a_statement(text: str) -> None:
    _, public = _keys()
    with pytest.raises(GovDeskError):
        verify(text, public)


def test_a_statement_holds_from_its_issue_until_before_its_end() -> None:
    assert STATEMENT.holds_at(MOMENT)
    assert not STATEMENT.holds_at(MOMENT - timedelta(milliseconds=1))
    assert not STATEMENT.holds_at(MOMENT + timedelta(hours=72))
    assert STATEMENT.actor().may("acceptance.accept")
    assert not STATEMENT.actor().may("acceptance.decide")


def test_the_three_administrators_are_told_apart() -> None:
    assert admin_kinds_of(["sysadmin", "clerk"]) == {"sys"}
    assert admin_kinds_of(["sysadmin", "auditadmin"]) == {"sys", "audit"}


class Counter:
    """A tiny aggregate: a counter that may not pass three."""

    kind = "counter"

    def refs(self, command: Command) -> list[tuple[str, str]]:
        return []

    def decide(self, state, command: Command, context: Context):  # type: ignore[no-untyped-def]
        if command.type == "counter.nothing":
            return []
        if (state or {"n": 0})["n"] >= 3:
            return Refusal("CNT-001", "full")
        return [Event("added", {})]

    def evolve(self, state, event: Event):  # type: ignore[no-untyped-def]
        return {"n": (state or {"n": 0})["n"] + 1}

    def summary(self, state) -> Summary:  # type: ignore[no-untyped-def]
        return Summary(str(state["n"]), "counting")

    def scopes(self, state) -> frozenset[str]:  # type: ignore[no-untyped-def]
        return frozenset({"hall:h1"})


def test_a_command_changes_a_state_by_decide_and_evolve_or_not_at_all() -> None:
    context = Context(MOMENT, Actor("p1", "zhangsan", "张三"), WorkCalendar({}))
    command = Command("c1", "counter", "k1", "counter.add", {})
    outcome = apply(Counter(), {"n": 2}, command, context)
    assert not isinstance(outcome, Refusal)
    assert outcome[0] == {"n": 3}
    assert apply(Counter(), {"n": 3}, command, context) == Refusal("CNT-001", "full")


def test_a_command_without_effect_is_refused() -> None:
    context = Context(MOMENT, Actor("p1", "zhangsan", "张三"), WorkCalendar({}))
    outcome = apply(Counter(), {"n": 1}, Command("c1", "counter", "k1", "counter.nothing", {}), context)
    assert isinstance(outcome, Refusal)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("zh_CN", "尚未登录。请先登录。（AUTH-001）"), ("en", "Not signed in. Please sign in first. (AUTH-001)")],
)
def test_an_error_is_said_in_the_language_in_force(language: str, sentence: str) -> None:
    set_language(language)
    try:
        assert GovDeskError("AUTH-001", tr("尚未登录。"), fix=tr("请先登录。")).sentence() == sentence
    finally:
        set_language("zh_CN")
