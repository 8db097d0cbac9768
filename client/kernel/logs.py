"""The log: rotating JSON lines without personal data, and a file for crashes of the interpreter."""

from __future__ import annotations

import faulthandler
import json
import logging
import re
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from modules.common.clock import iso

LOG_FILE = "govdesk.jsonl"
FAULT_FILE = "fault.log"
_SIZE = 1 << 20
_KEPT = 5

_EDGE, _END = r"(?<![0-9A-Za-z])", r"(?![0-9A-Za-z])"
_MASKS = (
    # 18-digit and 15-digit resident identity numbers (GB 11643), also written in groups
    (re.compile(rf"{_EDGE}\d{{6}}[ -]?\d{{8}}[ -]?\d{{3}}[\dXx]{_END}"), "[证件号]"),
    (re.compile(rf"{_EDGE}\d{{15}}{_END}"), "[证件号]"),
    # passports and travel permits: one or two letters and 7 to 10 digits
    (re.compile(rf"{_EDGE}[A-Za-z]{{1,2}}\d{{7,10}}{_END}"), "[证件号]"),
    # mobile numbers, also in groups and with the country's code
    (re.compile(rf"(?:{_EDGE}|(?<=\+86)|(?<=0086))[1１][3-9３-９]\d[ -]?\d{{4}}[ -]?\d{{4}}{_END}"), "[电话]"),
    # names and passwords inside a URL; what is named a secret
    (re.compile(r"://[^/@\s]+@"), "://"),
    (
        re.compile(r"(?i)((?:password|passwd|token|secret|密码|口令)[\"']?\s*[:：=]\s*[\"']?)[^\s\"',}]+"),
        r"\1[不记录]",
    ),
)
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""What every record has: the rest came through ``extra``."""


def mask(text: str) -> str:
    """``text`` without identity numbers, mobile numbers and secrets."""
    for pattern, instead in _MASKS:
        text = pattern.sub(instead, text)
    return text


def personal(name: str) -> str:
    """A person's name as a log may have it: 李四 → 李×. What is logged about people goes through this."""
    return name[:1] + "×" * (len(name) - 1) if len(name) > 1 else "×" * len(name)


class JsonLines(logging.Formatter):
    """One JSON object per record, masked whole: text, error and extras."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "at": iso(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname,
            "logger": record.name,
            "thread": record.threadName,
            "text": mask(record.getMessage()),
        }
        extras = {key: value for key, value in record.__dict__.items() if key not in _OWN}
        entry |= {key: mask(str(value)) for key, value in extras.items()}
        if record.exc_info:
            entry["error"] = mask(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


class Logs:
    """The log files of one run in ``folder``, from making to ``close``.

    The root logger writes there from ``level`` up; ``faulthandler`` writes to its own file.
    """

    def __init__(self, folder: Path, level: int = logging.INFO) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._handler = RotatingFileHandler(
            folder / LOG_FILE, maxBytes=_SIZE, backupCount=_KEPT, encoding="utf-8", delay=True
        )
        self._handler.setFormatter(JsonLines())
        self._level_before = logging.getLogger().level
        logging.getLogger().addHandler(self._handler)
        logging.getLogger().setLevel(level)
        self._fault = (folder / FAULT_FILE).open("a", encoding="utf-8")
        faulthandler.enable(self._fault)

    def close(self) -> None:
        """Stop writing and let go of the files."""
        faulthandler.disable()
        self._fault.close()
        logging.getLogger().removeHandler(self._handler)
        logging.getLogger().setLevel(self._level_before)
        self._handler.close()
