"""One open document: tools above, panels at the left, the pages, and what verifying its seals found."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPointF, Qt, QTimer, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QSplitter, QVBoxLayout, QWidget

from client.kernel.contract import Host, Token
from client.widgets.basics import Banner, ConfirmDialog
from client.widgets.page.source import Link, Note, Source
from client.widgets.page.veil import Veil
from client.widgets.page.view import PageView, Position
from client.widgets.pages import PageWork
from client.widgets.theme import theme
from modules.common.errors import GovDeskError
from modules.common.seals.report import SignatureReport, Verdict, worst
from modules.common.text import tr
from modules.fixed_layout.domain import Mark
from modules.fixed_layout.services import Memory, ReaderService
from modules.fixed_layout.ui.finding import Finder
from modules.fixed_layout.ui.marks import Marks
from modules.fixed_layout.ui.panels import (
    STATES,
)
from modules.fixed_layout.ui.side import Side
from modules.fixed_layout.ui.tools import Tools

if TYPE_CHECKING:
    from modules.fixed_layout.ui.sealing import SealingPanel

SAVE_AFTER_MS = 1_500
_NOTES = 500


class DocumentPane(QWidget):
    """A tab of the reader. ``compare_wanted`` carries itself, ``open_wanted`` a file that was made of it."""

    compare_wanted = Signal(object)
    open_wanted = Signal(object)

    def __init__(self, host: Host, service: ReaderService, source: Source, path: Path, memory: Memory,
                 password: str = "") -> None:  # fmt: skip
        super().__init__()
        self._password = password
        self.host = host
        self.source = source
        self.path = path
        self.memory = memory
        self.service = self._service = service
        self._work = PageWork(host)
        self._reports: list[SignatureReport] = []
        self._sealing: SealingPanel | None = None
        self.view = PageView(host)
        self.tools = Tools(self)
        self.marks = Marks(self.view, lambda: (service.person, service.today()))
        self.marks.load(memory.marks)
        self.finder = Finder(host, self)
        self.veil = Veil(host, service.watermark, self.view)
        self.view.overlays[:0] = [self.veil.paint, self.finder.paint]
        self.verdict = Banner()
        self.note = Banner()
        self.side = Side(host, source, memory)
        self.split = QSplitter()
        self.split.addWidget(self.side)
        self.split.addWidget(self.view)
        self.split.setStretchFactor(0, 0)
        self.split.setStretchFactor(1, 1)
        self.split.setCollapsible(1, False)
        self.split.setSizes([theme().text_width(17), theme().text_width(60)])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().space(2))
        column.addWidget(self.tools)
        column.addWidget(self.verdict)
        column.addWidget(self.note)
        column.addWidget(self.split, 1)
        self.setFocusProxy(self.view)
        self._saving = QTimer(self)
        self._saving.setSingleShot(True)
        self._saving.setInterval(SAVE_AFTER_MS)
        self._saving.timeout.connect(self.save)
        self._connect()
        self.view.open(source, _position(memory.position))
        self.side.thumbnails.open(source)
        self._read_all()

    def _connect(self) -> None:
        view = self.view
        view.page_changed.connect(self._page_changed)
        view.look_changed.connect(self._saving.start)
        view.link_followed.connect(self._follow)
        view.text_came.connect(self._text_came)
        view.measured.connect(self.tools.say)
        view.selection_changed.connect(self.tools.refresh)
        view.look_changed.connect(self.tools.refresh)
        self.side.thumbnails.chosen.connect(view.go_to)
        self.side.outline.chosen.connect(view.go_to)
        self.side.seals.chosen.connect(view.go_to)
        self.side.bookmarks.chosen.connect(lambda entry: view.go_to(int(entry["page"]), float(entry["top"])))
        self.side.bookmarks.acted.connect(self._bookmark_acted)
        self.side.notes.chosen.connect(self._go_to_note)
        self.side.notes.acted.connect(self._note_acted)
        self.side.attachments.acted.connect(self._attachment_acted)
        self.side.hits.chosen.connect(self._go_to_hit)
        self.finder.found.connect(self._found)
        self.finder.moved.connect(self._finding)
        self.finder.ended.connect(self._find_ended)
        self.marks.changed.connect(self._marked)
        self.verdict.acted.connect(partial(self.side.bring, self.side.seals))
        keys: list[tuple[str, Callable[[], object]]] = [
            ("Ctrl+F", self.tools.go_to_search),
            ("F3", partial(self.find_step, 1)),
            ("Shift+F3", partial(self.find_step, -1)),
            ("Ctrl+G", self.tools.ask_page),
            ("Ctrl+C", self.copy),
            ("Ctrl+B", self.add_bookmark),
            ("Ctrl+H", self.highlight),
            ("Ctrl+P", self.print_),
            ("Ctrl+Z", self.marks.undo),
            ("Ctrl+Y", self.marks.redo),
        ]
        for sequence, call in keys:
            shortcut = QShortcut(QKeySequence(sequence), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(call)

    # -- what belongs to the document --------------------------------------------------------------

    def _read_all(self) -> None:
        source = self.source
        self.side.show_bookmarks()
        self._run(lambda token: (source.outline(), source.bookmarks()), lambda found: self.side.show_outline(*found))
        self._run(lambda token: source.attachments(), self.side.show_attachments)
        self._run(lambda token: list(source.facts()), self.side.know_facts)
        self._run(lambda token: list(source.signatures()), self._verified)
        self._run(partial(_read_notes, source), lambda found: self.side.show_found_notes(found, self.marks.all))

    def _run(self, work: Callable[[Token], Any], done: Callable[[Any], None]) -> None:
        self._work.run("read", work, done=done, failed=self.trouble, name=tr("版式文件"))

    def trouble(self, error: BaseException) -> None:
        """Say what went wrong, in its place."""
        if not isinstance(error, GovDeskError):
            raise error
        self.note.say(error.words(), "red", code=error.code)

    def _verified(self, reports: list[SignatureReport]) -> None:
        self._reports = reports
        self.side.seals.show_reports(reports, protection())
        if not reports:
            return
        self.veil.open(self.source)
        self.view.viewport().update()
        verdict = worst([report.verdict for report in reports])
        count = len(reports)
        words = {
            Verdict.VALID: tr("{n} 个签章都有效，文件盖章后没有改动。", n=count),
            Verdict.WARNING: tr("{n} 个签章没有发现改动，但有保留，请看原因。", n=count),
            Verdict.UNVERIFIABLE: tr("有签章无法验证，不能当作有效。"),
            Verdict.INVALID: tr("有签章无效：文件盖章后被改动，或不该盖这个章。"),
        }[verdict]
        self.verdict.say(words, STATES[verdict], action=tr("为什么"))

    def toggle_side(self) -> None:
        """Show or hide the panels."""
        self.side.setVisible(self.side.isHidden())

    # -- moving about ------------------------------------------------------------------------------

    @Slot(int)
    def _page_changed(self, page: int) -> None:
        self.side.thumbnails.show_page(page)
        self.tools.refresh()
        self._saving.start()
        self._text_came(page)

    @Slot(int)
    def _text_came(self, page: int) -> None:
        text = self.view.read(page) if page == self.view.page else None
        if text is not None:
            self.side.page_text.show_text(text.text)

    @Slot(object)
    def _follow(self, link: Link) -> None:
        if link.page >= 0:
            self.view.go_to(link.page, link.top)
            return
        url = QUrl(link.address)
        if url.scheme().lower() not in ("http", "https", "mailto"):
            self.note.say(tr("这个链接指向“{address}”，没有打开：只打开网页和邮件链接。", address=link.address), "due")
            return
        ask = ConfirmDialog(
            tr("打开链接"), tr("将在浏览器中打开：{address}", address=link.address), keep=tr("不打开"), parent=self
        )
        ask.accepted.connect(lambda: QDesktopServices.openUrl(url))
        ask.open()

    # -- finding and copying -----------------------------------------------------------------------

    def find_words(self, words: str) -> None:
        """Find words in the whole document; what is found is listed as it comes."""
        self.side.hits.show_entries(())
        if words.strip():
            self.side.bring(self.side.hits)
        self.finder.find(self.source, words)
        self.view.viewport().update()

    def find_step(self, by: int) -> None:
        """Go to the next or the previous place."""
        hit = self.finder.step(by)
        if hit is not None:
            self.side.hits.choose(self.finder.current)
            self.view.reveal(hit.page, hit.boxes[0])
            self._say_found()

    def _found(self, hits: list[Any]) -> None:
        first = self.side.hits.list.count() == 0
        for hit in hits:
            self.side.hits.add_entry(
                tr("第 {n} 页  {words}", n=hit.page + 1, words=hit.context), self.side.hits.list.count()
            )
        if first and hits:
            here = next((at for at, hit in enumerate(self.finder.hits) if hit.page >= self.view.page), 0)
            self.finder.current = here - 1
            self.find_step(1)
        self.view.viewport().update()

    def _finding(self, page: int, pages: int) -> None:
        self._say_found(tr("已查 {page}/{pages} 页", page=page, pages=pages) if page < pages else "")

    def _find_ended(self) -> None:
        self._say_found()

    def _say_found(self, more: str = "") -> None:
        count = len(self.finder.hits)
        said = tr("第 {n} 处，共 {all} 处", n=self.finder.current + 1, all=count) if count else ""
        if not count and not self.finder.busy and self.tools.wanted():
            said = tr("没有找到")
        self.tools.say("  ".join(filter(None, (said, more))))

    def _go_to_hit(self, number: int) -> None:
        self.finder.current = number - 1
        self.find_step(1)

    def copy(self) -> None:
        """Copy the selected text; numbers of people as the computer's policy says (the clipboard is guarded)."""
        if not self.view.selection:
            return
        if not self.source.may("copy"):
            self.note.say(tr("这份文件的作者不允许复制。"), "due")
            return
        source, selection = self.source, self.view.selection
        pages = list(selection.pages)

        def work(token: Token) -> str:
            parts = []
            for page in pages:
                token.check()
                text = source.text(page).text
                parts.append(text[slice(*selection.span(page, len(text)))])
            return "\n".join(parts)

        self._work.run("page", work, done=self._copied, failed=self.trouble, name=tr("复制"))

    def _copied(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self.tools.say(tr("已复制 {n} 个字", n=len(text)))

    # -- bookmarks, notes, attachments -------------------------------------------------------------

    @Slot()
    def add_bookmark(self) -> None:
        """Mark the place that is read."""
        position = self.view.position
        text = self.view.read(position.page)
        first = next((line.text.strip() for line in text.lines if line.text.strip()), "") if text else ""
        name = first[:20] or tr("第 {n} 页", n=position.page + 1)
        self.memory.bookmarks.append({"page": position.page, "top": round(position.top, 1), "name": name})
        self.side.show_bookmarks()
        self.side.bring(self.side.bookmarks)
        self.save()

    def _bookmark_acted(self, action: str, entry: Any) -> None:
        if action == tr("加书签"):
            self.add_bookmark()
        elif entry in self.memory.bookmarks:
            self.memory.bookmarks.remove(entry)
            self.side.show_bookmarks()
            self.save()

    def _go_to_note(self, entry: Note | Mark) -> None:
        if isinstance(entry, Note):
            self.view.go_to(entry.page, max(entry.box.y - 20, 0.0) if entry.box else 0.0)
        else:
            top = entry.top
            self.view.go_to(entry.page, max(top - 20, 0.0))

    def _note_acted(self, action: str, entry: Any) -> None:
        if isinstance(entry, Mark):
            self.marks.remove(entry)

    def _marked(self) -> None:
        self.memory.marks = self.marks.docs()
        self.side.show_notes(self.marks.all)
        self._saving.start()

    @Slot()
    def highlight(self) -> None:
        """Mark the selected text, on each page that it stands on."""
        for page in self.view.selection.pages:
            text = self.view.read(page)
            if text is not None:
                first, last = self.view.selection.span(page, len(text.text))
                self.marks.add_highlight(page, text.between(first, last), text.text[first:last])
        self.view.clear_selection()

    def put_opinion(self, text: str) -> None:
        """Put an opinion with name and day at the upper part of what is seen."""
        spot = self.view.spot(QPointF(self.view.viewport().width() / 3, self.view.viewport().height() / 3))
        if spot is not None:
            self.marks.add_opinion(spot.page, spot.x, spot.y, text)

    def _attachment_acted(self, action: str, number: Any) -> None:
        if number is None:
            return
        name = safe_name(self.side.attached[number].name)
        target, _ = QFileDialog.getSaveFileName(self, tr("附件另存为"), str(self.path.parent / name))
        if target:
            self.save_attachment(int(number), Path(target))

    def save_attachment(self, number: int, target: Path) -> None:
        """Write an attachment to a place that somebody chose."""
        source = self.source

        def work(token: Token) -> None:
            data = source.attachment(number)
            try:
                target.write_bytes(data)
            except OSError as error:
                raise GovDeskError(
                    "VIEW-030", tr("附件没有存成。"), fix=tr("请检查磁盘空间和权限，或换一个位置。")
                ) from error

        self._work.run(
            "read",
            work,
            done=lambda nothing: self.tools.say(tr("附件已存为 {path}", path=target.name)),
            failed=self.trouble,
            name=tr("附件"),
        )

    # -- sealing -----------------------------------------------------------------------------------

    @Slot()
    def toggle_sealing(self) -> None:
        """Show or hide the panel that puts a seal on."""
        from modules.fixed_layout.ui.sealing import SealingPanel

        if self._sealing is None:
            self._sealing = SealingPanel(self.host, self.view, self.source, self.path)
            self._sealing.made.connect(self.open_wanted)
            self._sealing.left.connect(self.toggle_sealing)
            self._sealing.hide()
            self.split.addWidget(self._sealing)
        if self._sealing.isHidden():
            self._sealing.begin()
        else:
            self._sealing.stop()
            self.view.setFocus()
        self.tools.seal.setChecked(not self._sealing.isHidden())

    # -- printing and leaving ----------------------------------------------------------------------

    @Slot()
    def print_(self) -> None:
        """Ask what to print."""
        from modules.fixed_layout.ui.printing import PrintPane

        page = self.view.page
        pane = PrintPane(self.host, self._service, self.source, self.path.name, page, self._paint_marks, self.window())
        pane.open()

    def reopen(self) -> Source:
        """The same document once more, for who needs it longer than this pane; on a worker."""
        from client.widgets.page.opening import known_roots, open_data

        return open_data(self.source.data, self._password, known_roots())

    def _paint_marks(self, painter: Any, page: int) -> None:
        from modules.fixed_layout.ui.marks import paint_mark

        for mark in list(self.marks.all):
            if mark.page == page:
                paint_mark(painter, mark)

    @Slot()
    def save(self) -> None:
        """Remember how it is read, on lane ``data``."""
        self._saving.stop()
        position = self.view.position
        self.memory.position = {
            "page": position.page,
            "top": round(position.top, 1),
            "zoom": round(position.zoom, 4),
            "fit": position.fit,
            "mode": str(position.mode),
            "rotation": position.rotation,
        }
        memory = Memory.of(self.memory.digest, self.memory.to_doc())
        # not the page's work: it is written even when the page is left at once
        self.host.run("data", lambda token: self._service.keep(memory), name=tr("版式文件"))

    def leave(self) -> None:
        """Remember, stop what runs, let the file go. Called once."""
        self.save()
        self.finder.stop()
        if self._sealing is not None:
            self._sealing.leave()
        self._work.close()
        self.veil.open(None)
        self.view.open(None)
        self.side.thumbnails.open(None)
        source = self.source
        self.host.run("read", lambda token: source.close(), name=tr("版式文件"))


def protection() -> str:
    """What blurring seals on the screen protects from, and what not; said in the window."""
    return tr(
        "屏幕上的印章经过随机模糊并加了水印，防的是截屏、拍照后抠图仿制；它不改动文件。"
        "文件本身仍含真实印章，拿到文件的人用别的软件能看到真样。要防这一点，只能加密或不把文件发出去。"
    )


def safe_name(name: str) -> str:
    """A file name out of what a document claims: no folders, nothing hidden, nothing that systems refuse."""
    base = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join("_" if character in '<>:"|?*' or character < " " else character for character in base)
    kept = kept.strip(" .")[:120]
    stem = kept.partition(".")[0].upper()
    reserved = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))}
    return f"_{kept}" if stem in reserved else kept or "attachment"


def digest_of(data: bytes) -> str:
    """By what a file is known again."""
    return hashlib.sha256(data).hexdigest()


def _position(kept: dict[str, Any]) -> Position:
    try:
        return Position(
            int(kept["page"]), float(kept["top"]), float(kept["zoom"]), str(kept["fit"]), str(kept["mode"]),
            int(kept["rotation"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        return Position()


def _read_notes(source: Source, token: Token) -> list[Note]:
    """The document's annotations, as far as they can be listed."""
    found: list[Note] = []
    for page in range(source.pages):
        token.check()
        found += source.annotations(page)
        if len(found) >= _NOTES:
            break
    return found
