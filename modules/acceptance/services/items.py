"""What keepers of items (事项管理) do: drafts, versions, publishing, withdrawing, workbooks, the province's news.

Permissions are checked here and in the rules. Every method blocks; its lane is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from client.kernel.contract import Host
from client.kernel.ports import Commands, Record, Records, Server, Session
from modules.acceptance.domain.cases import KIND as CASE_KIND
from modules.acceptance.domain.cases import OVER, STATES
from modules.acceptance.domain.item_conflicts import CONFLICT_KIND, OPEN, PULL_ID, PULL_KIND, resolved
from modules.acceptance.domain.item_conflicts import DECIDE as DECIDE_CONFLICT
from modules.acceptance.domain.items import (
    CONTENT,
    CREATE,
    DRAFT,
    EDIT,
    IMPORT,
    KIND,
    MAY_KEEP,
    PROVINCE,
    PUBLISH,
    PUBLISHED,
    SUPERSEDE,
    WITHDRAW,
    blank_item,
    check_code,
    differing,
    first_id,
    parts,
    state_of,
    version_id,
)
from modules.acceptance.services import excel
from modules.common.aggregate import Doc
from modules.common.errors import GovDeskError, Refusal, Refused
from modules.common.permissions import forbidden
from modules.common.text import tr

MOST = 100_000
ORGANISATION = "organisation"
BASE = "/v1/m/acceptance/province"


@dataclass(frozen=True, slots=True)
class Shelf:
    """All versions of one item, newest first, and its open conflict with the province."""

    code: str
    versions: tuple[Doc, ...]
    conflict: Doc | None = None

    @property
    def shown(self) -> Doc:
        """The version that stands for the item: the newest ever published, else the draft."""
        return next((item for item in self.versions if state_of(item) != DRAFT), self.versions[0])

    @property
    def draft(self) -> Doc | None:
        """The newest version, while it is a draft."""
        return self.versions[0] if state_of(self.versions[0]) == DRAFT else None


@dataclass(frozen=True, slots=True)
class Imported:
    """What importing a workbook did."""

    done: int
    drafts: int


class ItemsService:
    """The use cases of 事项管理."""

    def __init__(self, records: Records, commands: Commands, session: Session, server: Server) -> None:
        self._records = records
        self._commands = commands
        self._session = session
        self._server = server

    # -- reading, lane ``read`` -----------------------------------------------------------------------

    def shelves(self, text: str = "") -> list[Shelf]:
        """The items that hold every word of ``text``, by department and name."""
        self._require()
        found: dict[str, list[Doc]] = {}
        for record in self._records.find(KIND, limit=MOST):
            found.setdefault(record.doc["code"], []).append(record.doc)
        open_ones = {
            record.doc["code"]: record.doc for record in self._records.find(CONFLICT_KIND, states=[OPEN], limit=MOST)
        }
        shelves = [
            Shelf(code, tuple(sorted(versions, key=lambda item: -int(item["version"]))), open_ones.get(code))
            for code, versions in found.items()
        ]
        if text.strip():
            wanted = {record.doc["code"] for record in self._records.find(KIND, text=text.strip(), limit=MOST)}
            shelves = [shelf for shelf in shelves if shelf.code in wanted]
        return sorted(shelves, key=lambda shelf: (shelf.shown["department"], shelf.shown["name"], shelf.code))

    def departments(self) -> dict[str, str]:
        """The departments: id → name."""
        self._require()
        found = (record.doc for record in self._records.find(ORGANISATION, limit=MOST))
        return {doc["id"]: doc["name"] for doc in found if doc.get("kind") == "department"}

    def open_cases(self, code: str) -> int:
        """How many cases under any version of an item are still worked on, as far as this device knows."""
        self._require()
        states = [state for state in STATES if state not in OVER]
        cases = (record.doc for record in self._records.find(CASE_KIND, states=states, limit=MOST))
        return sum(1 for case in cases if case["item"]["code"] == code)

    # -- changing, lane ``data`` ----------------------------------------------------------------------

    def create(self, code: str, name: str, source: Doc | None = None) -> Doc:
        """A new item's draft: blank, or a copy of ``source`` under its own code. Raises ``Refused``."""
        self._require()
        if why := check_code(code):
            raise Refused(Refusal("ACC-129", why, {"code": why}))
        if any(record.doc["code"] == code for record in self._records.find(KIND, limit=MOST)):
            why = tr("实施编码 {code} 已有事项。要改它请建立新版本。", code=code)
            raise Refused(Refusal("ACC-140", why, {"code": why}))
        item = {**(_content(source) if source else blank_item()), "code": code, "name": name}
        return self._give(first_id(code), CREATE, {"item": item, "previous": ""})

    def new_version(self, shelf: Shelf) -> Doc:
        """The draft of an item's next version, a copy of the one that stands for it; the draft there is, if any."""
        self._require()
        if shelf.draft is not None:
            return shelf.draft
        newest = shelf.versions[0]
        body = {"item": _content(shelf.shown), "previous": newest["id"]}
        return self._give(version_id(newest["id"], newest["version"] + 1), CREATE, body)

    def edit(self, id: str, changes: Mapping[str, Any]) -> Doc:
        """Change a draft, part by part. Raises ``Refused``."""
        self._require()
        return self._give(id, EDIT, {"changes": dict(changes)})

    def publish(self, draft: Doc) -> Doc:
        """Publish a draft; the version in force until now is superseded. Raises ``Refused`` naming what is missing."""
        self._require()
        before = [record.doc for record in self._records.find(KIND, limit=MOST) if record.doc["code"] == draft["code"]]
        if overtaken := [item for item in before if state_of(item) != DRAFT and item["version"] > draft["version"]]:
            newest = max(item["version"] for item in overtaken)
            why = tr("第 {version} 版已经发布，这份草稿过时了。请建立新版本。", version=newest)
            raise Refused(Refusal("ACC-141", why))
        published = self._give(draft["id"], PUBLISH, {})
        self._supersede(before, published)
        return published

    def withdraw(self, id: str, reason: str) -> Doc:
        """Accept nothing under an item any more; open cases go on. Raises ``Refused``."""
        self._require()
        return self._give(id, WITHDRAW, {"reason": reason})

    def apply(self, rows: Sequence[excel.Row], *, publish: bool, steps: excel.Steps) -> Imported:
        """Import what is right of a workbook, item by item; cancelled between two, what is done stays done."""
        self._require()
        drafts = 0
        for count, row in enumerate(rows):
            steps.check()
            steps.progress(count / len(rows), tr("导入第 {n} 项，共 {total} 项", n=count + 1, total=len(rows)))
            if row.previous is not None and state_of(row.previous) == DRAFT:
                news = parts(row.item)
                self._give(row.id, EDIT, {"changes": {path: news.get(path) for path in row.changes}})
                if publish:
                    self.publish({**row.item, "id": row.id, "version": row.previous["version"]})
            else:
                state = PUBLISHED if publish else DRAFT
                previous = row.previous["id"] if row.previous else ""
                made = self._give(row.id, IMPORT, {"item": dict(row.item), "previous": previous, "state": state})
                if publish and row.previous is not None:
                    self._supersede([row.previous], made)
            drafts += not publish
        return Imported(len(rows), drafts)

    def decide_conflict(self, conflict: Doc, choices: Mapping[str, str]) -> Doc:
        """Take the province's or keep ours, part by part: a new version, in force at once. Raises ``Refused``."""
        self._require()
        if set(choices) != set(conflict["paths"]):
            raise Refused(Refusal("ACC-142", tr("每一处冲突都要选定：用省级的，或保留本地的。")))
        versions = [
            record.doc for record in self._records.find(KIND, limit=MOST) if record.doc["code"] == conflict["code"]
        ]
        newest = max(versions, key=lambda item: int(item["version"]))
        base = next((item for item in versions if item["id"] == conflict["item_id"]), None)
        in_force = [item for item in versions if state_of(item) == PUBLISHED]
        if base is None or (in_force and base not in in_force):
            why = tr("冲突出现后，本地又发布了新版本。请等下次同步重新核对。")
            raise Refused(Refusal("ACC-143", why))
        item = resolved(conflict["merged"], conflict["news"], choices)
        if differing(base, item) or base.get("origin") != PROVINCE:
            body = {**item, "origin": PROVINCE, "origin_version": conflict["province_version"]}
            id = version_id(newest["id"], newest["version"] + 1)
            made = self._give(id, IMPORT, {"item": body, "previous": newest["id"], "state": PUBLISHED})
            self._supersede(versions, made)
        return self._commands.give(CONFLICT_KIND, conflict["id"], DECIDE_CONFLICT, {"choices": dict(choices)}).doc

    def _supersede(self, before: Sequence[Doc], newer: Doc) -> None:
        for item in before:
            if state_of(item) == PUBLISHED and item["id"] != newer["id"]:
                self._give(item["id"], SUPERSEDE, {"by": newer["id"]})

    def _give(self, id: str, type: str, body: Mapping[str, Any]) -> Doc:
        return self._commands.give(KIND, id, type, body).doc

    # -- workbooks, lane ``cpu`` ----------------------------------------------------------------------

    def export(self, items: Sequence[Doc], departments: Mapping[str, str], steps: excel.Steps) -> bytes:
        """Items as a workbook."""
        self._require()
        return excel.workbook(items, departments, steps)

    def plan(
        self, data: bytes, existing: Sequence[Doc], departments: Mapping[str, str], steps: excel.Steps
    ) -> excel.Plan:
        """What importing a workbook would do. Raises ``GovDeskError`` ACC-150 … 153."""
        self._require()
        return excel.read_workbook(data, existing, departments, steps)

    # -- the province -------------------------------------------------------------------------------

    def last_pull(self) -> Doc | None:
        """How the last pull went, as far as this device knows; lane ``read``."""
        self._require()
        record: Record | None = self._records.get(PULL_KIND, PULL_ID)
        return record.doc if record else None

    def pull(self) -> Doc:
        """Have the server pull now; lane ``net``. Raises ``GovDeskError`` NET-… offline, ACC-170 … 171."""
        self._require()
        answer = self._server.post(f"{BASE}/pull", {})
        last = answer.get("last") if isinstance(answer, Mapping) else None
        if not isinstance(last, Mapping):
            raise GovDeskError("ACC-144", tr("服务器没有说明同步的结果。"), fix=tr("请稍后再看。"))
        return last

    def _require(self) -> None:
        if not self._session.actor.may(MAY_KEEP):
            raise Refused(forbidden(MAY_KEEP))


def _content(item: Doc) -> dict[str, Any]:
    return {key: item[key] for key in CONTENT if key in item}


def service_of(host: Host) -> ItemsService:
    """The service from what the host lends. Raises ``LookupError`` when the application lacks a port."""
    return ItemsService(
        records=host.service(Records),  # type: ignore[type-abstract]
        commands=host.service(Commands),  # type: ignore[type-abstract]
        session=host.service(Session),  # type: ignore[type-abstract]
        server=host.service(Server),  # type: ignore[type-abstract]
    )
