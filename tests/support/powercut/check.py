"""Opens what a power cut has left, in a process that knows nothing of what went before, and holds it to the promises.

python -m tests.support.powercut.check FOLDER   (of folders with ``promised.json`` and ``disk``)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import select, text

from client.data.blobs import Blobs
from client.data.profile import read_json
from client.data.store import Store
from client.data.tables import OutboxRow, StatementRow
from modules.common.clock import FixedClock
from tests.support.reference_server import Person, ReferenceServer, rules_of
from tests.support.sync_sim import KEY, START


def outbox_of(store: Store) -> list[list[Any]]:
    """Number, id and state of every command."""
    with store._reading() as db:
        rows = db.execute(select(OutboxRow.n, OutboxRow.cmd_id, OutboxRow.state).order_by(OutboxRow.n))
        return [list(row) for row in rows]


def faults(disk: Path, promised: dict[str, Any]) -> list[str]:
    """What was promised and does not hold."""
    try:
        store = Store.open(disk / "store.db", KEY, FixedClock(START), rules=rules_of)
    except Exception as error:  # noqa: BLE001 - whatever it is, the counter does not start
        return [f"the store does not open: {error!r}"]
    try:
        return _faults(store, disk, promised)
    except Exception as error:  # noqa: BLE001 - as above
        return [f"the store can't be read: {error!r}"]
    finally:
        store.close()


def _faults(store: Store, disk: Path, promised: dict[str, Any]) -> list[str]:
    found = []
    with store._reading() as db:
        if (said := db.execute(text("PRAGMA integrity_check")).scalar_one()) != "ok":
            return [f"the file is damaged: {said}"]
        token = db.scalar(select(StatementRow.token).limit(1))
        owed = set(db.execute(text("SELECT record_id FROM print_job")).scalars())
    box = outbox_of(store)
    if [n for n, _, _ in box] != list(range(1, len(box) + 1)):
        found.append(f"the outbox has gaps: {[n for n, _, _ in box]}")
    before = promised.get("outbox", [])
    if [id for _, id, _ in box][: len(before)] != [id for _, id, _ in before]:
        found.append(f"{len(before)} commands were given, {len(box)} are left")
    for scope, seq in promised.get("cursors", {}).items():
        if store.cursor(scope) < seq and store.epoch == promised.get("epoch", store.epoch):
            found.append(f"the cursor of {scope} went back from {seq} to {store.cursor(scope)}")
    if gone := set(promised.get("owed", ())) - owed:
        found.append(f"{len(gone)} papers are owed no more")
    if promised["settings"] > (read_json(disk / "settings.json") or {"version": 0})["version"]:
        found.append("settings went back")
    server = ReferenceServer(FixedClock(START))
    store.open_session(token or server.statement(Person("zhang", "x", ("ref", "hall:h1")), "store"), "3号窗", "T1")
    for id, number in promised["receipts"].items():
        record = store.get("note", id)
        if record is None or record.number != number:
            found.append(f"receipt {number} has no case")
    for id, version in promised["drafts"].items():
        draft = store.drafts.get(id)
        if draft is None or draft.doc["version"] < version:
            found.append(f"draft {version} is lost")
    found += [f"page {sha256[:8]} is lost" for sha256 in promised["pages"] if store.files.read(sha256) is None]
    if Blobs(store, lambda sha256, start: iter(())).waiting() < len(promised["pages"]):
        found.append("a page is not waiting any more")
    if store.tally().serials == 0:
        store.add_lease("T1", 10_001, 10_020)
    fresh = store.give("note", store.new_id(), "note.open", {"title": "之后"}, numbered=True)
    if fresh.number in promised["receipts"].values():
        found.append(f"number {fresh.number} is used again")
    return found


def main(folder: str) -> int:
    verdict = {}
    for one in sorted(Path(folder).iterdir()):
        if said := faults(one / "disk", json.loads((one / "promised.json").read_text("utf-8"))):
            verdict[one.name] = said
    sys.stdout.write(json.dumps(verdict, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
