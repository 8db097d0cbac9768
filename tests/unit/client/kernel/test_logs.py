from __future__ import annotations

import faulthandler
import json
import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.kernel.diagnostics import write_bundle
from client.kernel.logs import FAULT_FILE, LOG_FILE, Logs, mask, personal
from client.kernel.registry import Failure
from client.kernel.settings import Settings, SettingSpec
from modules.common.manifest import parse

ID, PHONE = "11010519491231002X", "13812345678"


@pytest.mark.parametrize(
    "text",
    [
        ID,
        ID.lower(),
        f"身份证{ID}号",
        f"id={ID},",
        "110105 19491231 002X",
        "110105491231002",
        "E12345678",
        "通行证H1234567890",
        PHONE,
        f"电话{PHONE}。",
        "138 1234 5678",
        "138-1234-5678",
        f"+86{PHONE}",
        f'{{"phone": "{PHONE}"}}',
        "１３８１２３４５６７８",
    ],
)
def test_numbers_of_people_are_masked(text: str) -> None:
    masked = mask(text)
    assert "[证件号]" in masked or "[电话]" in masked
    assert not any(part in masked for part in ("1949", "4912", "1234", "5678", "１２３４"))


@pytest.mark.parametrize(
    "text",
    [
        "3411A-20261120-000123",
        "0193a1b2-7c3d-7e4f-8a5b-13812345678f",
        "2026-11-20T02:24:00.000Z",
        "SYNC-003 took 1381234 ms",
        "https://server:8443/v1/changes?after=120",
    ],
)
def test_what_names_nobody_stays(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    "text", ["password=Govdesk-2026", '"token": "Govdesk-2026"', "密码：Govdesk-2026", "http://a:Govdesk-2026@host/"]
)
def test_secrets_are_masked(text: str) -> None:
    assert "Govdesk-2026" not in mask(text)


@given(st.text(), st.text())
def test_an_identity_number_is_masked_wherever_it_stands_alone(before: str, after: str) -> None:
    assert ID not in mask(f"{before} {ID} {after}")


def test_names_keep_no_more_than_the_first_character() -> None:
    assert personal("李四") == "李×"
    assert personal("欧阳小明") == "欧×××"
    assert personal("李") == "×"
    assert personal("") == ""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "logs"
    enabled = faulthandler.is_enabled()
    logs = Logs(folder)
    yield folder
    logs.close()
    if enabled:
        faulthandler.enable()


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / LOG_FILE).read_text("utf-8").splitlines()]


def test_the_log_is_json_lines_masked_in_text_extras_and_errors(folder: Path) -> None:
    log = logging.getLogger("client.test")
    try:
        raise ValueError(f"no card {ID}")
    except ValueError:
        log.exception("card of %s failed", personal("李四"), extra={"phone": PHONE})
    log.debug("not wanted")
    (entry,) = lines(folder)
    assert entry["level"] == "ERROR"
    assert entry["text"] == "card of 李× failed"
    assert entry["phone"] == "[电话]"
    assert "ValueError: no card [证件号]" in entry["error"]
    assert entry["at"].endswith("Z")


def test_the_fault_file_is_there_for_the_interpreter(folder: Path) -> None:
    assert faulthandler.is_enabled()
    assert (folder / FAULT_FILE).exists()


def test_the_bundle_has_what_mends_and_nothing_about_people(folder: Path, tmp_path: Path) -> None:
    logging.getLogger("client.test").warning("reader gone %s", ID)
    with (folder / LOG_FILE).open("a", encoding="utf-8") as file:
        file.write(f'{{"text": "written by another hand {PHONE}"}}\n')
    spec = SettingSpec("printer", str, "", lambda: "打印机")
    settings = Settings(tmp_path / "settings.json", [spec])
    settings.set(spec, f"HP {PHONE}")
    settings.remember("search", "王小二")
    manifest = parse('id = "duty"\nname = "值班"\napi = 1\nentry = "a.b:C"\n', "duty")
    target = write_bundle(
        tmp_path / "bundle.zip",
        settings=settings,
        logs=folder,
        manifests=[manifest],
        failures=[Failure("duty", "坏了", "Traceback …")],
        facts={"reader": "gone"},
    )
    with zipfile.ZipFile(target) as bundle:
        texts = {name: bundle.read(name).decode() for name in bundle.namelist()}
    everything = "".join(texts.values())
    assert "reader gone [证件号]" in texts[LOG_FILE]
    assert not any(secret in everything for secret in (ID, PHONE, "王小二"))
    assert json.loads(texts["about.json"])["python"]
    assert json.loads(texts["about.json"])["reader"] == "gone"
    assert json.loads(texts["settings.json"]) == {"printer": "HP [电话]"}
    assert json.loads(texts["modules.json"])[0]["id"] == "duty"
    assert json.loads(texts["failures.json"])[0]["diagnostics"] == "Traceback …"
    assert FAULT_FILE in texts
