"""Backups: a consistent copy, read back before it is called one, and without the epoch (see ``identity``)."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

from sqlalchemy.engine import URL

from modules.common.errors import GovDeskError
from modules.common.text import tr
from server_stub import audit_proof
from server_stub.database import Database, copy_sqlite


def backup(database: Database, out: Path) -> None:
    """Write a verified backup to ``out``. Raises ``GovDeskError`` SRV-030 … 033; ``out`` is then as it was before."""
    database.must_exist()
    partial = out.with_name(out.name + ".partial")
    partial.unlink(missing_ok=True)
    try:
        if database.sqlite:
            _copy(Path(str(database.url.database)), partial)
        else:
            _dump(database.url, partial)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    copy_sqlite(source, target)
    connection = sqlite3.connect(target)
    try:
        connection.execute("DELETE FROM epoch")
        connection.commit()
        whole = connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        whole = whole and not connection.execute("PRAGMA foreign_key_check").fetchall()
    finally:
        connection.close()
    if not whole:
        raise GovDeskError("SRV-031", tr("备份校验未通过，未保存。"), fix=tr("请检查磁盘后重试。"))
    copy = Database(f"sqlite:///{target}")
    try:
        with copy.read() as session:
            verdict = audit_proof.verify(session)
    finally:
        copy.close()
    for suffix in ("-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    if verdict.broken_at is not None:
        raise GovDeskError("SRV-031", tr("备份中的审计日志在第 {seq} 条处断裂，未保存。", seq=verdict.broken_at))


def tool(name: str) -> str:
    """Where one of PostgreSQL's programs is. Raises SRV-032."""
    found = shutil.which(name) or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None
    )
    if found is None:
        raise GovDeskError(
            "SRV-032",
            tr("没有找到 {tool}。", tool=name),
            fix=tr("请安装 PostgreSQL 客户端工具，或在数据库服务器上备份。"),
        )
    return found


def _dump(url: URL, target: Path) -> None:
    # the password goes by the environment: a command line can be read by everyone on the machine
    environment = {**os.environ, "PGPASSWORD": url.password or ""}
    address = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    dump = [tool("pg_dump"), "--format=custom", "--exclude-table-data=epoch", f"--file={target}", address]
    for command in (dump, [tool("pg_restore"), "--list", str(target)]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise GovDeskError("SRV-033", tr("备份失败：{reason}", reason=done.stderr.strip()[-300:]))
