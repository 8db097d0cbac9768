"""What every document camera promises: the driver alone, and in its host, on a simulated network camera."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import cv2  # noqa: TID253 - tests of pictures
import numpy as np  # noqa: TID253
import pytest

from devices.drivers.camera import DocumentCamera, Picture
from devices.host import HostedCamera, HostedDriver
from devices.ports import WHOLE, Corners, DeviceError, Frame, Page, Photo
from devices.simulators.base import Fault
from devices.simulators.camera import PAGES, SIZE, CameraSimulator, scene

SOON = 20.0
every_way = pytest.mark.parametrize("how", ["driver", "hosted"])


class Device(Protocol):
    def frame(self, after: int, width: int, timeout: float, token: threading.Event) -> Frame: ...

    def capture(self, timeout: float, token: threading.Event) -> Photo: ...

    def crop(self, frame: Page, corners: Corners) -> Page: ...

    def probe(self) -> object: ...


@pytest.fixture(scope="module", autouse=True)
def _drawn() -> None:
    """The simulator draws a scene when it is first shown; that is not what is tested."""
    scene("")
    scene("lease")


@pytest.fixture
def simulator() -> Iterator[CameraSimulator]:
    with CameraSimulator(rate=20.0) as sim:
        sim.place("lease")
        yield sim


@pytest.fixture
def how() -> str:
    return "driver"


@pytest.fixture
def camera(how: str, simulator: CameraSimulator) -> Iterator[Any]:
    if how == "driver":
        driver = DocumentCamera(simulator.port, quiet=0.5)
        yield driver
        driver.close()
    else:
        command = [sys.executable, "-m", "devices.host", "camera"]
        hosted = HostedDriver("camera", {"source": simulator.port, "quiet": 0.5}, command=command)
        yield HostedCamera(hosted)
        hosted.close()


def never() -> threading.Event:
    return threading.Event()


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(DeviceError) as caught:
        call()
    assert caught.value.message
    return caught.value.code


def size_of(page: Page) -> tuple[int, int]:
    pixels = cv2.imdecode(np.frombuffer(page.jpeg, np.uint8), cv2.IMREAD_COLOR)
    return pixels.shape[1], pixels.shape[0]


@every_way
def test_a_page_is_photographed_straight_white_and_small(camera: Device, simulator: CameraSimulator) -> None:
    photo = camera.capture(SOON, never())
    assert photo.sure
    assert photo.frame.jpeg == scene("lease"), "what the camera saw stays untouched"
    assert size_of(photo.frame) == (photo.frame.width, photo.frame.height) == SIZE
    assert size_of(photo.page) == (photo.page.width, photo.page.height)
    assert photo.page.height / photo.page.width == pytest.approx(2**0.5, abs=0.01), "A4"
    assert len(photo.page.jpeg) <= 600_000
    pixels = cv2.imdecode(np.frombuffer(photo.page.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    edges = np.concatenate([pixels[20], pixels[-20], pixels[:, 20], pixels[:, -20]])
    assert np.median(edges) > 235, "paper up to the edge"
    truth = np.array([(825, 130), (1895, 215), (1790, 1800), (700, 1728)]) / SIZE
    assert np.abs(np.array(photo.corners) - truth).max() < 0.04


@every_way
def test_without_a_page_the_whole_frame_comes_back_with_a_proposal(camera: Device, simulator: CameraSimulator) -> None:
    simulator.lift()
    photo = camera.capture(SOON, never())
    assert not photo.sure
    assert photo.page == photo.frame
    assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in photo.corners)


@every_way
def test_corners_drawn_by_a_person_make_the_page(camera: Device) -> None:
    photo = camera.capture(SOON, never())
    again = camera.crop(photo.frame, photo.corners)
    assert (again.width, again.height) == (photo.page.width, photo.page.height)
    whole = camera.crop(photo.frame, WHOLE)
    assert size_of(whole) == SIZE
    crossed: Corners = ((0, 0), (1, 1), (1, 0), (0, 1))
    assert code_of(lambda: camera.crop(photo.frame, crossed)) == "DEV-206"
    assert code_of(lambda: camera.crop(Page(b"no picture", 1, 1), photo.corners)) == "DEV-203"


@every_way
def test_a_page_changed_just_now_is_the_one_that_is_taken(camera: Device, simulator: CameraSimulator) -> None:
    scene("deed")
    camera.frame(0, 640, SOON, never())
    for page in ("deed", "lease", "deed"):
        simulator.place(page)
        assert camera.capture(SOON, never()).frame.jpeg == scene(page)


@every_way
def test_the_preview_is_small_numbered_and_shows_the_outline(camera: Device) -> None:
    number, frames = 0, []
    for _ in range(4):
        frame = camera.frame(number, 640, SOON, never())
        number = frame.number
        frames.append(frame)
    assert [frame.number for frame in frames] == sorted({frame.number for frame in frames})
    assert size_of(frames[-1].page) == (640, 480)
    assert len(frames[-1].page.jpeg) < 60_000
    photo = camera.capture(SOON, never())
    corners = frames[-1].corners
    assert corners is not None
    assert np.abs(np.array(corners) - np.array(photo.corners)).max() < 0.01


def test_a_page_that_lies_still_is_announced_once(camera: Device, simulator: CameraSimulator) -> None:
    def still_within(seconds: float) -> bool:
        number, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            frame = camera.frame(number, 640, SOON, never())
            number = frame.number
            if frame.still:
                return True
        return False

    assert still_within(SOON)
    camera.capture(SOON, never())
    assert not still_within(1.5), "it was photographed"
    simulator.lift()
    assert not still_within(1.5), "an empty desk"
    simulator.place("lease")


def test_hosted_previews_come_steadily_while_pages_are_taken_and_end_when_cancelled(
    simulator: CameraSimulator,
) -> None:
    command = [sys.executable, "-m", "devices.host", "camera"]
    hosted = HostedDriver("camera", {"source": simulator.port}, command=command)
    camera = HostedCamera(hosted)
    seen: list[Frame] = []
    enough = threading.Event()

    def show(frame: Frame) -> None:
        seen.append(frame)
        if len(seen) >= 12:
            enough.set()

    with ThreadPoolExecutor(1) as pool:
        preview = pool.submit(camera.preview, show, rate=20.0)
        assert camera.capture(SOON).sure
        assert enough.wait(SOON)
        camera.cancel()
        assert preview.result(SOON) is None
    count = len(seen)
    assert camera.capture(SOON).sure
    assert len(seen) == count
    hosted.close()


@every_way
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("silence"), "DEV-202"),
        (Fault("partial"), "DEV-202"),
        (Fault("garbage"), "DEV-203"),
        (Fault("delay", seconds=60.0), "DEV-202"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else value,
)
def test_each_fault_has_its_code_and_is_over_when_mended(
    camera: Device, simulator: CameraSimulator, fault: Fault, code: str
) -> None:
    camera.frame(0, 640, SOON, never())
    simulator.fault(fault)
    assert code_of(lambda: [camera.capture(SOON, never()) for _ in range(3)]) == code
    simulator.fault(None)
    if fault.kind == "delay":
        simulator.unplug()  # it still sleeps over its last picture
        simulator.replug()
    assert camera.capture(SOON, never()).sure


@every_way
def test_a_camera_that_another_program_has(camera: Device, simulator: CameraSimulator) -> None:
    simulator.fault(Fault("busy"))
    assert code_of(lambda: camera.capture(SOON, never())) == "DEV-204"
    simulator.fault(None)
    assert camera.capture(SOON, never()).sure


@every_way
def test_a_camera_that_vanishes_and_comes_back(camera: Device, simulator: CameraSimulator) -> None:
    camera.probe()
    camera.frame(0, 640, SOON, never())
    simulator.unplug()
    codes = [code_of(lambda: [camera.capture(SOON, never()) for _ in range(3)]) for _ in range(2)]
    assert codes[0] in ("DEV-201", "DEV-202")
    assert codes[1] == "DEV-201"
    assert code_of(camera.probe) == "DEV-201"
    simulator.replug()
    camera.probe()
    assert camera.capture(SOON, never()).sure


@every_way
def test_a_cancelled_capture(camera: Device, simulator: CameraSimulator) -> None:
    token = threading.Event()
    token.set()
    assert code_of(lambda: camera.capture(SOON, token)) == "DEV-205"


def test_six_hundred_pictures_leave_no_trace(tmp_path: Path) -> None:
    """As many as an afternoon's preview; memory stays where it was after the first hundred."""
    small = cv2.resize(cv2.imdecode(np.frombuffer(scene("lease"), np.uint8), cv2.IMREAD_COLOR), (648, 486))
    cv2.imwrite(str(tmp_path / "1.jpg"), small)
    _, data = cv2.imencode(".jpg", small)
    with CameraSimulator(rate=200.0) as simulator:
        simulator.place(bytes(data))
        camera = DocumentCamera(simulator.port)
        number, held = 0, []
        for count in range(600):
            frame = camera.frame(number, 320, SOON, never())
            assert frame.number > number
            number = frame.number
            if count in (100, 599):
                held.append(_resident_kib())
        camera.close()
    assert held[1] - held[0] < 20_000


def _resident_kib() -> int:
    statm = Path("/proc/self/statm")
    return int(statm.read_text("ascii").split()[1]) * 4 if statm.exists() else 0


def test_the_pictures_of_a_folder_come_one_after_the_other(tmp_path: Path) -> None:
    camera = DocumentCamera(f"file:{tmp_path / 'none'}")
    assert code_of(camera.probe) == "DEV-201"
    assert code_of(lambda: camera.capture(SOON, never())) == "DEV-201"
    (tmp_path / "1.jpg").write_bytes(scene("lease"))
    camera = DocumentCamera(f"file:{tmp_path}")
    camera.probe()
    assert camera.capture(SOON, never()).frame.jpeg == scene("lease")
    camera.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="V4L2")
def test_no_camera_at_this_computer() -> None:
    camera = DocumentCamera("cv2:97")
    assert [code_of(camera.probe), code_of(lambda: camera.capture(SOON, never()))] == ["DEV-201", "DEV-201"]


@pytest.mark.parametrize("source", ["", "cv2:x", "ftp://camera", "nonsense"])
def test_a_source_that_is_none(source: str) -> None:
    with pytest.raises(ValueError):
        DocumentCamera(source)


class _Hanging:
    """Native camera code that does not come back."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def there(self) -> bool:
        return True

    def open(self) -> None:
        """Opens."""

    def read(self) -> Picture:
        self.released.wait()
        raise ConnectionError

    def close(self) -> None:
        """Closes."""


def test_native_code_that_hangs_ends_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.drivers.camera._OPENING", 0.2)
    stuck = threading.Event()
    camera = DocumentCamera("cv2:0", stuck=stuck.set)
    camera._source = hanging = _Hanging()
    assert code_of(lambda: camera.capture(SOON, never())) == "DEV-202"
    assert stuck.is_set()
    hanging.released.set()
    camera.close()


def test_the_training_pages_are_all_found() -> None:
    from devices import imaging

    for page in PAGES:
        found = imaging.outline(imaging.read(scene(page)))
        assert found is not None
        assert found.confidence > 0.9
