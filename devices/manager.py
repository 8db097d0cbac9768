"""The devices of this place: which are bound, how each of them is, and how to use it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from devices.host import HostedDriver, HostedIdCardReader
from devices.ports import (
    DeviceError,
    DeviceState,
    DeviceStatus,
    IdCardReader,
    IdentityRecord,
    StatusListener,
    no_reader,
)
from modules.common.clock import Clock, SystemClock
from modules.common.text import tr

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 8.0
_LOST = (DeviceState.ABSENT, DeviceState.ATTENTION, DeviceState.FAULT)
# After these, a reader is as well as before: it was the card, or the person.
_CARD_CODES = ("DEV-101", "DEV-104", "DEV-105", "DEV-109")
_STATES = {
    "DEV-103": DeviceState.ABSENT,
    "DEV-107": DeviceState.ABSENT,
    "DEV-109": DeviceState.ATTENTION,
    "DEV-110": DeviceState.ATTENTION,
    "DEV-111": DeviceState.ATTENTION,
}


class DeviceManager:
    """Implements ``Devices`` for the bindings of this place, and opens nothing that is not bound.

    ``bindings``: ``{"id_card": {"driver": "sdt", "port": "COM3", "simulated": false}}``; what else an entry
    holds goes to the driver. ``command`` starts a driver host (see ``HostedDriver``). ``poll``: seconds between
    two looks at a device; an absent one is looked at ever less often, every 8 s at the least.
    Nothing starts before ``start`` or the first ``read``.
    """

    def __init__(
        self,
        bindings: Mapping[str, Mapping[str, Any]],
        *,
        clock: Clock | None = None,
        command: Sequence[str] | None = None,
        poll: float = 2.0,
    ) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._seq = 0
        self._listeners: list[StatusListener] = []
        self._id_card: _ManagedReader | None = None
        if "id_card" in bindings:
            binding = dict(bindings["id_card"])
            simulated = bool(binding.pop("simulated", False))
            driver = HostedDriver(binding.pop("driver"), binding, command=command)
            first = DeviceStatus(
                device="id_card",
                kind="id_card",
                name=tr("身份证读卡器"),
                state=DeviceState.UNKNOWN,
                seq=0,
                since=self._clock.now(),
                text=tr("尚未检查"),
                simulated=simulated,
            )
            self._id_card = _ManagedReader(driver, first, self._publish, poll)

    def start(self) -> None:
        """Begin to look after the devices."""
        if self._id_card is not None:
            self._id_card.start()

    def close(self) -> None:
        """End every thread and process; a read that waits gets DEV-001."""
        if self._id_card is not None:
            self._id_card.close()

    def statuses(self) -> list[DeviceStatus]:
        """See ``Devices.statuses``."""
        return [] if self._id_card is None else [self._id_card.status]

    def listen(self, listener: StatusListener) -> Callable[[], None]:
        """See ``Devices.listen``. Two changes may arrive out of order; ``seq`` tells which is newer."""
        with self._lock:
            self._listeners.append(listener)

        def end() -> None:
            with self._lock:
                self._listeners.remove(listener)

        return end

    def id_card(self) -> IdCardReader:
        """This place's reader of identity cards. Raises ``DeviceError`` DEV-108 where none is bound."""
        if self._id_card is None:
            raise no_reader()
        return self._id_card

    def _publish(self, old: DeviceStatus, new: DeviceStatus) -> DeviceStatus:
        """Number and date a status, and tell everyone."""
        with self._lock:
            self._seq += 1
            since = old.since if old.state == new.state else self._clock.now()
            new = replace(new, seq=self._seq, since=since)
            listeners = list(self._listeners)
        for listener in listeners:
            try:
                listener(new)
            except Exception:
                # One listener's fault must not end the watch over the device.
                log.exception("a listener of device states failed")
        return new


class _ManagedReader:
    """The bound reader: its driver, its newest status and the thread that looks after it."""

    def __init__(
        self,
        driver: HostedDriver,
        first: DeviceStatus,
        publish: Callable[[DeviceStatus, DeviceStatus], DeviceStatus],
        poll: float,
    ) -> None:
        self.status = first
        self._driver = driver
        self._reader = HostedIdCardReader(driver)
        self._publish = publish
        self._poll = poll
        self._change = threading.Lock()
        self._reading = threading.Lock()
        self._line = threading.Lock()
        self._token: threading.Event | None = None
        self._lost = False
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._watch, name="devices-id-card")

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing = True
        self._wake.set()
        self._driver.close()
        if self._thread.ident is not None:
            self._thread.join()

    def read(self, timeout: float = 15.0) -> IdentityRecord:
        if not self._reading.acquire(blocking=False):
            raise DeviceError("DEV-110", tr("读卡器正在使用中。"), fix=tr("请等这次读卡结束后再试。"))
        try:
            self._token = token = threading.Event()
            # A probe may be under way: it is short, and it is waited for.
            with self._line:
                if token.is_set():
                    raise DeviceError("DEV-105", tr("已取消读卡。"))
                return self._read(timeout, token)
        finally:
            self._token = None
            self._reading.release()

    def cancel(self) -> None:
        token = self._token
        if token is not None:
            token.set()
            self._reader.cancel()

    def _read(self, timeout: float, token: threading.Event) -> IdentityRecord:
        self._set(DeviceState.BUSY, text=tr("请放证件；已经放着的请拿起重放"))
        try:
            record = self._reader.read(timeout, token)
        except DeviceError as error:
            if error.code in _CARD_CODES:
                self._ready()
            elif error.code == "DEV-102":
                # The card or the cable: nobody knows until the reader is asked.
                self._set(DeviceState.UNKNOWN, text=tr("读卡中断，正在检查读卡器"))
                self._wake.set()
            else:
                self._failed(error)
                self._wake.set()
            raise
        self._ready()
        return record

    def _watch(self) -> None:
        pause = self._poll
        self._set(DeviceState.OPENING, text=tr("正在连接读卡器"))
        while not self._closing:
            if self._line.acquire(blocking=False):
                try:
                    self._probe()
                finally:
                    self._line.release()
            absent = self.status.state in _LOST
            pause = min(pause * 2, max(_LONGEST_PAUSE, self._poll)) if absent else self._poll
            self._wake.wait(pause)
            self._wake.clear()

    def _probe(self) -> None:
        try:
            self._reader.probe()
        except DeviceError as error:
            self._failed(error)
        else:
            self._ready()

    def _ready(self) -> None:
        self._set(DeviceState.READY, text=tr("读卡器就绪"))

    def _failed(self, error: DeviceError) -> None:
        state = _STATES.get(error.code, DeviceState.FAULT)
        self._set(state, code=error.code, text=error.message, advice=error.fix)

    def _set(self, state: DeviceState, *, text: str, code: str = "", advice: str = "") -> None:
        with self._change:
            old = self.status
            new = replace(old, state=state, text=text, code=code, advice=advice)
            if self._closing or new == old:
                return
            if state in _LOST and not self._lost:
                log.warning("%s is lost: %s %s", old.device, code, text)
                self._lost = True
            elif state == DeviceState.READY and self._lost:
                log.info("%s is back", old.device)
                self._lost = False
            self.status = self._publish(old, new)
