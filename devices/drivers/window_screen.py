"""Window screens (LED) on a serial line or a TCP port, described by a profile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from devices.drivers.profiled import LOST, Cancelled, Garbled, NoAnswer, NotOpened, Profile, ProfiledLine
from devices.ports import DeviceError
from modules.common.text import tr


class LedScreen:
    """Shows lines of text. Fields as ``ProfiledLine``'s; ``profile`` names a file."""

    def __init__(
        self, port: str, profile: str = "reference-screen", *, baud: int = 0, answer_time: float = 1.0
    ) -> None:
        self._line = ProfiledLine(port, Profile.load(profile), baud=baud, answer_time=answer_time)
        self._port = port
        self._claim = threading.Lock()

    def show(self, lines: Sequence[str], timeout: float = 3.0, token: threading.Event | None = None) -> None:
        """See ``WindowScreen.show``. Setting ``token`` ends it with DEV-455."""
        token = token or threading.Event()
        profile = self._line.profile
        deadline = time.monotonic() + timeout
        with self._claimed(deadline, token):
            for row in range(profile.rows):
                if token.is_set():
                    raise Cancelled
                text = lines[row] if row < len(lines) else ""
                self._tell("show", token, row=row, text=profile.fitted(text, profile.columns))
                if time.monotonic() > deadline:
                    raise NoAnswer

    def probe(self) -> None:
        """Ask the screen whether it is well. Raises ``DeviceError`` DEV-451 to DEV-453, DEV-457."""
        token = threading.Event()
        with self._claimed(time.monotonic() + 1.0, token):
            self._tell("probe", token)

    def close(self) -> None:
        """Let go of the port."""
        with self._claim:
            self._line.drop()

    def _tell(self, call: str, token: threading.Event, **fields: object) -> None:
        answer = self._line.ask(call, token, **fields)
        if answer is not None and not answer.data.startswith(self._line.profile.calls[call].good):
            raise DeviceError(
                "DEV-453", tr("窗口屏没有接受显示内容。"), fix=tr("请检查窗口屏的型号设置，或联系系统管理员。")
            )

    @contextmanager
    def _claimed(self, deadline: float, token: threading.Event) -> Iterator[None]:
        if not self._claim.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise self._silent()
        try:
            yield
        except NotOpened as error:
            raise (self._held() if error.held else self._absent()) from error
        except (NoAnswer, Garbled) as error:
            self._line.drop()
            raise self._silent() from error
        except Cancelled as error:
            self._line.drop()
            raise DeviceError("DEV-455", tr("已取消显示。")) from error
        except LOST as error:
            self._line.drop()
            raise self._absent() from error
        finally:
            self._claim.release()

    def _absent(self) -> DeviceError:
        return DeviceError(
            "DEV-451",
            tr("没有找到窗口屏（{port}）。", port=self._port),
            fix=tr("请检查窗口屏的连接线和电源，接好后会自动恢复；叫号不受影响。"),
        )

    def _silent(self) -> DeviceError:
        return DeviceError(
            "DEV-452",
            tr("窗口屏没有确认收到（{port}），显示的可能还是旧内容。", port=self._port),
            fix=tr("请看一眼窗口屏；反复出现时请检查连接线。"),
        )

    def _held(self) -> DeviceError:
        return DeviceError(
            "DEV-457",
            tr("窗口屏端口 {port} 正被其他程序占用，或没有使用权限。", port=self._port),
            fix=tr("请关闭其他使用窗口屏的程序；仍然不行时请联系管理员。"),
        )
