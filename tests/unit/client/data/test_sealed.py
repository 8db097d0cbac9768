"""Files sealed in pieces: every byte comes back, from anywhere, and no change goes unnoticed."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.data.sealed import FORMAT, PIECE, Damaged, Sealed, seal

KEY = bytes(range(32))
HEAD, STORED = len(FORMAT) + 16, PIECE + 16
PLACES = st.integers(0, 10**6)
SIZES = st.one_of(st.integers(0, 40), st.sampled_from([PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 5]))


def sealed(content: bytes, cuts: list[int]) -> bytes:
    target = io.BytesIO()
    places = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    seal(target, KEY, "name", (content[a:b] for a, b in pairwise(places)))
    return target.getvalue()


def opened(folder: Path, data: bytes, key: bytes = KEY, name: str = "name") -> Sealed:
    path = folder / "file"
    path.write_bytes(data)
    return Sealed(path, key, name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    size=SIZES, cuts=st.lists(st.integers(0, 10**6), max_size=4), at=st.integers(0, 10**6), count=st.integers(0, 10**6)
)
def test_any_part_comes_back(tmp_path: Path, size: int, cuts: list[int], at: int, count: int) -> None:
    content = Random(size).randbytes(size)
    at %= size + 1
    with opened(tmp_path, sealed(content, cuts)) as file:
        assert file.size == size
        assert file.read() == content
        assert file.read(at, count) == content[at : at + count]
        assert file.read(at, 0) == b""


def damages() -> dict[str, bytes]:
    good = sealed(Random(1).randbytes(3 * PIECE + 100), [])
    first, second = good[HEAD : HEAD + STORED], good[HEAD + STORED : HEAD + 2 * STORED]
    return {
        "swapped": good[:HEAD] + second + first + good[HEAD + 2 * STORED :],
        "dropped": good[:HEAD] + second + good[HEAD + 2 * STORED :],
        "cut at a piece": good[: HEAD + 2 * STORED],
        "cut in a piece": good[: HEAD + 2 * STORED + 40],
        "cut in a tag": good[: HEAD + 3 * STORED + 5],
        "cut to its head": good[:HEAD],
        "cut in its head": good[:12],
        "longer": good + b"x",
        "longer by a piece": good + first,
        "flipped": good[:-1] + bytes([good[-1] ^ 1]),
        "another salt": FORMAT + bytes(16) + good[HEAD:],
        "another format": b"GDBLOB3\n" + good[8:],
    }


@pytest.mark.parametrize("damage", damages())
def test_every_damage_is_noticed(tmp_path: Path, damage: str) -> None:
    with pytest.raises(Damaged), opened(tmp_path, damages()[damage]) as file:
        file.read()


def test_a_file_belongs_to_its_key_and_its_name(tmp_path: Path) -> None:
    data = sealed(b"content", [])
    for key, name in ((b"x" * 32, "name"), (KEY, "another")):
        with pytest.raises(Damaged), opened(tmp_path, data, key, name) as file:
            file.read()
    assert sealed(b"content", []) != data
    assert b"content" not in data
