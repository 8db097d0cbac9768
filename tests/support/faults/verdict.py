"""What was promised at the counters against what the server holds, and against what the counters show."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server_stub import audit_proof
from server_stub.sealing import open_sealed
from server_stub.tables import AggregateState, AuditRow, ChangeRow, CommandRow, Device, EventRow, NumberUsed, Scope
from tests.support.central_data import reading
from tests.support.faults.counter import CITIZEN, content
from tests.support.leaks import scan

OURS = ("AUTH-", "NUM-", "SYNC-", "SRV-", "CMD-", "ACC-001")
"""Refusals that accuse the machinery, or a case that is not there yet: none of them is right in a fault run."""


def compare(data: Path, folder: Path, devices: list[str], problems: list[str]) -> dict[str, Any]:
    """Counts for the verdict; what is wrong is added to ``problems``, the gravest first."""
    with reading(data) as session:
        return _compare(session, folder, devices, problems)


def _compare(session: Session, folder: Path, devices: list[str], problems: list[str]) -> dict[str, Any]:
    given = {
        i: [line.split(" ") for line in (folder / f"given{i}.txt").read_text("utf-8").splitlines()]
        for i in range(len(devices))
        if (folder / f"given{i}.txt").exists()
    }
    commands = {row.cmd_id: row for row in session.scalars(select(CommandRow).where(CommandRow.device_id.is_not(None)))}
    promised = [line for lines in given.values() for line in lines]
    lost = _lost(session, promised, commands)
    doubled = _doubled(session, commands)
    problems += [f"lost: {one}" for one in lost] + [f"doubled: {one}" for one in doubled]
    for row in commands.values():
        code = json.loads(open_sealed(session, CommandRow, (row.cmd_id,), row.sealed))["code"] if row.sealed else ""
        if row.status == "refused" and (row.type == "case.accept" or code.startswith(OURS)):
            problems.append(f"falsely refused: {row.type} {code}")
    problems += _contiguous(session)
    verdict = audit_proof.verify(session)
    if verdict.broken_at is not None:
        problems.append(f"the audit chain is broken at {verdict.broken_at}")
    equal, refused = True, 0
    for i, device in enumerate(devices):
        path = folder / f"report{i}.json"
        if not path.exists():
            problems.append(f"counter {i} did not report")
            equal = False
            continue
        report = json.loads(path.read_text("utf-8"))
        wrong = _other_replica(session, report)
        equal = equal and not wrong
        problems += [f"counter {i}: {one}" for one in wrong]
        problems += [f"counter {i}: {one}" for one in _outbox(report, device, given.get(i, []), commands)]
        refused += len(report["tray"])
    problems += in_clear(folder)
    return {
        "accepted": len(promised),
        "receipts": sum(line[1] == "case.accept" for line in promised),
        "stored": len(commands),
        "refused": refused,
        "lost": len(lost),
        "doubled": len(doubled),
        "digest_equal": equal,
    }


def _lost(session: Session, promised: list[list[str]], commands: dict[str, CommandRow]) -> list[str]:
    """What was promised and has left no trace, or left the wrong one."""
    numbers = dict(
        session.execute(select(AggregateState.id, AggregateState.number).filter_by(kind="case")).tuples().all()
    )
    lost = [f"{type} {cmd_id}" for cmd_id, type, _, _ in promised if cmd_id not in commands]
    for _, type, id, number in promised:
        if type == "case.accept" and numbers.get(id) != number:
            lost.append(f"receipt {number}: the server has {numbers.get(id)}")
    return lost


def _doubled(session: Session, commands: dict[str, CommandRow]) -> list[str]:
    """Commands with more than one effect, or with one although refused; numbers used twice."""
    effects: Counter[str] = Counter()
    for cmd_id, _ in session.execute(select(EventRow.cmd_id, EventRow.rev).distinct()):
        effects[cmd_id] += 1
    doubled = [
        f"{row.type} {id} has {effects[id]} effects"
        for id, row in commands.items()
        if effects[id] != (row.status == "applied")
    ]
    written: Counter[str] = Counter()
    for action, detail in session.execute(select(AuditRow.action, AuditRow.detail)):
        if '"cmd"' in detail and not action.endswith((".refused", ".deferred", ".hash_mismatch")):
            written[json.loads(detail)["cmd"]] += 1
    doubled += [f"{id} is written {n} times in the log" for id, n in written.items() if n != 1]
    numbers = Counter(session.scalars(select(AggregateState.number).where(AggregateState.kind == "case")))
    doubled += [f"number {number} is on {n} cases" for number, n in numbers.items() if number and n != 1]
    used = Counter(session.execute(select(NumberUsed.series, NumberUsed.serial)).tuples().all())
    return doubled + [f"serial {serial} is used {n} times" for (_, serial), n in used.items() if n != 1]


def _contiguous(session: Session) -> list[str]:
    """Gaps in feeds, and in what devices have sent."""
    found = []
    for scope, head, floor in session.execute(select(Scope.name, Scope.seq, Scope.floor)).tuples():
        # up to the floor the feed has been thinned
        above = select(ChangeRow.seq).where(ChangeRow.scope == scope, ChangeRow.seq > floor)
        seqs = list(session.scalars(above.order_by(ChangeRow.seq)))
        if len(seqs) != head - floor or seqs != list(range(floor + 1, head + 1)):
            found.append(f"the feed {scope} has gaps")
    for device, last_n in session.execute(select(Device.id, Device.last_n)).tuples():
        ns = list(session.scalars(select(CommandRow.n).filter_by(device_id=device).order_by(CommandRow.n)))
        if len(ns) != last_n or ns != list(range(1, last_n + 1)):
            found.append(f"the commands of {device} have gaps")
    return found


def _other_replica(session: Session, report: dict[str, Any]) -> list[str]:
    """Where a counter's copy of a feed differs from what the feed says up to the counter's cursor."""
    found = []
    for scope, here in report["replica"].items():
        there: dict[str, list[Any]] = {}
        entries = select(ChangeRow.seq, ChangeRow.sealed).where(ChangeRow.scope == scope)
        for seq, sealed in session.execute(entries.order_by(ChangeRow.seq)):
            if seq > report["cursors"][scope]:
                break
            entry = json.loads(open_sealed(session, ChangeRow, (scope, seq), sealed))
            key = f"{entry['kind']}:{entry['id']}"
            if entry["op"] == "put":
                there[key] = [entry["rev"], content(entry["doc"])]
            else:
                there.pop(key, None)
        about = select(Scope.seq, Scope.count, Scope.digest).filter_by(name=scope)
        head, *holds = session.execute(about).one_or_none() or (0, 0, 0)
        if head == report["cursors"][scope] and holds != report["holds"][scope]:
            found.append(f"{scope} has another digest here")
        if here != there:
            keys = sorted(key for key in here.keys() | there.keys() if here.get(key) != there.get(key))
            found.append(f"{scope} differs in {len(keys)} records, such as {keys[:2]}")
    return found


def _outbox(report: dict[str, Any], device: str, given: list[list[str]], commands: dict[str, CommandRow]) -> list[str]:
    """What a counter believes of its own commands, and what the server says of them."""
    found = []
    box = {cmd_id: state for _, cmd_id, _, _, state, _ in report["outbox"]}
    if [row[0] for row in report["outbox"]] != list(range(1, len(report["outbox"]) + 1)):
        found.append("its outbox has gaps")
    if gone := [line[0] for line in given if line[0] not in box]:
        found.append(f"{len(gone)} promised commands are no longer in its outbox")
    theirs = {row.cmd_id: row.status for row in commands.values() if row.device_id == device}
    if theirs != box:
        keys = [id for id in box.keys() | theirs.keys() if box.get(id) != theirs.get(id)]
        found.append(f"{len(keys)} answers differ, such as {box.get(keys[0])} here, {theirs.get(keys[0])} there")
    if hidden := [id for id, status in theirs.items() if status == "refused" and id not in report["tray"]]:
        found.append(f"{len(hidden)} refused commands are not in the tray")
    owed = set(report["owed"])
    if unpaid := [id for _, _, type, id, state, _ in report["outbox"] if type == "case.accept" and id not in owed]:
        found.append(f"{len(unpaid)} cases owe no paper any more")
    return found


def in_clear(folder: Path) -> list[str]:
    """Whether the citizens of the run can be read, in one sentence: in profiles, the server's data, backups, logs and
    the temporary folder. What the run itself writes down for its judgement names no citizen, and is looked at, too.
    """
    leaks = scan([folder], CITIZEN)
    return [f"in clear, {len(leaks)} times: {leaks[0]}"] if leaks else []
