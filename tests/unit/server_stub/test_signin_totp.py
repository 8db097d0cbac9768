"""One-time codes: the published vectors, replay, drift, lost telephones, and who must have them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from modules.common.clock import iso, parse_iso
from modules.common.errors import GovDeskError
from modules.common.permissions import Actor
from modules.common.server_ports import Caller
from modules.common.statement import read
from server_stub.seeding import CONSOLE
from server_stub.signin.totp import DRIFT, PERIOD, RECOVERY_CODES, code_at, matching_step
from server_stub.tables import AuditRow, SecondFactor
from sync.protocol import PasswordChange, SignInRequest
from tests.support.central import PASSWORD, QUICK, Central, Counter, central

RFC_SECRET = b"12345678901234567890"
VECTORS = {  # RFC 6238, appendix B: seconds, eight digits of SHA-1
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}


@pytest.mark.parametrize(("seconds", "digits"), VECTORS.items())
def test_the_published_vectors(seconds: int, digits: str) -> None:
    # six digits are the last six of eight: the same number modulo another power of ten
    assert code_at(RFC_SECRET, seconds // PERIOD) == digits[-6:]
    assert matching_step(RFC_SECRET, digits[-6:], seconds, 0) == seconds // PERIOD


@given(
    step=st.integers(10, 10**9), offset=st.integers(-4, 4), within=st.integers(0, PERIOD - 1), used=st.integers(-5, 5)
)
def test_a_code_counts_near_its_time_and_never_again(step: int, offset: int, within: int, used: int) -> None:
    found = matching_step(RFC_SECRET, code_at(RFC_SECRET, step + offset), step * PERIOD + within, step + used)
    may = abs(offset) <= DRIFT and offset > used
    if may:
        assert found is not None
        assert code_at(RFC_SECRET, found) == code_at(RFC_SECRET, step + offset)
        assert found > step + used
    elif found is not None:
        # two steps of the window may share their six digits
        assert abs(found - step) <= DRIFT
        assert found > step + used
        assert code_at(RFC_SECRET, found) == code_at(RFC_SECRET, step + offset)


class Clerk:
    """Somebody with a telephone at a counter."""

    def __init__(self, office: Central, role: str = "clerk") -> None:
        self.office = office
        self.door = office.services.door
        self.login = office.person(role)
        self.counter: Counter = office.counter(login=self.login)
        self.secret = b""

    @property
    def caller(self) -> Caller:
        said = read(self.counter.statement)
        roles = frozenset(said.roles)
        return Caller(Actor(said.person, said.login, said.name, roles=roles), self.counter.device)

    def enable(self) -> list[str]:
        made = self.door.begin_totp(self.caller, PASSWORD)
        self.secret = base64.b32decode(made.secret)
        codes = self.door.confirm_totp(self.caller, self.code())
        self.office.clock.advance(PERIOD)
        return codes

    def code(self, offset: int = 0) -> str:
        return code_at(self.secret, int(self.office.clock.now().timestamp()) // PERIOD + offset)

    def sign_in(self, code: str = "", password: str = PASSWORD) -> str:
        try:
            self.door.sign_in(self.counter.device, SignInRequest(self.login, password, code=code))
        except GovDeskError as error:
            return error.code
        return ""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Central]:
    with central(tmp_path_factory.mktemp("server"), settings=replace(QUICK, totp_roles=("auditadmin",))) as made:
        yield made


@pytest.fixture
def clerk(shared: Central) -> Clerk:
    return Clerk(shared)


def test_a_code_is_asked_for_once_the_telephone_has_shown_one(clerk: Clerk) -> None:
    assert clerk.sign_in() == ""
    made = clerk.door.begin_totp(clerk.caller, PASSWORD)
    assert clerk.sign_in() == "", "a secret that nobody has scanned locks nobody out"
    url = urlsplit(made.url)
    assert (url.scheme, url.netloc) == ("otpauth", "totp")
    assert parse_qs(url.query)["secret"] == [made.secret]
    clerk.secret = base64.b32decode(made.secret)
    clerk.door.confirm_totp(clerk.caller, clerk.code())
    assert clerk.sign_in() == "AUTH-032"
    assert clerk.sign_in(clerk.code()) == "AUTH-034", "the code that confirmed it is used up"
    clerk.office.clock.advance(PERIOD)
    assert clerk.sign_in(clerk.code()) == ""


def test_no_code_twice_and_none_before_one_that_was_used(clerk: Clerk) -> None:
    clerk.enable()
    ahead, now = clerk.code(1), clerk.code()
    assert clerk.sign_in(now) == ""
    assert clerk.sign_in(now) == "AUTH-034"
    assert clerk.sign_in(ahead) == ""
    assert clerk.sign_in(ahead) == "AUTH-034"
    clerk.office.clock.advance(2 * PERIOD)
    before, now = clerk.code(-1), clerk.code()
    assert clerk.sign_in(now) == ""
    assert clerk.sign_in(before) == "AUTH-034"


@pytest.mark.parametrize(("offset", "expected"), [(-2, "AUTH-034"), (-1, ""), (0, ""), (1, ""), (2, "AUTH-034")])
def test_a_telephones_clock_may_be_one_step_off(clerk: Clerk, offset: int, expected: str) -> None:
    clerk.enable()
    clerk.office.clock.advance(5 * PERIOD)
    assert clerk.sign_in(clerk.code(offset)) == expected


def test_wrong_codes_lock_and_a_right_password_gives_no_new_tries(clerk: Clerk) -> None:
    clerk.enable()
    wrong = f"{(int(clerk.code()) + 1) % 10**6:06}"
    codes = []
    for _ in range(QUICK.lock_failures):
        assert clerk.sign_in() == "AUTH-032"
        codes.append(clerk.sign_in(wrong))
    assert codes == ["AUTH-034"] * QUICK.lock_failures
    assert clerk.sign_in(clerk.code()) == "AUTH-003"
    clerk.office.clock.advance(QUICK.lock_seconds + 1)
    assert clerk.sign_in(clerk.code()) == ""


@pytest.mark.parametrize("new", [PASSWORD, "Good-Word-9"])
def test_whoever_has_the_password_alone_gets_no_new_tries_by_changing_it(clerk: Clerk, new: str) -> None:
    clerk.enable()
    wrong = f"{(int(clerk.code()) + 1) % 10**6:06}"
    for _ in range(QUICK.lock_failures - 1):
        assert clerk.sign_in(wrong) == "AUTH-034"
    with suppress(GovDeskError):
        clerk.door.change_password(clerk.counter.device, PasswordChange(clerk.login, PASSWORD, new))
    assert clerk.sign_in(wrong, new) == "AUTH-034"
    assert clerk.sign_in(clerk.code(), new) == "AUTH-003"
    clerk.office.clock.advance(QUICK.lock_seconds + 1)
    assert clerk.sign_in(clerk.code(), new) == ""


def test_a_wrong_password_with_a_right_code_uses_no_code_up(clerk: Clerk) -> None:
    clerk.enable()
    code = clerk.code()
    assert clerk.sign_in(code, password="wrong") == "AUTH-002"
    assert clerk.sign_in(code) == ""


def test_recovery_codes_serve_once_each(clerk: Clerk) -> None:
    codes = clerk.enable()
    assert len(set(codes)) == RECOVERY_CODES
    assert clerk.sign_in(codes[0].lower().replace("-", " ")) == ""
    assert clerk.sign_in(codes[0]) == "AUTH-034"
    assert clerk.door.own(clerk.caller).recovery_left == RECOVERY_CODES - 1
    with clerk.office.services.database.read() as session:
        kept = session.get_one(SecondFactor, clerk.counter.person).sealed
        entries = session.execute(select(AuditRow).filter_by(subject=clerk.counter.person)).scalars().all()
    assert all(code.replace("-", "").encode() not in kept for code in codes)
    assert clerk.secret.hex().encode() not in kept
    assert clerk.secret not in kept
    assert {entry.action for entry in entries} >= {"second_factor.enable", "second_factor.recovery"}


def test_a_recovery_code_of_another_opens_nothing(clerk: Clerk) -> None:
    other = Clerk(clerk.office)
    clerk.enable()
    assert clerk.sign_in(other.enable()[0]) == "AUTH-034"


def test_a_sealed_secret_opens_for_its_own_person_only(clerk: Clerk) -> None:
    other = Clerk(clerk.office)
    clerk.enable()
    other.enable()

    def swap(session: object) -> None:
        mine = session.get_one(SecondFactor, clerk.counter.person)  # type: ignore[attr-defined]
        mine.sealed = session.get_one(SecondFactor, other.counter.person).sealed  # type: ignore[attr-defined]

    clerk.office.services.writer.do(swap)
    assert clerk.sign_in(other.code()) == "SRV-053"


def test_enabling_needs_the_password_and_disabling_the_code_too(clerk: Clerk) -> None:
    with pytest.raises(GovDeskError) as caught:
        clerk.door.begin_totp(clerk.caller, "wrong")
    assert caught.value.code == "AUTH-002"
    clerk.enable()
    with pytest.raises(GovDeskError) as caught:
        clerk.door.begin_totp(clerk.caller, PASSWORD)
    assert caught.value.code == "AUTH-035"
    with pytest.raises(GovDeskError) as caught:
        clerk.door.remove_totp(clerk.caller, PASSWORD, "")
    assert caught.value.code == "AUTH-032"
    clerk.door.remove_totp(clerk.caller, PASSWORD, clerk.code())
    assert clerk.sign_in() == ""


def test_a_role_may_demand_it_and_gives_no_rights_before(shared: Central) -> None:
    clerk = Clerk(shared, "auditadmin")
    services = shared.services
    reply = clerk.door.sign_in(clerk.counter.device, SignInRequest(clerk.login, PASSWORD))
    said = read(reply.statement)
    assert (reply.must_enrol_totp, said.roles, said.permissions, said.scopes) == (True, (), (), ())
    clerk.enable()
    full = services.sessions.renew(said)
    assert (full.must_enrol_totp, read(full.statement).roles) == (False, ("auditadmin",))
    caller = replace(clerk.caller, actor=replace(clerk.caller.actor, roles=frozenset({"auditadmin"})))
    with pytest.raises(GovDeskError) as caught:
        clerk.door.remove_totp(caller, PASSWORD, clerk.code())
    assert caught.value.code == "AUTH-036"
    services.totp.remove(clerk.counter.person, "", "")  # the console, for a lost telephone
    assert clerk.sign_in() == ""


def test_it_may_be_demanded_of_one_person_from_the_next_sign_in_on(shared: Central) -> None:
    clerk, services = Clerk(shared), shared.services
    security = shared.counter("secadmin")
    by = Caller(read(security.statement).actor(), security.device)
    before = read(clerk.counter.statement)
    shared.clock.advance(1)
    services.ways_in.require_second_factor(by, clerk.counter.person, True)
    assert services.ways_in.of(clerk.counter.person).totp_required == "person"
    assert read(services.sessions.renew(before).statement).roles == ("clerk",), "who is at work goes on working"
    reply = clerk.door.sign_in(clerk.counter.device, SignInRequest(clerk.login, PASSWORD))
    said = read(reply.statement)
    assert (reply.must_enrol_totp, said.permissions) == (True, ())
    assert read(services.sessions.renew(said).statement).permissions == (), "waiting gives no rights"
    clerk.enable()
    assert read(services.sessions.renew(said).statement).roles == ("clerk",)
    with pytest.raises(GovDeskError) as caught:
        clerk.door.remove_totp(clerk.caller, PASSWORD, clerk.code())
    assert caught.value.code == "AUTH-036"
    services.ways_in.require_second_factor(by, clerk.counter.person, False)
    assert services.ways_in.of(clerk.counter.person).totp_required == ""
    clerk.door.remove_totp(clerk.caller, PASSWORD, clerk.code(1))
    assert clerk.sign_in() == ""
    with pytest.raises(GovDeskError) as caught:
        services.ways_in.require_second_factor(by, security.person, True)
    assert caught.value.code == "AUTH-052"


def test_when_each_way_was_last_used_is_shown(shared: Central) -> None:
    clerk, ways = Clerk(shared), shared.services.ways_in
    assert ways.of(clerk.counter.person).totp_used_at == ""
    clerk.enable()
    enabled = ways.of(clerk.counter.person)
    shared.clock.advance(3600)
    assert clerk.sign_in(clerk.code()) == ""
    used = ways.of(clerk.counter.person)
    assert (used.totp, used.recovery_left, used.last) == (True, RECOVERY_CODES, {"password": iso(shared.clock.now())})
    assert enabled.totp_at == used.totp_at < enabled.totp_used_at[:17] + "99" < used.totp_used_at
    late = shared.clock.now() - parse_iso(used.totp_used_at)
    assert 0 <= late.total_seconds() < PERIOD
    assert used.sessions == enabled.sessions + 1


def test_changing_the_password_keeps_the_second_factor(clerk: Clerk) -> None:
    clerk.enable()
    clerk.door.change_password(clerk.counter.device, PasswordChange(clerk.login, PASSWORD, "Good-Word-9"))
    assert clerk.sign_in(password="Good-Word-9") == "AUTH-032"
    assert clerk.sign_in(clerk.code(), "Good-Word-9") == ""


def test_an_administrator_takes_a_lost_telephone_away(clerk: Clerk) -> None:
    clerk.enable()
    clerk.office.services.totp.remove(clerk.counter.person, CONSOLE.actor.id, "")
    assert clerk.sign_in() == ""
