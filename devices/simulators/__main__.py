"""``python -m devices.simulators``: the device simulators as a process of their own.

Writes ``{"id_card": {"port": …, "control": "127.0.0.1:N"}}`` to the ready file and to stdout, then runs until
SIGTERM, Ctrl+C or ``quit`` typed at its terminal.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from devices.simulators.cards import CARDS
from devices.simulators.control import ControlServer, obey
from devices.simulators.sdt_id_card import SdtReaderSimulator
from modules.common.text import tr


def main(arguments: list[str] | None = None) -> int:
    """Run the simulators; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m devices.simulators", description=tr("设备模拟器"))
    parser.add_argument("--ready-file", type=Path, help=tr("就绪后写入端口信息的文件"))
    parser.add_argument("--wire", choices=["pty", "tcp"], default="", help=tr("连接方式，缺省按系统选择"))
    options = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with SdtReaderSimulator(options.wire) as simulator, ControlServer(simulator) as control:
        ready = json.dumps({"id_card": {"port": simulator.port, "control": control.address}})
        if options.ready_file:
            _write_whole(options.ready_file, ready)
        _say(ready)
        if sys.stdin is not None and sys.stdin.isatty():
            # A daemon: nothing ends a thread that waits for a person to type.
            threading.Thread(target=_terminal, args=(simulator, stop), daemon=True).start()
        while not stop.wait(0.5):
            # Windows delivers Ctrl+C only between waits.
            continue
    return 0


def _terminal(simulator: SdtReaderSimulator, stop: threading.Event) -> None:
    keys = list(CARDS)
    for number, card in enumerate(CARDS.values(), start=1):
        _say(f"  {number}  {card.label}")
    _say(tr("命令:place 编号（放卡） lift(拿起) unplug(拔线) replug(插线) fault 种类（故障） fault(修好) quit(退出)"))
    for line in sys.stdin:
        do, *rest = line.split() or [""]
        if do == "quit":
            break
        order = {"do": do}
        if rest:
            order |= {"card": _card_key(keys, rest[0])} if do == "place" else {"kind": rest[0]}
        try:
            _say(str(obey(simulator, order)))
        except (KeyError, TypeError, ValueError) as error:
            _say(tr("不懂这条命令：{why}", why=error))
    stop.set()


def _card_key(keys: list[str], text: str) -> str:
    return keys[int(text) - 1] if text.isdigit() and 1 <= int(text) <= len(keys) else text


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
