"""``python -m client``: the window, or with ``--device-host`` the process of one device driver."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from modules.common.core_dumps import forbid_core_dumps


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="govdesk", description="GovDesk 政务桌面")
    made.add_argument("files", type=Path, nargs="*", metavar="FILE", help="OFD and PDF files to open")
    made.add_argument("--profile", type=Path, metavar="DIR", help="where this program keeps its data")
    made.add_argument("--server", default="", metavar="URL", help="the central server, https://…")
    made.add_argument("--enrol", default="", metavar="CODE", help="enrol this computer with a one-time code")
    made.add_argument("--read-serial", default="", metavar="PORT", help="the serial port of the identity card reader")
    made.add_argument("--devices", type=Path, metavar="FILE", help="the devices of this window, as JSON")
    made.add_argument("--simulated", action="store_true", help="that reader is a simulator, and the window says so")
    made.add_argument("--no-keyring", action="store_true", help="keep no secret in the system keyring")
    made.add_argument("--measure", choices=("sign-in", "home"), help="say what it took to get there, and end")
    made.add_argument("--driver", action="store_true", help="be driven through stdin and stdout (tests, tour)")
    made.add_argument("--stalls", type=Path, metavar="FILE", help="write what held up the window, as JSON, at the end")
    made.add_argument("--self-test", action="store_true", help="open the window offscreen, do the path, and end")
    made.add_argument("--device-host", metavar="NAME", help=argparse.SUPPRESS)
    made.add_argument("--part", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; returns the exit status."""
    options = parser().parse_args(arguments)
    if options.device_host:
        from devices.host import run_host

        return run_host(options.device_host)
    if options.part:
        return _part(*options.part)
    if options.self_test:
        return _self_test()
    from PySide6.QtCore import QLibraryInfo

    from client.kernel.ime import prepare_input_method

    prepare_input_method(os.environ, Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath)))
    from client.app import main as run

    return run(options)


def _part(module: str, *arguments: str) -> int:
    """Run another program of the suite: the frozen one has a single executable for all of them."""
    run: Callable[[Sequence[str]], int] = import_module(f"{module}.__main__").main
    return run(arguments)


def _self_test() -> int:
    """Do the counter's path on an own server in a temporary folder; 0 when the case is there once, and closed."""
    import tempfile

    from client.driver.tour import main as tour

    with tempfile.TemporaryDirectory(prefix="govdesk-self-test-") as folder:
        return tour(["--out", folder])


if __name__ == "__main__":
    forbid_core_dumps()
    sys.exit(main())
