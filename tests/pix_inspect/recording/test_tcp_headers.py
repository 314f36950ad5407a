"""Headers that Wireshark believes: checksums, lengths, ports."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pix_inspect.recording.tcp_headers import (
    ACK,
    CLIENT_PORTS,
    LARGEST_SEGMENT,
    PORT,
    PSH,
    SYN,
    Way,
)


def ones_complement_sum(data: bytes) -> int:
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@given(st.integers(0, 1), st.integers(0, LARGEST_SEGMENT), st.integers(0, 1 << 40))
def test_headers_say_what_they_carry(side: int, length: int, seq: int) -> None:
    head = Way(side, 50_000).headers(ACK | PSH, seq, seq + 5, length)
    assert len(head) == 40
    assert ones_complement_sum(head[:20]) == 0xFFFF
    assert int.from_bytes(head[2:4], "big") == 40 + length
    assert int.from_bytes(head[24:28], "big") == seq % (1 << 32)
    assert int.from_bytes(head[28:32], "big") == (seq + 5) % (1 << 32)
    pseudo = head[12:20] + bytes((0, 6)) + (20 + length).to_bytes(2, "big")
    assert int.from_bytes(head[36:38], "big") == ones_complement_sum(pseudo)


def test_the_client_speaks_from_its_port_to_the_one_port() -> None:
    there, back = Way(0, 50_000).headers(ACK, 0, 0, 0), Way(1, 50_000).headers(ACK, 0, 0, 0)
    assert (there[12:16], there[16:20]) == (bytes([127, 0, 0, 1]), bytes([127, 0, 0, 2]))
    assert there[20:24] == (50_000).to_bytes(2, "big") + PORT.to_bytes(2, "big")
    assert back[12:20] == there[16:20] + there[12:16]
    assert back[20:24] == there[22:24] + there[20:22]


def test_a_syn_scales_the_window_and_permits_sack() -> None:
    syn = Way(0, 50_000).syn(SYN, 7, 0)
    assert len(syn) == 52 == 20 + (syn[32] >> 4) * 4 == int.from_bytes(syn[2:4], "big")
    assert syn[33] == SYN
    assert syn.endswith(bytes((4, 2)))


def test_client_ports_are_those_that_no_dissector_has() -> None:
    assert len(set(CLIENT_PORTS)) == 16_383
    assert 57_000 not in CLIENT_PORTS
    assert PORT not in CLIENT_PORTS
    assert min(CLIENT_PORTS) == 49_152
