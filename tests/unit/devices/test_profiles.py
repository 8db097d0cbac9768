"""Profiles of serial devices: every one in the box keeps its golden vectors, and any frame survives the line."""

from __future__ import annotations

import random
from typing import Any

import pytest

from devices.drivers.profiled import FOLDER, SUMS, Damaged, Message, Profile

NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
COLON = {
    "kind": "window_screen",
    "frame": "3A {command} {data} {sum} 0D 0A",
    "sum": "sum8",
    "sum_of": ["head", "command", "data"],
    "calls": {"show": {"command": "41", "data": "{row} {text}"}},
}
"""A frame without a length, as some makers have it."""


def test_the_checksums_are_the_published_ones() -> None:
    digits = b"123456789"
    found = {name: compute(digits).hex() for name, (_, compute) in SUMS.items()}
    assert found == {"xor": "31", "sum8": "dd", "crc16-modbus": "374b"}


@pytest.mark.parametrize("name", NAMES)
def test_golden_vectors(name: str) -> None:
    profile = Profile.load(name)
    assert {vector.get("call") or vector["event"] for vector in profile.vectors} >= set(profile.calls) - {"thanks"}
    for vector in profile.vectors:
        fields = {key: value for key, value in vector.items() if key not in ("call", "event", "hex")}
        whole = bytes.fromhex(vector["hex"])
        if "call" in vector:
            assert profile.request(vector["call"], **fields) == whole
        else:
            event = profile.events[vector["event"]]
            assert profile.take(bytearray(whole)) == Message(event.command, bytes.fromhex(fields["data"]))


def messages(profile: Profile, stream: bytes, rng: random.Random) -> list[Message | Damaged]:
    """What comes out of ``stream`` cut anyhow."""
    buffer, found = bytearray(), []
    while stream:
        size = rng.randint(1, 7)
        buffer += stream[:size]
        stream = stream[size:]
        while (item := profile.take(buffer)) is not None:
            found.append(item)
    return found


PROFILES = {**{name: Profile.load(name) for name in NAMES}, "colon": Profile(COLON)}


@pytest.mark.parametrize("name", PROFILES)
def test_any_frames_survive_noise_and_cuts(name: str) -> None:
    profile, rng = PROFILES[name], random.Random(name)
    for _ in range(200):
        sent = [Message(rng.randrange(256), rng.randbytes(rng.randrange(12))) for _ in range(rng.randint(1, 4))]
        if name == "colon":
            sent = [Message(one.command, one.data.replace(b"\x0d\x0a", b"")) for one in sent]
        stream = b"\x00\x37".join(profile.frame(one.command, one.data) for one in sent)
        assert messages(profile, b"\x11" + stream, rng) == sent


@pytest.mark.parametrize("name", PROFILES)
def test_no_damaged_byte_passes(name: str) -> None:
    profile = PROFILES[name]
    whole = profile.frame(0x82, b"\x01\x02\x03")
    for at in range(len(whole)):
        for flip in (0x01, 0x10, 0x80):
            spoiled = whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :]
            found = messages(profile, spoiled + profile.frame(0x90, b"\x00") + bytes(600), random.Random(at))
            assert Message(0x82, b"\x01\x02\x03") not in found
            assert all(isinstance(item, Damaged) or item.command == 0x90 for item in found)


def test_text_is_cut_between_characters_and_encoded_as_the_device_wants() -> None:
    profile = Profile.load("reference-screen")
    assert profile.fitted("请A017号到3号窗口", 16) == "请A017号到3号窗"
    assert profile.request("show", row=1, text="𬭎")[5:9] == "𬭎".encode("gb18030")


@pytest.mark.parametrize(
    "change",
    [
        {"frame": "{command} {data} {sum}"},
        {"frame": "3A {command} {data} {sum}"},
        {"frame": "3A {command} {sum} 0A"},
        {"frame": "3A {command} {data} {sum} zz"},
        {"sum": "none"},
        {"calls": {"show": {}}},
    ],
)
def test_a_profile_that_is_none(change: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError)):
        Profile({**COLON, **change})
