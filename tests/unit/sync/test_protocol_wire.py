"""Wire types survive JSON, and nothing else passes for them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import protocol as p

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
commands = st.builds(
    p.WireCommand,
    n=st.integers(1), cmd_id=st.text(), kind=st.text(), aggregate_id=st.text(), type=st.text(), version=st.integers(1),
    base_rev=st.integers(0), at=st.text(), statement=st.text(),
    body=st.dictionaries(st.text(), json_values, max_size=4),
    number=st.none() | st.just({"series": "3411A", "serial": 7}),
)  # fmt: skip


@given(st.lists(commands, max_size=3))
def test_a_push_survives_the_wire(cmds: list[p.WireCommand]) -> None:
    push = p.PushRequest(p.PROTOCOL, "epoch", "2026-11-20T00:00:00.000Z", cmds)
    assert p.from_wire(p.PushRequest, json.loads(json.dumps(p.to_wire(push)))) == push


@given(commands)
def test_the_hash_is_the_same_after_the_wire_and_differs_for_any_other_body(command: p.WireCommand) -> None:
    back = p.from_wire(p.WireCommand, json.loads(json.dumps(p.to_wire(command))))
    assert p.body_hash(back) == p.body_hash(command)
    assert p.body_hash(replace(command, n=command.n + 1)) != p.body_hash(command)


def test_a_newer_peers_extra_fields_are_ignored() -> None:
    data = p.to_wire(p.Lease("3411A", 1, 500)) | {"colour": "red"}
    assert p.from_wire(p.Lease, data) == p.Lease("3411A", 1, 500)


@pytest.mark.parametrize(
    "data",
    [
        None, [], "text", {}, {"series": "3411A"}, {"series": 1, "first": 1, "last": 2},
        {"series": "a", "first": "1", "last": 2}, {"series": "a", "first": True, "last": 2},
    ],
)  # fmt: skip
def test_what_is_not_a_lease_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match="not a Lease"):
        p.from_wire(p.Lease, data)
