"""A server with one fault put in: it remembers what it has answered in a transaction of its own, a moment later.

It is what the fault harness must convict; see ``tests/e2e/test_faults.py``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from server_stub import processor
from server_stub.__main__ import main
from sync.protocol import PushReply, PushRequest

right = processor.remember
held: list[tuple[str, int, Sequence[dict[str, Any]]]] = []


def forget_for_now(session: Session, device_id: str, last_n: int, answered: Sequence[dict[str, Any]]) -> None:
    """In place of ``remember``: the transaction of the effects commits without it."""
    held.append((device_id, last_n, answered))


def push_then_remember(self: processor.Processor, device_id: str, request: PushRequest) -> PushReply:
    """In place of ``Processor.push``: the second transaction comes a second after the first."""
    reply = right_push(self, device_id, request)
    time.sleep(1.0)
    while held:
        arguments = held.pop(0)
        self._writer.do(lambda session, arguments=arguments: right(session, *arguments))
    return reply


right_push = processor.Processor.push

if __name__ == "__main__":
    processor.remember = forget_for_now
    processor.Processor.push = push_then_remember  # type: ignore[method-assign]
    raise SystemExit(main(sys.argv[1:]))
