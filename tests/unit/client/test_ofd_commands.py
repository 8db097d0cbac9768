"""``./run ofd seal`` and ``verify``: from a trial seal to a verdict, with the statuses that scripts rely on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from client import ofd
from modules.common.seals import verify as verify_file
from tests.support.seal_office import plain_file, plain_pdf

PASSWORD = "Geheim-2026-abc"


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trial")
    (folder / "password").write_text(PASSWORD + "\n", "utf-8")
    words = ["trial-seal", "--out", str(folder), "--name", "测试章", "--password-file", str(folder / "password")]
    assert ofd.main(words) == 0
    return folder


def seal(trial: Path, file: Path, *more: str, others: Sequence[Path] = ()) -> int:
    fixed = ["--seal", str(trial / "测试章.govseal"), "--password-file", str(trial / "password")]
    return ofd.main(["seal", str(file), *map(str, others), *fixed, *more])


def verify(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[dict[str, object]]]:
    capsys.readouterr()
    status = ofd.main(["verify", "--json", *map(str, words)])
    return status, json.loads(capsys.readouterr().out)


def test_seal_and_verify(trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = tmp_path / "a.ofd"
    plain.write_bytes(plain_file())
    assert seal(trial, plain, "--seam", "right") == 0
    sealed = tmp_path / "a-sealed.ofd"
    assert plain.read_bytes() == plain_file()
    status, [entry] = verify(capsys, "--roots", trial / "roots", sealed)
    assert (status, entry["verdict"], entry["uncovered"]) == (0, "valid", [])
    steps = entry["steps"]
    assert isinstance(steps, list)
    assert all(step["ok"] and step["name"] and step["detail"] for step in steps)
    status, [entry] = verify(capsys, sealed)
    assert (status, entry["verdict"]) == (0, "warning")
    # another on pages of one's choice, which locks; then none any more
    twice = tmp_path / "b.ofd"
    assert seal(trial, sealed, "--at", "100,100", "--pages", "1,3", "--lock", "--out", str(twice)) == 0
    status, entries = verify(capsys, "--roots", trial / "roots", twice)
    assert (status, [entry["verdict"] for entry in entries]) == (0, ["valid", "valid"])
    assert seal(trial, twice) == 1
    assert seal(trial, twice, "--withdraw", "--out", str(twice)) == 0
    assert len(verify(capsys, twice)[1]) == 1


def test_statuses(trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain, garbage = tmp_path / "a.ofd", tmp_path / "b.ofd"
    plain.write_bytes(plain_file())
    garbage.write_bytes(b"garbage")
    assert verify(capsys, plain) == (0, [])
    status, [entry] = verify(capsys, garbage)
    assert (status, entry["code"]) == (2, "OFD-001")
    assert verify(capsys, tmp_path / "none.ofd")[0] == 2
    assert ofd.main(["verify", "--roots", str(tmp_path / "none"), str(plain)]) == 2
    assert seal(trial, plain, "--bare") == 0
    sealed = tmp_path / "a-sealed.ofd"
    broken = sealed.read_bytes().replace(b"Doc_0/Res/a.png", b"Doc_0/Res/b.png")
    sealed.write_bytes(broken)
    assert verify(capsys, sealed)[0] == 1
    assert verify(capsys, sealed, garbage)[0] == 2
    for wrong in (["--at", "x"], ["--pages", "9"], ["--pages", "1,,b"]):
        assert seal(trial, plain, *wrong) == 1
    (trial / "other").write_text("Something-else-1\n")
    assert seal(trial, plain, "--password-file", str(trial / "other")) == 1
    assert seal(trial, tmp_path / "none.ofd") == 2


def test_at_words_and_in_a_pdf(trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = tmp_path / "a.ofd"
    plain.write_bytes(plain_file())
    assert seal(trial, plain, "--keyword", "通知第2页") == 0
    [report] = verify_file(tmp_path / "a-sealed.ofd")
    [stamp] = report.stamps
    # the words stand 20 mm from the left, 30 mm from the top, in letters of 4 mm
    assert stamp.page == 1
    x, y, width, height = stamp.boundary
    assert 20 < x + width / 2 < 90
    assert abs(y + height / 2 - 32) < 3
    assert seal(trial, plain, "--keyword", "没有的字") == 1
    pdf = tmp_path / "a.pdf"
    pdf.write_bytes(plain_pdf())
    assert seal(trial, pdf, "--at", "100,100", "--pages", "all") == 0
    status, [entry] = verify(capsys, "--roots", trial / "roots", tmp_path / "a-sealed.pdf")
    assert (status, entry["verdict"]) == (0, "valid")
    sealed = tmp_path / "a-sealed.pdf"
    assert seal(trial, sealed, "--withdraw", "--out", str(sealed)) == 0
    assert verify(capsys, sealed) == (0, [])
    assert seal(trial, pdf, "--withdraw") == 1
    assert seal(trial, pdf, "--keyword", "page") == 1


def test_many_at_once(trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / "a.ofd", tmp_path / "b.ofd", tmp_path / "c.ofd"]
    for file in files:
        file.write_bytes(plain_file(4))
    files[1].write_bytes(b"garbage")
    out = tmp_path / "out"
    out.mkdir()
    # one that fails keeps no other from being sealed
    assert seal(trial, *files[:1], "--seam", "left", "--pages", "1,3-4", "--out", str(out), others=files[1:]) == 2
    assert sorted(path.name for path in out.iterdir()) == ["a.ofd", "c.ofd"]
    [report] = verify_file(out / "c.ofd")
    assert [stamp.page for stamp in report.stamps] == [0, 2, 3]
    with pytest.raises(SystemExit):
        seal(trial, files[0], "--out", str(tmp_path / "one.ofd"), others=files[2:])


def test_words_for_people(trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = tmp_path / "a.ofd"
    plain.write_bytes(plain_file())
    assert seal(trial, plain) == 0
    capsys.readouterr()
    assert ofd.main(["verify", str(plain), str(tmp_path / "a-sealed.ofd")]) == 0
    said = capsys.readouterr().out
    assert "没有签章" in said
    assert "△ 证书链与吊销" in said
