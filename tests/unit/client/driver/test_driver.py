"""The driver, on a real window in a process of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from client.driver.client import Driven, DriverError
from client.driver.protocol import Request, Target, decode_request, encode

WINDOW = Path(__file__).with_name("driven_window.py")
ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def running() -> Iterator[Driven]:
    env = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)}
    with Driven.launch(program=(sys.executable, str(WINDOW)), env=env) as driven:
        yield driven


def test_a_request_survives_its_wire() -> None:
    request = Request(7, "wait", Target("受理", "button", "工作台"), "已受理", "text", 3.0, "")
    assert decode_request(encode(request)) == request


@pytest.mark.parametrize(
    "line", [b"", b"[]", b'{"id": 1}', b'{"id": 1, "verb": "eval"}', b'{"id": 1, "verb": "key", "x": 1}']
)
def test_what_is_no_request_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        decode_request(line)


def test_typing_reaches_a_field_by_its_label_and_chinese_is_composed(running: Driven) -> None:
    running.key("Ctrl+A", into="姓名", role="field")
    before = running.counts
    running.type("Li 李四\n", into="姓名", role="field")
    running.wait("回答", "text", text="你好，Li 李四")
    assert running.counts.clicks == before.clicks
    assert running.counts.keys - before.keys == 4
    assert running.counts.composed - before.composed == 2


def test_a_password_is_never_read_out(running: Driven) -> None:
    running.key("Ctrl+A", into="密码", role="field")
    running.type("geheim")
    said = running.read("密码", role="field")
    assert "geheim" not in str(said)
    assert len(said["text"]) == 6


def test_keys_act_on_what_has_the_focus(running: Driven) -> None:
    running.type("旧", into="姓名", role="field")
    running.key("Ctrl+A")
    running.type("新")
    assert running.read()["text"] == "新"


def test_a_click_waits_for_a_disabled_button(running: Driven) -> None:
    running.click("稍后")
    running.wait("回答", "text", text="你好")


def test_a_wide_check_box_is_hit_on_its_box(running: Driven) -> None:
    was = running.read("同意")["checked"]
    running.click("同意")
    assert running.read("同意")["checked"] is not was


def test_a_click_that_opens_a_waiting_dialog_is_answered(running: Driven) -> None:
    running.click("询问")
    with pytest.raises(DriverError, match="nothing answers to 同意"):
        running.click("同意", timeout=0.1)
    running.type("补交材料", into="理由", role="field")
    running.key("Return")
    running.wait("回答", "text", text="补交材料")


def test_the_next_request_waits_until_all_is_typed(running: Driven) -> None:
    for text in ("", "abcdefgh" * 40):
        running.key("Ctrl+A", into="姓名", role="field")
        running.key("Delete")
        running.type(text)
        assert running.read("姓名", role="field")["text"] == text


def test_typing_goes_into_the_dialog_that_a_key_has_opened(running: Driven) -> None:
    running.type("x", into="姓名", role="field")
    running.key("Ctrl+K")
    running.type("李四")
    assert running.read("搜索", role="field")["text"] == "李四"
    running.key("Esc")
    running.wait("搜索", "gone")


def test_a_menu_and_a_choice_open_and_are_chosen_from(running: Driven) -> None:
    running.type("x", into="姓名", role="field")
    running.click("更多")
    running.click("清空")
    assert running.read("姓名", role="field")["text"] == ""
    running.click("种类", role="choice")
    running.click("即办件", role="row")
    assert running.read("种类", role="choice")["text"] == "即办件"


def test_a_row_out_of_sight_is_scrolled_to_and_clicked(running: Driven) -> None:
    running.click("A037", role="row", within="办件列表")
    running.wait("回答", "text", text="A037")
    assert running.read("办件列表", role="list")["rows"][37] == ["A037", "居住登记"]


def test_a_button_below_the_fold_is_scrolled_to(running: Driven) -> None:
    running.click("底部")
    running.wait("回答", "text", text="!")


def test_tabs_show_and_hide(running: Driven) -> None:
    running.wait("第二页", "gone")
    running.click("材料", role="tab")
    running.wait("第二页")
    running.click("内容", role="tab")
    running.wait("第二页", "gone")


def test_two_of_a_name_are_listed_and_neither_is_clicked(running: Driven) -> None:
    with pytest.raises(DriverError, match=r"2 answer to 同名: button '同名' at \(.*button '同名' at"):
        running.click("同名", timeout=0.1)


def test_what_is_not_there_is_said_with_the_tree(running: Driven) -> None:
    with pytest.raises(DriverError, match=r"nothing answers to 受理(?s:.*)button '询问'"):
        running.click("受理", timeout=0.1)


def test_an_unmet_condition_is_said(running: Driven) -> None:
    with pytest.raises(DriverError, match="does not say '没有'"):
        running.wait("回答", "text", text="没有", timeout=0.1)
    with pytest.raises(DriverError, match="still there"):
        running.wait("询问", "gone", timeout=0.1)
    with pytest.raises(DriverError, match="answer to"):
        running.wait("同名", "gone", timeout=0.1)  # there are two: neither is gone


def test_a_picture_shows_window_and_dialog(running: Driven, tmp_path: Path) -> None:
    plain, asked = tmp_path / "plain.png", tmp_path / "sub" / "asked.png"
    running.shot(plain)
    running.click("询问")
    running.wait("理由", role="field")
    running.shot(asked)
    running.key("Esc")
    assert plain.read_bytes()[:4] == asked.read_bytes()[:4] == b"\x89PNG"
    assert plain.read_bytes() != asked.read_bytes()


def test_leaving_ends_the_program_in_order() -> None:
    env = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)}
    with Driven.launch(program=(sys.executable, str(WINDOW)), env=env) as driven:
        driven.wait("试验窗口", role="window")
        assert driven.quit() == 0
        with pytest.raises(DriverError, match="has ended"):
            driven.tree()


def test_a_lost_parent_ends_the_program() -> None:
    env = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)}
    with Driven.launch(program=(sys.executable, str(WINDOW)), env=env) as driven:
        driven.wait("试验窗口", role="window")
        assert driven.process.stdin is not None
        driven.process.stdin.close()
        assert driven.process.wait(10) == 0
