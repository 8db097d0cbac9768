"""制章: an authority is made and opened, a seal is issued and used, frozen and revoked, and verifying knows of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from client.widgets.dialogs import TextDialog
from client.widgets.theme import Theme
from modules.common.gm.trust import load_trust
from modules.common.permissions import Actor
from modules.common.seals import verify
from modules.common.seals.keyfile import open_seal_file
from modules.common.seals.ofd_sealing import Holder, seal_ofd
from modules.common.seals.pictures import Design, draw
from modules.common.seals.report import Stamp, Verdict
from modules.common.seals.standing import standing_of
from modules.fixed_layout.services.making import ROOTS
from modules.fixed_layout.ui.making import MakingView
from tests.support.a11y import Walk
from tests.support.fake_host import NOW, FakeHost, actor
from tests.support.seal_office import plain_file

BENCH, OWN = "Zhizhang-2026-机构", "Yinzhang-2026-公章"


def settle(host: FakeHost) -> None:
    for _ in range(8):
        host.drain()
        QApplication.processEvents()


@pytest.fixture
def host() -> FakeHost:
    return FakeHost(actor("manager"))


@pytest.fixture
def view(qtbot: Any, host: FakeHost, tmp_path: Path) -> Iterator[MakingView]:
    made = MakingView(host)
    qtbot.addWidget(made)
    made.resize(1280, 900)
    made.show()
    settle(host)
    (tmp_path / "制章").mkdir()
    made.set_folder(tmp_path / "制章")
    made.district.setText("示范区")
    made.password.setText(BENCH)
    made.found.click()
    settle(host)
    assert made.bench is not None, made.banner.text()
    yield made
    made.close()
    settle(host)


def fill(view: MakingView, **other: str) -> None:
    fields = {
        "name": "示范区政务服务中心",
        "code": "34030400000009",
        "signer": "张三",
        "users": "Zhangsan， lisi",
    } | other
    for name, text in fields.items():
        getattr(view, name).setText(text)
    view.seal_password.setText(OWN)


def test_a_seal_is_made_used_frozen_and_revoked(view: MakingView, host: FakeHost, tmp_path: Path) -> None:
    target = tmp_path / "公章.govseal"
    view.diameter.setCurrentIndex(1)
    fill(view)
    view.issue(target)
    settle(host)
    assert "已制作" in view.banner.text(), view.banner.text()
    [row] = view.table.rows
    assert (row.doc["users"], row.doc["state"]) == (["zhangsan", "lisi"], "active")
    issued = open_seal_file(target.read_bytes(), OWN)
    assert issued.seal is not None
    assert (issued.seal.id, issued.seal.picture.width, issued.certificate.name) == ("34030400000009", 45, "张三")
    roots = tmp_path / "制章" / ROOTS
    assert standing_of(issued, load_trust(roots), NOW).faults == ()
    holder = Holder(issued.key, issued.certificate, issued.seal, issued.chain)
    sealed = seal_ofd(plain_file(1), holder, [Stamp(0, (100, 100, 45, 45))], NOW)
    [report] = verify(sealed, load_trust(roots), now=NOW)
    assert report.verdict is Verdict.VALID
    for what, word in (("freeze", "冻结"), ("revoke", "注销")):
        assert view.table.choose(row.id)
        settle(host)
        getattr(view, what).click()
        ask = next(each for each in QApplication.topLevelWidgets() if isinstance(each, TextDialog) and each.isVisible())
        ask.text.setText("介质遗失")
        ask.go.click()
        settle(host)
        view.lists.click()
        settle(host)
        [fault] = standing_of(issued, load_trust(roots), NOW).faults
        assert word in fault
    assert not view.thaw.isEnabled(), "what is revoked stays so"
    view.code.setText("34030400000009")
    fill(view)
    view.issue(tmp_path / "又一枚.govseal")
    settle(host)
    assert "SEAL-020" in view.banner.accessibleName()
    assert not list(tmp_path.glob("又一枚*"))
    assert not list(tmp_path.glob(".*.part"))


def test_a_seal_is_renewed_near_its_end_from_its_own_file(view: MakingView, host: FakeHost, tmp_path: Path) -> None:
    files = [tmp_path / "公章.govseal", tmp_path / "别的.govseal"]
    for number, file in enumerate(files):
        fill(view, code=f"3403040000000{number}")
        view.years.setValue(1)
        view.issue(file)
        settle(host)
    assert view.table.choose("34030400000000")
    settle(host)

    def renew(file: Path) -> str:
        view.seal_password.setText(OWN)
        view.renew_from(file)
        settle(host)
        return view.banner.accessibleName()

    assert "SEAL-026" in renew(files[0]), "not yet"
    assert "SEAL-054" in renew(files[1])
    assert len(list(tmp_path.glob("*.govseal"))) == 2
    host.clock.advance(timedelta(days=300).total_seconds())
    assert "已制作" in renew(files[0])
    old, new = (open_seal_file(path.read_bytes(), OWN) for path in (files[0], tmp_path / "公章-已换发.govseal"))
    assert old.seal is not None
    assert new.seal is not None
    assert (new.seal.id, new.seal.name, new.certificate.name) == (old.seal.id, old.seal.name, old.certificate.name)
    assert new.seal.until > old.seal.until
    assert new.key.secret != old.key.secret
    assert host.store.rows["seal", "34030400000000"].doc["term"] == 2


def test_keys_are_opened_by_the_password_alone_and_nothing_is_kept(
    view: MakingView, host: FakeHost, tmp_path: Path
) -> None:
    for folder, password, code in (("制章", "wrong-password-1", "SEAL-013"), ("空", BENCH, "SEAL-050")):
        (tmp_path / folder).mkdir(exist_ok=True)
        view.set_folder(tmp_path / folder)
        view.password.setText(password)
        view.open.click()
        settle(host)
        assert view.bench is None
        assert code in view.banner.accessibleName()
        assert view.password.text() == ""
        assert not view.make.isEnabled()
    view.set_folder(tmp_path / "制章")
    view.password.setText(BENCH)
    view.open.click()
    settle(host)
    assert view.make.isEnabled()
    view.password.setText(BENCH)
    view.found.click()
    settle(host)
    assert "SEAL-044" in view.banner.accessibleName(), "an authority is not made over another"


def test_what_is_missing_and_what_is_weak_is_said(view: MakingView, host: FakeHost, tmp_path: Path) -> None:
    fill(view, code="")
    view.issue(tmp_path / "a.govseal")
    assert "印章编码" in view.banner.text()
    fill(view)
    view.seal_password.setText("123456")
    view.issue(tmp_path / "a.govseal")
    settle(host)
    assert "SEAL-011" in view.banner.accessibleName()
    assert view.table.rows == []
    assert not list(tmp_path.glob("a*"))


def test_a_picture_is_imported_and_previewed(view: MakingView, host: FakeHost, tmp_path: Path) -> None:
    fill(view)
    view.preview.click()
    settle(host)
    assert not view.picture.pixmap().isNull()
    path = tmp_path / "印模.png"
    path.write_bytes(draw(Design("外来印章")).data)
    view.look.setCurrentIndex(2)
    view.set_art(path)
    settle(host)
    assert view.banner.text() == ""
    path.write_bytes(b"no picture")
    view.set_art(path)
    settle(host)
    assert "SEAL-015" in view.banner.accessibleName()


def test_who_may_not_make_seals_makes_none(qtbot: Any, tmp_path: Path) -> None:
    host = FakeHost(Actor("p", "p", "李四"))
    view = MakingView(host)
    qtbot.addWidget(view)
    view.set_folder(tmp_path)
    assert not view.found.isEnabled()
    assert "没有查看" in view.table.pane.text()
    view.district.setText("示范区")
    view.establish()
    settle(host)
    assert "AUTH-403" in view.banner.accessibleName()
    assert not list(tmp_path.iterdir())
    view.close()


@pytest.mark.parametrize("zoom", [1.0, 1.5])
def test_it_is_used_by_keyboard_and_read_large(view: MakingView, host: FakeHost, theme: Theme, zoom: float) -> None:
    theme.apply("light", zoom)
    view.resize(round(1280 * zoom), round(900 * zoom))
    settle(host)
    walk = Walk(view)
    assert walk.nameless() == []
    assert walk.clipped() == []
