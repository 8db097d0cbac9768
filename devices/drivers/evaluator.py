"""Evaluators on a serial line, described by a profile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from devices.drivers.profiled import LOST, Cancelled, Garbled, Message, NoAnswer, NotOpened, Profile, ProfiledLine
from devices.ports import DeviceError
from modules.common.text import tr


class SerialEvaluator:
    """Asks for a rating, and hears the key. Fields as ``ProfiledLine``'s; ``profile`` names a file."""

    def __init__(
        self, port: str, profile: str = "reference-evaluator", *, baud: int = 0, answer_time: float = 1.0
    ) -> None:
        self._line = ProfiledLine(port, Profile.load(profile), baud=baud, answer_time=answer_time)
        self._port = port
        self._claim = threading.Lock()

    def ask(self, timeout: float = 60.0, token: threading.Event | None = None) -> int:
        """See ``Evaluator.ask``. Setting ``token`` ends it with DEV-405."""
        token = token or threading.Event()
        with self._claimed(asking=True):
            if token.is_set():
                raise Cancelled
            deadline = time.monotonic() + timeout
            try:
                answer = self._line.ask("ask", token, seconds=round(timeout))
                if answer is not None and not answer.data.startswith(self._line.profile.calls["ask"].good):
                    raise _refused()
                return self._key(deadline, token)
            except Cancelled:
                self._line.send("stop")
                raise

    def probe(self) -> None:
        """Ask the evaluator whether it is well. Raises ``DeviceError`` DEV-403, DEV-404, DEV-406, DEV-407, DEV-409."""
        with self._claimed(asking=False):
            answer = self._line.ask("probe", threading.Event())
            if answer is not None and not answer.data.startswith(self._line.profile.calls["probe"].good):
                raise _refused()

    def close(self) -> None:
        """Let go of the port."""
        with self._claim:
            self._line.drop()

    def _key(self, deadline: float, token: threading.Event) -> int:
        profile = self._line.profile
        while True:
            found = self._line.await_event("key", deadline, token)
            if found is None:
                self._line.send("stop")
                raise DeviceError("DEV-401", tr("办事人没有按键评价。"), fix=tr("可以再请他评价一次，或按未评价办结。"))
            # a damaged frame is not acknowledged: the device sends it again
            if isinstance(found, Message) and found.data and found.data[0] in profile.keys:
                reply = profile.events["key"].reply
                if reply:
                    self._line.send(reply)
                return profile.keys[found.data[0]]

    @contextmanager
    def _claimed(self, *, asking: bool) -> Iterator[None]:
        if not self._claim.acquire(blocking=False):
            raise DeviceError("DEV-409", tr("评价器正在等待上一次评价。"), fix=tr("请等这次评价结束后再试。"))
        try:
            yield
        except NotOpened as error:
            raise (self._held() if error.held else self._absent()) from error
        except NoAnswer as error:
            self._line.drop()
            raise self._absent() from error
        except Garbled as error:
            self._line.drop()
            raise DeviceError(
                "DEV-404",
                tr("评价器传来的数据校验不对，没有采用。"),
                fix=tr("请再试一次；反复出现时请更换连接线。"),
            ) from error
        except Cancelled as error:
            raise DeviceError("DEV-405", tr("已取消评价。")) from error
        except LOST as error:
            self._line.drop()
            raise (_unplugged() if asking else self._absent()) from error
        finally:
            self._claim.release()

    def _absent(self) -> DeviceError:
        return DeviceError(
            "DEV-403",
            tr("没有找到评价器，或它没有应答（端口 {port}）。", port=self._port),
            fix=tr("请检查评价器的连接线和电源，插好后会自动恢复。"),
        )

    def _held(self) -> DeviceError:
        return DeviceError(
            "DEV-407",
            tr("评价器端口 {port} 正被其他程序占用，或没有使用权限。", port=self._port),
            fix=tr("请关闭其他使用评价器的程序；仍然不行时请联系管理员。"),
        )


def _unplugged() -> DeviceError:
    return DeviceError("DEV-402", tr("评价中途评价器断开了，没有收到评价。"), fix=tr("请插好评价器后再请办事人评价。"))


def _refused() -> DeviceError:
    return DeviceError("DEV-406", tr("评价器报告故障。"), fix=tr("请拔下评价器重新插好；仍然不行时请联系管理员。"))
