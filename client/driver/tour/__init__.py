"""The tour: a whole day of a window in the real program, by real clicks and keys, with a picture of each step.

    python -m client.driver.tour --out DIR [--database URL] [--keep DIR]

A server, the simulators of a window and of a ticket machine, and the clients of everybody who has a part in it run
as processes of their own; between the window and the server lies a line that is cut and mended. The exit status is
0 only if every case is on the server exactly once, as the day left it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from client.driver.client import DriverError
from client.driver.tour.day import walk
from client.driver.tour.record import TourError

__all__ = ["TourError", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Walk the path and leave pictures, receipt and transcript in ``--out``; returns the exit status."""
    parser = argparse.ArgumentParser(prog="run tour", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where pictures and transcript go")
    parser.add_argument("--database", default="", metavar="URL", help="the server's database; default SQLite")
    parser.add_argument("--stalls", type=Path, metavar="DIR", help="where clients write how long they stood still")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave profiles, the server's data and logs there")
    options = parser.parse_args(arguments)
    for wanted in filter(None, (options.out, options.stalls, options.keep)):
        wanted.mkdir(parents=True, exist_ok=True)
    folder = options.keep.resolve() if options.keep else Path(tempfile.mkdtemp(prefix="govdesk-tour-"))
    try:
        stalls = options.stalls.resolve() if options.stalls else None
        walk(options.out.resolve(), folder, options.database, stalls)
    except (TourError, DriverError, RuntimeError) as error:
        kept = options.out / "parts.log"
        shutil.copyfile(folder / "parts.log", kept)
        sys.stderr.write(f"the tour ended early: {error}\nlogs: {kept}\n")
        return 1
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(f"done: {options.out / 'transcript.md'}\n")
    return 0
