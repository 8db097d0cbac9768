"""A rectangle."""

from __future__ import annotations

from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle in millimetres; ``x`` and ``y`` are its top left corner, y grows downwards."""

    x: float
    y: float
    width: float
    height: float

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies in it."""
        return self.x <= x <= self.x + self.width and self.y <= y <= self.y + self.height
