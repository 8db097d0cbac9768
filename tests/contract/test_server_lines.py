"""The listening side on real sockets, on both of uvicorn's protocols: certificates, versions, dawdlers, crowds."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from server_stub import tls
from tests.support.lines import caller, client_context, listening

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
QUICK = {"head_seconds": 0.3, "body_seconds": 0.3}
PATIENCE = 10.0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tls.Tls:
    return tls.ensure(tmp_path_factory.mktemp("tls"), [], datetime.now(UTC))


@pytest.fixture(params=["httptools", "h11"])
def line(request: pytest.FixtureRequest) -> str:
    implementation: str = request.param
    if implementation == "httptools":
        pytest.importorskip("httptools")
    return implementation


@contextlib.contextmanager
def opened(address: tuple[str, int], context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection(address, PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname=address[0]) as secured,
    ):
        yield secured


def refused(address: tuple[str, int], context: ssl.SSLContext) -> bool:
    """Whether the line is ended before anything is answered: in the handshake, or (TLS 1.3) right after it."""
    try:
        with opened(address, context) as line:
            line.sendall(GET)
            return not line.recv(1)
    except TimeoutError:
        raise
    except OSError:
        return True


def ended(line: ssl.SSLSocket) -> bool:
    """Whether the other side hangs up within the socket's patience."""
    try:
        while line.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def answer(line: ssl.SSLSocket, request: bytes = GET) -> Any:
    line.sendall(request)
    said = b""
    while b"\r\n\r\n" not in said:
        said += line.recv(4096)
    head, _, body = said.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += line.recv(4096)
    return json.loads(body)


def test_the_application_sees_who_calls(made: tls.Tls, tmp_path: Path, line: str) -> None:
    path, signed = caller(made, tmp_path)
    with listening(made, line) as address:
        with opened(address, client_context(made.ca)) as nobody:
            assert answer(nobody)["client_cert_chain"] == []
        with opened(address, client_context(made.ca, path)) as known:
            for _ in range(3):
                (pem,) = answer(known)["client_cert_chain"]
                assert pem.strip() == signed.pem.strip()
    certificate = x509.load_pem_x509_certificate(pem.encode())
    assert certificate.subject.rfc4514_string() == "CN=d-1", "the request's own subject counts for nothing"
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [use.dotted_string for use in usage] == ["1.3.6.1.5.5.7.3.2"]


def test_a_foreign_an_expired_and_a_servers_certificate_end_the_line(made: tls.Tls, tmp_path: Path, line: str) -> None:
    foreign = tls.ensure(tmp_path / "foreign", [], datetime.now(UTC))
    stranger, _ = caller(foreign, tmp_path)
    expired, _ = caller(made, tmp_path, at=datetime.now(UTC) - timedelta(days=60))
    server = tmp_path / "server.pem"
    server.write_bytes(made.key.read_bytes() + made.certificate.read_bytes())
    with listening(made, line) as address:
        for shown in (stranger, expired, server):
            assert refused(address, client_context(made.ca, shown)), shown
        assert not refused(address, client_context(made.ca))


def lenient(context: ssl.SSLContext) -> ssl.SSLContext:
    """As servers were long ago: what it takes to see that a refusal is the server's doing."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_and_weak_ciphers_are_refused(made: tls.Tls, line: str) -> None:
    old, weak, good = (lenient(client_context(made.ca)), client_context(made.ca), client_context(made.ca))
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    for context in (weak, good):
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA")
    with listening(made, line) as address:
        assert refused(address, old)
        assert refused(address, weak)
        with opened(address, good) as fine:
            assert answer(fine)["client_cert_chain"] == []
            assert fine.session is None or not fine.session.has_ticket
    with listening(made, line, context=lenient(tls.context(made))) as address:
        assert not refused(address, old)
        assert not refused(address, weak)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", GET + b"GET / HTTP/1.1\r\nho", b"POST / HTTP/1.1\r\nhost: x\r\n"])
def test_a_head_that_does_not_come_ends_the_line(made: tls.Tls, line: str, sent: bytes) -> None:
    with listening(made, line, **QUICK) as address, opened(address, client_context(made.ca)) as slow:
        slow.sendall(sent)
        assert ended(slow)


def test_a_head_in_drops_gets_no_more_time(made: tls.Tls, line: str) -> None:
    with listening(made, line, **QUICK) as address, opened(address, client_context(made.ca)) as slow:
        slow.settimeout(0.05)
        deadline = time.monotonic() + PATIENCE
        slow.sendall(b"GET / HTTP/1.1\r\nx: ")
        while not dripped(slow):
            assert time.monotonic() < deadline


def dripped(line: ssl.SSLSocket) -> bool:
    """Send one byte more; whether the other side has hung up."""
    try:
        line.sendall(b"x")
        return not line.recv(1)
    except TimeoutError:
        return False
    except OSError:
        return True


def test_a_body_may_take_its_time_but_not_stop(made: tls.Tls, line: str) -> None:
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\n"
    with listening(made, line, **QUICK) as address:
        with opened(address, client_context(made.ca)) as steady:
            for piece in (head, b"a", b"b", b"c", b"d", b"e", b"f", b"g"):
                steady.sendall(piece)
                time.sleep(0.1)
            assert answer(steady, b"h")["client_cert_chain"] == []
        with opened(address, client_context(made.ca)) as stopped:
            stopped.sendall(head + b"abc")
            assert ended(stopped)


def test_between_two_requests_a_line_may_rest(made: tls.Tls, line: str) -> None:
    with listening(made, line, **QUICK) as address, opened(address, client_context(made.ca)) as kept:
        assert answer(kept)["client_cert_chain"] == []
        time.sleep(0.6)
        assert answer(kept)["client_cert_chain"] == []


def test_one_address_may_hold_so_many_lines(made: tls.Tls, line: str) -> None:
    context = client_context(made.ca)
    with listening(made, line, limit=2) as address:
        with opened(address, context) as first, opened(address, context) as second:
            assert answer(first) == answer(second)
            assert refused(address, context)
        deadline = time.monotonic() + PATIENCE
        while refused(address, context):  # the server hears of the goodbyes a moment later
            assert time.monotonic() < deadline
