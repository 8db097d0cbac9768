"""Real OFD files beside the project, and comparison sheets of how they are drawn: ours, another's, the difference.

``python -m tests.support.ofd_samples --out DIR [NAME …]`` writes a sheet for every page that has a reference picture,
and a table of how far apart they are, the farthest first. The reference is one vote, not the truth.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.samples import SAMPLES

DPI = 150.0
CELL_MM = 4.0
"""Ink is compared over squares of this size: shapes of glyphs differ by font, their places must not."""


def samples() -> list[Path]:
    """All sample files, by name; none where they are not beside the project."""
    return sorted((SAMPLES / "ofd").glob("*.ofd"))


def pages() -> Iterator[tuple[Path, int, Path]]:
    """File, page index and reference picture, for each page that has one."""
    for path in samples():
        for picture in sorted((SAMPLES / "ofd-reference").glob("*.png")):
            stem, _, number = picture.stem.rpartition("-")
            if stem == path.stem:
                yield path, int(number) - 1, picture


def ink(image: Any, across: int, down: int) -> Any:
    """How dark an image is in each of its squares, 0 to 1, as an array."""
    import numpy as np
    from PIL import Image

    small = image.convert("L").resize((across, down), Image.Resampling.BOX)
    return 1 - np.asarray(small, dtype=np.float64) / 255


def apart(ours: Any, other: Any, millimetres: tuple[float, float]) -> float:
    """How much of the ink lies elsewhere: 0 is the same, 1 is nothing in common. Heaviness of fonts is evened out."""
    import numpy as np

    across, down = (max(1, round(side / CELL_MM)) for side in millimetres)
    mine, theirs = ink(ours, across, down), ink(other, across, down)
    total = max(mine.sum(), theirs.sum())
    if total < 1e-6:
        return 0.0
    if theirs.sum() > 0 and 0.4 < mine.sum() / theirs.sum() < 2.5:
        mine = mine * (theirs.sum() / mine.sum())
    return float(np.abs(mine - theirs).sum() / (mine.sum() + theirs.sum()))


def drawn(path: Path, page: int, dpi: float = DPI) -> tuple[Any, tuple[float, float]]:
    """A page as a Pillow image, and its size in millimetres."""
    from PIL import Image
    from PySide6.QtGui import QImage

    from client.widgets.page.painter import paint
    from modules.common.ofd.document import Document

    made = Document.open(path).display(page)
    image = paint(made, dpi).convertToFormat(QImage.Format.Format_RGB888)
    size = (image.width(), image.height())
    picture = Image.frombytes("RGB", size, bytes(image.constBits()), "raw", "RGB", image.bytesPerLine())
    return picture, (made.box.width, made.box.height)


def sheet(ours: Any, other: Any) -> Any:
    """Ours, the other, and the difference (dark where only one of them has ink), side by side."""
    from PIL import Image, ImageChops, ImageOps

    other = other.convert("RGB").resize(ours.size)
    difference = ImageOps.invert(ImageChops.difference(ours.convert("L"), other.convert("L"))).convert("RGB")
    made = Image.new("RGB", (ours.width * 3 + 20, ours.height), "blue")
    for index, each in enumerate((ours, other, difference)):
        made.paste(each, (index * (ours.width + 10), 0))
    return made


def main(words: list[str]) -> int:
    """Write the sheets; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the sheets")
    parser.add_argument("names", nargs="*", help="only files whose names hold one of these")
    chosen = parser.parse_args(words)
    from PIL import Image
    from PySide6.QtGui import QGuiApplication

    app = QGuiApplication.instance() or QGuiApplication([])
    chosen.out.mkdir(parents=True, exist_ok=True)
    table = []
    for path, page, picture in pages():
        if chosen.names and not any(name in path.name for name in chosen.names):
            continue
        ours, size = drawn(path, page)
        with Image.open(picture) as opened:
            other = opened.convert("RGB")
        table.append((apart(ours, other, size), path.stem, page + 1))
        sheet(ours, other).save(chosen.out / f"{picture.stem}.png")
    lines = [f"{value:.3f}\t{name}\t{page}" for value, name, page in sorted(table, reverse=True)]
    (chosen.out / "apart.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    sys.stdout.write("\n".join(lines) + "\n")
    del app
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
