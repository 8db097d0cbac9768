"""What all simulators on a wire have in common: a thread of their own, a cable, faults, and orders."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, Self

from devices.simulators.wires import Wire


class Simulator(Protocol):
    """A simulator as the command line runs it. A context manager: plugged in while inside."""

    @property
    def binding(self) -> dict[str, Any]:
        """What binds a device to it, as an entry of the devices file."""
        ...

    def obey(self, order: Mapping[str, Any]) -> Any:
        """Carry out one order; returns its answer. Raises ``KeyError``, ``TypeError`` or ``ValueError``."""
        ...

    def state(self) -> dict[str, Any]:
        """How it is, for people and tests."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong: a ``kind`` of the simulator's own ``FAULTS``, with commands ``on`` (empty: any), ``times``
    times (0: until mended). ``delay`` waits ``seconds``; ``after`` counts what still goes well first.
    """

    kind: str
    on: str = ""
    times: int = 0
    seconds: float = 0.5
    after: int = 0


class WireSimulator(ABC):
    """Use as a context manager, or ``start`` and ``close``. ``port`` is what a driver opens; it stays the same.

    One thread reads the wire and answers; everything else may come from any thread.
    """

    FAULTS: ClassVar[tuple[str, ...]] = ("silence", "partial", "bad_checksum", "delay")

    def __init__(self, wire: Wire, name: str) -> None:
        self._wire = wire
        self._lock = threading.Condition()
        self._plugged = False
        self._stopping = threading.Event()
        self._fault: Fault | None = None
        self._asked: Counter[str] = Counter()
        self._orders: list[str] = []
        self._thread = threading.Thread(target=self._run, name=f"simulator-{name}")

    @property
    def port(self) -> str:
        """The name that a driver opens."""
        return self._wire.port

    @property
    @abstractmethod
    def binding(self) -> dict[str, Any]:
        """See ``Simulator.binding``."""

    def start(self) -> Self:
        """Plug it in."""
        self._wire.plug()
        self._plugged = True
        self._thread.start()
        return self

    def close(self) -> None:
        """Unplug it and end its thread."""
        self._stopping.set()
        self._wire.wake()
        self._thread.join()
        self._wire.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def unplug(self) -> None:
        """Pull the cable; returns when the port is gone."""
        self._order("unplug")

    def replug(self) -> None:
        """Plug the cable in again under the same name; returns when the port is there."""
        self._order("replug")

    def fault(self, fault: Fault | None) -> None:
        """Let something go wrong from now on, or mend it with None. Raises ``ValueError`` for an unknown kind."""
        if fault is not None and fault.kind not in self.FAULTS:
            raise ValueError(f"unknown fault {fault.kind!r}")
        with self._lock:
            self._fault = fault

    def obey(self, order: Mapping[str, Any]) -> Any:
        """``unplug``, ``replug``, ``state``, ``fault`` with a fault's fields (none: mend); see the subclasses."""
        match order["do"]:
            case "unplug":
                self.unplug()
            case "replug":
                self.replug()
            case "fault":
                fault = {name: value for name, value in order.items() if name != "do"}
                self.fault(Fault(**fault) if fault else None)
            case "state":
                pass
            case unknown:
                raise ValueError(f"unknown order {unknown!r}")
        return self.state()

    def state(self) -> dict[str, Any]:
        """``plugged``, ``fault`` and what the subclass adds."""
        with self._lock:
            return {"plugged": self._plugged, **self._more_state(), "fault": self._fault.kind if self._fault else ""}

    def asked(self, command: str) -> int:
        """How often a command has been asked, by the simulator's own names."""
        with self._lock:
            return self._asked[command]

    def wait_asked(self, command: str, times: int, timeout: float = 5.0) -> bool:
        """Wait until ``asked(command)`` has reached ``times``; False when it has not in ``timeout`` seconds."""
        with self._lock:
            return self._lock.wait_for(lambda: self._asked[command] >= times, timeout)

    @abstractmethod
    def _received(self, data: bytes) -> None:
        """Bytes came, on the wire's own thread."""

    @abstractmethod
    def _restarted(self) -> None:
        """The cable was pulled or plugged, under the lock: forget what a device without power forgets."""

    def _woken(self) -> None:  # noqa: B027 - most simulators only answer
        """Something else than bytes woke the wire's thread: a person did something to the device."""

    def _more_state(self) -> dict[str, Any]:
        return {}

    def _heard(self, command: str) -> Fault | None:
        """Count a command; returns the fault that is due for it."""
        with self._lock:
            self._asked[command] += 1
            self._lock.notify_all()
            fault = self._fault
            if fault is None or fault.on not in ("", command):
                return None
            if fault.after:
                self._fault = replace(fault, after=fault.after - 1)
                return None
            if fault.times:
                self._fault = replace(fault, times=fault.times - 1) if fault.times > 1 else None
            return fault

    def _order(self, order: str) -> None:
        """Have the wire's own thread pull or plug the cable: it alone touches the wire."""
        with self._lock:
            self._orders.append(order)
        self._wire.wake()
        with self._lock:
            self._lock.wait_for(lambda: self._plugged == (order == "replug") or not self._thread.is_alive(), 5.0)

    def _run(self) -> None:
        while not self._stopping.is_set():
            data = self._wire.receive()
            if data and self._plugged:
                self._received(data)
            elif not data:
                self._woken()
            with self._lock:
                orders, self._orders = self._orders, []
            for order in orders:
                self._plug(order == "replug")

    def _plug(self, plugged: bool) -> None:
        with self._lock:
            if plugged != self._plugged:
                if plugged:
                    self._wire.plug()
                else:
                    self._wire.unplug()
                self._plugged = plugged
                self._restarted()
            self._lock.notify_all()
