"""Sign-in by certificate as the server judges it: whose, by whom, till when, revoked or not, and what was signed."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from modules.common.clock import iso
from modules.common.errors import GovDeskError
from modules.common.server_ports import Caller
from modules.common.statement import read
from server_stub.seeding import CONSOLE
from server_stub.signin.certificates import fingerprint
from sync.protocol import ChallengeRequest, SignInRequest, challenge_message
from tests.support.central import PASSWORD, QUICK, Central, central
from tests.support.certificates import DAY, Authority

TRUSTING = replace(QUICK, certificate_authorities="people-ca.pem", certificate_revocations="people.crl")


class Holder:
    """Somebody with a key at a counter."""

    def __init__(self, office: Central, authority: Authority, key: Any = None, **issue: Any) -> None:
        self.office = office
        self.door = office.services.door
        self.login = office.person()
        self.device = office.counter().device
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.certificate = authority.issue(self.key.public_key(), **issue)

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(message, padding.PKCS1v15(), SHA256())
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(message)
        return bytes(self.key.sign(message, ec.ECDSA(SHA256())))

    def bound(self) -> Holder:
        certificates, people = self.office.services.certificates, self.office.services.people
        certificates.bind("", "", people.id_of(self.login), self.certificate)
        return self

    def challenge(self) -> str:
        return self.door.challenge(self.device, ChallengeRequest("certificate")).id

    def request(self, challenge: str, /, *, device: str = "", **more: Any) -> SignInRequest:
        signature = self.sign(challenge_message(challenge, device or self.device))
        answer = base64.b64encode(signature).decode()
        der = base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()
        request = SignInRequest("", "", "certificate", challenge=challenge, answer=answer, certificate=der)
        return replace(request, **more)

    def come(self, request: SignInRequest | None = None) -> str:
        """The login that came in, or the code of the refusal."""
        try:
            reply = self.door.sign_in(self.device, request or self.request(self.challenge()))
        except GovDeskError as error:
            return error.code
        return read(reply.statement).login


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Central]:
    with central(tmp_path_factory.mktemp("server")) as made:
        yield made


@pytest.fixture(scope="module")
def authority(office: Central) -> Authority:
    return Authority("某市电子认证", office.clock.now())


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_whose_key_signs_the_challenge_comes_in(office: Central, authority: Authority, kind: str) -> None:
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else None
    holder = Holder(office, authority, key).bound()
    assert holder.come() == holder.login


def test_a_certificate_is_bound_by_its_first_use_with_the_password(office: Central, authority: Authority) -> None:
    holder = Holder(office, authority)
    assert holder.come() == "AUTH-039"
    asked = {"login": holder.login, "password": "wrong"}
    assert holder.come(holder.request(holder.challenge(), **asked)) == "AUTH-002"
    assert holder.come() == "AUTH-039"
    asked["password"] = PASSWORD
    assert holder.come(holder.request(holder.challenge(), **asked)) == holder.login
    assert holder.come() == holder.login
    thief = Holder(office, authority, holder.key)
    thief.certificate = holder.certificate
    with pytest.raises(GovDeskError) as caught:
        thief.bound()
    assert caught.value.code == "AUTH-040"


def test_a_second_factor_is_asked_for_when_a_password_binds(office: Central, authority: Authority) -> None:
    holder = Holder(office, authority)
    totp = office.services.totp
    person = office.services.people.id_of(holder.login)
    totp.begin(person, holder.login)

    def confirm(session: Any) -> None:
        from server_stub.tables import SecondFactor

        session.get_one(SecondFactor, person).confirmed_at = "2026"

    office.services.writer.do(confirm)
    asked = {"login": holder.login, "password": PASSWORD}
    assert holder.come(holder.request(holder.challenge(), **asked)) == "AUTH-032"
    assert holder.come() == "AUTH-039"


def test_one_answer_one_sign_in(office: Central, authority: Authority) -> None:
    holder = Holder(office, authority).bound()
    request = holder.request(holder.challenge())
    assert holder.come(request) == holder.login
    assert holder.come(request) == "AUTH-033"


def test_an_answer_is_bound_to_device_and_time(office: Central, authority: Authority) -> None:
    holder, other = (Holder(office, authority).bound() for _ in range(2))
    # relayed: what another counter was asked, answered here
    challenge = other.challenge()
    assert holder.come(holder.request(challenge)) == "AUTH-033"
    # signed for another counter, handed in at the one that asked
    challenge = holder.challenge()
    assert holder.come(holder.request(challenge, device=other.device)) == "AUTH-037"
    request = holder.request(holder.challenge())
    office.clock.advance(301)
    assert holder.come(request) == "AUTH-033"


def test_nonsense_is_no_certificate(office: Central, authority: Authority) -> None:
    holder = Holder(office, authority).bound()
    good = base64.b64encode(holder.certificate.public_bytes(Encoding.DER)).decode()
    for changed in (
        {"certificate": ""},
        {"certificate": "AAAA"},
        {"certificate": "§"},
        {"certificate": good[:-8]},
        {"certificate": base64.b64encode(b"0" * 9000).decode()},
        {"answer": "§"},
        {"answer": ""},
        {"answer": base64.b64encode(b"no signature").decode()},
        {"challenge": ""},
    ):
        expected = "AUTH-033" if "challenge" in changed else "AUTH-037"
        assert holder.come(holder.request(holder.challenge(), **changed)) == expected, changed


def test_anothers_certificate_with_ones_own_key_opens_nothing(office: Central, authority: Authority) -> None:
    victim, thief = (Holder(office, authority).bound() for _ in range(2))
    stolen = base64.b64encode(victim.certificate.public_bytes(Encoding.DER)).decode()
    assert thief.come(thief.request(thief.challenge(), certificate=stolen)) == "AUTH-037"


@pytest.mark.parametrize("kind", ["rsa-1024", "p-384", "ed25519"])
def test_keys_of_other_kinds_are_named_as_unfit(office: Central, authority: Authority, kind: str) -> None:
    key = {
        "rsa-1024": lambda: rsa.generate_private_key(65537, 1024),
        "p-384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
    }[kind]()
    assert Holder(office, authority, key).bound().come() == "AUTH-038"


@pytest.mark.parametrize(("since", "until", "fit"), [(-DAY, DAY, True), (-2 * DAY, -DAY, False), (DAY, 2 * DAY, False)])
def test_a_certificate_has_its_time(
    office: Central, tmp_path: Path, since: timedelta, until: timedelta, fit: bool
) -> None:
    now_authority = Authority("某市电子认证", office.clock.now())
    holder = Holder(office, now_authority, since=since, until=until).bound()
    assert holder.come() == (holder.login if fit else "AUTH-038")


def test_what_was_taken_back_or_whose_person_is_disabled_opens_nothing(office: Central, authority: Authority) -> None:
    holder, disabled = (Holder(office, authority).bound() for _ in range(2))
    certificates, people = office.services.certificates, office.services.people
    certificates.take_back("", "", fingerprint(holder.certificate))
    assert holder.come() == "AUTH-038"
    (listed,) = certificates.of(people.id_of(holder.login))
    assert (listed.fingerprint, bool(listed.revoked_at)) == (fingerprint(holder.certificate), True)
    asked = {"login": holder.login, "password": PASSWORD}
    assert holder.come(holder.request(holder.challenge(), **asked)) == "AUTH-038", "and is not bound anew"
    people.set_enabled(CONSOLE, people.id_of(disabled.login), False)
    assert disabled.come() == "AUTH-004"


def test_only_its_owner_or_an_administrator_takes_one_back(office: Central, authority: Authority) -> None:
    mine, other = (Holder(office, authority).bound() for _ in range(2))
    with pytest.raises(GovDeskError) as caught:
        office.services.certificates.take_back("", "", fingerprint(mine.certificate), person_id=other.login)
    assert caught.value.code == "AUTH-041"
    assert mine.come() == mine.login


def test_two_administrators_bind_a_certificate_and_one_takes_it_back(office: Central, authority: Authority) -> None:
    holder = Holder(office, authority)
    requests, ways = office.services.grant_requests, office.services.ways_in
    first, second = (
        Caller(read(made.statement).actor(), made.device) for made in (office.counter("secadmin") for _ in range(2))
    )
    person = office.services.people.id_of(holder.login)
    pem = holder.certificate.public_bytes(Encoding.PEM).decode()
    asked = requests.ask_certificate(first, person, pem, "新发的证书")
    (waiting,) = [each for each in requests.waiting() if each.id == asked]
    assert (waiting.role, waiting.fingerprint) == ("", fingerprint(holder.certificate))
    assert waiting.certificate == holder.certificate.subject.rfc4514_string()
    assert holder.come() == "AUTH-039", "one pair of eyes lets nobody in"
    for who, wanted in ((first, "AUTH-063"), (Caller(read(second_of(office, holder)).actor(), ""), "AUTH-024")):
        with pytest.raises(GovDeskError) as caught:
            requests.decide(who, asked, True)
        assert caught.value.code == wanted
    with pytest.raises(GovDeskError) as caught:
        requests.ask_certificate(second, person, pem, "")
    assert caught.value.code == "AUTH-060"
    requests.decide(second, asked, True)
    (kept,) = ways.of(person).certificates
    assert kept.used_at == ""
    assert holder.come() == holder.login
    (kept,) = ways.of(person).certificates
    assert kept.used_at == iso(office.clock.now()) == ways.of(person).last["certificate"]
    with pytest.raises(GovDeskError) as caught:
        requests.ask_certificate(first, person, pem, "")
    assert caught.value.code == "AUTH-061"
    session = office.services.door.sign_in(holder.device, holder.request(holder.challenge())).statement
    ways.take_certificate_back(first, person, kept.fingerprint)
    assert holder.come() == "AUTH-038"
    with pytest.raises(GovDeskError) as caught:
        office.services.sessions.renew(read(session))
    assert caught.value.code == "AUTH-016", "what was begun by it has ended"
    with pytest.raises(GovDeskError) as caught:
        requests.ask_certificate(first, person, pem, "")
    assert caught.value.code == "AUTH-040"


def second_of(office: Central, holder: Holder) -> str:
    """The statement of the person whom a certificate is for."""
    return office.services.door.sign_in(holder.device, SignInRequest(holder.login, PASSWORD)).statement


def test_a_certificate_that_expires_while_it_waits_is_not_bound(tmp_path: Path) -> None:
    with central(tmp_path) as office:
        holder = Holder(office, Authority("某市电子认证", office.clock.now()), until=DAY)
        first, second = (
            Caller(read(made.statement).actor(), made.device) for made in (office.counter("secadmin") for _ in range(2))
        )
        pem = holder.certificate.public_bytes(Encoding.PEM).decode()
        asked = office.services.grant_requests.ask_certificate(
            first, office.services.people.id_of(holder.login), pem, ""
        )
        office.clock.advance(timedelta(days=2).total_seconds())
        with pytest.raises(GovDeskError) as caught:
            office.services.grant_requests.decide(second, asked, True)
        assert caught.value.code == "AUTH-038"


class Trusted:
    """A server that trusts one authority's people, and what lies in its folder."""

    def __init__(self, folder: Path, office: Central) -> None:
        self.folder = folder
        self.office = office
        self.root = Authority("国家根", office.clock.now())
        self.middle = Authority("某市电子认证", office.clock.now(), self.root)
        self.trust(self.root, self.middle)
        self.revoke()

    def trust(self, *authorities: Authority) -> None:
        (self.folder / "people-ca.pem").write_bytes(b"".join(each.pem for each in authorities))

    def revoke(self, *revoked: x509.Certificate, by: Authority | None = None, until: timedelta = 7 * DAY) -> None:
        (self.folder / "people.crl").write_bytes((by or self.middle).revocations(*revoked, until=until))


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trusted]:
    folder = tmp_path_factory.mktemp("server")
    with central(folder, settings=TRUSTING) as office:
        yield Trusted(folder, office)


def test_a_chain_of_trust_leads_to_an_authority_of_the_file(strict: Trusted) -> None:
    strict.trust(strict.root, strict.middle)
    strict.revoke()
    holder = Holder(strict.office, strict.middle).bound()
    assert holder.come() == holder.login
    stranger = Authority("某市电子认证", strict.office.clock.now())  # the same name
    assert Holder(strict.office, stranger).bound().come() == "AUTH-038"
    strict.trust(strict.middle)
    assert holder.come() == "AUTH-038", "an authority without its own is not enough"


def test_no_authority_is_made_of_a_persons_certificate(strict: Trusted) -> None:
    strict.trust(strict.root, strict.middle)
    person = Authority("李四", strict.office.clock.now(), strict.middle, ca=False)
    strict.trust(strict.root, strict.middle, person)
    strict.revoke(by=person)
    assert Holder(strict.office, person).bound().come() == "AUTH-038"


def test_what_its_issuer_has_revoked_opens_nothing(strict: Trusted) -> None:
    strict.trust(strict.root, strict.middle)
    holder, other = (Holder(strict.office, strict.middle).bound() for _ in range(2))
    strict.revoke(holder.certificate)
    assert (holder.come(), other.come()) == ("AUTH-038", other.login)


def test_a_revocation_list_that_is_stale_or_anothers_says_nothing(strict: Trusted) -> None:
    strict.trust(strict.root, strict.middle)
    holder = Holder(strict.office, strict.middle).bound()
    strict.revoke(until=timedelta(hours=-1))
    assert holder.come() == "AUTH-038"
    strict.revoke(by=strict.root)
    assert holder.come() == "AUTH-038"
    forger = Authority("某市电子认证", strict.office.clock.now())
    strict.revoke(by=forger)
    assert holder.come() == "AUTH-038"
    strict.revoke()
    assert holder.come() == holder.login
