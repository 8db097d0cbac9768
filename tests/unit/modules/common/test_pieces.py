"""Files sealed in pieces: every byte comes back, from anywhere, and no change goes unnoticed."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.data import sealed as counters
from modules.common.pieces import HEAD, PIECE, STORED, Damaged, Lock, Sealed, aes, seal, sm4

KEY = bytes(range(32))
MARKS = {aes: b"GDBLOB2\n", sm4: b"GDSM4\n\0\1"}
Cipher = Callable[[bytes, bytes], Lock]
PLACES = st.integers(0, 10**6)
SIZES = st.one_of(st.integers(0, 40), st.sampled_from([PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 5]))


@pytest.fixture(params=MARKS, ids=lambda cipher: cipher.__name__)
def cipher(request: pytest.FixtureRequest) -> Cipher:
    made: Cipher = request.param
    return made


def sealed(cipher: Cipher, content: bytes, cuts: list[int]) -> bytes:
    target = io.BytesIO()
    places = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    seal(target, cipher(KEY, MARKS[cipher]), "name", (content[a:b] for a, b in pairwise(places)))
    return target.getvalue()


def opened(cipher: Cipher, folder: Path, data: bytes, key: bytes = KEY, name: str = "name") -> Sealed:
    path = folder / "file"
    path.write_bytes(data)
    return Sealed(path, lambda mark: {MARKS[cipher]: cipher(key, mark)}[mark], name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    size=SIZES, cuts=st.lists(st.integers(0, 10**6), max_size=4), at=st.integers(0, 10**6), count=st.integers(0, 10**6)
)
def test_any_part_comes_back(cipher: Cipher, tmp_path: Path, size: int, cuts: list[int], at: int, count: int) -> None:
    content = Random(size).randbytes(size)
    at %= size + 1
    with opened(cipher, tmp_path, sealed(cipher, content, cuts)) as file:
        assert file.size == size
        assert file.read() == content
        assert file.read(at, count) == content[at : at + count]
        assert file.read(at, 0) == b""
        stream = file.stream()
        assert stream.seek(at) == at
        assert stream.read(count) == content[at : at + count]
        assert stream.seek(-(size - at), 2) == at
        assert stream.read() == content[at:]


def damages(cipher: Cipher) -> dict[str, bytes]:
    good = sealed(cipher, Random(1).randbytes(3 * PIECE + 100), [])
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
        "another salt": MARKS[cipher] + bytes(16) + good[HEAD:],
        "another format": b"GDBLOB3\n" + good[8:],
    }


@pytest.mark.parametrize("damage", damages(aes))
def test_every_damage_is_noticed(cipher: Cipher, tmp_path: Path, damage: str) -> None:
    with pytest.raises(Damaged), opened(cipher, tmp_path, damages(cipher)[damage]) as file:
        file.read()


def test_a_file_belongs_to_its_key_and_its_name(cipher: Cipher, tmp_path: Path) -> None:
    data = sealed(cipher, b"content", [])
    for key, name in ((b"x" * 32, "name"), (KEY, "another")):
        with pytest.raises(Damaged), opened(cipher, tmp_path, data, key, name) as file:
            file.read()
    assert sealed(cipher, b"content", []) != data
    assert b"content" not in data


def test_what_counters_wrote_before_is_what_they_write_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_bytes", lambda count: bytes(range(count)))
    target = io.BytesIO()
    counters.seal(target, KEY, "name", [b"page" * 30_000])
    written = "8bcaa1f866486a2986aad69bdfc72145de3fa10f5feb39015d3e20d2705a24ad"
    assert hashlib.sha256(target.getvalue()).hexdigest() == written
    (tmp_path / "file").write_bytes(target.getvalue())
    with counters.opened(tmp_path / "file", KEY, "name") as file:
        assert file.read() == b"page" * 30_000
