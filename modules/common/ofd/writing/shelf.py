"""What objects refer to: fonts as subsets, images, composites; their IDs, marks and files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from modules.common.ofd.display import LOOK_UP, GlyphRun, Group, Item, Pattern, Shape
from modules.common.ofd.fonts import Font
from modules.common.ofd.report import OfdError, Report
from modules.common.ofd.resources import Media
from modules.common.ofd.writing.fonts import Embedded, FontUse, use_of
from modules.common.ofd.writing.marks import number, quoted

_SIGNS = ((b"\x89PNG", "PNG"), (b"\xff\xd8", "JPEG"), (b"GIF8", "GIF"), (b"BM", "BMP"), (b"II*\0", "TIFF"),
          (b"MM\0*", "TIFF"), (b"\x97JB2", "GBIG2"))  # fmt: skip
_SUFFIX = {"PNG": "png", "JPEG": "jpg", "GIF": "gif", "BMP": "bmp", "TIFF": "tif", "GBIG2": "jb2"}
_DEPTH = 40


class Shelving:
    """Gives IDs after ``last``; ``fonts``, ``images``, ``composites`` are elements, ``new_files`` lie in ``folder``."""

    def __init__(self, report: Report, folder: str, last: int = 0) -> None:
        self.report = report
        self.last = last
        self.new_files: dict[str, bytes] = {}
        self.fonts: list[str] = []
        self.images: list[str] = []
        self.composites: list[str] = []
        self._folder = folder
        self._uses: dict[Font, FontUse] = {}
        self._embedded: dict[Font, Embedded | None] = {}
        self._fonts: dict[tuple[str, ...], int] = {}
        self._font_ids: dict[Font, int] = {}
        self._media: dict[Media, int] = {}
        self._images: dict[bytes, int] = {}

    def next_id(self) -> int:
        """An ID that nothing has."""
        self.last += 1
        return self.last

    def collect(self, items: Iterable[Item], depth: int = 0) -> None:
        """Note which glyphs items show; ``embed`` once that is known of everything."""
        for item in items:
            if isinstance(item, GlyphRun):
                use = use_of(item, self._uses)
                for character, glyph in zip(item.text, item.glyphs or (LOOK_UP,) * len(item.text), strict=True):
                    if glyph >= LOOK_UP:
                        use.glyph(character, glyph)
            elif isinstance(item, Group) and depth < _DEPTH:
                self.collect(item.items, depth + 1)
            elif isinstance(item, Shape) and depth < _DEPTH:
                for paint in (item.fill, None if item.stroke is None else item.stroke.paint):
                    if isinstance(paint, Pattern):
                        self.collect(paint.items, depth + 1)

    def embed(self) -> None:
        """Make the subsets of all fonts."""
        self._embedded = {font: use.embed(self.report) for font, use in self._uses.items()}

    def glyph(self, run: GlyphRun, character: str, glyph: int) -> int:
        embedded = self._embedded.get(run.font)
        if embedded is None:
            return LOOK_UP
        return embedded.numbers.get(use_of(run, self._uses).glyph(character, glyph), LOOK_UP)

    def font(self, font: Font) -> int:
        found = self._font_ids.get(font)
        if found is None:
            found = self._font_ids[font] = self._add_font(font)
        return found

    def _add_font(self, font: Font) -> int:
        embedded = self._embedded.get(font)
        name = font.name or "宋体"
        looks = (("Italic", font.italic), ("Bold", font.bold), ("Serif", font.serif), ("FixedWidth", font.fixed))
        said = f'FontName="{quoted(name)}" FamilyName="{quoted(font.family or name)}"'
        said += "".join(f' {key}="true"' for key, value in looks if value)
        digest = "" if embedded is None else hashlib.sha256(embedded.data).hexdigest()
        if (said, digest) not in self._fonts:
            id = self._fonts[said, digest] = self.next_id()
            file = ""
            if embedded is not None:
                name = f"font_{id}.{embedded.suffix}"
                self.new_files[self._folder + name] = embedded.data
                file = f"<ofd:FontFile>{name}</ofd:FontFile>"
            self.fonts.append(f'<ofd:Font ID="{id}" {said}>{file}</ofd:Font>')
        return self._fonts[said, digest]

    def image(self, media: Media) -> int:
        found = self._media.get(media)
        if found is not None:
            return found
        try:
            data = media.data()
        except OfdError as error:
            self.report.add("image.damaged", media.path, error.code)
            data = b""
        digest = hashlib.sha256(data).digest()
        if digest not in self._images:
            id = self._images[digest] = self.next_id()
            form = next((form for sign, form in _SIGNS if data.startswith(sign)), media.format.upper() or "PNG")
            name = f"image_{id}.{_SUFFIX.get(form, 'dat')}"
            self.new_files[self._folder + name] = data
            self.images.append(
                f'<ofd:MultiMedia ID="{id}" Type="Image" Format="{quoted(form)}">'
                f"<ofd:MediaFile>{name}</ofd:MediaFile></ofd:MultiMedia>"
            )
        self._media[media] = self._images[digest]
        return self._images[digest]

    def composite(self, width: float, height: float, content: str) -> int:
        id = self.next_id()
        self.composites.append(
            f'<ofd:CompositeGraphicUnit ID="{id}" Width="{number(width)}" Height="{number(height)}">'
            f"<ofd:Content>{content}</ofd:Content></ofd:CompositeGraphicUnit>"
        )
        return id
