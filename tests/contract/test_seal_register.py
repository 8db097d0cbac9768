"""The central server keeps the register of seals and of their uses, for people of a hall without a department too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from modules.common.clock import FixedClock, iso
from server_stub.config import Config
from server_stub.services import Services
from tests.support.central import QUICK, START, Central, Counter


@pytest.fixture
def central(tmp_path: Path) -> Iterator[Central]:
    clock = FixedClock(START)
    services = Services(Config(tmp_path / "server", "", settings=QUICK), clock)
    try:
        yield Central(services, clock)
    finally:
        services.close()


def give(counter: Counter, kind: str, id: str, type: str, **body: Any) -> tuple[str, str]:
    """What the server made of a command: its status and the code of its refusal."""
    ack = counter.ack(counter.command(type, id, kind=kind, body=body))
    return str(ack.status), str((ack.error or {}).get("code", ""))


def use(counter: Counter, id: str, seal: str = "34030400000001") -> tuple[str, str]:
    body = {"seal": seal, "seal_code": seal, "seal_name": "公章", "title": "通知-已盖章.ofd", "reason": "发文"}
    return give(counter, "seal_use", id, "seal_use.record", **body)


def test_uses_are_kept_and_those_of_a_stopped_seal_refused(central: Central) -> None:
    now = central.clock.now()
    term = {"since": iso(now - timedelta(days=1)), "until": iso(now + timedelta(days=300))}
    login = central.person()
    maker, user, other = central.counter("manager"), central.counter(login=login), central.counter()
    order = {"code": "34030400000001", "name": "公章", "department_id": "", "users": [login], **term}
    assert give(user, "seal", order["code"], "seal.issue", **order) == ("refused", "AUTH-403")
    assert give(maker, "seal", order["code"], "seal.issue", **order) == ("applied", "")
    assert use(user, "use-1") == ("applied", "")
    assert use(user, "use-1") == ("refused", "SEAL-027")
    assert use(other, "use-2") == ("refused", "SEAL-031")
    assert use(other, "use-3", "34039900000001") == ("applied", ""), "a seal made elsewhere is registered all the same"
    assert give(maker, "seal", order["code"], "seal.freeze", why="介质遗失") == ("applied", "")
    assert use(user, "use-4") == ("refused", "SEAL-029")
