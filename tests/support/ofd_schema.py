"""Holds a package against the order, attributes and IDs that the schemas of GB/T 33190-2016 ask for."""

from __future__ import annotations

import io
import posixpath
import zipfile
from typing import Any

NAMESPACE = "{http://www.ofdspec.org/2016}"
_UNIT = ["Actions", "Clips"]
_BLOCK = {"TextObject", "PathObject", "ImageObject", "CompositeObject", "PageBlock"}
ORDER: dict[str, list[str]] = {
    "OFD": ["DocBody"],
    "DocBody": ["DocInfo", "DocRoot", "Versions", "Signatures"],
    "DocInfo": ["DocID", "Title", "Author", "Subject", "Abstract", "CreationDate", "ModDate", "DocUsage", "Cover",
                "Keywords", "Creator", "CreatorVersion", "CustomDatas"],
    "Document": ["CommonData", "Pages", "Outlines", "Permissions", "Actions", "VPreferences", "Bookmarks",
                 "Annotations", "CustomTags", "Attachments", "Extensions"],
    "CommonData": ["MaxUnitID", "PageArea", "PublicRes", "DocumentRes", "TemplatePage", "DefaultCS"],
    "PageArea": ["PhysicalBox", "ApplicationBox", "ContentBox", "BleedBox"],
    "Pages": ["Page"],
    "Page": ["Template", "PageRes", "Area", "Content", "Actions"],
    "Area": ["PhysicalBox", "Path", "Text"],
    "TextObject": [*_UNIT, "FillColor", "StrokeColor", "CGTransform", "TextCode"],
    "PathObject": [*_UNIT, "StrokeColor", "FillColor", "AbbreviatedData"],
    "Path": [*_UNIT, "StrokeColor", "FillColor", "AbbreviatedData"],
    "ImageObject": [*_UNIT, "Border"],
    "CompositeObject": _UNIT,
    "CompositeGraphicUnit": ["Thumbnail", "Substitution", "Content"],
    "OutlineElem": ["Actions", "OutlineElem"],
    "GouraudShd": ["Point", "BackColor"],
    "Annot": ["Remark", "Parameters", "Appearance"],
    "Attachment": ["FileLoc"],
    "Font": ["FontFile"],
    "MultiMedia": ["MediaFile"],
}  # fmt: skip
NEEDED = {
    "OFD": ("Version", "DocType"), "TextObject": ("ID", "Boundary", "Font", "Size"), "PathObject": ("ID", "Boundary"),
    "ImageObject": ("ID", "Boundary", "ResourceID"), "CompositeObject": ("ID", "Boundary", "ResourceID"),
    "Layer": ("ID",), "Font": ("ID", "FontName"), "MultiMedia": ("ID", "Type"), "Res": ("BaseLoc",),
    "TemplatePage": ("ID", "BaseLoc"), "Template": ("TemplateID",), "Path": ("Boundary",),
    "CompositeGraphicUnit": ("ID", "Width", "Height"), "Attachment": ("ID", "Name"),
    "CGTransform": ("CodePosition", "CodeCount", "GlyphCount"), "OutlineElem": ("Title",),
    "Annot": ("ID", "Type", "Creator", "LastModDate"), "Appearance": ("Boundary",), "Action": ("Event",),
}  # fmt: skip
_LOCS = ("BaseLoc", "FileLoc", "DocRoot", "PublicRes", "DocumentRes", "Annotations", "Attachments", "FontFile",
         "MediaFile")  # fmt: skip


def faults(data: bytes) -> list[str]:
    """What in a package is not as the schemas want it; empty for a good one."""
    from lxml import etree

    found: list[str] = []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        if len(set(names)) != len(names):
            found.append("duplicate entries")
        roots = {name: etree.fromstring(archive.read(name)) for name in names if name.endswith(".xml")}
    roots = {name: root for name, root in roots.items() if "Attachs/file" not in name}
    ids: list[int] = []
    most = 0
    for name, root in roots.items():
        folder = posixpath.dirname(name)
        base = root.get("BaseLoc")
        for element in root.iter():
            found += [f"{name}: {fault}" for fault in _element(element)]
            tag = etree.QName(element).localname
            if "ID" in element.attrib and not (tag == "Page" and name.endswith("Content.xml")):
                ids.append(int(element.get("ID", "0")))
            if tag == "MaxUnitID":
                most = int(element.text)
            loc = element.get("BaseLoc") if tag in ("Page", "TemplatePage") else element.text if tag in _LOCS else None
            if loc:
                inner = f"{folder}/{base}" if base and tag in ("FontFile", "MediaFile") else folder
                if loc.strip() and posixpath.normpath(posixpath.join("/" + inner, loc))[1:] not in names:
                    found.append(f"{name}: {tag} leads nowhere: {loc}")
    if len(set(ids)) != len(ids):
        found.append("IDs are not unique")
    if ids and max(ids) > most:
        found.append(f"MaxUnitID {most} < {max(ids)}")
    return found


def _element(element: Any) -> list[str]:
    from lxml import etree

    tag = etree.QName(element).localname
    found = []
    if not element.tag.startswith(NAMESPACE):
        found.append(f"{tag} has another namespace")
    found += [f"{tag} lacks {name}" for name in NEEDED.get(tag, ()) if name not in element.attrib]
    if tag in ORDER:
        above = element.getparent()
        listed = tag == "Page" and above is not None and etree.QName(above).localname == "Annotations"
        order = ["FileLoc"] if listed else ORDER[tag]
        inner = [etree.QName(each).localname for each in element]
        strangers = [each for each in inner if each not in order]
        if strangers:
            found.append(f"{tag} holds {strangers}")
        elif [order.index(each) for each in inner] != sorted(order.index(each) for each in inner):
            found.append(f"{tag} is out of order: {inner}")
    if tag in ("Layer", "CellContent", "Appearance", "PageBlock"):
        found += [f"{tag} holds {each.tag}" for each in element if etree.QName(each).localname not in _BLOCK]
    return found
