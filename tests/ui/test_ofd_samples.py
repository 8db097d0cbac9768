"""Real files of many makers: all open, all pages are drawn, and text, lines and pictures lie where another put them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image  # noqa: TID253 - tests of pictures

from modules.common.ofd.document import Document
from tests.support import ofd_samples
from tests.support.samples import sample

pytestmark = pytest.mark.usefixtures("qapp")
DPI = 75.0
FAR = 0.24
"""Share of ink elsewhere at which a page must be explained: other fonts alone make up to 0.19."""
EXPLAINED = {
    "pattern类型": "the reference paints patterns black",
    "helloworld__ofd": "the reference leaves shadings blank, which cover the text here",
    "allprotected": "the seal, which is laid over the page by the reader, is nearly all of the ink",
    "SESV4SignDoc": "the seal, which is laid over the page by the reader, is nearly all of the ink",
    "hello_watermark": "the reference paints the watermark opaque, which says Alpha=102",
}
PASSED_OVER = {"object.reference", "path.missing", "path.mended", "font.glyphs", "xml.damaged", "font.mended"}
"""What these files really lack, and what was mended."""


def test_all_samples_are_drawn_like_the_reference_or_the_difference_is_explained() -> None:
    sample("ofd-reference")
    far = {}
    count = 0
    for path, page, picture in ofd_samples.pages():
        if page > 1:
            continue
        ours, size = ofd_samples.drawn(path, page, DPI)
        with Image.open(picture) as other:
            found = ofd_samples.apart(ours, other, size)
        count += 1
        if found > FAR:
            far[path.stem] = round(found, 2)
    assert count >= 60
    assert set(far) == set(EXPLAINED), far


@pytest.mark.parametrize("path", ofd_samples.samples(), ids=lambda path: path.stem)
def test_every_page_of_a_sample_is_read_and_drawn(path: Path) -> None:
    from client.widgets.page.cache import PaintCache
    from client.widgets.page.painter import paint

    document, cache = Document.open(path), PaintCache()
    assert document.pages
    for page in range(len(document.pages)):
        assert not paint(document.display(page), 72, cache=cache).isNull()
        document.text(page)
    assert document.report.codes() <= PASSED_OVER


def test_words_of_real_files_are_found_where_they_stand() -> None:
    document = Document.open(sample("ofd", "y.ofd"))
    hits = list(document.find("数字档案室"))
    assert {hit.page for hit in hits} == {0, 1, 2}
    box = document.page_box(0)
    assert all(box.holds(each.x, each.y) for hit in hits for each in hit.boxes)
    invoice = Document.open(sample("ofd", "1.ofd"))
    assert "机器编号：927000236092" in invoice.text(0).text
    outline = Document.open(sample("ofd", "z.ofd")).extras.outline
    assert [entry.destination.page for entry in outline[0].children or outline if entry.destination][:1] == [0]
