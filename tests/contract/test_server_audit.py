"""The audit chain on both databases: what they refuse, what a proof finds, and that looking leaves a trace."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from modules.common.clock import iso
from modules.common.errors import GovDeskError
from modules.common.server_ports import AuditVerdict, Caller
from modules.common.statement import read
from server_stub import audit, audit_proof
from server_stub.config import Config
from server_stub.tables import AuditRow, AuditSignature
from tests.support.audit_chain import unguard
from tests.support.central import Central, central
from tests.support.servers import postgres


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Central]:
    folder = tmp_path_factory.mktemp("server")
    if request.param == "sqlite":
        with central(folder) as made:
            yield made
    else:
        with postgres() as url, central(folder, url) as made:
            yield made


@pytest.fixture(autouse=True)
def some_links(office: Central) -> None:
    counter = office.counter()
    counter.push(*[counter.command() for _ in range(5)])


@contextmanager
def tampered(office: Central, *edits: str) -> Iterator[Session]:
    """The database after somebody has changed it past its guards; nothing of it stays."""
    with office.services.database.engine.connect() as connection:
        unguard(connection)
        for edit in edits:
            connection.execute(text(edit))
        with Session(connection) as session:
            yield session
            session.rollback()
        connection.rollback()


def verified(office: Central, session: Session, since: int = 0) -> AuditVerdict:
    return audit_proof.verify(session, office.services.identity.public_key, since)


def exported(office: Central) -> list[str]:
    file = io.StringIO()
    office.services.audit.write(file)
    return file.getvalue().splitlines(keepends=True)


# -- what the database refuses


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE audit SET person_id = 'x' WHERE seq = 2",
        "UPDATE audit SET person_id = person_id WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 2",
        "DELETE FROM audit",
        "UPDATE audit_signature SET hash = 'x'",
        "DELETE FROM audit_signature",
    ],
)
def test_the_database_refuses_to_change_or_remove_a_link(office: Central, edit: str) -> None:
    office.services.audit.check()
    with pytest.raises(DBAPIError, match="append-only"), office.services.database.engine.begin() as connection:
        connection.execute(text(edit))


def test_no_replacement_passes_for_an_addition(office: Central) -> None:
    engine = office.services.database.engine
    if engine.dialect.name == "sqlite":
        edit = (
            "INSERT OR REPLACE INTO audit SELECT seq, at, 'x', person_id, device_id, subject, detail, hash FROM audit"
        )
    else:
        edit = "TRUNCATE audit"
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(edit))


def test_on_postgresql_the_servers_own_role_has_no_right_to_it(tmp_path: Path) -> None:
    with postgres() as url:
        boss = create_engine(Config(tmp_path, url).url, isolation_level="AUTOCOMMIT")
        with boss.connect() as connection:
            connection.execute(text("CREATE ROLE hall LOGIN"))
            connection.execute(text("CREATE DATABASE hall OWNER hall"))
        boss.dispose()
        own = url.replace("govdesk@", "hall@").rpartition("/")[0] + "/hall"
        with central(tmp_path / "server", own) as office:
            office.counter()
            assert office.services.audit.verify().broken_at is None
            for edit in ("UPDATE audit SET action = 'x'", "DELETE FROM audit", "TRUNCATE audit"):
                begun = office.services.database.engine.begin()
                with pytest.raises(DBAPIError, match="permission denied"), begun as connection:
                    connection.execute(text(edit))


# -- what a proof finds


def test_each_kind_of_change_is_found_and_named(office: Central) -> None:
    office.services.audit.check()
    whole = office.services.audit.verify()
    assert (whole.broken_at, whole.signed) == (None, whole.checked)
    n = whole.checked
    middle = n // 2
    columns = "at, action, person_id, device_id, subject, detail"
    edits = {
        f"UPDATE audit SET person_id = 'x' WHERE seq = {middle}": (middle, "changed"),
        f"UPDATE audit SET detail = '{{}}  ' WHERE seq = {middle}": (middle, "changed"),
        f"DELETE FROM audit WHERE seq = {middle}": (middle, "missing"),
        f"DELETE FROM audit WHERE seq = {n}": (n, "missing"),
        f"DELETE FROM audit WHERE seq > {middle}; UPDATE audit_head SET seq = {middle}": (middle + 1, "missing"),
        "UPDATE audit SET seq = -seq WHERE seq IN (2, 3); UPDATE audit SET seq = 5 + seq WHERE seq < 0": (
            2,
            "changed",
        ),
        f"INSERT INTO audit (seq, {columns}, hash) SELECT {n} + 1, {columns}, hash FROM audit WHERE seq = 1; "
        f"UPDATE audit_head SET seq = {n} + 1": (n + 1, "changed"),
        f"UPDATE audit_signature SET signature = '00' WHERE seq = {n}": (n, "forged"),
    }
    for edit, (seq, why) in edits.items():
        with tampered(office, *edit.split("; ")) as session:
            verdict = verified(office, session)
        assert (verdict.broken_at, verdict.why) == (seq, why), edit
        assert str(seq) in audit_proof.words(verdict)
    assert office.services.audit.verify() == whole


def test_a_chain_written_anew_does_not_fit_the_signed_heads(office: Central) -> None:
    office.services.audit.check()
    lines = exported(office)
    with tampered(office) as session:
        rows = session.execute(select(AuditRow).order_by(AuditRow.seq)).scalars().all()
        last, forged = audit.START, rows[2].seq
        for row in rows:
            row.person_id = "innocent" if row.seq == forged else row.person_id
            last = audit.link(last, *(getattr(row, column) for column in audit.COLUMNS))
            row.hash = last
        session.execute(text("UPDATE audit_head SET hash = :hash"), {"hash": last})
        session.flush()
        # every link follows from the one before it: only what was signed knows better
        assert audit_proof.verify(session).why == "forged"
        verdict = verified(office, session)
        assert (verdict.why, verdict.broken_at is not None) == ("forged", True)
        # without the signed heads in the database, those that left the machine
        session.execute(text("DELETE FROM audit_signature"))
        assert verified(office, session).broken_at is None
        found = audit_proof.prove_against(session, lines, office.services.identity.public_key)
        assert (found.broken_at, found.why) == (forged, "different")
        only_head = audit_proof.prove_against(session, lines[-1:], office.services.identity.public_key)
        assert (only_head.broken_at, only_head.why) == (rows[-1].seq, "different")


def test_a_tail_cut_off_together_with_its_heads_is_missed_by_an_exported_one(office: Central) -> None:
    lines = exported(office)
    n = json.loads(lines[-1])["head"]["seq"]
    edits = (
        f"DELETE FROM audit WHERE seq > {n - 2}",
        f"DELETE FROM audit_signature WHERE seq > {n - 2}",
        f"UPDATE audit_head SET seq = {n - 2}, hash = (SELECT hash FROM audit WHERE seq = {n - 2})",
    )
    with tampered(office, *edits) as session:
        assert verified(office, session).broken_at is None
        for file in (lines, lines[-1:]):
            found = audit_proof.prove_against(session, file, office.services.identity.public_key)
            assert (found.broken_at, found.why) == (n - 1, "missing")
    with office.services.database.read() as session:
        found = audit_proof.prove_against(session, lines, office.services.identity.public_key)
        assert (found.broken_at, found.checked) == (None, n + 1)


def test_the_hourly_check_goes_on_from_the_last_signed_head(office: Central) -> None:
    heads = office.services.config.data / "audit-heads.jsonl"
    office.services.audit.check()
    office.counter()
    office.services.audit.check()
    lines = heads.read_text("utf-8").splitlines(keepends=True)
    assert len(lines) >= 2
    with office.services.database.read() as session:
        assert audit_proof.prove_against(session, lines, office.services.identity.public_key).broken_at is None
        newest = max(session.execute(select(AuditSignature.seq)).scalars())
        assert verified(office, session, newest).checked == 0
    office.counter()
    with tampered(office, f"UPDATE audit SET action = 'x' WHERE seq = {newest + 2}") as session:
        assert verified(office, session, newest).broken_at == newest + 2
    with tampered(office, f"UPDATE audit SET hash = '{'0' * 64}' WHERE seq = {newest}") as session:
        assert verified(office, session, newest).broken_at == newest


# -- files


def test_an_exported_file_proves_itself_and_names_who_signed(office: Central) -> None:
    lines = exported(office)
    verdict, key = audit_proof.prove_file(lines)
    assert (verdict.broken_at, verdict.checked) == (None, len(lines) - 1)
    assert key == office.services.identity.public_key.hex()
    other, _ = audit_proof.prove_file(lines, bytes(32))
    assert other.why == "forged"
    for cut in (lines[:-1], lines[:-3] + lines[-1:], lines[1:], lines[:3] + lines[4:], [*lines, lines[0]]):
        assert audit_proof.prove_file(cut)[0].broken_at is not None
    swapped = [*lines[:2], lines[3], lines[2], *lines[4:]]
    assert audit_proof.prove_file(swapped)[0].broken_at == 3


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_altered_byte_anywhere_in_a_file_is_found(office: Central, data: st.DataObject) -> None:
    file = bytearray("".join(exported(office)).encode())
    place = data.draw(st.integers(0, len(file) - 1))
    file[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        lines = io.StringIO(file.decode(), newline="\n").readlines()
        verdict, _ = audit_proof.prove_file(lines, office.services.identity.public_key)
    except (UnicodeDecodeError, GovDeskError):
        return
    assert verdict.broken_at is not None


# -- looking


def test_who_looks_is_seen_looking(office: Central) -> None:
    counter = office.counter("auditadmin")
    caller = Caller(read(counter.statement).actor(), counter.device)
    log = office.services.audit
    log.find(by=caller, action="case.", person="某人")
    log.verify(caller)
    page = log.export(caller)
    assert not page.more
    assert audit_proof.prove_file(f"{line}\n" for line in page.lines)[0].broken_at is None
    mine = [link for link in log.find(person=caller.actor.id).items if link.action.startswith("audit.")]
    assert [link.action for link in mine] == ["audit.export", "audit.verify", "audit.read"]
    assert mine[-1].detail == {"by": ["action", "person"], "before": 0}, "what was looked for is no business of the log"
    assert {(link.name, link.place) for link in mine} == {("某人", "3号窗")}
    with pytest.raises(GovDeskError, match="SRV-043"):
        log.export(caller, 5, 10**9)


def test_an_export_comes_in_parts_that_make_one_file(office: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = office.counter("auditadmin")
    caller = Caller(read(counter.statement).actor(), counter.device)
    monkeypatch.setattr("server_stub.audit_log.EXPORT_LINES", 7)
    lines, page = [], office.services.audit.export(caller)
    while True:
        lines += page.lines
        if not page.more:
            break
        office.counter()  # the chain goes on meanwhile
        page = office.services.audit.export(caller, page.after, page.until)
    verdict, _ = audit_proof.prove_file(f"{line}\n" for line in lines)
    assert (verdict.broken_at, verdict.checked) == (None, page.until)


def test_links_are_found_by_person_kind_time_result_and_device(office: Central) -> None:
    login = office.person()
    counter = office.counter(login=login)
    office.clock.advance(3600)
    counter.push(counter.command(), counter.command("memo.refused"))
    log = office.services.audit
    assert [link.action for link in log.find(person=login, result="refused").items] == ["memo.refused.refused"]
    assert "memo.write" in {link.action for link in log.find(person=login, result="done").items}
    assert {link.result for link in log.find(result="refused").items} == {"refused"}
    assert {link.device for link in log.find(device=counter.device).items} == {counter.device}
    assert {link.device for link in log.find(device="3号").items} >= {counter.device}
    recent = log.find(person=login, since=iso(office.clock.now()))
    assert {link.action for link in recent.items} == {"memo.write", "memo.refused.refused"}
    assert log.find(person="nobody at all").items == []
    first = log.find(person=login, limit=1)
    assert first.more
    (second,) = log.find(person=login, limit=1, before=first.items[0].seq).items
    assert second.seq < first.items[0].seq
    detail: Any = second.detail
    assert "cmd" in detail
