"""How long a sign-in lasts: short-lived statements, renewal, revocation, and a person's own list of sessions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modules.common.errors import GovDeskError
from modules.common.server_ports import Caller
from modules.common.statement import read, verify
from server_stub.seeding import CONSOLE
from sync.protocol import PasswordChange, SignInRequest
from tests.support.central import PASSWORD, QUICK, Central, Counter, central


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Central]:
    with central(tmp_path_factory.mktemp("server")) as made:
        yield made


def renewed(office: Central, counter: Counter) -> str:
    try:
        return office.services.sessions.renew(read(counter.statement)).statement
    except GovDeskError as error:
        return error.code


def caller(counter: Counter) -> Caller:
    return Caller(read(counter.statement).actor(), counter.device)


def test_a_renewal_is_a_statement_of_its_own_in_the_same_session(office: Central) -> None:
    counter = office.counter()
    first = read(counter.statement)
    office.clock.advance(QUICK.statement_seconds)
    fresh = verify(renewed(office, counter), office.services.identity.public_key)
    assert (fresh.session_id, fresh.person, fresh.device) == (first.session_id, first.person, first.device)
    assert fresh.id != first.id
    assert fresh.online_until > first.online_until
    assert fresh.expires_at > first.expires_at
    assert fresh.issued_at > first.issued_at


def test_a_renewal_gives_no_key(office: Central) -> None:
    counter = office.counter()
    assert office.services.sessions.renew(read(counter.statement)).escrow == ""


def test_what_was_granted_arrives_with_the_renewal(office: Central) -> None:
    counter = office.counter()
    office.services.people.grant(CONSOLE, counter.person, "manager")
    assert set(read(renewed(office, counter)).roles) == {"clerk", "manager"}


def test_commands_of_every_statement_of_a_session_are_judged_by_its_own_time(office: Central) -> None:
    counter = office.counter()
    old = counter.command()
    office.clock.advance(QUICK.statement_seconds)
    first, counter.statement = counter.statement, renewed(office, counter)
    young = counter.command()
    backdated = counter.command(aggregate="m-backdated", at=read(first).issued_at)
    assert {ack.status for ack in counter.push(old, young, backdated).acks} == {"applied"}
    # what was signed under the new statement cannot have been given before it
    moved = office.services.commands.get("memo", "m-backdated")
    assert moved is not None
    assert moved["at"] == read(counter.statement).issued_at


@pytest.mark.parametrize("how", ["revoked", "signed out", "disabled", "role taken", "password reset"])
def test_an_ended_session_is_not_renewed(office: Central, how: str) -> None:
    services, counter = office.services, office.counter()
    if how == "revoked":
        services.sessions.revoke(CONSOLE, counter.person)
    elif how == "signed out":
        services.sessions.end(caller(counter), counter.session)
    elif how == "disabled":
        services.people.set_enabled(CONSOLE, counter.person, False)
    elif how == "role taken":
        services.people.revoke(CONSOLE, counter.person, "clerk")
    else:
        services.people.reset_password(CONSOLE, counter.person)
    assert renewed(office, counter) == "AUTH-016"


def test_own_sessions_are_listed_and_ended(office: Central) -> None:
    services = office.services
    login = office.person()
    here, there, third = (office.counter(login=login) for _ in range(3))
    said = read(here.statement)
    listed = services.sessions.of(said)
    assert {each.id for each in listed} == {here.session, there.session, third.session}
    assert [each.id for each in listed if each.current] == [here.session]
    assert {(each.place, each.method) for each in listed} == {("3号窗", "password")}

    services.sessions.revoke(caller(here), here.person, only=there.session, keep=here.session)
    assert {each.id for each in services.sessions.of(said)} == {here.session, third.session}
    assert renewed(office, there) == "AUTH-016"
    services.sessions.revoke(caller(here), here.person, keep=here.session)
    assert [each.id for each in services.sessions.of(said)] == [here.session]
    assert read(renewed(office, here)).session_id == here.session


def test_nobody_ends_anothers_session(office: Central) -> None:
    mine, other = office.counter(), office.counter()
    with pytest.raises(GovDeskError) as caught:
        office.services.sessions.revoke(caller(mine), mine.person, only=other.session)
    assert caught.value.code == "AUTH-046"
    assert read(renewed(office, other)).session_id == other.session


def test_what_was_done_before_signing_out_everywhere_stands_and_nothing_after(office: Central) -> None:
    counter = office.counter()
    before = counter.command()
    office.clock.advance(60)
    office.services.sessions.revoke(CONSOLE, counter.person)
    office.clock.advance(1)
    after = counter.command()
    acks = counter.push(before, after).acks
    assert [(ack.status, (ack.error or {}).get("code")) for ack in acks] == [
        ("applied", None),
        ("refused", "AUTH-031"),
    ]


def test_a_stale_statement_is_still_the_way_to_a_fresh_one(office: Central) -> None:
    counter = office.counter()
    office.clock.advance(QUICK.offline_seconds - 1)
    assert read(renewed(office, counter)).session_id == counter.session


def test_a_sign_in_by_another_method_needs_no_new_password(office: Central) -> None:
    """A password that must be changed is no matter of whoever came in by other means."""
    services = office.services
    counter = office.counter()
    services.people.reset_password(CONSOLE, counter.person)
    reply = services.sessions.open(counter.person, counter.device, "certificate")
    assert (reply.must_change_password, read(reply.statement).roles) == (False, ("clerk",))
    with pytest.raises(GovDeskError) as caught:
        services.door.sign_in(counter.device, SignInRequest(read(counter.statement).login, PASSWORD))
    assert caught.value.code == "AUTH-002"


@pytest.mark.parametrize("how", ["changed", "changed unshown", "reset"])
def test_a_new_password_ends_sessions_and_what_was_done_under_them_stands(office: Central, how: str) -> None:
    services, here = office.services, office.counter()
    login = read(here.statement).login
    there, other = office.counter(login=login), office.counter()
    before = there.command()
    office.clock.advance(1)
    if how == "reset":
        services.people.reset_password(CONSOLE, here.person)
    else:
        keep = here.session if how == "changed" else ""
        services.door.change_password(here.device, PasswordChange(login, PASSWORD, "Good-Word-9"), keep)
    assert (renewed(office, here) == "AUTH-016") == (how != "changed")
    assert renewed(office, there) == "AUTH-016"
    assert renewed(office, other) != "AUTH-016"
    office.clock.advance(1)
    after = there.command()
    acks = there.push(before, after).acks
    assert [(ack.status, (ack.error or {}).get("code")) for ack in acks] == [
        ("applied", None),
        ("refused", "AUTH-031"),
    ]


def test_a_session_that_is_somebody_elses_is_kept_by_nobodys_password(office: Central) -> None:
    one, two = office.counter(), office.counter()
    change = PasswordChange(read(one.statement).login, PASSWORD, "Good-Word-9")
    office.services.door.change_password(one.device, change, two.session)
    assert renewed(office, one) == "AUTH-016"
    assert renewed(office, two) != "AUTH-016"
