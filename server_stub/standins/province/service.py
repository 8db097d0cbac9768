"""The provincial catalogue: a log of changes, and the HTTP service that hands it out, signed."""

from __future__ import annotations

import hmac
import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from modules.common.gm import hmac_sm3, sm3

SEEDS = Path(__file__).with_name("items.json")
MOST_ROWS = 200
SKEW_MS = 5 * 60 * 1000
MODES = ("normal", "slow", "down", "unsigned", "garbage")
LARGEST_BODY = 2**20


def signature(key: str, *parts: str) -> str:
    """HMAC-SM3 over the parts, one per line, as hexadecimal text."""
    return hmac_sm3(key.encode(), "\n".join(parts).encode()).hex()


class Trouble(Exception):
    """An error of the protocol: HTTP status, ``result`` code and words."""

    def __init__(self, status: int, result: str, message: str) -> None:
        super().__init__(message)
        self.status, self.result, self.message = status, result, message


class Catalogue:
    """Tasks by code and the log of their changes, kept in ``changes.jsonl``: appended to, and read at the start."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "changes.jsonl"
        self._lock = threading.Lock()
        self._rows: dict[str, dict[str, Any]] = {}
        self.head = 0
        if self._path.exists():
            for line in self._path.read_text("utf-8").splitlines():
                self._remember(json.loads(line))
        else:
            self.put_all(json.loads(SEEDS.read_text("utf-8")))

    def _remember(self, row: dict[str, Any]) -> None:
        # a code keeps its newest change alone, at its new place
        self._rows.pop(row["taskCode"], None)
        self._rows[row["taskCode"]] = row
        self.head = row["seq"]

    def put_all(self, tasks: list[dict[str, Any]]) -> None:
        """New and changed tasks; fields that are not given stay as they were."""
        with self._lock, self._path.open("a", encoding="utf-8") as log:
            for task in tasks:
                old = self._rows.get(task["taskCode"], {})
                version = (old.get("item") or {}).get("taskVersion", 0) + 1
                item = {**(old.get("item") or {}), **task, "taskVersion": version}
                row = {"seq": self.head + 1, "op": "U", "taskCode": task["taskCode"], "item": item, "reason": ""}
                log.write(json.dumps(row, ensure_ascii=False) + "\n")
                self._remember(row)

    def withdraw(self, code: str, reason: str) -> None:
        """Take a task out of the catalogue. Raises ``KeyError``."""
        with self._lock, self._path.open("a", encoding="utf-8") as log:
            row = {**self._rows[code], "seq": self.head + 1, "op": "D", "reason": reason}
            log.write(json.dumps(row, ensure_ascii=False) + "\n")
            self._remember(row)

    def changes(self, since: int, limit: int) -> dict[str, Any]:
        """The changes after ``since``, at most ``limit``, each code once."""
        with self._lock:
            found = [row for row in self._rows.values() if row["seq"] > since]
            head = self.head
        rows = [{**row, "item": row["item"] if row["op"] == "U" else None} for row in found[:limit]]
        more = len(found) > limit
        return {"since": since, "to": rows[-1]["seq"] if more else head, "head": head, "more": more, "rows": rows}

    def item(self, code: str) -> dict[str, Any] | None:
        """A task's newest change."""
        with self._lock:
            return self._rows.get(code)


class ProvinceServer(ThreadingHTTPServer):
    """Serves a catalogue to one application and to an administrator who shows things."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], catalogue: Catalogue, apps: Mapping[str, str], admin: str) -> None:
        super().__init__(address, _Handler)
        self.catalogue, self.apps, self.admin = catalogue, apps, admin
        self.mode, self.seconds = "normal", 0.0
        self._nonces: dict[str, int] = {}
        self._lock = threading.Lock()

    def spend(self, nonce: str, now: int) -> bool:
        """Whether a nonce is used for the first time within the time that signatures hold."""
        with self._lock:
            self._nonces = {used: at for used, at in self._nonces.items() if now - at <= 2 * SKEW_MS}
            return self._nonces.setdefault(nonce, now) == now and bool(nonce)


class _Handler(BaseHTTPRequestHandler):
    server: ProvinceServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: what is asked is in the client's own log."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(min(length, LARGEST_BODY))
        url = urlsplit(self.path)
        try:
            if url.path.startswith("/admin/"):
                data = self._administer(url.path, body)
            else:
                self._authenticate(body)
                if self.server.mode == "down":
                    raise Trouble(503, "5003", "系统维护中")
                data = self._answer(url.path, parse_qs(url.query))
            self._send(200, {"result": "0", "message": "成功", "data": data})
        except Trouble as trouble:
            self._send(trouble.status, {"result": trouble.result, "message": trouble.message, "data": None})

    def _authenticate(self, body: bytes) -> None:
        app, moment, nonce, sign = (
            self.headers.get(f"X-{name}", "") for name in ("App-Id", "Timestamp", "Nonce", "Sign")
        )
        key = self.server.apps.get(app)
        if key is None:
            raise Trouble(401, "1001", "应用标识不存在")
        wanted = signature(key, self.command, self.path, moment, nonce, sm3(body).hex())
        if not hmac.compare_digest(wanted, sign.lower()):
            raise Trouble(401, "1002", "签名不正确")
        now = round(time.time() * 1000)
        if not moment.isdigit() or abs(now - int(moment)) > SKEW_MS:
            raise Trouble(401, "1003", "时间戳与服务器相差超过 5 分钟")
        if not self.server.spend(nonce, now):
            raise Trouble(401, "1004", "请求重复")

    def _answer(self, path: str, query: Mapping[str, list[str]]) -> Any:
        if path == "/api/v1/items/changes":
            since, limit = _number(query, "since", 0), _number(query, "limit", 100)
            if not 1 <= limit <= MOST_ROWS:
                raise Trouble(400, "2001", f"limit 应为 1 到 {MOST_ROWS}")
            if since > self.server.catalogue.head:
                raise Trouble(409, "2002", "since 超过最新版本，请从 0 重新拉取")
            return self.server.catalogue.changes(since, limit)
        if path.startswith("/api/v1/items/"):
            row = self.server.catalogue.item(unquote(path.rpartition("/")[2]))
            if row is None:
                raise Trouble(404, "2003", "没有这个事项")
            return row
        raise Trouble(404, "2004", "没有这个接口")

    def _administer(self, path: str, body: bytes) -> Any:
        if not hmac.compare_digest(self.headers.get("Authorization", ""), f"Bearer {self.server.admin}"):
            raise Trouble(401, "1001", "需要管理口令")
        try:
            asked = json.loads(body or b"{}")
            match path.strip("/").split("/"):
                case ["admin", "items"]:
                    self.server.catalogue.put_all(asked if isinstance(asked, list) else [asked])
                case ["admin", "items", code, "withdraw"]:
                    self.server.catalogue.withdraw(unquote(code), str(asked.get("reason", "")))
                case ["admin", "mode"] if asked["mode"] in MODES:
                    self.server.mode, self.server.seconds = asked["mode"], float(asked.get("seconds", 0))
                case _:
                    raise Trouble(404, "2004", "没有这个接口")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Trouble(400, "2001", "参数不正确") from error
        return {"head": self.server.catalogue.head}

    def _send(self, status: int, answer: Mapping[str, Any]) -> None:
        body = json.dumps(answer, ensure_ascii=False).encode()
        api = not self.path.startswith("/admin/")
        if api and self.server.mode == "garbage":
            body = "<html>网关超时</html>".encode()
        if api and self.server.mode == "slow":
            time.sleep(self.server.seconds)
        key = self.server.apps.get(self.headers.get("X-App-Id", ""), "")
        sign = signature(key, str(status), self.headers.get("X-Nonce", ""), sm3(body).hex())
        if self.server.mode == "unsigned":
            sign = sign[::-1]
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Sign", sign)
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            self.close_connection = True


def _number(query: Mapping[str, list[str]], name: str, default: int) -> int:
    text = query.get(name, [str(default)])[0]
    if not text.isdigit():
        raise Trouble(400, "2001", f"{name} 应为非负整数")
    return int(text)
