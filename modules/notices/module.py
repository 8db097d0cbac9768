"""The module's wiring: nothing runs until its page is opened."""

from __future__ import annotations

from client.kernel.contract import Host


class Notices:
    """消息."""

    def start(self, host: Host) -> None:
        """Nothing to do: the page asks the host for what it needs."""

    def stop(self) -> None:
        """Nothing to end: the page cancels its own work."""
