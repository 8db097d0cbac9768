"""The file that says which devices stand at a window."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import pytest

from client.__main__ import parser
from client.app import Lazy, _bindings
from devices.manager import DeviceManager
from devices.ports import DeviceError
from modules.common.errors import GovDeskError


def options(*arguments: str) -> Namespace:
    return parser().parse_args(arguments)


def test_file_and_command_line_together(tmp_path: Path) -> None:
    assert _bindings(options()) == {}
    file = tmp_path / "devices.json"
    camera = {"driver": "camera", "source": "cv2:0"}
    file.write_text(json.dumps({"camera": camera, "id_card": {"driver": "sdt", "port": "COM1"}}), "utf-8")
    found = _bindings(options("--devices", str(file), "--read-serial", "COM3", "--simulated"))
    assert found == {"camera": camera, "id_card": {"driver": "sdt", "port": "COM3", "simulated": True}}


@pytest.mark.parametrize(
    "text", ["", "[]x", "[1]", '{"toaster": {}}', '{"camera": {"driver": "toaster"}}', '{"camera": 1}']
)
def test_a_file_that_is_none_is_said(tmp_path: Path, text: str) -> None:
    file = tmp_path / "devices.json"
    file.write_text(text, "utf-8")
    with pytest.raises(GovDeskError, match="DEV-010") as caught:
        _bindings(options("--devices", str(file)))
    assert str(file) in caught.value.message


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(GovDeskError, match="DEV-010"):
        _bindings(options("--devices", str(tmp_path / "none.json")))


def test_a_device_that_is_not_bound_says_so_when_it_is_used() -> None:
    printer = Lazy(DeviceManager({}).ticket_printer)
    with pytest.raises(DeviceError, match="DEV-308"):
        printer.print_ticket(object(), timeout=1.0)
