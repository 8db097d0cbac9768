"""Single sign-on: with a real provider's process, and against one that lies in every way that the standard names."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from modules.common.clock import SystemClock
from modules.common.errors import GovDeskError
from modules.common.ids import uuid7
from modules.common.statement import read
from server_stub.tables import SignInSession
from sync.protocol import ChallengeRequest, SignInReply, SignInRequest
from tests.support.central import PASSWORD, QUICK, Central, central
from tests.support.oidc import CLIENT, REDIRECT, SECRET, Crooked, browser, crooked, provider, rs256


def settings(issuer: str, **more: Any) -> Any:
    return replace(QUICK, oidc_issuer=issuer, oidc_client_id=CLIENT, oidc_client_secret=SECRET, **more)


class Counter:
    """One device that signs people in by the provider."""

    def __init__(self, office: Central) -> None:
        self.office = office
        self.device = office.counter().device
        self.door = office.services.door

    def begin(self) -> tuple[str, str]:
        challenge = self.door.challenge(self.device, ChallengeRequest("oidc", REDIRECT))
        return challenge.id, challenge.url

    def finish(self, challenge: str, code: str, login: str = "", password: str = "") -> SignInReply:
        request = SignInRequest(login, password, "oidc", challenge=challenge, answer=code)
        return self.door.sign_in(self.device, request)

    def code_of(self, challenge: str, code: str, **who: str) -> str:
        with pytest.raises(GovDeskError) as caught:
            self.finish(challenge, code, **who)
        return caught.value.code


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with provider(tmp_path_factory.mktemp("provider")) as found:
        yield found


@pytest.fixture(scope="module")
def counter(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    # the real provider lives in the real time
    with central(
        tmp_path_factory.mktemp("server"), settings=settings(issuer, oidc_login_claim="preferred_username")
    ) as office:
        office.clock.advance(SystemClock().now().timestamp() - office.clock.now().timestamp())
        yield Counter(office)


def test_a_person_comes_in_by_the_provider(counter: Counter) -> None:
    login = counter.office.person()
    assert counter.door.methods == ["password", "certificate", "oidc"]
    challenge, url = counter.begin()
    asked = parse_qs(urlsplit(url).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert SECRET not in url
    back = browser(url, "sub-1", {"preferred_username": login.upper()})
    assert back["state"] == challenge
    reply = counter.finish(challenge, back["code"])
    said = read(reply.statement)
    assert (said.login, said.roles, reply.must_change_password) == (login, ("clerk",), False)
    with counter.office.services.database.read() as session:
        row = session.execute(select(SignInSession).filter_by(id=said.session_id)).scalar_one()
        assert row.method == "oidc"


def test_an_answer_serves_once_and_on_its_own_device_only(counter: Counter) -> None:
    login = counter.office.person()
    challenge, url = counter.begin()
    back = browser(url, "sub-2", {"preferred_username": login})
    other = Counter(counter.office)
    assert other.code_of(challenge, back["code"]) == "AUTH-033"
    assert counter.code_of(challenge, back["code"]) == "AUTH-033", "an attempt uses the challenge up"
    challenge, url = counter.begin()
    back = browser(url, "sub-2")
    counter.finish(challenge, back["code"])
    assert counter.code_of(challenge, back["code"]) == "AUTH-033"
    # the code under another challenge: PKCE and the provider's own memory say no
    another, _ = counter.begin()
    assert counter.code_of(another, back["code"]) == "AUTH-044"


def test_a_code_of_another_browser_is_none_of_ours(counter: Counter) -> None:
    """Whoever is given somebody else's code (RFC 9700, 4.5) fails by PKCE at the provider."""
    login = counter.office.person()
    _, url = counter.begin()
    stolen = browser(url, "sub-3", {"preferred_username": login})["code"]
    own, _ = counter.begin()
    assert counter.code_of(own, stolen) == "AUTH-044"


def test_an_unknown_account_becomes_the_persons_who_adds_a_password(counter: Counter) -> None:
    login = counter.office.person()

    def come(**who: str) -> str:
        challenge, url = counter.begin()
        back = browser(url, "sub-4", {"preferred_username": "nobody-here"})
        try:
            return read(counter.finish(challenge, back["code"], **who).statement).login
        except GovDeskError as error:
            return error.code

    assert come() == "AUTH-039"
    assert come(login=login, password="wrong") == "AUTH-002"
    assert come() == "AUTH-039"
    assert come(login=login, password=PASSWORD) == login
    assert come() == login


def test_a_login_given_away_anew_opens_nothing(counter: Counter) -> None:
    login = counter.office.person()
    for subject, expected in (("first", login), ("second", "AUTH-045")):
        challenge, url = counter.begin()
        back = browser(url, subject, {"preferred_username": login})
        if expected == login:
            assert read(counter.finish(challenge, back["code"]).statement).login == login
        else:
            assert counter.code_of(challenge, back["code"]) == expected


def test_a_disabled_person_does_not_come_in_by_the_provider(counter: Counter) -> None:
    from server_stub.seeding import CONSOLE

    people = counter.office.services.people
    login = counter.office.person()
    people.set_enabled(CONSOLE, people.id_of(login), False)
    challenge, url = counter.begin()
    back = browser(url, "sub-6", {"preferred_username": login})
    assert counter.code_of(challenge, back["code"]) == "AUTH-004"


@pytest.mark.parametrize(
    "redirect",
    [
        "https://evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://10.0.0.1:80/",
        "app://x",
        "",
        "http://[",
        "http://[::1",
    ],
)
def test_only_this_computer_is_come_back_to(counter: Counter, redirect: str) -> None:
    with pytest.raises(GovDeskError) as caught:
        counter.door.challenge(counter.device, ChallengeRequest("oidc", redirect))
    assert caught.value.code == "AUTH-049"


def test_an_answer_comes_in_time(counter: Counter) -> None:
    challenge, url = counter.begin()
    back = browser(url, "sub-5", {"preferred_username": counter.office.person()})
    counter.office.clock.advance(301)
    assert counter.code_of(challenge, back["code"]) == "AUTH-033"


# -- a provider that lies


@pytest.fixture(scope="module")
def liar() -> Iterator[Crooked]:
    with crooked() as made:
        yield made


@pytest.fixture(scope="module")
def deceived(liar: Crooked, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    folder = tmp_path_factory.mktemp("deceived")
    with central(folder, settings=settings(liar.issuer, oidc_login_claim="login")) as office:
        yield Counter(office)


@pytest.fixture
def duped(liar: Crooked, deceived: Counter) -> tuple[Crooked, Counter]:
    # a subject of its own for each test: an account stays whose it was first
    liar.change, liar.sign, liar.named = {}, None, ""
    liar.subject = f"subject-{uuid7()}"
    liar.now = deceived.office.clock.now().timestamp()
    return liar, deceived


def begin(liar: Crooked, counter: Counter) -> str:
    challenge, url = counter.begin()
    liar.nonce = parse_qs(urlsplit(url).query)["nonce"][0]
    return challenge


def test_an_honest_token_is_taken(duped: tuple[Crooked, Counter]) -> None:
    liar, counter = duped
    login = counter.office.person()
    liar.change = {"login": login}
    assert read(counter.finish(begin(liar, counter), "code").statement).login == login
    sent = liar.asked[-1]
    assert len(sent["code_verifier"][0]) >= 43
    assert sent["redirect_uri"] == [REDIRECT]


def _unsigned(claims: dict[str, Any]) -> str:
    parts = ({"alg": "none"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."


def _by_our_secret(claims: dict[str, Any]) -> str:
    from joserfc import jwt
    from joserfc.jwk import OctKey

    return jwt.encode({"alg": "HS256", "kid": "k1"}, claims, OctKey.import_key(SECRET * 3))


def _by_the_public_key(liar: Crooked) -> Any:
    """RS256 taken for HS256: the provider's public key as if it were a secret (CVE-2015-9235)."""
    import hmac

    def sign(claims: dict[str, Any]) -> str:
        head, body = (
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
            for part in ({"alg": "HS256", "kid": "k1"}, claims)
        )
        mac = hmac.digest(liar.key.as_pem(private=False), f"{head}.{body}".encode(), "sha256")
        return f"{head}.{body}." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()

    return sign


LIES: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "another audience": {"aud": "another"},
    "several audiences, the presenter another": {"aud": [CLIENT, "another"], "azp": "another"},
    "another issuer": {"iss": "https://another.example"},
    "expired": {"exp": 1},
    "no end": {"exp": None},
    "not yet": {"nbf": 4_000_000_000},
    "another access token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    "nobody": {"sub": ""},
    "no subject": {"sub": None},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_token_that_lies_is_refused(duped: tuple[Crooked, Counter], lie: str) -> None:
    liar, counter = duped
    liar.change = {"login": counter.office.person(), **LIES[lie]}
    assert counter.code_of(begin(liar, counter), "code") == "AUTH-044"


@pytest.mark.parametrize("how", ["none", "our secret", "the public key", "another key"])
def test_a_token_that_the_provider_did_not_sign_is_refused(duped: tuple[Crooked, Counter], how: str) -> None:
    from joserfc.jwk import RSAKey

    liar, counter = duped
    other = RSAKey.generate_key(2048, {"kid": "k1"})
    liar.change = {"login": counter.office.person()}
    liar.sign = {
        "none": _unsigned,
        "our secret": _by_our_secret,
        "the public key": _by_the_public_key(liar),
        "another key": lambda claims: rs256(other, claims),
    }[how]
    assert counter.code_of(begin(liar, counter), "code") == "AUTH-044"


def test_a_provider_that_calls_itself_otherwise_is_not_asked(liar: Crooked, tmp_path: Path) -> None:
    liar.named = "https://another.example"
    with central(tmp_path, settings=settings(liar.issuer)) as office, pytest.raises(GovDeskError) as caught:
        Counter(office).begin()
    assert caught.value.code == "AUTH-043"


def test_a_provider_that_is_gone_is_told(tmp_path: Path) -> None:
    with central(tmp_path, settings=settings("http://127.0.0.1:9")) as office:
        counter = Counter(office)
        with pytest.raises(GovDeskError) as caught:
            counter.begin()
        assert caught.value.code == "AUTH-043"


def test_nothing_is_asked_in_clear_beyond_this_computer(tmp_path: Path) -> None:
    with central(tmp_path, settings=settings("http://sso.example.gov.cn")) as office:
        with pytest.raises(GovDeskError) as caught:
            Counter(office).begin()
        assert caught.value.code == "AUTH-043"
