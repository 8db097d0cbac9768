"""``python -m devices.simulators``: the device simulators as a process of their own.

Writes ``{"id_card": {"driver": "sdt", "port": …, "control": "127.0.0.1:N"}, "camera": {…}, …}`` to the ready file and
to stdout, then runs until SIGTERM, Ctrl+C or ``quit`` typed at its terminal. ``--devices-file`` writes what
``govdesk --devices`` takes.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from devices.simulators.base import Simulator
from devices.simulators.cards import CARDS
from devices.simulators.control import ControlServer
from modules.common.text import tr


def _id_card(options: argparse.Namespace) -> Simulator:
    from devices.simulators.sdt_id_card import SdtReaderSimulator

    return SdtReaderSimulator(options.wire)


def _camera(options: argparse.Namespace) -> Simulator:
    from devices.simulators.camera import CameraSimulator

    return CameraSimulator()


def _ticket_printer(options: argparse.Namespace) -> Simulator:
    from devices.simulators.escpos import PrinterSimulator

    return PrinterSimulator(folder=options.tickets)


def _evaluator(options: argparse.Namespace) -> Simulator:
    from devices.simulators.profiled import EvaluatorSimulator

    return EvaluatorSimulator(options.wire)


def _window_screen(options: argparse.Namespace) -> Simulator:
    from devices.simulators.profiled import WindowScreenSimulator

    return WindowScreenSimulator(options.wire)


SIMULATORS: Mapping[str, Callable[[argparse.Namespace], Simulator]] = {
    "id_card": _id_card,
    "camera": _camera,
    "ticket_printer": _ticket_printer,
    "evaluator": _evaluator,
    "window_screen": _window_screen,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the simulators; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m devices.simulators", description=tr("设备模拟器"))
    parser.add_argument("--ready-file", type=Path, help=tr("就绪后写入端口信息的文件"))
    parser.add_argument("--devices-file", type=Path, help=tr("就绪后写入设备绑定的文件，供 --devices 使用"))
    parser.add_argument("--only", nargs="+", choices=SIMULATORS, default=list(SIMULATORS), help=tr("只启动这些设备"))
    parser.add_argument("--wire", choices=["pty", "tcp"], default="", help=tr("连接方式，缺省按系统选择"))
    parser.add_argument("--tickets", type=Path, help=tr("打印出的号票存成图片的文件夹"))
    parser.add_argument("--list", action="store_true", help=tr("列出全部模拟器"))
    options = parser.parse_args(arguments)
    if options.list:
        _say("\n".join(SIMULATORS))
        return 0
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        running = {kind: stack.enter_context(SIMULATORS[kind](options)) for kind in options.only}
        controls = {kind: stack.enter_context(ControlServer(simulator)) for kind, simulator in running.items()}
        bindings = {kind: simulator.binding for kind, simulator in running.items()}
        if options.devices_file:
            simulated = {kind: {**binding, "simulated": True} for kind, binding in bindings.items()}
            _write_whole(options.devices_file, json.dumps(simulated))
        ready = json.dumps({kind: {**bindings[kind], "control": controls[kind].address} for kind in running})
        if options.ready_file:
            _write_whole(options.ready_file, ready)
        _say(ready)
        if sys.stdin is not None and sys.stdin.isatty():
            # A daemon: nothing ends a thread that waits for a person to type.
            threading.Thread(target=_terminal, args=(running, stop), daemon=True).start()
        while not stop.wait(0.5):
            # Windows delivers Ctrl+C only between waits.
            continue
    return 0


def _terminal(running: Mapping[str, Simulator], stop: threading.Event) -> None:
    keys = list(CARDS)
    for number, card in enumerate(CARDS.values(), start=1):
        _say(f"  {number}  {card.label}")
    _say(tr("命令:place 编号（放卡） lift(拿起) unplug(拔线) replug(插线) fault 种类（故障） fault(修好) quit(退出)"))
    _say(tr("其他设备在命令前写设备名，例如:camera place lease、evaluator press 5、ticket_printer paper 0"))
    for line in sys.stdin:
        words = line.split() or [""]
        if words[0] == "quit":
            break
        kind = words.pop(0) if words[0] in running else next(iter(running))
        try:
            _say(str(running[kind].obey(_order(kind, keys, words))))
        except (IndexError, KeyError, TypeError, ValueError) as error:
            _say(tr("不懂这条命令：{why}", why=error))
    stop.set()


_FIELDS = {("camera", "place"): "page", ("evaluator", "press"): "key", ("ticket_printer", "paper"): "lines"}


def _order(kind: str, keys: list[str], words: list[str]) -> dict[str, Any]:
    do, *rest = words
    if not rest:
        return {"do": do}
    if kind == "id_card" and do == "place":
        number = int(rest[0]) if rest[0].isdigit() else 0
        return {"do": do, "card": keys[number - 1] if 1 <= number <= len(keys) else rest[0]}
    return {"do": do, _FIELDS.get((kind, do), "kind"): int(rest[0]) if rest[0].isdigit() else rest[0]}


def _write_whole(path: Path, text: str) -> None:
    """Whoever waits for the file sees all of it or none."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, "utf-8")
    part.replace(path)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
