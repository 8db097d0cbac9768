"""The command processor and the feeds, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from modules.common.clock import CHINA, iso
from modules.common.errors import GovDeskError
from modules.common.ids import uuid7
from modules.common.server_ports import Caller
from modules.common.statement import read
from server_stub import audit, audit_proof, feed, processor
from server_stub.seeding import CONSOLE
from server_stub.tables import (
    AuditRow,
    Blob,
    BlobGiver,
    ChangeRow,
    CommandRow,
    EventRow,
    NumberUsed,
    Organisation,
    Person,
    PersonRole,
    SignInSession,
)
from sync.protocol import LeaseRequest, PushRequest
from tests.support.audit_chain import unguard
from tests.support.central import MEMO, Central, central
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


def count(office: Central, table: Any, **where: Any) -> int:
    with office.services.database.read() as session:
        return session.execute(select(func.count()).select_from(table).filter_by(**where)).scalar_one()


def changes(office: Central, scope: str, since: int = 0, limit: int = 500, epoch: str = "") -> dict[str, Any]:
    with office.services.database.read() as session:
        page = feed.page(session, office.services.identity.epoch, "", scope, since, limit, epoch)
    answer: dict[str, Any] = json.loads(page)
    return answer


def deep(levels: int) -> Any:
    nested: Any = "x"
    for _ in range(levels):
        nested = [nested]
    return nested


def test_applies_once(office: Central) -> None:
    counter = office.counter()
    command = counter.command()
    first, again = counter.push(command), counter.push(command)
    assert [(ack.status, ack.duplicate, ack.rev) for ack in first.acks + again.acks] == [
        ("applied", False, 1),
        ("applied", True, 1),
    ]
    assert first.expected_n == again.expected_n == 2
    assert count(office, CommandRow, cmd_id=command.cmd_id) == 1
    assert count(office, EventRow, cmd_id=command.cmd_id) == 1
    assert count(office, ChangeRow, aggregate_id=command.aggregate_id) == 1
    assert count(office, AuditRow, subject=f"memo:{command.aggregate_id}") == 1


def test_same_command_twice_in_one_push(office: Central) -> None:
    counter = office.counter()
    command = counter.command()
    assert [ack.duplicate for ack in counter.push(command, command).acks] == [False, True]


def test_many_pushes_of_one_command_at_once(office: Central) -> None:
    counter = office.counter()
    command = counter.command()
    acks = []
    threads = [threading.Thread(target=lambda: acks.append(counter.ack(command))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [ack.status for ack in acks] == ["applied"] * 8
    assert sum(not ack.duplicate for ack in acks) == 1
    assert count(office, EventRow, cmd_id=command.cmd_id) == 1


def test_gap_asks_for_the_missing_number(office: Central) -> None:
    counter = office.counter()
    first, second, third = (counter.command() for _ in range(3))
    reply = counter.push(first, third)
    assert [ack.status for ack in reply.acks] == ["applied", "gap"]
    assert reply.expected_n == 2
    reply = counter.push(third, second)
    assert [(ack.n, ack.status) for ack in reply.acks] == [(2, "applied"), (3, "applied")]


def test_an_empty_push_tells_the_expected_number(office: Central) -> None:
    counter = office.counter()
    counter.push(counter.command())
    assert counter.push().expected_n == 2


def test_a_known_id_with_another_body_is_a_mismatch_and_blocks_nothing(office: Central) -> None:
    counter = office.counter()
    command = counter.command()
    counter.push(command)
    changed = replace(command, body={"text": "别的"})
    moved = replace(command, n=2)
    assert [ack.status for ack in counter.push(changed, moved).acks] == ["hash_mismatch", "hash_mismatch"]
    # number 2 is spent: what follows goes on
    counter.numbers = iter([3])
    assert counter.ack(counter.command()).status == "applied"
    assert count(office, EventRow, cmd_id=command.cmd_id) == 1


def test_a_spent_number_is_no_place_for_another_command(office: Central) -> None:
    counter = office.counter()
    counter.push(counter.command())
    other = counter.command(n=1)
    assert counter.ack(other).status == "hash_mismatch"
    assert count(office, CommandRow, cmd_id=other.cmd_id) == 0


def test_a_refusal_is_final_audited_and_spends_its_number(office: Central) -> None:
    counter = office.counter()
    command = counter.command("memo.refused")
    for duplicate in (False, True):
        ack = counter.ack(command)
        assert (ack.status, ack.duplicate) == ("refused", duplicate)
        assert ack.error == {"code": "MEMO-001", "message": "不行", "fields": {"text": "太长"}}
    assert counter.push().expected_n == 2
    assert count(office, AuditRow, action="memo.refused.refused", person_id=counter.person) == 1
    assert changes(office, f"hall:{office.hall}")["changes"] is not None
    assert count(office, ChangeRow, aggregate_id=command.aggregate_id) == 0


def test_a_fault_in_a_rule_stops_nothing_else(office: Central, caplog: pytest.LogCaptureFixture) -> None:
    counter = office.counter()
    wrong, right = counter.command("memo.wrong"), counter.command()
    refused, applied = counter.push(wrong, right).acks
    assert refused.error is not None
    assert refused.error["code"] == "SRV-501"
    assert applied.status == "applied"
    (record,) = [record for record in caplog.records if record.message == "command failed"]
    assert record.incident in refused.error["message"]  # type: ignore[attr-defined]


def test_what_the_database_cannot_hold_stops_nothing_else(office: Central) -> None:
    counter = office.counter()
    # SQLite would hold a NUL, PostgreSQL would not: neither is asked, and the second command comes through
    odd, right = counter.command(body={"text": "a\0b"}), counter.command()
    acks = counter.push(odd, right).acks
    assert acks[0].error is not None
    assert acks[0].error["code"] == "SYNC-002"
    assert acks[1].status == "applied"


def test_an_unknown_kind_is_refused(office: Central) -> None:
    counter = office.counter()
    ack = counter.ack(counter.command("seal.use", kind="seal"))
    assert ack.error is not None
    assert ack.error["code"] == "SRV-004"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"cmd_id": "x"}, "SYNC-004"),
        ({"kind": "Robert'); --"}, "SYNC-004"),
        ({"n": 0}, "SYNC-004"),
        ({"number": {"series": "A\0", "serial": 1}}, "SYNC-004"),
        ({"number": {"series": "A", "serial": True}}, "SYNC-004"),
        ({"number": {"series": 1234, "serial": 1}}, "SYNC-004"),
        ({"clock": {"offset_ms": 1}}, "SYNC-004"),
        ({"clock": {"offset_ms": True, "error_ms": 1.5}}, "SYNC-004"),
        ({"at": "yesterday"}, "SYNC-003"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "SYNC-003"),
        ({"at": "9999-12-31T23:59:59-14:00"}, "SYNC-003"),
        ({"body": {"text": float("nan")}}, "SYNC-002"),
        ({"body": {"text": deep(600)}}, "SYNC-002"),
        ({"body": {"text": "\ud800"}}, "SYNC-002"),
    ],
)
def test_what_no_client_of_ours_sends(office: Central, changes: dict[str, Any], code: str) -> None:
    counter = office.counter()
    with pytest.raises(GovDeskError) as caught:
        counter.push(counter.command(**changes))
    assert caught.value.code == code
    assert counter.push().expected_n == 1


# -- deferred


def settled(office: Central, counter: Any, *commands: Any) -> list[str]:
    return [ack.status for ack in counter.push(*commands).acks]


@pytest.fixture
def recovering(office: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the server had been restored a moment ago."""
    made = replace(office.services.identity, recovered_at=iso(office.clock.now()))
    monkeypatch.setattr(office.services.processor, "_identity", made)


def test_a_command_on_a_record_that_has_not_come_yet_waits_and_is_asked_for_again(office: Central) -> None:
    """An officer's decision that is sent before the clerk's acceptance, which a restored server lacks."""
    clerk, officer = office.counter(), office.counter()
    accept = clerk.command()
    decide = officer.command(aggregate=accept.aggregate_id, base_rev=1)
    other = officer.command()
    acks = officer.push(decide, other).acks
    assert [ack.status for ack in acks] == ["deferred", "applied"]
    assert acks[0].error is not None
    assert acks[0].error["code"] == "SYNC-017"
    # its number is spent and it is remembered: asked for again, it has no second effect, and is told once
    assert officer.push().expected_n == 3
    assert settled(office, officer, decide) == ["deferred"]
    assert count(office, AuditRow, action="memo.write.deferred", subject=f"memo:{accept.aggregate_id}") == 1
    assert settled(office, clerk, accept) == ["applied"]
    [ack] = officer.push(decide).acks
    assert (ack.status, ack.duplicate, ack.rev) == ("applied", False, 2)
    [ack] = officer.push(decide).acks
    assert (ack.status, ack.duplicate, ack.rev) == ("applied", True, 2)
    assert count(office, EventRow, cmd_id=decide.cmd_id) == 1
    assert count(office, CommandRow, cmd_id=decide.cmd_id, status="applied", rev=2) == 1


def test_the_order_within_a_record_is_kept_while_others_go_on(office: Central) -> None:
    clerk, officer = office.counter(), office.counter()
    accept = clerk.command()
    first, second = (officer.command(aggregate=accept.aggregate_id, base_rev=1) for _ in range(2))
    assert settled(office, officer, first, second, officer.command()) == ["deferred", "deferred", "applied"]
    clerk.push(accept)
    # asked for in the wrong order, or alone: the second still waits for the first
    assert settled(office, officer, second) == ["deferred"]
    third = officer.command(aggregate=accept.aggregate_id, base_rev=1)
    assert settled(office, officer, third) == ["deferred"]
    assert settled(office, officer, first, second, third) == ["applied"] * 3
    with office.services.database.read() as session:
        made = session.execute(
            select(EventRow.cmd_id).filter_by(aggregate_id=accept.aggregate_id).order_by(EventRow.rev)
        )
        assert list(made.scalars()) == [command.cmd_id for command in (accept, first, second, third)]


def test_the_same_deferred_command_twice_in_one_push(office: Central) -> None:
    officer = office.counter()
    decide = officer.command(base_rev=1)
    acks = officer.push(decide, decide).acks
    assert [(ack.status, ack.duplicate) for ack in acks] == [("deferred", False), ("deferred", True)]


def test_after_a_restore_whoever_had_more_in_sight_waits_for_it(office: Central, recovering: None) -> None:
    clerk, officer = office.counter(), office.counter()
    accept = clerk.command()
    amend = clerk.command(aggregate=accept.aggregate_id, base_rev=1)
    decide = officer.command(aggregate=accept.aggregate_id, base_rev=2)
    assert settled(office, clerk, accept) == ["applied"]
    assert settled(office, officer, decide) == ["deferred"]
    assert settled(office, clerk, amend) == ["applied"]
    assert settled(office, officer, decide) == ["applied"]


def test_without_a_restore_known_records_are_decided_at_once(office: Central) -> None:
    counter = office.counter()
    first = counter.command()
    counter.push(first)
    assert settled(office, counter, counter.command(aggregate=first.aggregate_id, base_rev=7)) == ["applied"]


def test_after_a_restore_a_refusal_for_want_of_a_reference_waits(office: Central, recovering: None) -> None:
    counter, dept = office.counter(), f"d{uuid7()[-6:]}"
    first = counter.command()
    counter.push(first)
    move = counter.command("memo.move", first.aggregate_id, base_rev=1, body={"dept": dept})
    assert settled(office, counter, move) == ["deferred"]
    organisation = feed.Reference("organisation", dept, {"id": dept}, "局")
    office.services.writer.do(lambda session: feed.publish(session, iso(office.clock.now()), [organisation]))
    assert settled(office, counter, move) == ["applied"]
    office.clock.advance(processor.RECOVERY.total_seconds())
    late = counter.command("memo.move", body={"dept": "nowhere"})
    assert settled(office, counter, late) == ["refused"]


def test_a_command_waits_for_its_files(office: Central) -> None:
    counter = office.counter()
    wanted = hashlib.sha256(uuid7().encode()).hexdigest()
    command = counter.command(body={"text": "附件", "files": [wanted]})
    later = counter.command(aggregate=command.aggregate_id)
    acks = counter.push(command, later, counter.command()).acks
    assert [ack.status for ack in acks] == ["deferred", "deferred", "applied"]
    assert [ack.error["code"] for ack in acks[:2] if ack.error] == ["SYNC-016", "SYNC-018"]

    def arrive(session: Session) -> None:
        about = {"sha256": wanted, "size": 1, "at": iso(office.clock.now())}
        session.execute(insert(Blob).values(type="image/png", **about))
        session.execute(insert(BlobGiver).values(device_id=counter.device, person_id="p", **about))

    office.services.writer.do(arrive)
    assert settled(office, counter, command, later) == ["applied", "applied"]


def test_what_waits_too_long_ends_in_the_tray(office: Central) -> None:
    officer = office.counter()
    decide = officer.command(base_rev=1)
    officer.push(decide)
    office.clock.advance(processor.KEEP_WAITING.total_seconds())
    [ack] = officer.push(decide).acks
    assert ack.status == "refused"
    assert ack.error is not None
    assert ack.error["code"] == "SYNC-019"
    assert settled(office, officer, decide) == ["refused"]


def test_a_device_of_protocol_one_is_refused_what_another_is_deferred(office: Central) -> None:
    officer = office.counter()
    decide = officer.command(base_rev=1)
    [ack] = office.services.processor.push(officer.device, PushRequest(1, "", "", [decide])).acks
    assert ack.status == "refused"
    assert ack.error is not None
    assert ack.error["code"] == "SYNC-017"


def test_a_leased_number_is_spent_once_by_a_command_that_waits(office: Central) -> None:
    clerk, officer = office.counter(), office.counter()
    accept = clerk.command()
    lease = office.services.numbers.lease(officer.device, LeaseRequest(officer.series, 10))
    number = {"series": officer.series, "serial": lease.first}
    decide = officer.command(aggregate=accept.aggregate_id, base_rev=1, number=number)
    assert settled(office, officer, decide) == ["deferred"]
    assert refused(office, officer, number=number) == "NUM-004"
    clerk.push(accept)
    assert settled(office, officer, decide) == ["applied"]


# -- versions of commands


def test_older_versions_are_understood_and_newer_ones_wait(office: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MEMO, "version", 4)
    counter = office.counter()
    old = counter.command(version=2, body={"words": "旧的"})
    assert counter.ack(old).status == "applied"
    memo = office.services.commands.get("memo", old.aggregate_id)
    assert memo is not None
    assert memo["text"] == "旧的"
    assert refused(office, counter, version=1) == "CMD-002"
    newer = counter.command(version=5)
    ack = counter.ack(newer)
    assert (ack.status, ack.error and ack.error["code"]) == ("deferred", "SYNC-015")
    monkeypatch.setattr(MEMO, "version", 5)
    assert counter.ack(newer).status == "applied"


# -- who said it, and when


def refused(office: Central, counter: Any, **changes: Any) -> str:
    ack = counter.ack(counter.command(**changes))
    return ack.error["code"] if ack.error else ""


def test_the_statement_must_be_ours_and_for_this_device(office: Central) -> None:
    counter, other = office.counter(), office.counter()
    payload, _, signature = counter.statement.partition(".")
    assert refused(office, counter, statement=f"{payload}.{signature[:-4]}AAAA") == "AUTH-007"
    assert refused(office, counter, statement=other.statement) == "AUTH-008"


def detail_of(office: Central, command: Any) -> dict[str, Any]:
    """What the audit log says of a command."""
    query = select(AuditRow.detail).filter_by(subject=f"memo:{command.aggregate_id}").order_by(AuditRow.seq.desc())
    with office.services.database.read() as session:
        detail: dict[str, Any] = json.loads(session.execute(query.limit(1)).scalar_one())
    return detail


def test_a_command_is_judged_for_its_own_time(office: Central) -> None:
    counter = office.counter()
    now = office.clock.now()
    given = iso(now + timedelta(hours=71))
    office.clock.advance(100 * 3600)
    assert refused(office, counter, at=iso(now + timedelta(hours=73))) == "AUTH-018"
    late = counter.command(at=given)
    assert counter.ack(late).status == "applied"
    detail = detail_of(office, late)
    assert (detail["given_at"], detail["late_seconds"]) == (given, 29 * 3600)
    assert "clock" not in detail


@pytest.mark.parametrize("wrong", [timedelta(days=1), -timedelta(days=1), timedelta(minutes=9), -timedelta(minutes=9)])
def test_a_wrong_clock_spoils_nothing_and_shows_in_the_log(office: Central, wrong: timedelta) -> None:
    """A counter whose clock was set a day off while it was alone: the server's time is the nearest that can be true."""
    counter = office.counter()
    office.clock.advance(60)
    now = office.clock.now()
    command = counter.command(at=iso(now + wrong))
    assert counter.ack(command).status == "applied"
    detail = detail_of(office, command)
    assert detail["given_at"] == iso(now if wrong > timedelta(0) else now - timedelta(seconds=60))
    assert detail["clock"] == {"offset_ms": 0, "error_ms": 0, "claimed_at": iso(now + wrong)}
    memo = office.services.commands.get("memo", command.aggregate_id)
    assert memo is not None
    assert memo["at"] == detail["given_at"]


def test_a_clock_that_was_put_right_shows_in_the_log_as_well(office: Central) -> None:
    counter = office.counter()
    clock = {"offset_ms": -86_400_000, "error_ms": 40}
    command = counter.command(clock=clock)
    assert counter.ack(command).status == "applied"
    assert detail_of(office, command)["clock"] == {**clock, "claimed_at": command.at}
    near = counter.command(clock={"offset_ms": 3000, "error_ms": 40})
    counter.ack(near)
    assert "clock" not in detail_of(office, near)


def _revoke_session(office: Central, counter: Any) -> None:
    def store(session: Session) -> None:
        now = iso(office.clock.now())
        session.execute(update(SignInSession).where(SignInSession.id == counter.session).values(revoked_at=now))

    office.services.writer.do(store)


def _disable(office: Central, counter: Any) -> None:
    office.services.people.set_enabled(CONSOLE, counter.person, False)


def _revoke_device(office: Central, counter: Any) -> None:
    office.services.devices.revoke(CONSOLE, counter.device, "lost")


@pytest.mark.parametrize("revoke", [_revoke_session, _disable, _revoke_device])
def test_what_was_done_before_a_revocation_holds(office: Central, revoke: Any) -> None:
    counter = office.counter()
    office.clock.advance(60)
    before = counter.command()
    office.clock.advance(60)
    revoke(office, counter)
    after = counter.command()
    acks = counter.push(before, after).acks
    assert [ack.status for ack in acks] == ["applied", "refused"]
    assert acks[1].error is not None
    assert acks[1].error["code"] == "AUTH-031"


def test_signing_out_takes_nothing_back(office: Central) -> None:
    counter = office.counter()
    actor = read(counter.statement).actor()
    office.services.sessions.end(Caller(actor, counter.device), counter.session)
    office.clock.advance(3600)
    assert counter.ack(counter.command()).status == "applied"


def test_nobody_changes_what_is_not_in_their_feeds(office: Central) -> None:
    counter = office.counter()
    command = counter.command()
    counter.push(command)
    elsewhere = Central(office.services, office.clock).counter()
    assert refused(office, elsewhere, aggregate=command.aggregate_id) == "AUTH-030"
    # not even by its reasons: a rule's refusal would tell of what is in there
    assert refused(office, elsewhere, aggregate=command.aggregate_id, type="memo.refused") == "AUTH-030"


def test_what_is_known_only_by_its_signature_holds_after_a_restore(office: Central) -> None:
    """A restored database knows neither the sign-ins nor the leases of the days that it lost."""
    counter, disabled, unknown = office.counter(), office.counter(), office.counter()
    commands = [made.command() for made in (counter, disabled, unknown)]
    office.clock.advance(60)
    office.services.people.set_enabled(CONSOLE, disabled.person, False)

    def lose(session: Session) -> None:
        sessions = [made.session for made in (counter, disabled, unknown)]
        session.execute(delete(SignInSession).where(SignInSession.id.in_(sessions)))
        session.execute(delete(PersonRole).filter_by(person_id=unknown.person))
        session.execute(delete(Person).filter_by(id=unknown.person))

    office.services.writer.do(lose)
    assert [made.ack(command).status for made, command in zip((counter, disabled), commands[:2], strict=True)] == [
        "applied",
        "applied",
    ]
    assert refused(office, disabled) == "AUTH-031"
    ack = unknown.ack(commands[2])
    assert ack.error is not None
    assert ack.error["code"] == "AUTH-017"
    late = counter.command()
    office.clock.advance(401 * 86400)
    ack = counter.ack(late)
    assert ack.error is not None
    assert ack.error["code"] == "AUTH-017"


# -- numbers


def test_numbers_belong_to_a_device_and_are_used_once(office: Central) -> None:
    counter, other = office.counter(), office.counter()
    lease = office.services.numbers.lease(counter.device, LeaseRequest(counter.series, 10))
    following = office.services.numbers.lease(other.device, LeaseRequest(other.series, 10))
    assert (lease.last - lease.first, following.first) == (9, lease.last + 1)
    number = {"series": lease.series, "serial": lease.last}
    assert refused(office, counter, number={**number, "serial": following.first}) == "NUM-003"
    assert refused(office, counter, number=number) == ""
    assert refused(office, counter, number=number) == "NUM-004"


@pytest.mark.parametrize("type", ["memo.refused", "memo.wrong"])
def test_a_refused_command_spends_its_number(office: Central, type: str) -> None:
    counter = office.counter()
    lease = office.services.numbers.lease(counter.device, LeaseRequest(counter.series, 1))
    number = {"series": lease.series, "serial": lease.first}
    assert counter.ack(counter.command(type, number=number)).status == "refused"
    assert count(office, NumberUsed, **number) == 1
    assert refused(office, counter, number=number) == "NUM-004"


def test_tickets_are_leased_by_group_and_day_and_used_once(office: Central) -> None:
    counter, other = office.counter(), office.counter()
    day = office.clock.now().astimezone(CHINA)
    lease = office.services.numbers.lease
    series = [f"{counter.series}Q{group}{day:%y%m%d}" for group in "AB"]
    first = lease(counter.device, LeaseRequest(series[0], 20))
    assert (first.first, first.last) == (1, 20)
    assert lease(other.device, LeaseRequest(series[0], 20)).first == 21
    assert lease(other.device, LeaseRequest(series[1], 20)).first == 1
    number = {"series": series[0], "serial": 7}
    assert counter.ack(counter.command(number=number)).status == "applied"
    assert refused(office, counter, number=number) == "NUM-004"
    assert refused(office, other, number={"series": series[0], "serial": 8}) == "NUM-003"


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("Q{group}{yesterday}", ""),
        ("Q{group}{after}", ""),
        ("Q{group}{before}", "NUM-007"),
        ("Q{group}{far}", "NUM-007"),
        ("Q{group}", "NUM-005"),
        ("q{group}{yesterday}", "NUM-005"),
        ("Qa{yesterday}", "NUM-005"),
        ("Q{group}{yesterday}0", "NUM-005"),
        ("X", "NUM-005"),
    ],
)
def test_which_series_a_hall_has(office: Central, ending: str, code: str) -> None:
    counter = office.counter()
    day = office.clock.now().astimezone(CHINA).date()
    days = {"yesterday": -1, "after": 2, "before": -2, "far": 3}
    names = {name: f"{day + timedelta(days=n):%y%m%d}" for name, n in days.items()}
    try:
        office.services.numbers.lease(
            counter.device, LeaseRequest(counter.series + ending.format(group="A", **names), 1)
        )
        said = ""
    except GovDeskError as error:
        said = error.code
    assert said == code


def test_a_lease_is_for_the_hall_of_the_device(office: Central) -> None:
    counter = office.counter()
    for series, size, code in (
        ("ZZZZ", 1, "NUM-005"),
        (counter.series, 0, "NUM-006"),
        (counter.series, 1001, "NUM-006"),
    ):
        with pytest.raises(GovDeskError) as caught:
            office.services.numbers.lease(counter.device, LeaseRequest(series, size))
        assert caught.value.code == code


# -- feeds


def test_a_feed_has_no_gaps_under_many_writers(office: Central) -> None:
    hall = Central(office.services, office.clock)
    counters = [hall.counter() for _ in range(6)]
    shared = uuid7()
    counters[0].push(counters[0].command(aggregate=shared))

    def work(counter: Any) -> None:
        for _ in range(5):
            counter.push(counter.command(), counter.command(aggregate=shared))

    threads = [threading.Thread(target=work, args=(counter,)) for counter in counters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    page = changes(office, f"hall:{hall.hall}")
    assert [change["seq"] for change in page["changes"]] == list(range(1, 62))
    assert [change["rev"] for change in page["changes"] if change["id"] == shared] == list(range(1, 32))


def test_two_who_make_the_same_thing_at_once_both_succeed(office: Central) -> None:
    """On PostgreSQL one of them loses the race for the key, and must be run again, not refused."""
    hall = Central(office.services, office.clock)
    counters = [hall.counter() for _ in range(4)]
    for _ in range(5):
        aggregate, together, acks = uuid7(), threading.Barrier(len(counters)), []

        def work(counter: Any, aggregate: str = aggregate, together: Any = together, acks: Any = acks) -> None:
            command = counter.command(aggregate=aggregate)
            together.wait()
            acks.append(counter.ack(command))

        threads = [threading.Thread(target=work, args=(counter,)) for counter in counters]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted((ack.status, ack.rev) for ack in acks) == [("applied", rev) for rev in (1, 2, 3, 4)]


def test_a_feed_is_read_in_pages(office: Central) -> None:
    hall = Central(office.services, office.clock)
    counter = hall.counter()
    sent = [counter.command(body={"text": f'第{i}件 "引号"'}) for i in range(5)]
    counter.push(*sent)
    scope = f"hall:{hall.hall}"
    first = changes(office, scope, limit=3)
    assert (first["since"], first["to"], first["more"]) == (0, 3, True)
    second = changes(office, scope, since=3, limit=3)
    assert (second["to"], second["more"], second["snapshot_required"]) == (5, False, False)
    seen = first["changes"] + second["changes"]
    assert [change["cause"] for change in seen] == [command.cmd_id for command in sent]
    assert [change["doc"]["text"] for change in seen] == [command.body["text"] for command in sent]
    assert seen[0]["summary"]["title"] == '第0件 "引号"'
    assert (seen[0]["op"], seen[0]["rev"], seen[0]["kind"]) == ("put", 1, "memo")
    assert changes(office, scope, since=5)["changes"] == []


def test_a_cursor_of_another_history_needs_a_snapshot(office: Central) -> None:
    hall = Central(office.services, office.clock)
    scope = f"hall:{hall.hall}"
    for answer in (changes(office, scope, since=1), changes(office, scope, epoch=uuid7())):
        assert answer["snapshot_required"]
        assert answer["changes"] == []
    assert not changes(office, scope, epoch=office.services.identity.epoch)["snapshot_required"]


def test_what_moves_leaves_a_tombstone_behind(office: Central) -> None:
    hall = Central(office.services, office.clock)
    dept = f"d{uuid7()[-8:]}"

    def add(session: Session) -> None:
        session.execute(insert(Organisation).values(id=dept, kind="department", name="局", series=""))
        feed.publish(session, iso(office.clock.now()), [feed.Reference("organisation", dept, {"id": dept}, "局")])

    office.services.writer.do(add)
    counter = hall.counter()
    made = counter.command()
    moved = counter.command("memo.move", aggregate=made.aggregate_id, body={"dept": dept})
    assert [ack.rev for ack in counter.push(made, moved).acks] == [1, 2]
    left = changes(office, f"hall:{hall.hall}")["changes"]
    assert [(change["op"], change["rev"]) for change in left] == [("put", 1), ("tombstone", 2)]
    (there,) = changes(office, f"dept:{dept}")["changes"]
    assert (there["op"], there["doc"]["dept"]) == ("put", dept)


def test_publishing_twice_changes_nothing(office: Central) -> None:
    reference = feed.Reference("calendar_day", f"2026-12-{uuid7()[-2:]}", {"date": "2026-12-12", "workday": True}, "日")
    publish = lambda session: feed.publish(session, iso(office.clock.now()), [reference])  # noqa: E731
    assert [office.services.writer.do(publish) for _ in range(2)] == [1, 0]


# -- all or nothing


def test_a_crash_before_the_commit_leaves_nothing(office: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = office.counter()
    command = counter.command()

    def lost(*arguments: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(audit, "append", lost)
        with pytest.raises(ConnectionError):
            counter.push(command)
    assert count(office, EventRow, cmd_id=command.cmd_id) == 0
    assert count(office, CommandRow, cmd_id=command.cmd_id) == 0
    assert counter.ack(command).duplicate is False


def test_deduplication_is_one_function_inside_the_transaction(office: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant of the fault test hangs on this: without ``remember`` a command is done twice."""
    counter = office.counter()
    command = counter.command()
    with monkeypatch.context() as patch:
        patch.setattr(processor, "remember", lambda *arguments: None)
        counter.push(command)
    assert counter.ack(command).rev == 2


# -- three administrators, by constraint


def test_no_sql_makes_one_person_two_administrators(office: Central) -> None:
    counter = office.counter("sysadmin")
    rows = [
        ("secadmin", "sec"),  # another administrator
        ("secadmin", "sys"),  # disguised as the same kind
        ("clerk", ""),  # a business role
        ("clerk", "sys"),
        ("auditadmin", ""),  # disguised as business
    ]
    for role, kind in rows:
        with pytest.raises(IntegrityError), office.services.database.engine.begin() as connection:
            connection.execute(
                text("INSERT INTO person_role VALUES (:person, :role, :kind, '', '')"),
                {"person": counter.person, "role": role, "kind": kind},
            )
    with pytest.raises(IntegrityError), office.services.database.engine.begin() as connection:
        connection.execute(text("UPDATE person SET admin_kind = 'sec' WHERE id = :id"), {"id": counter.person})
    with pytest.raises(IntegrityError), office.services.database.engine.begin() as connection:
        connection.execute(text("UPDATE role SET admin_kind = '' WHERE id = 'sysadmin'"))
    assert count(office, PersonRole, person_id=counter.person) == 1


# -- the audit chain


def test_the_chain_is_whole_until_somebody_edits_it(office: Central) -> None:
    counter = office.counter()
    counter.push(*[counter.command() for _ in range(50)])
    verdict = office.services.audit.verify()
    assert verdict.broken_at is None
    assert verdict.checked == count(office, AuditRow) > 50
    middle = verdict.checked // 2
    engine = office.services.database.engine
    edits = [
        f"UPDATE audit SET person_id = 'x' WHERE seq = {middle}",
        f"UPDATE audit SET detail = '{{}}  ' WHERE seq = {middle}",
        f"DELETE FROM audit WHERE seq = {middle}",
        f"DELETE FROM audit WHERE seq = {verdict.checked}",
    ]
    for edit in edits:
        with engine.connect() as connection:
            unguard(connection)
            connection.execute(text(edit))
            with Session(connection) as session:
                broken = audit_proof.verify(session).broken_at
            connection.rollback()
        assert broken == (verdict.checked if edit.endswith(str(verdict.checked)) else middle)
    assert office.services.audit.verify() == verdict
