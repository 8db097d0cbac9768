"""Uploads that are broken on purpose: each of these must be convicted by the test that is there for it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from client.kernel.ports import BlobRef
from server_stub.app import create_app
from server_stub.blobs import names, uploads
from sync import pages
from tests.contract import test_server_blobs as reading
from tests.contract import test_server_uploads as sending
from tests.contract import test_store_blobs as pumping
from tests.support.blob_desk import BlobDesk
from tests.support.central import central

pytestmark = pytest.mark.full
Patch = pytest.MonkeyPatch


def no_fsync(patch: Patch) -> None:
    settle = uploads.Growing.settle

    def hasty(self: uploads.Growing) -> None:
        with patch.context() as without:
            without.setattr(os, "fsync", lambda descriptor: None)
            settle(self)

    patch.setattr(uploads.Growing, "settle", hasty)


def an_offset_that_is_not_safe_yet(patch: Patch) -> None:
    def told(self: uploads.Uploads, turn: Any, size: int) -> int:
        with uploads.Growing(turn.path, self._keeper.files, turn.sha256) as file:
            return file.size

    patch.setattr(uploads.Uploads, "_on_disk", told)


class Anything(str):
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True


def no_whole_hash(patch: Patch) -> None:
    digest = SimpleNamespace(hexdigest=lambda: Anything())
    patch.setattr(uploads, "hashlib", SimpleNamespace(file_digest=lambda file, name: digest))


def shown_before_it_is_whole(patch: Patch) -> None:
    begin = uploads.Uploads._begin

    def hasty(self: uploads.Uploads, turn: Any, size: int) -> uploads.State:
        state = begin(self, turn, size)
        with uploads.Growing(turn.path, self._keeper.files, turn.sha256, new=True) as file:
            file.finish()
        self._keeper.keep(turn.path, turn.sha256, size, "image/jpeg", turn.by)
        return state

    patch.setattr(uploads.Uploads, "_begin", hasty)


def one_place_for_all_counters(patch: Patch) -> None:
    turn = uploads.Uploads._turn

    @contextmanager
    def shared(self: uploads.Uploads, sha256: str, by: Any) -> Iterator[Any]:
        with turn(self, sha256, by) as mine:
            yield uploads._Turn(mine.place, sha256, by, self._folder / sha256)

    patch.setattr(uploads.Uploads, "_turn", shared)
    patch.setattr(uploads._Turn, "check", lambda self: None)


def a_dead_line_goes_on(patch: Patch) -> None:
    patch.setattr(uploads._Turn, "check", lambda self: None)


def any_kind_is_taken(patch: Patch) -> None:
    patch.setattr(uploads, "type_of_file", lambda file: "application/ofd")


def a_hash_is_enough(patch: Patch) -> None:
    patch.setattr(names, "missing", lambda *_: frozenset())


def whoever_reads_cases_reads_pages(patch: Patch) -> None:
    patch.setattr(names, "readable", lambda *_: True)


def swept_although_named(patch: Patch) -> None:
    from sqlalchemy import true

    patch.setattr(names, "unnamed", true)


Office = Callable[..., None]
SERVER: dict[Callable[[Patch], None], Office] = {
    no_fsync: sending.test_an_answer_waits_for_the_disk,
    an_offset_that_is_not_safe_yet: sending.test_an_answer_waits_for_the_disk,
    no_whole_hash: sending.test_another_content_is_thrown_away_and_said,
    shown_before_it_is_whole: sending.test_a_file_in_three_parts,
    one_place_for_all_counters: sending.test_two_counters_with_the_same_content_do_not_disturb_each_other,
    a_dead_line_goes_on: sending.test_a_later_question_ends_one_that_hangs,
    a_hash_is_enough: reading.test_a_document_of_ones_own_opens_nobody_elses_page,
    whoever_reads_cases_reads_pages: reading.test_a_page_is_read_by_whoever_reads_a_document_that_names_it,
    swept_although_named: reading.test_what_no_document_names_goes_after_a_while,
}
GIVEN = {
    "office": lambda office, desk, patch: office,
    "desk": lambda office, desk, patch: desk,
    "monkeypatch": lambda office, desk, patch: patch,
}


def judge(test: Office, folder: Path, monkeypatch: Patch) -> None:
    """Run a test of the server's by hand."""
    wanted = test.__code__.co_varnames[: test.__code__.co_argcount]
    with central(folder) as office, asyncio.Runner() as runner:
        desk = BlobDesk(create_app(office.services), runner)
        test(*(GIVEN[name](office, desk, monkeypatch) for name in wanted))


@pytest.mark.parametrize("mutant", SERVER, ids=lambda mutant: mutant.__name__)
def test_a_broken_server_is_convicted(mutant: Callable[[Patch], None], tmp_path: Path, monkeypatch: Patch) -> None:
    fsync = os.fsync
    judge(SERVER[mutant], tmp_path / "whole", monkeypatch)
    monkeypatch.setattr(os, "fsync", fsync)
    mutant(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception, OSError)):
        judge(SERVER[mutant], tmp_path / "broken", monkeypatch)


class Wedged(pages.PagePump):
    """Trusts its own memory of what has arrived instead of asking."""

    def _one(self, ref: BlobRef) -> float:
        before = self._at.get(ref.sha256)
        seconds = super()._one(ref)
        if self._at.get(ref.sha256) == pages._LOST and before is not None:
            self._at[ref.sha256] = before
        return seconds


class Greedy(pages.PagePump):
    """Finishes the file that it has begun before it looks for another."""

    def step(self) -> float:
        seconds = super().step()
        begun = [name for name, at in self._at.items() if at > 0]
        while begun and seconds == 0 and begun[0] in self._at:
            with self._queue._store._reading() as db:  # type: ignore[attr-defined]
                row = db.get_one(pumping.BlobRow, begun[0])
            seconds = self._one(BlobRef(row.sha256, row.size, row.type))
        return seconds


PUMPS = {
    Wedged: pumping.test_a_server_that_stands_elsewhere_is_asked_and_followed,
    Greedy: pumping.test_small_pages_do_not_wait_for_a_large_file_nor_it_for_them,
}


@pytest.mark.parametrize("mutant", PUMPS, ids=lambda mutant: mutant.__name__)
def test_a_broken_pump_is_convicted(mutant: type[pages.PagePump], tmp_path: Path, monkeypatch: Patch) -> None:
    for broken in (False, True):
        if broken:
            monkeypatch.setattr(pumping, "PagePump", mutant)
        folder = tmp_path / str(broken)
        folder.mkdir()
        desk = pumping.Desk(folder)
        try:
            if broken:
                with pytest.raises((AssertionError, IndexError)):
                    PUMPS[mutant](desk)
            else:
                PUMPS[mutant](desk)
        finally:
            desk.store.close()


def test_kinds_are_told_by_the_whole_file(tmp_path: Path, monkeypatch: Patch) -> None:
    any_kind_is_taken(monkeypatch)
    with central(tmp_path) as office, asyncio.Runner() as runner:
        desk = BlobDesk(create_app(office.services), runner)
        with pytest.raises(AssertionError):
            sending.test_kinds_that_are_not_taken_leave_nothing_behind(office, desk, "zip")
