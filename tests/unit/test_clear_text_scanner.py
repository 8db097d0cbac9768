"""The search for personal data in clear finds what is planted, in each way that a text gets onto a disk."""

from __future__ import annotations

import gzip
import json
import logging
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from client.kernel.logs import Logs
from tests.support.leaks import scan

NAME, NUMBER, PHONE = "欧阳晓明", "11010519491231002X", "13800000000"
WORDS = (NAME, NUMBER, PHONE)


def packed(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as outer:
        outer.writestr("inside.gz", gzip.compress(f"x{NUMBER}".encode()))


PLANTED: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "temp": (lambda path: path.write_text(f"draft of {NAME}", "utf-8"), NAME, "utf-8"),
    "utf-16": (lambda path: path.write_text(NUMBER, "utf-16-le"), NUMBER, "utf-16-le"),
    "utf-16, the other way round": (lambda path: path.write_text(NAME, "utf-16-be"), NAME, "utf-16-be"),
    "gb18030": (lambda path: path.write_text(NAME, "gb18030"), NAME, "gb18030"),
    "json": (lambda path: path.write_text(json.dumps({"name": NAME}), "ascii"), NAME, "json"),
    "address": (lambda path: path.write_text("/find?q=%E6%AC%A7%E9%98%B3%E6%99%93%E6%98%8E", "ascii"), NAME, "url"),
    "packed twice": (packed, NUMBER, "utf-8"),
    "amid bytes": (lambda path: path.write_bytes(b"\0" * 70_000 + PHONE.encode() + b"\0" * 9), PHONE, "utf-8"),
}


@pytest.mark.parametrize("how", PLANTED)
def test_what_is_planted_is_found(tmp_path: Path, how: str) -> None:
    plant, what, written = PLANTED[how]
    (tmp_path / "deep").mkdir()
    plant(tmp_path / "deep" / "file.tmp")
    [leak] = scan([tmp_path], WORDS)
    assert (leak.what, leak.written) == (what, written)
    assert str(tmp_path / "deep" / "file.tmp") in leak.path
    if how == "amid bytes":
        assert leak.offset == 70_000


@pytest.mark.parametrize("folder", ["", "print"])
def test_the_name_of_a_file_counts(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / f"{NAME}.bin").touch()
    assert [leak.what for leak in scan([tmp_path], WORDS)] == [NAME]


def test_a_paper_is_one_by_itself_except_where_people_take_it(tmp_path: Path) -> None:
    (tmp_path / "print").mkdir()
    for folder in (tmp_path, tmp_path / "print"):
        (folder / "a.pdf").write_bytes(b"%PDF-1.7 \x00\x01")
    assert [leak.path for leak in scan([tmp_path], WORDS)] == [str(tmp_path / "a.pdf")]


def test_a_line_of_the_log_is_found_unless_it_is_masked(tmp_path: Path) -> None:
    logs = Logs(tmp_path)
    logging.getLogger("test").warning("case of %s, %s", NUMBER, PHONE)
    logs.close()
    assert not scan([tmp_path], WORDS), "the log masks numbers by itself"
    logs = Logs(tmp_path)
    logging.getLogger("test").warning("case of %s", NAME)
    logs.close()
    assert [leak.what for leak in scan([tmp_path], WORDS)] == [NAME], "no machine knows names: see logs.personal"


def test_what_is_encrypted_has_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(random.Random(7).randbytes(1 << 20))
    assert not scan([tmp_path], [*WORDS, "张三"])
