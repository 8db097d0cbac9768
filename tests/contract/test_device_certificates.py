"""Devices at the server: one certificate each, renewed by itself, enrolled again, revoked; and what opens no door."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from modules.common.errors import GovDeskError, Refused
from modules.common.ids import uuid7
from server_stub import tls
from server_stub.seeding import CONSOLE
from server_stub.tables import Device
from sync.protocol import CertificateRequest, Enrolment, EnrolRequest
from tests.support.central import Central, central
from tests.support.devices import Computer
from tests.support.servers import postgres

OLD = "0123token"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Central]:
    folder = tmp_path_factory.mktemp("server")
    if request.param == "sqlite":
        with central(folder) as made:
            yield made
    else:
        with postgres() as url, central(folder, url) as made:
            yield made


def code_of(office: Central, *arguments: Any, **options: Any) -> str:
    """How the server refuses to know a device."""
    with pytest.raises(GovDeskError) as caught:
        office.services.devices.recognise(*arguments, **options)
    return caught.value.code


def new_code(office: Central) -> str:
    return office.services.devices.new_code(CONSOLE, office.hall, "3号窗").secret


def enrol(office: Central, computer: Computer, code: str = "", **more: Any) -> Enrolment:
    return office.services.devices.enrol(EnrolRequest(code or new_code(office), computer.csr, **more))


def refused(office: Central, request: EnrolRequest) -> str:
    with pytest.raises((GovDeskError, Refused)) as caught:
        office.services.devices.enrol(request)
    return caught.value.code


def view(office: Central, device: str) -> Any:
    return next(each for each in office.services.devices.find() if each.id == device)


def test_a_device_is_known_by_the_one_certificate_that_it_was_given(office: Central) -> None:
    known = office.services.devices.recognise
    made = enrol(office, Computer())
    assert known(made.certificate) == made.device
    # of our authority, for this very device, but never given to it
    signed = tls.issue(office.services.tls, Computer().csr, made.device, office.clock.now(), 30)
    assert code_of(office, signed.pem) == "AUTH-010"
    assert code_of(office, "", made.device) == "AUTH-071"
    assert code_of(office, "", f"{made.device}:{OLD}", by_token=True) == "AUTH-071"
    assert code_of(office, "", made.device, by_name=True) == "AUTH-071"
    assert code_of(office, "", "nobody", by_name=True) == "AUTH-010"
    assert code_of(office, "") == "AUTH-010"
    shown = view(office, made.device)
    assert (shown.until, shown.keyless) == ("2027-05-19T01:00:00.000Z", False)


def test_only_a_keyless_device_may_sign_in_by_its_name_alone(office: Central) -> None:
    made = enrol(office, Computer(), keyless=True)
    assert office.services.devices.recognise("", made.device, by_name=True) == made.device
    assert code_of(office, "", made.device) == "AUTH-071"
    assert code_of(office, "", made.device, by_token=True) == "AUTH-071"
    office.services.devices.revoke(CONSOLE, made.device, "stolen")
    assert code_of(office, "", made.device, by_name=True) == "AUTH-011"


def test_a_revoked_device_hands_in_its_work_and_nothing_else(office: Central) -> None:
    made = enrol(office, Computer())
    office.services.devices.revoke(CONSOLE, made.device, "lost")
    assert code_of(office, made.certificate) == "AUTH-011"
    assert office.services.devices.recognise(made.certificate, revoked_too=True) == made.device
    assert view(office, made.device).revoked_for == "lost"
    with pytest.raises(GovDeskError, match="AUTH-011"):
        office.services.devices.again_code(CONSOLE, made.device)


def test_an_expired_certificate_opens_nothing_on_a_line_that_outlived_it(office: Central) -> None:
    made = enrol(office, Computer())
    office.clock.advance(timedelta(days=180).total_seconds() - 1)
    assert office.services.devices.recognise(made.certificate) == made.device
    office.clock.advance(1)
    try:
        assert code_of(office, made.certificate) == "AUTH-010"
    finally:
        office.clock.advance(-timedelta(days=180).total_seconds())


def test_the_next_certificate_replaces_the_present_one_when_it_is_used(office: Central) -> None:
    devices = office.services.devices
    made = enrol(office, Computer())
    assert devices.recognise(made.certificate) == made.device
    # the answer to the first request is lost on its way
    lost = devices.renew(made.device, CertificateRequest(Computer().csr)).certificate
    assert devices.recognise(made.certificate) == made.device
    renewed = devices.renew(made.device, CertificateRequest(Computer().csr)).certificate
    assert devices.recognise(made.certificate) == made.device
    assert devices.recognise(renewed) == made.device
    assert code_of(office, made.certificate) == "AUTH-010"
    assert code_of(office, lost) == "AUTH-010"
    with pytest.raises(Refused, match="SRV-400"):
        devices.renew(made.device, CertificateRequest("nothing"))
    assert devices.recognise(renewed) == made.device


def test_a_code_is_for_one_computer_whose_lost_answer_is_given_again(office: Central) -> None:
    code, computer = new_code(office), Computer()
    first, again = enrol(office, computer, code), enrol(office, computer, code)
    assert (again.device, again.escrow) == (first.device, first.escrow)
    assert refused(office, EnrolRequest(code, Computer().csr)) == "AUTH-012"
    assert refused(office, EnrolRequest(code, "nothing")) == "AUTH-012"
    assert office.services.devices.recognise(again.certificate) == first.device
    assert refused(office, EnrolRequest(code, computer.csr)) == "AUTH-012", "once it is used, the code is spent"
    fresh = new_code(office)
    assert refused(office, EnrolRequest(fresh, "nothing")) == "SRV-400"
    assert enrol(office, Computer(), fresh).device != first.device, "a senseless request costs no code"


def test_a_computer_becomes_the_same_device_again(office: Central) -> None:
    devices = office.services.devices
    made = enrol(office, Computer())
    other = enrol(office, Computer())
    assert devices.recognise(made.certificate) == made.device
    code = devices.again_code(CONSOLE, made.device).secret
    for wrong in ("", other.device, uuid7()):
        assert refused(office, EnrolRequest(code, Computer().csr, device=wrong)) == "AUTH-070"
    assert refused(office, EnrolRequest(new_code(office), Computer().csr, device=made.device)) == "AUTH-070"
    again = enrol(office, Computer(), code, device=made.device)
    assert (again.device, again.series, again.escrow) == (made.device, made.series, "")
    assert code_of(office, made.certificate) == "AUTH-010", "whoever holds the old one is not this computer any more"
    assert devices.recognise(again.certificate) == made.device
    assert devices.recognise(other.certificate) == other.device


def test_a_computer_that_the_server_has_forgotten_keeps_its_id(office: Central) -> None:
    id = uuid7()
    made = enrol(office, Computer(), device=id)
    assert (made.device, bool(made.escrow)) == (id, True)
    assert refused(office, EnrolRequest(new_code(office), Computer().csr, device="x'; --")) == "AUTH-070"


def test_a_token_of_old_fetches_one_certificate_and_is_spent_when_that_is_used(office: Central) -> None:
    devices = office.services.devices
    device = enrol(office, Computer()).device
    hashed = hashlib.sha256(OLD.encode()).hexdigest()
    before = update(Device).filter_by(id=device).values(token_hash=hashed)
    office.services.writer.do(lambda session: session.execute(before))
    header = f"{device}:{OLD}"
    assert devices.recognise("", header, by_token=True, by_name=True) == device
    assert code_of(office, "", header) == "AUTH-071"
    assert code_of(office, "", f"{device}:wrong", by_token=True, by_name=True) == "AUTH-010"
    assert code_of(office, "", device, by_token=True, by_name=True) == "AUTH-010"
    first = devices.renew(device, CertificateRequest(Computer().csr)).certificate
    assert devices.recognise("", header, by_token=True) == device, "the answer may have been lost"
    assert devices.recognise(first) == device
    assert code_of(office, "", header, by_token=True) == "AUTH-071"


def test_when_it_was_last_seen_is_written_down(office: Central, tmp_path: Path) -> None:
    made = enrol(office, Computer())
    assert view(office, made.device).seen_at == ""
    office.services.devices.recognise(made.certificate)
    seen = view(office, made.device).seen_at
    assert seen
    office.services.devices.note_seen()
    office.services.devices.note_seen()
    assert view(office, made.device).seen_at == seen


def test_every_step_stands_in_the_audit_log(office: Central) -> None:
    made = enrol(office, Computer())
    code = office.services.devices.again_code(CONSOLE, made.device).secret
    enrol(office, Computer(), code, device=made.device)
    office.services.devices.renew(made.device, CertificateRequest(Computer().csr))
    office.services.devices.revoke(CONSOLE, made.device, "scrapped")
    links = office.services.audit.find(action="device.", limit=5).items
    assert [link.action for link in links] == [
        "device.revoke", "device.renew", "device.enrol_again", "device.code", "device.enrol"
    ]  # fmt: skip
    assert {link.subject for link in links} == {made.device}
    assert links[0].detail == {"reason": "scrapped"}
    assert office.services.audit.verify().broken_at is None
