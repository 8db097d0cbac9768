"""Drivers in processes of their own: a crash or a hang in one never takes the window down.

``run_host`` is the process, ``HostedDriver`` its parent's side. What a card says passes through memory and
pipes only; neither side logs it.
"""

from __future__ import annotations

import faulthandler
import itertools
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import asdict
from pathlib import Path
from typing import Any

from devices import wire
from devices.ports import Corners, DeviceError, Frame, IdentityRecord, Page, Photo, PrinterStatus, Ticket
from modules.common.clock import Clock, SystemClock
from modules.common.errors import GovDeskError
from modules.common.text import language, set_language, tr

log = logging.getLogger(__name__)

Calls = Mapping[str, Callable[[Mapping[str, Any], threading.Event], Any]]
"""What a driver answers: by name, from arguments and a token that is set on cancel, a JSON value."""

START_TIME = 15.0
"""Seconds that a host may take to start."""
GRACE = 5.0
"""Seconds that a call may go past its own deadline before its host counts as hung."""
PROBE_TIME = 8.0
_STUCK = 70
"""Exit status of a host that ends itself because native code does not come back."""
CRASHES = 3
CRASH_WINDOW = 60.0
"""So many ends or hangs within so many seconds stop a driver until the oldest is that old."""


def _sdt(parameters: Mapping[str, Any]) -> Calls:
    # Only the host's own process pays for pySerial.
    from devices.drivers.sdt_id_card import SdtIdCardReader

    reader = SdtIdCardReader(**parameters)

    def read(args: Mapping[str, Any], token: threading.Event) -> Any:
        return wire.record_to_wire(reader.read(args["timeout"], token))

    def probe(args: Mapping[str, Any], token: threading.Event) -> None:
        reader.probe()

    return {"read": read, "probe": probe}


def _camera(parameters: Mapping[str, Any]) -> Calls:
    # Only the camera's own process pays for OpenCV, and dies of it.
    from devices.drivers.camera import DocumentCamera

    camera = DocumentCamera(**parameters, stuck=lambda: os._exit(_STUCK))

    def frame(args: Mapping[str, Any], token: threading.Event) -> Any:
        return wire.frame_to_wire(camera.frame(args["after"], args["width"], args["timeout"], token))

    def capture(args: Mapping[str, Any], token: threading.Event) -> Any:
        return wire.photo_to_wire(camera.capture(args["timeout"], token))

    def crop(args: Mapping[str, Any], token: threading.Event) -> Any:
        page = camera.crop(wire.page_from_wire(args["frame"]), wire.corners_from_wire(args["corners"]))
        return wire.page_to_wire(page)

    def probe(args: Mapping[str, Any], token: threading.Event) -> None:
        camera.probe()

    return {"frame": frame, "capture": capture, "crop": crop, "probe": probe}


def _escpos(parameters: Mapping[str, Any]) -> Calls:
    from devices.drivers.escpos import EscPosPrinter

    printer = EscPosPrinter(**parameters)

    def print_ticket(args: Mapping[str, Any], token: threading.Event) -> None:
        printer.print_ticket(wire.ticket_from_wire(args["ticket"]), args["timeout"], token)

    def status(args: Mapping[str, Any], token: threading.Event) -> Any:
        return asdict(printer.status(args["timeout"]))

    def probe(args: Mapping[str, Any], token: threading.Event) -> Any:
        return asdict(printer.probe())

    return {"print_ticket": print_ticket, "status": status, "probe": probe}


def _evaluator(parameters: Mapping[str, Any]) -> Calls:
    from devices.drivers.evaluator import SerialEvaluator

    evaluator = SerialEvaluator(**parameters)

    def ask(args: Mapping[str, Any], token: threading.Event) -> int:
        return evaluator.ask(args["timeout"], token)

    def probe(args: Mapping[str, Any], token: threading.Event) -> None:
        evaluator.probe()

    return {"ask": ask, "probe": probe}


def _window_screen(parameters: Mapping[str, Any]) -> Calls:
    from devices.drivers.window_screen import LedScreen

    screen = LedScreen(**parameters)

    def show(args: Mapping[str, Any], token: threading.Event) -> None:
        screen.show(args["lines"], args["timeout"], token)

    def probe(args: Mapping[str, Any], token: threading.Event) -> None:
        screen.probe()

    return {"show": show, "probe": probe}


def _token(parameters: Mapping[str, Any]) -> Calls:
    # Only the token's own process loads its maker's library, and hangs with it.
    from devices.drivers.pkcs11_token import Pkcs11Token

    return Pkcs11Token(**parameters).calls()


DRIVERS: Mapping[str, Callable[[Mapping[str, Any]], Calls]] = {
    "sdt": _sdt,
    "camera": _camera,
    "escpos": _escpos,
    "evaluator": _evaluator,
    "window_screen": _window_screen,
    "pkcs11": _token,
}
"""Every driver there is; a binding names one."""


def run_host(name: str, drivers: Mapping[str, Callable[[Mapping[str, Any]], Calls]] = DRIVERS) -> int:
    """Serve driver ``name`` on stdin and stdout until stdin ends; then the whole process ends at once."""
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C at a terminal is the parent's affair.
    faulthandler.enable()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    # Native libraries print: the pipe is kept from them, and what they say goes to the log.
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    source = os.fdopen(0, "rb", closefd=False)
    opening = wire.receive(source)
    if opening is None:
        return 0
    set_language(opening["language"])
    calls = drivers[name](opening["open"])
    turn = threading.Lock()
    tokens: dict[int, threading.Event] = {}

    def send(message: dict[str, Any]) -> None:
        data = wire.pack(message)
        with turn:
            sink.write(data)
            sink.flush()

    def serve(number: int, what: str, args: Mapping[str, Any], token: threading.Event) -> None:
        try:
            answer: dict[str, Any] = {"ok": calls[what](args, token)}
        except GovDeskError as error:
            answer = {"error": {"code": error.code, "message": error.message, "fix": error.fix}}
        except Exception as error:  # noqa: BLE001 - answered and logged, but without its text: that may quote a card
            log.error(
                "%s failed: %s\n%s", what, type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
            )
            answer = {"error": _internal(type(error).__name__)}
        tokens.pop(number, None)
        send({"id": number, **answer})

    send({"hello": name})
    while (message := wire.receive(source)) is not None:
        if "cancel" in message:
            token = tokens.get(message["cancel"])
            if token is not None:
                token.set()
        else:
            number = message["id"]
            tokens[number] = token = threading.Event()
            threading.Thread(target=serve, args=(number, message["call"], message["args"], token), daemon=True).start()
    # A call that hangs must not keep the process.
    os._exit(0)


def _die_with_parent() -> None:
    """On Linux, let the kernel end this process with its parent, even when a driver hangs."""
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)


class _Process:
    """One run of a host. Its thread starts the process, reads what it answers and outlives it.

    Starting it in that thread matters: Linux tells a child of its parent's death when the thread ends that
    started it.
    """

    def __init__(self, name: str, command: Sequence[str], opening: dict[str, Any], ended: Callable[[], None]) -> None:
        self._name = name
        self._command = command
        self._opening = opening
        self._ended = ended
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._pending: dict[int, Future[Any]] = {}
        self._popen: subprocess.Popen[bytes] | None = None
        self.ready: Future[None] = Future()
        self.closing = False
        self.over = False
        self.thread = threading.Thread(target=self._run, name=f"device-host-{name}")
        self.thread.start()

    def send(self, message: dict[str, Any]) -> None:
        """Hand the host a message; a host that has ended is noticed by the thread."""
        data = wire.pack(message)
        with self._lock:
            if self._popen is None or self._popen.stdin is None or self._popen.stdin.closed:
                return
            try:
                self._popen.stdin.write(data)
            except BrokenPipeError:
                return

    def call(self, what: str, args: dict[str, Any]) -> tuple[int, Future[Any]]:
        """Ask; the future has the answer, or DEV-001 when the host ends first."""
        future: Future[Any] = Future()
        with self._lock:
            number = next(self._numbers)
            if self.over:
                future.set_exception(_ended_error())
            else:
                self._pending[number] = future
        self.send({"id": number, "call": what, "args": args})
        return number, future

    def kill(self) -> None:
        """End the process at once, and wait for that."""
        with self._lock:
            if self._popen is not None:
                self._popen.kill()
        self.thread.join()

    def close(self) -> None:
        """Let the process end by itself, or end it after a second."""
        self.closing = True
        with self._lock:
            if self._popen is not None and self._popen.stdin is not None:
                self._popen.stdin.close()
        self.thread.join(1.0)
        self.kill()

    def _run(self) -> None:
        try:
            with self._lock:
                self._popen = process = self._start()
                if self.closing:
                    process.kill()
        except OSError as error:
            log.warning("driver host %s cannot start: %s", self._name, error)
            self._finish()
            return
        drain = threading.Thread(target=self._drain, args=(process,), name=f"device-host-{self._name}-log")
        drain.start()
        self.send(self._opening)
        try:
            self._listen(process)
        except (InvalidStateError, LookupError, TypeError, ValueError) as error:
            log.error("driver host %s speaks nonsense: %s", self._name, type(error).__name__)
            process.kill()
        code = process.wait()
        drain.join()
        if not self.closing:
            log.warning("driver host %s ended with %s", self._name, code)
        with self._lock, process:
            pass  # closes the pipes
        self._finish()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = dict(os.environ)
        if not getattr(sys, "frozen", False):
            root = str(Path(__file__).resolve().parents[1])
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, environment.get("PYTHONPATH", ""))))
        return subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=environment,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        while (message := wire.receive(process.stdout)) is not None:
            if "hello" in message:
                self.ready.set_result(None)
                continue
            with self._lock:
                future = self._pending.pop(message["id"], None)
            if future is None:
                continue
            if "error" in message:
                future.set_exception(DeviceError(**_error_arguments(message["error"])))
            else:
                future.set_result(message["ok"])

    def _drain(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        with os.fdopen(process.stderr.fileno(), "r", encoding="utf-8", errors="replace", closefd=False) as lines:
            for line in lines:
                log.info("driver host %s: %s", self._name, line.rstrip()[:500])

    def _finish(self) -> None:
        if not self.closing:
            self._ended()
        with self._lock:
            self.over = True
            orphans = [*self._pending.values()]
            self._pending.clear()
        if not self.ready.done():
            self.ready.set_exception(_ended_error())
        for future in orphans:
            future.set_exception(_ended_error())


class HostedDriver:
    """A driver behind a process: started at the first call, started anew after a crash or a hang.

    ``parameters`` are the driver's own (a port, a speed). Every call has a deadline; a host that passes it is
    killed. After ``CRASHES`` ends within ``CRASH_WINDOW`` seconds it is left alone for a while (DEV-003).
    """

    def __init__(
        self,
        name: str,
        parameters: Mapping[str, Any],
        *,
        command: Sequence[str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._name = name
        self._parameters = dict(parameters)
        self._command = command or host_command(name)
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._crashes: deque[float] = deque(maxlen=CRASHES)
        self._closed = False

    def start(self) -> None:
        """Start the host now. Raises ``DeviceError`` DEV-001, DEV-002 or DEV-003."""
        process = self._running()
        self._await(process, process.ready, START_TIME)

    def call(
        self,
        what: str,
        args: dict[str, Any],
        timeout: float,
        begun: Callable[[Callable[[], None]], None] | None = None,
    ) -> Any:
        """The driver's answer. Raises its ``DeviceError``; DEV-001 when the host ended, DEV-002 when it did not
        answer in ``timeout`` seconds and was ended, DEV-003 when it is stopped for crashing.

        ``begun`` is told, before the wait, the function that cancels this call.
        """
        process = self._running()
        self._await(process, process.ready, START_TIME)
        number, future = process.call(what, args)
        if begun is not None:
            begun(lambda: process.send({"cancel": number}))
        return self._await(process, future, timeout)

    def close(self) -> None:
        """End the host; what waits for it gets DEV-001. No call works afterwards."""
        with self._lock:
            self._closed = True
            process, self._process = self._process, None
        if process is not None:
            process.close()

    @property
    def pid(self) -> int | None:
        """The running host's process id."""
        process = self._process
        return process._popen.pid if process and process._popen and not process.over else None

    def _running(self) -> _Process:
        with self._lock:
            if self._closed:
                raise _ended_error()
            if self._process is None or self._process.over:
                now = self._clock.monotonic()
                if len(self._crashes) == CRASHES and now - self._crashes[0] < CRASH_WINDOW:
                    raise _stopped()
                opening = {"open": self._parameters, "language": language()}
                self._process = _Process(self._name, self._command, opening, self._count_crash)
            return self._process

    def _await(self, process: _Process, future: Future[Any], timeout: float) -> Any:
        try:
            return future.result(timeout)
        except TimeoutError as error:
            log.warning("driver host %s did not answer in %s s", self._name, timeout)
            process.kill()
            raise _hung() from error

    def _count_crash(self) -> None:
        self._crashes.append(self._clock.monotonic())


class Hosted:
    """A device whose driver lives in a host: ``cancel`` ends what waits there. ``token``s are set by their callers."""

    def __init__(self, driver: HostedDriver) -> None:
        self._driver = driver
        self._calls: dict[threading.Event, Callable[[], None] | None] = {}

    def cancel(self) -> None:
        """End every call that waits."""
        for token, cancel in [*self._calls.items()]:
            token.set()
            if cancel is not None:
                cancel()

    def probe(self) -> Any:
        """Ask the device whether it is well; raises what is the matter."""
        return self._driver.call("probe", {}, PROBE_TIME)

    def _call(self, what: str, args: dict[str, Any], timeout: float, token: threading.Event | None = None) -> Any:
        """A call that is cancelled by ``cancel``, or by a ``token`` set before it or while it starts."""
        mine = token or threading.Event()

        def begun(cancel: Callable[[], None]) -> None:
            self._calls[mine] = cancel
            if mine.is_set():
                cancel()

        self._calls[mine] = None
        try:
            return self._driver.call(what, {**args, "timeout": timeout}, timeout + GRACE, begun)
        finally:
            del self._calls[mine]


class HostedIdCardReader(Hosted):
    """An ``IdCardReader`` whose driver lives in a host."""

    def read(self, timeout: float = 15.0, token: threading.Event | None = None) -> IdentityRecord:
        """See ``IdCardReader.read``."""
        return wire.record_from_wire(self._call("read", {}, timeout, token))


class HostedCamera(Hosted):
    """A ``Camera`` whose driver lives in a host."""

    def __init__(self, driver: HostedDriver) -> None:
        super().__init__(driver)
        self._previews: set[threading.Event] = set()

    def cancel(self) -> None:
        """See ``Camera.cancel``."""
        for token in [*self._previews]:
            token.set()
        super().cancel()

    def preview(
        self,
        show: Callable[[Frame], None],
        *,
        width: int = 640,
        rate: float = 10.0,
        token: threading.Event | None = None,
    ) -> None:
        """See ``Camera.preview``."""
        token = token or threading.Event()
        self._previews.add(token)
        number, due = 0, time.monotonic()
        try:
            while not token.wait(max(0.0, due - time.monotonic())):
                frame = self.frame(number, width, token=token)
                number = frame.number
                show(frame)
                due = max(due + 1 / rate, time.monotonic())
        except DeviceError:
            if not token.is_set():
                raise
        finally:
            self._previews.discard(token)

    def frame(self, after: int, width: int = 640, timeout: float = 5.0, token: threading.Event | None = None) -> Frame:
        """The first preview picture with a number above ``after``."""
        return wire.frame_from_wire(self._call("frame", {"after": after, "width": width}, timeout, token))

    def capture(self, timeout: float = 10.0, token: threading.Event | None = None) -> Photo:
        """See ``Camera.capture``."""
        return wire.photo_from_wire(self._call("capture", {}, timeout, token))

    def crop(self, frame: Page, corners: Corners, timeout: float = 10.0) -> Page:
        """See ``Camera.crop``."""
        args = {"frame": wire.page_to_wire(frame), "corners": corners}
        return wire.page_from_wire(self._call("crop", args, timeout))


class HostedTicketPrinter(Hosted):
    """A ``TicketPrinter`` whose driver lives in a host."""

    def print_ticket(self, ticket: Ticket, timeout: float = 15.0, token: threading.Event | None = None) -> None:
        """See ``TicketPrinter.print_ticket``."""
        self._call("print_ticket", {"ticket": asdict(ticket)}, timeout, token)

    def status(self, timeout: float = 3.0) -> PrinterStatus:
        """See ``TicketPrinter.status``."""
        return wire.printer_status_from_wire(self._call("status", {}, timeout))

    def probe(self) -> PrinterStatus:
        """See ``EscPosPrinter.probe``."""
        return wire.printer_status_from_wire(super().probe())


class HostedEvaluator(Hosted):
    """An ``Evaluator`` whose driver lives in a host."""

    def ask(self, timeout: float = 60.0, token: threading.Event | None = None) -> int:
        """See ``Evaluator.ask``."""
        return int(self._call("ask", {}, timeout, token))


class HostedWindowScreen(Hosted):
    """A ``WindowScreen`` whose driver lives in a host."""

    def show(self, lines: Sequence[str], timeout: float = 3.0, token: threading.Event | None = None) -> None:
        """See ``WindowScreen.show``."""
        self._call("show", {"lines": [*lines]}, timeout, token)


def host_command(name: str) -> list[str]:
    """How this program starts itself as a driver host, frozen or not."""
    itself = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "client"]
    return [*itself, "--device-host", name]


def _error_arguments(error: Mapping[str, str]) -> dict[str, Any]:
    return {"code": error["code"], "message": error["message"], "fix": error["fix"]}


def _internal(kind: str) -> dict[str, str]:
    return {
        "code": "DEV-009",
        "message": tr("设备驱动程序内部出错（{kind}）。", kind=kind),
        "fix": tr("请再试一次；反复出现时请联系管理员。"),
    }


def _ended_error() -> DeviceError:
    return DeviceError(
        "DEV-001", tr("设备驱动程序意外退出，已录入的内容不受影响。"), fix=tr("正在自动恢复，请稍后再试。")
    )


def _hung() -> DeviceError:
    return DeviceError("DEV-002", tr("设备驱动程序没有反应，已将它重新启动。"), fix=tr("请再试一次。"))


def _stopped() -> DeviceError:
    return DeviceError(
        "DEV-003",
        tr("设备驱动程序一分钟内多次出错，已暂停使用。"),
        fix=tr("请拔下设备重新插好，一分钟后会自动再试；期间可以手工录入。"),
    )


if __name__ == "__main__":
    sys.exit(run_host(sys.argv[1]))
