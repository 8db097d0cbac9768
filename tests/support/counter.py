"""A counter without a window: the real store, accounts, engine and transport, accepting one case after another.

    python -m tests.support.counter PROFILE TARGET LOG

Signs in as 张三, accepts until LOG holds TARGET cases, then waits until the outbox is empty and exits 0.
A line is written to LOG only after ``give`` has returned: what stands there has been promised to a citizen.
It is meant to be killed at any moment and started again.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

from client.data.keys import KdfCost
from client.data.profile import Profile
from client.data.store import Store
from modules.common.clock import SystemClock
from modules.common.errors import GovDeskError
from sync.accounts import Accounts
from sync.engine import Policy, SyncEngine
from sync.loop import SyncLoop

CHEAP = KdfCost(time=1, memory=1024, lanes=1)
ITEM = "item-residence-registration"
LOGIN = "zhangsan"
PASSWORD = "Govdesk-2026"


def body(item_version: int, n: int) -> dict[str, object]:
    """An acceptance that the rules allow."""
    return {
        "item_id": ITEM,
        "item_version": item_version,
        "card": False,
        "applicant": {
            "name": f"训练{n}",
            "id_type": "resident",
            "id_number": "11010519491231002X",
            "phone": "13800000000",
            "address": "",
        },
        "form": {
            "household": "户籍地址",
            "residence": "现居住地址 1 号",
            "since": "2026-01-05",
            "reason": "work",
            "dwelling": "owned",
            "companions": 0,
            "certificate": False,
        },
        "materials": [{"id": id, "pages": 1, "kind": "paper", "received": True} for id in ("m1", "m2", "m3")],
    }


def wait_for_item(store: Store, loop: SyncLoop) -> int:
    """The item's version, once the first pull has brought it and a block of numbers has been leased."""
    while True:
        record = store.get("service_item", ITEM)
        if record is not None and store.tally().serials > 0:
            return int(record.doc["version"])
        loop.poke()
        time.sleep(0.05)


def main(profile_path: str, target: str, log_path: str) -> int:
    clock = SystemClock()
    profile = Profile(Path(profile_path))
    accounts = Accounts(profile, clock, cost=CHEAP)
    while True:
        try:
            session = accounts.sign_in(LOGIN, PASSWORD)
            break
        except GovDeskError as error:
            if not error.code.startswith("NET-"):
                raise
            time.sleep(0.1)
    store = session.store
    engine = SyncEngine(store, clock, random.Random(), Policy(pull_every=1.0, backoff_base=0.1, backoff_cap=0.5))
    loop = SyncLoop(engine, accounts.transport)
    loop.start()
    log = Path(log_path)
    done = len(log.read_text("utf-8").splitlines()) if log.exists() else 0
    with log.open("a", encoding="utf-8") as file:
        while done < int(target):
            version = wait_for_item(store, loop)
            accept = body(version, done)
            record = store.give("case", store.new_id(), "case.accept", accept, numbered=True, prints="notice")
            file.write(f"{record.id} {record.number}\n")
            file.flush()
            os.fsync(file.fileno())
            done += 1
            loop.poke()
            time.sleep(random.random() * 0.04)
    while store.tally().waiting:
        loop.poke()
        time.sleep(0.05)
    loop.stop()
    accounts.close()
    profile.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
