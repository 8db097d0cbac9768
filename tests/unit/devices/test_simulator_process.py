"""``python -m devices.simulators``, as another process uses it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from devices.drivers.sdt_id_card import SdtIdCardReader
from devices.manager import DeviceManager
from devices.ports import DeviceError, Ticket
from devices.simulators.__main__ import SIMULATORS
from devices.simulators.cards import CARDS
from devices.simulators.control import Control

ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def simulators(
    *arguments: str, stdin: int = subprocess.DEVNULL
) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    command = [sys.executable, "-m", "devices.simulators", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=stdin, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())["id_card"]
        finally:
            process.terminate()


@pytest.mark.parametrize("wire", ["pty", "tcp"])
def test_it_is_driven_through_its_control_channel(wire: str, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    with simulators("--only", "id_card", "--ready-file", str(ready), "--wire", wire) as (process, id_card):
        assert json.loads(ready.read_text("utf-8"))["id_card"] == id_card
        control = Control(id_card["control"])
        reader = SdtIdCardReader(id_card["port"], poll=0.02)
        control.place("hmt")
        assert reader.read(10.0).pass_number == CARDS["hmt"].record.pass_number
        assert control.state() == {"plugged": True, "card": "read", "fault": ""}
        control.lift()
        control.unplug()
        with pytest.raises(DeviceError, match="DEV-103"):
            reader.probe()
        control.replug()
        reader.probe()
        control.fault("self_test_failed", on="status", times=1)
        with pytest.raises(DeviceError, match="DEV-106"):
            reader.probe()
        control.fault("silence")
        control.fault()
        reader.probe()
        reader.close()
        assert [card["card"] for card in control.send("cards")] == list(CARDS)
        for do, values in [("place", {"card": "nobody"}), ("fly", {}), ("fault", {"kind": "gremlins"}), ("place", {})]:
            with pytest.raises(ValueError, match=r"\w+"):
                control.send(do, **values)
        process.terminate()
        assert process.wait() == 0
    assert not Path(id_card["port"]).parent.exists() or wire == "tcp"


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminal")
def test_it_obeys_what_is_typed() -> None:
    near, far = os.openpty()
    with simulators("--only", "id_card", stdin=far) as (process, id_card):
        os.close(far)
        assert process.stdout is not None
        os.write(near, b"place 2\nnonsense\nquit\n")
        reader = SdtIdCardReader(id_card["port"], poll=0.02)
        said = process.stdout.read()
        assert process.wait() == 0
        reader.close()
    os.close(near)
    assert "训练卡 范例" in said
    assert "'card': 'placed'" in said
    assert "不懂这条命令" in said


def test_all_of_them_bind_to_a_window_and_obey(tmp_path: Path) -> None:
    ready, devices = tmp_path / "ready.json", tmp_path / "devices.json"
    arguments = ("--ready-file", str(ready), "--devices-file", str(devices), "--tickets", str(tmp_path / "tickets"))
    with simulators(*arguments):
        said, bindings = json.loads(ready.read_text("utf-8")), json.loads(devices.read_text("utf-8"))
        assert list(said) == list(bindings) == list(SIMULATORS)
        assert all(binding["simulated"] for binding in bindings.values())
        manager = DeviceManager(bindings, host=lambda name: [sys.executable, "-m", "devices.host", name])
        controls = {kind: Control(entry["control"]) for kind, entry in said.items()}
        try:
            controls["camera"].send("place", page="lease")
            assert manager.camera().capture().sure
            manager.ticket_printer().print_ticket(Ticket("A017"))
            assert (tmp_path / "tickets" / "0001.png").read_bytes().startswith(b"\x89PNG")
            manager.window_screen().show(["请A017到3号窗"])
            assert controls["window_screen"].state()["lines"][0] == "请A017到3号窗"
            with ThreadPoolExecutor(1) as pool:
                rating = pool.submit(manager.evaluator().ask, 20.0)
                while not controls["evaluator"].state()["asking"]:
                    assert not rating.done()
                controls["evaluator"].send("press", key=4)
                assert rating.result(20.0) == 4
            controls["ticket_printer"].send("paper", lines=0)
            with pytest.raises(DeviceError, match="DEV-302"):
                manager.ticket_printer().print_ticket(Ticket("A018"))
        finally:
            manager.close()


def test_it_names_them() -> None:
    command = [sys.executable, "-m", "devices.simulators", "--list"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.split() == list(SIMULATORS)
