"""The central server, with the mutant that ``GOVDESK_MUTANT`` names in it; else as it is."""

from __future__ import annotations

import os
import sys

from modules.common.core_dumps import forbid_core_dumps
from server_stub.__main__ import main
from tests.support.faults.mutants import break_server

if __name__ == "__main__":
    forbid_core_dumps()
    break_server(os.environ.get("GOVDESK_MUTANT", ""))
    raise SystemExit(main(sys.argv[1:]))
