"""Commands on their way: entries of the outbox, their numbers, and single values of the store."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from client.data.feed import Queued
from client.data.tables import DEFERRED, WAITING, LeaseRow, MetaRow, OutboxRow
from modules.common.aggregate import Aggregate, Command, Number, carries
from modules.common.errors import GovDeskError
from modules.common.statement import Statement
from modules.common.text import tr


def entry_of(n: int, command: Command, at: str, statement: Statement, clock: tuple[int, int]) -> OutboxRow:
    """The entry of a command that waits for the server; ``clock`` is offset and error in milliseconds."""
    return OutboxRow(
        n=n,
        cmd_id=command.id,
        kind=command.kind,
        aggregate_id=command.aggregate_id,
        type=command.type,
        version=command.version,
        base_rev=command.base_rev,
        at=at,
        statement_id=statement.id,
        person=statement.person,
        body=dict(command.body),
        series=command.number.series if command.number else None,
        serial=command.number.serial if command.number else None,
        offset_ms=clock[0],
        error_ms=clock[1],
        state=WAITING,
        rev=0,
    )


def queued_of(entry: OutboxRow, token: str) -> Queued:
    """An entry as the synchronisation sends it, under the statement ``token``."""
    return Queued(
        n=entry.n,
        cmd_id=entry.cmd_id,
        kind=entry.kind,
        aggregate_id=entry.aggregate_id,
        type=entry.type,
        version=entry.version,
        base_rev=entry.base_rev,
        at=entry.at,
        statement=token,
        body=entry.body,
        number=None if entry.series is None else {"series": entry.series, "serial": entry.serial},
        clock=None if entry.offset_ms is None else {"offset_ms": entry.offset_ms, "error_ms": entry.error_ms},
    )


def command_of(entry: OutboxRow) -> Command:
    """The command of an entry, as rules see it."""
    number = None
    if entry.series is not None and entry.serial is not None:
        number = Number(entry.series, entry.serial)
    return Command(
        id=entry.cmd_id,
        kind=entry.kind,
        aggregate_id=entry.aggregate_id,
        type=entry.type,
        body=entry.body,
        version=entry.version,
        base_rev=entry.base_rev,
        number=number,
    )


def must_carry(connection: Any, rules: Callable[[str], Aggregate]) -> None:
    """Raise ``GovDeskError`` DATA-046 when something unsent is of a version that ``rules`` do not understand."""
    unsent = "SELECT kind, version, count(*) FROM outbox WHERE state IN (?, ?) GROUP BY kind, version"
    lost = 0
    for kind, version, count in connection.execute(unsent, (WAITING, DEFERRED)).fetchall():
        try:
            known = carries(rules(kind), version)
        except KeyError:
            known = False
        lost += 0 if known else count
    if lost:
        raise GovDeskError(
            "DATA-046",
            tr("本机有 {n} 笔还没送达的业务，本版本的程序不能识别，因此没有打开。数据没有改动。", n=lost),
            fix=tr("请用原来的版本登录并联网，待这些业务全部送达后再升级。"),
        )


def plain(body: Mapping[str, Any]) -> dict[str, Any]:
    """``body`` as it will come out of storage and off the wire. Raises ``GovDeskError`` DATA-007."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(body), ensure_ascii=False, allow_nan=False).encode())
    except ValueError as error:
        # half a character, or a number that is none
        raise GovDeskError("DATA-007", tr("输入中含有无法保存的字符。"), fix=tr("请删去后重新输入。")) from error
    return plain


def take_number(db: Session, series: str) -> Number:
    """Use the next serial of a leased block. Raises ``GovDeskError`` NUM-001 when none is left."""
    query = select(LeaseRow).where(LeaseRow.series == series, LeaseRow.next <= LeaseRow.last).order_by(LeaseRow.first)
    block = db.scalars(query.limit(1)).first()
    if block is None:
        raise GovDeskError(
            "NUM-001",
            tr("本机预留的编号已经用完，输入已保留。"),
            fix=tr("请恢复网络，程序会自动领取新的编号，再试一次。"),
        )
    serial = block.next
    block.next += 1
    return Number(series, serial)


def wanted_series(db: Session) -> list[str]:
    """The series beside the session's own of which blocks are kept."""
    row = db.get(MetaRow, "series")
    names: list[str] = json.loads(row.value) if row else []
    return names


def next_n(db: Session, *, at_least: int = 1) -> int:
    """The next number of this device's commands."""
    row = db.get(MetaRow, "last_n")
    n = max(int(row.value) + 1 if row else 1, at_least)
    put_meta(db, "last_n", str(n))
    return n


def put_meta(db: Session, key: str, value: str) -> None:
    """Keep a single value by name."""
    db.merge(MetaRow(key=key, value=value))
    db.flush()
