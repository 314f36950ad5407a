from __future__ import annotations

from pix.codec.declare import wire_of
from pix.codec.gates import Protocol
from pix.codec.records import Record
from pix.codec.values import encode
from pix.protocol.handshake import CLIENT_MAGIC, DAEMON_MAGIC, NOT_ALLOWED, ClientHello, DaemonHello


def names(record: Record, minor: int) -> list[str]:
    return [field.name for field in record.layout(Protocol(minor))]


def test_magics_are_text() -> None:
    assert CLIENT_MAGIC.to_bytes(8, "little") == b"cxin\0\0\0\0"
    assert DAEMON_MAGIC.to_bytes(8, "little") == b"oixd\0\0\0\0"
    assert NOT_ALLOWED == 0xAB9A9FF0


def test_processor_is_a_flag_and_a_number() -> None:
    without = encode(wire_of(ClientHello), ClientHello(version=0x115), Protocol(21))
    with_it = encode(wire_of(ClientHello), ClientHello(version=0x115, cpu=3), Protocol(21))
    assert without[16:] == bytes(16)
    assert with_it[16:] == b"\1" + bytes(7) + b"\3" + bytes(15)


def test_hellos_follow_the_version() -> None:
    client, daemon = wire_of(ClientHello), wire_of(DaemonHello)
    assert isinstance(client, Record)
    assert isinstance(daemon, Record)
    assert names(client, 10) == ["magic", "version"]
    assert names(client, 11) == ["magic", "version", "reserve_space"]
    assert names(client, 14) == ["magic", "version", "cpu", "reserve_space"]
    assert names(client, 38)[2] == "features"
    assert names(daemon, 32) == ["magic", "version"]
    assert names(daemon, 33)[-1] == "daemon_nix_version"
    assert names(daemon, 35)[-1] == "trusted"
    assert names(daemon, 38)[2] == "features"
