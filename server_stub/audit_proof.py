"""Proving a chain of audit links: in the database, in an exported file alone, and one against the other.

An exported file is one link in each line (JSON, oldest first), and in its last line the signed head:
``{"head": {"seq", "hash", "at", "epoch"}, "key", "signature"}``, ``key`` and ``signature`` in hexadecimal (Ed25519 over
``Head.text``). A file of heads alone is of such last lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from modules.common.errors import GovDeskError
from modules.common.server_ports import AuditVerdict
from modules.common.text import tr
from server_stub.audit import COLUMNS, START, Head, head_of, link
from server_stub.tables import AuditHead, AuditRow, AuditSignature

CHANGED, MISSING, FORGED, DIFFERENT = "changed", "missing", "forged", "different"
"""What is wrong with a link: it does not follow from the one before; it is not there; a signed head says otherwise, or
its signature does not hold; the exported one is another.
"""


def verify(session: Session, public_key: bytes | None = None, since: int = 0) -> AuditVerdict:
    """Walk the chain in the database, and hold it against the heads that were signed.

    ``since`` is the number of a link that was proved before: what lies behind it is walked. ``public_key``: without
    it signatures are not looked at.
    """
    # in this order: what is signed or added meanwhile lies beyond what is looked at
    signatures = select(AuditSignature).where(AuditSignature.seq > 0, AuditSignature.seq >= since)
    heads = {row.seq: head_of(row) for row in session.execute(signatures.order_by(AuditSignature.seq)).scalars()}
    head, end = session.execute(select(AuditHead.seq, AuditHead.hash)).one_or_none() or (0, START)
    last = START
    if since:
        last = session.execute(select(AuditRow.hash).filter_by(seq=since)).scalar_one_or_none() or ""
        if not last:
            return AuditVerdict(0, since, MISSING)
    for signed in heads.values():
        if public_key is not None and not _holds(signed, public_key):
            return AuditVerdict(0, signed.seq, FORGED)
    if since in heads and heads[since].hash != last:
        return AuditVerdict(0, since, FORGED)
    query = select(AuditRow).where(AuditRow.seq > since, AuditRow.seq <= head).order_by(AuditRow.seq)
    with session.scalars(query.execution_options(yield_per=1000)) as rows:
        verdict = _walk(
            ({column: getattr(row, column) for column in (*COLUMNS, "hash")} for row in rows), since, last, heads
        )
    if verdict.broken_at is not None:
        return verdict
    if verdict.checked + since < head:
        return AuditVerdict(verdict.checked, verdict.checked + since + 1, MISSING)
    newest = max(heads, default=0)
    if newest > head:
        return AuditVerdict(verdict.checked, head + 1, MISSING)
    closing = session.execute(select(AuditRow.hash).filter_by(seq=head)).scalar_one_or_none() if head else START
    if closing != end:
        return AuditVerdict(verdict.checked, head, CHANGED)
    return AuditVerdict(verdict.checked, None, "", newest)


def _walk(links: Iterable[Mapping[str, Any]], since: int, last: str, heads: Mapping[int, Head]) -> AuditVerdict:
    expected = since + 1
    for row in links:
        if row["seq"] != expected:
            return AuditVerdict(expected - since - 1, expected, MISSING)
        if row["hash"] != link(last, *(row[column] for column in COLUMNS)):
            return AuditVerdict(expected - since - 1, expected, CHANGED)
        last = row["hash"]
        if expected in heads and heads[expected].hash != last:
            # every link up to here follows from the one before: all were written anew since the head before this one
            return AuditVerdict(expected - since - 1, expected, FORGED)
        expected += 1
    return AuditVerdict(expected - since - 1, None)


def _holds(head: Head, public_key: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(bytes.fromhex(head.signature), head.text())
    except (InvalidSignature, ValueError):
        return False
    return True


# -- files


def links(session: Session, after: int, until: int) -> Iterator[str]:
    """The links behind ``after`` up to ``until``, each as its line of a file."""
    query = select(AuditRow).where(AuditRow.seq > after, AuditRow.seq <= until).order_by(AuditRow.seq)
    with session.scalars(query.execution_options(yield_per=1000)) as rows:
        for row in rows:
            yield _line({column: getattr(row, column) for column in (*COLUMNS, "hash")})


def head_line(head: Head, public_key: bytes) -> str:
    """The last line of a file."""
    told = {"seq": head.seq, "hash": head.hash, "at": head.at, "epoch": head.epoch}
    return _line({"head": told, "key": public_key.hex(), "signature": head.signature})


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


def read(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The lines of a file, parsed. Raises ``GovDeskError`` SRV-042 for one that this program would not have written."""
    for number, line in enumerate(lines, 1):
        try:
            value = json.loads(line)
        except ValueError as error:
            raise _unreadable(number) from error
        # byte for byte: what was written differently was written by somebody else
        if not isinstance(value, dict) or _line(value) + "\n" != line:
            raise _unreadable(number)
        keys = {"head", "key", "signature"} if "head" in value else {*COLUMNS, "hash"}
        if value.keys() != keys or ("head" in value and not _head(value)):
            raise _unreadable(number)
        yield value


def _head(value: Mapping[str, Any]) -> Head | None:
    told = value["head"]
    if not isinstance(told, dict) or told.keys() != {"seq", "hash", "at", "epoch"} or type(told["seq"]) is not int:
        return None
    return Head(**told, signature=str(value["signature"]))


def prove_file(lines: Iterable[str], public_key: bytes | None = None) -> tuple[AuditVerdict, str]:
    """Prove an exported file by itself; the verdict, and the key (hex) that signed its head.

    ``public_key`` is the key that is trusted; without it the file's own is used, and is to be compared by hand.
    Raises SRV-042 as ``read``.
    """
    closing: list[dict[str, Any]] = []

    def inside() -> Iterator[dict[str, Any]]:
        for value in read(lines):
            if "head" in value or closing:
                closing.append(value)
            else:
                yield value

    verdict = _walk(inside(), 0, START, {})
    if verdict.broken_at is not None:
        return verdict, ""
    head = _head(closing[0]) if len(closing) == 1 and "head" in closing[0] else None
    if head is None:
        return AuditVerdict(verdict.checked, verdict.checked + 1, MISSING), ""
    key = public_key if public_key is not None else _bytes(closing[0]["key"])
    if not _holds(head, key) or key.hex() != closing[0]["key"]:
        return AuditVerdict(verdict.checked, head.seq, FORGED), key.hex()
    if head.seq != verdict.checked:
        return AuditVerdict(verdict.checked, min(head.seq, verdict.checked) + 1, MISSING), key.hex()
    return AuditVerdict(verdict.checked, None, "", head.seq), key.hex()


def prove_against(session: Session, lines: Iterable[str], public_key: bytes) -> AuditVerdict:
    """Hold the database against a file that was exported from it earlier: its links, and its signed heads.

    Raises SRV-042 as ``read``.
    """
    checked = 0
    for value in read(lines):
        head = _head(value) if "head" in value else None
        if head is not None and not _holds(head, public_key):
            return AuditVerdict(checked, head.seq, FORGED)
        seq, told = (head.seq, head.hash) if head is not None else (value["seq"], value["hash"])
        if seq == 0:
            continue
        row = session.get(AuditRow, seq)
        if row is None:
            return AuditVerdict(checked, _first_missing(session, seq), MISSING)
        if row.hash != told:
            return AuditVerdict(checked, seq, DIFFERENT)
        checked += 1
        session.expunge(row)
    return AuditVerdict(checked, None)


def _first_missing(session: Session, seq: int) -> int:
    newest = session.execute(select(AuditRow.seq).order_by(AuditRow.seq.desc()).limit(1)).scalar_one_or_none() or 0
    return min(seq, newest + 1)


def _bytes(text: Any) -> bytes:
    try:
        return bytes.fromhex(str(text))
    except ValueError:
        return b""


def _unreadable(line: int) -> GovDeskError:
    return GovDeskError("SRV-042", tr("审计文件第 {line} 行不是原样，或不是审计记录。", line=line))


def words(verdict: AuditVerdict) -> str:
    """What a verdict says, for people."""
    if verdict.broken_at is None:
        return tr("{n} 条记录首尾相接，没有被改动。", n=verdict.checked)
    seq = verdict.broken_at
    match verdict.why:
        case "missing":
            return tr("第 {seq} 条记录不见了。", seq=seq)
        case "forged":
            return tr("第 {seq} 条记录与服务器签过名的不符：它或它之前的记录被整段改写过。", seq=seq)
        case "different":
            return tr("第 {seq} 条记录与导出的不同。", seq=seq)
        case _:
            return tr("第 {seq} 条记录对不上，它或它前面的记录被改动过。", seq=seq)
