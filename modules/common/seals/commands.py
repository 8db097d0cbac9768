"""``./run ofd verify|seal``: seals from the command line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modules.common.errors import GovDeskError
from modules.common.seals.report import SignatureReport, Verdict, worst
from modules.common.text import tr

GOOD, BAD, UNREADABLE = 0, 1, 2
"""Exit statuses: valid or warning; invalid or unverifiable; cannot be read."""


def verify_files(words: Sequence[str]) -> int:
    """Verify every signature of the files; the exit status of the worst of them."""
    from modules.common.gm.trust import load_trust
    from modules.common.seals import verify
    from modules.common.seals.report import NO_TRUST

    parser = argparse.ArgumentParser(prog="./run ofd verify", description=verify_files.__doc__)
    parser.add_argument("--json", action="store_true", help="a list with an entry for each signature")
    parser.add_argument("--roots", type=Path, metavar="DIR", help="trusted certificates (.cer, .crt, .pem) and .crl")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    chosen = parser.parse_args(words)
    try:
        trust = load_trust(chosen.roots) if chosen.roots else NO_TRUST
    except OSError:
        print_error(tr("无法读取根证书文件夹“{path}”。", path=chosen.roots))
        return UNREADABLE
    status = GOOD
    entries: list[dict[str, Any]] = []
    for file in chosen.files:
        try:
            reports = verify(file, trust)
        except GovDeskError as error:
            status = UNREADABLE
            entries.append({"file": str(file), "error": error.message, "code": error.code})
            if not chosen.json:
                print_error(f"{file}: {error.sentence()}")
            continue
        verdict = worst([report.verdict for report in reports])
        if verdict in (Verdict.INVALID, Verdict.UNVERIFIABLE):
            status = max(status, BAD)
        entries += [{"file": str(file), **report.as_json()} for report in reports]
        if not chosen.json:
            sys.stdout.write(_words(file, reports))
    if chosen.json:
        sys.stdout.write(json.dumps(entries, ensure_ascii=False, indent=1) + "\n")
    return status


def print_error(text: str) -> None:
    """A sentence for the person at the terminal."""
    sys.stderr.write(text + "\n")


def _words(file: Path, reports: list[SignatureReport]) -> str:
    """The reports for people."""
    if not reports:
        return f"{file}: {tr('没有签章')}\n"
    lines = []
    for report in reports:
        title = report.seal_name or report.signer or report.path
        lines.append(f"{file}: {title}: {report.verdict.words}")
        marks = {Verdict.VALID: "✓", Verdict.WARNING: "△", Verdict.UNVERIFIABLE: "?", Verdict.INVALID: "✗"}
        lines += [f"  {marks[step.verdict]} {step.name}：{step.detail}" for step in report.steps]
        lines += [f"      {tr('未保护')} {path}" for path in report.uncovered]
    return "\n".join(lines) + "\n"
