"""Over real HTTPS on loopback: what a question becomes on the wire, and what each failure is called."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import msgspec
import pytest

from client.driver.relay import Relay
from modules.common.clock import FixedClock
from modules.common.errors import GovDeskError, Refused
from sync import transport as wire
from sync.protocol import LeaseRequest, PushRequest, SignInRequest
from sync.transport import Faults, HttpTransport, InMemoryTransport, Nobody, SignedServer, fetch_ca
from tests.support.https_peer import Authority, HttpsPeer
from tests.support.reference_server import Person, ReferenceServer


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server() -> ReferenceServer:
    server = ReferenceServer(FixedClock(datetime(2026, 11, 20, tzinfo=UTC)))
    server.people = {"zhang": Person("zhang", "right")}
    return server


@pytest.fixture
def peer(authority: Authority, server: ReferenceServer) -> Iterator[HttpsPeer]:
    peer = HttpsPeer(authority, server)
    yield peer
    peer.close()


@pytest.fixture
def http(authority: Authority, server: ReferenceServer, peer: HttpsPeer) -> Iterator[HttpTransport]:
    http = HttpTransport(peer.url, Nobody(authority.ca, header=server.add_device("d-1")))
    yield http
    http.close()


def code_of(http: HttpTransport) -> str:
    with pytest.raises(GovDeskError) as caught:
        http.hello()
    return caught.value.code


def test_questions_and_answers_survive_the_wire(http: HttpTransport, server: ReferenceServer, peer: HttpsPeer) -> None:
    assert http.hello().epoch == "e1"
    reply = http.sign_in(SignInRequest("zhang", "right"))
    server.publish("ink", "blue", {"id": "蓝"})
    page = http.changes("ref", 0, "e1", reply.statement, 0)
    assert [msgspec.json.decode(change.doc) for change in page.changes] == [{"id": "蓝"}]
    assert http.lease(LeaseRequest("T1", 5), reply.statement).last == 5
    assert http.push(PushRequest(1, "", "2026-11-20T00:00:00.000Z", [])).expected_n == 1
    http.sign_out(reply.statement)
    assert [request.name for request in peer.seen] == ["hello", "sign_in", "changes", "lease", "push", "sign_out"]
    assert {request.device for request in peer.seen} == {"d-1"}
    assert peer.seen[2].statement == reply.statement
    assert peer.seen[2].query == {"scope": "ref", "since": "0", "limit": "500", "epoch": "e1", "floor": "0"}


def test_an_empty_success_is_a_success(http: HttpTransport, peer: HttpsPeer) -> None:
    peer.answer = (204, b"")
    http.sign_out("token")


def test_the_servers_own_problem_keeps_its_code(http: HttpTransport, peer: HttpsPeer) -> None:
    with pytest.raises(GovDeskError) as caught:
        http.sign_in(SignInRequest("zhang", "wrong"))
    assert (caught.value.code, caught.value.message) == ("AUTH-002", "不正确")
    peer.answer = (422, '{"code": "X-001", "message": "有误", "fields": {"name": "必填"}}'.encode())
    with pytest.raises(Refused) as refused:
        http.hello()
    assert dict(refused.value.refusal.fields) == {"name": "必填"}


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (500, b"oops", "NET-005"),
        (503, '{"code": "SRV-503", "message": "正在停止"}'.encode(), "NET-005"),
        (404, b"<html>", "NET-005"),
        (426, b"", "NET-006"),
        (200, b'{"product": 1}', "NET-006"),
        (200, b"<html>portal</html>", "NET-006"),
        (302, b"", "NET-006"),
    ],
)
def test_strange_answers_are_named(http: HttpTransport, peer: HttpsPeer, status: int, body: bytes, code: str) -> None:
    peer.answer = (status, body)
    assert code_of(http) == code


def test_the_servers_fault_says_what_the_server_said(http: HttpTransport, peer: HttpsPeer) -> None:
    peer.answer = (503, '{"code": "SRV-503", "message": "正在停止"}'.encode())
    with pytest.raises(GovDeskError, match="SRV-503 正在停止"):
        http.hello()


def test_nobody_there(authority: Authority) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        http = HttpTransport(f"https://127.0.0.1:{reserved.getsockname()[1]}", Nobody(authority.ca))
        assert code_of(http) == "NET-001"
        http.close()


def test_no_answer_in_time(http: HttpTransport, peer: HttpsPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "READ_SECONDS", 0.2)
    peer.hang.clear()
    assert code_of(http) == "NET-003"


def test_another_authority_is_not_trusted(peer: HttpsPeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Authority(tmp_path)
    http = HttpTransport(peer.url, Nobody(other.ca))
    assert code_of(http) == "NET-002"
    # nor is one that the environment names
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(peer.url))
    assert code_of(http) == "NET-002"
    http.close()


def test_a_proxy_of_the_environment_is_not_used(http: HttpTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert http.hello().product == "GovDesk"


def test_the_authority_is_fetched_and_checked_by_the_code(peer: HttpsPeer, authority: Authority) -> None:
    assert fetch_ca(peer.url, authority.fingerprint[:20].upper()) == authority.ca.read_bytes()
    for wrong in ("0" * 20, authority.fingerprint[:19], authority.fingerprint, ""):
        with pytest.raises(GovDeskError) as caught:
            fetch_ca(peer.url, wrong)
        assert caught.value.code == "NET-007"


def test_fetching_from_nobody_is_told(authority: Authority) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        with pytest.raises(GovDeskError) as caught:
            fetch_ca(f"https://127.0.0.1:{reserved.getsockname()[1]}", "0" * 20)
    assert caught.value.code == "NET-001"


def test_direct_questions_carry_the_statement(http: HttpTransport, peer: HttpsPeer) -> None:
    port = SignedServer(http, lambda: "the-statement")
    peer.answer = (200, b'{"n": 1}')
    assert port.get("/v1/m/people/find", text="张") == {"n": 1}
    assert port.post("/v1/m/people/add", {"login": "a"}) == {"n": 1}
    assert [(request.name, request.query, request.body) for request in peer.seen] == [
        ("/v1/m/people/find", {"text": "张"}, None),
        ("/v1/m/people/add", {}, {"login": "a"}),
    ]
    assert {request.statement for request in peer.seen} == {"the-statement"}


def in_memory(server: ReferenceServer, **faults: float) -> InMemoryTransport:
    header = server.add_device("d-1")
    return InMemoryTransport(server, header, faults=Faults(**faults), rng=Random(1))


def test_each_fault_in_memory_does_what_it_says(server: ReferenceServer) -> None:
    request = LeaseRequest("T1", 1)
    taken = server.state.leases
    lost = in_memory(server, drop_request=1)
    with pytest.raises(GovDeskError, match="NET-001"):
        lost.lease(request, "")
    assert taken["T1"] == 0
    unanswered = in_memory(server, drop_reply=1)
    with pytest.raises(GovDeskError, match="NET-003"):
        unanswered.lease(request, "")
    assert taken["T1"] == 1
    assert in_memory(server, duplicate=1).lease(request, "").first == 3
    assert taken["T1"] == 3
    late = in_memory(server, delay=1)
    with pytest.raises(GovDeskError, match="NET-003"):
        late.lease(request, "")
    assert taken["T1"] == 3
    late.faults = Faults()
    for _ in range(20):
        late.hello()
    assert taken["T1"] == 4
    late.online = False
    with pytest.raises(GovDeskError, match="NET-001"):
        late.hello()
    late.close()


@pytest.mark.parametrize("limit", [1, 600, 1500])
def test_a_line_that_breaks_in_the_handshake_accuses_no_certificate(
    authority: Authority, peer: HttpsPeer, limit: int
) -> None:
    port = urlsplit(peer.url).port
    assert port is not None
    relay = Relay(("127.0.0.1", port), lambda: limit)
    http = HttpTransport(f"https://127.0.0.1:{relay.port}", Nobody(authority.ca))
    try:
        assert code_of(http) == "NET-001"
    finally:
        http.close()
        relay.close()
