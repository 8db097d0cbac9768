"""The module's wiring: nothing runs until one of its pages is opened."""

from __future__ import annotations

from client.kernel.contract import Host


class PeopleModule:
    """人员与审计: everything is asked of the server, nothing is kept here."""

    def start(self, host: Host) -> None:
        """Nothing to do: the pages ask the host for what they need."""

    def stop(self) -> None:
        """Nothing to end: the pages cancel their own work."""
