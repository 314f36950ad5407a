"""Packets of every link layer and IP version become segments, or say why not."""

from __future__ import annotations

from ipaddress import ip_address
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix.conversation.exchange import CLIENT
from pix_inspect.importing.packet_files import Packet
from pix_inspect.importing.tcp_segments import End, Unread, segment
from tests.support.tcp_packets import TIME, Talk, framed, ip, packets, tcp

SIX = (End(ip_address("fe80::1").packed, 40000), End(ip_address("::1").packed, 9999))
LINKS = (0, 1, 12, 101, 108, 113, 276)


def packet(data: bytes, link: int = 101, length: int | None = None) -> Packet:
    return Packet(TIME, link, data, len(data) if length is None else length)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("ends", [Talk().ends, SIX])
def test_every_link_layer_and_both_versions(link: int, ends: tuple[End, End]) -> None:
    said = Talk(ends).say(CLIENT, b"hello")
    (found,) = map(segment, packets([said], link))
    assert found == said


def data_of(found: Packet) -> tuple[bytes, int]:
    """Return what a packet's segment says, and how many bytes passed."""
    read = segment(found)
    assert not isinstance(read, Unread)
    return read.data, read.length


def test_tags_of_virtual_networks() -> None:
    said = Talk().say(CLIENT, b"hello")
    frame = framed(ip(said), 1)
    tagged = frame[:12] + bytes.fromhex("88a80001 81000002") + frame[12:]
    assert data_of(packet(tagged, 1)) == (b"hello", 5)


def test_options_padding_and_the_snapshot_length() -> None:
    said = Talk().say(CLIENT, b"hello")
    whole = ip(said)
    assert segment(packet(whole + bytes(6))) == said._replace(time=TIME)
    assert data_of(packet(whole[:-2], length=len(whole))) == (b"hel", 5)
    assert segment(packet(whole[:30])) is Unread.CUT
    options = pack(">BBHHHBBH", 0x46, 0, 20 + 4 + 24 + 5, 0, 0, 64, 6, 0) + whole[12:20] + bytes(4)
    body = bytearray(tcp(said))
    body[12] = 0x60
    assert data_of(packet(options + bytes(body[:20]) + bytes(4) + b"hello")) == (b"hello", 5)


def test_a_network_card_cuts_later_what_is_of_no_length() -> None:
    for ends, at in ((Talk().ends, 2), (SIX, 4)):
        said = Talk(ends).say(CLIENT, bytes(70_000))
        whole = bytearray(ip(said._replace(data=b""))) + said.data
        whole[at : at + 2] = b"\0\0"
        assert data_of(packet(bytes(whole[:100]), length=len(whole)))[1] == 70_000


def test_headers_between_ip_and_tcp() -> None:
    said = Talk(SIX).say(CLIENT, b"hello")
    body = tcp(said)
    between = bytes([60, 0]) + bytes(6) + bytes([51, 1]) + bytes(14) + bytes([6, 1]) + bytes(10)
    addresses = said.source.address + said.target.address
    head = pack(">IHBB", 6 << 28, len(between) + len(body), 0, 64) + addresses
    assert data_of(packet(head + between + body)) == (b"hello", 5)
    head = pack(">IHBB", 6 << 28, 8 + len(body), 44, 64) + addresses
    assert segment(packet(head + bytes([6, 0]) + bytes(6) + body)) is Unread.FRAGMENT


def test_what_is_no_segment_says_why() -> None:
    whole = bytearray(ip(Talk().say(CLIENT, b"hello")))
    assert segment(packet(bytes(whole), 105)) is Unread.LINK
    assert segment(packet(bytes(12) + b"\x08\x06" + bytes(40), 1)) is Unread.OTHER
    whole[6:8] = b"\x20\x00"
    assert segment(packet(bytes(whole))) is Unread.FRAGMENT
    whole[9] = 17
    assert segment(packet(bytes(whole))) is Unread.OTHER
    assert segment(packet(b"")) is Unread.CUT


@given(st.sampled_from(LINKS), st.binary(max_size=100), st.integers(0, 200))
def test_any_bytes(link: int, data: bytes, length: int) -> None:
    found = segment(packet(data, link, length))
    assert isinstance(found, Unread) or 0 <= len(found.data) <= max(found.length, 0)
