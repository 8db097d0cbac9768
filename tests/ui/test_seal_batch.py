"""批量盖章 and 用印登记: many files one by one, what became of each, and the register that was kept of it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from client.kernel.policy import Policy
from client.widgets.basics import ConfirmDialog
from client.widgets.theme import Theme
from modules.common.permissions import Actor
from modules.common.seals import verify
from modules.common.seals.keyfile import seal_file
from modules.common.seals.register import broken_at
from modules.fixed_layout.ui.batch import BatchView
from modules.fixed_layout.ui.uses import UsesView
from tests.support.a11y import Walk
from tests.support.fake_host import FakeHost
from tests.support.seal_office import office, plain_file, plain_pdf
from tests.ui.test_sealing import PASSWORD, issued, settle, trusted, uses

__all__ = ["trusted"]


@pytest.fixture(scope="module")
def bureau() -> Any:
    return office()


@pytest.fixture
def host() -> FakeHost:
    made = FakeHost()
    made.services[Policy] = Policy()
    return made


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three that can be sealed, one that is no document."""
    made = []
    for name, data in (
        ("一.ofd", plain_file(1)),
        ("二.ofd", plain_file(2)),
        ("坏.ofd", b"x"),
        ("三.pdf", plain_pdf(3)),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        made.append(path)
    return made


@pytest.fixture
def batch(
    qtbot: Any, host: FakeHost, trusted: Path, bureau: Any, tmp_path: Path, files: list[Path]
) -> Iterator[BatchView]:
    view = BatchView(host)
    qtbot.addWidget(view)
    view.resize(1280, 860)
    view.show()
    settle(host)
    seal = tmp_path / "公章.govseal"
    seal.write_bytes(seal_file(issued(bureau), PASSWORD, memory_kib=64))
    view.choice.set_file(seal)
    view.choice.password.setText(PASSWORD)
    view.choice.open.click()
    settle(host)
    assert view.choice.usable, view.choice.banner.text()
    yield view
    view.close()
    settle(host)


def start(view: BatchView) -> str:
    view.reason.setText("发文")
    view.go.click()
    ask = next(each for each in QApplication.topLevelWidgets() if isinstance(each, ConfirmDialog) and each.isVisible())
    told = ask.accessibleDescription()
    ask.go.click()
    return told


def states(view: BatchView) -> list[str]:
    return [row.state for row in view.rows]


def test_each_file_is_sealed_by_itself(batch: BatchView, host: FakeHost, files: list[Path], bureau: Any) -> None:
    assert not batch.go.isEnabled()
    batch.add_files([*files, files[0], files[0].with_name("图.jpg")])
    assert len(batch.rows) == 4
    assert "4 个文件" in start(batch)
    settle(host)
    assert states(batch) == ["good", "good", "red", "good"]
    assert "VIEW-013" in batch.rows[2].words
    for name, page in (("一-已盖章.ofd", 0), ("二-已盖章.ofd", 1), ("三-已盖章.pdf", 2)):
        [report] = verify(files[0].with_name(name).read_bytes(), bureau.trust)
        assert [stamp.page for stamp in report.stamps] == [page], "on the last page of each"
    kept = sorted(uses(host), key=lambda use: use["id"])
    assert [use["title"] for use in kept] == ["一-已盖章.ofd", "二-已盖章.ofd", "三-已盖章.pdf"]
    assert broken_at(kept) == -1
    assert "没有盖成 1 个" in batch.banner.text()
    assert "1 个文件" in start(batch), "what is sealed is not sealed again"
    settle(host)
    assert len(uses(host)) == 3


def test_what_is_done_stays_when_it_is_stopped(batch: BatchView, host: FakeHost, files: list[Path]) -> None:
    batch.add_files([files[0], files[1]])
    start(batch)
    while not uses(host):
        host.step()
    batch.progress.cancelled.emit()
    settle(host)
    assert states(batch) == ["good", "quiet"]
    assert not files[1].with_name("二-已盖章.ofd").exists()
    assert not list(files[0].parent.glob(".*.part"))
    assert "还没有盖 1 个" in batch.banner.text()
    assert batch.go.isEnabled()


def test_pages_that_a_file_does_not_have_and_another_folder(
    batch: BatchView, host: FakeHost, files: list[Path], tmp_path: Path
) -> None:
    batch.add_files([files[0], files[1]])
    batch._folder = tmp_path / "out"
    batch._folder.mkdir()
    batch.form.mode.setCurrentIndex(batch.form.mode.findData("some"))
    batch.form.pages.setText("2")
    start(batch)
    settle(host)
    assert states(batch) == ["red", "good"]
    assert "SEAL-043" in batch.rows[0].words
    assert [path.name for path in batch._folder.iterdir()] == ["二-已盖章.ofd"]


@pytest.fixture
def register(qtbot: Any, batch: BatchView, host: FakeHost, files: list[Path]) -> Iterator[UsesView]:
    """The register after three uses."""
    batch.add_files(files)
    start(batch)
    settle(host)
    view = UsesView(host)
    qtbot.addWidget(view)
    view.resize(1100, 700)
    view.show()
    settle(host)
    yield view
    view.close()


def test_the_register_is_searched_read_and_exported(register: UsesView, host: FakeHost, tmp_path: Path) -> None:
    from openpyxl import load_workbook

    assert len(register.table.rows) == 3
    register.search.setText("三")
    register.reload()
    settle(host)
    [row] = [row for row in register.table.rows if row.doc["title"].startswith("三")]
    assert register.table.choose(row.id)
    settle(host)
    assert row.doc["digest"] in register.detail.text()
    register.save(tmp_path / "uses.xlsx")
    settle(host)
    sheet = load_workbook(io.BytesIO((tmp_path / "uses.xlsx").read_bytes())).active
    assert sheet is not None
    cells = [[str(value) for value in line] for line in sheet.iter_rows(values_only=True)]
    assert len(cells) == 1 + len(register.table.rows)
    assert any(row.doc["digest"] in line for line in cells)
    register.act.setCurrentIndex(2)
    settle(host)
    assert register.table.rows == []
    assert "没有找到" in register.table.pane.text()
    register.save(tmp_path / "没有" / "uses.xlsx")
    settle(host)
    assert "SEAL-048" in register.banner.accessibleName()


def test_an_empty_register_and_one_that_is_forbidden(qtbot: Any) -> None:
    for who, told in ((None, "还没有用过印"), (Actor("p", "p", "李四"), "没有查看这里的权限")):
        host = FakeHost(who)
        view = UsesView(host)
        qtbot.addWidget(view)
        settle(host)
        assert told in view.table.pane.text()
        view.close()


@pytest.mark.parametrize("zoom", [1.0, 1.5])
def test_both_are_used_by_keyboard_and_read_large(
    register: UsesView, batch: BatchView, host: FakeHost, theme: Theme, zoom: float
) -> None:
    theme.apply("light", zoom)
    for view in (register, batch):
        view.resize(round(1280 * zoom), round(860 * zoom))
        settle(host)
        walk = Walk(view)
        assert walk.nameless() == []
        assert walk.clipped() == []
        assert walk.out_of_order() == []
