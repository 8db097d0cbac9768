"""Enrolment and sign-in, with the server and without it, and what a password reset must never cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from client.data.keys import KdfCost
from client.data.profile import Profile
from client.data.store import Store
from modules.common.clock import Clock, FixedClock
from modules.common.errors import GovDeskError
from sync.accounts import Accounts
from sync.transport import Identity, InMemoryTransport
from tests.support.reference_server import Person, ReferenceServer, rules_of

URL = "https://127.0.0.1:8443"
CODE = "ABCD-EFGH." + "0" * 20


class Office:
    """A server and one computer, whose program can be started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FixedClock(datetime(2026, 11, 20, 1, 0, tzinfo=UTC))
        self.server = ReferenceServer(self.clock)
        self.server.people = {login: Person(login, "right") for login in ("zhang", "li")}
        self.online = True
        self.made: list[InMemoryTransport] = []
        self.start()

    def start(self) -> None:
        self.profile = Profile(self.folder)
        self.accounts = Accounts(
            self.profile,
            self.clock,
            self._transport,
            cost=KdfCost(1, 64, 1),
            open_store=self._open,
            get_ca=lambda _url, _pin: b"ca",
        )

    def stop(self) -> None:
        self.accounts.close()
        self.profile.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def net(self, online: bool) -> None:
        self.online = online
        for transport in self.made:
            transport.online = online

    def refusal(self, work: Callable[[], object]) -> GovDeskError:
        with pytest.raises(GovDeskError) as caught:
            work()
        return caught.value

    def code(self, login: str, password: str) -> str:
        return self.refusal(lambda: self.accounts.sign_in(login, password)).code

    def _transport(self, _url: str, identity: Identity) -> InMemoryTransport:
        transport = InMemoryTransport(self.server, getattr(identity, "name", ""))
        transport.online = self.online
        self.made.append(transport)
        return transport

    @staticmethod
    def _open(profile: Profile, key: bytes, clock: Clock) -> Store:
        return Store.open(profile.database, key, clock, rules=rules_of)


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path / "profile")
    yield office
    office.stop()


@pytest.fixture
def office(bare: Office) -> Office:
    bare.accounts.enrol(URL, CODE, "3号窗")
    return bare


# -- the computer


def test_enrolment_makes_a_device(bare: Office) -> None:
    assert bare.accounts.device() is None
    assert bare.refusal(bare.accounts.hello).code == "NET-004"
    assert bare.code("zhang", "right") == "NET-004"
    device = bare.accounts.enrol(URL + "/", CODE)
    assert (device.server, device.hall_id, device.series) == (URL, "h1", "T1")
    assert bare.profile.ca.read_bytes() == b"ca"
    bare.restart()
    assert bare.accounts.device() == device
    assert bare.accounts.hello().name == "示范市"
    assert bare.refusal(lambda: bare.accounts.enrol(URL, CODE)).code == "AUTH-012"
    assert bare.accounts.device() == device


def test_a_used_code_enrols_nobody(bare: Office) -> None:
    bare.server.codes.clear()
    assert bare.refusal(lambda: bare.accounts.enrol(URL, CODE)).code == "AUTH-012"
    assert bare.accounts.device() is None


@pytest.mark.parametrize(("url", "code"), [("http://127.0.0.1", CODE), (URL, "ABCD-EFGH"), (URL, ".00"), ("", "")])
def test_an_incomplete_address_or_code_is_told_before_anything_is_sent(bare: Office, url: str, code: str) -> None:
    assert bare.refusal(lambda: bare.accounts.enrol(url, code)).code == "NET-008"
    assert bare.server.asked == []


def test_a_server_of_another_protocol_is_told(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.reference_server.PROTOCOL", 99)
    assert office.refusal(office.accounts.hello).code == "NET-006"


# -- with the server


def test_signing_in_opens_the_store(office: Office) -> None:
    session = office.accounts.sign_in(" ZHANG ", "right")
    assert (session.actor.login, session.offline, session.must_change) == ("zhang", False, False)
    assert (office.accounts.actor, office.accounts.place, office.accounts.series) == (session.actor, "3号窗", "T1")
    assert session.store.actor == session.actor
    office.accounts.sign_out()
    assert office.accounts.session is None
    assert office.refusal(lambda: office.accounts.actor).code == "AUTH-001"
    assert office.server.asked[-1] == "sign_out"


def test_two_people_share_one_store_and_drain_each_others_work(office: Office) -> None:
    store = office.accounts.sign_in("zhang", "right").store
    store.give("note", store.new_id(), "note.open", {"title": "张的"})
    store = office.accounts.sign_in("li", "right").store
    assert [note.title for note in store.find("note")] == ["张的"]
    [entry] = store.unsent(9)
    assert entry.statement != store.statement


def test_the_servers_no_is_obeyed_though_the_password_is_right_here(office: Office) -> None:
    office.accounts.sign_in("zhang", "right")
    office.server.people["zhang"].disabled = True
    assert office.code("zhang", "right") == "AUTH-004"
    office.net(False)
    assert office.code("zhang", "right") == "AUTH-015"


def test_a_password_changed_elsewhere_no_longer_serves_here(office: Office) -> None:
    office.accounts.sign_in("zhang", "right")
    office.server.people["zhang"].password = "elsewhere"
    assert office.code("zhang", "right") == "AUTH-002"
    office.net(False)
    assert office.code("zhang", "right") == "AUTH-015"


def test_a_mistyped_password_does_not_cost_the_offline_sign_in(office: Office) -> None:
    office.accounts.sign_in("zhang", "right")
    assert office.code("zhang", "wrong") == "AUTH-002"
    office.net(False)
    assert office.accounts.sign_in("zhang", "right").offline


def test_a_password_reset_never_strands_unsent_work(office: Office) -> None:
    office.net(True)
    office.accounts.sign_in("zhang", "right")
    office.net(False)
    store = office.accounts.sign_in("zhang", "right").store
    store.give("note", store.new_id(), "note.open", {"title": "未发送"})
    office.restart()
    office.net(True)
    office.server.people["zhang"].password = "reset by the server"
    store = office.accounts.sign_in("zhang", "reset by the server").store
    assert [entry.body["title"] for entry in store.unsent(9)] == ["未发送"]
    office.restart()
    office.net(False)
    assert office.code("zhang", "right") == "AUTH-002"
    assert office.accounts.sign_in("zhang", "reset by the server").store.tally().waiting == 1


def test_changing_the_password_rewraps_and_gives_full_rights(office: Office) -> None:
    office.server.people["zhang"].must_change = True
    session = office.accounts.sign_in("zhang", "right")
    assert session.must_change
    renewed = office.accounts.change_password("zhang", "right", "new one")
    assert renewed is not None
    assert (renewed.must_change, renewed.store) == (False, session.store)
    assert renewed.statement != session.statement
    assert renewed.store.statement == renewed.statement
    office.accounts.verify("new one")
    office.restart()
    office.net(False)
    assert office.code("zhang", "right") == "AUTH-002"
    assert office.accounts.sign_in("zhang", "new one").offline


def test_a_refused_password_change_changes_nothing(office: Office) -> None:
    office.accounts.sign_in("zhang", "right")
    assert office.refusal(lambda: office.accounts.change_password("zhang", "wrong", "new")).code == "AUTH-002"
    office.net(False)
    assert office.refusal(lambda: office.accounts.change_password("zhang", "right", "new")).code == "NET-001"
    office.accounts.verify("right")


# -- without the server


def test_without_the_server_only_who_was_here_before(office: Office) -> None:
    office.accounts.sign_in("zhang", "right")
    office.net(False)
    office.restart()
    assert office.code("li", "right") == "AUTH-015"
    assert office.code("zhang", "wrong") == "AUTH-002"
    session = office.accounts.sign_in("zhang", "right")
    assert (session.offline, session.actor.name) == (True, "Zhang")
    assert session.store.give("note", session.store.new_id(), "note.open", {"title": "一"}).pending == 1


def test_a_first_sign_in_needs_the_server(office: Office) -> None:
    office.net(False)
    assert office.code("zhang", "right") == "AUTH-015"


def test_the_time_without_the_server_ends(office: Office) -> None:
    office.accounts.sign_in("zhang", "right")
    office.net(False)
    office.clock.advance(office.server.offline_seconds - 1)
    assert office.accounts.sign_in("zhang", "right").offline
    office.accounts.sign_out()
    office.clock.advance(1)
    error = office.refusal(lambda: office.accounts.sign_in("zhang", "right"))
    assert (error.code, "2026-11-23 09:00" in error.message) == ("AUTH-005", True)
    assert office.code("zhang", "wrong") == "AUTH-002"
    assert office.accounts.session is None


def test_setting_the_clock_back_does_not_prolong_it(office: Office) -> None:
    office.accounts.sign_in("zhang", "right")
    store = office.accounts.sign_in("zhang", "right").store
    office.clock.advance(office.server.offline_seconds + 60)
    store.contact("e1", 0)
    office.net(False)
    office.clock.advance(-office.server.offline_seconds)
    assert office.code("zhang", "right") == "AUTH-005"


def test_a_session_begun_offline_is_renewed_when_the_server_is_back(office: Office) -> None:
    office.accounts.sign_in("zhang", "right")
    office.accounts.sign_out()
    office.net(False)
    session = office.accounts.sign_in("zhang", "right")
    assert office.refusal(office.accounts.renew).code == "NET-001"
    assert office.accounts.session == session
    office.net(True)
    office.clock.advance(60)
    renewed = office.accounts.renew()
    assert (renewed.offline, renewed.store) == (False, session.store)
    assert renewed.statement == session.store.statement != session.statement
    assert office.accounts.renew() is renewed


def test_a_person_disabled_meanwhile_is_refused_at_renewal(office: Office) -> None:
    office.accounts.sign_in("zhang", "right")
    office.net(False)
    office.accounts.sign_in("zhang", "right")
    office.server.people["zhang"].disabled = True
    office.net(True)
    assert office.refusal(office.accounts.renew).code == "AUTH-004"
    office.accounts.sign_out()
    office.net(False)
    assert office.code("zhang", "right") == "AUTH-015"


# -- lock-out


@pytest.mark.parametrize("online", [True, False])
def test_five_failures_lock_for_fifteen_minutes_across_restarts(office: Office, online: bool) -> None:
    office.accounts.sign_in("zhang", "right")
    office.net(online)
    for _ in range(5):
        assert office.code("zhang", "wrong") == "AUTH-002"
        office.restart()
    error = office.refusal(lambda: office.accounts.sign_in("zhang", "right"))
    assert (error.code, "15 分钟" in error.fix) == ("AUTH-003", True)
    office.clock.advance(14 * 60 + 30)
    assert "1 分钟" in office.refusal(lambda: office.accounts.sign_in("zhang", "right")).fix
    office.clock.advance(30)
    assert office.accounts.sign_in("zhang", "right").actor.login == "zhang"
    assert json.loads(office.profile.attempts.read_text()) == {}


def test_a_success_forgives_the_failures_before(office: Office) -> None:
    office.accounts.sign_in("zhang", "right")
    for _ in range(2):
        for _ in range(4):
            assert office.code("zhang", "wrong") == "AUTH-002"
        office.accounts.sign_in("zhang", "right")


def test_unlocking_counts_failures_too(office: Office) -> None:
    office.accounts.sign_in("zhang", "right")
    office.accounts.verify("right")
    for _ in range(5):
        assert office.refusal(lambda: office.accounts.verify("wrong")).code == "AUTH-002"
    assert office.refusal(lambda: office.accounts.verify("right")).code == "AUTH-003"
    assert office.accounts.session is not None


def test_a_clock_that_was_set_back_does_not_lock_for_longer(office: Office) -> None:
    office.accounts.sign_in("zhang", "right")
    for _ in range(5):
        assert office.code("zhang", "wrong") == "AUTH-002"
    office.clock.advance(-86400)
    assert office.accounts.sign_in("zhang", "right").actor.login == "zhang"


# -- statements are short-lived


def test_a_statement_is_renewed_when_it_grows_old_and_not_before(office: Office) -> None:
    office.server.renew_seconds = 900
    session = office.accounts.sign_in("zhang", "right")
    assert not office.accounts.renewal_due
    assert office.accounts.renew() is session
    assert "renew" not in office.server.asked
    office.clock.advance(900)
    assert office.accounts.renewal_due
    renewed = office.accounts.renew()
    assert (renewed.store, renewed.offline) == (session.store, False)
    assert renewed.statement == session.store.statement != session.statement
    assert not office.accounts.renewal_due
    assert office.server.asked.count("sign_in") == 1


def test_commands_keep_the_statement_under_which_they_were_given(office: Office) -> None:
    office.server.renew_seconds = 900
    first = office.accounts.sign_in("zhang", "right")
    first.store.give("note", first.store.new_id(), "note.open", {"title": "先"})
    office.clock.advance(900)
    second = office.accounts.renew()
    second.store.give("note", second.store.new_id(), "note.open", {"title": "后"})
    assert [entry.statement for entry in second.store.unsent(9)] == [first.statement, second.statement]


def test_a_renewal_lengthens_the_time_without_the_server(office: Office) -> None:
    office.server.renew_seconds = 900
    office.accounts.sign_in("zhang", "right")
    office.clock.advance(office.server.offline_seconds - 60)
    office.accounts.renew()
    office.net(False)
    office.clock.advance(3600)
    office.accounts.sign_out()
    assert office.accounts.sign_in("zhang", "right").offline


def test_a_session_that_was_ended_elsewhere_is_told_at_renewal(office: Office) -> None:
    office.server.renew_seconds = 900
    office.accounts.sign_in("zhang", "right")
    office.clock.advance(900)
    office.server.revoked.add("zhang")
    assert office.refusal(office.accounts.renew).code == "AUTH-016"
