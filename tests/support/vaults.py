"""A keyring in memory, which can be locked."""

from __future__ import annotations

from client.data.profile import SpokenVault


class FakeVault:
    """A keyring in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        self._open()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._open()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._open()
        del self.kept[service, username]

    def _open(self) -> None:
        if self.locked:
            raise RuntimeError("locked")

    def spoken(self) -> SpokenVault:
        """As the program sees it."""
        return SpokenVault(self)
