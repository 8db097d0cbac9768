"""A whole document as a package: its files, their IDs, and the zip."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping

from modules.common.ofd.display import Group, Item
from modules.common.ofd.document import LARGEST
from modules.common.ofd.report import OfdError, Report
from modules.common.ofd.writing.marks import array, number, quoted, text, whole
from modules.common.ofd.writing.objects import Objects
from modules.common.ofd.writing.shelf import Shelving
from modules.common.ofd.writing.volume import Heading, Info, Leaf, Volume
from modules.common.text import tr

_MOMENT = (2026, 1, 1, 0, 0, 0)
"""What every file in the zip has as its time, so that the same volume gives the same bytes."""


def write(volume: Volume, report: Report | None = None) -> bytes:
    """The package of one document. What the format can't say goes to ``report``.

    Raises ``OfdError`` OFD-020 when there is no page, or one that is larger than 20 m or has no area.
    """
    for leaf in volume.leaves:
        if not (0 < leaf.box.width <= LARGEST and 0 < leaf.box.height <= LARGEST):
            raise OfdError("OFD-020", tr("没有页面，或页面尺寸不合规定，没有写成文件。"), fix=tr("请检查原文件。"))
    if not volume.leaves:
        raise OfdError("OFD-020", tr("没有页面，或页面尺寸不合规定，没有写成文件。"), fix=tr("请检查原文件。"))
    return pack(_Writing(volume, report or Report()).files())


def pack(files: Mapping[str, bytes]) -> bytes:
    """Files as a zip, in order; what does not get smaller is stored."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _MOMENT)
            ready = name.endswith((".jpg", ".png", ".jb2"))
            archive.writestr(entry, content, zipfile.ZIP_STORED if ready else zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


class _Writing(Shelving):
    def __init__(self, volume: Volume, report: Report) -> None:
        super().__init__(report, "Doc_0/Res/")
        self._volume = volume

    def files(self) -> dict[str, bytes]:
        volume = self._volume
        for items in (*volume.templates, *(leaf.items for leaf in volume.leaves)):
            self.collect(items)
        self.embed()
        page_ids = [self.next_id() for _ in volume.leaves]
        template_ids = [self.next_id() for _ in volume.templates]
        for index, items in enumerate(volume.templates):
            path = f"Doc_0/Tpls/Tpl_{index}/Content.xml"
            self.new_files[path] = whole("Page", self._content(items, path))
        for index, leaf in enumerate(volume.leaves):
            path = f"Doc_0/Pages/Page_{index}/Content.xml"
            self.new_files[path] = whole("Page", self._page(leaf, path, template_ids))
        if self.fonts:
            self.new_files["Doc_0/PublicRes.xml"] = whole(
                "Res", f"<ofd:Fonts>{''.join(self.fonts)}</ofd:Fonts>", 'BaseLoc="Res"'
            )
        media = f"<ofd:MultiMedias>{''.join(self.images)}</ofd:MultiMedias>" if self.images else ""
        units = "".join(self.composites)
        units = f"<ofd:CompositeGraphicUnits>{units}</ofd:CompositeGraphicUnits>" if units else ""
        if media or units:
            self.new_files["Doc_0/DocumentRes.xml"] = whole("Res", media + units, 'BaseLoc="Res"')
        attachments = self._attachments()
        self.new_files["Doc_0/Document.xml"] = self._document(page_ids, template_ids, attachments)
        top = {"OFD.xml": self._top()}
        first = ("Doc_0/Document.xml", "Doc_0/PublicRes.xml", "Doc_0/DocumentRes.xml")
        top.update((name, self.new_files.pop(name)) for name in first if name in self.new_files)
        return top | self.new_files

    # -- the files ---------------------------------------------------------------------------------

    def _content(self, items: Iterable[Item], path: str) -> str:
        objects = Objects(self, path).of(items)
        return f'<ofd:Content><ofd:Layer ID="{self.next_id()}">{objects}</ofd:Layer></ofd:Content>'

    def _page(self, leaf: Leaf, path: str, template_ids: list[int]) -> str:
        # the page's box begins at its own corner, so that nobody has to move anything
        box = leaf.box
        items: tuple[Item, ...] = leaf.items
        if box.x or box.y:
            items = (Group(items, (1.0, 0.0, 0.0, 1.0, -box.x, -box.y)),)
        templates = "".join(
            f'<ofd:Template TemplateID="{template_ids[each]}" ZOrder="{order}"/>'
            for order, chosen in (("Background", leaf.below), ("Foreground", leaf.above))
            for each in chosen
        )
        area = f"<ofd:Area><ofd:PhysicalBox>{array((0, 0, box.width, box.height))}</ofd:PhysicalBox></ofd:Area>"
        return templates + area + self._content(items, path)

    def _document(self, page_ids: list[int], template_ids: list[int], attachments: str) -> bytes:
        volume = self._volume
        outline = "".join(self._heading(each, page_ids) for each in volume.outline)
        first = volume.leaves[0].box
        box = array((0, 0, first.width, first.height))
        common = f"<ofd:PageArea><ofd:PhysicalBox>{box}</ofd:PhysicalBox></ofd:PageArea>"
        for name in ("PublicRes", "DocumentRes"):
            if f"Doc_0/{name}.xml" in self.new_files:
                common += f"<ofd:{name}>{name}.xml</ofd:{name}>"
        common += "".join(
            f'<ofd:TemplatePage ID="{id}" BaseLoc="Tpls/Tpl_{index}/Content.xml"/>'
            for index, id in enumerate(template_ids)
        )
        pages = "".join(
            f'<ofd:Page ID="{id}" BaseLoc="Pages/Page_{index}/Content.xml"/>' for index, id in enumerate(page_ids)
        )
        return whole(
            "Document",
            f"<ofd:CommonData><ofd:MaxUnitID>{self.last}</ofd:MaxUnitID>{common}</ofd:CommonData>"
            f"<ofd:Pages>{pages}</ofd:Pages>"
            + (f"<ofd:Outlines>{outline}</ofd:Outlines>" if outline else "")
            + attachments,
        )

    def _heading(self, heading: Heading, page_ids: list[int]) -> str:
        actions = ""
        if 0 <= heading.page < len(page_ids):
            place = f'PageID="{page_ids[heading.page]}" Left="0" Top="{number(heading.top)}" Zoom="0"'
            actions = (
                f'<ofd:Actions><ofd:Action Event="CLICK"><ofd:Goto><ofd:Dest Type="XYZ" {place}/>'
                "</ofd:Goto></ofd:Action></ofd:Actions>"
            )
        inner = "".join(self._heading(each, page_ids) for each in heading.children)
        count = f' Count="{len(heading.children)}"' if heading.children else ""
        return f'<ofd:OutlineElem Title="{quoted(heading.title)}"{count}>{actions}{inner}</ofd:OutlineElem>'

    def _attachments(self) -> str:
        marks = []
        for index, (name, data) in enumerate(self._volume.attachments):
            mark, file = attachment_mark(self.next_id(), index, name, len(data))
            marks.append(mark)
            self.new_files[f"Doc_0/Attachs/{file}"] = data
        if not marks:
            return ""
        self.new_files["Doc_0/Attachs/Attachments.xml"] = whole("Attachments", "".join(marks))
        return "<ofd:Attachments>Attachs/Attachments.xml</ofd:Attachments>"

    def _top(self) -> bytes:
        info = self._volume.info
        id = info.id
        if not id:
            digest = hashlib.sha256()
            for name, content in self.new_files.items():
                digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
            id = digest.hexdigest()[:32]
        return whole(
            "OFD",
            f"<ofd:DocBody>{_doc_info(info, id)}<ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot></ofd:DocBody>",
            'Version="1.0" DocType="OFD"',
        )


def attachment_mark(id: int, index: int, name: str, size: int) -> tuple[str, str]:
    """An attachment's element and the name of its file."""
    suffix = name.rpartition(".")[2].lower() if "." in name else ""
    suffix = suffix if suffix.isascii() and suffix.isalnum() and len(suffix) <= 8 else "dat"
    file = f"file_{index}.{suffix}"
    mark = (
        f'<ofd:Attachment ID="{id}" Name="{quoted(name)}" Format="{suffix}" Size="{number(size / 1024, 3)}" '
        f'Visible="true"><ofd:FileLoc>{file}</ofd:FileLoc></ofd:Attachment>'
    )
    return mark, file


def _doc_info(info: Info, id: str) -> str:
    said = [("DocID", id), ("Title", info.title), ("Author", info.author), ("Subject", info.subject)]
    said.append(("Abstract", info.abstract))
    if info.created is not None:
        said.append(("CreationDate", info.created.isoformat()))
    if info.changed is not None:
        said.append(("ModDate", info.changed.isoformat()))
    out = "".join(f"<ofd:{tag}>{text(words)}</ofd:{tag}>" for tag, words in said if words)
    if info.keywords:
        words = "".join(f"<ofd:Keyword>{text(word)}</ofd:Keyword>" for word in info.keywords)
        out += f"<ofd:Keywords>{words}</ofd:Keywords>"
    made = (("Creator", info.creator), ("CreatorVersion", info.version))
    out += "".join(f"<ofd:{tag}>{text(words)}</ofd:{tag}>" for tag, words in made if words)
    if info.custom:
        data = "".join(
            f'<ofd:CustomData Name="{quoted(name)}">{text(words)}</ofd:CustomData>'
            for name, words in info.custom.items()
        )
        out += f"<ofd:CustomDatas>{data}</ofd:CustomDatas>"
    return f"<ofd:DocInfo>{out}</ofd:DocInfo>"
