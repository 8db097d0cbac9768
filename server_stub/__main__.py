"""Starts the central server, and does its housekeeping from the console."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from modules.common.core_dumps import forbid_core_dumps
from modules.common.errors import GovDeskError
from modules.common.text import tr
from server_stub.config import Config, read_settings


def _parser(command: str, about: str) -> argparse.ArgumentParser:
    name = f"python -m server_stub {command}".strip()
    parser = argparse.ArgumentParser(prog=name, description=about)
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder of database, keys and logs (数据目录)"
    )
    parser.add_argument(
        "--database", default="", metavar="URL", help="postgresql://… ; default: SQLite in the data folder"
    )
    return parser


def _config(options: argparse.Namespace) -> Config:
    data: Path = options.data.resolve()
    return Config(data=data, database=options.database, settings=read_settings(data))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def serve(arguments: Sequence[str]) -> int:
    """Run the server until SIGTERM or Ctrl+C."""
    parser = _parser("", f"GovDesk central server (中心服务器). Also: {', '.join(sorted(COMMANDS))}.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (监听地址)")
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one (端口)")
    parser.add_argument("--demo", action="store_true", help="seed the demonstration hall, once (示范大厅)")
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="written as JSON when the server is ready")
    options = parser.parse_args(arguments)
    base = _config(options)
    config = Config(
        data=base.data,
        database=base.database,
        host=options.host,
        port=options.port,
        demo=options.demo,
        ready_file=options.ready_file,
        settings=base.settings,
    )
    return run(config)


def run(config: Config) -> int:
    """Listen, say so, and serve."""
    import uvicorn

    from server_stub.app import create_app
    from server_stub.listener import KEEP_ALIVE_SECONDS, Server, many_lines, protocol
    from server_stub.log import close_log, log, open_log
    from server_stub.seeding import demo_codes, seed
    from server_stub.services import Services
    from server_stub.tls import context

    config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    handler = open_log(config.data / "logs")
    listener = socket.socket(socket.AF_INET6 if ":" in config.host else socket.AF_INET)
    try:
        if os.name != "nt":  # on Windows this would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(listener, config)
        services = Services(config)
        ready: dict[str, Any] = {
            "url": _url(config.host, listener.getsockname()[1]),
            "ca": str(services.tls.ca),
            "pid": os.getpid(),
        }
        if config.demo:
            seed(services)
            ready["enrolment_codes"] = demo_codes(services)

        def listening() -> None:
            _announce(config, ready)
            log.info("ready", extra={"url": ready["url"]})

        many_lines()
        server = Server(
            uvicorn.Config(
                create_app(services),
                http=protocol(config.settings.lines_per_address),
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                ssl_context_factory=lambda config, default: context(services.tls),
                # a counter asks every few seconds: it should not have to shake hands each time
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=10,
            ),
            listener,
            listening,
            services.nudges.hush,
        )

        def stop(number: int, frame: object) -> None:
            # until uvicorn listens to signals itself; it raises them once more at its end, when all is closed
            server.should_exit = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        server.run()
        log.info("stopped")
        return 0
    finally:
        listener.close()
        if config.ready_file:
            config.ready_file.unlink(missing_ok=True)
        close_log(handler)


def _bind(listener: socket.socket, config: Config) -> None:
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        raise GovDeskError(
            "SRV-011",
            tr(
                "无法在 {host}:{port} 上监听：{reason}",
                host=config.host,
                port=config.port,
                reason=error.strerror or error,
            ),
        ) from error


def _url(host: str, port: int) -> str:
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
    return f"https://[{shown}]:{port}" if ":" in shown else f"https://{shown}:{port}"


def _announce(config: Config, ready: dict[str, Any]) -> None:
    if config.ready_file:
        partial = config.ready_file.with_name(config.ready_file.name + ".partial")
        partial.write_text(json.dumps(ready, ensure_ascii=False), "utf-8")
        partial.replace(config.ready_file)
    _say(f"GovDesk server ready: {ready['url']}")


def backup(arguments: Sequence[str]) -> int:
    """Write an encrypted backup of everything; the server may be running."""
    parser = _parser(
        "backup",
        "Write an encrypted backup (备份) of everything: database, blobs, certificates, master key, settings. "
        "The server may be running.",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file, or folder of such files (位置)")
    parser.add_argument("--to", default="", metavar="RECIPIENT", help="as backup-key prints it; default: backup_to")
    parser.add_argument("--secret-file", type=Path, metavar="FILE", help="holds a passphrase instead (口令文件)")
    parser.add_argument("--keep", type=int, default=0, metavar="N", help="in a folder: keep the newest N (保留份数)")
    options = parser.parse_args(arguments)
    config = _config(options)
    from modules.common.clock import SystemClock
    from server_stub.backup import write
    from server_stub.container import recipient, secret_in
    from server_stub.database import Database

    if options.secret_file:
        secret = secret_in(options.secret_file.read_text("utf-8"))
    else:
        secret = recipient(options.to or config.settings.backup_to)
    database = Database(config.url)
    try:
        file = write(config, database, options.out.resolve(), secret, SystemClock().now(), options.keep)
    finally:
        database.close()
    _say(str(file))
    return 0


def backup_key(arguments: Sequence[str]) -> int:
    """Make a key pair for backups: the server needs the printed half alone."""
    parser = argparse.ArgumentParser(
        prog="python -m server_stub backup-key",
        description="Make a key pair for backups (备份密钥): the file opens backups, keep it away from the server; "
        "the printed half is for server.toml (backup_to).",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    options = parser.parse_args(arguments)
    from server_stub.container import new_pair

    opener, recipient = new_pair()
    with os.fdopen(os.open(options.out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(opener + "\n")
    _say(recipient)
    return 0


def restore(arguments: Sequence[str]) -> int:
    """Bring a backup back; the server is stopped."""
    parser = _parser(
        "restore",
        "Bring a backup back (恢复): it is checked whole before anything is touched. Stop the server before.",
    )
    parser.add_argument("--from", dest="source", type=Path, required=True, metavar="FILE")
    parser.add_argument("--secret-file", type=Path, required=True, metavar="FILE", help="the key or the passphrase")
    options = parser.parse_args(arguments)
    from modules.common.clock import SystemClock
    from server_stub.container import secret_in
    from server_stub.restoring import restore as put_back

    secret = secret_in(options.secret_file.read_text("utf-8"))
    before = put_back(_config(options), options.source, secret, SystemClock().now())
    _say(tr("已恢复。请启动服务器。"))
    if before is not None:
        _say(tr("原来的数据在 {folder}。", folder=before))
    return 0


def enrol_code(arguments: Sequence[str]) -> int:
    """Print a one-time enrolment code."""
    parser = _parser("enrol-code", "Print a one-time enrolment code (登记码).")
    parser.add_argument("--hall", default="", help="id of the hall")
    parser.add_argument("--name", default="", help="name of the window or room")
    parser.add_argument("--device", default="", metavar="ID", help="for this device, that lost its certificate")
    options = parser.parse_args(arguments)
    from server_stub.seeding import CONSOLE
    from server_stub.services import opened

    with opened(_config(options)) as services:
        devices = services.devices
        again = options.device and devices.again_code(CONSOLE, options.device)
        _say((again or devices.new_code(CONSOLE, options.hall, options.name)).secret)
    return 0


def add_person(arguments: Sequence[str]) -> int:
    """Add a person with a role: how the first administrators come to be."""
    parser = _parser("add-person", "Add a person with a role and print the one-time password (新增人员).")
    parser.add_argument("--login", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--role", required=True)
    parser.add_argument("--hall", default="")
    parser.add_argument("--department", default="")
    options = parser.parse_args(arguments)
    from server_stub.seeding import CONSOLE
    from server_stub.services import opened

    with opened(_config(options)) as services:
        made = services.people.create(CONSOLE, options.login, options.name, options.hall, options.department)
        services.people.grant(CONSOLE, made.id, options.role)
        _say(made.secret)
    return 0


def reset_password(arguments: Sequence[str]) -> int:
    """Print a new one-time password; the only way for an administrator's."""
    parser = _parser("reset-password", "Reset a password, also an administrator's, and print it (重置密码).")
    parser.add_argument("--login", required=True)
    options = parser.parse_args(arguments)
    from server_stub.seeding import CONSOLE
    from server_stub.services import opened

    with opened(_config(options)) as services:
        _say(services.people.reset_password(CONSOLE, services.people.id_of(options.login)).secret)
    return 0


def reset_second_factor(arguments: Sequence[str]) -> int:
    """Ask a person for no one-time code any more; the only way when every security administrator has lost theirs."""
    parser = _parser("reset-second-factor", "Remove a person's second factor, for a lost telephone (停用动态口令).")
    parser.add_argument("--login", required=True)
    options = parser.parse_args(arguments)
    from server_stub.seeding import CONSOLE
    from server_stub.services import opened

    with opened(_config(options)) as services:
        services.ways_in.remove_second_factor(CONSOLE, services.people.id_of(options.login))
    return 0


def rotate_key(arguments: Sequence[str]) -> int:
    """Let the server's next key become its key; clients have known it since they last said hello."""
    parser = _parser("rotate-key", "Use the announced next TLS key from the next start on (更换服务器密钥).")
    options = parser.parse_args(arguments)
    from server_stub import tls

    tls.rotate(_config(options).data / "tls")
    return 0


def audit_log(arguments: Sequence[str]) -> int:
    """Prove the audit chain, write it out, and hold it against what was written out before."""
    parser = _parser(
        "audit",
        "Prove the audit chain (审计日志): by itself, and against the heads that were signed. "
        "Exit status 1 names the first record that is not as it was.",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write it as JSON lines with a signed last line (导出)"
    )
    parser.add_argument(
        "--against", type=Path, metavar="FILE", help="an earlier export, or a file of signed heads (比对以前导出的文件)"
    )
    options = parser.parse_args(arguments)
    config = _config(options)
    from server_stub import audit_proof
    from server_stub.database import Database
    from server_stub.services import opened

    database = Database(config.url)
    try:
        database.must_exist()
    finally:
        database.close()
    with opened(config) as services:
        verdict = services.audit.verify()
        if verdict.broken_at is None and options.against:
            with options.against.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
                verdict = services.audit.against(file)
        if options.out:
            with options.out.open("w", encoding="utf-8", newline="\n") as file:
                services.audit.write(file)
        _say(audit_proof.words(verdict))
        _say(f"key {services.identity.public_key.hex()}")
    return 1 if verdict.broken_at is not None else 0


def prove(arguments: Sequence[str]) -> int:
    """Prove an exported audit file by itself, on any machine."""
    parser = argparse.ArgumentParser(
        prog="python -m server_stub prove",
        description="Prove an exported audit file (校验导出的审计文件); no server and no database are needed.",
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--key", default="", help="the server's key in hexadecimal, as the command audit prints it")
    options = parser.parse_args(arguments)
    from server_stub import audit_proof

    with options.file.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        verdict, key = audit_proof.prove_file(file, bytes.fromhex(options.key) if options.key else None)
    _say(audit_proof.words(verdict))
    if key:
        _say(f"key {key}")
    return 1 if verdict.broken_at is not None else 0


def check_files(arguments: Sequence[str]) -> int:
    """Read every page and file that the server keeps, and name those that are not what they were."""
    parser = _parser(
        "check-files",
        "Read all pages and files (核对扫描件和附件); the server may be running. Exit status 1 names what is damaged.",
    )
    config = _config(parser.parse_args(arguments))
    from server_stub.blobs.files import SealedFiles, damaged_in
    from server_stub.database import Database

    database = Database(config.url, config.master_key)
    try:
        database.must_exist()
        database.unlock()
        damaged = damaged_in(config.data / "files", SealedFiles(database.sealing))
    finally:
        database.close()
    for name in damaged:
        _say(tr("已损坏或被改动：{name}", name=name))
    _say(tr("核对完毕，{n} 份有问题。", n=len(damaged)) if damaged else tr("核对完毕，全部完好。"))
    return 1 if damaged else 0


def rekey(arguments: Sequence[str]) -> int:
    """Seal everything anew under a new data key, or wrap the data keys by a new master key."""
    parser = _parser(
        "rekey",
        "Seal everything anew under a new data key (更换数据密钥); the server may be running. "
        "Cut off, --go-on does the rest. --master changes the master key instead (更换主密钥); stop the server before.",
    )
    parser.add_argument("--go-on", action="store_true", help="make no new key: seal what is still under an old one")
    parser.add_argument("--master", action="store_true", help="a new master key in the place of the old one")
    options = parser.parse_args(arguments)
    config = _config(options)
    from modules.common.clock import SystemClock
    from server_stub import keyring, rekeying
    from server_stub.blobs.files import SealedFiles, seal_anew
    from server_stub.database import Database

    database = Database(config.url, config.master_key)
    try:
        database.must_exist()
        database.upgrade()
        if options.master:
            keyring.change_master(database.engine, config.master_key)
            _say(str(config.master_key))
            return 0
        if not options.go_on:
            rekeying.begin(database, keyring.read_master(config.master_key), SystemClock().now())
        rows = rekeying.seal_anew(database)
        count = seal_anew(config.data / "files", SealedFiles(database.sealing))
        _say(tr("已用新密钥重新封存 {n} 行、{m} 个文件。", n=rows, m=count))
    finally:
        database.close()
    return 0


def documents(arguments: Sequence[str]) -> int:
    """Print documents, opened: one JSON array for each kind that a line of standard input names."""
    parser = _parser(
        "documents",
        "Print the documents of the kinds that standard input names, line by line, each answer one line of JSON "
        "(导出业务数据, personal data in clear; recorded in the audit log).",
    )
    options = parser.parse_args(arguments)
    from server_stub.seeding import CONSOLE
    from server_stub.services import opened

    with opened(_config(options)) as services:
        for line in sys.stdin:
            _say(json.dumps(services.commands.dump(line.strip(), CONSOLE), ensure_ascii=False))
    return 0


def openapi(arguments: Sequence[str]) -> int:
    """Print the OpenAPI description."""
    argparse.ArgumentParser(
        prog="python -m server_stub openapi", description="Print the OpenAPI description."
    ).parse_args(arguments)
    import tempfile

    from server_stub.app import create_app
    from server_stub.services import opened

    with tempfile.TemporaryDirectory() as folder, opened(Config(Path(folder))) as services:
        _say(json.dumps(create_app(services).openapi(), ensure_ascii=False, indent=2))
    return 0


def access(arguments: Sequence[str]) -> int:
    """Print who may ask which address."""
    argparse.ArgumentParser(
        prog="python -m server_stub access", description="Print who may ask what (访问矩阵)."
    ).parse_args(arguments)
    import tempfile

    from server_stub.access import table
    from server_stub.app import create_app
    from server_stub.services import opened

    with tempfile.TemporaryDirectory() as folder, opened(Config(Path(folder))) as services:
        sys.stdout.write(table(create_app(services), services.guard))
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "backup": backup,
    "backup-key": backup_key,
    "restore": restore,
    "rekey": rekey,
    "check-files": check_files,
    "enrol-code": enrol_code,
    "add-person": add_person,
    "reset-password": reset_password,
    "reset-second-factor": reset_second_factor,
    "rotate-key": rotate_key,
    "audit": audit_log,
    "prove": prove,
    "documents": documents,
    "openapi": openapi,
    "access": access,
}


def main(arguments: Sequence[str]) -> int:
    """Do what the first argument names; without a name, serve. Errors for people go to stderr, exit status 2."""
    command = COMMANDS.get(arguments[0]) if arguments else None
    # database, backups, logs and one-time codes are for the owner alone
    before = os.umask(0o077)
    try:
        return command(arguments[1:]) if command else serve(arguments)
    except GovDeskError as error:
        sys.stderr.write(error.sentence() + "\n")
        return 2
    finally:
        os.umask(before)


if __name__ == "__main__":
    forbid_core_dumps()
    sys.exit(main(sys.argv[1:]))
