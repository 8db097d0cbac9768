"""Halls and counters with people of their own, put into a server directly: what a benchmark begins with."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import insert
from sqlalchemy.orm import Session

from modules.common.clock import iso
from modules.common.ids import uuid7
from server_stub.sealing import seal
from server_stub.seeding import CONSOLE
from server_stub.services import Services
from server_stub.tables import Organisation, Person, PersonRole
from sync.protocol import EnrolRequest, LeaseRequest, SignInRequest
from tests.support.crowd import Member
from tests.support.devices import Computer

WORD = "Crowded-2026"


def halls(services: Services, count: int) -> list[str]:
    """New ones; their ids."""
    made = [f"h{uuid7()[-8:]}" for _ in range(count)]
    rows = [{"id": id, "kind": "hall", "name": f"{n}号大厅", "series": id[-6:].upper()} for n, id in enumerate(made)]
    services.writer.do(lambda session: session.execute(insert(Organisation), rows))
    return made


def member(services: Services, folder: Path, hall: str) -> Member:
    """A counter with a certificate and numbers, and its own clerk signed in."""
    computer, login = Computer(), f"u{uuid7()[-10:]}"
    hashed = services.passwords.hash(WORD)

    def store(session: Session) -> None:
        id, now = uuid7(), iso(services.clock.now())
        values = {"id": id, "login": login, "sealed": seal(session, Person, (id,), "某人"), "hall_id": hall}
        session.execute(
            insert(Person).values(**values, admin_kind="", password_hash=hashed, must_change=False, created_at=now)
        )
        granted = {"person_id": id, "role_id": "clerk", "admin_kind": "", "granted_at": now, "granted_by": ""}
        session.execute(insert(PersonRole).values(**granted))

    services.writer.do(store)
    code = services.devices.new_code(CONSOLE, hall, "窗口").secret
    enrolment = services.devices.enrol(EnrolRequest(code, computer.csr))
    said = services.door.sign_in(enrolment.device, SignInRequest(login, WORD))
    lease = services.numbers.lease(enrolment.device, LeaseRequest(enrolment.series, 200))
    private = computer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    credential = folder / f"{enrolment.device}.pem"
    credential.write_text(private + enrolment.certificate, "ascii")
    return Member(str(credential), said.statement, f"hall:{hall}", lease.series, lease.first)
