"""The devices of this place: which are bound, how each of them is, and how to use it."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from devices.host import (
    DRIVERS,
    Hosted,
    HostedCamera,
    HostedDriver,
    HostedEvaluator,
    HostedIdCardReader,
    HostedTicketPrinter,
    HostedWindowScreen,
    host_command,
)
from devices.ports import (
    Camera,
    Corners,
    DeviceError,
    DeviceState,
    DeviceStatus,
    Evaluator,
    Frame,
    IdCardReader,
    IdentityRecord,
    Page,
    Paper,
    Photo,
    PrinterStatus,
    StatusListener,
    Ticket,
    TicketPrinter,
    WindowScreen,
    no_camera,
    no_evaluator,
    no_reader,
    no_ticket_printer,
    no_window_screen,
)
from modules.common.clock import Clock, SystemClock
from modules.common.text import tr

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 8.0
_LOST = (DeviceState.ABSENT, DeviceState.ATTENTION, DeviceState.FAULT)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What the window says of a kind of device, and what its codes mean for its state.

    ``harmless``: after these the device is as well as before; it was the card, the paper or the person.
    ``doubtful``: after these nobody knows until it is asked. All codes that are nowhere named are a fault.
    ``busy``: said while it is used; nothing where a use is over at once.
    """

    name: str
    opening: str
    ready: str
    busy: str = ""
    checking: str = ""
    absent: tuple[str, ...] = ()
    attention: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()


def _kind(kind: str) -> _Kind:
    match kind:
        case "id_card":
            return _Kind(
                tr("身份证读卡器"),
                tr("正在连接读卡器"),
                tr("读卡器就绪"),
                tr("请放证件；已经放着的请拿起重放"),
                tr("读卡中断，正在检查读卡器"),
                absent=("DEV-103", "DEV-107"),
                attention=("DEV-111",),
                harmless=("DEV-101", "DEV-104", "DEV-105", "DEV-109", "DEV-110"),
                doubtful=("DEV-102",),
            )
        case "camera":
            return _Kind(
                tr("高拍仪"),
                tr("正在连接高拍仪"),
                tr("高拍仪就绪"),
                tr("高拍仪正在使用"),
                tr("画面中断，正在检查高拍仪"),
                absent=("DEV-201",),
                attention=("DEV-203", "DEV-204"),
                harmless=("DEV-205", "DEV-206"),
                doubtful=("DEV-202",),
            )
        case "ticket_printer":
            return _Kind(
                tr("取号打印机"),
                tr("正在连接取号打印机"),
                tr("取号打印机就绪"),
                tr("正在打印号票"),
                tr("打印中断，正在检查打印机"),
                absent=("DEV-301",),
                attention=("DEV-302", "DEV-303", "DEV-306", "DEV-307", "DEV-310", "DEV-311"),
                harmless=("DEV-305", "DEV-309"),
                doubtful=("DEV-312", "DEV-313"),
            )
        case "evaluator":
            return _Kind(
                tr("评价器"),
                tr("正在连接评价器"),
                tr("评价器就绪"),
                tr("请办事人评价"),
                tr("评价中断，正在检查评价器"),
                absent=("DEV-403",),
                attention=("DEV-404", "DEV-407"),
                harmless=("DEV-401", "DEV-405", "DEV-409"),
                doubtful=("DEV-402",),
            )
        case "window_screen":
            return _Kind(
                tr("窗口屏"),
                tr("正在连接窗口屏"),
                tr("窗口屏就绪"),
                absent=("DEV-451",),
                attention=("DEV-452", "DEV-457"),
                harmless=("DEV-455",),
            )
    raise ValueError(f"no kind of device: {kind!r}")


class DeviceManager:
    """Implements ``Devices`` for the bindings of this place, and opens nothing that is not bound.

    ``bindings``: ``{"id_card": {"driver": "sdt", "port": "COM3", "simulated": false}, "camera": {"driver": "camera",
    "source": "cv2:0"}, "ticket_printer": {"driver": "escpos", "address": "tcp://10.0.0.9:9100"}, "evaluator":
    {"driver": "evaluator", "port": "COM4", "profile": "reference-evaluator"}, "window_screen": {…}}``; what else an
    entry holds goes to the driver. ``host`` says how a driver's host is started (see ``HostedDriver``). ``poll``:
    seconds between two looks at a device; one that is not well is looked at ever less often, every 8 s at the least.
    Nothing starts before ``start`` or the first use. Raises ``ValueError`` for bindings that are none.
    """

    def __init__(
        self,
        bindings: Mapping[str, Mapping[str, Any]],
        *,
        clock: Clock | None = None,
        host: Callable[[str], Sequence[str]] = host_command,
        poll: float = 2.0,
    ) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._seq = 0
        self._listeners: list[StatusListener] = []
        self._host = host
        self._poll = poll
        self._devices = {kind: self._managed(kind, dict(entry)) for kind, entry in bindings.items()}

    def _managed(self, kind: str, binding: dict[str, Any]) -> _Managed:
        words = _kind(kind)
        simulated = bool(binding.pop("simulated", False))
        driver = binding.pop("driver", None)
        if driver not in DRIVERS:
            raise ValueError(f"no driver of that name: {driver!r}")
        first = DeviceStatus(
            device=kind,
            kind=kind,
            name=words.name,
            state=DeviceState.UNKNOWN,
            seq=0,
            since=self._clock.now(),
            text=tr("尚未检查"),
            simulated=simulated,
        )
        hosted = HostedDriver(driver, binding, command=self._host(driver))
        return _MANAGED[kind](words, hosted, first, self._publish, self._poll)

    def start(self) -> None:
        """Begin to look after the devices."""
        for device in self._devices.values():
            device.start()

    def close(self) -> None:
        """End every thread and process; a call that waits gets DEV-001."""
        for device in self._devices.values():
            device.end()
        for device in self._devices.values():
            device.close()

    def statuses(self) -> list[DeviceStatus]:
        """See ``Devices.statuses``."""
        return [device.newest for device in self._devices.values()]

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
        device = self._devices.get("id_card")
        if not isinstance(device, _ManagedReader):
            raise no_reader()
        return device

    def camera(self) -> Camera:
        """This place's document camera. Raises ``DeviceError`` DEV-208 where none is bound."""
        device = self._devices.get("camera")
        if not isinstance(device, _ManagedCamera):
            raise no_camera()
        return device

    def ticket_printer(self) -> TicketPrinter:
        """This place's ticket printer. Raises ``DeviceError`` DEV-308 where none is bound."""
        device = self._devices.get("ticket_printer")
        if not isinstance(device, _ManagedPrinter):
            raise no_ticket_printer()
        return device

    def evaluator(self) -> Evaluator:
        """This place's evaluator. Raises ``DeviceError`` DEV-408 where none is bound."""
        device = self._devices.get("evaluator")
        if not isinstance(device, _ManagedEvaluator):
            raise no_evaluator()
        return device

    def window_screen(self) -> WindowScreen:
        """This window's screen. Raises ``DeviceError`` DEV-458 where none is bound."""
        device = self._devices.get("window_screen")
        if not isinstance(device, _ManagedScreen):
            raise no_window_screen()
        return device

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


class _Managed(ABC):
    """A bound device: its driver, its newest status and the thread that looks after it.

    The device is asked how it is only while nobody uses it; a use that begins meanwhile waits for the answer. Who may
    use it together with whom is the driver's affair.
    """

    def __init__(
        self,
        kind: _Kind,
        driver: HostedDriver,
        first: DeviceStatus,
        publish: Callable[[DeviceStatus, DeviceStatus], DeviceStatus],
        poll: float,
    ) -> None:
        self.newest = first
        self._kind = kind
        self._driver = driver
        self._hosted = self._over(driver)
        self._publish = publish
        self._poll = poll
        self._change = threading.Lock()
        self._turn = threading.Condition()
        self._tokens: set[threading.Event] = set()
        self._probing = False
        self._lost = False
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._watch, name=f"devices-{first.kind}")

    def start(self) -> None:
        if self._thread.ident is None:
            self._thread.start()

    def end(self) -> None:
        """Ask it to end; ``close`` waits for that."""
        self._closing = True
        self._wake.set()

    def close(self) -> None:
        self.end()
        self._driver.close()
        if self._thread.ident is not None:
            self._thread.join()

    def cancel(self) -> None:
        with self._turn:
            for token in self._tokens:
                token.set()
        self._hosted.cancel()

    @abstractmethod
    def _over(self, driver: HostedDriver) -> Hosted:
        """The device's own calls, over its driver."""

    @contextmanager
    def _used(self) -> Iterator[threading.Event]:
        """Around a use: the state before, in and after it. Gives the token that ``cancel`` sets."""
        token = threading.Event()
        with self._turn:
            self._tokens.add(token)
            self._turn.wait_for(lambda: not self._probing)
        if self._kind.busy:
            self._set(DeviceState.BUSY, text=self._kind.busy)
        failed: DeviceError | None = None
        try:
            yield token
        except DeviceError as error:
            failed = error
            raise
        finally:
            with self._turn:
                self._tokens.discard(token)
                others = bool(self._tokens)
            self._after(failed, others)

    def _after(self, failed: DeviceError | None, others: bool) -> None:
        if failed is None or failed.code in self._kind.harmless:
            if not others:
                self._ready()
        elif failed.code in self._kind.doubtful:
            # The card or the cable: nobody knows until the device is asked.
            self._set(DeviceState.UNKNOWN, text=self._kind.checking)
            self._wake.set()
        else:
            self._failed(failed)
            self._wake.set()

    def _watch(self) -> None:
        self._set(DeviceState.OPENING, text=self._kind.opening)
        pause = self._poll
        while not self._closing:
            with self._turn:
                self._probing = not self._tokens
            if self._probing:
                try:
                    self._look()
                finally:
                    with self._turn:
                        self._probing = False
                        self._turn.notify_all()
            ill = self.newest.state in _LOST
            pause = min(pause * 2, max(_LONGEST_PAUSE, self._poll)) if ill else self._poll
            self._wake.wait(pause)
            self._wake.clear()

    def _look(self) -> None:
        try:
            answer = self._hosted.probe()
        except DeviceError as error:
            self._failed(error)
        else:
            self._well(answer)

    def _well(self, answer: Any) -> None:
        """The device said that it is well; ``answer`` is what else it said."""
        self._ready()

    def _ready(self) -> None:
        self._set(DeviceState.READY, text=self._kind.ready)

    def _failed(self, error: DeviceError) -> None:
        kind = self._kind
        absent, attention = error.code in kind.absent, error.code in (*kind.attention, *kind.harmless)
        state = DeviceState.ABSENT if absent else DeviceState.ATTENTION if attention else DeviceState.FAULT
        self._set(state, code=error.code, text=error.message, advice=error.fix)

    def _set(self, state: DeviceState, *, text: str, code: str = "", advice: str = "") -> None:
        with self._change:
            old = self.newest
            new = replace(old, state=state, text=text, code=code, advice=advice)
            if self._closing or new == old:
                return
            if state in _LOST and code and not self._lost:
                log.warning("%s is lost: %s %s", old.device, code, text)
                self._lost = True
            elif state == DeviceState.READY and self._lost:
                log.info("%s is back", old.device)
                self._lost = False
            self.newest = self._publish(old, new)


class _ManagedReader(_Managed):
    def _over(self, driver: HostedDriver) -> Hosted:
        self._reader = HostedIdCardReader(driver)
        return self._reader

    def read(self, timeout: float = 15.0) -> IdentityRecord:
        with self._used() as token:
            return self._reader.read(timeout, token)


class _ManagedCamera(_Managed):
    def _over(self, driver: HostedDriver) -> Hosted:
        self._camera = HostedCamera(driver)
        return self._camera

    def preview(self, show: Callable[[Frame], None], *, width: int = 640, rate: float = 10.0) -> None:
        with self._used() as token:
            self._camera.preview(show, width=width, rate=rate, token=token)

    def capture(self, timeout: float = 10.0) -> Photo:
        with self._used() as token:
            return self._camera.capture(timeout, token)

    def crop(self, frame: Page, corners: Corners, timeout: float = 10.0) -> Page:
        with self._used():
            return self._camera.crop(frame, corners, timeout)


class _ManagedPrinter(_Managed):
    def _over(self, driver: HostedDriver) -> Hosted:
        self._printer = HostedTicketPrinter(driver)
        return self._printer

    def print_ticket(self, ticket: Ticket, timeout: float = 15.0) -> None:
        with self._used() as token:
            self._printer.print_ticket(ticket, timeout, token)

    def status(self, timeout: float = 3.0) -> PrinterStatus:
        return self._printer.status(timeout)

    def _well(self, answer: Any) -> None:
        if isinstance(answer, PrinterStatus) and answer.paper == Paper.NEAR_END:
            self._set(DeviceState.ATTENTION, text=tr("纸快用完了"), advice=tr("请准备好新纸卷。"))
        else:
            self._ready()


class _ManagedEvaluator(_Managed):
    def _over(self, driver: HostedDriver) -> Hosted:
        self._evaluator = HostedEvaluator(driver)
        return self._evaluator

    def ask(self, timeout: float = 60.0) -> int:
        with self._used() as token:
            return self._evaluator.ask(timeout, token)


class _ManagedScreen(_Managed):
    def _over(self, driver: HostedDriver) -> Hosted:
        self._screen = HostedWindowScreen(driver)
        return self._screen

    def show(self, lines: Sequence[str], timeout: float = 3.0) -> None:
        with self._used() as token:
            self._screen.show(lines, timeout, token)


_MANAGED: Mapping[str, type[_Managed]] = {
    "id_card": _ManagedReader,
    "camera": _ManagedCamera,
    "ticket_printer": _ManagedPrinter,
    "evaluator": _ManagedEvaluator,
    "window_screen": _ManagedScreen,
}
