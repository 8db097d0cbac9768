"""The module's wiring: nothing runs until its page is opened."""

from __future__ import annotations

from client.kernel.contract import Host


class FixedLayout:
    """版式文件: OFD and PDF, read, compared, signed off and printed."""

    def start(self, host: Host) -> None:
        """Nothing to do: the page asks the host for what it needs."""

    def stop(self) -> None:
        """Nothing to end: the page cancels its own work."""


def open_file(host: Host) -> None:
    """Go to the reader and ask for a file."""
    host.open_page("fixed_layout.reader", action="open")
