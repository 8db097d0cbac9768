"""A driver host whose driver crashes, hangs and chatters when asked to: ``python faulty_host.py NAME``."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

from devices.host import run_host


def echo(args: Mapping[str, Any], token: threading.Event) -> Any:
    return args["say"]


def crash(args: Mapping[str, Any], token: threading.Event) -> None:
    ctypes.string_at(0)


def hang(args: Mapping[str, Any], token: threading.Event) -> None:
    # As a native library hangs: with the interpreter's lock held, so that no other thread runs.
    ctypes.PyDLL(None).pause()


def wait(args: Mapping[str, Any], token: threading.Event) -> str:
    token.wait()
    return "cancelled"


def chatter(args: Mapping[str, Any], token: threading.Event) -> str:
    os.write(1, b"printed by a library\n")
    return "said"


def blunder(args: Mapping[str, Any], token: threading.Event) -> None:
    raise KeyError(args["say"])


if __name__ == "__main__":
    calls = {"echo": echo, "crash": crash, "hang": hang, "wait": wait, "chatter": chatter, "blunder": blunder}
    drivers = {
        "faulty": lambda parameters: calls,
        "crashing": lambda parameters: {"probe": crash, "read": crash},
    }
    sys.exit(run_host(sys.argv[1], drivers))
