"""What a clerk asks the knowledge base, and what departments keep in it. The lane is named by each method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from client.kernel.contract import Host
from client.kernel.ports import Commands, Record, Records, Session
from modules.acceptance.domain.knowledge import (
    ANSWER,
    ASK,
    CURRENT,
    KIND,
    MAY_EDIT,
    MAY_USE,
    OPEN,
    PUT,
    RATE,
    REMOVE,
    REQUEST_KIND,
    at_hand,
)
from modules.common.aggregate import Doc
from modules.common.errors import Refused
from modules.common.permissions import forbidden

MOST = 2000


class KnowledgeService:
    """The use cases of 知识库 (C31)."""

    def __init__(self, records: Records, commands: Commands, session: Session) -> None:
        self._records = records
        self._commands = commands
        self._session = session

    def may_edit(self, department_id: str = "") -> bool:
        """Whether the person keeps entries, of this department where one is named; any thread."""
        actor = self._session.actor
        own = not department_id or actor.department_id in ("", department_id)
        return actor.may(MAY_EDIT) and own

    @property
    def department_id(self) -> str:
        """The person's department, or nothing; any thread."""
        return self._session.actor.department_id

    # -- lane ``read``

    def at_hand(self, item_code: str, material_id: str = "") -> list[Doc]:
        """Entries for the item and the material that the clerk has in hand, the most useful first."""
        self._require(MAY_USE)
        return at_hand((record.doc for record in self._records.find(KIND, states=[CURRENT], limit=MOST)), item_code,
                       material_id)  # fmt: skip

    def search(self, text: str) -> list[Record]:
        """Current entries by words anywhere in them; all when ``text`` is empty."""
        self._require(MAY_USE)
        return self._records.find(KIND, states=[CURRENT], text=text, limit=MOST)

    def requests(self, *, open_only: bool = True) -> list[Record]:
        """Requests that the person may see: of their department, or their own."""
        self._require(MAY_USE)
        return self._records.find(REQUEST_KIND, states=[OPEN] if open_only else [], limit=MOST)

    # -- lane ``data``

    def new_id(self) -> str:
        """The id of an entry that is being written."""
        return self._commands.new_id()

    def put(self, id: str, entry: Mapping[str, Any]) -> Record:
        """Add or change an entry. Raises ``Refused`` with faults by field."""
        self._require(MAY_EDIT)
        return self._commands.give(KIND, id, PUT, entry)

    def remove(self, id: str) -> Record:
        """Take an entry out of use. Raises ``Refused``."""
        self._require(MAY_EDIT)
        return self._commands.give(KIND, id, REMOVE, {})

    def rate(self, id: str, *, useful: bool) -> Record:
        """Say whether an entry helped. Raises ``Refused``."""
        self._require(MAY_USE)
        return self._commands.give(KIND, id, RATE, {"useful": useful})

    def ask(self, department_id: str, text: str, *, item_code: str = "", material_id: str = "",
            entry_id: str = "") -> Record:  # fmt: skip
        """Ask the department to update what it says. Raises ``Refused``."""
        self._require(MAY_USE)
        body = {"department_id": department_id, "text": text, "item_code": item_code, "material_id": material_id,
                "entry_id": entry_id}  # fmt: skip
        return self._commands.give(REQUEST_KIND, self._commands.new_id(), ASK, body)

    def answer(self, id: str, text: str) -> Record:
        """Answer a request. Raises ``Refused``."""
        self._require(MAY_EDIT)
        return self._commands.give(REQUEST_KIND, id, ANSWER, {"answer": text})

    def _require(self, permission: str) -> None:
        if not self._session.actor.may(permission):
            raise Refused(forbidden(permission))


def knowledge_of(host: Host) -> KnowledgeService:
    """The service. Raises ``LookupError`` when the application lacks a port."""
    return KnowledgeService(
        records=host.service(Records),  # type: ignore[type-abstract]
        commands=host.service(Commands),  # type: ignore[type-abstract]
        session=host.service(Session),  # type: ignore[type-abstract]
    )
