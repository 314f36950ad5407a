"""What a client hears: NARs, export records, and everything that can break off inside them."""

from __future__ import annotations

import io
import select
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from pix.codec.gates import Protocol
from pix.daemon import NixDaemonError
from pix.protocol import operations as op
from pix.protocol.logging import StderrError, StderrNext, StderrWrite
from tests.pix.daemon.test_connection import HELLO, VALID, asking
from tests.support.nars import nar, tokens
from tests.support.playbook import said
from tests.support.scripted_daemon import CLOSE, LAST, WAIT, Hears, playing
from tests.support.words import text

NEWEST = Protocol(38)
BIG = nar({b"file": bytes(range(256)) * 2000, b"x": b""})
ASKED = Hears(op.NarFromPath(path=HELLO))
MISSING = StderrError(message="path is not valid")


def answered(content: bytes) -> bytes:
    return said(LAST, NEWEST) + content


def test_nar_from_path_into_a_file_and_on() -> None:
    target = io.BytesIO()
    with playing(ASKED, answered(BIG), asking(), LAST, VALID) as daemon:
        assert daemon.connection.nar_from_path(HELLO, target) == len(BIG)
        assert daemon.connection.is_valid_path(HELLO)
    assert target.getvalue() == BIG


def test_nar_in_pieces_and_by_call() -> None:
    with playing(ASKED, answered(BIG), ASKED, answered(BIG)) as daemon:
        assert b"".join(daemon.connection.nar(HELLO)) == BIG
        assert daemon.connection.call(op.NarFromPath(path=HELLO)).nar == BIG


@pytest.mark.parametrize("size", [1, 7, 8, 100])
def test_nar_that_comes_in_small_pieces(size: int) -> None:
    small = nar({b"a": b"12345", b"b": ("symlink", b"a")})
    pieces = [small[i : i + size] for i in range(0, len(small), size)]
    with playing(ASKED, LAST, *pieces, asking(), LAST, VALID) as daemon:
        assert b"".join(daemon.connection.nar(HELLO)) == small
        assert daemon.connection.is_valid_path(HELLO)


def test_nar_of_any_size_in_constant_memory() -> None:
    size = 64 << 20
    block = bytes(1 << 20)

    class Nothing:
        def write(self, data: bytes, /) -> None:
            assert len(data) <= 1 << 16

    head = tokens(b"nix-archive-1", b"(", b"type", b"regular", b"contents")
    turns = [answered(head + size.to_bytes(8, "little")), *[block] * 64, text(b")")]
    with playing(ASKED, *turns) as daemon:
        tracemalloc.start()
        try:
            assert daemon.connection.nar_from_path(HELLO, Nothing()) > size
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("before", [0, 24, 80], ids=["at once", "magic", "tokens"])
def test_error_between_the_tokens_of_a_nar(before: int) -> None:
    with playing(ASKED, answered(BIG[:before]), MISSING, MISSING, CLOSE, agrees=False) as daemon:
        with pytest.raises(NixDaemonError) as caught:
            daemon.connection.nar_from_path(HELLO, io.BytesIO())
        assert caught.value.frame == MISSING
        with pytest.raises(NixDaemonError, match="over: NarFromPath: path is not valid"):
            daemon.connection.is_valid_path(HELLO)


@pytest.mark.parametrize("copies", [1, 2])
def test_error_inside_a_files_contents_is_found_at_the_end(copies: int) -> None:
    turns = [StderrNext(text="reading\n"), answered(BIG[:100_000]), *[MISSING] * copies]
    with playing(ASKED, *turns) as daemon:
        with pytest.raises(NixDaemonError) as caught:
            daemon.connection.nar_from_path(HELLO, io.BytesIO())
        assert str(caught.value) == "path is not valid"
        assert caught.value.log == ("reading",)
        with pytest.raises(NixDaemonError, match="this connection is over"):
            daemon.connection.is_valid_path(HELLO)


def test_end_inside_a_files_contents() -> None:
    with (
        playing(ASKED, answered(BIG[:100_000])) as daemon,
        pytest.raises(NixDaemonError, match="closed the connection, 100000 bytes into the NAR"),
    ):
        daemon.connection.nar_from_path(HELLO, io.BytesIO())


def test_what_is_no_nar() -> None:
    with playing(ASKED, answered(text(b"nix-archive-2")), WAIT) as daemon:
        with pytest.raises(NixDaemonError, match="'nix-archive-1' in a NAR, found 'nix-archive-2'"):
            daemon.connection.nar_from_path(HELLO, io.BytesIO())
        with pytest.raises(NixDaemonError, match="this connection is over"):
            daemon.connection.is_valid_path(HELLO)


def test_error_before_the_nar_leaves_the_connection_usable() -> None:
    with playing(ASKED, MISSING, asking(), LAST, VALID) as daemon:
        with pytest.raises(NixDaemonError, match="path is not valid"):
            list(daemon.connection.nar(HELLO))
        assert daemon.connection.is_valid_path(HELLO)


def test_an_error_right_behind_a_bare_nar_leaves_the_connection_usable() -> None:
    request = op.AddToStore(name="x", recursive=1, dump=b"")
    turns = (Hears(request), Hears(BIG), MISSING, asking(), LAST, VALID)
    with playing(*turns, minor=21) as daemon:

        def until_it_is_refused() -> Iterator[bytes]:
            yield BIG
            assert daemon.sock is not None
            assert select.select([daemon.sock], [], [], 20)[0]

        request.dump = until_it_is_refused()
        with pytest.raises(NixDaemonError, match="path is not valid"):
            daemon.connection.call(request)
        assert daemon.connection.is_valid_path(HELLO)


def test_an_iterator_that_is_given_up_ends_the_connection() -> None:
    with playing(ASKED, answered(BIG), WAIT, agrees=False) as daemon:
        pieces = daemon.connection.nar(HELLO)
        assert isinstance(pieces, Iterator)
        next(pieces)
        with pytest.raises(NixDaemonError, match="NarFromPath is still going on"):
            daemon.connection.is_valid_path(HELLO)
        pieces.close()  # type: ignore[attr-defined]
        with pytest.raises(NixDaemonError, match="NarFromPath was left unfinished"):
            daemon.connection.is_valid_path(HELLO)


def test_a_target_that_fails_ends_the_connection() -> None:
    class Full:
        def write(self, data: bytes, /) -> None:
            raise OSError("no space")

    with playing(ASKED, answered(BIG), WAIT, agrees=False) as daemon:
        with pytest.raises(OSError, match="no space"):
            daemon.connection.nar_from_path(HELLO, Full())
        with pytest.raises(NixDaemonError, match="this connection is over"):
            daemon.connection.is_valid_path(HELLO)


def test_export_path_is_written_by_the_log_loop() -> None:
    raw = bytes(range(256))
    frames: list[Any] = [StderrWrite(data=chr(0xDC00 + b) if b > 127 else chr(b)) for b in raw]
    ask = Hears(op.ExportPath(path=HELLO))
    for target in (None, io.BytesIO()):
        turns = (ask, StderrNext(text="x"), *frames, LAST, op.ExportPath.Reply())
        with playing(*turns, minor=21) as daemon:
            write = None if target is None else target.write
            reply = daemon.connection.call(op.ExportPath(path=HELLO), write)
            assert reply.done == 1
            assert reply.export == (raw if target is None else b"")
            if target is not None:
                assert target.getvalue() == raw
