"""The provincial catalogue (省级事项库), pulled at least once a day (E8): its protocol, its words in ours, its news.

The protocol is in ``docs/province-protocol.md``. What comes is believed only under the province's signature; each
change is taken by itself and may be taken again, and the place in the feed moves on page by page: whatever breaks,
nothing is lost or half done. What was edited here stays (``item_conflicts.merge``). Codes: ACC-170 a pull is
running, 171 not connected, 172 out of reach, 173 too slow, 174 the province's own error, 175 its signature, 176 not
understood, 177 an item not understood, 178 an item to be completed here, 179 a contradiction to what was decided here.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Depends

from modules.acceptance.domain.item_conflicts import (
    CONFLICT_KIND,
    DROP,
    NOTE,
    OPEN,
    PULL_ID,
    PULL_KIND,
    RAISE,
    base_for,
    merge,
)
from modules.acceptance.domain.items import (
    DRAFT,
    IMPORT,
    KIND,
    MAY_KEEP,
    PLAIN_FORM,
    PROVINCE,
    PUBLISHED,
    SUPERSEDE,
    WITHDRAW,
    WITHDRAWN,
    base_of,
    blank_item,
    blank_material,
    check_item,
    differing,
    first_id,
    provincial,
    put,
    shape_faults,
    state_of,
    version_id,
)
from modules.common.aggregate import Doc
from modules.common.clock import Clock, iso, parse_iso
from modules.common.errors import GovDeskError, Refusal, Refused
from modules.common.gm import hmac_sm3, sm3
from modules.common.permissions import SYSTEM
from modules.common.server_ports import Caller, ServerServices
from modules.common.text import tr

PAGE = 100
ANSWER_SECONDS = 15.0
LARGEST_ANSWER = 32 * 2**20
AGAIN = timedelta(hours=20)
"""After a good pull: with the job's own period this is at least once a day."""
RETRY = timedelta(minutes=30)
"""After a failed one."""
SLICE_SECONDS = 20.0
"""What one run takes at most; the next goes on where it stopped."""
MOST_FAULTS = 500
_UNSTORABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")

_TYPES = {
    "01": "行政许可", "02": "行政处罚", "03": "行政强制", "04": "行政征收", "05": "行政给付", "06": "行政检查",
    "07": "行政确认", "08": "行政奖励", "09": "行政裁决", "10": "其他行政权力", "20": "公共服务",
}  # fmt: skip
_LEVELS = {"1": "国家级", "2": "省级", "3": "市级", "4": "县级", "5": "镇（乡、街道）级", "6": "村（社区）级"}
_NATURES = {"1": "法定机关", "2": "授权组织", "3": "受委托组织"}
_KINDS = {"1": "即办件", "2": "承诺件", "3": "联办件"}
_APPLY = {"1": "原件预审", "2": "原件核验", "3": "全程网办"}
_AUDIENCES = {"1": "person", "2": "firm"}
_CHANNELS = {"1": "窗口办理", "2": "网上办理", "3": "自助办理", "4": "快递申请", "5": "上门办理"}
_REGIONS = {"1": "全国", "2": "跨省", "3": "全省", "4": "全市", "5": "全县", "6": "仅本地"}
_MATERIAL_TYPES = {"1": "原件", "2": "复印件", "3": "原件和复印件", "4": "表格", "5": "电子"}
_SOURCES = {"10": "申请人自备", "20": "政府部门核发", "30": "中介机构或其他单位出具", "40": "部门间核验"}


@dataclass(frozen=True, slots=True)
class TaskField:
    """A field of the provincial document and where ours is. ``codes``: theirs → ours; ``many``: a list of codes."""

    theirs: str
    ours: str
    type: type = str
    codes: Mapping[str, str] = field(default_factory=dict)
    many: bool = False


TASK_FIELDS = (
    TaskField("taskName", "name"),
    TaskField("shortName", "short_name"),
    TaskField("catalogCode", "elements.basic_code"),
    TaskField("taskType", "type", codes=_TYPES),
    TaskField("byLaw", "basis"),
    TaskField("useLevel", "elements.level", codes=_LEVELS),
    TaskField("authorityDivision", "elements.authority"),
    TaskField("useContent", "elements.exercise"),
    TaskField("deptName", "department"),
    TaskField("deptNature", "elements.implementer_nature", codes=_NATURES),
    TaskField("servObject", "audience", codes=_AUDIENCES, many=True),
    TaskField("projectType", "kind", codes=_KINDS),
    TaskField("anticipateDay", "statutory_days", int),
    TaskField("promiseDay", "promised_days", int),
    TaskField("specialProcedure", "expert_review", bool),
    TaskField("acceptCondition", "elements.conditions"),
    TaskField("intermediary", "elements.intermediary"),
    TaskField("handleFlow", "elements.process"),
    TaskField("reviewStandard", "elements.review_standard"),
    TaskField("limitNum", "elements.quantity_limit"),
    TaskField("resultName", "elements.result_name"),
    TaskField("resultSample", "elements.result_sample"),
    TaskField("handleForm", "elements.channels", codes=_CHANNELS, many=True),
    TaskField("spanScope", "elements.regions", codes=_REGIONS),
    TaskField("isSchedule", "elements.booking", bool),
    TaskField("isOnlinePay", "elements.online_payment", bool),
    TaskField("isExpress", "elements.delivery", bool),
    TaskField("runSystem", "elements.system"),
    TaskField("handlePlace", "elements.place"),
    TaskField("handleTime", "elements.hours"),
    TaskField("linkPhone", "elements.phone"),
    TaskField("supervisePhone", "elements.complaint_phone"),
    TaskField("applyForm", "form_of_application", codes=_APPLY),
    TaskField("limitSceneNum", "visits", int),
    TaskField("summary", "summary"),
)
MATERIAL_FIELDS = (
    TaskField("materialName", "name"),
    TaskField("materialType", "type", codes=_MATERIAL_TYPES),
    TaskField("isNeed", "required", bool),
    TaskField("isLack", "may_lack", bool),
    TaskField("lackDay", "lack_days", int),
    TaskField("lackResult", "lack_consequence"),
    TaskField("paperNum", "copies", int),
    TaskField("paperSpec", "spec"),
    TaskField("sourceType", "source", codes=_SOURCES),
    TaskField("isElectronic", "electronic", bool),
    TaskField("isShared", "shared", bool),
    TaskField("fillNote", "note"),
    TaskField("acceptStandard", "accept_standard"),
)
FEE_FIELDS = (
    TaskField("feeName", "name"),
    TaskField("feeStandard", "amount"),
    TaskField("unit", "unit"),
    TaskField("feeBasis", "basis"),
    TaskField("isFree", "free", bool),
)


# -- their words in ours ------------------------------------------------------------------------------


def mapped(task: Any, departments: Mapping[str, str]) -> dict[str, Any]:
    """A provincial document as the parts of an item that the province knows. ``departments``: name → id.

    Raises ``GovDeskError`` ACC-177 naming the field that is not understood.
    """
    if not isinstance(task, Mapping):
        raise _strange("item", task)
    sent: dict[str, Any] = {"code": _text(task, "taskCode")}
    for entry in TASK_FIELDS:
        if entry.theirs in task:
            put(sent, entry.ours, _value(task, entry))
    if sent.get("department") not in departments:
        raise GovDeskError("ACC-177", tr("本大厅没有叫“{name}”的部门。", name=str(sent.get("department"))[:60]))
    sent["department_id"] = departments[sent["department"]]
    joint = _rows(task, "jointDepts", str)
    if unknown := [name for name in joint if name not in departments]:
        raise GovDeskError("ACC-177", tr("本大厅没有叫“{name}”的部门。", name=unknown[0][:60]))
    sent["joint_departments"] = [departments[name] for name in joint]
    sent["materials"] = [_material(row) for row in _rows(task, "materials", dict)]
    sent["fees"] = [
        {entry.ours: _value(row, entry) for entry in FEE_FIELDS if entry.theirs in row}
        for row in _rows(task, "fees", dict)
    ]
    if faults := shape_faults(
        {**blank_item(), **sent, "elements": {**blank_item()["elements"], **sent.get("elements", {})}}
    ):
        raise GovDeskError("ACC-177", faults[0].words)
    return sent


def _material(row: Mapping[str, Any]) -> dict[str, Any]:
    known = {entry.ours: _value(row, entry) for entry in MATERIAL_FIELDS if entry.theirs in row}
    return {**blank_material(_text(row, "materialId")), **known, "review": _rows(row, "reviewPoints", str)}


def _strange(name: str, value: Any) -> GovDeskError:
    shown = json.dumps(value, ensure_ascii=False)[:60]
    return GovDeskError("ACC-177", tr("省级数据的 {field} 无法理解：{value}", field=name, value=shown))


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise _strange(name, value)
    return value


def _rows(row: Mapping[str, Any], name: str, kind: type) -> list[Any]:
    value = row.get(name) or []
    if not isinstance(value, list) or not all(isinstance(entry, kind) for entry in value):
        raise _strange(name, value)
    return value


def _value(row: Mapping[str, Any], entry: TaskField) -> Any:
    """A value of theirs as ours. They write 1 and 0 for yes and no, and codes as text."""
    value = row[entry.theirs]
    if entry.many:
        return [_coded(entry, one) for one in _rows(row, entry.theirs, str)]
    if entry.codes:
        return _coded(entry, value) if value not in (None, "") else ""
    if entry.type is bool:
        if value not in ("0", "1"):
            raise _strange(entry.theirs, value)
        return value == "1"
    if value is None:
        return "" if entry.type is str else None
    if type(value) is not entry.type:
        raise _strange(entry.theirs, value)
    return value


def _coded(entry: TaskField, value: Any) -> str:
    if not isinstance(value, str) or value not in entry.codes:
        raise _strange(entry.theirs, value)
    return entry.codes[value]


# -- the protocol -------------------------------------------------------------------------------------


class Province:
    """The catalogue's interface as a hall sees it. Every answer is checked before it is believed."""

    def __init__(self, url: str, app: str, key: str, clock: Clock) -> None:
        self._url = urlsplit(url)
        self._app = app
        self._key = key.encode()
        self._clock = clock

    def changes(self, since: int) -> dict[str, Any]:
        """A page of changes after ``since``. Raises ``GovDeskError`` ACC-172 … 176."""
        page = self._get(f"/api/v1/items/changes?since={since}&limit={PAGE}")
        rows = page.get("rows") if isinstance(page, dict) else None
        sound = (
            isinstance(rows, list)
            and len(rows) <= PAGE
            and all(isinstance(row, dict) and isinstance(row.get("taskCode"), str) for row in rows)
            and all(row.get("op") in ("U", "D") and type(row.get("seq")) is int for row in rows)
            and type(page.get("to")) is int
            and type(page.get("more")) is bool
            and page["to"] >= since
            and not (page["more"] and page["to"] == since)
        )
        if not sound:
            raise _garbage()
        return dict(page)

    def item(self, code: str) -> dict[str, Any] | None:
        """The newest change of one item, or None."""
        try:
            row = self._get(f"/api/v1/items/{quote(code, safe='')}")
        except GovDeskError as error:
            if error.code == "ACC-174" and "2003" in error.message:
                return None
            raise
        if not isinstance(row, dict) or row.get("op") not in ("U", "D") or row.get("taskCode") != code:
            raise _garbage()
        return row

    def _sign(self, *parts: str) -> str:
        return hmac_sm3(self._key, "\n".join(parts).encode()).hex()

    def _get(self, path: str) -> Any:
        target = self._url.path.rstrip("/") + path
        moment = str(round(self._clock.now().timestamp() * 1000))
        nonce = secrets.token_hex(16)
        headers = {
            "X-App-Id": self._app,
            "X-Timestamp": moment,
            "X-Nonce": nonce,
            "X-Sign": self._sign("GET", target, moment, nonce, sm3(b"").hex()),
        }
        status, body, sign = self._fetch(target, headers)
        wanted = self._sign(str(status), nonce, sm3(body).hex())
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise _garbage() from error
        if not isinstance(answer, dict):
            raise _garbage()
        result = str(answer.get("result", ""))
        if result in ("1001", "1002", "1003"):  # who does not know our key cannot sign for us
            raise _told(result, answer)
        if not hmac.compare_digest(wanted, sign.lower()):
            raise GovDeskError(
                "ACC-175", tr("省级接口回答的签名不对，没有采信。"), fix=tr("请核对密钥，或联系省级平台。")
            )
        if status != 200 or result != "0":
            raise _told(result, answer)
        return answer.get("data")

    def _fetch(self, target: str, headers: Mapping[str, str]) -> tuple[int, bytes, str]:
        """Status, body and signature; the whole answer within ``ANSWER_SECONDS``, however slowly it trickles."""
        kind = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        until = self._clock.monotonic() + ANSWER_SECONDS
        try:
            connection = kind(self._url.hostname or "", self._url.port, timeout=ANSWER_SECONDS)
            try:
                connection.request("GET", target, headers=dict(headers))
                answer = connection.getresponse()
                body = b""
                while block := answer.read1(2**16):
                    body += block
                    if len(body) > LARGEST_ANSWER:
                        raise _garbage()
                    if self._clock.monotonic() > until:
                        raise TimeoutError
                return answer.status, body, answer.headers.get("X-Sign", "")
            finally:
                connection.close()
        except TimeoutError as error:
            fix = tr("下次自动再试，已同步的不受影响。")
            raise GovDeskError(
                "ACC-173", tr("省级接口 {n} 秒内没有答完。", n=round(ANSWER_SECONDS)), fix=fix
            ) from error
        except (OSError, HTTPException, ValueError) as error:
            fix = tr("下次自动再试，已同步的不受影响。")
            raise GovDeskError("ACC-172", tr("连不上省级接口（{why}）。", why=type(error).__name__), fix=fix) from error


def _plain(text: str) -> str:
    """Words of theirs as they can be stored and asked for again: what the note of a pull could not hold would stop
    every pull to come."""
    return _UNSTORABLE.sub("\ufffd", text)[:500]


def _garbage() -> GovDeskError:
    return GovDeskError("ACC-176", tr("省级接口的回答无法理解，没有采信。"), fix=tr("请联系省级平台。"))


def _told(result: str, answer: Mapping[str, Any]) -> GovDeskError:
    words = str(answer.get("message", ""))[:200]
    return GovDeskError("ACC-174", tr("省级接口拒绝了：{words}（{result}）。", words=words, result=result))


# -- taking the news ----------------------------------------------------------------------------------

_running = threading.Lock()


def province_of(services: ServerServices) -> Province | None:
    """The catalogue that the operator has connected, or None."""
    url, app, key = (services.setting(f"province_{name}") for name in ("url", "app", "key"))
    return Province(url, app, key, services.clock) if url and app and key else None


def pull(services: ServerServices) -> None:
    """The job: pull when it is time. It is due soon after a start, too, so that a restart a day skips no day."""
    province = province_of(services)
    if province is None:
        return
    last = services.commands.get(PULL_KIND, PULL_ID) or {}
    if last and not last.get("more"):
        wait = RETRY if last.get("error") else AGAIN
        if services.clock.now() - parse_iso(last["finished_at"]) < wait:
            return
    synchronise(services, province)


def synchronise(services: ServerServices, province: Province, seconds: float = SLICE_SECONDS) -> Doc:
    """Take what the province has new, for about ``seconds``; how it went. Raises ``GovDeskError`` ACC-170."""
    if not _running.acquire(blocking=False):
        raise Refused(Refusal("ACC-170", tr("正在同步，请稍后查看结果。")))
    try:
        return _Pull(services, province).run(seconds)
    finally:
        _running.release()


class _Pull:
    """One run: where it is in the feed, what came of each change, and what the items are now."""

    def __init__(self, services: ServerServices, province: Province) -> None:
        self._services = services
        self._commands = services.commands
        self._province = province
        self._note: dict[str, Any] = dict(self._commands.get(PULL_KIND, PULL_ID) or {})
        self._started = iso(services.clock.now())
        self._counts: Counter[str] = Counter()
        self._faults: dict[str, dict[str, str]] = {}
        self._versions: defaultdict[str, list[Doc]] = defaultdict(list)
        self._departments: dict[str, str] = {}

    def run(self, seconds: float) -> Doc:
        until = self._services.clock.monotonic() + seconds
        error: GovDeskError | None = None
        more = True
        self._faults = {fault["code"]: fault for fault in self._note.get("faults", [])}
        cursor = int(self._note.get("cursor", 0))
        try:
            self._look_round()
            self._try_again()
            while more and self._services.clock.monotonic() < until:
                page = self._page(cursor)
                for row in page["rows"]:
                    self._take(row)
                cursor, more = page["to"], page["more"]
                self._tell(cursor, more, None)
        except GovDeskError as failure:
            error = failure
        self._tell(cursor, more and error is None, error)
        return self._commands.get(PULL_KIND, PULL_ID) or {}

    def _page(self, cursor: int) -> dict[str, Any]:
        try:
            return self._province.changes(cursor)
        except GovDeskError as error:
            if error.code == "ACC-174" and "2002" in error.message:
                # another history than the one pulled before: all of it is compared anew
                return self._province.changes(0)
            raise

    def _look_round(self) -> None:
        for item in self._all(KIND):
            self._versions[item["code"]].append(item)
        self._departments = {
            organisation["name"]: organisation["id"]
            for organisation in self._all("organisation")
            if organisation.get("kind") == "department"
        }

    def _all(self, kind: str) -> Iterator[Doc]:
        after = ""
        while found := self._commands.find(kind, after=after, limit=500):
            yield from found
            after = found[-1]["id"]

    def _try_again(self) -> None:
        """What was not understood may be by now: a department was added here, or the province has mended it."""
        for code in [code for code, fault in self._faults.items() if fault["error"] == "ACC-177"]:
            if row := self._province.item(code):
                self._take(row)

    def _tell(self, cursor: int, more: bool, error: GovDeskError | None) -> None:
        now = iso(self._services.clock.now())
        note = {
            "cursor": cursor,
            "more": more,
            "started_at": self._started,
            "finished_at": now,
            "succeeded_at": self._note.get("succeeded_at", "") if error or more else now,
            "counts": dict(self._counts),
            "faults": list(self._faults.values())[:MOST_FAULTS],
            "error": {"code": error.code, "message": _plain(error.words())} if error else None,
        }
        self._commands.give(PULL_KIND, PULL_ID, NOTE, note)

    def _take(self, row: Mapping[str, Any]) -> None:
        """Take one change. What is wrong with it is told with its code, and keeps no other from being taken."""
        code = _plain(row["taskCode"])
        try:
            outcome = self._withdrawn(row) if row["op"] == "D" else self._changed(row)
        except GovDeskError as error:
            self._faults.pop(code, None)
            name = row["item"].get("taskName") if isinstance(row.get("item"), Mapping) else ""
            why = _plain(error.words())
            self._faults[code] = {"code": code, "name": _plain(str(name)[:80]), "error": error.code, "why": why}
            self._counts["faulty"] += 1
        else:
            self._faults.pop(code, None)
            self._counts[outcome] += 1

    def _give(self, kind: str, id: str, type: str, body: Mapping[str, Any]) -> None:
        self._commands.give(kind, id, type, body)
        if kind == KIND and (doc := self._commands.get(kind, id)):
            versions = self._versions[doc["code"]]
            versions[:] = [*(item for item in versions if item["id"] != id), doc]

    def _withdrawn(self, row: Mapping[str, Any]) -> str:
        base = base_for(self._versions[row["taskCode"]])
        if base is None or state_of(base) != PUBLISHED:
            return "unchanged"
        if base.get("origin") != PROVINCE:
            raise GovDeskError("ACC-179", tr("省里已取消“{name}”，本地自建的事项照旧办理，请核对。", name=base["name"]))
        # what is written into a record stays as it was written: no tr
        reason = f"省级事项库已取消：{str(row.get('reason') or '未说明原因')[:400]}"
        self._give(KIND, base["id"], WITHDRAW, {"reason": reason})
        self._drop_conflict(base, "省级事项库已取消")
        return "withdrawn"

    def _drop_conflict(self, base: Doc, reason: str) -> None:
        open_one = self._commands.get(CONFLICT_KIND, base_of(base["id"]))
        if open_one and open_one["state"] == OPEN:
            self._give(CONFLICT_KIND, open_one["id"], DROP, {"reason": reason})

    def _changed(self, row: Mapping[str, Any]) -> str:
        sent = mapped(row.get("item"), self._departments)
        if sent["code"] != row["taskCode"]:
            raise _strange("taskCode", sent["code"])
        number = row["item"].get("taskVersion")
        if type(number) is not int:
            raise _strange("taskVersion", number)
        versions = self._versions[sent["code"]]
        base = base_for(versions)
        if base is None:
            blank = blank_item()
            item = {**blank, **sent, "elements": {**blank["elements"], **sent["elements"]}, "form": PLAIN_FORM}
            return self._add(first_id(sent["code"]), item, {}, number, None)
        merged = merge(base, sent)
        if not differing(provincial(base), merged.news):
            self._drop_conflict(base, "省级已改回")
            return "unchanged"
        if state_of(base) == WITHDRAWN and base.get("withdrawn_by", {}).get("id") != SYSTEM.id:
            raise GovDeskError(
                "ACC-179", tr("“{name}”在本地已停止办理，省级有新内容，没有采用，请核对。", name=base["name"])
            )
        if merged.conflicts:
            return self._raise(base, merged.item, merged.news, merged.conflicts, number)
        self._drop_conflict(base, "省级又有新版本，已无冲突")
        newest = max(versions, key=lambda item: item["version"])
        return self._add(
            version_id(newest["id"], newest["version"] + 1), merged.item, merged.overridden, number, newest
        )

    def _add(self, id: str, item: Mapping[str, Any], kept: Mapping[str, Any], number: int, newest: Doc | None) -> str:
        """A new version, in force at once when it is complete; the ones before it are superseded."""
        faults = check_item(item)
        state = DRAFT if faults else PUBLISHED
        body = {**item, "origin": PROVINCE, "origin_version": number, "overridden": dict(kept)}
        previous = newest["id"] if newest else ""
        self._give(KIND, id, IMPORT, {"item": body, "previous": previous, "state": state})
        if faults:
            why = tr("已存为草稿，还有 {n} 处要在本地补充：{first}", n=len(faults), first=faults[0].words)
            raise GovDeskError("ACC-178", why)
        for older in list(self._versions[item["code"]]):
            if older["id"] != id and state_of(older) == PUBLISHED:
                self._give(KIND, older["id"], SUPERSEDE, {"by": id})
        return "changed" if newest else "new"

    def _raise(self, base: Doc, item: Doc, news: Doc, paths: list[str], number: int) -> str:
        id = base_of(base["id"])
        known = self._commands.get(CONFLICT_KIND, id)
        if known and known["province_version"] >= number:
            return "conflict" if known["state"] == OPEN else "unchanged"
        body = {
            "item_id": base["id"],
            "code": base["code"],
            "name": base["name"],
            "department": base["department"],
            "department_id": base["department_id"],
            "province_version": number,
            "merged": dict(item),
            "news": dict(news),
            "paths": paths,
        }
        self._give(CONFLICT_KIND, id, RAISE, body)
        return "conflict"


# -- the routes ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PullStatus:
    """How the last pull went. ``connected``: whether the operator has set a province up at all."""

    connected: bool
    running: bool
    last: dict[str, Any] | None


def router(services: ServerServices) -> APIRouter:
    """``GET province/status`` and ``POST province/pull``."""
    router = APIRouter()
    keep = Depends(services.require(MAY_KEEP))

    def status() -> PullStatus:
        last = services.commands.get(PULL_KIND, PULL_ID)
        return PullStatus(province_of(services) is not None, _running.locked(), dict(last) if last else None)

    @router.get("/province/status")
    def province_status(caller: Caller = keep) -> PullStatus:
        """Whether it is connected, and how the last pull went."""
        return status()

    @router.post("/province/pull")
    def province_pull(caller: Caller = keep) -> PullStatus:
        """Pull now, for one slice of time; the job goes on with the rest."""
        province = province_of(services)
        if province is None:
            why = tr("还没有接入省级事项库。")
            raise GovDeskError(
                "ACC-171", why, fix=tr("请系统管理员在 server.toml 里填写 province_url、province_app 和 province_key。")
            )
        synchronise(services, province)
        return status()

    return router
