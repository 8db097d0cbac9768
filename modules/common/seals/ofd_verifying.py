"""Verifies the signatures of an OFD file, step by step (GB/T 33190-2016, 18; GB/T 38540-2020, 7)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from modules.common.gm import sm3
from modules.common.gm.trust import Trust
from modules.common.ofd import xml
from modules.common.ofd.container import Package
from modules.common.ofd.document import Body, Document, bodies
from modules.common.ofd.report import OfdError, Report
from modules.common.seals import ofd_containers
from modules.common.seals.judging import LOCAL, minute
from modules.common.seals.parts import Parts, uncovered
from modules.common.seals.report import SignatureReport, Stamp, Verdict
from modules.common.text import together, tr

if TYPE_CHECKING:
    from lxml.etree import _Element

_DIGESTS: Mapping[str, Callable[[bytes], bytes]] = {
    "1.2.156.10197.1.401": sm3,
    "sm3": sm3,
    "2.16.840.1.101.3.4.2.1": lambda data: hashlib.sha256(data).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "sha-256": lambda data: hashlib.sha256(data).digest(),
}
"""Digests by the names that CheckMethod has in the wild. MD5 and SHA-1, once allowed, prove nothing."""
KEYED = {"1.2.156.10197.1.401.2"}
"""Digests that take a key which the file does not bring."""
_NOTES = ("zip.around", "zip.directory", "zip.duplicate", "zip.name", "zip.header")
_SKEW = timedelta(minutes=10)
_ZONE = timedelta(hours=8)
_EDGE = 0.6
"""Millimetres that a stamp may stand over the edge of its page."""


class Listed(NamedTuple):
    """A signature as Signatures.xml lists it. ``path`` is empty when there is no such file."""

    id: str
    sealed: bool
    loc: str
    path: str


@dataclass
class Described:
    """What a Signature.xml says; ``data`` are its bytes."""

    data: bytes
    method: str = ""
    check_method: str = ""
    date: str = ""
    references: list[tuple[str, str]] = field(default_factory=list)
    stamps: list[tuple[str, list[float], list[float]]] = field(default_factory=list)
    seal_path: str = ""
    seal: bytes = b""
    """The seal that lies beside the signature, empty when there is none."""
    value_path: str = ""


def listed_signatures(package: Package, body: Body) -> list[Listed]:
    """The signatures that a document's Signatures.xml lists. Raises ``OfdError`` when it cannot be read."""
    found = []
    for each in xml.children(xml.load(package, body.signatures), "Signature"):
        loc = each.get("BaseLoc", "")
        sealed = each.get("Type", "Seal").strip().lower() != "sign"
        found.append(Listed(each.get("ID", ""), sealed, loc, package.find(body.signatures, loc) or "" if loc else ""))
    return found


def describe(package: Package, path: str) -> Described:
    """What the Signature.xml at ``path`` says; of a damaged one, as far as it can be read."""
    described = Described(package.read(path))
    try:
        root = xml.parse(described.data, path, package.report)
    except OfdError:
        root = None
    info = None if root is None else xml.child(root, "SignedInfo")
    if root is not None and info is not None:
        described.method = xml.text(info, "SignatureMethod")
        described.date = xml.text(info, "SignatureDateTime")
        references = xml.child(info, "References")
        described.check_method = "" if references is None else references.get("CheckMethod", "")
        for each in xml.children(references, "Reference"):
            described.references.append((each.get("FileRef", ""), xml.text(each, "CheckValue")))
        described.stamps = [_stamp(each) for each in xml.children(info, "StampAnnot")]
        seal = xml.child(info, "Seal")
        loc = "" if seal is None else xml.text(seal, "BaseLoc") or xml.text(seal)
        described.seal_path = package.find(path, loc) or "" if loc else ""
        described.seal = package.read(described.seal_path) if described.seal_path else b""
    loc = "" if root is None else xml.text(root, "SignedValue")
    described.value_path = (package.find(path, loc) if loc else None) or _beside(package, path)
    return described


def _stamp(element: _Element) -> tuple[str, list[float], list[float]]:
    boundary, clip = xml.numbers(element.get("Boundary")), xml.numbers(element.get("Clip"))
    return element.get("PageRef", ""), boundary, clip


def _beside(package: Package, path: str) -> str:
    """The signature value that lies beside a Signature.xml which no longer says where it is."""
    folder = path.rpartition("/")[0]
    names = {f"{folder}/{name}".lower() for name in ("SignedValue.dat", "SignValue.dat")}
    return next((each for each in package.paths if each.lower() in names), "")


def verify_ofd(source: Package | bytes, trust: Trust, now: datetime) -> list[SignatureReport]:
    """All signatures of a package, by documents and their lists. Raises ``OfdError`` when it is no OFD file."""
    package = source if isinstance(source, Package) else Package(source, Report())
    strays = _strays(package)
    try:
        found = bodies(package)
    except OfdError:
        if not strays:
            raise
        found = ()  # a signature that is still there is told to be worthless, rather than nothing
    reports = []
    for number, body in enumerate(found):
        others = [each.root for each in found if each.root != body.root]
        reports += _verify_body(package, number, body, others, trust, now)
    known = {report.path for report in reports}
    first = found[0] if found else None
    for path in strays:
        if path not in known:
            reports += _verify_listed(package, 0, first, "", [Listed("", True, path, path)], [], trust, now)
    return reports


def _strays(package: Package) -> list[str]:
    """Every file that looks like the description of a signature, listed or not."""
    return [path for path in package.paths if path.lower().endswith("/signature.xml")]


def _verify_body(
    package: Package, number: int, body: Body, others: list[str], trust: Trust, now: datetime
) -> list[SignatureReport]:
    if not body.signatures:
        return []
    try:
        listed = listed_signatures(package, body)
    except OfdError as error:
        report = SignatureReport("", body.signatures, document=number)
        report.add("structure", Verdict.INVALID, tr("签章列表无法读取：{why}", why=error.message))
        return [report]
    return _verify_listed(package, number, body, body.signatures, listed, others, trust, now)


def _verify_listed(
    package: Package,
    number: int,
    body: Body | None,
    list_path: str,
    listed: list[Listed],
    others: list[str],
    trust: Trust,
    now: datetime,
) -> list[SignatureReport]:
    try:
        document = Document.open(package, body=number) if body else None
    except OfdError:
        document = None
    described = {each.path: describe(package, each.path) for each in listed if each.path}
    parts = Parts(package, document)
    files = {list_path}
    for path, other in described.items():
        files |= {path, other.value_path, other.seal_path}
    reports = []
    for each in listed:
        report = SignatureReport(each.id, each.path or each.loc, each.sealed, number)
        reports.append(report)
        if each.path:
            one = _OneSignature(package, document, list_path, parts, report, described[each.path], files, others)
            one.run(trust, now)
        else:
            report.add("structure", Verdict.INVALID, tr("签章列表所列的“{path}”不在文件中。", path=each.loc))
    return reports


class _OneSignature:
    """The verification of one signature: its steps in order, each a note in the report."""

    def __init__(
        self,
        package: Package,
        document: Document | None,
        list_path: str,
        parts: Parts,
        report: SignatureReport,
        described: Described,
        signature_files: set[str],
        other_roots: list[str],
    ) -> None:
        self.package, self.document, self.list_path, self.parts = package, document, list_path, parts
        self.report, self.described = report, described
        self.signature_files, self.other_roots = signature_files, other_roots
        self.value = b""

    def run(self, trust: Trust, now: datetime) -> None:
        """All steps."""
        self._structure()
        covered = self._digests()
        self._coverage(covered)
        container = ofd_containers.open_container(self.value)
        container.judge(self.report, self.described, trust, now)
        self._time()
        if self.report.sealed or self.described.stamps:
            self._appearance()

    def _structure(self) -> None:
        described, report = self.described, self.report
        problems = [note.sentence() for note in self.package.report.notes if note.code in _NOTES]
        if self.document is None:
            report.add("structure", Verdict.INVALID, tr("文档无法读取。"))
        elif not described.value_path:
            report.add("structure", Verdict.UNVERIFIABLE, tr("签名值不在文件中。"))
        elif not described.references:
            report.add("structure", Verdict.INVALID, tr("签章描述文件损坏，或没有列出所保护的内容。"))
        elif not self.list_path:
            report.add("structure", Verdict.WARNING, tr("文件没有列出此签章：签章列表或总目录被改动。"))
        elif problems:
            report.add("structure", Verdict.WARNING, "；".join(problems[:3]))
        else:
            report.add("structure", Verdict.VALID, tr("文件包完整，没有重复或越界的文件名。"))
        if described.value_path:
            try:
                self.value = self.package.read(described.value_path)
            except OfdError:
                self.value = b""

    def _digests(self) -> set[str]:
        """Compare every digest; the paths that are protected."""
        method = self.described.check_method.strip()
        digest = _DIGESTS.get(method.lower())
        covered: set[str] = set()
        changed: list[str] = []
        missing: list[str] = []
        for loc, expected in self.described.references:
            path = self.package.find(self.report.path, loc)
            if path is None:
                missing.append(loc)
                continue
            covered.add(path)
            if digest is not None and not self._fits(path, expected, digest):
                changed.append(path)
        listed = self.list_path
        self.report.locked = listed in covered
        faults = []
        if changed == [listed] and not missing:
            faults.append(tr("此签章锁定了签章列表，其后又加盖或撤销了别的签章；其余内容未变。"))
        elif changed:
            faults.append(tr("盖章后被改动：{parts}。", parts=self.parts.names(changed)))
        if missing:
            faults.append(tr("受保护的内容缺失：{parts}。", parts=self.parts.names(missing)))
        if faults:
            self.report.add("digests", Verdict.INVALID, "".join(faults))
        elif digest is None:
            why = tr("需要文件之外的密钥") if method in KEYED else tr("不能识别或不再安全")
            said = tr("摘要算法“{method}”{why}，无法核对。", method=method, why=why)
            self.report.add("digests", Verdict.UNVERIFIABLE, said)
        elif self.described.references:
            count = len(self.described.references)
            self.report.add("digests", Verdict.VALID, tr("{n} 个文件的摘要全部相符。", n=count))
        return covered

    def _fits(self, path: str, expected: str, digest: Callable[[bytes], bytes]) -> bool:
        try:
            return digest(self.package.read(path)) == base64.b64decode("".join(expected.split()), validate=True)
        except (OfdError, binascii.Error, ValueError):
            return False

    def _coverage(self, covered: set[str]) -> None:
        described, report = self.described, self.report
        own = [report.path, described.value_path]
        report.uncovered = uncovered(self.package, covered, own, self.signature_files, self.other_roots)
        pages = [path for path in report.uncovered if path in self.parts.pages]
        lock = tr("此签章之后不允许再加盖。") if report.locked else tr("允许其后再加盖签章。")
        if pages:
            said = tr("{parts}不受此签章保护：可能是盖章后加入的。", parts=self.parts.names(pages))
            report.add("coverage", Verdict.INVALID, said)
        elif report.uncovered:
            parts = self.parts.names(report.uncovered)
            said = tr("以下内容不受此签章保护，改动不会被发现：{parts}。{lock}", parts=parts, lock=lock)
            report.add("coverage", Verdict.WARNING, said)
        else:
            report.add("coverage", Verdict.VALID, tr("文件的全部内容都受保护。{lock}", lock=lock))

    def _time(self) -> None:
        report = self.report
        if report.step("time") or report.time is None:
            return
        written = parse_date(self.described.date)
        said = tr("{at}，由签章人声明，没有可信时间戳。", at=minute(report.time))
        if written is None:
            report.add("time", Verdict.VALID, said)
            return
        # many write the hour of the place and call it UTC, or the other way round
        apart = min(abs(written - report.time + shift) for shift in (timedelta(), _ZONE, -_ZONE))
        if apart > _SKEW:
            said = together(said, tr("签章描述中的时间是 {other}，两者不一致。", other=minute(written)))
        report.add("time", Verdict.WARNING if apart > _SKEW else Verdict.VALID, said)

    def _appearance(self) -> None:
        report, document = self.report, self.document
        if document is None:
            return
        indices = {page.id: page.index for page in document.pages}
        faults = []
        for page_id, boundary, clip in self.described.stamps:
            index = indices.get(page_id, -1)
            if len(boundary) < 4 or boundary[2] <= 0 or boundary[3] <= 0:
                faults.append(tr("印章位置写法有误"))
                continue
            x, y, width, height = boundary[:4]
            shown = (clip[0], clip[1], clip[2], clip[3]) if len(clip) >= 4 else None
            report.stamps.append(Stamp(index, (x, y, width, height), shown))
            if index < 0:
                faults.append(tr("印章所在的页不存在"))
                continue
            left, top, wide, high = shown or (0.0, 0.0, width, height)
            box = document.page_box(index)
            inside = x + left >= -_EDGE and y + top >= -_EDGE
            if not inside or x + left + wide > box.width + _EDGE or y + top + high > box.height + _EDGE:
                faults.append(tr("第 {n} 页的印章超出页面", n=index + 1))
        if faults:
            report.add("appearance", Verdict.WARNING, "；".join(dict.fromkeys(faults)) + "。")
        elif not report.stamps:
            report.add("appearance", Verdict.VALID, tr("此签章在页面上没有印章图形。"))
        else:
            pages = sorted({stamp.page + 1 for stamp in report.stamps})
            listed = "、".join(map(str, pages[:12])) + ("…" if len(pages) > 12 else "")
            report.add("appearance", Verdict.VALID, tr("印章显示在第 {pages} 页，都在页面之内。", pages=listed))


def parse_date(text: str) -> datetime | None:
    """The moment that SignatureDateTime means; without a zone, the hour of China."""
    bare = text.strip().replace("/", "-").replace("T", " ")
    for form in ("%Y%m%d%H%M%SZ", "%Y-%m-%d %H:%M:%SZ"):
        try:
            return datetime.strptime(bare, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    for form in ("%Y-%m-%d %H:%M:%S", "%Y%m%d%H%M%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d"):
        try:
            return datetime.strptime(bare, form).replace(tzinfo=LOCAL).astimezone(UTC)
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except ValueError:
        return None
