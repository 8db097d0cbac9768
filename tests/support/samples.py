"""Real files that others made, beside the project: too many, and not all licensed to be carried in it."""

from __future__ import annotations

from pathlib import Path

import pytest

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"


def sample(*parts: str) -> Path:
    """A sample file or folder. Skips, aloud, where it is not there."""
    path = SAMPLES.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{'/'.join(parts)} is not beside the project: nothing is proven against real files here")
    return path
