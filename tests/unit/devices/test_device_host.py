"""Driver hosts: real processes, a real segmentation fault, a real hang."""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

import pytest

from devices.host import CRASH_WINDOW, CRASHES, HostedDriver, host_command
from devices.ports import DeviceError
from modules.common.clock import FixedClock

ROOT = Path(__file__).resolve().parents[3]
FAULTY = [sys.executable, str(Path(__file__).with_name("faulty_host.py")), "faulty"]
SOON = 20.0


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 20, 9, tzinfo=UTC))


@pytest.fixture
def driver(clock: FixedClock) -> Iterator[HostedDriver]:
    threads = set(threading.enumerate())
    hosted = HostedDriver("faulty", {}, command=FAULTY, clock=clock)
    yield hosted
    hosted.close()
    assert set(threading.enumerate()) == threads


def code_of(driver: HostedDriver, what: str, timeout: float = SOON) -> str:
    with pytest.raises(DeviceError) as caught:
        driver.call(what, {"say": "secret"}, timeout)
    assert caught.value.message
    return caught.value.code


def test_nothing_starts_before_the_first_call(driver: HostedDriver) -> None:
    assert driver.pid is None
    assert driver.call("echo", {"say": "生僻字 𬭎䶮"}, SOON) == "生僻字 𬭎䶮"
    assert driver.pid is not None


def test_start_starts_it(driver: HostedDriver) -> None:
    driver.start()
    assert driver.pid is not None


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_segmentation_fault_is_noticed_and_the_next_call_works(
    driver: HostedDriver, caplog: pytest.LogCaptureFixture
) -> None:
    driver.start()
    before = driver.pid
    assert code_of(driver, "crash") == "DEV-001"
    assert f"ended with {-signal.SIGSEGV}" in caplog.text
    assert driver.call("echo", {"say": 1}, SOON) == 1
    assert driver.pid not in (None, before)


@pytest.mark.skipif(sys.platform == "win32", reason="pause(2)")
def test_a_hang_is_ended_at_its_deadline_and_the_next_call_works(driver: HostedDriver) -> None:
    driver.start()
    before = driver.pid
    assert code_of(driver, "hang", timeout=0.2) == "DEV-002"
    assert driver.call("echo", {"say": 1}, SOON) == 1
    assert driver.pid not in (None, before)


def test_too_many_crashes_stop_it_for_a_while(driver: HostedDriver, clock: FixedClock) -> None:
    assert [code_of(driver, "crash") for _ in range(CRASHES)] == ["DEV-001"] * CRASHES
    assert code_of(driver, "echo") == "DEV-003"
    clock.advance(CRASH_WINDOW - 1)
    assert code_of(driver, "echo") == "DEV-003"
    assert driver.pid is None
    clock.advance(1)
    assert driver.call("echo", {"say": 1}, SOON) == 1


def test_crashes_far_apart_do_not_stop_it(driver: HostedDriver, clock: FixedClock) -> None:
    for _ in range(CRASHES + 1):
        assert code_of(driver, "crash") == "DEV-001"
        clock.advance(CRASH_WINDOW / 2)


def test_calls_run_beside_each_other_and_one_is_cancelled(driver: HostedDriver) -> None:
    begun: SimpleQueue[Callable[[], None]] = SimpleQueue()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(driver.call, "wait", {}, SOON, begun.put)
        cancel = begun.get(timeout=SOON)
        assert driver.call("echo", {"say": 1}, SOON) == 1
        assert not waiting.done()
        cancel()
        assert waiting.result(SOON) == "cancelled"


def test_what_a_library_prints_goes_to_the_log(driver: HostedDriver, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert driver.call("chatter", {}, SOON) == "said"
        driver.close()
    assert "printed by a library" in caplog.text


def test_an_unexpected_error_is_told_without_its_text(driver: HostedDriver, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert code_of(driver, "blunder") == "DEV-009"
        driver.close()
    assert "KeyError" in caplog.text
    assert "in blunder" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    "command", [["/nonexistent/driver"], [sys.executable, "-c", "print('hello, hello')"], [sys.executable, "-c", ""]]
)
def test_what_is_no_host_is_an_error(command: list[str]) -> None:
    driver = HostedDriver("faulty", {}, command=command)
    assert code_of(driver, "echo") == "DEV-001"
    driver.close()


def test_closing_ends_what_waits_and_what_comes_later(driver: HostedDriver) -> None:
    begun = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(driver.call, "wait", {}, SOON, lambda cancel: begun.set())
        assert begun.wait(SOON)
        driver.close()
        with pytest.raises(DeviceError, match="DEV-001"):
            waiting.result(SOON)
    assert code_of(driver, "echo") == "DEV-001"


PARENT = f"""
import sys
from devices.host import HostedDriver
driver = HostedDriver("faulty", {{}}, command={FAULTY!r})
driver.start()
print(driver.pid, flush=True)
driver.call(sys.argv[1], {{}}, 600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="pidfd")
@pytest.mark.parametrize("what", ["wait", "hang"])
def test_a_host_ends_with_its_parent(what: str) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, what], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        host = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        ended, _, _ = select.select([host], [], [], SOON)
        if not ended:
            signal.pidfd_send_signal(host, signal.SIGKILL)
        assert ended
    finally:
        os.close(host)


def test_the_program_starts_itself_as_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    assert host_command("sdt") == [sys.executable, "-m", "client", "--device-host", "sdt"]
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert host_command("sdt") == [sys.executable, "--device-host", "sdt"]
