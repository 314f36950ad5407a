"""Payload that a client sends, at every version that carries it in another way."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import Any

import pytest

from pix.codec.declare import wire_of
from pix.codec.errors import EncodeError
from pix.codec.gates import Protocol
from pix.codec.payload import FRAME_SIZE, pieces
from pix.codec.values import decode
from pix.codec.wire import Reader
from pix.daemon import NixDaemonError
from pix.daemon.upload import Item, Pull, file_nar, one_nar
from pix.protocol import operations as op
from pix.protocol.logging import StderrError, StderrNext, StderrRead
from pix.protocol.types import (
    PROVENANCE,
    VERSIONED_ADD_MULTIPLE,
    UnkeyedValidPathInfo,
    ValidPathInfo,
)
from tests.pix.daemon.test_connection import HELLO, VALID, asking
from tests.support.nars import nar
from tests.support.scripted_daemon import (
    CLOSE,
    LAST,
    WAIT,
    Hears,
    HearsAnswer,
    HearsFrames,
    playing,
)

TREE = nar(
    {b"a": b"x" * 100, b"dir": {b"link": ("symlink", b"../a")}, b"run": ("executable", b"#")}
)
BIG = nar(bytes(range(256)) * 1000)


class Chunks:
    """A file that gives what it likes, and can neither tell nor seek."""

    def __init__(self, data: bytes, size: int = 1000) -> None:
        self._file = io.BytesIO(data)
        self._size = size

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, self._size))


def sources(data: bytes) -> list[Any]:
    return [
        data,
        bytearray(data),
        memoryview(data),
        io.BytesIO(data),
        Chunks(data),
        [data],
        iter([data]),
    ]


def info_of(data: bytes, path: str = HELLO) -> ValidPathInfo:
    digest = hashlib.sha256(data).hexdigest()
    known = UnkeyedValidPathInfo(nar_hash=digest, references=frozenset(), nar_size=len(data))
    return ValidPathInfo(path=path, info=known)


def nar_request(data: bytes, **fields: Any) -> Hears:
    known = info_of(data).info
    request: Any = op.AddToStoreNar
    return Hears(request(path=HELLO, nar_hash=known.nar_hash, nar_size=known.nar_size, **fields))


# pieces


@pytest.mark.parametrize("data", [b"", b"x", b"y" * 100, b"z" * (2 * FRAME_SIZE + 1)])
def test_pieces_of_every_kind_of_source(data: bytes) -> None:
    for source in sources(data):
        parts = [bytes(piece) for piece in pieces(source)]
        assert b"".join(parts) == data
        assert all(0 < len(part) <= FRAME_SIZE for part in parts)


@pytest.mark.parametrize("source", ["text", 7, None])
def test_what_gives_no_bytes(source: Any) -> None:
    with pytest.raises(EncodeError, match="binary file"):
        pieces(source)


def test_what_gives_something_else_in_the_middle() -> None:
    with pytest.raises(EncodeError, match="got str"):
        list(pieces(iter(["text"])))  # type: ignore[arg-type]
    with pytest.raises(EncodeError, match="open it in binary mode"):
        list(pieces(io.StringIO("text")))  # type: ignore[arg-type]


def test_pull_gives_no_more_than_asked_for() -> None:
    pull = Pull([b"abcdef", b"gh"])
    assert [pull.read(4) for _ in range(5)] == [b"abcd", b"ef", b"gh", b"", b""]


def test_one_nar_passes_a_nar_and_nothing_else() -> None:
    assert b"".join(map(bytes, one_nar(Chunks(TREE, 7)))) == TREE
    with pytest.raises(EncodeError, match="ends inside a NAR"):
        list(one_nar(TREE[:-8]))
    with pytest.raises(EncodeError, match="more follows"):
        list(one_nar(TREE + b"x"))
    with pytest.raises(EncodeError, match="more follows"):
        list(one_nar([TREE, b"x"]))
    with pytest.raises(EncodeError, match="the source is not a NAR"):
        list(one_nar(b"\0" * 64))


@pytest.mark.parametrize("size", [0, 1, 8, 100_000])
def test_a_file_as_a_nar(size: int) -> None:
    data = b"f" * size
    for source in sources(data):
        assert b"".join(map(bytes, file_nar(source))) == nar(data)
    half = io.BytesIO(b"skipped" + data)
    half.seek(7)
    assert b"".join(map(bytes, file_nar(half))) == nar(data)


# AddToStore


def added(minor: int) -> op.AddToStore.Reply:
    if minor < 25:
        return op.AddToStore.Reply(path=HELLO)
    return op.AddToStore.Reply(path=HELLO, info=info_of(b"").info)


@pytest.mark.parametrize("method", ["fixed:r:sha256", "fixed:sha256", "text:sha256"])
@pytest.mark.parametrize("minor", [25, 38])
def test_add_to_store_in_frames(minor: int, method: str) -> None:
    request = op.AddToStore(name="x", method=method, references=frozenset({HELLO}), dump=b"")
    for source in sources(BIG):
        turns = (Hears(request), HearsFrames(), LAST, added(minor))
        with playing(*turns, minor=minor) as daemon:
            path = daemon.connection.add_to_store("x", source, method, references=[HELLO])
        assert path == HELLO
        assert daemon.heard == BIG


@pytest.mark.parametrize(
    ("method", "fixed", "recursive", "algo"),
    [
        ("fixed:r:sha256", False, 1, "sha256"),
        ("fixed:r:sha1", True, 1, "sha1"),
        ("fixed:sha256", True, 0, "sha256"),
        ("fixed:md5", True, 0, "md5"),
    ],
)
def test_add_to_store_before_1_25_is_a_bare_nar(
    method: str, fixed: bool, recursive: int, algo: str
) -> None:
    source = BIG if recursive else b"flat file"
    on_wire = BIG if recursive else nar(b"flat file")
    request = op.AddToStore(name="x", fixed=fixed, recursive=recursive, hash_algo=algo, dump=b"")
    with playing(Hears(request), Hears(on_wire), LAST, added(24), minor=24) as daemon:
        assert daemon.connection.add_to_store("x", io.BytesIO(source), method) == HELLO


def test_add_text_by_add_to_store_before_1_25() -> None:
    request = op.AddTextToStore(name="x", text="\udcff", references=frozenset())
    reply = op.AddTextToStore.Reply(path=HELLO)
    with playing(Hears(request), LAST, reply, minor=24) as daemon:
        assert daemon.connection.add_to_store("x", io.BytesIO(b"\xff"), "text:sha256") == HELLO


# AddToStoreNar: frames, pulled, bare


def test_add_to_store_nar_in_frames() -> None:
    request = nar_request(TREE, dont_check_sigs=True)
    with playing(request, HearsFrames(), LAST, minor=23) as daemon:
        daemon.connection.add_to_store_nar(info_of(TREE), Chunks(TREE), dont_check_sigs=True)
    assert daemon.heard == TREE


@pytest.mark.parametrize("minor", [21, 22])
def test_add_to_store_nar_pulled(minor: int) -> None:
    asks: list[Any] = [nar_request(BIG)]
    for _ in range(9):
        asks += [StderrNext(text="more\n"), StderrRead(length=FRAME_SIZE), HearsAnswer()]
    with playing(*asks, LAST, minor=minor) as daemon:
        daemon.connection.add_to_store_nar(info_of(BIG), io.BytesIO(BIG))
    assert b"".join(daemon.answers) == BIG
    assert daemon.answers[-1] == b"", "an empty answer says that there is no more"


def test_add_to_store_nar_that_is_not_asked_for() -> None:
    with playing(nar_request(BIG), LAST, asking(), LAST, VALID, minor=22) as daemon:
        daemon.connection.add_to_store_nar(info_of(BIG), BIG)
        assert daemon.connection.is_valid_path(HELLO)


def test_add_to_store_nar_bare() -> None:
    turns = (nar_request(TREE), StderrNext(text="early\n"), Hears(TREE), LAST)
    with playing(*turns, minor=20) as daemon:
        daemon.connection.add_to_store_nar(info_of(TREE), iter([TREE]))


def test_a_bare_source_that_is_no_nar_ends_the_connection() -> None:
    with playing(nar_request(TREE), WAIT, minor=20) as daemon:
        with pytest.raises(EncodeError, match="ends inside a NAR"):
            daemon.connection.add_to_store_nar(info_of(TREE), TREE[:-8])
        with pytest.raises(NixDaemonError, match="was left unfinished"):
            daemon.connection.is_valid_path(HELLO)
    assert daemon.left == TREE[:-8]


# other payload


def test_add_multiple_to_store_items_are_as_in_1_16() -> None:
    request = Hears(op.AddMultipleToStore(repair=True, items=b""))
    items: list[Item] = [(info_of(TREE), TREE), (info_of(BIG), io.BytesIO(BIG))]
    with playing(request, HearsFrames(), LAST) as daemon:
        daemon.connection.add_multiple_to_store(items, repair=True)
    reader = Reader(bytes(daemon.heard), Protocol(16))
    assert reader.u64() == 2
    for data in (TREE, BIG):
        assert wire_of(ValidPathInfo).read(reader) == info_of(data)
        assert reader.buf[reader.pos : reader.pos + len(data)] == data
        reader.pos += len(data)
    assert reader.pos == reader.end


def test_add_multiple_to_store_with_the_feature_follows_the_version() -> None:
    features = frozenset({VERSIONED_ADD_MULTIPLE, PROVENANCE})
    info = info_of(TREE)
    info.info.provenance = "{}"
    request = Hears(op.AddMultipleToStore(items=b""))
    with playing(request, HearsFrames(), LAST, features=features) as daemon:
        daemon.connection.add_multiple_to_store([(info, TREE)])
    raw = bytes(daemon.heard[8 : -len(TREE)])
    assert decode(wire_of(ValidPathInfo), raw, Protocol(38, features)) == info


def test_add_multiple_to_store_before_1_32_goes_one_by_one() -> None:
    one = (nar_request(TREE), HearsFrames(), LAST)
    with playing(*one, *one, minor=31) as daemon:
        daemon.connection.add_multiple_to_store([(info_of(TREE), TREE)] * 2)
    assert daemon.heard == TREE * 2


def test_add_build_log_by_full_path() -> None:
    request = Hears(op.AddBuildLog(drv="abc-x.drv", log=b""))
    with playing(request, HearsFrames(), LAST, op.Done()) as daemon:
        daemon.connection.add_build_log("/nix/store/abc-x.drv", io.BytesIO(b"built\n"))
    assert daemon.heard == b"built\n"


def test_import_paths() -> None:
    turns = [Hears(op.ImportPaths()), StderrRead(length=4), HearsAnswer(), LAST]
    with playing(*turns, op.ImportPaths.Reply(paths=(HELLO,)), minor=21) as daemon:
        assert daemon.connection.import_paths(io.BytesIO(b"export")) == [HELLO]
    assert daemon.answers == [b"expo"]


# errors in the middle


def test_an_error_after_the_payload_leaves_the_connection_usable() -> None:
    failed = StderrError(message="hash mismatch")
    turns = (nar_request(BIG), HearsFrames(), failed, asking(), LAST, VALID)
    with playing(*turns) as daemon:
        with pytest.raises(NixDaemonError, match="hash mismatch"):
            daemon.connection.add_to_store_nar(info_of(BIG), BIG)
        assert daemon.connection.is_valid_path(HELLO)


def endless() -> Iterator[bytes]:
    while True:
        yield b"x" * FRAME_SIZE


@pytest.mark.parametrize("minor", [23, 38])
def test_an_error_in_the_middle_of_frames_stops_them_with_the_empty_one(minor: int) -> None:
    """Nix reports an error early only where the frames will not be read: then they are lost."""
    failed = StderrError(message="you are not privileged")
    request = Hears(op.AddToStoreNar(path=HELLO, nar_hash="", nar_size=0, nar=b""))
    info = ValidPathInfo(
        path=HELLO, info=UnkeyedValidPathInfo(nar_hash="", references=frozenset(), nar_size=0)
    )
    with playing(request, failed, HearsFrames(), minor=minor) as daemon:
        with pytest.raises(NixDaemonError, match="not privileged"):
            daemon.connection.add_to_store_nar(info, endless())
        with pytest.raises(NixDaemonError, match="over: AddToStoreNar: you are not privileged"):
            daemon.connection.is_valid_path(HELLO)
    assert daemon.left == b""


def test_a_daemon_that_hangs_up_in_the_middle_may_have_said_why() -> None:
    failed = StderrError(message="Nix daemon out of memory")
    request = Hears(op.AddToStoreNar(path=HELLO, nar_hash="", nar_size=0, nar=b""))
    info = ValidPathInfo(
        path=HELLO, info=UnkeyedValidPathInfo(nar_hash="", references=frozenset(), nar_size=0)
    )
    for end, words in (([failed, CLOSE], "out of memory"), ([CLOSE], "closed the connection")):
        with playing(request, *end, agrees=False) as daemon:
            with pytest.raises(NixDaemonError, match=words):
                daemon.connection.add_to_store_nar(info, endless())
            with pytest.raises(NixDaemonError, match="this connection is over"):
                daemon.connection.is_valid_path(HELLO)


def test_log_in_the_middle_of_frames_is_heard_while_sending() -> None:
    """The daemon says more than fits a socket before it reads on: both would wait for ever."""
    chatter = [StderrNext(text="x" * 1000) for _ in range(2000)]
    seen: list[Any] = []
    turns = (nar_request(BIG * 10), *chatter, HearsFrames(), LAST)
    with playing(*turns, log=seen.append) as daemon:
        daemon.connection.add_to_store_nar(info_of(BIG * 10), BIG * 10)
    assert len(seen) == len(chatter)
    assert daemon.heard == BIG * 10


def test_a_source_that_fails_ends_the_connection_without_pretending_the_end() -> None:
    def broken() -> Iterator[bytes]:
        yield b"begin"
        raise OSError("disk on fire")

    request = Hears(op.AddToStore(name="x", method="fixed:sha256", dump=b""))
    with playing(request, WAIT) as daemon:
        with pytest.raises(OSError, match="disk on fire"):
            daemon.connection.add_to_store("x", broken(), "fixed:sha256")
        with pytest.raises(NixDaemonError, match=r"left unfinished \(OSError\)"):
            daemon.connection.is_valid_path(HELLO)
    assert daemon.left == b"\5" + bytes(7) + b"begin"
