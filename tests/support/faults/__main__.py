"""Lets counters and a server live through everything at once, and counts what is left. The last line is JSON.

Exit status 0 only when nothing is lost, nothing doubled, and all replicas are equal.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from tests.support.faults import disk
from tests.support.faults.mutants import MUTANTS
from tests.support.faults.run import PATIENCE_S, Plan, run


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./test faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="draws the faults and the work")
    parser.add_argument("--clients", type=int, default=4, metavar="N", help="counters")
    parser.add_argument("--commands", type=int, default=60, metavar="M", help="commands of each counter")
    parser.add_argument("--mutant", default="", choices=["", *MUTANTS], metavar="NAME", help="break this on purpose")
    parser.add_argument("--list-mutants", action="store_true", help="name the mutants")
    parser.add_argument(
        "--patience", type=float, default=PATIENCE_S, metavar="SECONDS", help="how long a drain may take"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave profiles, database and logs there")
    options = parser.parse_args(arguments)
    if options.list_mutants:
        for name, mutant in MUTANTS.items():
            _say(f"{name:16} {mutant.about}")
        return 0
    if options.clients < 1 or options.commands < 1:
        parser.error("there is nothing to do")
    missing = disk.enter("tests.support.faults", arguments)
    if missing:
        _say(f"· without full disks: {missing}")
    plan = Plan(options.seed, options.clients, options.commands, options.mutant, options.patience)
    folder = Path(tempfile.mkdtemp(prefix="govdesk-faults-"))
    try:
        verdict = run(plan, folder, own_disk=not missing, keep=options.keep)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if missing:
        verdict["skipped"] = f"full disks: {missing}"
    if not verdict["ok"]:
        again = f" --mutant {plan.mutant}" if plan.mutant else ""
        _say(f"again: ./test faults --seed {plan.seed} --clients {plan.clients} --commands {plan.commands}{again}")
    _say(json.dumps(verdict, ensure_ascii=False))
    return 0 if verdict["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
