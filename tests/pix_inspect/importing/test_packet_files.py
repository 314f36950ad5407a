"""pcap and pcapng of others: every byte order, unit and kind of packet, whole and broken."""

from __future__ import annotations

from io import BytesIO
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix_inspect.importing.packet_files import Packet, PacketFile
from tests.support.tcp_packets import TIME, block, nanoseconds, pcap, pcapng

ORDERS = ("<", ">")
PACKETS = [
    Packet(TIME + 1, 1, b"abcde", 5),
    Packet(TIME + 2_000, 1, b"cut", 700),
    Packet(TIME + 3_001, 1, b"", 0),
]


def read(data: bytes) -> list[Packet]:
    return list(PacketFile(BytesIO(data)))


def in_microseconds(found: list[Packet]) -> list[Packet]:
    return [each._replace(time=each.time // 1000 * 1000) for each in found]


@pytest.mark.parametrize("order", ORDERS)
def test_each_format_in_each_byte_order_and_unit(order: str) -> None:
    assert read(pcap(PACKETS, 1, order)) == in_microseconds(PACKETS)
    assert read(pcap(PACKETS, 1, order, nano=True)) == PACKETS
    assert read(pcapng(PACKETS, 1, order)) == in_microseconds(PACKETS)
    assert read(pcapng(PACKETS, 1, order, options=nanoseconds(order))) == PACKETS


def test_sections_of_either_byte_order_one_behind_the_other() -> None:
    both = pcapng(PACKETS, 1, "<") + pcapng(PACKETS, 101, ">")
    assert [each.link for each in read(both)] == [1, 1, 1, 101, 101, 101]


@pytest.mark.parametrize("order", ORDERS)
def test_times_in_powers_of_two_with_a_zero_of_their_own(order: str) -> None:
    options = pack(order + "HHB3xHHqHH", 9, 1, 0x80 | 10, 14, 8, 1_700_000_000, 0, 0)
    (found,) = read(pcapng([Packet(512, 1, b"x", 1)], 1, order, options=options))
    assert found.time == TIME + 10**9 // 2


@pytest.mark.parametrize("order", ORDERS)
def test_packets_without_a_time_and_of_the_first_pcapng(order: str) -> None:
    file = pcapng(PACKETS[:1], 1, order) + block(order, 3, pack(order + "I", 3) + b"xyz")
    old = pack(order + "HHIIII", 0, 0, 0, 7, 2, 9) + b"ab"
    name = block(order, 4, b"\0\0\0\0")
    found = read(file + name + block(order, 2, old))
    assert [each.data for each in found] == [b"abcde", b"xyz", b"ab"]
    assert (found[1].time, found[2].time, found[2].length) == (found[0].time, 7_000, 9)


def test_a_frame_check_sequence_is_no_link_type() -> None:
    assert read(pcap(PACKETS, 0x2400_0001))[0].link == 1


@pytest.mark.parametrize("order", ORDERS)
def test_a_cut_file_is_read_up_to_there_and_says_where(order: str) -> None:
    for whole in (pcap(PACKETS, 1, order), pcapng(PACKETS, 1, order)):
        before = 0
        for cut in range(24, len(whole)):
            file = PacketFile(BytesIO(whole[:cut]))
            found = list(file)
            assert len(found) >= before
            assert file.damage is None or file.damage < cut
            before = len(found)
        file = PacketFile(BytesIO(whole))
        assert len(list(file)) == len(PACKETS)
        assert file.damage is None


def test_what_cannot_be_a_packet_ends_the_reading() -> None:
    head = pcap([])
    file = PacketFile(BytesIO(head + pack("<IIII", 1, 0, 1 << 30, 1 << 30)))
    assert (list(file), file.damage) == ([], len(head))
    head = pcapng([])
    for total in (0, 8, 13, 1 << 30):
        file = PacketFile(BytesIO(head + pack("<II", 6, total) + bytes(100)))
        assert (list(file), file.damage) == ([], len(head))


def test_a_file_is_read_as_often_as_wanted() -> None:
    file = PacketFile(BytesIO(pcap(PACKETS)))
    assert list(file) == list(file)
    assert file.began == next(iter(file)).time
    assert PacketFile(BytesIO(pcap([]))).began > TIME


@given(st.sampled_from([pcap([]), pcapng([]), pcap([], 1, ">")]), st.binary(max_size=120))
def test_any_bytes(head: bytes, rest: bytes) -> None:
    assert all(len(each.data) <= len(rest) for each in read(head + rest))
