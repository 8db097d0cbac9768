"""Every way to come in, seen from the counter: real server, token library and provider, with and without the net."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from client.data.keys import KdfCost, KeyRing
from client.data.profile import Profile
from devices.host import HostedDriver
from devices.token import HostedToken, TokenKey, UnlockedKey
from modules.common.clock import FixedClock, SystemClock
from modules.common.errors import GovDeskError
from modules.common.statement import read
from sync.accounts import Accounts, OpenSession
from sync.loopback import Loopback
from tests.support.certificates import Authority
from tests.support.halls import PASSWORD
from tests.support.oidc import CLIENT, SECRET, browser, provider
from tests.support.servers import QUICK, RunningServer, server
from tests.support.softhsm import PIN, SoftToken, soft_token

LOCAL = "Own-Word-2026"


class Site:
    """A server, its authority for people, and a provider."""

    def __init__(self, running: RunningServer, issuer: str, authority: Authority) -> None:
        self.running = running
        self.issuer = issuer
        self.authority = authority
        self._codes = list(running.codes.values())

    def code(self) -> str:
        return self._codes.pop()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    authority = Authority("某市电子认证", datetime.now(UTC))
    (folder / "server").mkdir()
    (folder / "server" / "people-ca.pem").write_bytes(authority.pem)
    with provider(folder) as issuer:
        settings = (
            f'{QUICK}oidc_issuer = "{issuer}"\noidc_client_id = "{CLIENT}"\noidc_client_secret = "{SECRET}"\n'
            'oidc_login_claim = "preferred_username"\ncertificate_authorities = "people-ca.pem"\n'
        )
        with server(folder, settings=settings) as running:
            yield Site(running, issuer, authority)


class Counter:
    """One computer with its program, which can be started again and whose line can be cut."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site = site
        self.folder = folder
        self.clock = FixedClock(SystemClock().now())
        self.start()
        self.accounts.enrol(site.running.url, site.code())

    def start(self) -> None:
        self.profile = Profile(self.folder)
        self.accounts = Accounts(self.profile, self.clock, cost=KdfCost(1, 64, 1))

    def stop(self) -> None:
        self.accounts.close()
        self.profile.close()

    def cut(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """From now on nobody answers."""
        self.stop()
        self.start()
        monkeypatch.setattr("sync.transport.HttpTransport._send", _nobody)

    def code(self, work: Callable[[], object]) -> str:
        with pytest.raises(GovDeskError) as caught:
            work()
        return caught.value.code


def _nobody(*_: Any, **__: Any) -> Any:
    raise GovDeskError("NET-001", "连不上服务器。")


@pytest.fixture
def counter(site: Site, tmp_path: Path) -> Iterator[Counter]:
    made = Counter(site, tmp_path / "profile")
    yield made
    made.stop()


class Reader:
    """A token in its slot, and the process that reads it."""

    def __init__(self, soft: SoftToken) -> None:
        self.soft = soft
        command = [sys.executable, "-m", "devices.host", "pkcs11"]
        self.driver = HostedDriver("pkcs11", {"library": soft.library}, command=command)
        self.token = HostedToken(self.driver)

    @property
    def key(self) -> TokenKey:
        return self.token.certificates()[0]

    def unlock(self) -> UnlockedKey:
        return self.token.unlock(self.key, PIN)


@pytest.fixture(params=["rsa", "ec"])
def reader(
    request: pytest.FixtureRequest, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Reader]:
    soft = soft_token(tmp_path / "token", site.authority, request.param)
    for name, value in soft.environment.items():
        monkeypatch.setenv(name, value)
    made = Reader(soft)
    yield made
    made.driver.close()


def test_a_token_signs_in_with_and_without_the_server(
    counter: Counter, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts, signer = counter.accounts, reader.unlock()
    assert counter.code(lambda: accounts.sign_in_by_certificate(signer)) == "AUTH-039"
    bound = accounts.sign_in_by_certificate(signer, "zhangsan", PASSWORD)
    assert (bound.actor.login, bound.method, bound.offline) == ("zhangsan", "certificate", False)
    session = accounts.sign_in_by_certificate(signer)
    assert session.actor.login == "zhangsan"
    accounts.verify_signer(reader.unlock())

    counter.cut(monkeypatch)
    session = counter.accounts.sign_in_by_certificate(reader.unlock())
    assert (session.actor.login, session.offline, session.method) == ("zhangsan", True, "certificate")
    assert counter.code(counter.accounts.renew) == "NET-001"
    monkeypatch.undo()
    monkeypatch.setenv("SOFTHSM2_CONF", reader.soft.environment["SOFTHSM2_CONF"])
    renewed = counter.accounts.renew()
    assert (renewed.offline, read(renewed.statement).login) == (False, "zhangsan")


def test_a_token_that_was_never_here_opens_nothing_without_the_server(
    counter: Counter, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter.accounts.sign_in("zhangsan", PASSWORD)
    counter.cut(monkeypatch)
    assert counter.code(lambda: counter.accounts.sign_in_by_certificate(reader.unlock())) == "AUTH-015"


def test_anothers_token_does_not_unlock(
    counter: Counter, reader: Reader, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter.accounts.sign_in_by_certificate(reader.unlock(), "zhangsan", PASSWORD)
    other = soft_token(tmp_path / "other", site.authority)
    monkeypatch.setenv("SOFTHSM2_CONF", other.environment["SOFTHSM2_CONF"])
    stranger = Reader(other)
    try:
        assert counter.code(lambda: counter.accounts.verify_signer(stranger.unlock())) == "AUTH-048"
    finally:
        stranger.driver.close()

    class Thief:
        """Shows the right certificate, and signs with another key."""

        certificate = reader.key.certificate

        def sign(self, message: bytes) -> bytes:
            return b"\x30\x06\x02\x01\x01\x02\x01\x01"

        def secret(self, salt: bytes, peer: bytes) -> bytes | None:
            return None

    assert counter.code(lambda: counter.accounts.verify_signer(Thief())) == "AUTH-048"


# -- single sign-on


def come(
    counter: Counter, subject: str, claims: dict[str, Any] | None = None, login: str = "", password: str = ""
) -> OpenSession:
    """What the window does: open a browser, wait for its answer, hand it in."""
    with Loopback() as loopback:
        challenge = counter.accounts.begin_oidc(loopback.redirect)
        thread = threading.Thread(target=visit, args=(challenge.url, subject, claims))
        thread.start()
        code = loopback.code(challenge.id, patience=30)
        thread.join()
        return counter.accounts.sign_in_by_oidc(challenge.id, code, login, password)


def visit(url: str, subject: str, claims: dict[str, Any] | None) -> None:
    """A browser that follows the provider's redirect to the loopback."""
    from urllib.parse import parse_qs, urlencode, urlsplit

    import requests

    redirect = parse_qs(urlsplit(url).query)["redirect_uri"][0]
    assert requests.get(redirect + "favicon.ico", timeout=5).status_code == 404
    assert requests.get(redirect + "?state=forged&code=forged", timeout=5).status_code == 200
    back = browser(url, subject, claims)
    assert "关闭此页" in requests.get(f"{redirect}?{urlencode(back)}", timeout=5).text


def test_the_browser_signs_in_and_a_password_of_this_computer_does_without_it(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = come(counter, "u-1", {"preferred_username": "lisi"})
    assert (session.actor.login, session.method, session.must_change) == ("lisi", "oidc", False)
    assert not counter.accounts.has_password_here()
    assert counter.code(lambda: counter.accounts.set_local_password("short")) == "AUTH-020"
    counter.accounts.set_local_password(LOCAL)
    counter.accounts.verify(LOCAL)
    # the server does not know that password, and its no takes nothing away here
    counter.accounts.sign_out()
    assert counter.code(lambda: counter.accounts.sign_in("lisi", LOCAL)) == "AUTH-002"

    counter.cut(monkeypatch)
    session = counter.accounts.sign_in("lisi", LOCAL)
    assert (session.offline, session.method) == (True, "oidc")
    monkeypatch.undo()
    assert counter.code(counter.accounts.renew) == "AUTH-047"
    assert counter.accounts.session is session, "the work goes on"


def test_without_a_password_of_its_own_single_sign_on_needs_the_server(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    come(counter, "u-2", {"preferred_username": "wangwu"})
    counter.cut(monkeypatch)
    assert counter.code(lambda: counter.accounts.sign_in("wangwu", LOCAL)) == "AUTH-015"


def test_the_browser_unlocks_for_the_same_person_only(counter: Counter) -> None:
    come(counter, "u-3", {"preferred_username": "sunqi"})

    def verify(subject: str, login: str) -> None:
        with Loopback() as loopback:
            challenge = counter.accounts.begin_oidc(loopback.redirect)
            back = browser(challenge.url, subject, {"preferred_username": login})
            counter.accounts.verify_oidc(challenge.id, back["code"])

    verify("u-3", "sunqi")
    assert counter.code(lambda: verify("u-4", "zhaoliu")) == "AUTH-048"
    assert counter.accounts.actor.login == "sunqi"


def test_a_browser_that_never_comes_back_or_is_refused_is_told() -> None:
    with Loopback() as loopback:
        with pytest.raises(GovDeskError) as caught:
            loopback.code("state", patience=0.5)
        assert caught.value.code == "AUTH-050"
    with Loopback() as loopback:
        thread = threading.Thread(target=_refused, args=(loopback.redirect,))
        thread.start()
        with pytest.raises(GovDeskError) as caught:
            loopback.code("mine", patience=30)
        thread.join()
        assert caught.value.code == "AUTH-051"


def _refused(redirect: str) -> None:
    import requests

    requests.get(redirect + "?state=other&error=access_denied", timeout=5)
    requests.get(redirect + "?state=mine&error=access_denied", timeout=5)


def test_waiting_for_the_browser_can_be_given_up() -> None:
    class GivenUpError(Exception): ...

    def give_up() -> None:
        raise GivenUpError

    with Loopback() as loopback, pytest.raises(GivenUpError):
        loopback.code("state", give_up)


# -- one-time codes, from the counter's side


def test_a_one_time_code_is_asked_for_and_offline_work_goes_on_until_somebody_enters_one(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    import base64

    from server_stub.signin.totp import PERIOD, code_at

    accounts = counter.accounts
    session = accounts.sign_in("zhaoliu", PASSWORD)
    ask = accounts.transport.ask  # type: ignore[attr-defined]
    made = ask("POST", "totp_begin", {"password": PASSWORD}, statement=session.statement)
    secret = base64.b32decode(made["secret"])
    step = int(datetime.now(UTC).timestamp()) // PERIOD
    codes = ask("POST", "totp_confirm", {"code": code_at(secret, step)}, statement=session.statement)["codes"]
    assert counter.code(lambda: accounts.sign_in("zhaoliu", PASSWORD)) == "AUTH-032"
    assert counter.code(lambda: accounts.sign_in("zhaoliu", PASSWORD, "000000")) == "AUTH-034"
    assert accounts.sign_in("zhaoliu", PASSWORD, codes[0]).offline is False

    counter.cut(monkeypatch)
    assert counter.accounts.sign_in("zhaoliu", PASSWORD).offline
    # where the policy says so, the password alone opens nothing, right or wrong, and it is no matter of others
    strict = Accounts(counter.profile, counter.clock, cost=KdfCost(1, 64, 1), offline_without_code=False)
    for password in (PASSWORD, "wrong"):
        assert counter.code(lambda: strict.sign_in("zhaoliu", password)) == "AUTH-055"  # noqa: B023 - at once
    assert counter.code(lambda: strict.sign_in("heping", PASSWORD)) == "AUTH-015"
    strict.close()
    monkeypatch.undo()
    assert counter.code(counter.accounts.renew) == "AUTH-032"
    assert counter.accounts.session is not None
    # a new password changes nothing in that, and without a second factor the password is enough again
    fresh = counter.accounts.sign_in("zhaoliu", PASSWORD, codes[1])
    counter.accounts.change_password("zhaoliu", PASSWORD, "Good-Word-9")
    assert fresh is not None
    keys = KeyRing(counter.profile)
    assert keys.needs_code("zhaoliu")
    statement = counter.accounts.refresh().statement
    removal = {"password": "Good-Word-9", "code": codes[2]}
    counter.accounts.transport.ask("POST", "totp_remove", removal, statement=statement)  # type: ignore[attr-defined]
    counter.accounts.refresh()
    assert not keys.needs_code("zhaoliu")


# -- a new password


def test_a_new_password_ends_what_somebody_else_may_have_begun_and_goes_on_here(
    site: Site, counter: Counter, tmp_path: Path
) -> None:
    there, colleague = Counter(site, tmp_path / "there"), Counter(site, tmp_path / "colleague")
    try:
        there.accounts.sign_in("zhouba", PASSWORD)
        colleague.accounts.sign_in("heping", PASSWORD)
        before = counter.accounts.sign_in("zhouba", PASSWORD)
        after = counter.accounts.change_password("zhouba", PASSWORD, "Good-Word-9")
        assert after is not None
        assert read(after.statement).session_id == read(before.statement).session_id
        assert after.actor.permissions == before.actor.permissions != frozenset()
        assert there.code(there.accounts.refresh) == "AUTH-016"
        colleague.accounts.refresh()
        # from the sign-in window, where nobody is at work, all of them end
        there.accounts.sign_in("zhouba", "Good-Word-9")
        counter.stop()
        counter.start()
        counter.accounts.change_password("zhouba", "Good-Word-9", "Good-Word-10")
        assert there.code(there.accounts.refresh) == "AUTH-016"
    finally:
        there.stop()
        colleague.stop()
