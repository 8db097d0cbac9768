"""A desk without a window: the real store, accounts, engine, transport and page pump, at the end of a cable."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

from client.data.blobs import Blobs
from client.data.profile import Profile
from client.driver.relay import Relay
from client.kernel.ports import Record
from modules.common.clock import SystemClock
from sync.accounts import Accounts
from sync.engine import Policy, SyncEngine
from sync.loop import SyncLoop
from sync.pages import PagePump
from sync.transport import HttpTransport
from sync.uploads import Uploads
from tests.support.faults.counter import CHEAP, PASSWORD
from tests.support.halls import PATIENCE, wait_for


class Desk:
    """Somebody at work on a computer of their own. A context manager; ``line`` is the computer's cable.

    Opened a second time on the same ``folder`` it is the same computer, switched on again.
    """

    def __init__(self, folder: Path, server: tuple[str, int], code: str, login: str) -> None:
        self._folder, self._code, self._login = folder, code, login
        self.line = Relay(server)

    def __enter__(self) -> Self:
        self._profile = Profile(self._folder)
        self.accounts = Accounts(self._profile, SystemClock(), cost=CHEAP)
        if self._profile.device() is None:
            self.accounts.enrol(f"https://127.0.0.1:{self.line.port}", self._code)
        store = self.store = self.accounts.sign_in(self._login, PASSWORD).store
        transport = self.accounts.transport
        assert isinstance(transport, HttpTransport)
        policy = Policy(pull_every=0.5, backoff_base=0.1, backoff_cap=0.3)
        self._loop = SyncLoop(SyncEngine(store, SystemClock(), random.Random(), policy), transport)
        uploads = Uploads(transport, lambda: store.statement)
        self.blobs = Blobs(store, uploads.fetch, lambda: self._pages.poke())
        self._pages = PagePump(self.blobs, uploads, may_send=lambda: bool(store.statement))
        self._loop.start()
        self._pages.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.stop()
        self._pages.stop()
        self.accounts.close()
        self._profile.close()

    def online(self, cable: bool) -> None:
        """Pull the computer's cable, or put it back."""
        if cable:
            self.line.restore()
            self._loop.poke()
            self._pages.poke()
        else:
            self.line.cut()

    def give(self, id: str, type: str, body: Mapping[str, Any], **options: Any) -> Record:
        """Give a command of a case; it is sent as soon as the cable lets it."""
        record = self.store.give("case", id, type, dict(body), **options)
        self._loop.poke()
        return record

    def ready(self, item_id: str) -> None:
        """Wait until an item can be accepted here, also without the cable."""
        self.sees(item_id, kind="service_item")
        self.until(lambda: self.store.tally().serials > 0, "no numbers were leased")

    def accept(self, body: Mapping[str, Any]) -> Record:
        """Accept a case, once there are its item and numbers."""
        self.ready(str(body["item_id"]))
        return self.give(self.store.new_id(), "case.accept", body, numbered=True)

    def sees(self, id: str, state: str = "", kind: str = "case") -> Record:
        """A record, once the server has sent it in that state and nothing of it waits here."""

        def there() -> bool:
            record = self.store.get(kind, id)
            return record is not None and not record.pending and state in ("", record.state)

        self.until(there, f"{kind} {id} is not {state or 'there'}")
        found = self.store.get(kind, id)
        assert found is not None
        return found

    def until(self, true: Callable[[], bool], otherwise: str, timeout: float = PATIENCE) -> None:
        """Pull until ``true()``."""

        def asked() -> bool:
            self._loop.poke()
            return true()

        wait_for(asked, otherwise, timeout)


@cache
def _sheet(size: int) -> bytes:
    import cv2
    import numpy as np

    noise = np.random.default_rng(0).integers(0, 255, (size // 1200, 1200), np.uint8)
    _, data = cv2.imencode(".jpg", noise)
    return bytes(data)


def paper(number: int, size: int = 300_000) -> bytes:
    """Page ``number`` of a thick file, as a scanner delivers it: a JPEG with a comment like no other page's."""
    sheet, note = _sheet(size), f"page {number}".encode()
    return sheet[:2] + b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note + sheet[2:]
