"""A server side for the people pages: keeps people, devices and a short audit chain in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modules.common.errors import GovDeskError

AT = "2026-11-20T02:24:00.000Z"


def person(login: str, name: str, *roles: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"p-{login}",
        "login": login,
        "name": name,
        "hall_id": "hall-1",
        "department_id": "",
        "roles": list(roles),
        "admin_kind": "",
        "enabled": True,
        "must_change_password": False,
        "created_at": AT,
        **more,
    }


def ways_in(**more: Any) -> dict[str, Any]:
    return {
        "last": {},
        "must_change_password": False,
        "totp": False,
        "totp_required": "",
        "totp_at": "",
        "totp_used_at": "",
        "recovery_left": 0,
        "certificates": [],
        "identities": [],
        "sessions": 0,
        **more,
    }


def certificate(subject: str, **more: Any) -> dict[str, Any]:
    name = f"{abs(hash(subject)):064x}"
    times = {"not_after": "2028-11-20T02:24:00.000Z", "bound_at": AT, "revoked_at": "", "used_at": AT}
    return {"fingerprint": name, "subject": subject, **times, **more}


class FakeServer:
    """Answers like the real one, in its words and codes."""

    def __init__(self) -> None:
        self.trouble: GovDeskError | None = None
        self.people = [
            person("anquan", "郑安全", "secadmin", hall_id=""),
            person("lisi", "李四", "clerk", enabled=False),
            person("wangwu", "王五", "officer", hall_id="", department_id="dept-market"),
            person("xinren", "钱新人", must_change_password=True),
            person("zhangsan", "张三", "clerk"),
        ]
        self.devices = [
            {"id": "d2", "name": "5号窗", "hall_id": "hall-1", "enrolled_at": AT, "revoked_at": ""},
            {"id": "d1", "name": "3号窗", "hall_id": "hall-1", "enrolled_at": AT, "revoked_at": AT},
        ]
        self.links = [
            {
                "seq": n, "at": AT, "action": "case.accept", "person": "p-zhangsan", "device": "d2",
                "subject": f"case:{n}", "detail": {"number": f"3411A-20261120-{n:06}"}, "hash": f"{n:064x}",
                "result": "refused" if n % 5 == 0 else "done", "name": "张三", "place": "3号窗",
            }
            for n in range(40, 30, -1)
        ]  # fmt: skip
        self.requests: list[dict[str, Any]] = []
        self.ways = {each["id"]: ways_in() for each in self.people}
        self.broken_at: int | None = None
        self.why = ""
        self.asked: list[tuple[str, Any]] = []

    def _of(self, path: str) -> dict[str, Any]:
        return next(each for each in self.people if each["id"] == path.split("/")[5])

    def get(self, path: str, **query: str) -> Any:
        self.asked.append((path, query))
        if self.trouble:
            raise self.trouble
        match path.removeprefix("/v1/m/people/"):
            case "people":
                found = [each for each in self.people if query["text"] in each["login"] + each["name"]]
                first = int(query["offset"])
                return {"total": len(found), "items": found[first : first + int(query["limit"])]}
            case "devices":
                return self.devices
            case "requests":
                return list(self.requests)
            case ways if ways.endswith("/ways-in"):
                return self.ways[path.split("/")[5]]
            case "audit":
                return {"more": query["before"] == "0", "items": self.links}
            case "audit/verify":
                return {"checked": 40, "broken_at": self.broken_at, "why": self.why, "signed": 38}
            case "audit/export":
                first = "after" not in query
                lines = ["one"] if first else ["two", "head"]
                return {"lines": lines, "until": 2, "after": 1 if first else 2, "more": first}
        raise AssertionError(path)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        self.asked.append((path, dict(body)))
        if self.trouble:
            raise self.trouble
        match path.split("/")[4:]:
            case ["people"]:
                if any(each["login"] == body["login"] for each in self.people):
                    raise GovDeskError("AUTH-022", "登录名已被使用。", fix="请换一个。")
                self.people.append(person(body["login"], body["name"], must_change_password=True))
                return {"secret": "Kx7-mPq2-vRt9", "expires_at": "", "id": f"p-{body['login']}"}
            case ["people", _, "enabled"]:
                self._of(path)["enabled"] = body["enabled"]
            case ["people", _, "reset-password"]:
                return {"secret": "Zt4-wNb8-hJk3", "expires_at": "", "id": self._of(path)["id"]}
            case ["people", _, "grant"]:
                if body["role"] == "auditadmin" and "secadmin" in self._of(path)["roles"]:
                    raise GovDeskError("AUTH-021", "三员互斥：此人已是安全管理员。", fix="请先收回原来的角色。")
                who = self._of(path)
                made = {"id": f"r{len(self.requests)}", "person_id": who["id"], "person": who["name"]}
                made |= {"role": body["role"], "reason": body["reason"], "asked_by_id": "p9", "asked_by": "吴系统"}
                self.requests.append({**made, "asked_at": AT, "until": AT})
                return {"id": made["id"]}
            case ["requests", request, "decision"]:
                each = next(each for each in self.requests if each["id"] == request)
                self.requests.remove(each)
                if body["agree"]:
                    self._of(f"/v1/m/people/people/{each['person_id']}/roles")["roles"].append(each["role"])
            case ["people", id, "certificates"]:
                if body["reason"] == "再来一次":
                    raise GovDeskError("AUTH-060", "此人的这一项已在等待复核。", fix="请等另一位。")
            case ["people", id, "certificates", "revoke"]:
                for each in self.ways[id]["certificates"]:
                    if each["fingerprint"] == body["fingerprint"]:
                        each["revoked_at"] = AT
            case ["people", id, "second-factor", "required"]:
                self.ways[id]["totp_required"] = "person" if body["required"] else ""
            case ["people", id, "second-factor", "remove"]:
                self.ways[id] |= {"totp": False, "totp_at": "", "totp_used_at": "", "sessions": 0}
            case ["people", id, "sign-out"]:
                self.ways[id]["sessions"] = 0
            case ["people", _, "revoke"]:
                self._of(path)["roles"].remove(body["role"])
            case ["devices", device, "revoke"]:
                next(each for each in self.devices if each["id"] == device)["revoked_at"] = AT
            case ["codes"] | ["devices", _, "code"]:
                return {"secret": "ABCD-EFGH.0123456789abcdef0123", "expires_at": "", "id": ""}
            case _:
                raise AssertionError(path)
        return None
