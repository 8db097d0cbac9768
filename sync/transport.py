"""How a device talks to the server: over HTTPS, or in memory with faults on purpose.

Every method raises ``GovDeskError``: NET-001 unreachable, NET-002 certificate not trusted, NET-003 no
answer in time, NET-004 not enrolled, NET-005 the server's own fault, NET-006 versions do not fit, NET-009
another server's key; or the code that the server gives in its ``Problem``.
"""

from __future__ import annotations

import contextlib
import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlsplit

from modules.common.errors import GovDeskError, Refusal, Refused
from modules.common.text import tr
from sync.protocol import (
    DEVICE_HEADER,
    PATHS,
    PULL_LIMIT,
    STATEMENT_HEADER,
    CertificateReply,
    CertificateRequest,
    Challenge,
    ChallengeRequest,
    ChangesReply,
    Enrolment,
    EnrolRequest,
    Hello,
    Lease,
    LeaseRequest,
    Nudge,
    PasswordChange,
    Problem,
    PushReply,
    PushRequest,
    SignInReply,
    SignInRequest,
    from_wire,
    pulled,
    to_wire,
)

if TYPE_CHECKING:
    import ssl

    import requests

T = TypeVar("T")
CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
STREAM_BLOCK = 64 * 1024
LISTEN_SECONDS = 40.0
"""On a line for nudges something is heard every fifteen seconds; one that is silent for so long is dead."""
PIN_DIGITS = 20
"""Hex digits of the authority's SHA-256 behind the dot of an enrolment code."""
UNREACHABLE = frozenset({"NET-001", "NET-003", "NET-005"})
"""Nobody has said no: the server cannot be asked just now."""


class Transport(Protocol):
    """What the server can be asked. All calls block: on lane ``net`` or on the synchronisation's thread."""

    def hello(self) -> Hello: ...

    def enrol(self, request: EnrolRequest) -> Enrolment: ...

    def certify(self, request: CertificateRequest) -> CertificateReply: ...

    def sign_in(self, request: SignInRequest) -> SignInReply: ...

    def challenge(self, request: ChallengeRequest) -> Challenge: ...

    def renew(self, statement: str) -> SignInReply: ...

    def sign_out(self, statement: str) -> None: ...

    def change_password(self, change: PasswordChange, statement: str) -> None: ...

    def push(self, request: PushRequest) -> PushReply: ...

    def changes(self, scope: str, since: int, epoch: str, statement: str, floor: int) -> ChangesReply: ...

    def lease(self, request: LeaseRequest, statement: str) -> Lease: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Request:
    """One question on its way. ``name`` is a key of ``PATHS`` or a path; ``device`` the device header's value."""

    method: str
    name: str
    body: Mapping[str, Any] | None
    query: Mapping[str, str]
    device: str
    statement: str


class _Wire(ABC):
    """The questions in terms of one ``_ask``."""

    def __init__(self, device: str) -> None:
        self._device = device

    @abstractmethod
    def _ask(self, request: Request) -> tuple[int, Any]:
        """Status and decoded body of the answer, whatever the status."""

    def ask(
        self,
        method: str,
        name: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        statement: str = "",
    ) -> Any:
        """The decoded answer to any question; ``body`` is a wire type or JSON-able."""
        data = body if body is None or isinstance(body, Mapping) else to_wire(body)
        status, answer = self._ask(Request(method, name, data, query or {}, self._device, statement))
        if status >= 500:
            raise _server_fault(status, answer)
        if status >= 400:
            raise _problem(status, answer)
        return answer

    def hello(self) -> Hello:
        return _parse(Hello, self.ask("GET", "hello"))

    def enrol(self, request: EnrolRequest) -> Enrolment:
        return _parse(Enrolment, self.ask("POST", "enrol", request))

    def certify(self, request: CertificateRequest) -> CertificateReply:
        return _parse(CertificateReply, self.ask("POST", "certificate", request))

    def sign_in(self, request: SignInRequest) -> SignInReply:
        return _parse(SignInReply, self.ask("POST", "sign_in", request))

    def challenge(self, request: ChallengeRequest) -> Challenge:
        return _parse(Challenge, self.ask("POST", "challenge", request))

    def renew(self, statement: str) -> SignInReply:
        return _parse(SignInReply, self.ask("POST", "renew", {}, statement=statement))

    def sign_out(self, statement: str) -> None:
        self.ask("POST", "sign_out", {}, statement=statement)

    def change_password(self, change: PasswordChange, statement: str) -> None:
        self.ask("POST", "password", change, statement=statement)

    def push(self, request: PushRequest) -> PushReply:
        return _parse(PushReply, self.ask("POST", "push", request))

    def changes(self, scope: str, since: int, epoch: str, statement: str, floor: int) -> ChangesReply:
        query = _asks(scope, since, epoch, floor)
        return _parse(ChangesReply, self.ask("GET", "changes", query=query, statement=statement))

    def lease(self, request: LeaseRequest, statement: str) -> Lease:
        return _parse(Lease, self.ask("POST", "lease", request, statement=statement))


class Identity(Protocol):
    """Who asks: ``client.data.credential.Credential``, or nobody yet."""

    generation: int
    """Another one: lines must be opened anew."""

    @property
    def header(self) -> str:
        """The device header's value; empty where a certificate speaks."""
        ...

    @property
    def pins(self) -> frozenset[str]:
        """The keys by which the server is known."""
        ...

    def context(self) -> ssl.SSLContext:
        """What lines are opened with."""
        ...


@dataclass(slots=True)
class Nobody:
    """A computer that is no device yet: it trusts the authority in ``ca``."""

    ca: Path
    generation: int = 0
    header: str = ""
    pins: frozenset[str] = frozenset()

    def context(self) -> ssl.SSLContext:
        from client.data.credential import trusting

        return trusting(self.ca)


class HttpTransport(_Wire):
    """Over HTTPS, as ``identity``, trusting the authority and the keys that it names and nothing else.

    Connections are kept, one set per thread. Proxies and authorities of the environment are not used:
    whoever sets a variable must not be able to read cases.
    """

    def __init__(self, url: str, identity: Identity) -> None:
        super().__init__("")
        self._url = url.rstrip("/")
        self._identity = identity
        self._local = threading.local()
        self._context: tuple[int, ssl.SSLContext] | None = None
        self._open: list[requests.Session] = []
        self._guard = threading.Lock()

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        generation = self._identity.generation
        if session is None or self._local.generation != generation:
            if session is not None:
                session.close()
                with self._guard:
                    self._open.remove(session)
            session = self._new_session(generation)
            self._local.session, self._local.generation = session, generation
        return session

    def _new_session(self, generation: int) -> requests.Session:
        import requests

        from sync.pinning import PinnedAdapter

        session = requests.Session()
        session.trust_env = False
        with self._guard:
            if self._context is None or self._context[0] != generation:
                self._context = (generation, self._identity.context())
            adapter = PinnedAdapter(self._context[1], lambda: self._identity.pins)
            self._open.append(session)
        session.adapters.clear()
        session.mount("https://", adapter)
        return session

    def changes(self, scope: str, since: int, epoch: str, statement: str, floor: int) -> ChangesReply:
        query = _asks(scope, since, epoch, floor)
        answer = self._send("GET", PATHS["changes"], statement, params=query)
        _refuse(answer)
        try:
            return pulled(answer.content)
        except ValueError as error:
            raise versions_differ() from error

    def send(
        self, method: str, path: str, statement: str, headers: Mapping[str, str], data: bytes, seconds: float
    ) -> tuple[int, Mapping[str, str]]:
        """Send bytes as they are; status and headers of the answer, which may take ``seconds``. Raises as every
        question; only a HEAD that finds nothing is answered, for it cannot say why.
        """
        answer = self._send(method, path, statement, headers=headers, data=data, timeout=(CONNECT_SECONDS, seconds))
        if method != "HEAD" or answer.status_code not in (404, 410):
            _refuse(answer)
        return answer.status_code, answer.headers

    def stream(self, path: str, statement: str, headers: Mapping[str, str]) -> Iterator[bytes]:
        """The bytes of an answer while they come. Raises as every question, also in the middle."""
        answer = self._send("GET", path, statement, headers=headers, stream=True)
        try:
            _refuse(answer)
            yield from answer.iter_content(STREAM_BLOCK)
        except OSError as error:
            raise _network_error(error) from error
        finally:
            answer.close()

    def listen(self, statement: str) -> EventStream:
        """Open a line for nudges. Raises as every question."""
        answer = self._send("GET", PATHS["nudges"], statement, stream=True, timeout=(CONNECT_SECONDS, LISTEN_SECONDS))
        _refuse(answer)
        return EventStream(answer)

    def _ask(self, request: Request) -> tuple[int, Any]:
        answer = self._send(
            request.method,
            PATHS.get(request.name, request.name),
            request.statement,
            json=request.body,
            params=dict(request.query),
        )
        return answer.status_code, _decoded(answer)

    def _send(
        self,
        method: str,
        path: str,
        statement: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: tuple[float, float] | None = None,
        **what: Any,
    ) -> requests.Response:
        sent = {"Accept": "application/json", **(headers or {})}
        if statement:
            sent[STATEMENT_HEADER] = statement
        try:
            session = self._session()
            if named := self._identity.header:
                sent[DEVICE_HEADER] = named
            return session.request(
                method,
                self._url + path,
                headers=sent,
                timeout=timeout or (CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                **what,
            )
        except OSError as error:  # what requests raises is one, too
            raise _network_error(error) from error

    def close(self) -> None:
        """Close all kept connections."""
        with self._guard:
            for session in self._open:
                session.close()
            self._open.clear()
            self._local = threading.local()


class EventStream:
    """Nudges of one open answer, as ``sync.nudges.NudgeStream`` promises."""

    def __init__(self, answer: requests.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[Nudge]:
        try:
            for line in self._answer.iter_lines():
                if line.startswith(b"data: "):
                    yield _parse(Nudge, _loads(line[6:]))
        except (OSError, AttributeError) as error:  # AttributeError: closed under the reader's hands
            raise _network_error(error) from error

    def close(self) -> None:
        with contextlib.suppress(OSError, AttributeError, ValueError, RuntimeError):
            self._answer.raw.shutdown()  # wakes whoever reads
        self._answer.close()


class SignedServer:
    """The port ``Server``: direct questions in the name of whoever is signed in."""

    def __init__(self, transport: HttpTransport, statement: Callable[[], str]) -> None:
        self._transport = transport
        self._statement = statement

    def get(self, path: str, **query: str) -> Any:
        """Decoded JSON. Raises ``GovDeskError`` NET-… when offline, or the server's own problem."""
        return self._transport.ask("GET", path, query=query, statement=self._statement())

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """As ``get``, sending ``body``."""
        return self._transport.ask("POST", path, body, statement=self._statement())


def _loads(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _decoded(answer: requests.Response) -> Any:
    if not answer.content:
        return None
    try:
        return json.loads(answer.content)
    except ValueError:
        return answer.text


def _refuse(answer: requests.Response) -> None:
    """Raise what an answer that is no success says."""
    if answer.status_code >= 500:
        raise _server_fault(answer.status_code, _decoded(answer))
    if answer.status_code >= 400:
        raise _problem(answer.status_code, _decoded(answer))


def fetch_ca(url: str, fingerprint: str) -> bytes:
    """The certificate (PEM) of the server's authority, whose SHA-256 starts with ``fingerprint``.

    The answer is fetched unverified, and trusted for the fingerprint alone, which came with the
    enrolment code by another way. Raises NET-007 when it is another, NET-001 or NET-003 when nobody answers.
    """
    import hashlib
    import hmac
    import http.client
    import ssl

    # the only connection without verification: what it brings is checked below
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    parts = urlsplit(url)
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=READ_SECONDS, context=context)
    try:
        connection.request("GET", PATHS["ca"])
        answer = connection.getresponse()
        pem = answer.read(65536)
    except (OSError, http.client.HTTPException) as error:
        raise _network_error(error) from error
    finally:
        connection.close()
    try:
        found = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))).hexdigest()
    except ValueError as error:
        raise _server_fault(answer.status, None) from error
    wanted = fingerprint.strip().lower()
    if len(wanted) != PIN_DIGITS or not hmac.compare_digest(found[:PIN_DIGITS], wanted):
        raise GovDeskError(
            "NET-007",
            tr("服务器的证书与登记码不符，未登记。"),
            fix=tr("请核对登记码和服务器地址；若都正确，请联系系统管理员。"),
        )
    return pem


@dataclass(frozen=True, slots=True)
class Faults:
    """How often, from 0 to 1, each thing goes wrong on the way."""

    drop_request: float = 0.0
    drop_reply: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    """The asker gives up; the request arrives later, behind others."""


class InMemoryTransport(_Wire):
    """Straight to a peer in this process, through JSON as on the wire, with faults drawn from ``rng``."""

    def __init__(
        self,
        peer: Callable[[Request], tuple[int, Any]],
        device: str = "",
        *,
        faults: Faults | None = None,
        rng: Random | None = None,
    ) -> None:
        super().__init__(device)
        self._peer = peer
        self.faults = faults or Faults()
        self.online = True
        self._rng = rng or Random(0)  # noqa: S311 - no secret, and must be repeatable
        self._late: list[Request] = []

    def _ask(self, request: Request) -> tuple[int, Any]:
        if not self.online or self._hits(self.faults.drop_request):
            raise _unreachable()
        if self._hits(self.faults.delay):
            self._late.append(request)
            raise _too_slow()
        status, answer = self._deliver(request)
        if self._hits(self.faults.duplicate):
            status, answer = self._deliver(request)
        while self._late and self._hits(0.5):
            self._deliver(self._late.pop(self._rng.randrange(len(self._late))))
        if self._hits(self.faults.drop_reply):
            raise _too_slow()
        return status, answer

    def _hits(self, share: float) -> bool:
        return self._rng.random() < share

    def _deliver(self, request: Request) -> tuple[int, Any]:
        body = None if request.body is None else json.loads(json.dumps(request.body))
        sent = Request(request.method, request.name, body, request.query, request.device, request.statement)
        status, answer = self._peer(sent)
        return status, json.loads(json.dumps(answer))

    def close(self) -> None:
        """Requests that are still on the way are lost."""
        self._late.clear()


def _asks(scope: str, since: int, epoch: str, floor: int) -> dict[str, str]:
    return {"scope": scope, "since": str(since), "limit": str(PULL_LIMIT), "epoch": epoch, "floor": str(floor)}


def _parse(cls: type[T], answer: Any) -> T:
    try:
        return from_wire(cls, answer)
    except ValueError as error:
        raise versions_differ() from error


def versions_differ() -> GovDeskError:
    """The error for a peer whose protocol does not fit ours."""
    return GovDeskError("NET-006", tr("本程序与服务器的版本不匹配。"), fix=tr("请升级程序，或联系系统管理员。"))


def not_enrolled() -> GovDeskError:
    """The error for a computer that the server does not know yet."""
    return GovDeskError("NET-004", tr("这台电脑尚未登记。"), fix=tr("请向系统管理员索取登记码并登记。"))


def _unreachable() -> GovDeskError:
    return GovDeskError("NET-001", tr("连不上服务器。"), fix=tr("请检查网络；可离线继续工作，恢复后自动上传。"))


def _too_slow() -> GovDeskError:
    return GovDeskError("NET-003", tr("服务器没有及时回答。"), fix=tr("程序会自动重试。"))


def _server_fault(status: int, answer: Any) -> GovDeskError:
    try:
        problem = from_wire(Problem, answer)
        told = f"{problem.code} {problem.message}"
    except ValueError:
        told = f"HTTP {status}"
    return GovDeskError("NET-005", tr("服务器出了问题（{told}）。", told=told), fix=tr("程序会自动重试。"))


def _problem(status: int, answer: Any) -> GovDeskError:
    try:
        problem = from_wire(Problem, answer)
    except ValueError:
        if status == 426:
            return versions_differ()
        return _server_fault(status, answer)
    if problem.fields:
        return Refused(Refusal(problem.code, problem.message, problem.fields))
    return GovDeskError(problem.code, problem.message, fix=problem.fix)


def _network_error(error: BaseException) -> GovDeskError:
    import requests

    from sync.pinning import PIN_MISMATCH

    # OpenSSL's own words: a line that breaks in the handshake is a TLS error, too, but accuses no certificate
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return GovDeskError(
            "NET-002",
            tr("服务器的证书不可信，已停止连接。"),
            fix=tr("请勿继续输入密码，并联系系统管理员。"),
        )
    if PIN_MISMATCH in str(error):
        return GovDeskError(
            "NET-009",
            tr("服务器的密钥不是这台电脑认识的那一把，已停止连接。"),
            fix=tr("请勿继续输入密码，并联系系统管理员；若服务器刚更换过密钥而未预告，请用登记码重新登记。"),
        )
    if isinstance(error, (requests.exceptions.ReadTimeout, TimeoutError)):
        return _too_slow()
    return _unreachable()
