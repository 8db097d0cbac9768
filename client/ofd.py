"""``./run ofd``: fixed-layout files (OFD, and PDF where it says so) from the command line, without a window."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

COMMANDS = {
    "attach": "modules.common.ofd.writing.commands:attach",
    "convert": "client.widgets.page.conversion:convert",
    "info": "client.widgets.page.commands:info",
    "merge": "modules.common.ofd.writing.commands:merge",
    "render": "client.widgets.page.commands:render",
    "split": "modules.common.ofd.writing.commands:split",
    "text": "client.widgets.page.commands:text",
    "seal": "modules.common.seals.commands:seal_file",
    "trial-seal": "modules.common.seals.commands:trial_seal",
    "unseal": "modules.common.ofd.writing.commands:unseal",
    "verify": "modules.common.seals.commands:verify_files",
    "watermark": "modules.common.ofd.writing.commands:watermark",
}
"""Sub-commands by name, each a function of the words after it that gives an exit status. Loaded when asked for."""


def main(words: Sequence[str]) -> int:
    """Do what the command line says; the exit status (2 when it cannot be understood)."""
    parser = argparse.ArgumentParser(prog="./run ofd", description=__doc__)
    parser.add_argument("command", choices=sorted(COMMANDS))
    parser.add_argument("words", nargs=argparse.REMAINDER, help="see ./run ofd COMMAND --help")
    chosen = parser.parse_args(words)
    module, name = COMMANDS[chosen.command].split(":")
    status: int = getattr(importlib.import_module(module), name)(chosen.words)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
