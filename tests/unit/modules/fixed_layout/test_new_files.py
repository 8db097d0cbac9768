"""New files get their names only when nothing else has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.common.errors import GovDeskError
from modules.fixed_layout.services.sealing import free_name, lay_down, put_in_place


def test_a_name_that_was_taken_meanwhile_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "通知.ofd"
    part = lay_down(target, b"new")
    target.write_bytes(b"somebody else's")
    with pytest.raises(GovDeskError, match="SEAL-044"):
        put_in_place(part, target)
    assert target.read_bytes() == b"somebody else's"
    assert [each.name for each in tmp_path.iterdir()] == ["通知.ofd"]


def test_a_free_name_is_beside_the_original(tmp_path: Path) -> None:
    path = tmp_path / "通知.ofd"
    names = []
    for _ in range(3):
        names.append(free_name(path).name)
        (tmp_path / names[-1]).touch()
    assert names == ["通知-已盖章.ofd", "通知-已盖章2.ofd", "通知-已盖章3.ofd"]
