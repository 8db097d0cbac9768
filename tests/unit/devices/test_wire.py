"""The messages between a program and its driver hosts."""

from __future__ import annotations

import io
import json

import pytest

from devices import wire
from devices.ports import IdentityRecord
from devices.simulators.cards import CARDS


@pytest.mark.parametrize("card", CARDS)
def test_a_record_survives_the_pipe(card: str) -> None:
    record = CARDS[card].record
    stream = io.BytesIO(wire.pack({"id": 1, "ok": wire.record_to_wire(record)}))
    message = wire.receive(stream)
    assert message is not None
    assert wire.record_from_wire(message["ok"]) == record
    assert wire.receive(stream) is None


def test_the_photo_survives_as_bytes() -> None:
    record = IdentityRecord(kind="resident", name="张三", id_number="1", sex="男", birth=None, photo=bytes(range(256)))
    assert wire.record_from_wire(json.loads(json.dumps(wire.record_to_wire(record)))) == record


def test_a_message_cut_off_is_the_end() -> None:
    whole = wire.pack({"hello": "sdt"})
    assert [wire.receive(io.BytesIO(whole[:cut])) for cut in range(len(whole))] == [None] * len(whole)


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\0\0\0\x02{]", b"\0\0\0\x07" + b'{"v":2}'])
def test_nonsense_and_other_versions_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        wire.receive(io.BytesIO(data))
