"""What all pages need, under the name that this module's pages know it by."""

from __future__ import annotations

from client.widgets.pages import PageWork, when

__all__ = ["PageWork", "when"]
