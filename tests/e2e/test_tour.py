"""The tour, on both databases: one case, accepted with the network down, decided and closed, exactly once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import zxingcpp

from client.driver.tour import main
from tests.support.servers import postgres

PICTURES = 15


def walk(out: Path, *arguments: str) -> dict[str, str]:
    assert main(["--out", str(out), *arguments]) == 0
    facts: dict[str, str] = json.loads((out / "transcript.json").read_text("utf-8"))["facts"]
    return facts


def test_a_case_goes_to_the_server_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    facts = walk(tmp_path / "tour")
    assert facts["服务器上的状态"] == "closed"
    pictures = sorted((tmp_path / "tour").glob("*.png"))
    assert len(pictures) >= PICTURES
    assert all(path.stat().st_size > 5_000 for path in pictures)
    import pypdfium2

    document = pypdfium2.PdfDocument(tmp_path / "tour" / "receipt.pdf")
    codes = {code.text for code in zxingcpp.read_barcodes(document[0].render(scale=3).to_pil())}
    document.close()
    assert facts["办件编号"] in codes
    assert any(code.startswith("govdesk:case/") for code in codes)


@pytest.mark.full
def test_the_same_path_on_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    with postgres() as url:
        facts = walk(tmp_path / "tour", "--database", url)
    assert facts["服务器上的状态"] == "closed"
