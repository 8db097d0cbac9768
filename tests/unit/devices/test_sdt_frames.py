"""The SAM frame codec, held to frames that are published for real readers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.drivers import sdt_frames
from devices.drivers.sdt_frames import FIND, READ, SAM_STATUS, SELECT, Damaged, Frame, FrameParser

REQUESTS = {
    FIND: "AA AA AA 96 69 00 03 20 01 22",
    SELECT: "AA AA AA 96 69 00 03 20 02 21",
    READ: "AA AA AA 96 69 00 03 30 01 32",
    b"\x30\x10": "AA AA AA 96 69 00 03 30 10 23",
    SAM_STATUS: "AA AA AA 96 69 00 03 11 FF ED",
}
ANSWERS = {
    "AA AA AA 96 69 00 08 00 00 9F 00 00 00 00 97": (sdt_frames.FOUND, bytes(4)),
    "AA AA AA 96 69 00 04 00 00 80 84": (sdt_frames.NO_CARD, b""),
    "AA AA AA 96 69 00 0C 00 00 90 00 00 00 00 00 00 00 00 9C": (sdt_frames.OK, bytes(8)),
    "AA AA AA 96 69 00 04 00 00 81 85": (sdt_frames.NOT_SELECTED, b""),
    "AA AA AA 96 69 00 04 00 00 41 45": (sdt_frames.READ_FAILED, b""),
    "AA AA AA 96 69 00 04 00 00 90 94": (sdt_frames.OK, b""),
}
bodies = st.binary(min_size=3, max_size=40)


@pytest.mark.parametrize(("body", "literal"), REQUESTS.items())
def test_requests_are_the_published_bytes(body: bytes, literal: str) -> None:
    assert sdt_frames.frame(body) == bytes.fromhex(literal)
    assert FrameParser(shortest=2).feed(bytes.fromhex(literal)) == [Frame(body)]


@pytest.mark.parametrize(("literal", "meant"), ANSWERS.items())
def test_published_answers_are_understood(literal: str, meant: tuple[int, bytes]) -> None:
    (answer,) = FrameParser().feed(bytes.fromhex(literal))
    assert isinstance(answer, Frame)
    assert (answer.status, answer.data) == meant
    assert sdt_frames.response(*meant) == bytes.fromhex(literal)


def test_text_and_photo_fill_the_published_1295_bytes() -> None:
    text, photo = bytes(range(256)), bytes(1024)
    whole = sdt_frames.response(sdt_frames.OK, sdt_frames.card_data(text, photo))
    assert len(whole) == 1295
    assert whole[:14] == bytes.fromhex("AA AA AA 96 69 05 08 00 00 90 01 00 04 00")
    (answer,) = FrameParser().feed(whole)
    assert isinstance(answer, Frame)
    assert sdt_frames.split_card_data(answer.data) == (text, photo)


@pytest.mark.parametrize(
    "data", [b"", b"\x01\x00\x04", b"\x01\x00\x04\x00" + bytes(1279), b"\x01\x00\x04\x00" + bytes(1281)]
)
def test_card_data_of_another_length_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="announce"):
        sdt_frames.split_card_data(data)


@given(st.lists(st.binary(max_size=60)))
def test_arbitrary_bytes_never_break_the_parser(chunks: list[bytes]) -> None:
    parser = FrameParser()
    for chunk in chunks:
        parser.feed(chunk)
    assert Frame(b"\x00\x00\x80") in parser.feed(bytes(2400) + sdt_frames.response(0x80)) + parser.feed(bytes(2400))


@given(
    st.lists(bodies | st.binary(max_size=12).map(lambda junk: junk), max_size=4),
    st.lists(st.integers(0, 200)),
    st.data(),
)
def test_how_the_stream_is_cut_does_not_matter(parts: list[bytes], cuts: list[int], data: st.DataObject) -> None:
    stream = b"".join(sdt_frames.frame(part) if data.draw(st.booleans()) else part for part in parts)
    whole = FrameParser().feed(stream)
    parser, found, at = FrameParser(), [], 0
    for cut in [*sorted(cuts), len(stream)]:
        found += parser.feed(stream[at:cut])
        at = max(at, cut)
    assert found == whole


@given(bodies, st.data())
def test_one_changed_byte_never_passes_for_the_frame(body: bytes, data: st.DataObject) -> None:
    wire = bytearray(sdt_frames.frame(body))
    at = data.draw(st.integers(0, len(wire) - 1))
    wire[at] ^= data.draw(st.integers(1, 255))
    assert Frame(body) not in FrameParser().feed(bytes(wire))


def test_an_answer_too_short_for_its_status_is_none() -> None:
    assert FrameParser().feed(sdt_frames.frame(b"\x00\x80") + sdt_frames.frame(b"") + sdt_frames.response(0x80)) == [
        Frame(b"\x00\x00\x80")
    ]


def test_a_frame_behind_noise_and_a_damaged_one_is_found() -> None:
    bad = bytearray(sdt_frames.response(0x9F, bytes(4)))
    bad[-1] ^= 1
    stream = b"\x00\xaa\xaa" + bytes(bad) + b"\xaa" + sdt_frames.response(0x80)
    assert FrameParser().feed(stream) == [Damaged(), Frame(b"\x00\x00\x80")]


def test_every_published_status_has_words_of_its_own() -> None:
    known = [0x90, 0x9F, 0x10, 0x11, 0x21, 0x24, 0x31, 0x33, 0x40, 0x41, 0x47, 0x60, 0x66, 0x80, 0x81, 0x91]
    assert len({sdt_frames.meaning(status) for status in known}) == len(known)
    assert "7B" in sdt_frames.meaning(0x7B)
