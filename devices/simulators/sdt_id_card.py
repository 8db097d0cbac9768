"""An identity card reader at the wire: it answers SAM frames on a pseudo-terminal or on a TCP port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from devices.drivers import id_text, sdt_frames
from devices.drivers.sdt_frames import FIND, READ, SAM_STATUS, SELECT, Frame, FrameParser
from devices.ports import IdentityRecord
from devices.simulators.base import Fault, WireSimulator
from devices.simulators.cards import CARDS
from devices.simulators.wires import serial_wire

COMMANDS = {SAM_STATUS: "status", FIND: "find", SELECT: "select", READ: "read"}


class SdtReaderSimulator(WireSimulator):
    """A reader with its SAM: ``place`` and ``lift`` a card, ``unplug`` and ``replug`` it, set ``fault``s.

    As with a real reader, a card that was read is found again only after it has been lifted. Of the faults,
    ``unplug_mid_read`` and ``partial`` send half of the answer first.
    """

    FAULTS: ClassVar = ("silence", "partial", "bad_checksum", "delay", "unplug_mid_read", "self_test_failed")

    def __init__(self, wire: str = "") -> None:
        """``wire`` is ``pty`` or ``tcp``; by default a pty where the system has them."""
        super().__init__(serial_wire(wire), "id-card")
        self._card: IdentityRecord | None = None
        self._step = "lifted"
        self._parser = FrameParser(shortest=2)

    @property
    def binding(self) -> dict[str, Any]:
        """See ``Simulator.binding``."""
        return {"driver": "sdt", "port": self.port}

    def place(self, record: IdentityRecord) -> None:
        """Put a card on the reader, instead of one that may lie there."""
        with self._lock:
            self._card, self._step = record, "placed"

    def lift(self) -> None:
        """Take the card away."""
        with self._lock:
            self._card, self._step = None, "lifted"

    def fault(self, fault: Fault | None) -> None:
        """See ``WireSimulator.fault``; unplugging happens in the middle of ``read`` unless ``on`` says otherwise."""
        if fault is not None and fault.kind == "unplug_mid_read" and not fault.on:
            fault = replace(fault, on="read")
        super().fault(fault)

    def obey(self, order: Mapping[str, Any]) -> Any:
        """``{"do": "place", "card": "zhangsan"}``, ``lift``, ``cards``, and see ``WireSimulator.obey``."""
        match order["do"]:
            case "place":
                self.place(CARDS[order["card"]].record)
            case "lift":
                self.lift()
            case "cards":
                return [{"card": card.key, "label": card.label} for card in CARDS.values()]
            case _:
                return super().obey(order)
        return self.state()

    def _more_state(self) -> dict[str, Any]:
        """``card``: lifted, placed, found, selected or read."""
        return {"card": self._step}

    def _received(self, data: bytes) -> None:
        for item in self._parser.feed(data):
            if self._plugged:
                self._answer(item.body if isinstance(item, Frame) else None)

    def _restarted(self) -> None:
        # A reader that loses its power forgets that it has read the card.
        self._step = "placed" if self._card else "lifted"
        self._parser = FrameParser(shortest=2)

    def _answer(self, body: bytes | None) -> None:
        command = COMMANDS.get(body or b"", "")
        fault = self._heard(command)
        kind = fault.kind if fault else ""
        if kind == "silence":
            return
        if fault and kind == "delay":
            self._stopping.wait(fault.seconds)
        with self._lock:
            data = self._respond(body, command)
        if kind == "self_test_failed":
            data = sdt_frames.response(0x60)
        elif kind == "bad_checksum":
            data = data[:-1] + bytes([data[-1] ^ 0xFF])
        elif kind in ("partial", "unplug_mid_read"):
            data = data[: len(data) // 2]
        self._wire.send(data)
        if kind == "unplug_mid_read":
            self._plug(False)

    def _respond(self, body: bytes | None, command: str) -> bytes:
        """What the SAM says, and the step that the card is at afterwards."""
        if body is None:
            return sdt_frames.response(sdt_frames.BAD_CHECKSUM)
        match command, self._step:
            case "status", _:
                return sdt_frames.response(sdt_frames.OK)
            case "find", "placed" | "found" | "selected":
                self._step = "found"
                return sdt_frames.response(sdt_frames.FOUND, bytes(4))
            case "find", _:
                return sdt_frames.response(sdt_frames.NO_CARD)
            case "select", "found" | "selected":
                self._step = "selected"
                return sdt_frames.response(sdt_frames.OK, bytes(8))
            case "select", _:
                return sdt_frames.response(sdt_frames.NOT_SELECTED)
            case "read", "selected" | "read" if self._card is not None:
                self._step = "read"
                photo = self._card.photo or bytes(sdt_frames.PHOTO_SIZE)
                return sdt_frames.response(sdt_frames.OK, sdt_frames.card_data(id_text.encode(self._card), photo))
            case "read", _:
                return sdt_frames.response(sdt_frames.READ_FAILED)
            case _:
                return sdt_frames.response(0x21)
