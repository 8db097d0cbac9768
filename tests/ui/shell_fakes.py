"""Stand-ins for what the shell is handed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from client.kernel.contract import Token
from client.kernel.events import Events
from client.kernel.policy import Policy
from client.kernel.ports import Record
from client.kernel.registry import Registry
from client.kernel.settings import Settings
from client.shell.main_window import MainWindow
from client.shell.ports import Entry, OwnSession, ServerNews, TokenOffer, TotpOffer, Unsent, WaysIn
from client.shell.preferences import SPECS
from client.widgets.basics import LineEdit
from client.widgets.notices import NoticeModel
from devices.ports import DeviceState, DeviceStatus
from modules.common.clock import FixedClock
from modules.common.errors import GovDeskError
from modules.common.manifest import parse
from modules.common.permissions import Actor

NOW = datetime(2026, 11, 20, 2, 24, tzinfo=UTC)
POLICY = Policy()
DEMO = (
    {"login": "zhangsan", "name": "张三", "title": "窗口人员", "password": "Govdesk-2026"},
    {"login": "wangwu", "name": "王五", "title": "部门审批人员", "password": "Govdesk-2026"},
    {"login": "sunqi", "name": "孙七", "title": "大厅管理员", "password": "Govdesk-2026"},
    {"login": "xitong", "name": "吴系统", "title": "系统管理员", "password": "Govdesk-2026"},
    {"login": "anquan", "name": "郑安全", "title": "安全管理员", "password": "Govdesk-2026"},
    {"login": "shenji", "name": "冯审计", "title": "审计管理员", "password": "Govdesk-2026"},
)


def clock() -> FixedClock:
    return FixedClock(NOW)


class DoneToken:
    """The token of work that has already been done."""

    finished = True

    def check(self) -> None: ...

    def progress(self, share: float, text: str = "") -> None: ...

    def cancel(self) -> None: ...


class HeldToken(DoneToken):
    """The token of work that a test has not let go yet."""

    def __init__(self) -> None:
        self.finished = False
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = self.finished = True


class InlineLanes:
    """Runs work at once. ``hold = True`` keeps it until ``release``."""

    def __init__(self) -> None:
        self.hold = False
        self.held: list[tuple[HeldToken, Callable[[], None]]] = []
        self.lanes: list[str] = []

    def run(
        self,
        lane: str,
        work: Callable[[Token], Any],
        *,
        done: Callable[[Any], None] | None = None,
        failed: Callable[[BaseException], None] | None = None,
        name: str = "",
    ) -> Any:
        self.lanes.append(lane)

        def now() -> None:
            try:
                value = work(DoneToken())
            except GovDeskError as error:
                if failed is None:
                    raise
                failed(error)
            else:
                if done is not None:
                    done(value)

        if not self.hold:
            now()
            return DoneToken()
        token = HeldToken()
        self.held.append((token, now))
        return token

    def release(self) -> None:
        """Let go what was held and is still wanted."""
        held, self.held, self.hold = self.held, [], False
        for token, work in held:
            if not token.cancelled:
                token.finished = True
                work()


def settings(folder: Path, **memory: Any) -> Settings:
    """Real settings in a folder of the test's own."""
    made = Settings(folder / "settings.json", SPECS)
    for key, value in memory.items():
        made.remember(f"shell.{key}", value)
    return made


class FakeDoor:
    """A door with one key: ``zhangsan`` and ``Govdesk-2026``."""

    def __init__(self) -> None:
        self.url = "https://127.0.0.1:8443"
        self.enrolled = True
        self.place = "3号窗"
        self.pages = (2, 3_500_000)
        self.online: GovDeskError | None = None
        self.must_change = False
        self.refuses: GovDeskError | None = None
        self.must_enrol = False
        self.offers_local = False
        self.methods = ["password"]
        self.one_time = ""
        self.bound = True
        self.keys: list[TokenOffer] | GovDeskError = [TokenOffer("张三", "政务UKey", 1)]
        self.asked: list[tuple[str, ...]] = []

    def offline_until(self, login: str) -> datetime | None:
        return datetime(2026, 11, 27, 9, 30, tzinfo=UTC) if login == "zhangsan" else None

    def look(self) -> ServerNews:
        if self.online is not None:
            raise self.online
        return ServerNews("示范市政务服务中心", DEMO, "市统一身份认证")

    def enrol(self, url: str, code: str) -> None:
        self.asked.append((url, code))
        if code != "ABCD-EFGH.0123456789abcdef0123":
            raise GovDeskError("AUTH-020", "登记码不对或已用过。", fix="请向大厅管理员要一个新的。")
        self.enrolled = True

    def sign_in(self, login: str, password: str, code: str = "") -> Entry:
        self.asked.append((login, password, code) if code else (login, password))
        if self.refuses is not None:
            raise self.refuses
        if password != "Govdesk-2026":
            raise GovDeskError("AUTH-002", "用户名或密码不正确。", fix="请检查后重新输入。")
        if self.one_time and not code:
            raise GovDeskError("AUTH-032", "还需要动态口令。", fix="请输入手机上显示的六位数字。")
        if self.one_time and code != self.one_time:
            raise GovDeskError("AUTH-034", "动态口令不正确或已用过。", fix="请等下一个。")
        return self._entry(login)

    def _entry(self, login: str) -> Entry:
        return Entry(
            login,
            "张三",
            must_change_password=self.must_change,
            must_enrol_totp=self.must_enrol,
            offers_local_password=self.offers_local,
        )

    def tokens(self) -> list[TokenOffer]:
        if isinstance(self.keys, GovDeskError):
            raise self.keys
        return self.keys

    def sign_in_by_token(self, key: TokenOffer, pin: str, login: str, password: str, code: str) -> Entry:
        self.asked.append(("token", str(key.handle), pin, login, password))
        if pin != "24681357":
            raise GovDeskError("DEV-503", "PIN 码不正确。只剩最后一次机会，再错就会锁死。", fix="请核对后再输入。")
        return self._bound(login)

    def sign_in_by_browser(self, going_on: Callable[[], None], login: str, password: str, code: str) -> Entry:
        self.asked.append(("browser", login, password))
        going_on()
        return self._bound(login)

    def _bound(self, login: str) -> Entry:
        if not self.bound and not login:
            raise GovDeskError("AUTH-039", "还没有登记给任何人。", fix="请输入用户名和密码，把它登记为您的。")
        return self._entry(login or "zhangsan")

    def begin_totp(self, password: str) -> TotpOffer:
        self.asked.append(("totp", password))
        return TotpOffer("GEZDGNBVGY3TQOJQ", "otpauth://totp/GovDesk:zhangsan?secret=GEZDGNBVGY3TQOJQ&issuer=GovDesk")

    def confirm_totp(self, code: str) -> list[str]:
        if code != "287082":
            raise GovDeskError("AUTH-034", "动态口令不正确或已用过。", fix="请等下一个。")
        self.must_enrol = False
        return ["ABCD-EFGH-JKMN", "PQRS-TUVW-XYZ2"]

    def set_local_password(self, password: str) -> None:
        self.asked.append(("local", password))

    def change_password(self, login: str, old: str, new: str) -> Entry:
        self.asked.append((login, old, new))
        self.must_change = False
        return self._entry(login)


MANIFEST = """
id = "sample"
name = "办件"
api = 1
entry = "shell_fakes:SampleModule"
order = 20

[permissions]
"sample.read" = "查看"
"sample.decide" = "审批"
"sample.secret" = "机密"

[[pages]]
id = "sample.accept"
title = "一窗受理"
view = "shell_fakes:SampleView"
icon = "stamp"
permission = "sample.read"
shortcut = "Ctrl+1"
order = 20

[[pages]]
id = "sample.cases"
title = "办件"
view = "shell_fakes:SampleView"
icon = "folder"
permission = "sample.read"
order = 21

[[pages]]
id = "sample.broken"
title = "值班排班"
view = "shell_fakes:no_such_view"
icon = "calendar"
order = 30

[[pages]]
id = "sample.secret"
title = "机密页"
view = "shell_fakes:SampleView"
permission = "sample.secret"
order = 40

[[commands]]
id = "sample.greet"
title = "问好"
handler = "shell_fakes:greet"
icon = "user"

[[commands]]
id = "sample.hidden"
title = "机密命令"
handler = "shell_fakes:greet"
permission = "sample.secret"

[[todos]]
id = "sample.to_decide"
title = "待审批"
page = "sample.cases"
kind = "case"
states = ["accepted"]
permission = "sample.decide"

[[todos]]
id = "sample.to_close"
title = "待办结"
page = "sample.cases"
kind = "case"
states = ["decided"]
permission = "sample.decide"
"""
greeted: list[object] = []


def greet(host: object) -> None:
    greeted.append(host)


class SampleModule:
    def start(self, host: object) -> None: ...

    def stop(self) -> None: ...


class SampleView(QWidget):
    """A page with one field."""

    def __init__(self, host: object) -> None:
        super().__init__()
        self.arguments: dict[str, Any] = {}
        self.closed = False
        self.edit = LineEdit("姓名")
        column = QVBoxLayout(self)
        column.addWidget(self.edit)
        column.addStretch(1)
        self.setFocusProxy(self.edit)

    def show_arguments(self, **arguments: Any) -> None:
        self.arguments = arguments

    def closeEvent(self, event: QCloseEvent) -> None:
        self.closed = True
        super().closeEvent(event)


def record(number: str, title: str, state: str = "accepted", **more: Any) -> Record:
    return Record("case", f"id-{number}", 1, {}, title, state, number, None, NOW, **more)


class FakeRecords:
    """Records in memory."""

    def __init__(self) -> None:
        self.records = [
            record("3411A-20261120-000003", "李建国 · 个体工商户设立登记", pending=1),
            record("3411A-20261120-000002", "欧阳𬀩 · 居住登记", "decided"),
            record("3411A-20261119-000117", "王小丽 · 城乡居民基本养老保险参保登记", "closed"),
            record("3411A-20261119-000116", "赵敏 · 居住登记", refused=1),
        ]

    def get(self, kind: str, id: str) -> Record | None:
        return next((each for each in self.records if each.id == id), None)

    def find(
        self, kind: str, *, states: Sequence[str] = (), text: str = "", limit: int = 200, **_: Any
    ) -> list[Record]:
        found = [each for each in self.records if text in each.title or text in each.number]
        return [each for each in found if not states or each.state in states][:limit]

    def searchable(self) -> float:
        return 1.0

    def count(self, kind: str, *, states: Sequence[str] = (), due: date | None = None) -> int:
        return len(self.find(kind, states=states))


class FakeDesk:
    """Zhang San's desk; the password is ``Govdesk-2026``."""

    def __init__(self, *permissions: str) -> None:
        granted = frozenset(permissions or ("sample.read", "sample.decide"))
        self.actor = Actor("p1", "zhangsan", "张三", "hall-1", "", frozenset({"clerk"}), granted)
        self.place = "3号窗"
        self.pages = (2, 3_500_000)
        self.key_place = "设备密钥由系统密钥环保管。"
        self.waiting = [
            Unsent("c1", "受理 李建国 · 个体工商户设立登记", "3411A-20261120-000003", NOW, "张三"),
            Unsent(
                "c2", "决定 赵敏 · 居住登记", "3411A-20261119-000116", NOW, "王五", True, "ACC-012",
                "此件已由别人决定", ("case", "id-3411A-20261119-000116"),
            ),
        ]  # fmt: skip
        self.asked: list[tuple[str, ...]] = []
        self.key = "password"
        self.another = False
        self.ways = WaysIn(False, False, 0)
        self.own_sessions = [
            OwnSession("s1", "3号窗", "password", NOW, NOW, True, False),
            OwnSession("s2", "5号窗", "certificate", NOW, NOW, False, False),
            OwnSession("s3", "综合科", "oidc", NOW, NOW, False, True),
        ]

    def unsent(self) -> list[Unsent]:
        return self.waiting

    def scans(self) -> tuple[int, int]:
        return self.pages

    def drop_refused(self, cmd_id: str) -> None:
        self.asked.append(("drop", cmd_id))

    def sync_now(self) -> None:
        self.asked.append(("sync",))

    def check_password(self, password: str) -> None:
        if password != "Govdesk-2026":
            raise GovDeskError("AUTH-002", "密码不正确。", fix="请重新输入。")

    def check_in_browser(self, going_on: Callable[[], None]) -> None:
        going_on()
        self.asked.append(("browser",))
        if self.another:
            raise GovDeskError("AUTH-048", "这不是登录时的那个人。", fix="请用自己的账号。")

    def token_present(self) -> bool:
        return True

    def ways_in(self) -> WaysIn:
        return self.ways

    def begin_totp(self, password: str) -> TotpOffer:
        self.check_password(password)
        return TotpOffer("GEZDGNBVGY3TQOJQ", "otpauth://totp/GovDesk:zhangsan?secret=GEZDGNBVGY3TQOJQ&issuer=GovDesk")

    def confirm_totp(self, code: str) -> list[str]:
        if code != "287082":
            raise GovDeskError("AUTH-034", "动态口令不正确或已用过。", fix="请等下一个。")
        self.ways = WaysIn(True, False, 2)
        return ["ABCD-EFGH-JKMN", "PQRS-TUVW-XYZ2"]

    def remove_totp(self, password: str, code: str) -> None:
        self.check_password(password)
        self.ways = WaysIn(False, False, 0)

    def set_local_password(self, password: str) -> None:
        self.asked.append(("local", password))

    def sessions(self) -> list[OwnSession]:
        return self.own_sessions

    def end_session(self, id: str) -> None:
        self.asked.append(("end", id))
        self.own_sessions = [each for each in self.own_sessions if each.current or (id and each.id != id)]

    def change_password(self, old: str, new: str) -> None:
        self.check_password(old)
        self.asked.append(("password", new))

    def printers(self) -> list[str]:
        return ["办公室激光机"]


class FakeHost(InlineLanes):
    """A host that lends what it was given."""

    def __init__(self, **services: Any) -> None:
        super().__init__()
        self.services = services
        self.window: MainWindow | None = None

    def service(self, port: type[Any]) -> Any:
        return self.services[port.__name__]

    def open_page(self, page: str, **arguments: Any) -> None:
        assert self.window is not None
        self.window.open_page(page, **arguments)

    def notice(self, text: str, *, state: str = "info", code: str = "") -> None:
        assert self.window is not None
        self.window.notices.tell(text, state=state, code=code)


def status(state: DeviceState, name: str, text: str = "", **more: Any) -> DeviceStatus:
    return DeviceStatus(name, "id_card", name, state, 1, NOW, text=text, **more)


def main_window(folder: Path, *permissions: str, policy: Policy = POLICY, **memory: Any) -> MainWindow:
    """A main window over fakes. ``window.host`` is its host, ``window.desk`` its desk."""
    time = clock()
    host = FakeHost(
        Events=Events(), Settings=settings(folder, **memory), Clock=time, Records=FakeRecords(), Policy=policy
    )
    desk = FakeDesk(*permissions)
    registry = Registry([parse(MANIFEST, "sample/module.toml")], host)
    window = MainWindow(
        host, desk, registry, NoticeModel(time), about="GovDesk 0.1.0", save_bundle=lambda: "诊断包已保存。"
    )
    host.window = window
    window.host, window.desk = host, desk  # type: ignore[attr-defined]
    return window
