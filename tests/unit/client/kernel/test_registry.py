from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from client.kernel.contract import Cancelled
from client.kernel.registry import Failure, Registry
from client.tasks.lanes import Job
from modules.common.errors import GovDeskError
from modules.common.manifest import Ref, parse

HOST: Any = object()


def manifest(module: str, entry: str = "Good") -> Any:
    return parse(
        f"""
        id = "{module}"
        name = "值班"
        api = 1
        entry = "fake_module:{entry}"
        [[pages]]
        id = "{module}.page"
        title = "排班表"
        view = "fake_module:View"
        """,
        module,
    )


@pytest.fixture
def fake() -> Iterator[types.ModuleType]:
    module: Any = types.ModuleType("fake_module")
    module.calls = []

    class Good:
        def start(self, host: Any) -> None:
            assert host is HOST
            module.calls.append("start")

        def stop(self) -> None:
            module.calls.append("stop")

    class Falls(Good):
        def start(self, host: Any) -> None:
            raise RuntimeError("no table for 11010519491231002X")

    class Refuses(Good):
        def start(self, host: Any) -> None:
            raise GovDeskError("DATA-007", "数据库版本较新。", fix="请升级。")

    class Sticks(Good):
        def stop(self) -> None:
            raise RuntimeError("stuck")

    for offered in (Good, Falls, Refuses, Sticks):
        setattr(module, offered.__name__, offered)
    module.View = lambda host: ("view", host)
    sys.modules["fake_module"] = module
    yield module
    del sys.modules["fake_module"]


def test_a_module_is_started_by_its_first_page_and_once(fake: Any) -> None:
    registry = Registry([manifest("duty")], HOST)
    owner, page = registry.page("duty.page")
    assert fake.calls == []
    assert registry.build(owner, page.view) == ("view", HOST)
    registry.build(owner, page.view)
    assert fake.calls == ["start"]
    assert registry.started == ("duty",)


def test_a_module_that_fails_is_reported_stopped_and_not_tried_again(fake: Any, caplog: Any) -> None:
    registry = Registry([manifest("bad", "Falls"), manifest("duty")], HOST)
    owner, page = registry.page("bad.page")
    failure = registry.build(owner, page.view)
    assert isinstance(failure, Failure)
    assert "值班" in failure.reason
    assert "MOD-003" in failure.reason
    assert "RuntimeError" in failure.diagnostics
    assert "11010519491231002X" not in failure.diagnostics
    assert fake.calls == ["stop"]
    assert registry.start("bad") is failure
    assert registry.start("duty") is None
    assert registry.failures == (failure,)


def test_an_error_with_words_is_told_in_its_words(fake: Any) -> None:
    failure = Registry([manifest("bad", "Refuses")], HOST).start("bad")
    assert failure is not None
    assert failure.reason == "数据库版本较新。请升级。（DATA-007）"


def test_missing_code_is_a_failure_and_unknown_ids_are_errors(fake: Any) -> None:
    registry = Registry([manifest("gone", "Nowhere"), manifest("duty")], HOST)
    assert isinstance(registry.start("gone"), Failure)
    assert isinstance(registry.build(registry.page("duty.page")[0], Ref("fake_module:Nothing")), Failure)
    with pytest.raises(KeyError):
        registry.start("other")
    with pytest.raises(KeyError):
        registry.page("other.page")


def test_all_are_stopped_once_even_if_one_sticks(fake: Any, caplog: Any) -> None:
    registry = Registry([manifest("duty"), manifest("stuck", "Sticks")], HOST)
    registry.start("duty")
    registry.start("stuck")
    registry.stop()
    registry.stop()
    assert fake.calls == ["start", "start", "stop"]
    assert registry.started == ()
    assert "did not stop" in caplog.text


def test_pages_are_loaded_before_they_are_asked_for_and_nothing_runs(fake: Any, caplog: Any) -> None:
    registry = Registry([manifest("gone", "Nowhere"), manifest("duty"), manifest("secret")], HOST)
    asked: list[str] = []

    class Loaded:
        def __init__(self, target: str) -> None:
            self.target = target

        def load(self) -> None:
            asked.append("loaded")

    pages = [page for each in registry.manifests for page in each.pages]
    for page, permission in zip(pages, ("", "", "duty.secret"), strict=True):
        object.__setattr__(page, "view", Loaded(page.id))
        object.__setattr__(page, "permission", permission)
    registry.preload(lambda permission: not permission, Job("preload", lambda call: call()))
    assert asked == ["loaded", "loaded"]
    # that it was tried is enough: building it says what is wrong
    assert [registry.loaded(page) for page in pages] == [True, True, False]
    assert fake.calls == []
    assert registry.started == ()
    assert registry.failures == ()
    assert "loading failed: AttributeError" in caplog.text
    stopped = Job("preload", lambda call: call())
    stopped.cancel()
    with pytest.raises(Cancelled):
        registry.preload(lambda permission: True, stopped)
    stopped.end()
