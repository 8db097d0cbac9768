"""The server's log: one JSON object per line, in ``DATA/logs``. Ids only; what people typed is never logged."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from modules.common.clock import iso
from modules.common.ids import uuid7

LOGGER = "govdesk.server"
FILE = "server.jsonl"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}

log = logging.getLogger(LOGGER)


class JsonLines(logging.Formatter):
    """Writes a record and its extras. Of an exception only its type and places: messages may quote personal data."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "at": iso(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info and record.exc_info[1]:
            entry["exception"] = trail(record.exc_info[1])
        return json.dumps(entry, ensure_ascii=False, default=str)


def trail(error: BaseException) -> list[str]:
    """Type and places of an exception and of what caused it, without any message."""
    lines = []
    while error:
        frames = traceback.extract_tb(error.__traceback__)
        lines.append(type(error).__name__)
        lines += [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
        cause = error.__cause__ or error.__context__
        if cause is None:
            break
        error = cause
    return lines


def open_log(folder: Path) -> logging.Handler:
    """Send this program's log and uvicorn's into ``folder``; the handler is closed by the caller."""
    folder.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(
        folder / FILE, maxBytes=10 * 1024 * 1024, backupCount=10, encoding="utf-8", delay=True
    )
    handler.setFormatter(JsonLines())
    for name in (LOGGER, "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    return handler


def close_log(handler: logging.Handler) -> None:
    """Undo ``open_log``."""
    for name in (LOGGER, "uvicorn.error"):
        logging.getLogger(name).removeHandler(handler)
        logging.getLogger(name).propagate = True
    handler.close()


def incident(what: str, error: BaseException, **ids: str) -> str:
    """Log an error that nobody foresaw; returns the id that the person is told."""
    identifier = uuid7()[-12:]
    log.error(what, exc_info=error, extra={"incident": identifier, **ids})
    return identifier
