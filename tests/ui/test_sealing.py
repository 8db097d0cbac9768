"""Sealing in the reader: the seal, its place by mouse, keys and numbers, the new file, the register of uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QApplication

from client.kernel.policy import Policy
from client.widgets.basics import ConfirmDialog
from client.widgets.theme import Theme
from modules.common.gm import sm3
from modules.common.permissions import Actor
from modules.common.seals import verify
from modules.common.seals.keyfile import seal_file
from modules.common.seals.making import Issued
from modules.common.seals.pictures import Design, draw
from modules.common.seals.register import broken_at
from modules.common.seals.report import Verdict
from modules.common.seals.status import SealState, Status, make_status_list
from modules.fixed_layout.services.sealing import SealingService
from modules.fixed_layout.ui.document import DocumentPane
from modules.fixed_layout.ui.page import ReaderView
from modules.fixed_layout.ui.sealing import SealingPanel
from tests.support.a11y import Walk
from tests.support.fake_host import NOW, FakeHost
from tests.support.pdfs import locked
from tests.support.seal_office import SINCE, Office, office, plain_file, plain_pdf

PASSWORD = "Frühling-2026-公章"


@pytest.fixture(scope="module")
def bureau() -> Office:
    return office()


@pytest.fixture(scope="module")
def sealing_file(bureau: Office) -> bytes:
    """The signer's seal as a file, made with little memory."""
    return seal_file(issued(bureau), PASSWORD, memory_kib=64)


def issued(bureau: Office, **other: Any) -> Issued:
    picture = draw(Design("示范区政务服务中心"))
    return Issued(bureau.seal(picture=picture, **other), bureau.signer, bureau.signer_key)


@pytest.fixture
def host() -> FakeHost:
    made = FakeHost()
    made.services[Policy] = Policy()
    return made


@pytest.fixture
def trusted(bureau: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This computer's folder of roots."""
    folder = bureau.write_roots(tmp_path / "roots")
    monkeypatch.setattr("client.widgets.page.opening.roots", lambda: folder)
    return folder


@pytest.fixture
def page(qtbot: Any, host: FakeHost, trusted: Path) -> Iterator[ReaderView]:
    view = ReaderView(host)
    qtbot.addWidget(view)
    view.resize(1280, 800)
    view.show()
    settle(host)
    yield view
    view.close()
    settle(host)


@pytest.fixture
def ofd(tmp_path: Path) -> Path:
    path = tmp_path / "通知.ofd"
    path.write_bytes(plain_file(3))
    return path


@pytest.fixture
def seal(tmp_path: Path, sealing_file: bytes) -> Path:
    path = tmp_path / "公章.govseal"
    path.write_bytes(sealing_file)
    return path


def settle(host: FakeHost) -> None:
    for _ in range(8):
        host.drain()
        QApplication.processEvents()


def opened(page: ReaderView, host: FakeHost, file: Path) -> DocumentPane:
    page.open_file(file)
    settle(host)
    pane = page.current
    assert pane is not None, page.banner.text()
    return pane


def sealing(page: ReaderView, host: FakeHost, file: Path, seal: Path | None = None) -> SealingPanel:
    """The panel beside an open file, the seal open when one is given."""
    pane = opened(page, host, file)
    pane.tools.seal.click()
    settle(host)
    panel = pane.findChild(SealingPanel)
    assert isinstance(panel, SealingPanel)
    if seal is not None:
        unlock(panel, host, seal)
        assert panel.choice.held is not None, panel.choice.banner.text()
    return panel


def unlock(panel: SealingPanel, host: FakeHost, seal: Path, password: str = PASSWORD) -> None:
    panel.choice.set_file(seal)
    panel.choice.password.setText(password)
    panel.choice.open.click()
    settle(host)


def meant(host: FakeHost) -> str:
    """Confirm what is asked; what was asked."""
    ask = next(each for each in QApplication.topLevelWidgets() if isinstance(each, ConfirmDialog) and each.isVisible())
    told = ask.accessibleDescription()
    ask.go.click()
    settle(host)
    return told


def put_on(panel: SealingPanel, host: FakeHost, reason: str = "发文") -> str:
    panel.reason.setText(reason)
    panel.go.click()
    return meant(host)


def choose_mode(panel: SealingPanel, mode: str) -> None:
    panel.form.mode.setCurrentIndex(panel.form.mode.findData(mode))


def uses(host: FakeHost) -> list[Any]:
    return [row.doc for (kind, _), row in host.store.rows.items() if kind == "seal_use"]


def judged(path: Path, bureau: Office) -> list[Verdict]:
    return [report.verdict for report in verify(path.read_bytes(), bureau.trust, now=NOW)]


def test_a_file_is_sealed_into_a_new_one_and_the_use_registered_and_shown(
    page: ReaderView, host: FakeHost, ofd: Path, seal: Path, bureau: Office
) -> None:
    before = ofd.read_bytes()
    panel = sealing(page, host, ofd, seal)
    assert panel.choice.name.text() == "示范区政务服务中心"
    assert panel.choice.state.state == "good", panel.choice.facts.text()
    assert "2034" in panel.choice.facts.text() or "2035" in panel.choice.facts.text()
    told = put_on(panel, host)
    assert "第 3 页" in told
    assert "登记" in told
    made = ofd.with_name("通知-已盖章.ofd")
    assert ofd.read_bytes() == before
    assert judged(made, bureau) == [Verdict.VALID]
    pane = page.current
    assert pane is not None
    assert pane.path == made
    assert "有效" in pane.verdict.text()
    [use] = uses(host)
    assert (use["by"]["name"], use["title"], use["reason"]) == ("张三", made.name, "发文")
    assert use["digest"] == sm3(made.read_bytes()).hex()
    assert (use["seal_code"], use["act"], use["listed"]) == ("34030400000001", "sealed", False)
    assert not list(ofd.parent.glob(".*.part"))


def test_uses_are_chained_and_names_never_taken_twice(
    page: ReaderView, host: FakeHost, ofd: Path, seal: Path, bureau: Office
) -> None:
    panel = sealing(page, host, ofd, seal)
    for _ in range(2):
        put_on(panel, host)
        page.tabs.setCurrentIndex(0)
        settle(host)
    assert ofd.with_name("通知-已盖章2.ofd").exists()
    rows = sorted(uses(host), key=lambda use: use["id"])
    assert len(rows) == 2
    assert broken_at(rows) == -1
    assert rows[1]["previous"] == rows[0]["chain"]
    panel.set_target(ofd)
    put_on(panel, host)
    assert "SEAL-044" in panel.banner.accessibleName()
    assert len(uses(host)) == 2, "what was not made is not registered"


def test_the_password_is_asked_and_the_file_remembered(page: ReaderView, host: FakeHost, ofd: Path, seal: Path) -> None:
    panel = sealing(page, host, ofd)
    assert not panel.go.isEnabled()
    unlock(panel, host, seal, "wrong-password-1")
    assert "SEAL-013" in panel.choice.banner.accessibleName()
    assert panel.choice.password.text() == ""
    unlock(panel, host, seal)
    assert panel.go.isEnabled()
    assert PASSWORD not in str(host.store.kept)
    assert SealingService(host).last_seal() == seal
    panel.shut.click()
    assert panel.choice.held is None, "a closed panel holds no key"
    other = seal.with_name("坏.govseal")
    other.write_bytes(b"no seal")
    unlock(panel, host, other)
    assert "SEAL-012" in panel.choice.banner.accessibleName()
    unlock(panel, host, seal.with_name("没有.govseal"))
    assert "SEAL-040" in panel.choice.banner.accessibleName()


@pytest.mark.parametrize(("state", "word"), [(SealState.FROZEN, "冻结"), (SealState.REVOKED, "注销")])
def test_a_frozen_or_revoked_seal_is_not_used(
    page: ReaderView, host: FakeHost, ofd: Path, seal: Path, bureau: Office, trusted: Path, state: SealState, word: str
) -> None:
    entry = Status("34030400000001", state, SINCE)
    raw = make_status_list([entry], bureau.maker_key, bureau.maker.raw, SINCE, bureau.maker.not_after)
    (trusted / "list.seals").write_bytes(raw)
    panel = sealing(page, host, ofd, seal)
    assert panel.choice.state.state == "red"
    assert word in panel.choice.facts.text()
    assert not panel.go.isEnabled()


def test_an_expired_seal_and_one_that_the_register_stopped_are_not_used(
    page: ReaderView, host: FakeHost, ofd: Path, seal: Path, bureau: Office
) -> None:
    old = seal.with_name("旧.govseal")
    old.write_bytes(seal_file(issued(bureau, until=NOW.replace(year=2026, month=1)), PASSWORD, memory_kib=64))
    panel = sealing(page, host, ofd, old)
    assert "已过有效期" in panel.choice.facts.text()
    assert not panel.go.isEnabled()
    doc = {
        "id": "34030400000001", "code": "34030400000001", "name": "示范区政务服务中心", "department_id": "",
        "users": [host.store.actor.id], "since": "2026-01-01T00:00:00Z", "until": "2030-01-01T00:00:00Z",
        "state": "frozen", "term": 1, "history": [],
    }  # fmt: skip
    host.store.put("seal", doc)
    unlock(panel, host, seal)
    assert "已冻结" in panel.choice.facts.text()
    assert not panel.go.isEnabled()
    host.store.put("seal", {**doc, "state": "active"})
    unlock(panel, host, seal)
    assert panel.go.isEnabled()
    host.store.put("seal", {**doc, "state": "revoked"})  # meanwhile
    put_on(panel, host)
    assert "SEAL-029" in panel.banner.accessibleName()
    assert not list(ofd.parent.glob("*已盖章*")), "no file without its entry in the register"
    assert not list(ofd.parent.glob(".*.part"))


def press(panel: SealingPanel, key: Qt.Key, shift: bool = False) -> None:
    held = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(panel._view, QKeyEvent(QEvent.Type.KeyPress, key, held))


def test_the_seal_is_moved_by_keys_mouse_and_numbers(
    page: ReaderView, host: FakeHost, ofd: Path, seal: Path, bureau: Office
) -> None:
    panel = sealing(page, host, ofd, seal)
    view, form = panel._view, panel.form
    assert panel.ghost.pages == [2]
    form.put(0, 100, 100)
    press(panel, Qt.Key.Key_Right)
    press(panel, Qt.Key.Key_Up, shift=True)
    press(panel, Qt.Key.Key_PageDown)
    place = form.place()
    assert (place.page, place.x, place.y) == (1, 101.0, 90.0)
    assert panel.ghost.pages == [1]
    for _ in range(30):
        press(panel, Qt.Key.Key_Up, shift=True)
    assert form.place().y == 21.0, "the whole seal stays on the paper"
    view.go_to(0)
    at = QPointF(view.viewport().width() / 2, 200)
    spot = view.spot(at)
    assert spot is not None
    for kind, button in ((QEvent.Type.MouseButtonPress, Qt.MouseButton.LeftButton),
                         (QEvent.Type.MouseButtonRelease, Qt.MouseButton.LeftButton)):  # fmt: skip
        event = QMouseEvent(kind, at, at, button, button, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(view.viewport(), event)
    assert form.place().page == spot.page
    assert form.place().x == pytest.approx(spot.x, abs=0.1)
    form.put(1, 60, 70)
    put_on(panel, host)
    [report] = verify(ofd.with_name("通知-已盖章.ofd").read_bytes(), bureau.trust, now=NOW)
    assert report.stamps == [(1, (39.0, 49.0, 42.0, 42.0), None)]


def test_several_pages_the_seam_words_and_the_lock(
    page: ReaderView, host: FakeHost, ofd: Path, seal: Path, bureau: Office
) -> None:
    def newest() -> Any:
        made = max(ofd.parent.glob("通知-已盖章*.ofd"), key=lambda path: (len(path.name), path.name))
        [report] = verify(made.read_bytes(), bureau.trust, now=NOW)
        page.tabs.setCurrentIndex(0)
        settle(host)
        return report

    panel = sealing(page, host, ofd, seal)
    choose_mode(panel, "some")
    panel.form.pages.setText("9")
    panel.reason.setText("发文")
    panel.go.click()
    assert "SEAL-046" in panel.banner.accessibleName()
    panel.form.pages.setText("1,3")
    put_on(panel, host)
    assert [stamp.page for stamp in newest().stamps] == [0, 2]
    choose_mode(panel, "seam")
    panel.form.pages.clear()
    panel.form.edge.setCurrentIndex(1)
    assert panel.ghost.pages == [0, 1, 2]
    put_on(panel, host)
    seam = newest().stamps
    assert [stamp.page for stamp in seam] == [0, 1, 2]
    assert all(stamp.boundary[0] <= 0 for stamp in seam), "at the left edge"
    choose_mode(panel, "words")
    assert not panel.ghost.pages
    panel.form.words.setText("没有的词")
    put_on(panel, host)
    assert "SEAL-033" in panel.banner.accessibleName()
    panel.form.words.setText("专项检查")
    panel.lock.setChecked(True)
    put_on(panel, host)
    report = newest()
    assert [stamp.page for stamp in report.stamps] == [0, 1, 2]
    assert report.locked
    locked_file = max(ofd.parent.glob("通知-已盖章*.ofd"), key=lambda path: (len(path.name), path.name))
    again = sealing(page, host, locked_file, seal)
    put_on(again, host)
    assert "SEAL-002" in again.banner.accessibleName()


def test_ones_own_last_seal_is_taken_back_and_nobody_elses(
    page: ReaderView, host: FakeHost, ofd: Path, seal: Path, tmp_path: Path
) -> None:
    panel = sealing(page, host, ofd, seal)
    panel.back.click()
    meant(host)
    assert "SEAL-005" in panel.banner.accessibleName()
    put_on(panel, host)
    made = ofd.with_name("通知-已盖章.ofd")
    other = office(2)
    foreign = tmp_path / "别人.govseal"
    foreign.write_bytes(seal_file(issued(other), PASSWORD, memory_kib=64))
    second = sealing(page, host, made, foreign)
    second.back.click()
    meant(host)
    assert "SEAL-006" in second.banner.accessibleName()
    unlock(second, host, seal)
    second.back.click()
    assert "撤" in meant(host)
    bare = made.with_name("通知-已盖章-已撤章.ofd")
    assert verify(bare.read_bytes()) == []
    assert [use["act"] for use in sorted(uses(host), key=lambda use: use["id"])] == ["sealed", "withdrawn"]


def test_a_pdf_is_sealed_and_an_encrypted_one_is_refused(
    page: ReaderView, host: FakeHost, seal: Path, bureau: Office, tmp_path: Path
) -> None:
    path = tmp_path / "公函.pdf"
    path.write_bytes(plain_pdf(2))
    panel = sealing(page, host, path, seal)
    choose_mode(panel, "words")
    panel.form.words.setText("page 2")
    put_on(panel, host)
    [report] = verify(path.with_name("公函-已盖章.pdf").read_bytes(), bureau.trust, now=NOW)
    assert report.verdict in (Verdict.VALID, Verdict.WARNING)
    assert [stamp.page for stamp in report.stamps] == [1]
    shut = tmp_path / "内部.pdf"
    shut.write_bytes(locked("open"))
    page.open_file(shut, "open")
    settle(host)
    pane = page.current
    assert pane is not None
    pane.tools.seal.click()
    settle(host)
    panel = pane.findChild(SealingPanel)  # type: ignore[assignment]
    unlock(panel, host, seal)
    put_on(panel, host)
    assert "SEAL-037" in panel.banner.accessibleName()


def test_nothing_is_written_where_nothing_can_be_and_nothing_registered(
    page: ReaderView, host: FakeHost, ofd: Path, seal: Path, tmp_path: Path
) -> None:
    panel = sealing(page, host, ofd, seal)
    panel.set_target(tmp_path / "没有的文件夹" / "章.ofd")
    put_on(panel, host)
    assert "SEAL-045" in panel.banner.accessibleName()
    assert uses(host) == []


def test_it_can_be_stopped_before_it_is_registered(page: ReaderView, host: FakeHost, ofd: Path, seal: Path) -> None:
    panel = sealing(page, host, ofd, seal)
    panel.reason.setText("发文")
    panel.go.click()
    ask = next(each for each in QApplication.topLevelWidgets() if isinstance(each, ConfirmDialog) and each.isVisible())
    ask.go.click()
    host.step()  # made and laid down, not yet registered
    assert list(ofd.parent.glob(".*.part"))
    panel.progress.cancelled.emit()
    settle(host)
    assert uses(host) == []
    assert not list(ofd.parent.glob(".*.part"))
    assert not ofd.with_name("通知-已盖章.ofd").exists()
    assert "停止" in panel.banner.text()
    assert panel.go.isEnabled()


def test_who_may_not_seal_has_no_button_and_is_refused(qtbot: Any, ofd: Path, seal: Path, trusted: Path) -> None:
    host = FakeHost(Actor("p", "p", "李四"))
    host.services[Policy] = Policy()
    view = ReaderView(host)
    qtbot.addWidget(view)
    view.show()
    pane = opened(view, host, ofd)
    assert pane.tools.seal.isHidden()
    pane.toggle_sealing()
    settle(host)
    panel = pane.findChild(SealingPanel)
    assert isinstance(panel, SealingPanel)
    unlock(panel, host, seal)
    assert panel.choice.held is None
    assert "AUTH-403" in panel.choice.banner.accessibleName()
    view.close()
    settle(host)


def test_plain_python_is_told(
    page: ReaderView, host: FakeHost, ofd: Path, seal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for constant, told in ((True, False), (False, True)):
        monkeypatch.setattr("modules.common.gm.sm2.SoftKey.constant_time", constant)
        panel = sealing(page, host, ofd, seal)
        assert ("恒定时间" in panel.choice.facts.text()) is told
        panel.shut.click()


@pytest.mark.parametrize("zoom", [1.0, 1.5])
def test_it_is_used_by_keyboard_and_read_large(
    page: ReaderView, host: FakeHost, ofd: Path, seal: Path, theme: Theme, zoom: float
) -> None:
    theme.apply("light", zoom)
    panel = sealing(page, host, ofd, seal)
    page.resize(round(1280 * zoom), round(900 * zoom))
    for mode in ("one", "some", "seam", "words"):
        choose_mode(panel, mode)
        settle(host)
        walk = Walk(panel)
        assert walk.nameless() == []
        assert walk.clipped() == []
        assert walk.out_of_order() == []
