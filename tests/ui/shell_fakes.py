"""Stand-ins for what the shell is handed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from client.kernel.contract import Token
from client.kernel.settings import Settings
from client.shell.ports import Entry, ServerNews
from client.shell.preferences import SPECS
from modules.common.clock import FixedClock
from modules.common.errors import GovDeskError

NOW = datetime(2026, 11, 20, 2, 24, tzinfo=UTC)
DEMO = (
    {"login": "zhangsan", "name": "张三", "role": "窗口人员", "password": "Govdesk-2026"},
    {"login": "wangwu", "name": "王五", "role": "部门审批人员", "password": "Govdesk-2026"},
    {"login": "sunqi", "name": "孙七", "role": "大厅管理员", "password": "Govdesk-2026"},
    {"login": "xitong", "name": "吴系统", "role": "系统管理员", "password": "Govdesk-2026"},
    {"login": "anquan", "name": "郑安全", "role": "安全管理员", "password": "Govdesk-2026"},
    {"login": "shenji", "name": "冯审计", "role": "审计管理员", "password": "Govdesk-2026"},
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
        self.online: GovDeskError | None = None
        self.must_change = False
        self.asked: list[tuple[str, ...]] = []

    def offline_until(self, login: str) -> datetime | None:
        return datetime(2026, 11, 27, 9, 30, tzinfo=UTC) if login == "zhangsan" else None

    def look(self) -> ServerNews:
        if self.online is not None:
            raise self.online
        return ServerNews("示范市政务服务中心", DEMO)

    def enrol(self, url: str, code: str) -> None:
        self.asked.append((url, code))
        if code != "ABCD-EFGH.0123456789abcdef0123":
            raise GovDeskError("AUTH-020", "登记码不对或已用过。", fix="请向大厅管理员要一个新的。")
        self.enrolled = True

    def sign_in(self, login: str, password: str) -> Entry:
        self.asked.append((login, password))
        if password != "Govdesk-2026":
            raise GovDeskError("AUTH-002", "用户名或密码不正确。", fix="请检查后重新输入。")
        return Entry(login, "张三", must_change_password=self.must_change)

    def change_password(self, login: str, old: str, new: str) -> None:
        self.asked.append((login, old, new))
