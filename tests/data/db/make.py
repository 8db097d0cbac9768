"""Write the fixture of the present schema, ``<revision>.db``: once per released revision, never again.

Run as ``python -m tests.data.db.make``. The key is 00 01 … 1f.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from client.data.engine import HEAD, backup
from client.data.store import Store
from modules.common.clock import FixedClock
from tests.support.reference_server import Person, ReferenceServer, rules_of

KEY = bytes(range(32))


def main() -> None:
    """Refuses to replace a fixture."""
    target = Path(__file__).with_name(f"{HEAD}.db")
    if target.exists():
        raise FileExistsError(target)
    scratch = target.with_suffix(".scratch")
    clock = FixedClock(datetime(2026, 11, 20, 1, 0, tzinfo=UTC))
    server = ReferenceServer(clock)
    server.offline_seconds = 10 * 365 * 86400
    store = Store.open(scratch, KEY, clock, rules=rules_of)
    store.open_session(server.statement(Person("zhang", "x"), "d-1"), "3号窗", "T1")
    store.add_lease("T1", 1, 20)
    note = store.give("note", store.new_id(), "note.open", {"title": "旧库中的记录"}, numbered=True, prints="slip")
    store.give("note", note.id, "note.add", {"text": "一行"})
    store.drafts.save("draft-1", "note", "草稿", {"title": "草稿"})
    store.close()
    backup(scratch, KEY, target)
    for file in target.parent.glob("*.scratch*"):
        file.unlink()


if __name__ == "__main__":
    main()
