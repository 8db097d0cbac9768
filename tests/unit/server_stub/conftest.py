from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.central import Central, central


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Central]:
    with central(tmp_path / "server") as made:
        yield made
