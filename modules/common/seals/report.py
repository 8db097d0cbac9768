"""What verifying finds: step by step, in words, with one verdict at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from modules.common.gm.trust import Trust
from modules.common.seals.ses import Picture
from modules.common.text import tr


class Verdict(StrEnum):
    """How a signature stands, or one step of its verification. The order is from good to bad."""

    VALID = "valid"
    """All of it verifies, nothing is left open."""
    WARNING = "warning"
    """All of it verifies, with reservations that are named."""
    UNVERIFIABLE = "unverifiable"
    """An algorithm, key or container is unknown or absent."""
    INVALID = "invalid"
    """Something does not match, or the seal or its signer was not entitled at that time."""

    @property
    def words(self) -> str:
        """What people read."""
        return {
            Verdict.VALID: tr("签章有效"),
            Verdict.WARNING: tr("签章有效，有保留"),
            Verdict.UNVERIFIABLE: tr("无法验证"),
            Verdict.INVALID: tr("签章无效"),
        }[self]


_ORDER = list(Verdict)


def worst(verdicts: list[Verdict]) -> Verdict:
    """The worst of several; valid when there are none."""
    return max(verdicts, key=_ORDER.index, default=Verdict.VALID)


STEPS = (
    "structure",
    "digests",
    "coverage",
    "format",
    "binding",
    "signer",
    "maker",
    "chain",
    "validity",
    "listed",
    "time",
    "appearance",
)
"""The steps in order; ``Step.key`` is one of them."""


def step_name(key: str) -> str:
    """A step's name for people."""
    return {
        "structure": tr("文件结构"),
        "digests": tr("内容摘要"),
        "coverage": tr("保护范围"),
        "format": tr("签章格式"),
        "binding": tr("签章与文件的绑定"),
        "signer": tr("签章人签名"),
        "maker": tr("制章人签名"),
        "chain": tr("证书链与吊销"),
        "validity": tr("有效期"),
        "listed": tr("印章授权"),
        "time": tr("签章时间"),
        "appearance": tr("印章外观"),
    }[key]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a verification, with its own verdict and what was found, in words."""

    key: str
    verdict: Verdict
    detail: str

    @property
    def name(self) -> str:
        """Its name for people."""
        return step_name(self.key)

    @property
    def ok(self) -> bool:
        """Whether it left nothing open."""
        return self.verdict is Verdict.VALID


class Stamp(NamedTuple):
    """Where the seal shows on a page, in millimetres. ``clip`` is the part of the seal that shows; None for all."""

    page: int
    """The page's index, or -1 when there is no such page."""
    boundary: tuple[float, float, float, float]
    clip: tuple[float, float, float, float] | None = None


@dataclass
class SignatureReport:
    """What is known of one signature in a document."""

    id: str
    path: str
    """The signature's file in the package; the field's name in a PDF."""
    sealed: bool = True
    """Whether it is by a seal; else by a certificate alone."""
    document: int = 0
    """The number of the document in its package."""
    steps: list[Step] = field(default_factory=list)
    uncovered: list[str] = field(default_factory=list)
    """Parts of the file that nothing in this signature protects."""
    stamps: list[Stamp] = field(default_factory=list)
    picture: Picture | None = None
    """The picture out of the signed seal, the only one that may be drawn as a seal."""
    seal_id: str = ""
    seal_name: str = ""
    signer: str = ""
    time: datetime | None = None
    timestamped: bool = False
    """Whether ``time`` is vouched for by a time stamp."""
    locked: bool = False
    """Whether it allows no later seal."""

    @property
    def verdict(self) -> Verdict:
        """The worst of the steps."""
        return worst([step.verdict for step in self.steps])

    def add(self, key: str, verdict: Verdict, detail: str) -> None:
        """Note a step."""
        self.steps.append(Step(key, verdict, detail))

    def step(self, key: str) -> Step | None:
        """The step of this key, if it was reached."""
        return next((step for step in self.steps if step.key == key), None)

    def summary(self) -> str:
        """The verdict and its first reason, in one sentence for people."""
        for step in self.steps:
            if step.verdict is self.verdict and self.verdict is not Verdict.VALID:
                return tr("{verdict}：{reason}", verdict=self.verdict.words, reason=step.detail)
        return self.verdict.words

    def as_json(self) -> dict[str, Any]:
        """Plain values for the command line and for logs of use."""
        return {
            "signature": self.path,
            "id": self.id,
            "type": "Seal" if self.sealed else "Sign",
            "document": self.document,
            "verdict": str(self.verdict),
            "summary": self.summary(),
            "seal": self.seal_name,
            "signer": self.signer,
            "time": self.time.isoformat() if self.time else None,
            "timestamped": self.timestamped,
            "locked": self.locked,
            "steps": [
                {
                    "key": step.key,
                    "name": step.name,
                    "ok": step.ok,
                    "verdict": str(step.verdict),
                    "detail": step.detail,
                }
                for step in self.steps
            ],
            "uncovered": self.uncovered,
        }


NO_TRUST = Trust()
"""The trust of an office that configured none."""
