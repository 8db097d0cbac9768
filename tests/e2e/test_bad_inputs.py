"""What a tired or careless clerk does, and what goes wrong around them, in the real program.

Each test drives the real client against the real server and looks at the window: a sentence with its code, what was
entered kept, nothing half done.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from client.driver.client import Driven
from client.driver.parts import PROJECT, program
from client.driver.relay import Relay
from tests.support.halls import ITEM, MATERIALS, PASSWORD, PATIENCE, Hall, begin, fill, sign_in, wait_for
from tests.support.servers import QUICK, server

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
RARE = "贾𬭎䶮\U0002a6d6"
SHORT_OF_ROOM = 24
"""MiB of the disk that is filled."""


def number_of(window: Driven) -> str:
    """The number of the case that was just accepted."""
    window.wait("打印回执", "enabled", timeout=PATIENCE)
    return str(window.read("编号", role="label")["text"])


def text_of(pdf: Path) -> str:
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf)
    try:
        return str(document[0].get_textpage().get_text_range())
    finally:
        document.close()


def papers(profile: Path) -> list[Path]:
    return sorted((profile / "print").glob("*.pdf"))


def put_in(window: Driven, field: str, text: str) -> None:
    """Type ``text`` in place of what a field holds."""
    window.key("Ctrl+A", into=field, role="field")
    window.type(text)


# -- what is typed ------------------------------------------------------------------------------------


def test_wrong_numbers_are_named_and_rare_characters_reach_the_paper(hall: Hall, profile: Path) -> None:
    with hall.client(profile) as window:
        sign_in(window)
        begin(window)
        fill(window, RARE, "341103199005120010")
        window.wait("末位应为 5", "visible")
        window.key("F8")
        window.wait("ACC-013", "visible")
        assert window.read()["name"] == "证件号码"
        assert "（ID-004）" in window.read()["description"]
        put_in(window, "证件号码", "341103199002300015\t")
        window.wait("“19900230”不是存在的日期", "visible")
        window.key("F8")
        window.wait("（ID-003）", "visible")
        assert window.read("姓名", role="field")["text"] == RARE
        assert window.read("现居住地址", role="field")["text"] == "示范市老街 12 号"
        assert not hall.cases(RARE)
        put_in(window, "证件号码", "341103199005120015")
        window.key("F8")
        number = number_of(window)
        window.key("F9")
        window.wait("字库缺“\U0002a6d6”", "visible", timeout=PATIENCE)
        window.wait("PRT-011", "visible")
        (paper,) = papers(profile)
        said = text_of(paper)
        assert number in said
        assert "贾𬭎䶮〓" in said
        wait_for(lambda: bool(hall.cases(RARE)), "the case did not arrive")
        (case,) = hall.cases(RARE)
        assert [line["event"] for line in case["history"]].count("case.accepted") == 1
        window.quit()


def test_impatient_keys_do_a_thing_once(hall: Hall, profile: Path, name: str) -> None:
    with hall.client(profile) as window:
        sign_in(window)
        begin(window)
        fill(window, name)
        window.key("F8, F8")
        number_of(window)
        window.key("F9, F9")
        window.wait("已存为", "visible", timeout=PATIENCE)
        assert len(papers(profile)) == 1
        window.key("Ctrl+N")
        window.wait("开始受理", "enabled")
        wait_for(lambda: len(hall.cases(name)) == 1, "the case did not arrive")
        begin(window)
        fill(window, name + "二")
        window.double_click("受理", role="button")
        number_of(window)
        wait_for(lambda: len(hall.cases(name + "二")) == 1, "the case did not arrive")
        window.key("Ctrl+N")
        window.wait("没有未完成的受理", "visible")
        window.quit()
    assert len(hall.cases(name)) == len(hall.cases(name + "二")) == 1


def test_the_whole_path_without_a_mouse(hall: Hall, profile: Path) -> None:
    hall.card.place("fanli")
    with hall.client(profile, reader=True) as window:
        window.wait("密码", "enabled", role="field", timeout=PATIENCE)
        window.type(f"zhangsan\n{PASSWORD}\n")
        window.wait("首页", role="part", timeout=PATIENCE)
        window.key("Ctrl+1")
        window.wait(ITEM, timeout=PATIENCE)
        window.type(ITEM)
        window.key("Return")
        window.wait("受理", "enabled", role="button")
        window.key("F4")
        window.wait("姓名", "text", text="范例", role="field", timeout=PATIENCE)
        strokes = {"联系电话": "13900000000", "现居住地址": "示范市老街 12 号", "入住日期": "2026-01-05"}
        keys = {"居住事由": "Down", "住所类型": "Down, Down", **dict.fromkeys(MATERIALS, "Space")}
        for _ in range(60):
            at = window.read()["name"]
            if at in strokes:
                window.type(strokes.pop(at))
            elif at in keys:
                window.key(keys.pop(at))
            if not strokes and not keys:
                break
            window.key("Tab")
        assert not strokes
        assert not keys
        window.key("F8")
        number = number_of(window)
        window.key("F9")
        window.wait("已存为", "visible", timeout=PATIENCE)
        assert window.counts.clicks == 0
        assert number in text_of(papers(profile)[0])
        wait_for(lambda: len(hall.cases("范例")) == 1, "the case did not arrive")
        window.quit()


# -- the server ---------------------------------------------------------------------------------------


def test_no_server_at_the_first_start_is_said_and_the_code_kept(hall: Hall, profile: Path, line: Relay) -> None:
    line.cut()
    code = hall.code()
    url = f"https://127.0.0.1:{line.port}"
    with hall.client(profile, "--enrol", "", url=url) as window:
        window.wait("登记码", "enabled", role="field", timeout=PATIENCE)
        put_in(window, "登记码", f"{code}\n")
        window.wait("NET-001", "visible", timeout=PATIENCE)
        assert window.read("登记码", role="field")["text"] == code
        assert window.read("服务器地址", role="field")["text"] == url
        line.restore()
        window.click("登记", role="button")
        sign_in(window)
        window.quit()


def test_another_authority_at_the_address_gets_nothing(
    hall: Hall, profile: Path, line: Relay, tmp_path: Path, name: str
) -> None:
    url = f"https://127.0.0.1:{line.port}"
    with server(tmp_path / "impostor", settings=QUICK) as impostor:
        with hall.client(profile, url=url) as window:
            sign_in(window)
            begin(window)
            fill(window, name)
            line.cut()
            window.wait("离线", timeout=PATIENCE)
            port = int(impostor.url.rsplit(":", 1)[1])
            line.retarget(("127.0.0.1", port))
            line.restore()
            window.key("F8")
            number = number_of(window)
            window.click("离线", role="button")
            window.click("立即重试", role="button", timeout=PATIENCE)
            window.wait("NET-002", "visible", timeout=PATIENCE)
            window.wait(number, "visible")
            window.key("Escape")
            window.quit()
        with hall.client(profile, url=url) as window:
            window.wait("离线：服务器证书不符（NET-002）", "visible", timeout=PATIENCE)
            window.type(f"{PASSWORD}\n", into="密码", role="field")
            window.wait("登录", "enabled", role="button", timeout=PATIENCE)
            assert window.read("用户名", role="field")["text"] == "zhangsan"
            line.retarget(hall.address)
            line.cut()
            line.restore()
            sign_in(window)
            wait_for(lambda: len(hall.cases(name)) == 1, "the case did not arrive at the right server")
            window.quit()
        said = "".join(path.read_text("utf-8") for path in (impostor.data / "logs").iterdir())
        assert "/v1/" not in said


# -- passwords ----------------------------------------------------------------------------------------


def test_wrong_passwords_lock_and_keep_the_name(hall: Hall, profile: Path) -> None:
    hall.enable("sunqi", True)
    with hall.client(profile) as window:
        window.wait("密码", "enabled", role="field", timeout=PATIENCE)
        window.type("sunqi\n")
        for _ in range(5):
            window.type("Falsch-2026\n")
            window.wait("AUTH-002", "visible", timeout=PATIENCE)
            window.wait("登录", "enabled", role="button", timeout=PATIENCE)
            assert window.read()["name"] == "密码"
            assert window.read("用户名", role="field")["text"] == "sunqi"
        window.type(f"{PASSWORD}\n")
        window.wait("AUTH-003", "visible", timeout=PATIENCE)
        window.wait("15 分钟", "visible")
        window.quit()


def test_without_a_server_only_who_was_here_comes_in(hall: Hall, profile: Path, line: Relay) -> None:
    url = f"https://127.0.0.1:{line.port}"
    with hall.client(profile, url=url) as window:
        sign_in(window)
        window.quit()
    line.cut()
    with hall.client(profile, url=url) as window:
        window.wait("密码", "enabled", role="field", timeout=PATIENCE)
        put_in(window, "用户名", f"lisi\n{PASSWORD}\n")
        window.wait("AUTH-015", "visible", timeout=PATIENCE)
        assert window.read()["name"] == "密码"
        assert window.read("用户名", role="field")["text"] == "lisi"
        put_in(window, "用户名", "zhangsan")
        put_in(window, "密码", "Falsch-2026\n")
        window.wait("AUTH-002", "visible", timeout=PATIENCE)
        sign_in(window)
        window.wait("您已离线登录", "visible")
        window.quit()


# -- this computer ------------------------------------------------------------------------------------


def test_a_second_copy_ends_in_words_and_leaves_the_first_alone(hall: Hall, profile: Path, name: str) -> None:
    with hall.client(profile) as window:
        sign_in(window)
        begin(window)
        window.type(name, into="姓名", role="field")
        second = subprocess.run(
            [*program("client"), "--profile", str(profile), "--driver"],
            cwd=PROJECT, stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
        )  # fmt: skip
        assert second.returncode == 2
        assert "本程序已经在运行" in second.stderr.decode()
        assert "（DATA-002）" in second.stderr.decode()
        fill(window, "二")
        window.key("F8")
        number_of(window)
        wait_for(lambda: len(hall.cases(name + "二")) == 1, "the case did not arrive")
        window.quit()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that a test can fill."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SHORT_OF_ROOM}m", "tmpfs", str(place)]
    try:
        made = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no mount command: a small disk cannot be made")
    if made.returncode:
        pytest.skip(f"a small disk cannot be made here: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill_up(disk: Path) -> Path:
    """Leave no room."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


def test_a_full_disk_loses_nothing_and_accepts_once_there_is_room(hall: Hall, small_disk: Path, name: str) -> None:
    profile = small_disk / "profile"
    with hall.client(profile) as window:
        sign_in(window)
        begin(window)
        filler = fill_up(small_disk)
        fill(window, name)
        window.wait("磁盘空间不足", "visible", timeout=PATIENCE)
        window.wait("DATA-010", "visible")
        # a click disables the button at once, so that its return says that the attempt has ended; a key acts later
        window.click("受理", role="button")
        window.wait("受理", "enabled", role="button", timeout=PATIENCE)
        window.wait("DATA-010", "visible")
        assert window.read("姓名", role="field")["text"] == name
        assert window.read("入住日期", role="field")["text"] == "2026-01-05"
        assert not hall.cases(name)
        filler.unlink()
        window.type("1", into="联系电话", role="field")
        window.key("Backspace")
        window.wait("DATA-010", "gone", timeout=PATIENCE)
        window.key("F8")
        number = number_of(window)
        wait_for(lambda: len(hall.cases(name)) == 1, "the case did not arrive")
        (case,) = hall.cases(name)
        assert case["number"] == number
        window.key("F9")
        window.wait("已存为", "visible", timeout=PATIENCE)
        window.quit()


# -- the reader ---------------------------------------------------------------------------------------


def test_a_reader_unplugged_in_mid_read_is_said_and_reads_again(hall: Hall, profile: Path) -> None:
    hall.card.place("zhangsan")
    with hall.client(profile, reader=True) as window:
        sign_in(window)
        begin(window)
        window.type("13900000000", into="联系电话", role="field")
        hall.card.fault("unplug_mid_read", on="read", times=1)
        window.key("F4")
        window.wait("再读一次", "enabled", timeout=PATIENCE)
        window.wait("DEV-1", "visible")
        assert window.read("联系电话", role="field")["text"] == "13900000000"
        assert window.read("姓名", role="field")["text"] == ""
        hall.card.fault()
        hall.card.replug()
        window.click("再读一次", role="button")
        window.wait("姓名", "text", text="张三", role="field", timeout=PATIENCE)
        window.wait("DEV-1", "gone", role="part")
        window.quit()


# -- sudden ends --------------------------------------------------------------------------------------


def test_killed_while_typing_and_after_the_number_nothing_is_lost(hall: Hall, profile: Path, name: str) -> None:
    with hall.client(profile) as window:
        sign_in(window)
        begin(window)
        window.type(name, into="姓名", role="field")
        window.type("1390000000", into="联系电话", role="field")
        time.sleep(0.3)  # saving takes milliseconds, a clerk's hand longer
        window.process.kill()
    with hall.client(profile) as window:
        sign_in(window)
        window.key("Ctrl+1")
        window.click("继续办理", role="button", timeout=PATIENCE)
        window.wait("姓名", "text", text=name, role="field", timeout=PATIENCE)
        assert window.read("联系电话", role="field")["text"] == "1390000000"
        window.key("Ctrl+A", into="姓名", role="field")
        window.key("Ctrl+A", into="联系电话", role="field")
        window.key("Delete")
        window.key("Ctrl+A", into="姓名", role="field")
        window.key("Delete")
        fill(window, name)
        window.key("F8")
        number = number_of(window)
        window.process.kill()
    assert not papers(profile)
    with hall.client(profile) as window:
        sign_in(window)
        window.key("Ctrl+1")
        window.wait(f"上次办理的 {number}", "visible", timeout=PATIENCE)
        window.wait("没有未完成的受理", "visible")
        window.click("打印", role="button")
        window.wait("已存为", "visible", timeout=PATIENCE)
        wait_for(lambda: len(hall.cases(name)) == 1, "the case did not arrive")
        assert number in text_of(papers(profile)[0])
        window.quit()
    with hall.client(profile) as window:
        sign_in(window)
        window.key("Ctrl+1")
        window.wait("开始受理", "enabled", timeout=PATIENCE)
        window.wait(f"上次办理的 {number}", "gone")
        window.quit()
    assert len(hall.cases(name)) == 1


@pytest.mark.full
def test_closing_in_mid_word_or_mid_accept_finishes_what_was_given(hall: Hall, profile: Path, name: str) -> None:
    with hall.client(profile) as window:
        sign_in(window)
        begin(window)
        window.type(name, into="姓名", role="field")
        window.quit()
    with hall.client(profile) as window:
        sign_in(window)
        window.key("Ctrl+1")
        window.click("继续办理", role="button", timeout=PATIENCE)
        window.wait("姓名", "text", text=name, role="field", timeout=PATIENCE)
        fill(window, "甲")
        window.click("受理  F8", role="button")
        window.quit()
    with hall.client(profile) as window:
        sign_in(window)
        window.key("Ctrl+1")
        window.wait("打印", "enabled", role="button", timeout=PATIENCE)
        window.wait("没有未完成的受理", "visible")
        wait_for(lambda: len(hall.cases(name + "甲")) == 1, "the case did not arrive")
        window.quit()


@pytest.mark.full
def test_another_person_in_between_finds_no_draft_and_its_owner_does(hall: Hall, profile: Path, name: str) -> None:
    with hall.client(profile) as window:
        sign_in(window)
        begin(window)
        window.type(name, into="姓名", role="field")
        window.click("张三", role="button")
        window.click("换人登录")
        sign_in(window, "lisi")
        window.key("Ctrl+1")
        window.wait("没有未完成的受理", "visible", timeout=PATIENCE)
        window.click("李四", role="button")
        window.click("换人登录")
        sign_in(window)
        window.key("Ctrl+1")
        window.click("继续办理", role="button", timeout=PATIENCE)
        window.wait("姓名", "text", text=name, role="field", timeout=PATIENCE)
        window.quit()


# -- refused ------------------------------------------------------------------------------------------


def test_what_the_server_refuses_is_told_and_blocks_nobody(hall: Hall, profile: Path, line: Relay, name: str) -> None:
    url = f"https://127.0.0.1:{line.port}"
    with hall.client(profile, url=url) as window:
        sign_in(window, "lisi")
        window.click("李四", role="button")
        window.click("换人登录")
        sign_in(window)
        begin(window)
        line.cut()
        hall.enable("zhangsan", False)
        try:
            # filling in takes longer than a computer may have misjudged the server's clock
            fill(window, name + "甲")
            window.key("F8")
            refused = number_of(window)
            window.click("张三", role="button")
            window.click("换人登录")
            sign_in(window, "lisi")
            begin(window)
            fill(window, name + "乙")
            window.key("F8")
            number_of(window)
            line.restore()
            wait_for(lambda: len(hall.cases(name + "乙")) == 1, "the other case did not go through")
            window.wait("1 件被退回", "visible", timeout=PATIENCE)
            window.click("1 件被退回", role="button")
            window.wait(refused, "visible", role="label", within="服务器与待传", timeout=PATIENCE)
            window.wait("（AUTH-", "visible")
            assert not hall.cases(name + "甲")
            window.quit()
        finally:
            hall.enable("zhangsan", True)
