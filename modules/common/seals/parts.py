"""What a file in an OFD package is, in words, and which of them a signature leaves unprotected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from modules.common.ofd.container import Package
from modules.common.ofd.document import Document
from modules.common.ofd.report import OfdError
from modules.common.text import tr

_SHOWN = 3
_SEARCHED = 500


class Parts:
    """Names the parts of one document of a package for people."""

    def __init__(self, package: Package, document: Document | None) -> None:
        self._package = package
        try:
            self.pages = {page.path: page.index for page in document.pages if page.path} if document else {}
        except OfdError:
            self.pages = {}
        self._document = document

    def name(self, path: str) -> str:
        """What a person calls the file at ``path``; for what pages use, these pages too."""
        if path in self.pages:
            return tr("第 {n} 页", n=self.pages[path] + 1)
        file = path.rpartition("/")[2]
        if self._document is not None and path == self._document.root_path:
            return tr("文档结构 {file}", file=file)
        if path.lower() == "ofd.xml":
            return tr("文件总目录 {file}", file=file)
        used = self._used_by(path)
        if used:
            pages = "、".join(str(index + 1) for index in used[:_SHOWN]) + ("…" if len(used) > _SHOWN else "")
            return tr("第 {pages} 页用到的 {file}", pages=pages, file=file)
        return path

    def names(self, paths: Iterable[str]) -> str:
        """The names of some parts, shortened when there are many."""
        listed = list(paths)
        words = "、".join(self.name(path) for path in listed[:_SHOWN])
        return words if len(listed) <= _SHOWN else tr("{words} 等 {n} 处", words=words, n=len(listed))

    def _used_by(self, path: str) -> list[int]:
        """The pages that name a resource or template by its ID, or annotations that lie on them."""
        document = self._document
        if document is None:
            return []
        try:
            templates = list(document.templates.values())
            annotated = [page for page, files in document.annotations.files.items() if path in files]
        except OfdError:
            return []
        if annotated:
            return [page.index for page in document.pages if page.id in annotated]
        used = {each.id for each in templates if each.path == path} or set(self._resource_ids(path))
        used |= {each.id for each in templates if self._mentions(each.path, used)}
        return [index for page, index in list(self.pages.items())[:_SEARCHED] if self._mentions(page, used)]

    def _mentions(self, path: str, identifiers: set[str]) -> bool:
        """Whether a page or template names one of these IDs."""
        marks = [f'"{each}"'.encode() for each in identifiers if each]
        try:
            content = self._package.read(path) if marks and path else b""
        except OfdError:
            return False
        return any(mark in content for mark in marks)

    def _resource_ids(self, path: str) -> list[str]:
        from modules.common.ofd import xml

        file = path.rpartition("/")[2]
        found = []
        for candidate in self._package.paths:
            if not candidate.lower().rpartition("/")[2].startswith(("publicres", "documentres", "pageres")):
                continue
            try:
                root = xml.load(self._package, candidate)
            except OfdError:
                continue
            found += [each.getparent() for each in root.iter() if xml.text(each).endswith(file) and file]
        return [each.get("ID", "") for each in found if each is not None]


def uncovered(
    package: Package, covered: set[str], own: Sequence[str], signature_files: set[str], foreign_roots: Iterable[str]
) -> list[str]:
    """The files of the package that a signature leaves unprotected.

    Left out are its ``own`` files, which the signature itself holds, the files of other signatures, which verify by
    themselves, and other documents of the package (``foreign_roots``), which a signature of this one does not mean.
    """
    foreign = tuple(f"{root.partition('/')[0]}/" for root in foreign_roots if "/" in root)
    exempt = covered | set(own) | signature_files
    return [path for path in package.paths if path not in exempt and not path.startswith(foreign or ("\0",))]
