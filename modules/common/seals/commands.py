"""``./run ofd verify|seal``: seals from the command line."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.common.errors import GovDeskError
from modules.common.seals.report import SignatureReport, Stamp, Verdict, worst
from modules.common.text import tr

if TYPE_CHECKING:
    from modules.common.seals.ofd_sealing import Holder
    from modules.common.seals.ses import Seal

GOOD, BAD, UNREADABLE = 0, 1, 2
"""Exit statuses: valid or warning; invalid or unverifiable; cannot be read."""


def verify_files(words: Sequence[str]) -> int:
    """Verify every signature of the files; the exit status of the worst of them."""
    from modules.common.gm.trust import load_trust
    from modules.common.seals import verify
    from modules.common.seals.report import NO_TRUST

    parser = argparse.ArgumentParser(prog="./run ofd verify", description=verify_files.__doc__)
    parser.add_argument("--json", action="store_true", help="a list with an entry for each signature")
    parser.add_argument("--roots", type=Path, metavar="DIR", help="trusted certificates (.cer, .crt, .pem) and .crl")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    chosen = parser.parse_args(words)
    try:
        trust = load_trust(chosen.roots) if chosen.roots else NO_TRUST
    except OSError:
        print_error(tr("无法读取根证书文件夹“{path}”。", path=chosen.roots))
        return UNREADABLE
    status = GOOD
    entries: list[dict[str, Any]] = []
    for file in chosen.files:
        try:
            reports = verify(file, trust)
        except GovDeskError as error:
            status = UNREADABLE
            entries.append({"file": str(file), "error": error.message, "code": error.code})
            if not chosen.json:
                print_error(f"{file}: {error.sentence()}")
            continue
        verdict = worst([report.verdict for report in reports])
        if verdict in (Verdict.INVALID, Verdict.UNVERIFIABLE):
            status = max(status, BAD)
        entries += [{"file": str(file), **report.as_json()} for report in reports]
        if not chosen.json:
            sys.stdout.write(_words(file, reports))
    if chosen.json:
        sys.stdout.write(json.dumps(entries, ensure_ascii=False, indent=1) + "\n")
    return status


def seal_file(words: Sequence[str]) -> int:
    """Seal an OFD or PDF file, or withdraw one's own last seal; the original stays unless --out names it."""
    from modules.common.seals.keyfile import open_seal_file
    from modules.common.seals.ofd_sealing import Holder

    parser = argparse.ArgumentParser(prog="./run ofd seal", description=seal_file.__doc__, epilog=_PLACES)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--seal", type=Path, required=True, metavar="FILE", help="the encrypted seal (.govseal)")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="its first line is the password; else asked")
    parser.add_argument("--out", type=Path, metavar="FILE", help="or a folder; default: NAME-sealed beside it")
    parser.add_argument("--at", metavar="X,Y", help="the seal's middle on the page, in mm")
    parser.add_argument("--pages", default="", metavar="1,3-5|all", help="default: the last page")
    parser.add_argument("--seam", choices=("left", "right"), help="over the edge of all pages, a slice on each")
    parser.add_argument("--keyword", metavar="WORDS", help="at each place where the words stand (OFD)")
    parser.add_argument("--bare", action="store_true", help="sign by certificate alone, without a seal")
    parser.add_argument("--lock", action="store_true", help="allow no later seal")
    parser.add_argument("--document", type=int, default=0, metavar="N", help="which document of the package, from 0")
    parser.add_argument("--withdraw", action="store_true", help="take one's own last seal out instead")
    chosen = parser.parse_args(words)
    if len(chosen.files) > 1 and chosen.out and not chosen.out.is_dir():
        parser.error("--out must be a folder for several files")
    try:
        issued = open_seal_file(chosen.seal.read_bytes(), password_of(chosen.password_file))
    except OSError as error:
        print_error(tr("无法读写“{path}”。", path=error.filename))
        return UNREADABLE
    except GovDeskError as error:
        print_error(error.sentence())
        return BAD
    holder = Holder(issued.key, issued.certificate, None if chosen.bare else issued.seal, issued.chain)
    if not issued.key.constant_time:
        print_error(
            tr("提示：本机没有国密加速库，签名使用通用实现，其用时可能泄露密钥信息，请勿在多人共用的机器上使用。")
        )
    status = GOOD
    for file in chosen.files:
        out = chosen.out or file.with_name(f"{file.stem}-sealed{file.suffix}")
        if out.is_dir():
            out /= file.name
        try:
            write_whole(out, _sealed(file.read_bytes(), holder, chosen))
            sys.stdout.write(f"{out}\n")
        except OSError as error:
            print_error(tr("无法读写“{path}”。", path=error.filename))
            status = UNREADABLE
        except GovDeskError as error:
            print_error(f"{file}: {error.sentence()}")
            status = max(status, UNREADABLE if error.code.startswith("OFD-") else BAD)
    return status


def _sealed(data: bytes, holder: Holder, chosen: argparse.Namespace) -> bytes:
    """One file as the command line wants it."""
    from modules.common.seals.ofd_sealing import seal_ofd, withdraw_last
    from modules.common.seals.pdf_sealing import paper_sizes, seal_pdf, withdraw_last_pdf
    from modules.common.seals.pdf_verifying import is_pdf

    now, seal = datetime.now(UTC), holder.seal
    if is_pdf(data) and chosen.keyword:
        raise GovDeskError("SEAL-034", tr("PDF 不支持按关键字盖章。文件没有改动。"))
    if chosen.withdraw:
        return withdraw_last_pdf(data, holder) if is_pdf(data) else withdraw_last(data, holder, chosen.document)
    if is_pdf(data):
        stamps = stamps_for(paper_sizes(data), seal, chosen) if seal else []
        return seal_pdf(data, holder, stamps, now, lock=chosen.lock)
    stamps = _ofd_stamps(data, seal, chosen) if seal else []
    return seal_ofd(data, holder, stamps, now, lock=chosen.lock, body=chosen.document)


_PLACES = "Where: --at on --pages, --seam or --keyword; without any of them at the foot of the last page, right."


def _ofd_stamps(data: bytes, seal: Seal, chosen: argparse.Namespace) -> list[Stamp]:
    from modules.common.ofd.document import Document
    from modules.common.seals import places

    document = Document.open(data, body=chosen.document)
    boxes = [document.page_box(page.index) for page in document.pages]
    papers = [(box.width, box.height) for box in boxes]
    if not chosen.keyword:
        return stamps_for(papers, seal, chosen)
    wanted = page_numbers(chosen.pages, len(papers)) or None
    found = [(hit.page, hit.boxes[-1]) for hit in document.find(chosen.keyword, wanted)]
    return places.at_words(chosen.keyword, found, (float(seal.picture.width), float(seal.picture.height)), papers)


def stamps_for(papers: list[tuple[float, float]], seal: Seal, chosen: argparse.Namespace) -> list[Stamp]:
    """The places that the command line asks for. Raises ``GovDeskError`` SEAL-016 when it cannot be understood."""
    from modules.common.seals import places

    size = (float(seal.picture.width), float(seal.picture.height))
    if not papers:
        raise _misunderstood("--pages")
    pages = page_numbers(chosen.pages, len(papers))
    if chosen.seam:
        middle = number_pair(chosen.at)[1] if chosen.at else papers[0][1] / 2
        return places.seam(papers, size, middle, chosen.seam, pages=pages or None)
    x, y = number_pair(chosen.at) if chosen.at else (papers[-1][0] * 0.72, papers[-1][1] * 0.8)
    return places.on_pages(pages or [len(papers) - 1], x, y, size, papers)


def _misunderstood(option: str) -> GovDeskError:
    return GovDeskError("SEAL-016", tr("参数 {option} 写法有误。", option=option))


def page_numbers(text: str, count: int) -> list[int]:
    """The pages of ``1,3-5`` or ``all``, from 0; none for an empty text."""
    if text == "all":
        return list(range(count))
    found: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            raise _misunderstood("--pages")
        found += range(int(first) - 1, int(last or first))
    if any(not 0 <= page < count for page in found):
        raise _misunderstood("--pages")
    return sorted(set(found))


def number_pair(text: str) -> tuple[float, float]:
    """The millimetres of ``X,Y``."""
    try:
        x, y = map(float, text.split(","))
    except ValueError as error:
        raise _misunderstood("--at") from error
    return x, y


def trial_seal(words: Sequence[str]) -> int:
    """Make a seal for trying: a root with its revocation list, and an encrypted seal under a password."""
    from modules.common.gm import sm2
    from modules.common.seals.keyfile import SUFFIX
    from modules.common.seals.keyfile import seal_file as encrypted
    from modules.common.seals.making import Issued, establish
    from modules.common.seals.pictures import Design, draw

    parser = argparse.ArgumentParser(prog="./run ofd trial-seal", description=trial_seal.__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="gets roots/ and the seal")
    parser.add_argument("--name", default="示范区政务服务中心", help="the name on the seal")
    parser.add_argument("--below", default="", help="a line below the star")
    parser.add_argument("--password-file", type=Path, metavar="FILE")
    parser.add_argument("--version", type=int, choices=(1, 4, 5), default=4, help="of the seal's structure")
    chosen = parser.parse_args(words)
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        workshop = establish(tr("试用"), sm2.generate(), sm2.generate(), now)
        key = sm2.generate()
        signer = workshop.signer(key.point, {"C": "CN", "O": chosen.name, "CN": chosen.name}, now)
        picture = draw(Design(chosen.name, below=chosen.below))
        seal = workshop.seal(
            f"TRIAL{int(now.timestamp())}", chosen.name, picture, [signer], now, version=chosen.version
        )
        data = encrypted(Issued(seal, signer, key), password_of(chosen.password_file))
        roots = chosen.out / "roots"
        roots.mkdir(parents=True, exist_ok=True)
        write_whole(roots / "root.cer", workshop.root.certificate.raw)
        write_whole(roots / "root.crl", workshop.certificate_list({}, now))
        path = chosen.out / f"{chosen.name}{SUFFIX}"
        write_whole(path, data)
    except OSError as error:
        print_error(tr("无法读写“{path}”。", path=error.filename))
        return UNREADABLE
    except GovDeskError as error:
        print_error(error.sentence())
        return BAD
    sys.stdout.write(f"{path}\n{roots}\n")
    return GOOD


def password_of(file: Path | None) -> str:
    """The password in a file's first line, or what the person types."""
    if file is None:
        return getpass.getpass(tr("印章口令：") + " ")
    return file.read_text("utf-8").partition("\n")[0].rstrip("\r")


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole, or as it was before."""
    other = path.with_name(f".{path.name}.part")
    other.write_bytes(data)
    other.replace(path)


def print_error(text: str) -> None:
    """A sentence for the person at the terminal."""
    sys.stderr.write(text + "\n")


def _words(file: Path, reports: list[SignatureReport]) -> str:
    """The reports for people."""
    if not reports:
        return f"{file}: {tr('没有签章')}\n"
    lines = []
    for report in reports:
        title = report.seal_name or report.signer or report.path
        lines.append(f"{file}: {title}: {report.verdict.words}")
        marks = {Verdict.VALID: "✓", Verdict.WARNING: "△", Verdict.UNVERIFIABLE: "?", Verdict.INVALID: "✗"}
        lines += [f"  {marks[step.verdict]} {step.name}：{step.detail}" for step in report.steps]
        lines += [f"      {tr('未保护')} {path}" for path in report.uncovered]
    return "\n".join(lines) + "\n"
