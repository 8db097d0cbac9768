"""What a reader passed over in a file: said for each document, never silently, never fatally."""

from __future__ import annotations

from typing import NamedTuple

from modules.common.errors import GovDeskError
from modules.common.text import tr

LIMIT = 2000
"""Notes that a report keeps; what comes after is only counted."""


class OfdError(GovDeskError):
    """The file, or the part asked for, cannot be read at all."""


class Note(NamedTuple):
    """One thing that was skipped or mended. ``code`` is stable, ``place`` a path in the package with an object's ID."""

    code: str
    place: str
    detail: str = ""

    def sentence(self) -> str:
        """The note for a person."""
        return meaning(self.code) + (f" [{self.detail}]" if self.detail else "")


class Report:
    """The notes of one document, each once, in the order they arose. Safe to add to from several threads."""

    def __init__(self) -> None:
        self._notes: dict[Note, None] = {}
        self.left_out = 0

    def add(self, code: str, place: str, detail: str = "") -> None:
        """Note something, unless it has been noted already."""
        note = Note(code, place, detail[:200])
        if note in self._notes:
            return
        if len(self._notes) >= LIMIT:
            self.left_out += 1
        else:
            self._notes[note] = None

    @property
    def notes(self) -> tuple[Note, ...]:
        """All notes."""
        return tuple(self._notes)

    def codes(self) -> set[str]:
        """The codes that occur."""
        return {note.code for note in self.notes}


def meaning(code: str) -> str:
    """What a note's code says, for a person."""
    meanings = {
        "zip.around": tr("文件前后有多余的数据"),
        "zip.directory": tr("压缩包目录已损坏，按内容找回"),
        "zip.duplicate": tr("同名文件出现多次，以最后一个为准"),
        "zip.name": tr("文件名不合规定"),
        "zip.header": tr("压缩包目录与内容记载不一致"),
        "zip.damaged": tr("压缩内容已损坏，只读出一部分"),
        "zip.method": tr("不认识的压缩或加密方式"),
        "zip.limit": tr("解压后过大，未读取"),
        "path.missing": tr("引用的文件不存在"),
        "path.mended": tr("路径写法不规范，已按相近名称找到"),
        "path.outside": tr("路径指向文件包之外"),
        "xml.damaged": tr("XML 已损坏，只读出一部分"),
        "xml.entities": tr("XML 含有不允许的文档类型声明"),
        "xml.number": tr("数值写法有误"),
        "document.body": tr("其中一份文档无法读取"),
        "document.part": tr("文档的一部分无法读取"),
        "page.missing": tr("页面内容不存在"),
        "page.damaged": tr("页面的一部分无法读取"),
        "page.huge": tr("页面尺寸过大，已缩限"),
        "page.limit": tr("页面内容过多，其余未显示"),
        "page.unknown": tr("不认识的内容，未显示"),
        "object.reference": tr("引用的资源不存在"),
        "object.recursive": tr("内容循环引用，未显示"),
        "object.unsupported": tr("暂不支持的内容，未显示"),
        "path.data": tr("图形数据有误，只画出一部分"),
        "text.empty": tr("文字位置缺失，未显示"),
        "font.whole": tr("内嵌字体无法取子集，已整个嵌入"),
        "font.damaged": tr("内嵌字体已损坏，已用相近字体代替"),
        "font.mended": tr("内嵌字体不完整，已修补"),
        "font.glyphs": tr("字体中没有的字，已用其他字体代替"),
        "image.damaged": tr("图像无法读取"),
        "image.huge": tr("图像过大，已缩小读取"),
        "image.format": tr("不认识的图像格式"),
        "write.blend": tr("OFD 没有这种混合方式，已按普通方式写入"),
        "write.clip": tr("以文字为边界的裁剪写不进 OFD，已略去"),
        "write.flat": tr("压扁成线的内容没有写入"),
        "pdf.font": tr("PDF 没有内嵌这种字体，显示时用相近字体"),
        "pdf.encoding": tr("PDF 字体的编码方式不支持，已用相近字体"),
        "pdf.signed": tr("PDF 的数字签名不能带过去，结果没有签名"),
        "pdf.mask": tr("PDF 的软蒙版没有带过去"),
        "pdf.shading": tr("PDF 的这种渐变没有带过去"),
        "pdf.pattern": tr("PDF 的底纹过密，没有带过去"),
        "ofd.sealed": tr("印章和签名不能带过去，结果没有签章"),
        "annotation.plain": tr("批注没有外观，未显示"),
    }
    return meanings.get(code, code)
