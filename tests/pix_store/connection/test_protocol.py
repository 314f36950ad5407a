"""What is said by the rules and against them: greetings, errors, hostile bytes."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pix.codec.declare import wire_of
from pix.codec.gates import Protocol
from pix.codec.payload import RAW_NAR
from pix.codec.values import encode
from pix.codec.wire import Reader, pack_u64
from pix.daemon import DaemonConnection, NixDaemonError
from pix.protocol import operations as op
from pix.protocol.logging import StderrError
from pix.protocol.types import FEATURES, TrustedFlag
from pix_store.daemon import NIX_VERSION
from tests.support.carrying import (
    BARE,
    CONTENTS,
    NO_METHOD,
    PROTOCOLS,
    SIZES,
    Carrying,
    carriage_of,
    carrying,
)
from tests.support.playbook import said
from tests.support.relaying import received
from tests.support.serving import ABSENT, TREE, WAIT, client, serving, talking, watched

MAGIC = pack_u64(0x6E697863)
LAST = pack_u64(0x616C7473)
ERROR = pack_u64(0x63787470)
ALL = [f"1.{minor}" for minor in range(18, 39)]


@contextmanager
def raw(greet: bool = True, **options: object) -> Iterator[socket.socket]:
    """A socket to a daemon, greeted as 1.38 does or not at all."""
    with serving(**options) as daemon, daemon.socketpair() as sock:
        sock.settimeout(WAIT)
        if greet:
            connection = DaemonConnection("/nowhere", timeout=WAIT).over(sock)
            sock = connection.detach()
            sock.settimeout(WAIT)
        yield sock


def end(sock: socket.socket) -> bytes:
    """Half-close, and return everything that the daemon says."""
    sock.shutdown(socket.SHUT_WR)
    return received(sock)


def errors(data: bytes, protocol: Protocol) -> list[str]:
    """The messages of the error frames that `data` is."""
    found = []
    reader = Reader(data, protocol)
    while reader.pos < len(data):
        assert pack_u64(reader.u64()) == ERROR
        found.append(wire_of(StderrError).read(reader).message)
    return found


@pytest.mark.parametrize("daemon_version", ["1.18", "1.21", "1.25", "1.33", "1.35", "1.37", "1.38"])
@pytest.mark.parametrize("version", ["1.18", "1.21", "1.26", "1.34", "1.36", "1.38"])
def test_every_version_meets_every_other(daemon_version: str, version: str) -> None:
    with serving(version=daemon_version) as daemon, client(daemon, version=version) as c:
        agreed = min(int(daemon_version[2:]), int(version[2:]))
        assert c.protocol == Protocol(agreed)
        assert c.daemon_nix_version == (NIX_VERSION if agreed >= 33 else None)
        assert c.trusted == (TrustedFlag.TRUSTED if agreed >= 35 else TrustedFlag.UNKNOWN)
        assert c.query_all_valid_paths() == set()


def test_features_are_what_both_have() -> None:
    mine = sorted(FEATURES)[:4]
    with serving(features=mine) as daemon:
        with client(daemon, features=[*mine[1:], "unheard-of"]) as c:
            assert c.protocol.features == set(mine[1:])
        with client(daemon) as c:
            assert c.protocol.features == set()


def test_an_untrusted_client_is_told() -> None:
    with talking(trusted=False) as c:
        assert c.trusted == TrustedFlag.NOT_TRUSTED


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 0),
        (pack_u64(0), 0),
        (MAGIC[:5], 0),
        (MAGIC + pack_u64(0x111), 16),
        (MAGIC + pack_u64(0x026), 16),
        (MAGIC + pack_u64(0x163), 16),
        (MAGIC + pack_u64(0x126) + pack_u64(1 << 60), 16),
    ],
)
def test_a_greeting_that_is_none_ends_the_connection(said: bytes, heard: int) -> None:
    with raw(greet=False) as sock:
        sock.sendall(said)
        assert len(end(sock)) == heard


@pytest.mark.parametrize("code", [0, 2, 15, 17, 24, 25, 48, 49, 50, 51, 1000, 1001])
def test_an_unknown_operation_is_refused_twice(code: int) -> None:
    with raw() as sock:
        sock.sendall(pack_u64(code) + b"whatever")
        assert errors(end(sock), Protocol(38)) == [f"invalid operation \x1b[35;1m{code}\x1b[0m"] * 2


def test_a_number_that_can_be_no_operation_is_refused_once() -> None:
    with raw() as sock:
        sock.sendall(pack_u64(1 << 63))
        said = f"serialised integer {1 << 63} is too large for type 'j'"
        assert errors(end(sock), Protocol(38)) == [said]


@pytest.mark.parametrize(
    "request_bytes",
    [
        pack_u64(1) + pack_u64(1 << 62),
        pack_u64(1) + pack_u64(5) + b"abcde\1\1\1",
        pack_u64(31) + pack_u64(1 << 61),
        pack_u64(7) + pack_u64(1) + b"a" + bytes(7) + pack_u64(1 << 40),
        pack_u64(19) + pack_u64(1 << 33) + bytes(88 + 8),
        pack_u64(35) + pack_u64(2) + pack_u64(0),
    ],
)
def test_a_request_that_cannot_be_read_is_refused_twice(request_bytes: bytes) -> None:
    with raw() as sock:
        sock.sendall(request_bytes)
        first, second = errors(end(sock), Protocol(38))
        assert first == second


def test_a_path_outside_of_the_store_is_refused_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pix.daemon.dialogue.CLOSING", WAIT)
    with talking() as c:
        with pytest.raises(NixDaemonError, match="not in the Nix store"):
            c.is_valid_path("/etc/passwd")
        with pytest.raises(NixDaemonError, match="gave up after its last error"):
            c.is_valid_path(ABSENT)


@pytest.mark.parametrize(("version", "text"), [
    ("1.38", f"path '\x1b[35;1m{ABSENT}\x1b[0m' is not valid"),
    ("1.26", f"path '\x1b[35;1m{ABSENT}\x1b[0m' is not valid"),
    ("1.25", f"\x1b[31;1merror:\x1b[0m path '\x1b[35;1m{ABSENT}\x1b[0m' is not valid"),
])  # fmt: skip
def test_errors_are_worded_as_nix_words_them(version: str, text: str) -> None:
    """The daemon is of Nix 2.4 or later; the client may be older."""
    with serving() as daemon, client(daemon, version=version) as c:
        with pytest.raises(NixDaemonError) as caught:
            c.call(op.QueryDeriver(path=ABSENT))
        assert caught.value.frame is not None
        assert caught.value.frame.message == text
        assert c.query_all_valid_paths() == set()


def test_a_daemon_of_nix_2_3_has_no_colours() -> None:
    with talking("1.21") as c, pytest.raises(NixDaemonError) as caught:
        c.call(op.QueryDeriver(path=ABSENT))
    assert caught.value.frame is not None
    assert caught.value.frame.message == f"path '{ABSENT}' is not valid"
    assert caught.value.frame.status == 1


def test_requests_may_be_sent_ahead() -> None:
    asked = (
        pack_u64(23)
        + pack_u64(1)
        + encode(wire_of(op.IsValidPath), op.IsValidPath(path=ABSENT), Protocol(38))
    )
    with raw() as sock:
        sock.sendall(asked * 3)
        assert end(sock) == (LAST + pack_u64(0) + LAST + pack_u64(0)) * 3


def test_a_request_may_come_byte_by_byte() -> None:
    with raw() as sock:
        for byte in pack_u64(23) * 2:
            sock.sendall(bytes([byte]))
        assert end(sock) == (LAST + pack_u64(0)) * 2


def test_bad_contents_leave_the_connection_usable() -> None:
    with talking() as c:
        with pytest.raises(NixDaemonError, match=r"bad archive|NAR"):
            c.call(
                op.AddToStore(name="x", method="fixed:r:sha256", dump=TREE[:-16] + b"junkjunk" * 2)
            )
        assert c.query_all_valid_paths() == set()
        with pytest.raises(NixDaemonError, match="end of string reached"):
            c.call(op.AddToStore(name="x", method="fixed:r:sha256", dump=TREE[:-8]))
        with pytest.raises(NixDaemonError, match="reached end of FramedSource"):
            c.call(op.AddMultipleToStore(items=pack_u64(3)))
        with pytest.raises(NixDaemonError, match="illegal character"):
            c.add_to_store("a b", TREE)
        assert c.add_to_store("x", TREE)


def test_contents_by_a_method_that_there_is_not_end_the_connection() -> None:
    with raw() as sock:
        sock.sendall(said(op.AddToStore(name="x", method="whatever", dump=b"four"), Protocol(38)))
        why, *rest = errors(end(sock), Protocol(38))
        assert "content address prefix" in why
        assert rest == ["invalid operation \x1b[35;1m4\x1b[0m"] * 2


@pytest.mark.parametrize(
    "request_that_kills",
    [
        op.IsValidPath(path=""),
        op.AddSignatures(path=ABSENT, sigs=frozenset({"key:AAAA"})),
        op.AddToStore(name="x", method="text:sha1", dump=b"text"),
        op.AddBuildLog(drv=ABSENT.rpartition("/")[2], log=b""),
    ],
)
def test_where_nix_dies_the_connection_ends_without_a_word(request_that_kills: Any) -> None:
    with raw() as sock:
        sock.sendall(said(request_that_kills, Protocol(38)))
        assert end(sock) == b""


def test_a_missing_nar_is_an_error_in_its_place() -> None:
    with raw() as sock:
        sock.sendall(
            pack_u64(38) + pack_u64(len(ABSENT)) + ABSENT.encode() + bytes(-len(ABSENT) & 7)
        )
        said = end(sock)
    assert said[:8] == LAST
    assert len(errors(said[8:], Protocol(38))) == 2


@settings(max_examples=80)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.integers(0, 50).map(pack_u64),
            st.integers(0, (1 << 64) - 1).map(pack_u64),
            st.just(struct.pack("<Q", len(ABSENT)) + ABSENT.encode() + bytes(-len(ABSENT) & 7)),
        ),
        max_size=12,
    )
)
def test_no_bytes_do_harm(parts: list[bytes]) -> None:
    with raw() as sock:
        try:
            sock.sendall(b"".join(parts))
            end(sock)
        except OSError:
            pass


def test_what_is_said_is_what_an_observer_expects() -> None:
    for version in ALL:
        with watched(version) as c:
            c.set_options()
            path = c.add_to_store("tree", TREE)
            c.query_path_info(path)
            b"".join(c.nar(path))
            c.collect_garbage(0)


@settings(max_examples=150)
@given(st.data(), PROTOCOLS, CONTENTS, SIZES, st.sampled_from([1, 8, 1 << 16]))
def test_what_a_request_carries_is_consumed_to_its_end(
    data: st.DataObject, protocol: Protocol, content: bytes, sizes: list[int], chunk: int
) -> None:
    asked = data.draw(st.lists(st.sampled_from(carrying(protocol)), min_size=1, max_size=3))
    with (
        pytest.MonkeyPatch.context() as patch,
        serving(version=protocol.text, features=protocol.features) as daemon,
        daemon.socketpair() as sock,
    ):
        patch.setattr("pix_store.connection.protocol.CHUNK", chunk)
        carrier = Carrying.greeted(sock, protocol)
        for request in asked:
            bare = carriage_of(request, protocol) is RAW_NAR
            sent = data.draw(st.sampled_from(BARE)) if bare else content
            assert carrier.ask(request, sent, sizes) is not None
            if not carrier.goes_on():
                # a method that there is not is found before the frames are looked at
                assert getattr(request, "method", "") == NO_METHOD or (bare and sent != BARE[0])
                break
