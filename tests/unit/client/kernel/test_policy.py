"""The rules for personal data: what a file may say, and what holds when it says nothing or nonsense."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from client.kernel.policy import STRICTEST, Policy, installed, read_policy, spoken


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert read_policy(tmp_path / "none.json") == (Policy(), None)
    assert dict(spoken(Policy(), can_refuse_capture=False))["依据"].startswith("程序的缺省规定")


def test_what_the_file_names_holds_and_the_page_says_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text(json.dumps({"keep_prints_days": 3, "copy_personal": False, "save_diagnostics": False}), "utf-8")
    policy, error = read_policy(path)
    assert error is None
    assert policy == Policy(keep_prints_days=3, copy_personal=False, save_diagnostics=False, source=str(path))
    said = dict(spoken(policy, can_refuse_capture=True))
    assert said["打印文件夹里的文书"] == "3 天后删除"
    assert said["复制证件号码和电话"] == said["保存诊断包"] == "不允许"
    assert said["依据"] == str(path)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"keep_prints_days": 0}',
        '{"keep_pages_days": 91}',
        '{"keep_prints_days": true}',
        '{"keep_prints_days": "3"}',
        '{"clear_clipboard_s": 4}',
        '{"copy_personal": 0}',
        '{"copy_persnal": false}',
        '{"source": "elsewhere"}',
        "\udcff",
    ],
)
def test_a_file_that_cannot_be_used_means_the_strictest_and_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "policy.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    policy, error = read_policy(path)
    assert error is not None
    assert error.code == "UI-103"
    assert str(path) in error.sentence()
    assert (policy.keep_prints_days, policy.copy_personal, policy.save_diagnostics) == (1, False, False)
    assert policy.refuse_capture
    assert policy.source == str(path)


def test_a_folder_in_its_place_is_no_file(tmp_path: Path) -> None:
    assert read_policy(tmp_path)[1] is not None


def test_what_the_system_cannot_do_is_not_promised() -> None:
    said = dict(spoken(STRICTEST, can_refuse_capture=False))["截屏和远程查看"]
    assert "没有生效" in said
    assert dict(spoken(STRICTEST, can_refuse_capture=True))["截屏和远程查看"] == "禁止"


def test_the_place_is_not_the_profile() -> None:
    assert installed().is_absolute()
    assert not installed().is_relative_to(Path.home() / ".local")
