from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from modules.common.errors import GovDeskError
from modules.common.passwords import password_refusal
from modules.common.statement import read, verify
from server_stub.guard import RateLimiter
from server_stub.seeding import CONSOLE
from server_stub.signin.passwords import Passwords
from server_stub.tables import AuditRow, LoginFailure, Person
from sync.protocol import PasswordChange, SignInRequest
from tests.support.central import PASSWORD, QUICK, Central, central


def code_of(office: Central, device: str, login: str, password: str) -> str:
    try:
        office.services.door.sign_in(device, SignInRequest(login, password))
    except GovDeskError as error:
        return error.code
    return ""


def test_the_statement_says_who_where_and_for_how_long(office: Central) -> None:
    counter = office.counter("clerk", office.person("clerk", "zhangsan"))
    said = verify(counter.statement, office.services.identity.public_key)
    assert (said.login, said.device, said.hall_id, said.roles) == ("zhangsan", counter.device, office.hall, ("clerk",))
    assert said.scopes == ("ref", f"person:{said.person}", f"hall:{office.hall}")
    assert said.holds_at(office.clock.now())
    office.clock.advance(QUICK.offline_seconds)
    assert not said.holds_at(office.clock.now())


def test_administrators_see_no_cases(office: Central) -> None:
    said = read(office.counter("sysadmin").statement)
    assert said.scopes == ("ref", f"person:{said.person}")


def test_people_are_found_by_their_role(office: Central) -> None:
    people = office.services.people
    head, gone = office.person("section_head", "head"), office.person("section_head", "gone")
    office.person("clerk", "zhangsan")
    people.set_enabled(CONSOLE, people.id_of(gone), False)
    found = people.with_role("section_head")
    assert [(person.login, person.roles, person.hall_id) for person in found] == [(head, ["section_head"], office.hall)]
    assert [person.login for person in people.with_role("section_head", hall_id=office.hall)] == [head]
    assert people.with_role("section_head", hall_id="elsewhere") == []
    assert people.with_role("section_head", department_id="dept-x") == []
    assert people.with_role("leader") == []


def test_a_login_is_not_case_sensitive(office: Central) -> None:
    counter = office.counter("clerk", office.person("clerk", "zhangsan"))
    assert code_of(office, counter.device, " ZhangSan ", PASSWORD) == ""


@pytest.mark.parametrize("known", [True, False])
def test_five_failures_lock_known_and_unknown_alike(office: Central, known: bool) -> None:
    device = office.counter().device
    login = office.person() if known else "nobody"
    codes = [code_of(office, device, login, "wrong") for _ in range(6)]
    assert codes == ["AUTH-002"] * 5 + ["AUTH-003"]
    assert code_of(office, device, login, PASSWORD) == "AUTH-003"
    office.clock.advance(QUICK.lock_seconds + 1)
    assert code_of(office, device, login, PASSWORD) == ("" if known else "AUTH-002")


def test_a_success_forgets_the_failures(office: Central) -> None:
    device, login = office.counter().device, office.person()
    for _ in range(4):
        code_of(office, device, login, "wrong")
    assert code_of(office, device, login, PASSWORD) == ""
    assert code_of(office, device, login, "wrong") == "AUTH-002"
    with office.services.database.read() as session:
        assert session.execute(select(LoginFailure.failures)).scalar_one() == 1


def test_what_was_typed_is_nowhere_in_the_log(office: Central) -> None:
    """Passwords land in the login field."""
    device = office.counter().device
    code_of(office, device, "My-Secret-1", "x")
    with office.services.database.read() as session:
        rows = session.execute(select(AuditRow).filter_by(action="sign_in.failed")).scalars().all()
        assert [row.person_id for row in rows] == [""]
        assert "my-secret" not in repr([vars(row) for row in rows]).lower()


def test_an_unknown_login_costs_a_hash_too(office: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    device = office.counter().device
    checked = []
    check = Passwords.check
    monkeypatch.setattr(
        Passwords, "check", lambda self, stored, password: checked.append(stored) or check(self, stored, password)
    )
    code_of(office, device, "nobody", PASSWORD)
    assert checked == [None]
    passwords = Passwords(QUICK)
    assert passwords._nobody.startswith("$argon2id$")
    assert not passwords.check(None, PASSWORD)


def test_a_hash_of_older_costs_is_made_anew(tmp_path: Path) -> None:
    with central(tmp_path) as office:
        login = office.person()
    stronger = replace(QUICK, argon2_time=2)
    with central(tmp_path, settings=stronger) as office:
        device = office.counter().device
        assert code_of(office, device, login, PASSWORD) == ""
        with office.services.database.read() as session:
            hashed = session.execute(select(Person.password_hash).filter_by(login=login)).scalar_one()
        assert ",t=2," in hashed
        assert code_of(office, device, login, PASSWORD) == ""


def test_a_password_is_changed_by_its_owner_only(office: Central) -> None:
    device, login = office.counter().device, office.person()
    change = office.services.door.change_password
    for old, new, code in (
        (PASSWORD, "short", "AUTH-020"),
        (PASSWORD, PASSWORD, "AUTH-020"),
        ("x", "Good-Word-9", "AUTH-002"),
    ):
        with pytest.raises(GovDeskError) as caught:
            change(device, PasswordChange(login, old, new))
        assert caught.value.code == code
    change(device, PasswordChange(login, PASSWORD, "Good-Word-9"))
    assert code_of(office, device, login, PASSWORD) == "AUTH-002"
    assert code_of(office, device, login, "Good-Word-9") == ""


@pytest.mark.parametrize(
    ("password", "good"),
    [
        ("Govdesk-2026", True),
        ("govdesk-2026", True),
        ("govdesk2026", False),
        ("Gd-2026ab", False),
        ("Gd-2026abc", True),
        ("xZhangsan-2026", False),
        ("政务服务大厅-2026a", True),
        ("A1-" + "a" * 126, False),
    ],
)
def test_the_policy(password: str, good: bool) -> None:
    assert (password_refusal("zhangsan", password) is None) == good


def test_a_bucket_runs_dry_and_fills_again(office: Central) -> None:
    limiter = RateLimiter(3, office.clock)
    for _ in range(3):
        limiter.take("a")
    with pytest.raises(GovDeskError) as caught:
        limiter.take("a")
    assert caught.value.code == "AUTH-014"
    limiter.take("b")
    office.clock.advance(21)
    limiter.take("a")
