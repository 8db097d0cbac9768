"""人员与角色, 设备, 审计日志: who may do what, what the server refuses, and what is shown only once."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import shell_fakes
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from people_fakes import AT, FakeServer, certificate, person, ways_in
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QWidget
from shell_fakes import NOW, FakeHost

from client.kernel.events import Events
from client.kernel.ports import Record
from client.shell.preferences import ZOOMS
from client.widgets.basics import ConfirmDialog
from client.widgets.theme import Theme
from devices.ports import TokenKey
from modules.common.errors import GovDeskError
from modules.common.permissions import Actor
from modules.people.ui.asking import AskDialog, OneTimeDialog
from modules.people.ui.audit import AuditView
from modules.people.ui.people import PeopleView
from modules.people.ui.ways import WaysView
from tests.support.a11y import Walk
from tests.support.certificates import Authority

ALL = ("people.view", "people.manage", "people.grant", "people.audit")
PLACES = (("hall-1", "hall", "示范市政务服务中心"), ("dept-market", "department", "市场监督管理局"))


class Places:
    """The organisations that this computer knows."""

    def find(self, kind: str, **_: Any) -> list[Record]:
        assert kind == "organisation"
        return [Record(kind, id, 1, {"kind": sort, "name": name}, name, "", "", None, NOW) for id, sort, name in PLACES]


class Who:
    """The signed-in person."""

    def __init__(self, *permissions: str) -> None:
        self.actor = Actor("p9", "x", "吴系统", permissions=frozenset(permissions))


class Tokens:
    """Tokens that are plugged in."""

    available = True
    trouble: GovDeskError | None = None

    def __init__(self) -> None:
        self.keys: list[TokenKey] = []

    def certificates(self) -> list[TokenKey]:
        if self.trouble:
            raise self.trouble
        return self.keys


class Stage:
    """A page over a fake server."""

    def __init__(self, qtbot: Any, folder: Path) -> None:
        self.server = FakeServer()
        self.bot = qtbot
        self.folder = folder
        self.pages: list[QWidget] = []
        self.tokens = Tokens()

    def open(self, kind: type[Any], *permissions: str, trouble: GovDeskError | None = None) -> Any:
        self.server.trouble = trouble
        self.host = FakeHost(
            Server=self.server,
            Session=Who(*(permissions or ALL)),
            Settings=shell_fakes.settings(self.folder),
            Records=Places(),
            Events=Events(),
            TokenReader=self.tokens,
        )
        page = kind(self.host)
        self.pages.append(page)
        self.bot.addWidget(page)
        page.resize(1024, 640)
        page.show()
        page.activateWindow()
        QApplication.processEvents()
        return page


@pytest.fixture
def stage(qtbot: Any, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(qtbot, tmp_path)
    yield made
    for page in made.pages:
        page.close()
    for widget in QApplication.topLevelWidgets():
        if isinstance(widget, QDialog):
            widget.done(0)


def dialog(kind: type[QDialog]) -> Any:
    return next(each for each in QApplication.topLevelWidgets() if isinstance(each, kind) and each.isVisible())


def test_people_are_listed_with_where_they_work_and_searched_at_the_server(stage: Stage, qtbot: Any) -> None:
    pane = stage.open(PeopleView).people
    assert [person.login for person in pane.table.rows] == ["anquan", "lisi", "wangwu", "xinren", "zhangsan"]
    wangwu = pane.table.rows[2]
    assert pane.list.places.name(wangwu) == "市场监督管理局"
    qtbot.keyClicks(pane.search, "zhang")
    assert [person.login for person in pane.table.rows] == ["zhangsan"]
    assert set(stage.host.lanes) == {"net", "read"}


def test_people_go_on_as_somebody_scrolls(stage: Stage, qtbot: Any) -> None:
    stage.server.people += [person(f"zz{n:03}", "众人") for n in range(300)]
    pane = stage.open(PeopleView).people
    assert len(pane.table.rows) == 200
    pane.table.view.verticalScrollBar().setValue(pane.table.view.verticalScrollBar().maximum())
    assert [person.login for person in pane.table.rows] == sorted(each["login"] for each in stage.server.people)


def test_an_older_answer_does_not_overwrite_a_newer_one(stage: Stage) -> None:
    pane = stage.open(PeopleView).people
    stage.host.hold = True
    pane.search.setText("zhang")
    pane.search.setText("wang")
    stage.host.held.reverse()
    stage.host.release()
    assert [person.login for person in pane.table.rows] == ["wangwu"]


@pytest.mark.parametrize(
    ("permissions", "manages", "grants"),
    [
        (("people.view",), False, False),
        (("people.view", "people.manage"), True, False),
        (("people.view", "people.grant"), False, True),
    ],
)
def test_the_buttons_follow_the_permissions(
    stage: Stage, permissions: tuple[str, ...], manages: bool, grants: bool
) -> None:
    view = stage.open(PeopleView, *permissions)
    view.people.table.choose("p-zhangsan")
    detail = view.people.detail
    assert view.people.new_person.isVisible() is manages
    assert detail.reset.isVisible() is manages
    assert detail.enable.isVisible() is manages
    assert detail.buttons["clerk"].isVisible() is grants
    assert (view.devices is not None) is manages


def test_a_forbidden_mixture_of_administrators_is_refused_in_the_servers_words(stage: Stage) -> None:
    pane = stage.open(PeopleView).people
    pane.table.choose("p-anquan")
    pane.detail.buttons["auditadmin"].click()
    ask = dialog(AskDialog)
    ask.go.click()
    assert ask.isVisible(), "the reason that was typed is not lost"
    assert "三员互斥" in ask.notice.text()
    ask.reject()
    assert pane.table.current.roles == ["secadmin"]


def test_a_role_that_is_asked_for_waits_for_another_and_is_taken_back_at_once(stage: Stage) -> None:
    view = stage.open(PeopleView)
    pane, requests = view.people, view.requests
    assert not requests.table.rows
    pane.table.choose("p-zhangsan")
    assert pane.detail.buttons["manager"].accessibleName() == "授予大厅管理员"
    pane.detail.buttons["manager"].click()
    ask = dialog(AskDialog)
    ask._fields["reason"].setText("代理厅长")
    ask.go.click()
    assert "同意后生效" in pane.notice.text()
    assert pane.table.current.roles == ["clerk"]
    # one's own is not one's own to agree to
    view.setCurrentWidget(requests)
    requests.table.choose("r0")
    assert (requests.table.current.reason, requests.agree.isEnabled()) == ("代理厅长", False)
    assert requests.decline.text() == "撤回"
    stage.server.requests[0]["asked_by_id"] = "p-other"
    requests.reload()
    requests.table.choose("r0")
    assert requests.decline.text() == "不同意"
    requests.agree.click()
    dialog(ConfirmDialog).go.click()
    assert not requests.table.rows
    assert pane.table.current.roles == ["clerk", "manager"]
    assert pane.detail.buttons["manager"].accessibleName() == "收回大厅管理员"
    pane.detail.buttons["manager"].click()
    assert pane.table.current.roles == ["clerk"]


def test_disabling_is_asked_first_and_enabling_is_not(stage: Stage) -> None:
    pane = stage.open(PeopleView).people
    pane.table.choose("p-zhangsan")
    pane.detail.enable.click()
    ask = dialog(ConfirmDialog)
    assert pane.table.current.enabled
    ask.go.click()
    assert not pane.table.current.enabled
    pane.detail.enable.click()
    assert pane.table.current.enabled


def test_a_reset_password_is_shown_once(stage: Stage, qtbot: Any) -> None:
    pane = stage.open(PeopleView).people
    pane.table.choose("p-zhangsan")
    pane.detail.reset.click()
    assert not [path for path, _ in stage.server.asked if path.endswith("reset-password")]
    dialog(ConfirmDialog).go.click()
    once = dialog(OneTimeDialog)
    assert once.secret.text() == "Zt4-wNb8-hJk3"
    assert once.secret.isReadOnly()
    once.close_button.click()
    qtbot.waitUntil(lambda: not [each for each in QApplication.topLevelWidgets() if isinstance(each, OneTimeDialog)])


def test_a_new_person_is_checked_here_and_there_and_what_was_entered_stays(stage: Stage) -> None:
    pane = stage.open(PeopleView).people
    pane.new_person.click()
    ask = dialog(AskDialog)
    ask._fields["login"].setText("张三")
    ask.go.click()
    assert not [path for path, body in stage.server.asked if "login" in body]
    assert "登录名" in ask._faults["login"].text()
    assert ask.focusWidget() is ask._fields["login"]
    ask._fields["login"].setText("zhangsan")
    ask._fields["name"].setText("张三丰")
    ask.go.click()
    assert "AUTH-022" in ask.notice.accessibleName()
    assert ask.values()["name"] == "张三丰"
    ask._fields["login"].setText("zhangsanfeng")
    ask._fields["hall_id"].setCurrentIndex(1)
    ask.go.click()
    sent = [body for path, body in stage.server.asked if body.get("login") == "zhangsanfeng"]
    assert sent == [{"login": "zhangsanfeng", "name": "张三丰", "hall_id": "hall-1", "department_id": ""}]
    assert dialog(OneTimeDialog).secret.text() == "Kx7-mPq2-vRt9"
    assert "zhangsanfeng" in [person.login for person in pane.table.rows]


def test_a_device_is_revoked_after_a_question_and_a_code_is_shown_once(stage: Stage) -> None:
    view = stage.open(PeopleView)
    view.setCurrentIndex(1)
    pane = view.devices
    assert not pane.revoke.isEnabled()
    pane.table.choose("d1")
    assert not pane.revoke.isEnabled()
    pane.table.choose("d2")
    pane.again.click()
    assert stage.server.asked[-1] == ("/v1/m/people/devices/d2/code", {})
    dialog(OneTimeDialog).accept()
    pane.revoke.click()
    asked = dialog(AskDialog)
    asked.go.click()
    assert "原因" in asked._faults["reason"].text()
    assert not all(device.revoked_at for device in pane.table.rows)
    asked._fields["reason"].setCurrentIndex(asked._fields["reason"].findData("lost"))
    asked.go.click()
    assert ("/v1/m/people/devices/d2/revoke", {"reason": "lost"}) in stage.server.asked
    assert all(device.revoked_at for device in pane.table.rows)
    pane.code.click()
    ask = dialog(AskDialog)
    ask.go.click()
    assert "名称" in ask._faults["name"].text()
    ask._fields["name"].setText("6号窗")
    ask.go.click()
    assert stage.server.asked[-1] == ("/v1/m/people/codes", {"hall_id": "hall-1", "name": "6号窗"})
    assert dialog(OneTimeDialog).secret.text().startswith("ABCD-EFGH.")


BUSY = ways_in(
    last={"password": "2026-11-30T01:02:00.000Z", "oidc": "2026-11-29T08:00:00.000Z"},
    totp=True,
    totp_required="role",
    totp_at="2026-11-01T00:30:00.000Z",
    totp_used_at="2026-11-30T01:02:00.000Z",
    recovery_left=8,
    certificates=[
        certificate("CN=张三,OU=政务服务中心,O=示范市"),
        certificate("CN=张三（旧）", revoked_at=AT, used_at=""),
    ],
    identities=["https://sso.example.gov.cn/realms/office"],
    sessions=2,
)


def labels(widget: QWidget) -> str:
    """All words that are shown."""
    return " ".join(each.text() for each in widget.findChildren(QLabel) if each.isVisibleTo(widget))


def test_each_way_in_is_shown_with_its_last_use(stage: Stage) -> None:
    stage.server.ways["p-zhangsan"] = BUSY
    page = stage.open(WaysView)
    assert "选一个人" in labels(page)
    page.table.choose("p-zhangsan")
    words = labels(page.detail)
    for part in (
        "2026-11-30 09:02",
        "还剩 8 个恢复码",
        "角色必须使用",
        "CN=张三,OU",
        "sso.example.gov.cn",
        "现有 2 处",
    ):
        assert part in words, part
    assert not page.detail.require.isEnabled(), "a role demands it, whatever is asked of the person"
    assert page.detail.reset.isEnabled()
    assert len(page.detail.unbind) == 1, "what was taken back cannot be taken back again"
    page.table.choose("p-lisi")
    words = labels(page.detail)
    for part in ("没有登记证书", "没有关联", "未启用", "400 天内没有这样登录过", "现在没有登录"):
        assert part in words, part
    assert not page.detail.end.isEnabled()


def test_what_hurts_is_asked_first_and_shown_after(stage: Stage) -> None:
    stage.server.ways["p-zhangsan"] = {**BUSY, "totp_required": "", "certificates": [certificate("CN=张三")]}
    page = stage.open(WaysView)
    page.table.choose("p-zhangsan")
    detail = page.detail
    base = "/v1/m/people/people/p-zhangsan"

    def posted() -> list[tuple[str, Any]]:
        return [(path.removeprefix(base), body) for path, body in stage.server.asked if path.startswith(base + "/")]

    (button,) = detail.unbind.values()
    assert button.accessibleName() == "停用证书 CN=张三"
    button.click()
    dialog(ConfirmDialog).keep.click()
    assert all("revoke" not in path for path, _ in posted())
    button.click()
    dialog(ConfirmDialog).go.click()
    assert detail.unbind == {}
    assert "已停用" in page.notice.text()
    detail.require.click()
    assert posted()[-2] == ("/second-factor/required", {"required": True})
    assert "下次用密码登录时须启用" in page.notice.text()
    detail.require.click()
    assert dialog(ConfirmDialog).accessibleDescription().startswith("张三 以后可以只用密码登录")
    dialog(ConfirmDialog).go.click()
    assert posted()[-2] == ("/second-factor/required", {"required": False})
    detail.end.click()
    dialog(ConfirmDialog).go.click()
    assert posted()[-2] == ("/sign-out", {})
    assert not detail.end.isEnabled()
    detail.reset.click()
    dialog(ConfirmDialog).go.click()
    assert posted()[-2] == ("/second-factor/remove", {})
    assert not detail.reset.isEnabled()


def test_ones_own_ways_in_are_left_to_another(stage: Stage) -> None:
    stage.server.people[0]["id"] = "p9"
    stage.server.ways["p9"] = {**BUSY, "totp_required": ""}
    page = stage.open(WaysView)
    page.table.choose("p9")
    detail = page.detail
    buttons = [detail.require, detail.reset, detail.end, detail.from_file, detail.from_token, *detail.unbind.values()]
    assert not any(button.isEnabled() for button in buttons)
    assert "另一位安全管理员" in labels(detail)


@pytest.fixture(scope="module")
def issued() -> x509.Certificate:
    authority = Authority("某市电子认证", NOW)
    return authority.issue(authority.key.public_key(), "张三")


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_certificate_from_a_file_is_handed_to_another_to_agree(
    stage: Stage, tmp_path: Path, issued: x509.Certificate, encoding: Encoding
) -> None:
    page = stage.open(WaysView)
    page.table.choose("p-zhangsan")
    file = tmp_path / "zhangsan.cer"
    file.write_bytes(issued.public_bytes(encoding))
    page.take_file(file)
    ask = dialog(AskDialog)
    assert "CN=某市电子认证" in ask.accessibleDescription()
    assert issued.fingerprint(SHA256()).hex()[:16] in ask.accessibleDescription()
    ask._fields["reason"].setText("再来一次")
    ask.go.click()
    assert "AUTH-060" in ask.notice.accessibleName()
    ask._fields["reason"].setText("新证书")
    ask.go.click()
    assert "同意后生效" in page.notice.text()
    path, body = stage.server.asked[-1]
    assert path == "/v1/m/people/people/p-zhangsan/certificates"
    assert base64.b64decode(body["pem"]) == issued.public_bytes(Encoding.DER)
    assert body["reason"] == "新证书"


def test_what_is_no_certificate_is_said_with_its_code(stage: Stage, tmp_path: Path) -> None:
    page = stage.open(WaysView)
    page.table.choose("p-zhangsan")
    file = tmp_path / "key.pfx"
    file.write_bytes(b"0\x82" + bytes(100))
    page.take_file(file)
    assert "AUTH-053" in page.notice.accessibleName()
    page.take_file(tmp_path / "none.cer")
    assert "AUTH-054" in page.notice.accessibleName()
    file.write_bytes(bytes(70_000))
    page.take_file(file)
    assert "AUTH-053" in page.notice.accessibleName()


def test_a_certificate_from_a_token_is_chosen_and_its_troubles_are_said(stage: Stage, issued: x509.Certificate) -> None:
    page = stage.open(WaysView)
    page.table.choose("p-zhangsan")
    page.detail.from_token.click()
    assert "没有证书" in page.notice.text()
    other = Authority("别的", NOW).certificate
    stage.tokens.keys = [
        TokenKey("李四的UKey", "1", "a", "李四", other.public_bytes(Encoding.DER)),
        TokenKey("张三的UKey", "2", "b", "张三", issued.public_bytes(Encoding.DER)),
    ]
    page.detail.from_token.click()
    ask = dialog(AskDialog)
    ask._fields["certificate"].setCurrentIndex(1)
    assert "张三的UKey" in ask._fields["certificate"].currentText()
    ask.go.click()
    assert base64.b64decode(stage.server.asked[-1][1]["pem"]) == issued.public_bytes(Encoding.DER)
    stage.tokens.trouble = GovDeskError("DEV-501", "读不了证书介质。")
    page.detail.from_token.click()
    assert "DEV-501" in page.notice.accessibleName()


def test_without_a_library_for_tokens_a_file_will_do(stage: Stage) -> None:
    stage.tokens.available = False
    page = stage.open(WaysView)
    page.table.choose("p-zhangsan")
    assert not page.detail.from_token.isEnabled()
    assert page.detail.from_file.isEnabled()
    assert "只能从文件登记" in labels(page.detail)


def test_the_answer_about_another_person_is_not_shown(stage: Stage) -> None:
    stage.server.ways["p-lisi"] = {**BUSY, "sessions": 7}
    page = stage.open(WaysView)
    stage.host.hold = True
    page.table.choose("p-lisi")
    page.table.choose("p-zhangsan")
    stage.host.held.reverse()
    stage.host.release()
    assert "现有 7 处" not in labels(page.detail)


def test_a_certificate_waits_for_another_administrator_who_sees_whose_it_is(stage: Stage) -> None:
    made = {"id": "r0", "person_id": "p-zhangsan", "person": "张三", "role": "", "reason": "", "asked_by_id": "p8"}
    made |= {"asked_by": "郑安全", "asked_at": AT, "until": AT, "certificate": "CN=张三", "fingerprint": "ab" * 32}
    stage.server.requests.append(made)
    view = stage.open(PeopleView)
    view.setCurrentWidget(view.requests)
    view.requests.table.choose("r0")
    view.requests.agree.click()
    ask = dialog(ConfirmDialog)
    for part in ("CN=张三", "ab" * 8, "核对"):
        assert part in ask.accessibleDescription()
    ask.reject()


@pytest.mark.parametrize("kind", [PeopleView, AuditView, WaysView])
def test_without_the_server_it_says_so_and_can_be_tried_again(stage: Stage, kind: type[Any]) -> None:
    page = stage.open(kind, trouble=GovDeskError("NET-001", "连不上服务器。", fix="请检查网络。"))
    table = page.people.table if kind is PeopleView else page.table
    assert "NET-001" in table.pane.text()
    stage.server.trouble = None
    table.acted.emit()
    assert table.rows


def test_the_audit_log_is_asked_by_day_in_china_and_goes_back_in_time(stage: Stage, qtbot: Any) -> None:
    page = stage.open(AuditView)
    page.action.setText("case.")
    page.since.setText("2026-11-20")
    page.until.setText("20261120")
    page.person.setText(" 张三 ")
    page.device.setText("3号")
    page.result.setCurrentIndex(2)
    qtbot.keyClick(page.until, Qt.Key.Key_Return)
    asked = stage.server.asked[-1][1]
    assert (asked["since"], asked["until"]) == ("2026-11-19T16:00:00.000Z", "2026-11-20T16:00:00.000Z")
    assert (asked["action"], asked["before"]) == ("case.", "0")
    assert (asked["person"], asked["device"], asked["result"]) == ("张三", "3号", "refused")
    page.more.click()
    assert stage.server.asked[-1][1]["before"] == "31"
    assert len(page.table.rows) == 20
    assert not page.more.isVisible()


def test_a_day_that_is_none_is_said(stage: Stage) -> None:
    page = stage.open(AuditView)
    before = len(stage.server.asked)
    page.since.setText("2026-13-45")
    page.reload()
    assert len(stage.server.asked) == before
    assert "2026-11-20" in page.table.pane.text()


def test_the_chain_is_verified_and_a_break_is_named(stage: Stage) -> None:
    page = stage.open(AuditView)
    page.verify.click()
    assert "40" in page.notice.text()
    assert page.verify.isEnabled()
    stage.server.broken_at = 17
    page.verify.click()
    assert "17" in page.notice.text()
    assert page.notice.property("state") == "red"
    stage.server.why = "forged"
    page.verify.click()
    assert "签过名" in page.notice.text()


def test_the_chain_is_saved_in_parts_as_one_file_or_not_at_all(stage: Stage, tmp_path: Path) -> None:
    page = stage.open(AuditView)
    file = tmp_path / "audit.jsonl"
    page.save(file)
    assert file.read_text("utf-8") == "one\ntwo\nhead\n"
    assert [query for path, query in stage.server.asked if path.endswith("export")] == [
        {},
        {"after": "1", "until": "2"},
    ]
    assert "audit.jsonl" in page.notice.text()
    stage.server.trouble = GovDeskError("NET-001", "连不上服务器。")
    page.save(tmp_path / "other.jsonl")
    assert "连不上" in page.notice.text()
    stage.server.trouble = None
    page.save(tmp_path / "no such folder" / "x.jsonl")
    assert "x.jsonl" in page.notice.text()
    assert [path.name for path in tmp_path.iterdir()] == ["audit.jsonl"]
    assert page.export.isEnabled()


def test_without_the_right_the_audit_log_asks_nothing(stage: Stage) -> None:
    page = stage.open(AuditView, "people.view")
    assert stage.server.asked == []
    assert "权限" in page.table.pane.text()


@pytest.mark.parametrize("kind", [PeopleView, AuditView, WaysView])
@pytest.mark.parametrize("zoom", [ZOOMS[0], 100, 150, 200])
def test_every_size_shows_all_words_and_names_every_stop(
    stage: Stage, theme: Theme, kind: type[Any], zoom: int
) -> None:
    theme.apply("light", zoom / 100)
    page = stage.open(kind)
    if kind is PeopleView:
        page.people.table.choose("p-anquan")
    elif kind is WaysView:
        stage.server.ways["p-zhangsan"] = BUSY
        page.table.choose("p-zhangsan")
    else:
        page.table.choose("40")
    QApplication.processEvents()
    walk = Walk(page)
    assert walk.nameless() == []
    assert walk.clipped() == []
    assert walk.out_of_order() == []
