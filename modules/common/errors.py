"""Errors that people may read: a stable code, a Chinese sentence, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from modules.common.text import aside, together


class GovDeskError(Exception):
    """An error with a code and a sentence for people.

    ``code`` is stable, such as ``SYNC-003``; ``message`` is already in the user's language and says
    what happened and what was kept; ``fix`` says what to do next.
    """

    def __init__(self, code: str, message: str, *, fix: str = "") -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.fix = fix

    def words(self) -> str:
        """What happened and the next step, without the code."""
        return together(self.message, self.fix)

    def sentence(self) -> str:
        """The whole text for a person: message, next step, code."""
        return together(self.message, self.fix, aside(self.code))


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule's "no": never an exception inside ``decide``. ``fields`` maps a field's path to its fault."""

    code: str
    message: str
    fields: Mapping[str, str] = field(default_factory=dict)


class Refused(GovDeskError):
    """A refusal on its way to a person."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code, refusal.message)
        self.refusal = refusal
