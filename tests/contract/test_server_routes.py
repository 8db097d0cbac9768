"""Every address of the server: what it asks of a caller, and what each role gets."""

from __future__ import annotations

import asyncio
import base64
import warnings
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import FastAPI

from installer.environment import ROOT
from modules.common.clock import iso
from modules.common.permissions import BUILTIN_ROLES
from server_stub.access import addresses, table
from server_stub.app import PUBLIC, create_app
from server_stub.middleware import BODY_LIMIT
from server_stub.seeding import CONSOLE
from server_stub.signin.totp import PERIOD, RECOVERY_CODES, code_at
from sync.protocol import (
    BLOB_PATH,
    CODE_HEADER,
    PATHS,
    PROTOCOL,
    STATEMENT_HEADER,
    UPLOAD_PATH,
    Problem,
    from_wire,
)
from tests.support.central import PASSWORD, Central, Counter, central
from tests.support.certificates import Authority
from tests.support.devices import Computer, showing, shown

DEVICE_ONLY = {PATHS[name] for name in ("sign_in", "challenge", "password", "push", "lease", "certificate")}
_OWN = ("sign_out", "own", "renew", "sessions", "end_session", "totp_begin", "totp_confirm", "totp_remove")
SIGNED_IN = {PATHS[name] for name in (*_OWN, "changes", "nudges")} | {
    BLOB_PATH + "{sha256}",
    UPLOAD_PATH,
    UPLOAD_PATH + "/{sha256}",
}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Central]:
    with central(tmp_path_factory.mktemp("server")) as made:
        yield made


class Client:
    """Asks the application, without a network and without its life: the office closes what it opened."""

    def __init__(self, app: FastAPI, runner: asyncio.Runner) -> None:
        self.app = app
        self._runner = runner
        # what the application does not answer itself must not look like an answer
        self._transport = httpx.ASGITransport(showing(app), raise_app_exceptions=True)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="https://server") as session:
                return await session.request(method, path, **options)

        return self._runner.run(ask())

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> httpx.Response:
        return self.request("PUT", path, **options)


@pytest.fixture(scope="module")
def client(office: Central) -> Iterator[Client]:
    with asyncio.Runner() as runner:
        yield Client(create_app(office.services), runner)


@pytest.fixture(scope="module")
def counters(office: Central) -> dict[str, Counter]:
    return {role.id: office.counter(role.id) for role in BUILTIN_ROLES}


def headers(counter: Counter, statement: bool = True) -> dict[str, str]:
    made = shown(counter.certificate)
    return {**made, STATEMENT_HEADER: counter.statement} if statement else made


def everything(office: Central, client: Client) -> list[tuple[str, str, frozenset[str]]]:
    """Method, whole path and what is asked, of every address."""
    return [(each.method, each.path, each.asks) for each in addresses(client.app, office.services.guard)]


def test_the_published_table_of_addresses_and_roles_is_true(office: Central, client: Client) -> None:
    assert (ROOT / "docs/access.md").read_text("utf-8") == table(client.app, office.services.guard)


def test_every_address_declares_who_may_ask(office: Central, client: Client) -> None:
    seen = set()
    for _, path, asks in everything(office, client):
        seen.add(path)
        if path in PUBLIC:
            assert not asks, path
        elif path in DEVICE_ONLY:
            assert asks == {":device"}, path
        elif path in SIGNED_IN:
            assert asks == {":signed-in"}, path
        else:
            assert len(asks) == 1, f"{path} declares {asks or 'nothing'}"
            assert "." in next(iter(asks)), path
    assert seen >= PUBLIC | DEVICE_ONLY | SIGNED_IN
    assert any(path.startswith("/v1/m/people/") for path in seen)


def test_every_address_against_every_role(office: Central, client: Client, counters: dict[str, Counter]) -> None:
    tried = 0
    for method, path, asks in everything(office, client):
        if path in PUBLIC:
            continue
        # bodies are empty: whoever is let in gets at most a 400, and nothing is changed
        address = path.replace("{person}", "nobody").replace("{device}", "nothing").replace("{request}", "none")
        nobody = client.request(method, address)
        assert nobody.status_code == 401, (path, nobody.text)
        assert code(method, nobody) == "AUTH-010"
        (needed,) = asks
        if needed == ":device" or path in (PATHS["sign_out"], PATHS["end_session"]):
            continue
        for role, counter in counters.items():
            without = client.request(method, address, headers=headers(counter, statement=False))
            assert (without.status_code, code(method, without)) == (401, "AUTH-001"), path
            answer = client.request(method, address, headers=headers(counter))
            held = needed == ":signed-in" or needed in statement_of(counter)
            if held:
                assert answer.status_code not in (401, 403), (path, role, answer.text)
            else:
                assert (answer.status_code, code(method, answer)) == (403, "AUTH-403"), (path, role)
            tried += 1
    assert tried > 60


def code(method: str, answer: httpx.Response) -> str:
    """The code of a problem; the answer to a HEAD has it in its headers alone."""
    said = answer.headers[CODE_HEADER]
    assert method == "HEAD" or from_wire(Problem, answer.json()).code == said
    return said


def statement_of(counter: Counter) -> tuple[str, ...]:
    from modules.common.statement import read

    return read(counter.statement).permissions


def test_the_three_administrators_share_no_power(counters: dict[str, Counter]) -> None:
    held = {
        role: set(statement_of(counters[role])) - {"people.view"} for role in ("sysadmin", "secadmin", "auditadmin")
    }
    people = {role: {name for name in names if name.startswith("people.")} for role, names in held.items()}
    assert people == {"sysadmin": {"people.manage"}, "secadmin": {"people.grant"}, "auditadmin": {"people.audit"}}
    assert sum(map(len, held.values())) == len(set.union(*held.values()))
    cases = {f"acceptance.{verb}" for verb in ("read", "accept", "decide", "close", "portal")}
    assert not cases & set.union(*held.values())
    assert set(statement_of(counters["portal"])) == {"acceptance.portal"}, (
        "a machine in the citizens' name, and no more"
    )


# -- answers


def problem(answer: Any, status: int) -> Problem:
    assert answer.status_code == status, answer.text
    made = from_wire(Problem, answer.json())
    assert made.code
    assert any("一" <= char <= "鿿" for char in made.message)
    assert "Traceback" not in answer.text
    return made


def test_every_error_is_a_problem(office: Central, client: Client, counters: dict[str, Counter]) -> None:
    known = headers(counters["clerk"])
    assert problem(client.get("/nowhere"), 404).code == "SRV-404"
    assert problem(client.put("/v1/hello"), 405).code == "SRV-405"
    assert problem(client.post(PATHS["enrol"], content=b"{"), 400).code == "SRV-400"
    missing = problem(client.post(PATHS["sign_in"], json={"login": 3}, headers=known), 400)
    assert missing.fields == {"login": "类型不正确。", "password": "缺少此项。"}
    assert problem(client.get(PATHS["changes"], params={"scope": "ref", "since": -1}, headers=known), 400).fields == {
        "since": "取值不正确。"
    }
    huge = client.get(PATHS["changes"], params={"scope": "ref", "since": 10**30}, headers=known)
    assert problem(huge, 400).code == "SRV-400"
    push = {"proto": 99, "epoch": "", "client_time": "", "cmds": []}
    assert problem(client.post(PATHS["push"], json=push, headers=known), 400).code == "SYNC-005"


def test_an_unforeseen_error_has_an_incident_and_no_traceback(
    office: Central, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise RuntimeError("身份证 11010519491231002X")

    monkeypatch.setattr(office.services, "ready", broken)
    answer = problem(client.get("/ready"), 500)
    assert answer.code == "SRV-500"
    (record,) = [record for record in caplog.records if record.message == "request failed"]
    assert record.incident in answer.message  # type: ignore[attr-defined]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_not_read_to_its_end(client: Client, chunked: bool) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 2**16

    answer = client.post(PATHS["enrol"], content=parts() if chunked else b" " * 2**21)
    assert problem(answer, 413).code == "SRV-413"


def test_push_and_pull_over_http(office: Central, client: Client, counters: dict[str, Counter]) -> None:
    counter = counters["clerk"]
    command = counter.command()
    body = {"proto": PROTOCOL, "epoch": "", "client_time": iso(office.clock.now()), "cmds": [asdict(command)]}
    reply = client.post(PATHS["push"], json=body, headers=headers(counter, statement=False)).json()
    assert [ack["status"] for ack in reply["acks"]] == ["applied"]
    scope = f"hall:{office.hall}"
    page = client.get(PATHS["changes"], params={"scope": scope}, headers=headers(counter)).json()
    assert page["changes"][-1]["cause"] == command.cmd_id
    other = client.get(PATHS["changes"], params={"scope": "hall:other"}, headers=headers(counter))
    assert problem(other, 403).code == "AUTH-013"


def test_a_statement_is_bound_to_its_device(client: Client, counters: dict[str, Counter]) -> None:
    mixed = headers(counters["clerk"], statement=False) | {STATEMENT_HEADER: counters["sysadmin"].statement}
    assert problem(client.get("/v1/m/people/people", headers=mixed), 401).code == "AUTH-008"


def test_after_signing_out_feeds_are_read_and_administration_is_closed(office: Central, client: Client) -> None:
    counter = office.counter("sysadmin")
    assert client.get("/v1/m/people/people", headers=headers(counter)).status_code == 200
    assert client.post(PATHS["sign_out"], headers=headers(counter)).status_code == 204
    assert problem(client.get("/v1/m/people/people", headers=headers(counter)), 401).code == "AUTH-016"
    assert client.get(PATHS["changes"], params={"scope": "ref"}, headers=headers(counter)).status_code == 200


def test_a_revoked_device_may_only_hand_in_its_work(office: Central, client: Client) -> None:
    counter = office.counter()
    command = counter.command()
    office.clock.advance(1)
    office.services.devices.revoke(CONSOLE, counter.device, "lost")
    body = {"proto": PROTOCOL, "epoch": "", "client_time": "", "cmds": [asdict(command)]}
    assert client.post(PATHS["push"], json=body, headers=headers(counter)).json()["acks"][0]["status"] == "applied"
    pull = client.get(PATHS["changes"], params={"scope": "ref"}, headers=headers(counter))
    assert problem(pull, 401).code == "AUTH-011"


# -- people, through their addresses


def test_a_person_from_the_first_day_to_the_last(office: Central, client: Client, counters: dict[str, Counter]) -> None:
    system, security = headers(counters["sysadmin"]), headers(counters["secadmin"])
    base = "/v1/m/people"
    wrong = client.post(f"{base}/people", json={"login": "X!", "name": ""}, headers=system)
    assert set(problem(wrong, 400).fields) == {"login", "name"}
    new = {"login": "zhenghao", "name": "郑好", "hall_id": office.hall, "department_id": ""}
    made = client.post(f"{base}/people", json=new, headers=system).json()
    assert problem(client.post(f"{base}/people", json=new, headers=system), 409).code == "AUTH-022"
    person = f"{base}/people/{made['id']}"
    other = headers(office.counter("secadmin"))

    def granted(role: str) -> None:
        asked = client.post(f"{person}/grant", json={"role": role}, headers=security).json()["id"]
        decision = f"{base}/requests/{asked}/decision"
        assert problem(client.post(decision, json={"agree": True}, headers=security), 403).code == "AUTH-063"
        waiting = client.get(f"{base}/requests", headers=other).json()
        assert [(each["person"], each["role"]) for each in waiting if each["id"] == asked] == [("郑好", role)]
        assert client.post(decision, json={"agree": True}, headers=other).status_code == 204

    granted("clerk")
    mixed = client.post(f"{person}/grant", json={"role": "auditadmin"}, headers=security)
    assert problem(mixed, 409).code == "AUTH-021"
    granted("manager")
    unknown = client.post(f"{person}/grant", json={"role": "king"}, headers=security)
    assert problem(unknown, 404).code == "AUTH-028"

    # the one-time password opens nothing but its own change
    device = headers(counters["clerk"], statement=False)
    credentials = {"login": "zhenghao", "password": made["secret"]}
    first = client.post(PATHS["sign_in"], json=credentials, headers=device).json()
    assert first["must_change_password"]
    with_first = device | {STATEMENT_HEADER: first["statement"]}
    shut = client.get(PATHS["changes"], params={"scope": f"hall:{office.hall}"}, headers=with_first)
    assert problem(shut, 403).code == "AUTH-013"
    change = {"login": "zhenghao", "old": made["secret"], "new": "zhenghao-2026X"}
    assert problem(client.post(PATHS["password"], json=change, headers=device), 400).code == "AUTH-020"
    change["new"] = "Chang-Jiang-1"
    # the session that is shown goes on, if the statement is good and of this very device
    forged = {STATEMENT_HEADER: first["statement"][:-4] + "AAAA"}
    assert client.post(PATHS["password"], json=change, headers=with_first).status_code == 204
    assert client.post(PATHS["renew"], headers=with_first).status_code == 200
    change |= {"old": "Chang-Jiang-1", "new": "Chang-Jiang-2"}
    assert client.post(PATHS["password"], json=change, headers=device | forged).status_code == 204
    assert problem(client.post(PATHS["renew"], headers=with_first), 401).code == "AUTH-016"
    change |= {"old": "Chang-Jiang-2", "new": "Chang-Jiang-1"}
    credentials["password"] = "Chang-Jiang-2"
    third = client.post(PATHS["sign_in"], json=credentials, headers=device).json()["statement"]
    elsewhere = headers(counters["officer"], statement=False) | {STATEMENT_HEADER: third}
    assert client.post(PATHS["password"], json=change, headers=elsewhere).status_code == 204
    renewal = client.post(PATHS["renew"], headers=device | {STATEMENT_HEADER: third})
    assert problem(renewal, 401).code == "AUTH-016"
    credentials["password"] = change["new"]
    second = client.post(PATHS["sign_in"], json=credentials, headers=device).json()
    assert not second["must_change_password"]

    found = client.get(f"{base}/people", params={"text": "郑好"}, headers=security).json()
    assert found["total"] == 1
    assert found["items"][0]["roles"] == ["clerk", "manager"]
    # taking a role away takes the statement that names it
    with_second = device | {STATEMENT_HEADER: second["statement"]}
    scope = {"scope": f"hall:{office.hall}"}
    assert client.get(PATHS["changes"], params=scope, headers=with_second).status_code == 200
    assert client.post(f"{person}/revoke", json={"role": "manager"}, headers=security).status_code == 204
    assert problem(client.get(PATHS["changes"], params=scope, headers=with_second), 401).code == "AUTH-016"
    assert client.post(f"{person}/enabled", json={"enabled": False}, headers=system).status_code == 204
    assert problem(client.post(PATHS["sign_in"], json=credentials, headers=device), 403).code == "AUTH-004"
    assert client.post(f"{person}/enabled", json={"enabled": True}, headers=system).status_code == 204
    assert client.post(PATHS["sign_in"], json=credentials, headers=device).status_code == 200
    reset = client.post(f"{person}/reset-password", headers=system).json()
    assert problem(client.post(PATHS["sign_in"], json=credentials, headers=device), 401).code == "AUTH-002"
    credentials["password"] = reset["secret"]
    assert client.post(PATHS["sign_in"], json=credentials, headers=device).json()["must_change_password"]

    log = client.get(f"{base}/audit", params={"limit": 200}, headers=headers(counters["auditadmin"])).json()
    about = [link["action"] for link in reversed(log["items"]) if link["subject"] == made["id"]]
    assert about == [
        "person.create",
        "role.ask",
        "role.agree",
        "role.grant",
        "role.ask",
        "role.agree",
        "role.grant",
        *["password.change"] * 3,
        "role.revoke",
        "person.disable",
        "person.enable",
        "password.reset",
    ]
    verdict = client.get(f"{base}/audit/verify", headers=headers(counters["auditadmin"])).json()
    assert verdict["broken_at"] is None


def test_nobody_touches_an_administrator_alone(client: Client, counters: dict[str, Counter]) -> None:
    system, security = headers(counters["sysadmin"]), headers(counters["secadmin"])
    audit_person = f"/v1/m/people/people/{counters['auditadmin'].person}"
    assert problem(client.post(f"{audit_person}/reset-password", headers=system), 403).code == "AUTH-025"
    own = f"/v1/m/people/people/{counters['secadmin'].person}/grant"
    assert problem(client.post(own, json={"role": "clerk"}, headers=security), 403).code == "AUTH-024"


def test_devices_and_codes(office: Central, client: Client, counters: dict[str, Counter]) -> None:
    system = headers(counters["sysadmin"])
    made = client.post("/v1/m/people/codes", json={"hall_id": office.hall, "name": "9号窗"}, headers=system).json()
    secret, _, pin = made["secret"].partition(".")
    assert pin == office.services.tls.ca_sha256[:20]
    # as people type it: without its dash, in small letters
    asked = {"code": secret.replace("-", "").lower(), "csr": Computer().csr}
    enrolled = client.post(PATHS["enrol"], json=asked).json()
    assert (enrolled["name"], enrolled["hall_id"]) == ("9号窗", office.hall)
    again = client.post(PATHS["enrol"], json={"code": made["secret"], "csr": Computer().csr})
    assert problem(again, 403).code == "AUTH-012"
    listed = client.get("/v1/m/people/devices", headers=system).json()
    assert listed[0]["id"] == enrolled["device"]
    revoke = f"/v1/m/people/devices/{enrolled['device']}/revoke"
    assert problem(client.post(revoke, json={"reason": "张三丢了"}, headers=system), 400).code == "AUTH-072"
    assert client.post(revoke, json={"reason": "lost"}, headers=system).status_code == 204
    device = shown(enrolled["certificate"])
    refused = client.post(PATHS["lease"], json={"series": enrolled["series"], "count": 1}, headers=device)
    assert problem(refused, 401).code == "AUTH-011"
    nowhere = client.post("/v1/m/people/codes", json={"hall_id": "nowhere", "name": ""}, headers=system)
    assert problem(nowhere, 404).code == "AUTH-027"


def test_the_description_is_whole(client: Client) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spec = client.app.openapi()
    assert set(PATHS.values()) <= set(spec["paths"])
    assert {"PushRequest", "ChangesReply", "Problem"} <= set(spec["components"]["schemas"])


def test_the_log_names_nobody(tmp_path: Path, office: Central, client: Client, counters: dict[str, Counter]) -> None:
    from server_stub.log import close_log, open_log

    handler = open_log(tmp_path)
    try:
        client.get("/v1/m/people/people", params={"text": "郑好"}, headers=headers(counters["sysadmin"]))
        client.get("/v1/nobody/张三")
        wrong = counters["clerk"].command("memo.wrong", body={"text": "110105194912310021"})
        counters["clerk"].push(wrong)
    finally:
        close_log(handler)
    written = (tmp_path / "server.jsonl").read_text("utf-8")
    assert counters["sysadmin"].person in written
    assert "ZeroDivisionError" in written
    for secret in ("郑好", "张三", "110105194912310021", counters["sysadmin"].statement):
        assert secret not in written


@pytest.fixture
def aging(tmp_path: Path) -> Iterator[tuple[Central, Client]]:
    """A server of its own, whose time a test may move."""
    with central(tmp_path) as office, asyncio.Runner() as runner:
        yield office, Client(create_app(office.services), runner)


def test_a_statement_answers_for_half_an_hour_and_is_renewed(aging: tuple[Central, Client]) -> None:
    office, client = aging
    counter = office.counter("sysadmin")
    people = "/v1/m/people/people"
    assert client.get(people, headers=headers(counter)).status_code == 200
    office.clock.advance(office.services.config.settings.statement_seconds)
    for path, query in ((people, {}), (PATHS["changes"], {"scope": "ref"}), (PATHS["sessions"], {})):
        assert problem(client.get(path, params=query, headers=headers(counter)), 401).code == "AUTH-006"
    fresh = client.post(PATHS["renew"], headers=headers(counter)).json()
    assert (fresh["escrow"], fresh["renew_seconds"]) == ("", 900)
    young = headers(counter, statement=False) | {STATEMENT_HEADER: fresh["statement"]}
    assert client.get(people, headers=young).status_code == 200
    office.services.sessions.revoke(CONSOLE, counter.person)
    for path, query in ((people, {}), (PATHS["changes"], {"scope": "ref"})):
        assert problem(client.get(path, params=query, headers=young), 401).code == "AUTH-016"
    assert problem(client.post(PATHS["renew"], headers=young), 401).code == "AUTH-016"


def test_ones_own_sign_in_through_its_addresses(office: Central, client: Client) -> None:
    counter = office.counter()
    known = headers(counter)
    own = client.get(PATHS["own"], headers=known).json()
    assert own == {"totp": False, "totp_required": False, "recovery_left": 0, "certificates": []}
    wrong = client.post(PATHS["totp_begin"], json={"password": "x"}, headers=known)
    assert problem(wrong, 401).code == "AUTH-002"
    made = client.post(PATHS["totp_begin"], json={"password": PASSWORD}, headers=known).json()
    assert made["url"].startswith("otpauth://totp/")
    assert problem(client.post(PATHS["totp_confirm"], json={"code": "1"}, headers=known), 401).code == "AUTH-034"
    step = int(office.clock.now().timestamp()) // PERIOD
    code = code_at(base64.b32decode(made["secret"]), step)
    codes = client.post(PATHS["totp_confirm"], json={"code": code}, headers=known).json()["codes"]
    assert client.get(PATHS["own"], headers=known).json()["recovery_left"] == len(codes) == RECOVERY_CODES
    removal = {"password": PASSWORD, "code": codes[0]}
    assert client.post(PATHS["totp_remove"], json=removal, headers=known).status_code == 204
    listed = client.get(PATHS["sessions"], headers=known).json()
    assert [each["current"] for each in listed] == [True]
    assert client.post(PATHS["end_session"], json={"session": "another"}, headers=known).status_code == 404
    asked = client.post(PATHS["challenge"], json={"method": "certificate"}, headers=headers(counter, statement=False))
    assert len(asked.json()["id"]) == 64
    none = client.post(PATHS["challenge"], json={"method": "oidc", "redirect": ""}, headers=known)
    assert problem(none, 400).code == "AUTH-042"


def test_the_security_administrator_looks_after_other_peoples_ways_in(
    office: Central, client: Client, counters: dict[str, Counter]
) -> None:
    security, counter = headers(counters["secadmin"]), office.counter()
    base = f"/v1/m/people/people/{counter.person}"
    authority = Authority("某市电子认证", office.clock.now())
    pem = authority.issue(authority.key.public_key()).public_bytes(Encoding.PEM).decode()
    asked = client.post(f"{base}/certificates", json={"pem": pem}, headers=security).json()["id"]
    assert client.get(f"{base}/ways-in", headers=security).json()["certificates"] == []
    agreed = f"/v1/m/people/requests/{asked}/decision"
    assert problem(client.post(agreed, json={"agree": True}, headers=security), 403).code == "AUTH-063"
    another = headers(office.counter("secadmin"))
    assert client.post(agreed, json={"agree": True}, headers=another).status_code == 204
    ways = client.get(f"{base}/ways-in", headers=security).json()
    (listed,) = ways["certificates"]
    assert listed["subject"] == "CN=张三"
    assert ways["last"] == {"password": iso(office.clock.now())}
    assert (ways["totp"], ways["totp_required"], ways["totp_used_at"], ways["sessions"]) == (False, "", "", 1)
    long = client.post(f"{base}/certificates", json={"pem": pem, "reason": "长" * 201}, headers=security)
    assert problem(long, 400).code == "AUTH-029"
    demanded = client.post(f"{base}/second-factor/required", json={"required": True}, headers=security)
    assert demanded.status_code == 204
    assert client.get(f"{base}/ways-in", headers=security).json()["totp_required"] == "person"
    unknown = client.get("/v1/m/people/people/nobody/ways-in", headers=security)
    assert problem(unknown, 404).code == "AUTH-023"
    nonsense = client.post(f"{base}/certificates", json={"pem": "x"}, headers=security)
    assert problem(nonsense, 401).code == "AUTH-037"
    name = {"fingerprint": listed["fingerprint"]}
    assert client.post(f"{base}/certificates/revoke", json=name, headers=security).status_code == 204
    assert client.get(f"{base}/ways-in", headers=security).json()["certificates"][0]["revoked_at"]
    assert client.post(f"{base}/second-factor/remove", headers=security).status_code == 204
    assert problem(client.get(PATHS["own"], headers=headers(counter)), 401).code == "AUTH-016"
    other = office.counter()
    assert client.post(f"/v1/m/people/people/{other.person}/sign-out", headers=security).status_code == 204
    assert problem(client.get(PATHS["own"], headers=headers(other)), 401).code == "AUTH-016"
    own = f"/v1/m/people/people/{counters['secadmin'].person}/second-factor/remove"
    assert problem(client.post(own, headers=security), 403).code == "AUTH-052"
    unknown = client.post("/v1/m/people/people/nobody/sign-out", headers=security)
    assert problem(unknown, 404).code == "AUTH-023"


def test_the_first_fault_in_a_long_list_is_told_and_no_other(
    office: Central, client: Client, counters: dict[str, Counter]
) -> None:
    """A million of them, told one by one, took gigabytes."""
    described = client.app.openapi()
    schemas, tried = described["components"]["schemas"], set()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            if "requestBody" not in operation:
                continue
            name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
            for field, schema in schemas[name]["properties"].items():
                if schema.get("type") != "array":
                    continue
                for counter in counters.values():
                    body = {field: [[]] * 1000}
                    answer = client.request(method, path.replace("{id}", "x"), headers=headers(counter), json=body)
                    if answer.status_code == 400:
                        faults = answer.json()["fields"]
                        assert sum(each.startswith(f"{field}.") for each in faults) == 1, (path, len(faults))
                        tried.add((path, field))
    assert {path for path, _ in tried} >= {PATHS["push"], "/v1/m/acceptance/applications"}
    assert len(tried) >= 5


def test_only_whoever_shows_a_certificate_may_send_much(client: Client, counters: dict[str, Counter]) -> None:
    body = {"proto": PROTOCOL, "epoch": "", "client_time": "", "cmds": [], "more": "x" * BODY_LIMIT}
    nobody = client.post(PATHS["push"], json=body)
    assert (nobody.status_code, nobody.json()["code"]) == (413, "SRV-413")
    assert client.post(PATHS["push"], json=body, headers=headers(counters["clerk"])).status_code == 200
    assert client.post(PATHS["push"], json={**body, "more": ""}).status_code == 401
