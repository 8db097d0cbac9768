"""All commands of a case over all templates at random: no invariant broken, both sides agree, mutants caught."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from modules.acceptance.domain.cases import COMMANDS, STATES, approval, closing, intake, rules, term
from modules.common.aggregate import Event
from tests.support.case_walks import CaseSubject
from tests.support.walks import found_after, walk

SUBJECT = CaseSubject()
RARELY = {"case.aborted", "case.cosigner_dropped", "case.declined", "case.recounted", "case.undelegated", "case.voided"}
EVENTS = {
    *approval.DONE.values(),
    *(f"case.{done}" for done in (
        "accepted", "applied", "carded", "closed", "collected", "corrected", "correction_told", "decided", "declined",
        "handed_over", "invited", "issued", "lacking_supplied", "lapsed", "printed", "rated", "recounted", "scanned",
        "taken_over", "transferred", "withdrawn",
    )),
}  # fmt: skip


def walked(seeds: range) -> Counter[str]:
    """What has happened in the walks, by event, and where they ended."""
    happened: Counter[str] = Counter()
    for seed in seeds:
        case = walk(SUBJECT, seed).there
        if case:
            happened.update(line["event"] for line in case["history"])
            happened[case["state"]] += 1
    return happened


def test_walks_break_nothing_and_go_everywhere() -> None:
    happened = walked(range(1_000))
    assert not {what for what in EVENTS if happened[what] < (1 if what in RARELY else 5)}
    assert not {state for state in STATES if not happened[state]}
    assert len(COMMANDS) >= 40


@pytest.mark.full
@pytest.mark.parametrize("part", range(8))
def test_many_walks_break_nothing(part: int) -> None:
    assert sum(walked(range(2_000 + part * 2_500, 2_000 + (part + 1) * 2_500)).values()) > 12_000


# --- mutants: a wrong rule is found by walking --------------------------------------------------------------------

Patch = Callable[[pytest.MonkeyPatch], None]


def _row(command: str, **wrong: Any) -> Patch:
    """A command with another row in the table."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(rules.ROWS, command, replace(rules.ROWS[command], **wrong))  # type: ignore[arg-type]

    return patch


def _always(state: Any, context: Any) -> None:
    return None


def _clock_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    right = term.walked

    def wrong(state: Any, events: Any, context: Any) -> Any:
        changes = right(state, events, context)
        return {**changes, "term": {**changes["term"], "pauses": state["term"]["pauses"]}}

    monkeypatch.setattr(term, "walked", wrong)


def _extension_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    right = term.walked

    def wrong(state: Any, events: Any, context: Any) -> Any:
        changes = right(state, events, context)
        return {**changes, "term": {**changes["term"], "extension": 0}}

    monkeypatch.setattr(term, "walked", wrong)


def _in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    right = closing.scan

    def wrong(state: Any, command: Any, context: Any) -> Any:
        made = right(state, command, context)
        if isinstance(made, Event):
            state["scans"].append(made.body["set"]["scans"][-1])
        return made

    _row("case.scan", make=wrong)(monkeypatch)


def _version_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    right = approval.transfer

    def wrong(state: Any, command: Any, context: Any) -> Any:
        made = right(state, command, context)
        if isinstance(made, Event):
            made.body["set"]["item"]["version"] = 99
        return made

    _row("case.transfer", make=wrong)(monkeypatch)


MUTANTS: dict[str, Patch] = {
    "a second correction notice": _row("case.correct", unless=_always),
    "a second rating": _row("case.rate", unless=_always),
    "a result although something is lacking": _row("case.close", unless=_always),
    "withdrawn after the decision": _row("case.withdraw", states=("accepted", "decided", "issued", "closed")),
    "closed before it is decided": _row("case.close", states=("accepted", "decided"), unless=_always),
    "the clock runs on while suspended": _clock_runs_on,
    "an extension that moves nothing": _extension_forgotten,
    "a document changed in place": _in_place,
    "another version of the item": _version_moves,
    "the acceptance of what is over": _row("case.accept", states=("", "applied", "withdrawn", "declined")),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_rule_is_found(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[mutant](monkeypatch)
    assert found_after(SUBJECT, 1_500) is not None


def test_the_right_rules_stand_as_long() -> None:
    assert found_after(SUBJECT, 100) is None
    assert intake.MOST_CORRECTIONS > 1
