"""Annotations, outline, bookmarks, attachments, tags, permissions, links."""

from __future__ import annotations

import pytest

from modules.common.ofd.box import Box
from modules.common.ofd.display import GlyphRun, Group
from modules.common.ofd.document import Document
from modules.common.ofd.extras import Permissions
from modules.common.ofd.report import OfdError
from tests.support import ofd_maker
from tests.support.ofd_maker import FONT, NAMESPACE, text_object

GOTO = '<ofd:Goto><ofd:Dest Type="XYZ" PageID="2" Left="10" Top="20" Zoom="1"/></ofd:Goto>'


def action(inside: str, event: str = "CLICK") -> str:
    return f'<ofd:Actions><ofd:Action Event="{event}">{inside}</ofd:Action></ofd:Actions>'


def document(more: str = "", extra: dict[str, bytes] | None = None, page: str = "") -> Document:
    return Document.open(ofd_maker.make([page, ""], resources=FONT, more=more, extra=extra))


def annotated(annotation: str) -> Document:
    listed = f'<Annotations {NAMESPACE}><Page PageID="1"><FileLoc>P.xml</FileLoc></Page></Annotations>'
    extra = {
        "Doc_0/A/Annots.xml": listed.encode(),
        "Doc_0/A/P.xml": f"<ofd:PageAnnot {NAMESPACE}>{annotation}</ofd:PageAnnot>".encode(),
    }
    return document("<ofd:Annotations>A/Annots.xml</ofd:Annotations>", extra)


def test_annotations_are_shown_where_their_boundary_lies_and_can_be_left_out() -> None:
    appearance = f'<ofd:Appearance Boundary="50 60 40 9">{text_object("批注", 1, 2)}</ofd:Appearance>'
    made = annotated(
        f'<Annot ID="90" Type="Highlight" Creator="张三" LastModDate="2026-01-02" Print="false"><Remark>看</Remark>'
        f'<ofd:Parameters><ofd:Parameter Name="a">b</ofd:Parameter></ofd:Parameters>{appearance}</Annot>'
        f'<ofd:Annot ID="91" Type="Stamp" Visible="false">{appearance}</ofd:Annot>'
        '<ofd:Annot ID="92" Type="Path"><ofd:Appearance Boundary="0 0 1 1"/></ofd:Annot>'
    )
    (group,) = made.display(0).items
    assert isinstance(group, Group)
    assert group.matrix == (1, 0, 0, 1, 50, 60)
    assert isinstance(group.items[0], GlyphRun)
    assert made.display(0, annotations=False).items == ()
    first, second, third = made.annotations.of_page(0)
    assert (first.creator, first.remark, first.parameters, first.printed) == ("张三", "看", (("a", "b"),), False)
    assert first.box == Box(50, 60, 40, 9)
    assert (second.visible, third.items) == (False, ())
    assert made.report.codes() == {"annotation.plain"}
    assert made.text(0).text == "批注"


def test_links_of_annotations_and_objects() -> None:
    made = annotated(f'<ofd:Annot ID="90" Type="Link">{action(GOTO)}<ofd:Appearance Boundary="1 2 3 4"/></ofd:Annot>')
    (link,) = made.extras.links(0)
    assert link.box == Box(1, 2, 3, 4)
    assert link.actions[0].destination is not None
    assert (link.actions[0].destination.page, link.actions[0].destination.top) == (1, 20)
    words = text_object("网站", 5, 6, more="").replace(
        "</ofd:TextObject>", action('<ofd:URI URI="https://a.b"/>') + "</ofd:TextObject>"
    )
    (second,) = document(page=words).extras.links(0)
    assert (second.box.x, second.actions[0].kind, second.actions[0].target) == (5, "URI", "https://a.b")


def test_outline_bookmarks_and_actions() -> None:
    inner = f'<ofd:OutlineElem Title="一之一">{action(GOTO)}</ofd:OutlineElem>'
    lost = action(GOTO.replace('PageID="2"', 'PageID="77"'))
    made = document(
        f'<ofd:Outlines><ofd:OutlineElem Title="一" Expanded="false">{inner}</ofd:OutlineElem>'
        f'<ofd:OutlineElem Title="二">{lost}</ofd:OutlineElem></ofd:Outlines>'
        f'<ofd:Bookmarks><ofd:Bookmark Name="签">{GOTO[10:-11]}</ofd:Bookmark></ofd:Bookmarks>'
        + action('<ofd:Goto><ofd:Bookmark Name="签"/></ofd:Goto>', "DO")
    )
    one, two = made.extras.outline
    assert (one.title, one.expanded, one.children[0].title) == ("一", False, "一之一")
    assert one.children[0].destination is not None
    assert one.children[0].destination.page == 1
    assert two.destination is None
    assert made.extras.bookmarks["签"].left == 10
    assert [(each.event, each.kind, each.target) for each in made.extras.actions] == [("DO", "Goto", "签")]
    assert "object.reference" in made.report.codes()


def test_attachments_and_their_bytes() -> None:
    listed = (
        f'<Attachments {NAMESPACE}><Attachment ID="1" Name="发票" Format="xml" Size="1.5"><FileLoc>f.xml</FileLoc>'
        '</Attachment><Attachment ID="2" Name="缺"><FileLoc>none</FileLoc></Attachment></Attachments>'
    )
    extra = {"Doc_0/At/A.xml": listed.encode(), "Doc_0/At/f.xml": b"<a/>"}
    made = document("<ofd:Attachments>At/A.xml</ofd:Attachments>", extra)
    assert [(each.name, each.size, each.path) for each in made.extras.attachments] == [
        ("发票", 1.5, "Doc_0/At/f.xml"),
        ("缺", 0, ""),
    ]
    assert made.extras.attachment("1") == b"<a/>"
    with pytest.raises(OfdError):
        made.extras.attachment("2")


def test_custom_tags() -> None:
    tags = f'<CustomTags {NAMESPACE}><CustomTag TypeID="x"><FileLoc>T.xml</FileLoc></CustomTag></CustomTags>'
    tree = f'<公文 {NAMESPACE}><标题 级="1"><ofd:ObjectRef PageRef="1">10</ofd:ObjectRef></标题></公文>'
    made = document(
        "<ofd:CustomTags>Tags/C.xml</ofd:CustomTags>",
        {"Doc_0/Tags/C.xml": tags.encode(), "Doc_0/Tags/T.xml": tree.encode()},
    )
    (root,) = made.extras.tags
    assert root.name == "公文"
    assert (root.children[0].name, root.children[0].attributes, root.children[0].objects) == (
        "标题",
        (("级", "1"),),
        (("1", "10"),),
    )


def test_permissions_are_all_given_unless_taken() -> None:
    assert document().extras.permissions == Permissions()
    made = document(
        '<ofd:Permissions><ofd:Edit>false</ofd:Edit><ofd:Print Printable="true" Copies="2"/>'
        '<ofd:ValidPeriod StartDate="2026-01-01" EndDate="2026-02-01"/></ofd:Permissions>'
    ).extras.permissions
    assert (made.edit, made.annotate, made.print, made.copies) == (False, True, True, 2)
    assert (made.valid_from, made.valid_until) == ("2026-01-01", "2026-02-01")


def test_an_outline_deeper_than_any_is_cut() -> None:
    deep = "<ofd:OutlineElem Title='x'>" * 100 + "</ofd:OutlineElem>" * 100
    made = document(f"<ofd:Outlines>{deep}</ofd:Outlines>")
    depth, entries = 0, made.extras.outline
    while entries:
        depth, entries = depth + 1, entries[0].children
    assert 10 < depth < 100
