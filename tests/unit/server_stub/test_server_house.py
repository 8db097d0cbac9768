"""Certificates, schedules, backups, migrations, settings, seeds: what keeps the house."""

from __future__ import annotations

import base64
import sqlite3
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select, text

from modules.common.errors import GovDeskError
from server_stub import tls
from server_stub.backup import snapshot
from server_stub.config import Config, Settings, read_settings
from server_stub.database import Database
from server_stub.log import trail
from server_stub.scheduler import Scheduled, Scheduler
from server_stub.seeding import CONSOLE, demo_people, seed
from server_stub.tables import AggregateState, AuditRow, Base, EnrolmentCode, JobRun, Person, SignInSession
from server_stub.trust import KEEP_SESSIONS
from tests.support.audit_chain import unguard
from tests.support.central import QUICK, START, Central


def names(certificate: x509.Certificate) -> set[str]:
    value = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in value}


def test_certificates_last_and_are_renewed_in_time(tmp_path: Path) -> None:
    made = tls.ensure(tmp_path / "tls", ["hall.example.cn", "10.1.2.3"], START)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tls").glob("*.key")}
    assert modes == {"ca.key": 0o600, "server.key": 0o600, "next.key": 0o600}
    ca, first = made.ca.read_bytes(), made.certificate.read_bytes()
    assert names(x509.load_pem_x509_certificate(first)) >= {"localhost", "127.0.0.1", "hall.example.cn", "10.1.2.3"}
    assert tls.ensure(tmp_path / "tls", ["10.1.2.3"], START + timedelta(days=300)).certificate.read_bytes() == first
    later = tls.ensure(tmp_path / "tls", ["10.1.2.3"], START + timedelta(days=370))
    assert later.certificate.read_bytes() != first
    assert later.ca.read_bytes() == ca
    assert later.ca_sha256 == made.ca_sha256
    again = later.certificate.read_bytes()
    assert tls.ensure(tmp_path / "tls", ["10.9.9.9"], START + timedelta(days=370)).certificate.read_bytes() != again


def key_of(made: tls.Tls) -> str:
    return tls.spki_sha256(x509.load_pem_x509_certificate(made.certificate.read_bytes()).public_key())


def test_the_key_outlives_its_certificate_and_is_followed_by_the_one_announced(tmp_path: Path) -> None:
    made = tls.ensure(tmp_path, [], START)
    assert key_of(made) == made.pins[0]
    renewed = tls.ensure(tmp_path, ["10.9.9.9"], START + timedelta(days=370))
    assert renewed.certificate.read_bytes() != made.key.read_bytes()
    assert (key_of(renewed), renewed.pins) == (made.pins[0], made.pins)
    tls.rotate(tmp_path)
    rotated = tls.ensure(tmp_path, [], START)
    assert key_of(rotated) == rotated.pins[0] == made.pins[1]
    assert rotated.pins[1] not in made.pins
    rotated.key.unlink()
    assert key_of(tls.ensure(tmp_path, [], START)) == rotated.pins[1], (
        "a lost key is followed by the announced one, too"
    )


def test_the_authority_signs_only_what_its_own_key_asked_for(tmp_path: Path) -> None:
    made = tls.ensure(tmp_path, [], START)
    key = ec.generate_private_key(ec.SECP256R1())
    other = ec.generate_private_key(ec.SECP384R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    good = builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()
    body = base64.b64decode("".join(good.splitlines()[1:-1]))
    forged = base64.encodebytes(body[:-1] + bytes([body[-1] ^ 1])).decode()
    wrong = [
        "",
        "号",
        good[:200],
        f"-----BEGIN CERTIFICATE REQUEST-----\n{forged}-----END CERTIFICATE REQUEST-----\n",
        builder.sign(other, SHA256()).public_bytes(Encoding.PEM).decode(),
    ]
    for request in wrong:
        with pytest.raises(ValueError, match="no certificate request"):
            tls.issue(made, request, "d-1", START, 30)
    signed = tls.issue(made, good, "d-1", START, 30)
    assert (signed.key_sha256, signed.until) == (tls.spki_sha256(key.public_key()), START + timedelta(days=30))


def test_a_lost_authority_takes_its_certificate_along(tmp_path: Path) -> None:
    made = tls.ensure(tmp_path, [], START)
    made.ca.unlink()
    again = tls.ensure(tmp_path, [], START)
    ca, certificate = (x509.load_pem_x509_certificate(path.read_bytes()) for path in (again.ca, again.certificate))
    certificate.verify_directly_issued_by(ca)


def test_a_job_that_fails_stops_no_other(office: Central) -> None:
    ran = []

    def wrong() -> None:
        raise ValueError

    jobs = [Scheduled("a.wrong", 60, wrong), Scheduled("a.right", 90, lambda: ran.append(1))]
    scheduler = Scheduler(jobs, office.services.writer, office.clock)
    scheduler.run_due()
    office.clock.advance(60)
    scheduler.run_due()
    office.clock.advance(60)
    scheduler.run_due()
    with office.services.database.read() as session:
        runs = [(run.job, bool(run.error)) for run in session.execute(select(JobRun).order_by(JobRun.id)).scalars()]
    assert runs == [("a.wrong", True), ("a.wrong", True), ("a.right", False)]
    assert ran == [1]


def test_the_servers_own_jobs(office: Central) -> None:
    office.counter()
    office.services.devices.new_code(CONSOLE, office.hall, "x")
    office.clock.advance(KEEP_SESSIONS.total_seconds() + 10 * 24 * 3600)
    office.services.scheduler.run_due()
    with office.services.database.read() as session:
        assert session.execute(select(EnrolmentCode)).scalars().all() == []
        assert session.execute(select(SignInSession)).scalars().all() == []
        assert set(session.execute(select(JobRun.job)).scalars()) >= {"server.audit", "server.expire"}
        assert set(session.execute(select(JobRun.error)).scalars()) == {None}


def test_a_broken_chain_is_found_by_the_job(office: Central) -> None:
    office.counter()
    with office.services.database.engine.begin() as connection:
        unguard(connection)
        connection.execute(text("UPDATE audit SET action = 'x' WHERE seq = 2"))
    office.clock.advance(3601)
    office.services.scheduler.run_due()
    with office.services.database.read() as session:
        assert session.execute(select(JobRun.error).filter_by(job="server.audit")).scalar_one()


def test_a_backup_is_verified_and_has_no_epoch(office: Central, tmp_path: Path) -> None:
    office.counter()
    out = tmp_path / "copy.db"
    snapshot(office.services.database, out)
    copy = sqlite3.connect(out)
    assert copy.execute("SELECT count(*) FROM epoch").fetchone() == (0,)
    assert copy.execute("SELECT count(*) FROM device").fetchone() == (1,)
    copy.close()
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db"]


def test_a_backup_that_fails_its_check_is_not_kept(office: Central, tmp_path: Path) -> None:
    office.counter()
    out = tmp_path / "copy.db"
    out.write_bytes(b"the backup of yesterday")
    with office.services.database.engine.begin() as connection:
        unguard(connection)
        connection.execute(text("UPDATE audit SET action = 'x' WHERE seq = 1"))
    with pytest.raises(GovDeskError) as caught:
        snapshot(office.services.database, out)
    assert caught.value.code == "SRV-031"
    assert out.read_bytes() == b"the backup of yesterday"


def test_migrations_make_what_the_tables_say(office: Central) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with office.services.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_an_older_file_is_copied_before_it_is_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "server.db"
    old = sqlite3.connect(path)
    old.execute("CREATE TABLE from_before (x)")
    old.commit()
    old.close()
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    database.close()
    (kept,) = tmp_path.glob("server.db.before-*")
    copy = sqlite3.connect(kept)
    assert copy.execute("SELECT name FROM sqlite_master").fetchall() == [("from_before",)]
    copy.close()


def test_settings_are_read_strictly(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == Settings()
    file = tmp_path / "server.toml"
    file.write_text('name = "某市"\nnames = ["a.cn"]\noffline_seconds = 60', "utf-8")
    assert read_settings(tmp_path) == Settings(name="某市", names=("a.cn",), offline_seconds=60)
    for wrong in ("unknown = 1", 'offline_seconds = "60"', "name = ", "lock_failures = true"):
        file.write_text(wrong, "utf-8")
        with pytest.raises(GovDeskError) as caught:
            read_settings(tmp_path)
        assert caught.value.code == "SRV-010"


def test_urls() -> None:
    assert Config(Path("/d")).url == "sqlite:////d/server.db"
    assert Config(Path("/d"), "postgresql://u@h/d").url == "postgresql+psycopg://u@h/d"


def test_seeding_twice_changes_nothing(office: Central) -> None:
    def everything() -> list[tuple[int, int, int]]:
        with office.services.database.read() as session:
            return [len(session.execute(select(table)).all()) for table in (Person, AggregateState, AuditRow)]

    seed(office.services)
    first = everything()
    seed(office.services)
    assert everything() == first
    with office.services.database.read() as session:
        kinds = set(session.execute(select(AggregateState.kind)).scalars())
    assert kinds >= {"organisation", "calendar_day", "service_item", "window", "knowledge", "dictionary"}
    assert {person["login"] for person in demo_people()} >= {"zhangsan", "wangwu", "xitong", "anquan", "shenji"}
    assert all(isinstance(value, str) for person in demo_people() for value in person.values())


def test_readiness_names_what_is_missing(office: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    assert office.services.ready() == {}
    usage = type("Usage", (), {"free": 5 * 2**20})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    assert office.services.ready() == {"disk": "5 MiB"}
    office.services.writer.close()
    assert set(office.services.ready()) == {"disk", "writer"}


def test_a_trail_quotes_nothing() -> None:
    try:
        try:
            raise KeyError("张三")
        except KeyError as error:
            raise RuntimeError("110105194912310021") from error
    except RuntimeError as error:
        lines = trail(error)
    assert [line for line in lines if line.endswith("Error")] == ["RuntimeError", "KeyError"]
    assert not any("张三" in line or "1101" in line for line in lines)


def test_quick_settings_are_not_the_defaults() -> None:
    """Tests hash for nothing; a server must not."""
    assert Settings().argon2_memory_kib >= 64 * 1024 > QUICK.argon2_memory_kib
