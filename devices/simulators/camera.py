"""A document camera at the wire: a network camera's MJPEG stream, with a desk, a lamp and pages to lay down."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self

from devices.simulators.base import Fault
from modules.common.text import RESOURCES

SIZE = (2592, 1944)
"""Five megapixels."""
PAGES: Mapping[str, tuple[str, ...]] = {
    "application": (
        "个体工商户登记（备案）申请书",
        "名称：示范市禹会区老街面馆",
        "组成形式：个人经营",
        "从业人数：2 人",
    ),
    "identity": ("居民身份证复印件", "姓名：李晓明", "仅用于办理个体工商户登记", "与原件一致"),
    "lease": ("房屋租赁合同", "出租方：王建国", "承租方：李晓明", "房屋坐落：示范市禹会区老街 12 号"),
    "deed": ("不动产权证书复印件", "权利人：王建国", "坐落：示范市禹会区老街 12 号", "用途：商业"),
    "commitment": ("经营场所使用承诺书", "本人承诺所提供的场所材料真实有效，", "并对其真实性承担法律责任。"),
    "power": ("委托书", "兹委托张丽办理登记事宜，", "委托期限自签字之日起一个月。"),
}
"""What training pages say; nobody's real papers."""
_BOUNDARY = b"picture"


class CameraSimulator:
    """``place`` a page (a key of ``PAGES``, or a JPEG), ``lift`` it, ``unplug``, ``replug``, set ``fault``s.

    Use as a context manager. ``port`` is the source that a driver opens; it stays the same. Faults: ``silence`` (the
    stream stands still), ``partial`` (half a picture, then the line breaks), ``garbage`` (parts that are no
    pictures), ``delay`` (each picture takes ``seconds``), ``busy`` (another program has the camera).
    """

    FAULTS: ClassVar = ("silence", "partial", "garbage", "delay", "busy")

    def __init__(self, rate: float = 10.0) -> None:
        self._pause = 1 / rate
        self._lock = threading.Condition()
        self._page: str | bytes = ""
        self._fault: Fault | None = None
        self._plugged = False
        self._sent = 0
        self._address = ("127.0.0.1", 0)
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        scene("")
        self._plug()
        return self

    def __exit__(self, *_: object) -> None:
        self._unplug()

    @property
    def port(self) -> str:
        """The source that a driver opens."""
        return f"http://127.0.0.1:{self._address[1]}/stream"

    @property
    def binding(self) -> dict[str, Any]:
        """See ``Simulator.binding``."""
        return {"driver": "camera", "source": self.port}

    def place(self, page: str | bytes) -> None:
        """Lay a training page, or the scene of a JPEG, under the camera. Raises ``KeyError`` for an unknown page."""
        if isinstance(page, str):
            PAGES[page]
            scene(page)  # drawn here and not in the stream, which it would hold up
        with self._lock:
            self._page = page

    def lift(self) -> None:
        """Take the page away."""
        with self._lock:
            self._page = ""

    def unplug(self) -> None:
        """Pull the cable; returns when the port is gone."""
        self._unplug()

    def replug(self) -> None:
        """Plug the cable in again under the same name."""
        if not self._plugged:
            self._plug()

    def fault(self, fault: Fault | None) -> None:
        """Let something go wrong from now on, or mend it with None. Raises ``ValueError`` for an unknown kind."""
        if fault is not None and fault.kind not in self.FAULTS:
            raise ValueError(f"unknown fault {fault.kind!r}")
        with self._lock:
            self._fault = fault
            self._lock.notify_all()

    def obey(self, order: Mapping[str, Any]) -> Any:
        """``{"do": "place", "page": "lease"}`` (or ``"jpeg"``: base64), ``lift``, ``pages``, ``unplug``, ``replug``,
        ``fault``, ``state``.
        """
        match order["do"]:
            case "place":
                self.place(base64.b64decode(order["jpeg"]) if "jpeg" in order else order["page"])
            case "lift":
                self.lift()
            case "pages":
                return [{"page": key, "label": lines[0]} for key, lines in PAGES.items()]
            case "unplug":
                self.unplug()
            case "replug":
                self.replug()
            case "fault":
                fault = {name: value for name, value in order.items() if name != "do"}
                self.fault(Fault(**fault) if fault else None)
            case "state":
                pass
            case unknown:
                raise ValueError(f"unknown order {unknown!r}")
        return self.state()

    def state(self) -> dict[str, Any]:
        """``plugged``, ``page`` (its key, ``jpeg`` or nothing), ``sent`` pictures and ``fault``."""
        with self._lock:
            page = self._page if isinstance(self._page, str) else "jpeg"
            fault = self._fault.kind if self._fault else ""
            return {"plugged": self._plugged, "page": page, "sent": self._sent, "fault": fault}

    def _plug(self) -> None:
        camera = self

        class Stream(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera._stream(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = False
            block_on_close = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A viewer that hangs up ends its own stream only."""

        self._server = Server(self._address, Stream)
        self._address = ("127.0.0.1", self._server.server_address[1])
        self._plugged = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="simulator-camera"
        )
        self._thread.start()

    def _unplug(self) -> None:
        with self._lock:
            self._plugged = False
            self._lock.notify_all()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = self._thread = None

    def _stream(self, viewer: BaseHTTPRequestHandler) -> None:
        fault = self._due()
        if fault is not None and fault.kind == "busy":
            viewer.send_error(503)
            return
        viewer.send_response(200)
        viewer.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY.decode('ascii')}")
        viewer.end_headers()
        while self._plugged:
            fault = self._due()
            kind = fault.kind if fault else ""
            with self._lock:
                page = self._page
                if kind == "silence":
                    self._lock.wait(0.05)
                    continue
                if self._lock.wait_for(lambda: not self._plugged, fault.seconds if fault and kind == "delay" else 0):
                    return
            data = scene(page) if isinstance(page, str) else page
            if kind == "garbage":
                data = b"\x00" * 5000
            part = b"--" + _BOUNDARY + b"\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data)
            if kind == "partial":
                viewer.wfile.write(part + data[: len(data) // 2])
                return
            viewer.wfile.write(part + data + b"\r\n")
            with self._lock:
                self._sent += 1
                if self._lock.wait_for(lambda: not self._plugged, self._pause):
                    return

    def _due(self) -> Fault | None:
        with self._lock:
            fault = self._fault
            if fault is not None and fault.after:
                self._fault = replace(fault, after=fault.after - 1)
                return None
            if fault is not None and fault.times:
                self._fault = replace(fault, times=fault.times - 1) if fault.times > 1 else None
            return fault


@cache
def scene(page: str) -> bytes:
    """The desk with a training page on it (or none), as the camera sees it, in JPEG."""
    import cv2
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    picture: Any = np.full((SIZE[1], SIZE[0], 3), (62, 74, 80), np.uint8)
    grain = np.random.default_rng(len(page)).integers(0, 20, (SIZE[1] // 2, SIZE[0] // 2, 1), np.uint8)
    picture = cv2.add(picture, cv2.cvtColor(cv2.resize(grain, SIZE), cv2.COLOR_GRAY2BGR))
    if page:
        sheet = Image.new("RGB", (1240, 1754), (247, 248, 246))
        pen = ImageDraw.Draw(sheet)
        title, text = (ImageFont.truetype(RESOURCES / "fonts/NotoSansSC-Regular.ttf", size) for size in (64, 40))
        first, *lines = PAGES[page]
        pen.text((620, 180), first, font=title, fill=(20, 20, 20), anchor="ma")
        for row in range(18):
            line = lines[row] if row < len(lines) else "—" * (28 - row % 5)
            pen.text((150, 360 + row * 70), line, font=text, fill=(25, 25, 28))
        turned = {key: number for number, key in enumerate(PAGES)}[page]
        lean = 40 + 25 * turned
        onto = np.array(
            [[760 + lean, 130], [1830 + lean, 150 + lean], [1790, 1800], [700, 1760 - lean // 2]], np.float32
        )
        from_sheet = np.array([[0, 0], [1240, 0], [1240, 1754], [0, 1754]], np.float32)
        view = cv2.getPerspectiveTransform(from_sheet, onto)
        ink = cv2.warpPerspective(np.asarray(sheet)[:, :, ::-1], view, SIZE, flags=cv2.INTER_AREA)
        cover = cv2.warpPerspective(np.full((1754, 1240), 255, np.uint8), view, SIZE)
        np.copyto(picture, ink, where=cover[..., None] > 127)
    light = cv2.resize(np.array([[255, 247], [237, 224]], np.uint8), SIZE)
    picture = cv2.multiply(picture, cv2.cvtColor(light, cv2.COLOR_GRAY2BGR), scale=1 / 255)
    picture = cv2.GaussianBlur(picture, (5, 5), 0.9)
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])
    return bytes(data)
