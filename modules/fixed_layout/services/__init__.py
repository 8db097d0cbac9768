"""What the reader remembers of the files that a person has read: here alone, encrypted with their other drafts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from client.kernel.contract import Host
from client.kernel.policy import Policy
from client.kernel.ports import Drafts, Session
from modules.common.clock import Clock
from modules.common.errors import Refused
from modules.common.permissions import forbidden
from modules.common.seals.register import USE

KIND = "fixed_layout.file"
OPINIONS = "fixed_layout.opinions"
RECENT = 20
KEPT = 300
"""Files that are remembered; the ones read longest ago are forgotten."""
TRUE_SEALS = "fixed_layout.true_seals"


@dataclass
class Memory:
    """What is kept of one file. ``position`` is how it was read last; the rest is its reader's own."""

    digest: str
    path: str = ""
    name: str = ""
    position: dict[str, Any] = field(default_factory=dict)
    bookmarks: list[dict[str, Any]] = field(default_factory=list)
    """Each ``{"page", "top", "name"}``."""
    marks: list[dict[str, Any]] = field(default_factory=list)
    """Handwriting and opinions on the pages, see ``domain.Mark``."""

    @classmethod
    def of(cls, digest: str, doc: Mapping[str, Any]) -> Memory:
        """Out of what was kept; what is not understood is as if it were not there."""
        return cls(
            digest,
            str(doc.get("path", "")),
            str(doc.get("name", "")),
            dict(doc.get("position") or {}),
            [dict(each) for each in doc.get("bookmarks") or ()],
            [dict(each) for each in doc.get("marks") or ()],
        )

    def to_doc(self) -> dict[str, Any]:
        """To be kept."""
        return {
            "path": self.path,
            "name": self.name,
            "position": self.position,
            "bookmarks": self.bookmarks,
            "marks": self.marks,
        }


@dataclass(frozen=True, slots=True)
class Recent:
    """A file that was read."""

    path: Path
    name: str
    at: datetime


class ReaderService:
    """The reader's use cases; ``load``, ``keep``, ``recent`` and opinions on lane ``data``."""

    def __init__(self, host: Host) -> None:
        self._drafts = host.service(Drafts)  # type: ignore[type-abstract]
        self._session = host.service(Session)  # type: ignore[type-abstract]
        self._clock = host.service(Clock)  # type: ignore[type-abstract]
        self._policy = host.service(Policy)

    def load(self, digest: str) -> Memory:
        """What is remembered of a file, by the digest of its bytes."""
        found = self._drafts.get(self._id(digest))
        return Memory.of(digest, found.doc if found else {})

    def keep(self, memory: Memory) -> None:
        """Remember a file; the ones read longest ago make room."""
        self._drafts.save(self._id(memory.digest), KIND, memory.name, memory.to_doc())
        for old in self._drafts.list(KIND)[KEPT:]:
            self._drafts.drop(old.id)

    def recent(self) -> list[Recent]:
        """The files read last, each place once."""
        found: dict[str, Recent] = {}
        for draft in self._drafts.list(KIND):
            path = str(draft.doc.get("path", ""))
            if path and path not in found:
                found[path] = Recent(Path(path), draft.title, draft.updated_at)
        return list(found.values())[:RECENT]

    def forget(self) -> None:
        """Forget which files were read, and all that was noted in them."""
        for draft in self._drafts.list(KIND):
            self._drafts.drop(draft.id)

    def opinions(self) -> list[str]:
        """The person's stored opinions (同意 …), the latest first."""
        found = self._drafts.get(self._id("opinions"))
        return [str(each) for each in (found.doc.get("texts") or ())] if found else []

    def keep_opinions(self, texts: list[str]) -> None:
        """Store these opinions in place of those before."""
        self._drafts.save(self._id("opinions"), OPINIONS, "", {"texts": texts[:50]})

    @property
    def may_seal(self) -> bool:
        """Whether this person uses seals."""
        return bool(self._session.actor.may(USE))

    @property
    def may_see_true_seals(self) -> bool:
        """Whether seals are true on this person's paper and print preview."""
        return bool(self._session.actor.may(TRUE_SEALS))

    def check_true_seals(self) -> None:
        """Raise ``Refused`` AUTH-403 unless seals are true on this person's paper."""
        if not self.may_see_true_seals:
            raise Refused(forbidden(TRUE_SEALS))

    @property
    def may_copy_personal(self) -> bool:
        """Whether the computer's policy lets identity and phone numbers be copied."""
        return bool(self._policy.copy_personal)

    @property
    def person(self) -> str:
        """Who reads."""
        return str(self._session.actor.name)

    def watermark(self) -> str:
        """Who looks at a seal, where and when: ``张三 3号窗 2026-12-01 17:05``."""
        now = self._clock.now().astimezone()
        return f"{self.person} {self._session.place} {now:%Y-%m-%d %H:%M}"

    def today(self) -> str:
        """The day of a sign-off."""
        return f"{self._clock.now().astimezone():%Y-%m-%d}"

    def _id(self, digest: str) -> str:
        """Drafts have one id each for all people of a computer; the same file is remembered for each of them."""
        return hashlib.sha256(f"{self._session.actor.id}\n{digest}".encode()).hexdigest()[:32]
