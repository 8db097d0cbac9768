"""Feeds damaged and malicious OFD files, and parts of them, to everything that reads them.

``python -m tests.support.ofd_fuzz --files 5000 --parsers 200000 --seed 1``. Whole files are opened, read and drawn;
parsers get their own inputs. Allowed are a result and ``OfdError``. Anything else, an execution of more than 10 s, or
more than 512 MiB of memory ends the run with status 1 and the words that replay it. The last line is JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import io
import json
import logging
import random
import re
import sys
import time
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support import ofd_maker
from tests.support.ofd_samples import samples

SECONDS, MEBIBYTES = 10.0, 512
SIZE_LIMIT = 400_000
"""Samples larger than this are left out: their fonts would take all of the time."""
EXTREMES = ["0", "-1", "1e308", "-1e308", "nan", "inf", "99999999999999999999", "", "1e-300", "0 0 0 0",
            "g 999999999 1", "true", "#FF", "\u0000", "..", "/", "../../../../x", "0.0000001"]  # fmt: skip
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_ATTRIBUTE = re.compile(rb'="[^"]*"')
_ELEMENT = re.compile(rb"<(?:\w+:)?(\w+)[^<>]*?(?:/>|>[^<>]*</(?:\w+:)?\1>)")


def own_files() -> list[bytes]:
    """Small files that use nearly everything, for where there are no samples, and to mutate quickly."""
    from tests.support import ofd_zoo

    return [ofd_zoo.everything()]


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Bytes with a few of them changed, cut, doubled or moved."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        if not data:
            break
        at = chance.randrange(len(data))
        match chance.randrange(6):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                data[at : at + chance.choice((1, 2, 4, 8))] = chance.choice(
                    (b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff")
                )
            case 2:
                del data[at : at + chance.randint(1, 64)]
            case 3:
                data[at:at] = data[at : at + chance.randint(1, 200)]
            case 4:
                data[at:at] = chance.randbytes(chance.randint(1, 16))
            case _:
                del data[at:]
    return bytes(data)


def twisted(xml: bytes, chance: random.Random) -> bytes:
    """XML that stays XML, with numbers, attributes and elements that nobody expects."""
    for _ in range(chance.randint(1, 5)):
        kind = chance.randrange(4)
        pattern = (_NUMBER, _ATTRIBUTE, _ELEMENT, _ELEMENT)[kind]
        found = list(pattern.finditer(xml))
        if not found:
            continue
        spot = chance.choice(found)
        start, end = spot.span()
        if kind == 0:
            put = chance.choice(EXTREMES).encode()
        elif kind == 1:
            put = (
                b'="'
                + (chance.choice(EXTREMES).encode() if chance.random() < 0.6 else chance.choice(found)[0][2:-1])
                + b'"'
            )
        elif kind == 2:
            put = xml[start:end] * chance.choice((0, 2, 50))
        else:
            put = chance.choice(found)[0]
        xml = xml[:start] + put + xml[end:]
    return xml


def mutated(file: bytes, chance: random.Random) -> bytes:
    """A whole file, damaged outside or inside."""
    if chance.random() < 0.25:
        return damaged(file, chance)
    try:
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            entries = [(name, archive.read(name)) for name in archive.namelist() if not name.endswith("/")]
    except (zipfile.BadZipFile, ValueError):
        return damaged(file, chance)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(entries))
        name, content = entries[at]
        match chance.randrange(8):
            case 0:
                entries.append((name, damaged(content, chance)))
            case 1:
                entries[at] = (chance.choice(("../", "", "\\", "a/")) + name, content)
            case 2:
                entries[at] = (name, entries[chance.randrange(len(entries))][1])
            case 3 | 4:
                entries[at] = (name, damaged(content, chance))
            case _:
                entries[at] = (name, twisted(content, chance) if name.endswith(".xml") else damaged(content, chance))
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that occur twice: they are meant
        return ofd_maker.pack(entries)


def use(file: bytes) -> None:
    """Do with a file all that a reader does."""
    from client.widgets.page.cache import PaintCache
    from client.widgets.page.painter import paint
    from modules.common.ofd.document import Document
    from modules.common.ofd.report import OfdError

    with contextlib.suppress(OfdError):
        document, cache = Document.open(file), PaintCache()
        extras = document.extras
        _ = extras.outline, extras.bookmarks, extras.tags, extras.permissions, extras.actions, extras.preferences
        for each in extras.attachments[:3]:
            with contextlib.suppress(OfdError):
                extras.attachment(each.id)
        for page in range(min(len(document.pages), 3)):
            made = document.display(page)
            paint(made, 40, cache=cache)
            document.text(page)
            extras.links(page)
        for note in document.report.notes:
            note.sentence()


def parsers() -> dict[str, tuple[Callable[[bytes], object], list[bytes]]]:
    """The parsers by name, each with inputs to begin from."""
    from client.widgets.page import images, jbig2
    from modules.common.ofd import colours, fonts, outlines, texts, xml
    from modules.common.ofd.container import Package
    from modules.common.ofd.report import OfdError, Report
    from tests.support import ofd_zoo

    def package(data: bytes) -> None:
        with contextlib.suppress(OfdError):
            found = Package(data)
            for path in found.paths[:20]:
                with contextlib.suppress(OfdError):
                    found.read(path)

    def parse(data: bytes) -> None:
        with contextlib.suppress(OfdError):
            xml.parse(data, "x", Report())

    def words(data: bytes) -> str:
        return data.decode("latin-1")

    small = ofd_maker.make(["<ofd:PageBlock/>"])
    pictures = [ofd_zoo.image(kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF")]
    drawing = b"M 0 0 L 10 0 Q 1 2 3 4 B 1 2 3 4 5 6 A 5 4 30 1 0 9 9 C"
    return {
        "zip": (package, [small, small[: small.index(b"PK\x01\x02")]]),
        "xml": (parse, [ofd_maker.document_xml(3).encode(), ofd_maker.page_xml("<a/>").encode()]),
        "path": (lambda data: outlines.parse(words(data)), [drawing]),
        "steps": (lambda data: texts.deltas(words(data), 500), [b"g 5 1.5 2 3 g 2 -1", b"1 2 3"]),
        "numbers": (lambda data: xml.numbers(words(data)), [b"0 0 210 297", b"1e9,3"]),
        "colour": (lambda data: colours.value(words(data), colours.RGB), [b"#FF 0 12", b"255 255 255", b"0.5"]),
        "cff": (fonts.wrapped_cff, [ofd_zoo.bare_cff()]),
        "sfnt": (fonts.mended, [ofd_zoo.truetype()]),
        "jbig2": (jbig2.decode, [ofd_zoo.jbig2(64, 8)]),
        "image": (lambda data: images.decoded(data, ""), pictures),
    }  # fmt: skip


class Run:
    """Executions one after another, watched."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.slowest = (0.0, "")
        self.problems: list[str] = []

    def one(self, what: str, number: int, work: Callable[[random.Random], object]) -> None:
        """Run ``work`` with its own chance; a hang ends the process, for nothing else can stop it."""
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        began = time.perf_counter()
        replay = f"{what} --seed {self.seed} --only {number}"
        try:
            work(random.Random(f"{self.seed}/{what}/{number}"))
        except Exception:  # noqa: BLE001 - that is what is looked for
            self.problems.append(replay)
            sys.stderr.write(f"{replay}\n{traceback.format_exc()}\n")
        finally:
            faulthandler.cancel_dump_traceback_later()
        took = time.perf_counter() - began
        if took > self.slowest[0]:
            self.slowest = (took, replay)


def peak_mebibytes() -> float:
    """The most memory that this process has held; ``ru_maxrss`` would count from what its parent held."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    (line,) = (line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main(words: list[str]) -> int:
    """Run as told; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=0, help="executions over whole files")
    parser.add_argument("--parsers", type=int, default=0, help="executions over the parsers, all together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="the one with this number")
    chosen = parser.parse_args(words)
    from PySide6.QtCore import qInstallMessageHandler
    from PySide6.QtGui import QGuiApplication

    logging.disable()
    app = QGuiApplication.instance() or QGuiApplication([])
    qInstallMessageHandler(lambda *_: None)  # Qt tells of every broken image
    run = Run(chosen.seed)
    own = own_files()
    begin = own * 20 + [path.read_bytes() for path in samples() if path.stat().st_size <= SIZE_LIMIT]
    for number in range(chosen.files) if chosen.only is None else [chosen.only] * bool(chosen.files):
        run.one("--files 1", number, lambda chance: use(mutated(chance.choice(begin), chance)))
    known = list(parsers().items())
    for number in range(chosen.parsers) if chosen.only is None else [chosen.only] * bool(chosen.parsers):
        _, (parse, inputs) = known[number % len(known)]
        run.one(
            "--parsers 1",
            number,
            lambda chance, parse=parse, inputs=inputs: parse(damaged(chance.choice(inputs), chance)),
        )  # type: ignore[misc]
    peak = peak_mebibytes()
    if peak > MEBIBYTES:
        run.problems.append(f"{peak:.0f} MiB")
    said: dict[str, Any] = {
        "files": chosen.files,
        "parsers": chosen.parsers,
        "inputs": len(begin),
        "slowest_s": round(run.slowest[0], 2),
        "slowest": run.slowest[1],
        "peak_mib": round(peak),
        "problems": run.problems,
    }
    sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
    sys.stdout.flush()
    del app
    return 1 if run.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
