"""Blocks: their exact bytes, and that nothing in them makes their reader go astray."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix_inspect.recording import pcapng

OPTIONS = st.lists(st.tuples(st.integers(1, 0xFFFF), st.binary(max_size=50)), max_size=5)


def body(block: bytes) -> tuple[int, bytes]:
    kind, total = pcapng.BLOCK.unpack_from(block)
    assert len(block) == total
    assert total % 4 == 0
    assert block[-4:] == block[4:8]
    return kind, block[8:-4]


def test_a_section_header_byte_by_byte() -> None:
    block = pcapng.section_header([(pcapng.SHB_USERAPPL, b"pix")])
    assert block.hex(" ", 4) == (
        "0a0d0d0a 28000000 4d3c2b1a 01000000 ffffffff ffffffff 04000300 70697800 00000000 28000000"
    )


def test_an_interface_has_nanoseconds() -> None:
    block = pcapng.interface_description(pcapng.LINKTYPE_RAW, [(pcapng.IF_NAME, b"conn-12")])
    assert block.hex(" ", 4) == (
        "01000000 2c000000 65000000 00000000 02000700 636f6e6e 2d313200 09000100 09000000 "
        "00000000 2c000000"
    )


def test_a_packet_byte_by_byte() -> None:
    block = pcapng.packet(3, (5 << 32) + 7, b"abcde", 99, pcapng.OUTBOUND, [b"{}"])
    assert block.hex(" ", 4) == (
        "06000000 3c000000 03000000 05000000 07000000 05000000 63000000 61626364 65000000 "
        "02000400 02000000 01000200 7b7d0000 00000000 3c000000"
    )


@given(st.binary(max_size=9), st.sampled_from([pcapng.INBOUND, pcapng.OUTBOUND]))
def test_the_short_way_to_write_a_packet_gives_the_same_bytes(data: bytes, flags: int) -> None:
    block = pcapng.packet(1, 2, data, 50, flags)
    head, tail = pcapng.packet_frame(1, len(data), 50, flags)
    assert head[pcapng.TIME_AT + 8 :] + data + tail == block[pcapng.TIME_AT + 8 :]
    assert head[: pcapng.TIME_AT] == block[: pcapng.TIME_AT]
    assert len(block) == pcapng.PACKET_BODY + len(data) + (-len(data) & 3) + pcapng.PLAIN_TAIL


@given(OPTIONS)
def test_options_come_back(options: list[tuple[int, bytes]]) -> None:
    kind, content = body(pcapng.section_header(options))
    assert kind == pcapng.SECTION_HEADER
    assert list(pcapng.read_options(content, 16, len(content))) == options


@given(st.binary(max_size=200), st.integers(0, 100), st.integers(0, 200))
def test_any_bytes_can_be_read_as_options(data: bytes, start: int, end: int) -> None:
    end = min(end, len(data))
    found = list(pcapng.read_options(data, start, end))
    assert sum(4 + len(value) for _, value in found) <= max(0, end - start)
    assert all(isinstance(each, dict) for each in pcapng.read_comments(data, start, end))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"a comment by a person",
        b"[1]",
        b"{",
        b'{"a":1',
        b'{"\xff":1}',
        b"{" * 5000,
        b'{"a":' + b"[" * 50_000,
        b'{"a":' + b"1" * 5000 + b"}",
    ],
)
def test_a_comment_that_is_no_json_object_is_not_ours(text: bytes) -> None:
    block = pcapng.packet(0, 0, b"", 0, 0, [text, b'{"ours":1}'])
    assert list(pcapng.read_comments(block, 28, len(block) - 4)) == [{"ours": 1}]


def test_a_comment_is_ascii() -> None:
    text = pcapng.comment({"command": "é\x1b[31m\udcff\n"})
    assert text.isascii()
    assert b"\x1b" not in text
    assert json.loads(text) == {"command": "é\x1b[31m\udcff\n"}


@pytest.mark.parametrize("value", [{"a": "x" * 70_000}, {"a": b"bytes"}, {1: object()}])
def test_a_comment_that_cannot_be_written_says_so(value: object) -> None:
    assert list(json.loads(pcapng.comment(value))) == ["omitted"]
    assert pcapng.json_text(value) is None
