"""A computer's day with the real keyring of the session it runs in; prints what was seen, as one line of JSON.

    python -m tests.support.keyring_day FOLDER

The first time it enrols at a server in memory, starts again, locks the keyring, and signs in. The second time, on the
next day, it only starts.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import secretstorage

from client.data.keys import KdfCost
from client.data.profile import Profile, SpokenVault, system_vault
from client.data.store import Store
from modules.common.clock import Clock, FixedClock
from sync.accounts import Accounts
from sync.transport import Identity, InMemoryTransport
from tests.support.reference_server import Person, ReferenceServer, rules_of


def main(folder: str) -> int:
    clock = FixedClock(datetime(2026, 11, 20, 1, 0, tzinfo=UTC))
    server = ReferenceServer(clock)
    server.people = {"zhang": Person("zhang", "right")}
    seen: dict[str, Any] = {}

    def reach(_url: str, identity: Identity) -> InMemoryTransport:
        return InMemoryTransport(server, getattr(identity, "name", ""))

    def opened(profile: Profile, key: bytes, clock: Clock) -> Store:
        return Store.open(profile.database, key, clock, rules=rules_of)

    def start() -> tuple[Profile, Accounts]:
        profile = Profile(Path(folder), vault=system_vault())
        cost = KdfCost(1, 64, 1)
        return profile, Accounts(profile, clock, reach, cost=cost, open_store=opened, get_ca=lambda _url, _pin: b"ca")

    def stop(profile: Profile, accounts: Accounts) -> None:
        accounts.close()
        profile.close()

    profile, accounts = start()
    if profile.certificate.exists():
        seen["unlocked: opens at the start"] = accounts.credential.header == ""
        stop(profile, accounts)
        sys.stdout.write(json.dumps(seen, ensure_ascii=False) + "\n")
        return 0
    seen["keyring"] = isinstance(profile.vault, SpokenVault)
    accounts.enrol("https://127.0.0.1:8443", "ABCD-EFGH." + "0" * 20, "3号窗")
    seen["secret"] = accounts.credential._secret
    stop(profile, accounts)

    profile, accounts = start()
    seen["opens at the start"] = accounts.credential.header == ""
    stop(profile, accounts)

    with secretstorage.dbus_init() as bus:
        secretstorage.get_default_collection(bus).lock()
    profile, accounts = start()
    seen["locked: says its name"] = accounts.credential.header
    seen["locked: words"] = accounts.credential.trouble.sentence() if accounts.credential.trouble else ""
    accounts.sign_in("zhang", "right")
    seen["locked: opens by signing in"] = accounts.credential.header == ""
    stop(profile, accounts)

    sys.stdout.write(json.dumps(seen, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
