"""The module's wiring: nothing runs until one of its pages is opened."""

from __future__ import annotations

from client.kernel.contract import Host


class Acceptance:
    """一窗受理."""

    def start(self, host: Host) -> None:
        """Nothing to do: the pages build their service from the host that they are handed."""

    def stop(self) -> None:
        """Nothing to end: the pages cancel their own work."""


def open_acceptance(host: Host) -> None:
    """Go to the counter and begin a new case."""
    host.open_page("acceptance.accept", action="new")


def read_card(host: Host) -> None:
    """Go to the counter and read the card."""
    host.open_page("acceptance.accept", action="card")


def open_cases(host: Host) -> None:
    """Go to the cases, ready to search."""
    host.open_page("acceptance.cases", action="search")
