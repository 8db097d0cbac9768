"""The composition root of a server: everything it is made of, opened in order and closed in reverse."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from modules.common.aggregate import Aggregate
from modules.common.clock import Clock, SystemClock, iso
from modules.common.manifest import installed, rules_of
from modules.common.server_ports import Caller
from server_stub import answers, backup, feed, identity, tls
from server_stub.accounts import Accounts, sync_roles
from server_stub.audit_log import AuditLog
from server_stub.blobs import files, names
from server_stub.blobs.keeper import Keeper
from server_stub.blobs.uploads import Uploads
from server_stub.commands import OwnCommands
from server_stub.config import Config
from server_stub.container import recipient
from server_stub.database import Database
from server_stub.enrolment import DeviceRegistry
from server_stub.grant_requests import GrantRequests
from server_stub.guard import Guard, RateLimiter
from server_stub.nudges import Nudges
from server_stub.numbers import Numbers
from server_stub.processor import Processor
from server_stub.scheduler import Scheduled, Scheduler
from server_stub.seeding import published_password
from server_stub.signin.administration import Administration
from server_stub.signin.certificates import Certificates
from server_stub.signin.door import Door
from server_stub.signin.oidc import Oidc
from server_stub.signin.passwords import Passwords
from server_stub.signin.sessions import Sessions
from server_stub.signin.totp import Totp
from server_stub.tables import EnrolmentCode, JobRun, LoginFailure, Scope, SignInSession
from server_stub.trust import KEEP_SESSIONS
from server_stub.writer import open_writer

KEEP_RUNS = timedelta(days=30)


class Services:
    """One server; implements ``modules.common.server_ports.ServerServices``. Raises ``GovDeskError`` SRV-020, 021."""

    def __init__(
        self, config: Config, clock: Clock | None = None, rules: Callable[[str], Aggregate] = rules_of
    ) -> None:
        self.config = config
        self.clock: Clock = clock or SystemClock()
        settings = config.settings
        config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.tls = tls.ensure(config.data / "tls", {config.host, *settings.names} - {"0.0.0.0", "::"}, self.clock.now())  # noqa: S104
        self.database = Database(config.url, config.master_key)
        self.database.upgrade()
        self.writer = open_writer(self.database)
        self.identity = self.writer.do(lambda session: identity.ensure(session, self.clock.now()))
        self.writer.do(sync_roles)
        self.passwords = Passwords(settings)
        self.people = Accounts(self.database, self.writer, self.clock, self.passwords)
        self.totp = Totp(self.database, self.writer, self.clock, settings)
        self.certificates = Certificates(config.data, self.database, self.writer, self.clock, settings)
        self.sessions = Sessions(self.database, self.writer, self.clock, settings, self.identity, self.totp)
        self.ways_in = Administration(self.database, self.sessions, self.totp, self.certificates)
        self.door = Door(
            self.database,
            self.writer,
            self.clock,
            settings,
            self.passwords,
            self.sessions,
            self.totp,
            self.certificates,
            Oidc(config.data, self.writer, self.clock, settings),
            None if config.demo else published_password(),
        )
        self.grant_requests = GrantRequests(self.database, self.writer, self.clock, self.certificates)
        self.devices = DeviceRegistry(self.database, self.writer, self.clock, settings, self.tls)
        self.audit = AuditLog(self.database, self.writer, self.clock, self.identity, config.data / "audit-heads.jsonl")
        self.nudges = Nudges(self.database)
        self.writer.grown = self.nudges.announce
        self.numbers = Numbers(self.writer, self.clock)
        self.writer.do(names.fill)
        folder = config.data / "files"
        self.blobs = Keeper(folder, self.database, self.writer, self.clock)
        with backup.room(folder):
            files.seal_clear(config.data / "blobs", folder, self.blobs.files)
        self.uploads = Uploads(folder / "incoming", self.blobs, self.database, self.writer, self.clock, settings)
        self.rules = rules
        self.processor = Processor(self.writer, self.clock, self.identity, rules)
        self.commands = OwnCommands(self.database, self.writer, self.clock, self.processor, rules)
        self.guard = Guard(
            self.database,
            self.clock,
            self.identity,
            self.devices,
            RateLimiter(settings.sign_ins_per_minute_device, self.clock),
            RateLimiter(settings.sign_ins_per_minute_address, self.clock),
        )
        jobs = [
            Scheduled("server.audit", 3600, self.audit.check),
            Scheduled("server.audit-all", 24 * 3600, self.audit.check_all),
            Scheduled("server.devices", 300, self.devices.note_seen),
            Scheduled("server.expire", 900, lambda: self.writer.do(self._expire)),
            Scheduled("server.blobs", 3600, self._sweep_blobs),
            Scheduled("server.thin", 3600, self._thin),
        ]
        if settings.backup_folder:
            jobs.append(Scheduled("server.backup", settings.backup_seconds, self._back_up))
        for manifest in installed():
            jobs += [
                Scheduled(job.id, job.every, partial(self._module_job, job.run.load)) for job in manifest.server.jobs
            ]
        self.scheduler = Scheduler(jobs, self.writer, self.clock)

    def require(self, permission: str) -> Callable[..., Caller]:
        return self.guard.require(permission)

    def setting(self, name: str) -> str:
        return str(getattr(self.config.settings, name))

    def ready(self) -> dict[str, str]:
        """What stands in the way of work, by part; empty when nothing does."""
        faults = {}
        try:
            self.database.probe()
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is "not ready"
            faults["database"] = type(error).__name__
        if not self.writer.alive():
            faults["writer"] = "stopped"
        free = shutil.disk_usage(self.config.data).free // 2**20
        if free < self.config.settings.min_free_mib:
            faults["disk"] = f"{free} MiB"
        return faults

    def close(self) -> None:
        """Stop jobs, finish writes, close the database."""
        self.nudges.close()
        self.scheduler.stop()
        self.devices.note_seen()
        self.writer.close()
        self.database.close()

    def _module_job(self, load: Callable[[], Callable[[Services], None]]) -> None:
        load()(self)

    def _back_up(self) -> None:
        settings = self.config.settings
        folder = self.config.data / settings.backup_folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        backup.write(
            self.config,
            self.database,
            folder,
            recipient(settings.backup_to),
            self.clock.now(),
            settings.backup_keep,
        )

    def _sweep_blobs(self) -> None:
        self.uploads.sweep()
        self.blobs.sweep()

    def _thin(self) -> None:
        until = iso(self.clock.now() - timedelta(days=self.config.settings.feed_days))
        with self.database.read() as session:
            names = session.execute(select(Scope.name).order_by(Scope.name)).scalars().all()
        for name in names:
            while self.writer.do(partial(feed.thin, scope=name, until=until)):
                pass

    def _expire(self, session: Session) -> None:
        now = self.clock.now()
        session.execute(delete(EnrolmentCode).where(EnrolmentCode.expires_at <= iso(now)))
        session.execute(delete(SignInSession).where(SignInSession.expires_at <= iso(now - KEEP_SESSIONS)))
        session.execute(delete(LoginFailure).where(LoginFailure.last_at <= iso(now - timedelta(days=1))))
        newest = select(func.max(JobRun.id)).group_by(JobRun.job)
        old = delete(JobRun).where(JobRun.started_at <= iso(now - KEEP_RUNS), JobRun.id.not_in(newest))
        session.execute(old)
        answers.purge(session, now)


@contextlib.contextmanager
def opened(config: Config) -> Iterator[Services]:
    """A server's parts without its listening socket: for commands at the console."""
    services = Services(config)
    try:
        yield services
    finally:
        services.close()
