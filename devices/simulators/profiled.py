"""An evaluator and a window screen at the wire, speaking their profiles' other side."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from devices.drivers.profiled import Damaged, Message, Profile
from devices.simulators.base import Fault, WireSimulator
from devices.simulators.wires import serial_wire


class _ProfiledSimulator(WireSimulator):
    """Answers frames of a profile; one with a wrong checksum is not answered, as devices do."""

    def __init__(self, profile: str, wire: str, name: str) -> None:
        super().__init__(serial_wire(wire), name)
        self._profile = Profile.load(profile)
        self._buffer = bytearray()
        self._names = {call.command: name for name, call in self._profile.calls.items()}

    def _received(self, data: bytes) -> None:
        self._buffer += data
        while (found := self._profile.take(self._buffer)) is not None:
            if isinstance(found, Damaged) or found.command not in self._names:
                self._heard("nonsense")
                continue
            name = self._names[found.command]
            fault = self._heard(name)
            if fault is not None and fault.kind == "delay":
                self._stopping.wait(fault.seconds)
            answer = self._profile.calls[name].answer
            good = self._obeyed(name, found)
            if answer >= 0:
                refused = fault is not None and fault.kind == "refuse"
                self._emit(self._profile.frame(answer, b"\x01" if refused or not good else b"\x00"), fault)
            self._after(name)

    def _emit(self, data: bytes, fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        if kind == "bad_checksum":
            # the checksum stands before the last byte in both reference frames
            data = data[:-2] + bytes([data[-2] ^ 0x5A]) + data[-1:]
        elif kind == "partial":
            data = data[: len(data) // 2]
        if kind != "silence":
            self._wire.send(data)

    def _restarted(self) -> None:
        self._buffer.clear()

    @abstractmethod
    def _obeyed(self, name: str, message: Message) -> bool:
        """Carry out a call; returns whether it was understood."""

    def _after(self, name: str) -> None:
        """Behind the answer."""


class EvaluatorSimulator(_ProfiledSimulator):
    """An evaluator with five keys: ``press`` one. A key pressed while nothing is asked is not sent, as on devices.

    Faults of the key's own frame are set ``on="key"``; unacknowledged, it is sent a second time.
    """

    FAULTS: ClassVar = ("silence", "partial", "bad_checksum", "delay", "refuse", "unplug")

    def __init__(self, wire: str = "", profile: str = "reference-evaluator") -> None:
        super().__init__(profile, wire, "evaluator")
        self._asking = False
        self._pressed = 0

    @property
    def binding(self) -> dict[str, Any]:
        """See ``Simulator.binding``."""
        return {"driver": "evaluator", "port": self.port, "profile": "reference-evaluator"}

    def press(self, stars: int) -> None:
        """A citizen presses the key of so many stars. Raises ``ValueError`` for none of the keys."""
        if stars not in self._profile.keys.values():
            raise ValueError(f"no key for {stars!r}")
        with self._lock:
            self._pressed = stars
        self._wire.wake()

    def wait_asking(self, asking: bool = True, timeout: float = 5.0) -> bool:
        """Wait until it asks for a rating, or asks no more."""
        with self._lock:
            return self._lock.wait_for(lambda: self._asking == asking, timeout)

    def obey(self, order: Mapping[str, Any]) -> Any:
        """``{"do": "press", "key": 5}`` (stars), and see ``WireSimulator.obey``."""
        if order["do"] == "press":
            self.press(int(order["key"]))
            return self.state()
        return super().obey(order)

    def _more_state(self) -> dict[str, Any]:
        return {"asking": self._asking}

    def _restarted(self) -> None:
        super()._restarted()
        self._asking = False

    def _obeyed(self, name: str, message: Message) -> bool:
        with self._lock:
            if name != "probe":
                self._asking = name == "ask"
            if name == "ask":
                self._pressed = 0
            self._lock.notify_all()
        return True

    def _woken(self) -> None:
        with self._lock:
            stars, asking = self._pressed, self._asking
            self._pressed = 0
        if stars and asking and self._plugged:
            code = next(code for code, value in self._profile.keys.items() if value == stars)
            frame = self._profile.frame(self._profile.events["key"].command, bytes([code]))
            fault = self._heard("key")
            if fault is not None and fault.kind == "unplug":
                self._wire.send(frame[:3])
                self._plug(False)
                return
            self._emit(frame, fault)
            if fault is not None and fault.kind in ("bad_checksum", "partial") and fault.times == 1:
                # unacknowledged: once more, whole
                self._wire.send(frame)


class WindowScreenSimulator(_ProfiledSimulator):
    """A small screen: ``lines`` is what it shows."""

    FAULTS: ClassVar = ("silence", "partial", "bad_checksum", "delay", "refuse")

    def __init__(self, wire: str = "", profile: str = "reference-screen") -> None:
        super().__init__(profile, wire, "window-screen")
        self._shown = [""] * self._profile.rows

    @property
    def binding(self) -> dict[str, Any]:
        """See ``Simulator.binding``."""
        return {"driver": "window_screen", "port": self.port, "profile": "reference-screen"}

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, row by row."""
        with self._lock:
            return [*self._shown]

    def _more_state(self) -> dict[str, Any]:
        return {"lines": [*self._shown]}

    def _restarted(self) -> None:
        super()._restarted()
        self._shown = [""] * self._profile.rows

    def _obeyed(self, name: str, message: Message) -> bool:
        if name != "show":
            return True
        if not message.data or message.data[0] >= self._profile.rows:
            return False
        with self._lock:
            self._shown[message.data[0]] = message.data[1:].decode(self._profile.encoding, "replace")
            self._lock.notify_all()
        return True
