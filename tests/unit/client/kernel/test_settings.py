from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client.kernel.settings import Migrations, Settings, SettingSpec
from modules.common.errors import GovDeskError

ZOOM = SettingSpec("look.zoom", float, 1.0, lambda: "缩放")
LOOK = SettingSpec(
    "look.palette", str, "system", lambda: "配色", {"system": lambda: "跟随系统", "dark": lambda: "深色"}
)
SPECS = (ZOOM, LOOK)


def written(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def test_defaults_then_what_was_set_also_in_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    settings = Settings(path, SPECS)
    heard: list[str] = []
    settings.watch(heard.append)
    assert (settings.get(ZOOM), settings.get(LOOK)) == (1.0, "system")
    settings.set(LOOK, "dark")
    settings.set(ZOOM, 1)
    assert heard == ["look.palette", "look.zoom"]
    again = Settings(path, SPECS)
    assert again.get(LOOK) == "dark"
    assert again.get(ZOOM) == 1.0
    assert type(again.get(ZOOM)) is float


def test_unknown_keys_are_kept_and_a_bad_value_gives_way_to_the_default(tmp_path: Path, caplog: Any) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"version": 1, "values": {"look.zoom": "big", "later.key": [1]}}), "utf-8")
    with caplog.at_level(logging.WARNING):
        settings = Settings(path, SPECS)
    assert settings.get(ZOOM) == 1.0
    assert "default taken" in caplog.text
    settings.set(LOOK, "dark")
    assert written(path)["values"] == {"look.zoom": "big", "later.key": [1], "look.palette": "dark"}


@pytest.mark.parametrize("value", ["pink", 3, None])
def test_what_is_not_accepted_is_refused(tmp_path: Path, value: Any) -> None:
    settings = Settings(tmp_path / "settings.json", SPECS)
    with pytest.raises(ValueError, match=r"look\.palette"):
        settings.set(LOOK, value)
    assert settings.get(LOOK) == "system"


def test_an_integer_is_no_boolean() -> None:
    assert not SettingSpec("a", int, 0, lambda: "").accepts(True)
    assert not SettingSpec("a", bool, False, lambda: "").accepts(1)


def test_a_broken_file_is_set_aside(tmp_path: Path, caplog: Any) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"version": 1, "val', "utf-8")
    assert Settings(path, SPECS).get(ZOOM) == 1.0
    assert "set aside" in caplog.text
    assert (tmp_path / "settings.broken").read_text("utf-8") == '{"version": 1, "val'


def test_older_files_are_brought_forward_step_by_step(tmp_path: Path) -> None:
    migrations = Migrations()

    @migrations.to(2)
    def _renamed(values: dict[str, Any]) -> dict[str, Any]:
        return {("look.palette" if key == "theme" else key): value for key, value in values.items()}

    @migrations.to(3)
    def _night_is_dark(values: dict[str, Any]) -> dict[str, Any]:
        return {key: "dark" if value == "night" else value for key, value in values.items()}

    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"version": 1, "values": {"theme": "night"}}), "utf-8")
    settings = Settings(path, SPECS, migrations)
    assert settings.get(LOOK) == "dark"
    settings.save()
    assert written(path)["version"] == 3
    with pytest.raises(ValueError, match="after 3"):
        migrations.to(5)


def test_a_newer_file_keeps_its_version(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"version": 9, "values": {}}), "utf-8")
    Settings(path, SPECS).set(LOOK, "dark")
    assert written(path)["version"] == 9


def test_views_are_remembered_when_flushed(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    settings = Settings(path)
    settings.flush()
    assert not path.exists()
    settings.remember("cases.widths", [80, 120])
    assert not path.exists()
    settings.flush()
    assert Settings(path).recall("cases.widths") == [80, 120]
    assert Settings(path).recall("other") is None


def test_a_change_is_saved_where_the_disk_may_be_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    settings = Settings(path, SPECS)
    later: list[Callable[[], None]] = []
    settings.save_on = later.append
    settings.set(LOOK, "dark")
    assert settings.get(LOOK) == "dark"
    assert not path.exists()
    later.pop()()
    assert written(path)["values"] == {LOOK.key: "dark"}
    # what was still to be saved at the end is saved then, and not twice
    settings.set(LOOK, "system")
    settings.flush()
    assert written(path)["values"] == {LOOK.key: "system"}
    path.unlink()
    later.pop()()
    assert not path.exists()


def test_what_could_not_be_saved_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    settings = Settings(path, SPECS)
    (tmp_path / "settings.new").mkdir()
    with pytest.raises(GovDeskError):
        settings.set(LOOK, "dark")
    (tmp_path / "settings.new").rmdir()
    settings.flush()
    assert written(path)["values"] == {LOOK.key: "dark"}


def test_a_disk_that_cannot_be_written_is_said_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    settings = Settings(path, SPECS)
    settings.save()
    (tmp_path / "settings.new").mkdir()
    with pytest.raises(GovDeskError) as told:
        settings.set(LOOK, "dark")
    assert told.value.code == "UI-101"
    assert settings.get(LOOK) == "dark"
    assert written(path)["values"] == {}


def test_a_key_belongs_to_one_setting_with_a_usable_default(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "settings.json", SPECS)
    with pytest.raises(ValueError, match=r"look\.zoom"):
        settings.register(ZOOM)
    with pytest.raises(ValueError, match="bad"):
        settings.register(SettingSpec("bad", int, "x", lambda: ""))  # type: ignore[arg-type]
