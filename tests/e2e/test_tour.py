"""The tour, on both databases: a whole day of a window, each case exactly once and as the day left it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pypdfium2  # noqa: TID253  a test may load it at once
import pytest
import zxingcpp
from PIL import Image  # noqa: TID253

from client.driver.tour import main
from client.driver.tour.day import TYPED
from devices.simulators.cards import CARDS
from tests.support.leaks import scan
from tests.support.servers import postgres

PICTURES = 40
PAPERS = {
    "receipt": "受理通知书",
    "correction": "一次性告知书",
    "declined": "不予受理决定书",
    "provisional": "容缺受理告知书",
}
MOST_PRESSED = 30
"""Keys and clicks of one plain case, from the call to the rating; typed characters apart."""

PEOPLE = (
    *(word for key in ("rare", "zhangsan") for word in (CARDS[key].record.name, CARDS[key].record.id_number)),
    *(word for key in ("rare", "zhangsan") if (word := CARDS[key].record.address)),
    *(word for word in TYPED.values() if word not in ("餐饮服务", "50000")),
    *("13900000002", "13900000003", "申请人户籍不在本市"),
)
"""Everybody whose case the day takes up: names, numbers, addresses, phones, and what was written about them."""


def walk(out: Path, *arguments: str) -> dict[str, Any]:
    assert main(["--out", str(out), *arguments]) == 0
    facts: dict[str, Any] = json.loads((out / "transcript.json").read_text("utf-8"))["facts"]
    return facts


def text_of(pdf: Path) -> str:
    document = pypdfium2.PdfDocument(pdf)
    page = document[0].get_textpage()
    text = "".join(page.get_text_range().split())
    page.close()
    document.close()
    return text


def test_a_whole_day_of_a_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    out, kept, scratch = tmp_path / "tour", tmp_path / "kept", tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    facts = walk(out, "--keep", str(kept))
    assert facts["服务器上当天窗口办的件"] == ["accepted", "closed", "correcting", "declined"]
    assert facts["此件的扫描页数"] == 6
    assert facts["此件的评价"] == 5
    assert facts["一件办到底：点击和按键（输入的字另计）"] <= MOST_PRESSED
    pictures = sorted(out.glob("[0-9]*.png"))
    assert len(pictures) >= PICTURES
    assert all(path.stat().st_size > 5_000 for path in pictures)
    assert all(title in text_of(out / f"{name}.pdf") for name, title in PAPERS.items())
    document = pypdfium2.PdfDocument(out / "receipt.pdf")
    codes = {code.text for code in zxingcpp.read_barcodes(document[0].render(scale=3).to_pil())}
    document.close()
    assert facts["办件编号"] in codes
    assert any(code.startswith("govdesk:case/") for code in codes)
    with Image.open(out / "ticket.png") as ticket:
        assert ticket.width > 300, "the ticket that came out of the printer can be looked at"
    nobody_can_be_read(kept, scratch)


def nobody_can_be_read(kept: Path, scratch: Path) -> None:
    """In no file of a counter, of the server, of their logs and of the temporary folder (issue 4)."""
    assert not scan([kept, scratch], PEOPLE, papers=False)
    profiles = [path.parent for path in kept.glob("*/store.db")]
    assert len(profiles) >= 4
    assert not scan([*profiles, kept / "server", scratch], ()), "page images are encrypted, and papers lie in one place"
    assert any(kept.glob("counter-3/print/*.pdf")), "the day printed something"
    assert (kept / "server" / "server.db").stat().st_size


@pytest.mark.full
def test_the_same_day_on_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    with postgres() as url:
        facts = walk(tmp_path / "tour", "--database", url)
    assert facts["服务器上当天窗口办的件"] == ["accepted", "closed", "correcting", "declined"]
