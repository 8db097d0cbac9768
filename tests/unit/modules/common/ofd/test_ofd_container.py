"""The zip of an OFD: what is found in the wild is read, what is meant to harm is not."""

from __future__ import annotations

import struct
import warnings
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.common.ofd import container
from modules.common.ofd.container import Package, resolve
from modules.common.ofd.document import Document
from modules.common.ofd.report import OfdError
from tests.support import ofd_maker


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    ("before", "after"), [(b"", b""), (b"MZ\0junk" * 9, b""), (b"", b"x" * 70_000), (b"<html>", b"PK")]
)
def test_reads_entries_as_they_were_stored(method: int, before: bytes, after: bytes) -> None:
    files = ofd_maker.files()
    package = Package(before + ofd_maker.pack(files, method) + after)
    assert {path: package.read(path) for path in package.paths} == files
    assert (package.prefix, package.suffix) == (len(before), len(after))
    assert ("zip.around" in package.report.codes()) == bool(before or after)


def test_finds_entries_again_when_the_directory_is_lost() -> None:
    files = ofd_maker.files()
    whole = ofd_maker.pack(files)
    package = Package(whole[: whole.index(b"PK\x01\x02")])
    assert {path: package.read(path) for path in package.paths} == files
    assert "zip.directory" in package.report.codes()


def test_says_when_there_is_no_zip() -> None:
    for data in (b"", b"%PDF-1.7", b"PK\x05\x06" + bytes(18)):
        with pytest.raises(OfdError) as fault:
            Package(data)
        assert fault.value.code == "OFD-001"


def test_the_last_of_duplicates_counts_and_is_noted() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = Package(ofd_maker.pack([("OFD.xml", b"first"), ("OFD.xml", b"last")]))
    assert package.read("OFD.xml") == b"last"
    assert package.duplicates == ["OFD.xml"]
    assert package.report.codes() == {"zip.duplicate"}


@pytest.mark.parametrize(
    ("stored", "base", "loc"),
    [
        ("Doc_0/Pages/P.xml", "Doc_0/Document.xml", "Pages/P.xml"),
        ("Doc_0/Pages/P.xml", "Doc_0/Document.xml", "/Doc_0/Pages/P.xml"),
        ("Doc_0/Pages/P.xml", "Doc_0/Document.xml", "./Pages/../Pages/P.xml"),
        ("Doc_0/Pages/P.xml", "Doc_0/Document.xml", "Pages\\P.xml"),
        ("Doc_0\\Pages\\P.xml", "Doc_0/Document.xml", "Pages/P.xml"),
        ("Doc_0/TPLS/Tpl_0.xml", "Doc_0/Document.xml", "Tpls/tpl_0.XML"),
        ("Doc_0/a b/图 1.png", "Doc_0/Document.xml", "a%20b/%E5%9B%BE%201.png"),
        ("Doc_0/a%20b/1.png", "Doc_0/Document.xml", "a b/1.png"),
        ("Doc_0/Pages/P.xml", "Doc_0/Document.xml", "Doc_0/Pages/P.xml"),
    ],
)
def test_finds_what_a_loc_means(stored: str, base: str, loc: str) -> None:
    package = Package(ofd_maker.pack({stored: b"here"}))
    path = package.find(base, loc)
    assert path is not None
    assert package.read(path) == b"here"


def test_names_in_gbk_are_read() -> None:
    data = ofd_maker.pack({"Doc_0/abcd.txt": b"1"}).replace(b"abcd.txt", "正文".encode("gbk") + b".txt")
    assert Package(data).paths == ("Doc_0/正文.txt",)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "C:\\x.dll", "a/../../b", "..\\x"])
def test_names_that_lead_out_stay_inside_and_are_noted(name: str) -> None:
    package = Package(ofd_maker.pack({name: b"x"}))
    assert "zip.name" in package.report.codes()
    assert all(".." not in path.split("/") and not path.startswith("/") for path in package.paths)


def test_a_loc_above_the_root_is_noted() -> None:
    package = Package(ofd_maker.pack({"OFD.xml": b"x"}))
    assert package.find("Doc_0/Document.xml", "../../../etc/passwd") is None
    assert "path.outside" in package.report.codes()


def test_a_bomb_is_refused_before_it_fills_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "ENTRY_LIMIT", 1 << 20)
    package = Package(ofd_maker.pack({"OFD.xml": bytes(3 << 20), "small": b"kept"}))
    with pytest.raises(OfdError) as fault:
        package.read("OFD.xml")
    assert fault.value.code == "OFD-005"
    assert package.read("small") == b"kept"


def test_many_middling_entries_are_a_bomb_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "TOTAL_LIMIT", 1 << 20)
    package = Package(ofd_maker.pack({str(n): bytes(300_000) for n in range(4)}))
    for n in (0, 1, 2, 2):  # what is read again does not count again
        assert len(package.read(str(n))) == 300_000
    with pytest.raises(OfdError):
        package.read("3")


def test_a_lying_size_does_not_matter() -> None:
    data = bytearray(ofd_maker.pack({"a": b"abc" * 100}))
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 0xFFFFFF00)
    assert Package(bytes(data)).read("a") == b"abc" * 100


def test_damaged_content_is_given_as_far_as_it_goes() -> None:
    content = bytes(range(256)) * 400
    data = bytearray(ofd_maker.pack({"a": content, "b": b"whole"}))
    start = data.index(b"a", 26) + 1
    end = data.index(b"PK\x03\x04", 4)
    data[end - 40 : end - 30] = b"\xff" * 10
    assert start < end
    package = Package(bytes(data))
    got = package.read("a")
    assert content.startswith(got[:256])
    assert "zip.damaged" in package.report.codes()
    assert package.read("b") == b"whole"


@pytest.mark.parametrize(
    "xml", ['<!DOCTYPE x [<!ENTITY a "b">]><OFD>&a;</OFD>', "<!DOCTYPE a SYSTEM 'http://x/y'><OFD/>", "not xml", ""]
)
def test_entity_tricks_and_rubbish_are_refused_in_words(xml: str) -> None:
    with pytest.raises(OfdError) as fault:
        Document.open(ofd_maker.pack({"OFD.xml": xml.encode()}))
    assert fault.value.code == "OFD-007"


def test_a_package_without_a_document_is_refused() -> None:
    with pytest.raises(OfdError) as fault:
        Document.open(ofd_maker.pack({"OFD.xml": ofd_maker.ofd_xml("Doc_0/None.xml").encode()}))
    assert fault.value.code == "OFD-008"


def test_an_encrypted_file_is_called_that() -> None:
    files = ofd_maker.files() | {"Doc_0/Document.xml": b"\x80\x01sealed", "Encryptions.xml": b"<Encryptions/>"}
    with pytest.raises(OfdError) as fault:
        Document.open(ofd_maker.pack(files))
    assert fault.value.code == "OFD-013"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (' xmlns:ofd="http://www.ofdspec.org/2016"', ""),  # a prefix that nobody declared
        ("http://www.ofdspec.org/2016", "http://www.ofdspec.org"),
        ("<ofd:", "<"),
        ('<?xml version="1.0" encoding="UTF-8"?>', ' \n<?xml version="1.0" encoding="UTF-8"?>'),
    ],
)
def test_reads_files_without_namespaces_or_with_others(wrong: str, right: str) -> None:
    files = ofd_maker.files([ofd_maker.text_object("字", 9, 9)], resources=ofd_maker.FONT)
    for name, content in files.items():
        text = content.decode().replace(wrong, right)
        files[name] = (text.replace("</ofd:", "</") if wrong == "<ofd:" else text).encode()
    assert Document.open(ofd_maker.pack(files)).text(0).text == "字"


def test_opens_each_of_several_documents_and_any_version() -> None:
    files = ofd_maker.files(["", ""])
    other = {
        path.replace("Doc_0", "Doc_1"): content for path, content in ofd_maker.files([""]).items() if "Doc_0" in path
    }
    versions = (
        '<ofd:Versions><ofd:Version ID="1" Index="1" Current="false" BaseLoc="V/1.xml"/>'
        '<ofd:Version ID="2" Index="2" Current="true" BaseLoc="V/2.xml"/></ofd:Versions>'
    )
    described = {
        f"V/{n}.xml": f"<DocVersion><DocRoot>/{root}</DocRoot></DocVersion>".encode()
        for n, root in ((1, "Doc_1/Document.xml"), (2, "Doc_0/Document.xml"))
    }
    top = {"OFD.xml": ofd_maker.ofd_xml("Doc_0/Document.xml", "Doc_1/Document.xml", more=versions).encode()}
    data = ofd_maker.pack(files | other | described | top)
    assert [len(Document.open(data, version=version).pages) for version in (None, "1", "2")] == [2, 1, 2]
    assert len(Document.open(data, body=1).bodies) == 2
    assert Document.open(data).body.info["Title"] == "样例"


def test_reads_page_sizes_without_the_pages() -> None:
    own = "<ofd:Area><ofd:PhysicalBox>0 0 100 50</ofd:PhysicalBox></ofd:Area>"
    document = Document.open(ofd_maker.make([ofd_maker.page_xml("", own), "", ofd_maker.page_xml("x" * 9999)]))
    assert [document.page_box(n)[2:] for n in range(3)] == [(100, 50), (210, 297), (210, 297)]


def test_a_huge_page_is_cut_and_noted() -> None:
    document = Document.open(ofd_maker.make(size="0 0 1e8 297"))
    assert document.page_box(0).width == 20_000
    assert "page.huge" in document.report.codes()


@given(st.lists(st.sampled_from(["a", "b", "..", ".", "", "c d"]), max_size=8), st.booleans())
def test_a_path_never_leaves_the_root(parts: list[str], absolute: bool) -> None:
    path = resolve("x/y.xml", "/" * absolute + "/".join(parts))
    assert ".." not in path.split("/")


@given(st.binary(max_size=300), st.integers(0, 1 << 30))
def test_any_bytes_are_a_package_or_an_error_in_words(noise: bytes, seed: int) -> None:
    data = bytearray(ofd_maker.pack({"OFD.xml": b"<OFD/>", "b": b"2" * 50}))
    at = seed % len(data)
    data[at : at + len(noise)] = noise
    try:
        package = Package(bytes(data))
        for path in package.paths:
            package.read(path)
    except OfdError:
        pass
