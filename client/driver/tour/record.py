"""What a tour leaves: numbered pictures and a transcript of what was done, with how many clicks and keys."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client.driver.client import Driven


class TourError(Exception):
    """The path was not walked to its end; the message says where it stopped."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the transcript. Seconds since the start; clicks and keys are this step's own."""

    at: float
    took: float
    title: str
    clicks: int
    keys: int
    pictures: tuple[str, ...]
    typed: int = 0
    part: str = ""


class Transcript:
    """Numbers the pictures and writes down what was done, how long it took, and with how many clicks and keys."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.steps: list[Step] = []
        self._begun = time.monotonic()
        self._picture = 0
        self._pictures: list[str] = []

    @contextmanager
    def step(self, title: str, window: Driven, *, part: str = "") -> Iterator[None]:
        """What happens inside is one step of ``window``; steps of one ``part`` are counted together."""
        started, before, self._pictures = time.monotonic(), window.counts, []
        sys.stdout.write(f"{started - self._begun:6.1f} s  {title}\n")
        sys.stdout.flush()
        yield
        after = window.counts
        took = time.monotonic() - started
        clicks = after.clicks - before.clicks
        typed = after.typed + after.composed - before.typed - before.composed
        keys = after.keys - before.keys - (after.typed - before.typed)
        at = started - self._begun
        self.steps.append(Step(at, took, title, clicks, keys, tuple(self._pictures), typed, part))

    def pressed(self, part: str) -> tuple[int, int]:
        """Clicks and keys of all steps of a part; typed characters are not among them."""
        steps = [step for step in self.steps if step.part == part]
        return sum(step.clicks for step in steps), sum(step.keys for step in steps)

    def shot(self, window: Driven, name: str, *, of: str = "") -> None:
        """A picture of the window as it is now, or of the one in which ``of`` is."""
        window.shot(self._next(name), of=of)

    def keep(self, source: Path, name: str) -> Path:
        """Keep a file that the program made."""
        target = self.out / name
        shutil.copyfile(source, target)
        self._pictures.append(name)
        return target

    def _next(self, name: str) -> Path:
        self._picture += 1
        path = self.out / f"{self._picture:02d}-{name}.png"
        self._pictures.append(path.name)
        return path

    def picture_of_page(self, pdf: Path, name: str) -> None:
        """The first page of a PDF, as it would lie on the counter."""
        import pypdfium2

        document = pypdfium2.PdfDocument(pdf)
        try:
            document[0].render(scale=1.5).to_pil().save(self._next(name))
        finally:
            document.close()

    def write(self, facts: dict[str, Any]) -> None:
        """Write ``transcript.md`` and ``transcript.json``."""
        total = {"seconds": round(time.monotonic() - self._begun, 1)}
        total |= {"clicks": sum(s.clicks for s in self.steps), "keys": sum(s.keys for s in self.steps)}
        rows = [
            f"| {i} | {step.at:.1f} | {step.took:.2f} | {step.clicks} | {step.keys} | {step.typed} | {step.title} | "
            f"{' '.join(f'[{name}]({name})' for name in step.pictures)} |"
            for i, step in enumerate(self.steps, 1)
        ]
        lines = [
            "# 演示记录",
            "",
            "真实的服务器、设备模拟器和客户端进程；点击和按键都发给真实的窗口。读卡器、高拍仪、评价器、窗口屏和取号打印机都是模拟器，说的是设备的线路协议。",
            "",
            "| # | 起 (s) | 用时 (s) | 点击 | 按键 | 输入的字 | 步骤 | 图 |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            f"共 {total['seconds']} s,点击 {total['clicks']} 次，按键 {total['keys']} 次。",
            "",
            *(f"- {name}: {value}" for name, value in facts.items()),
            "",
        ]
        (self.out / "transcript.md").write_text("\n".join(lines), "utf-8")
        steps = [{name: getattr(step, name) for name in Step.__slots__} for step in self.steps]
        text = json.dumps({"total": total, "facts": facts, "steps": steps}, ensure_ascii=False, indent=1)
        (self.out / "transcript.json").write_text(text, "utf-8")
