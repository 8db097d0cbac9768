"""Document cameras (高拍仪): a thread that looks all the time, and pages made of what it saw.

``source`` says where pictures come from: ``cv2:0`` (a camera of this computer, V4L2 or DirectShow), ``http://…`` (a
network camera's MJPEG stream), ``file:DIR`` (the pictures of a folder, one after the other, for training). Belongs
in a host process of its own: native camera code may hang or crash.
"""

from __future__ import annotations

import http.client
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import cv2  # noqa: TID253 - only the camera's own process comes here
import numpy as np  # noqa: TID253

from devices import imaging
from devices.ports import WHOLE, Corners, DeviceError, Frame, Page, Photo
from modules.common.text import tr

_LINGER = 10.0
"""Seconds that the camera stays on after the last call."""
_OPENING = 15.0
"""Seconds that a camera may take to its first picture."""
_BUDGET = 600_000
"""Bytes that a page's JPEG may take."""
_STILL_TIME = 0.8
_STILL = 2.5
"""Mean change of grey values below which nothing moves."""
_OTHER = 6.0
"""Mean change of grey values from which another page lies there."""
_PROPOSED: Corners = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))
"""What a person starts from where no outline was found at all."""


class Picture:
    """One picture of a source: as JPEG, as pixels, or both; the other is made when asked for."""

    def __init__(self, jpeg: bytes = b"", pixels: Any = None) -> None:
        self._jpeg = jpeg
        self._pixels = pixels

    @property
    def pixels(self) -> Any:
        """All of them. Raises ``ValueError`` for a damaged picture."""
        if self._pixels is None:
            self._pixels = imaging.read(self._jpeg)
        return self._pixels

    @property
    def page(self) -> Page:
        """As JPEG; what came as such stays untouched."""
        height, width = self.pixels.shape[:2]
        return Page(self._jpeg or imaging.write(self.pixels, quality=90), width, height)

    def small(self, width: int) -> Any:
        """About ``width`` pixels wide. Raises ``ValueError`` for a damaged picture."""
        if self._pixels is None:
            # a JPEG can be decoded at a quarter of its size, for a tenth of the work
            found = cv2.imdecode(np.frombuffer(self._jpeg, "uint8"), cv2.IMREAD_REDUCED_COLOR_4)
            if found is None:
                raise ValueError("no picture")
            if found.shape[1] < width:
                found = self.pixels
        else:
            found = self._pixels
        return imaging.smaller(found, max(width, width * found.shape[0] // found.shape[1]))[0]


class Source(Protocol):
    """Where pictures come from. One thread opens, reads and closes it; ``there`` may be asked by any."""

    def there(self) -> bool:
        """Whether it can be seen without being opened."""
        ...

    def open(self) -> None:
        """Raises ``OSError`` where it can't be, ``PermissionError`` where it may not be."""
        ...

    def read(self) -> Picture:
        """The next picture. Raises ``OSError`` when it is gone."""
        ...

    def close(self) -> None: ...


class _Attached:
    """A camera of this computer."""

    def __init__(self, number: int, size: tuple[int, int]) -> None:
        self._number = number
        self._size = size
        self._capture: Any = None

    def there(self) -> bool:
        return not sys.platform.startswith("linux") or Path(f"/dev/video{self._number}").exists()

    def open(self) -> None:
        path = Path(f"/dev/video{self._number}")
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError
        way = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_DSHOW}.get(sys.platform, cv2.CAP_ANY)
        self._capture = cv2.VideoCapture(self._number, way)
        if not self._capture.isOpened():
            raise ConnectionError
        # MJPEG first: raw pictures of eight megapixels don't fit through USB 2 at any speed
        self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._size[0])
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size[1])
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def read(self) -> Picture:
        good, pixels = self._capture.read()
        if not good:
            raise ConnectionError
        return Picture(pixels=pixels)

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()


class _Folder:
    """The pictures of a folder in order of their names, over and over, some each second."""

    def __init__(self, folder: Path, rate: float = 5.0) -> None:
        self._folder = folder
        self._pause = 1 / rate
        self._number = 0

    def there(self) -> bool:
        return self._folder.is_dir()

    def open(self) -> None:
        self._paths()

    def read(self) -> Picture:
        time.sleep(self._pause)
        paths = self._paths()
        path = paths[self._number % len(paths)]
        self._number += 1
        return Picture(path.read_bytes())

    def close(self) -> None:
        self._number = 0

    def _paths(self) -> list[Path]:
        paths = sorted(path for path in self._folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
        if not paths:
            raise FileNotFoundError
        return paths


class _Network:
    """A network camera: ``multipart/x-mixed-replace`` over HTTP, each part a JPEG with its length."""

    def __init__(self, url: str, quiet: float) -> None:
        self._parts = urlsplit(url)
        self._quiet = quiet
        self._line: http.client.HTTPConnection | None = None
        self._stream: Any = None

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._parts.hostname or "", self._parts.port or 80, timeout=self._quiet)

    def there(self) -> bool:
        line = self._connect()
        try:
            line.connect()
        except OSError:
            return False
        finally:
            line.close()
        return True

    def open(self) -> None:
        self._line = self._connect()
        try:
            self._line.request("GET", self._parts.path or "/")
            self._stream = self._line.getresponse()
        except http.client.HTTPException as error:
            raise ConnectionError from error
        if self._stream.status in (401, 403, 409, 503):
            raise PermissionError
        if self._stream.status != 200:
            raise ConnectionError

    def read(self) -> Picture:
        size = 0
        for _ in range(20):
            head = self._stream.readline(200)
            if not head:
                raise ConnectionError
            if head.lower().startswith(b"content-length:"):
                size = int(head.split(b":", 1)[1])
            if head in (b"\r\n", b"\n") and size:
                break
        if not 0 < size < 1 << 26:
            raise ConnectionError
        data = self._stream.read(size)
        if len(data) < size:
            raise ConnectionError
        return Picture(data)

    def close(self) -> None:
        # the answer holds the socket open even when the connection has let go of it
        for end in (self._stream, self._line):
            if end is not None:
                end.close()
        self._stream = self._line = None


def source_of(spec: str, size: tuple[int, int], quiet: float) -> Source:
    """The source that ``spec`` names. Raises ``ValueError`` for none."""
    if spec.startswith("cv2:"):
        return _Attached(int(spec[4:]), size)
    if spec.startswith("file:"):
        return _Folder(Path(spec[5:]))
    if spec.startswith("http://"):
        return _Network(spec, quiet)
    raise ValueError(f"no source of pictures: {spec!r}")


class DocumentCamera:
    """Previews and photographs. ``quiet``: seconds without a picture after which the camera counts as gone.

    ``stuck`` is called when native code does not come back from reading: the process is then of no use any more.
    """

    def __init__(
        self,
        source: str,
        *,
        width: int = 3264,
        height: int = 2448,
        quiet: float = 3.0,
        stuck: Callable[[], None] = lambda: None,
    ) -> None:
        self._source = source_of(source, (width, height), quiet)
        self._name = source
        self._quiet = quiet
        self._stuck = stuck
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._picture: Picture | None = None
        self._number = 0
        self._read_at = 0.0
        self._asked_at = 0.0
        self._closing = False
        self._failure: DeviceError | None = None
        self._scene = _Scene()

    def frame(self, after: int, width: int, timeout: float, token: threading.Event) -> Frame:
        """The first preview picture with a number above ``after``. Raises as ``Camera``."""
        number, picture = self._wait(after + 1, timeout, token)
        try:
            small = picture.small(width)
        except ValueError as error:
            raise _damaged() from error
        corners, still = self._scene.look(small, number)
        high, wide = small.shape[:2]
        return Frame(Page(imaging.write(small, quality=70), wide, high), number, corners, still)

    def capture(self, timeout: float, token: threading.Event) -> Photo:
        """See ``Camera.capture``."""
        with self._change:
            # the picture that is under way may have been taken before the page lay there
            running = self._thread is not None
            first = self._number + (2 if running else 1)
        _, picture = self._wait(first, timeout, token)
        try:
            pixels = picture.pixels
        except ValueError as error:
            raise _damaged() from error
        self._scene.taken(imaging.smaller(pixels, 640)[0])
        frame = picture.page
        found = imaging.outline(pixels)
        if found is None:
            return Photo(frame, frame, _PROPOSED, 0.0, sure=False)
        corners = _parts_of(found.corners, frame)
        if found.confidence < imaging.SURE:
            return Photo(frame, frame, corners, found.confidence, sure=False)
        return Photo(_page(pixels, found.corners), frame, corners, found.confidence, sure=True)

    def crop(self, frame: Page, corners: Corners) -> Page:
        """See ``Camera.crop``."""
        try:
            pixels = imaging.read(frame.jpeg)
        except ValueError as error:
            raise _damaged() from error
        if corners == WHOLE:
            return _jpeg(imaging.whiten(pixels))
        high, wide = pixels.shape[:2]
        places = np.array(corners) * [wide, high]
        if not imaging.usable(places):
            raise DeviceError("DEV-206", tr("这四个角围不成一页。"), fix=tr("请把四个角拖到纸张的四角上。"))
        return _page(pixels, places)

    def probe(self) -> None:
        """Raises ``DeviceError`` where the camera is not there, or went away while it was on."""
        with self._change:
            failure, running = self._failure, self._thread is not None
        if running and failure is not None:
            raise failure
        if not running and not self._source.there():
            raise self._absent()

    def close(self) -> None:
        """Turn the camera off."""
        with self._change:
            self._closing = True
            thread = self._thread
            self._change.notify_all()
        if thread is not None:
            thread.join(self._quiet + 1)

    def _wait(self, number: int, timeout: float, token: threading.Event) -> tuple[int, Picture]:
        deadline = time.monotonic() + timeout
        with self._change:
            self._asked_at = time.monotonic()
            if self._thread is None:
                self._failure = None
                self._read_at = time.monotonic()
                self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
                self._thread.start()
            while True:
                if token.is_set():
                    raise DeviceError("DEV-205", tr("已取消拍摄。"))
                if self._failure is not None:
                    raise self._failure
                if self._number >= number and self._picture is not None:
                    return self._number, self._picture
                now = time.monotonic()
                silent = now - self._read_at > (_OPENING if self._picture is None else self._quiet + 2.0)
                if silent:
                    self._stuck()
                if silent or now >= deadline:
                    raise _vanished()
                self._change.wait(min(0.1, deadline - now))

    def _run(self) -> None:
        failure: DeviceError | None = None
        opened = False
        try:
            try:
                self._source.open()
                opened = True
                self._look_on()
            finally:
                self._source.close()
        except PermissionError:
            failure = DeviceError(
                "DEV-204",
                tr("高拍仪（{name}）正被其他程序占用，或没有使用权限。", name=self._name),
                fix=tr("请关闭其他使用高拍仪的程序；仍然不行时请联系管理员。"),
            )
        except (OSError, ValueError, http.client.HTTPException):
            failure = _vanished() if opened else self._absent()
        with self._change:
            self._failure = failure
            self._picture = None
            self._thread = None
            self._change.notify_all()

    def _look_on(self) -> None:
        while not self._closing:
            picture = self._source.read()
            with self._change:
                self._picture = picture
                self._number += 1
                self._read_at = time.monotonic()
                self._change.notify_all()
                if self._read_at - self._asked_at > _LINGER:
                    return

    def _absent(self) -> DeviceError:
        return DeviceError(
            "DEV-201",
            tr("没有找到高拍仪（{name}）。", name=self._name),
            fix=tr("请检查高拍仪的连接线和电源，插好后会自动恢复；也可以从文件添加。"),
        )


class _Scene:
    """What the preview knows of the page: its outline, and whether it lies still and is new."""

    def __init__(self) -> None:
        self._thumb: Any = None
        self._taken: Any = None
        self._since = 0.0
        self._corners: Corners | None = None
        self._sought = itertools.count()

    def look(self, small: Any, number: int) -> tuple[Corners | None, bool]:
        """The page's corners, and whether to photograph now."""
        thumb, before, now = self._tiny(small), self._thumb, time.monotonic()
        moved = before is None or _change(thumb, before) > _STILL
        if moved:
            self._since = now
        # while nothing moves the outline stays; while something does, every third is enough for the eye
        if next(self._sought) % 3 == 0 or (self._corners is None and not moved):
            found = imaging.outline(small)
            high, wide = small.shape[:2]
            sure = found is not None and found.confidence >= imaging.SURE
            self._corners = _parts_of(found.corners, Page(b"", wide, high)) if found is not None and sure else None
        self._thumb = thumb
        new = self._taken is None or _change(thumb, self._taken) > _OTHER
        return self._corners, bool(self._corners and new and now - self._since > _STILL_TIME)

    def taken(self, small: Any) -> None:
        """This was photographed: it is no news any more."""
        self._taken = self._tiny(small)

    def _tiny(self, small: Any) -> Any:
        grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        return cv2.resize(grey, (80, 60), interpolation=cv2.INTER_AREA).astype("int16")


def _change(one: Any, other: Any) -> float:
    return float(abs(one - other).mean())


def _page(pixels: Any, corners: Any) -> Page:
    page, _ = imaging.straighten(pixels, corners)
    return _jpeg(imaging.whiten(page))


def _jpeg(pixels: Any) -> Page:
    high, wide = pixels.shape[:2]
    return Page(imaging.write(pixels, _BUDGET), wide, high)


def _parts_of(corners: Any, frame: Page) -> Corners:
    places = [(float(x) / frame.width, float(y) / frame.height) for x, y in corners]
    return (places[0], places[1], places[2], places[3])


def _vanished() -> DeviceError:
    return DeviceError(
        "DEV-202",
        tr("高拍仪不再传来画面，已拍的页都还在。"),
        fix=tr("请检查高拍仪的连接线，插好后会自动恢复。"),
    )


def _damaged() -> DeviceError:
    return DeviceError("DEV-203", tr("高拍仪传来的画面已损坏。"), fix=tr("请再拍一次；反复出现时请更换连接线。"))
