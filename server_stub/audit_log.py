"""The audit chain as the server reads, signs and hands it out; every look into it is recorded in it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from modules.common.clock import Clock, iso
from modules.common.errors import GovDeskError
from modules.common.server_ports import AuditLines, AuditPage, AuditVerdict, AuditView, Caller
from modules.common.text import tr
from server_stub import audit, audit_proof
from server_stub.accounts import name_of
from server_stub.database import Database
from server_stub.identity import Identity
from server_stub.tables import AuditSignature, Device, Person
from server_stub.writer import Writer

EXPORT_LINES = 2000
"""Lines of an export in one answer."""


class AuditLog:
    """Implements ``modules.common.server_ports.AuditLog``. ``heads`` is the file to which signed heads are added."""

    def __init__(self, database: Database, writer: Writer, clock: Clock, identity: Identity, heads: Path) -> None:
        self._database = database
        self._writer = writer
        self._clock = clock
        self._identity = identity
        self._heads = heads

    # -- for people

    def find(self, *, by: Caller | None = None, before: int = 0, limit: int = 100, **filters: str) -> AuditPage:
        self._record(
            by, "audit.read", {"by": sorted(name for name, value in filters.items() if value), "before": before}
        )
        with self._database.read() as session:
            people = _people(session, filters.pop("person", ""))
            devices = _devices(session, filters.pop("device", ""))
            page = audit.find(session, people=people, devices=devices, before=before, limit=limit, **filters)
            return replace(page, items=_with_names(session, page))

    def verify(self, by: Caller | None = None) -> AuditVerdict:
        self._record(by, "audit.verify", {})
        with self._database.read() as session:
            return audit_proof.verify(session, self._identity.public_key)

    def export(self, by: Caller, after: int = 0, until: int = 0) -> AuditLines:
        self._record(by, "audit.export", {"after": after})
        if not after:
            until = self._sign().seq
        with self._database.read() as session:
            closing = session.get(AuditSignature, until)
            if closing is None:
                raise GovDeskError("SRV-043", tr("这次导出已经不在，请重新导出。"))
            last = min(after + EXPORT_LINES, until)
            lines = list(audit_proof.links(session, after, last))
            if last == until:
                lines.append(audit_proof.head_line(audit.head_of(closing), self._identity.public_key))
        return AuditLines(lines, until, last, last < until)

    def _record(self, by: Caller | None, action: str, detail: dict[str, Any]) -> None:
        if by is not None:
            now, entry = iso(self._clock.now()), audit.Entry(action, by.actor.id, by.device, detail=detail)
            self._writer.do(lambda session: audit.append(session, now, [entry]))

    # -- at the console

    def write(self, file: IO[str]) -> None:
        """The whole file of an export."""
        head = self._sign()
        with self._database.read() as session:
            file.writelines(f"{line}\n" for line in audit_proof.links(session, 0, head.seq))
        file.write(audit_proof.head_line(head, self._identity.public_key) + "\n")

    def against(self, lines: Iterable[str]) -> AuditVerdict:
        """Hold the chain against an earlier export or signed heads; see ``audit_proof.prove_against``."""
        with self._database.read() as session:
            return audit_proof.prove_against(session, lines, self._identity.public_key)

    # -- by itself

    def check(self) -> None:
        """Prove what came since the last signed head, sign the head, and add it to the file of heads.

        Raises ``GovDeskError`` SRV-040 for a chain that does not hold.
        """
        with self._database.read() as session:
            since = session.execute(select(func.max(AuditSignature.seq))).scalar_one_or_none() or 0
            refuse_broken(audit_proof.verify(session, self._identity.public_key, since))
        line = audit_proof.head_line(self._sign(), self._identity.public_key)
        with os.fdopen(
            os.open(self._heads, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8"
        ) as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def check_all(self) -> None:
        """Prove the whole chain. Raises ``GovDeskError`` SRV-040."""
        refuse_broken(self.verify())

    def _sign(self) -> audit.Head:
        now = iso(self._clock.now())
        return self._writer.do(lambda session: audit.sign(session, self._identity, now))


def refuse_broken(verdict: AuditVerdict) -> None:
    """Raise ``GovDeskError`` SRV-040 unless the chain holds."""
    if verdict.broken_at is not None:
        raise GovDeskError(
            "SRV-040",
            tr("审计日志不完整：{what}", what=audit_proof.words(verdict)),
            fix=tr("请保护现场，用导出的审计文件核对，并报告。"),
        )


def _people(session: Session, text: str) -> Collection[str] | None:
    """The ids of those whose id or login is ``text``, or whose name holds it; None for everybody."""
    text = text.strip()
    if not text:
        return None
    people = session.execute(select(Person)).scalars()
    return {text} | {row.id for row in people if row.login == text.lower() or text in name_of(session, row)}


def _devices(session: Session, text: str) -> Collection[str] | None:
    text = text.strip()
    if not text:
        return None
    return {text} | set(session.execute(select(Device.id).where(Device.name.contains(text, autoescape=True))).scalars())


def _with_names(session: Session, page: AuditPage) -> list[AuditView]:
    ids = {link.person for link in page.items}
    people = session.execute(select(Person).where(Person.id.in_(ids))).scalars()
    names = {row.id: name_of(session, row) for row in people}
    devices = select(Device.id, Device.name).where(Device.id.in_({link.device for link in page.items}))
    places = {row.id: row.name for row in session.execute(devices)}
    return [replace(link, name=names.get(link.person, ""), place=places.get(link.device, "")) for link in page.items]
