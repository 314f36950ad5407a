from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pix.codec.declare import wire_of
from pix.codec.gates import Protocol
from pix.codec.nar import Entry
from pix.codec.payload import RAW_NAR, Payload
from pix.codec.values import encode, tree
from pix.codec.wire import pack_u64
from pix.conversation import CLIENT
from pix.conversation.exchange import Exchange
from pix.protocol import OPERATIONS_BY_NAME
from pix.protocol.payload_items import ContentKind, ContentReader, Item, content_kind
from pix.protocol.types import UnkeyedValidPathInfo, ValidPathInfo
from tests.pix.conversation.test_recorded_sessions import by_events
from tests.support.captures import Run
from tests.support.nars import Tree, nar
from tests.support.readings import chunks
from tests.support.words import text

V38 = Protocol(38)
VERSIONED = Protocol(38, frozenset({"versionedAddToStoreMultiple", "provenance"}))
HASH = "15e3c560894cbb27085cf65b5a2ecb18488c999497f4531b6907a7581ce6d527"
TREES: list[Tree] = [
    {b"bin": {b"hello": ("executable", b"#!/bin/sh\n" * 100)}},
    b"a flat file of some length",
    ("symlink", b"elsewhere"),
]


def path(i: int) -> str:
    return f"/nix/store/{i:032}-item"


def info(i: int, size: int) -> ValidPathInfo:
    return ValidPathInfo(
        path=path(i),
        info=UnkeyedValidPathInfo(
            deriver=path(9) + ".drv",
            nar_hash=HASH,
            references=frozenset({path(i), path(0)}),
            nar_size=size,
            sigs=frozenset({"key:sig"}),
        ),
    )


def batch(protocol: Protocol) -> bytes:
    """The content of an AddMultipleToStore."""
    out = pack_u64(len(TREES))
    for i, files in enumerate(TREES):
        archive = nar(files)
        out += encode(wire_of(ValidPathInfo), info(i, len(archive)), protocol) + archive
    return out


def record(i: int, tree: Tree, signature: bytes | None = None) -> bytes:
    """One export record."""
    out = nar(tree) + pack_u64(0x4558494E) + text(path(i).encode())
    out += pack_u64(1) + text(path(0).encode()) + text(b"")
    return out + (pack_u64(0) if signature is None else pack_u64(1) + text(signature))


def export() -> bytes:
    """An import stream."""
    return b"".join(pack_u64(1) + record(i, tree) for i, tree in enumerate(TREES)) + pack_u64(0)


def seen(reader: ContentReader) -> list[tuple[object, ...]]:
    return [(item.path, item.nar_size, item.info, item.nar, item.entries) for item in reader.items]


def read(kind: ContentKind, data: bytes, protocol: Protocol = V38) -> ContentReader:
    """Read whole, byte by byte and otherwise, and hold the outcomes to be the same."""
    readers = []
    for size in (len(data) or 1, 1, 7, 64):
        reader = ContentReader(kind, protocol)
        for piece in chunks(data, size):
            reader.feed(piece)
        readers.append(reader)
    first = readers[0]
    for reader in readers[1:]:
        assert seen(reader) == seen(first)
        assert (reader.complete, str(reader.error)) == (first.complete, str(first.error))
        assert reader.size == len(data)
    return first


def test_nar_yields_its_entries() -> None:
    data = nar(TREES[0])
    reader = read("nar", data)
    (item,) = reader.items
    assert reader.complete
    assert item.nar == (0, len(data))
    assert [(e.path, e.kind, e.size) for e in item.entries] == [
        ("", "directory", 0),
        ("bin", "directory", 0),
        ("bin/hello", "executable", 1000),
    ]
    hello = item.entries[2]
    assert data[hello.offset :].startswith(b"#!/bin/sh\n")


@pytest.mark.parametrize(("written", "protocol"), [(Protocol(16), V38), (VERSIONED, VERSIONED)])
def test_batch_yields_one_item_per_path(written: Protocol, protocol: Protocol) -> None:
    """ValidPathInfo is laid out as for 1.16, unless versionedAddToStoreMultiple is in force."""
    data = batch(written)
    reader = read("paths", data, protocol)
    assert reader.complete
    assert reader.count == 3
    at = 8
    for i, item in enumerate(reader.items):
        assert item.path == path(i)
        assert item.info is not None
        assert item.nar is not None
        assert item.info[0] == at
        assert item.info[1] == item.nar[0]
        assert item.nar[1] is not None
        assert item.nar[1] - item.nar[0] == item.nar_size
        at = item.nar[1]
    assert at == len(data)


def test_batch_with_features_of_no_matter_here_stays_at_1_16() -> None:
    protocol = Protocol(38, frozenset({"provenance"}))
    assert read("paths", batch(Protocol(16)), protocol).complete


def test_export_stream_yields_one_item_per_path() -> None:
    reader = read("export", export())
    assert reader.complete
    assert [item.path for item in reader.items] == [path(0), path(1), path(2)]
    assert all(item.info is not None and item.info[1] is not None for item in reader.items)


@pytest.mark.parametrize("signature", [None, b"an old signature"])
def test_export_record(signature: bytes | None) -> None:
    reader = read("export record", record(1, TREES[0], signature))
    assert reader.complete
    assert [item.path for item in reader.items] == [path(1)]


def test_plain_content_is_counted() -> None:
    reader = read("plain", b"any bytes at all")
    assert reader.complete
    assert reader.items == []
    assert reader.size == 16
    reader.gap(100)
    assert reader.size == 116


@pytest.mark.parametrize("kind", ["nar", "paths", "export", "export record"])
def test_cut_content_is_incomplete_and_no_error(kind: ContentKind) -> None:
    data = {
        "nar": nar(TREES[0]),
        "paths": batch(Protocol(16)),
        "export": export(),
        "export record": record(1, TREES[0]),
    }[kind]
    for end in range(0, len(data), 5):
        reader = ContentReader(kind, V38)
        reader.feed(data[:end])
        assert not reader.complete
        assert reader.error is None


@pytest.mark.parametrize(
    ("kind", "data", "error"),
    [
        ("nar", text(b"nix-archive-2"), "nix-archive-1"),
        ("nar", nar(b"x") + b"y", "1 bytes more"),
        ("nar", (0x63787470).to_bytes(8, "little"), "STDERR_ERROR"),
        ("paths", pack_u64(1 << 60), "number of paths"),
        ("paths", pack_u64(1) + pack_u64(1 << 30), "a string of at most"),
        ("export", pack_u64(2), "1 and a record, or 0"),
        ("export", pack_u64(1) + nar(b"x") + pack_u64(7), "export magic"),
        ("export", pack_u64(0) + pack_u64(0), "8 bytes more"),
    ],
)
def test_what_is_not_understood_says_so_and_is_counted(
    kind: ContentKind, data: bytes, error: str
) -> None:
    reader = ContentReader(kind, V38)
    reader.feed(data)
    assert not reader.complete
    assert error in str(reader.error)
    reader.feed(bytes(100))
    assert reader.size == len(data) + 100
    assert not reader.complete


def test_contents_that_were_not_recorded() -> None:
    data = batch(Protocol(16))
    whole = read("paths", data)
    reader = ContentReader("paths", V38)
    start = data.index(b"#!/bin/sh\n") + 10
    reader.feed(data[:start])
    reader.gap(980)
    reader.feed(data[start + 980 :])
    assert reader.complete
    assert seen(reader) == seen(whole)


def test_structure_that_was_not_recorded() -> None:
    data = batch(Protocol(16))
    reader = ContentReader("paths", V38)
    reader.feed(data[:100])
    reader.gap(100)
    reader.feed(data[200:])
    assert not reader.complete
    assert "100 bytes that were not recorded" in str(reader.error)
    assert reader.size == len(data)


def test_entries_may_go_elsewhere() -> None:
    told: list[tuple[Item, Entry]] = []
    reader = ContentReader("export", V38, lambda item, entry: told.append((item, entry)))
    reader.feed(export())
    assert len(told) == 5
    assert all(not item.entries for item in reader.items)


def payload(name: str, *, reply: bool = False) -> Payload:
    operation = OPERATIONS_BY_NAME[name]
    found = (operation.reply if reply else operation.request).payload
    assert found is not None
    return found


def test_kind_follows_from_declaration_method_and_version() -> None:
    add = payload("AddToStore")
    assert content_kind(add, Protocol(24), None) == "nar"
    assert content_kind(add, V38, "text:sha256") == "plain"
    assert content_kind(add, V38, "fixed:sha256") == "plain"
    assert content_kind(add, V38, "fixed:r:sha256") == "nar"
    assert content_kind(add, V38, "fixed:git:sha1") == "nar"
    assert content_kind(payload("AddBuildLog"), V38) == "plain"
    assert content_kind(payload("AddMultipleToStore"), V38) == "paths"
    assert content_kind(payload("ImportPaths"), Protocol(17)) == "export"
    assert content_kind(payload("ExportPath", reply=True), Protocol(16)) == "export record"


@settings(deadline=None)
@given(
    kind=st.sampled_from(["nar", "paths", "export", "export record"]),
    data=st.binary(max_size=200),
    at=st.integers(0, 3000),
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=5),
)
def test_any_bytes_raise_nothing(kind: ContentKind, data: bytes, at: int, sizes: list[int]) -> None:
    base = {"nar": nar(TREES[0]), "paths": batch(Protocol(16)), "export": export()}.get(
        kind, record(1, TREES[0])
    )
    broken = base[:at] + data + base[at + len(data) :]
    reader = ContentReader(kind, V38)
    for i, piece in enumerate(chunks(broken, sizes[0])):
        if i % 7 == 6:
            reader.gap(len(piece))
        else:
            reader.feed(piece)
    assert reader.size == len(broken)
    assert not (reader.complete and reader.error)


def content_of(e: Exchange, sides: tuple[bytes, bytes]) -> tuple[Payload, bytes] | None:
    """Return a payload and its content, with what carried it taken away."""
    if e.operation is None or e.protocol is None:
        return None
    payload, start, end = e.operation.request.payload, e.payload_start, e.request_end
    if e.payload_side != CLIENT:
        payload, start = e.operation.reply.payload, e.reply_payload_start
        end = e.daemon_end
    if payload is None:
        return None
    if payload.carriage(e.protocol) is RAW_NAR:
        return payload, sides[e.payload_side or 0][start:end]
    runs = e.payload_runs or ()
    return payload, b"".join(sides[side][at : at + length] for side, at, length in runs)


@pytest.mark.slow
def test_every_recorded_payload_is_understood(captured_runs: tuple[Run, ...]) -> None:
    kinds: dict[str, int] = {}
    for run in captured_runs:
        for connection in run.connections:
            sides = (connection.c2s, connection.s2c)
            for e in by_events(connection).exchanges:
                found = content_of(e, sides) if e.complete and e.error is None else None
                if found is None or (e.code in (27, 39) and not e.payload_bytes):
                    continue
                payload, data = found
                assert e.protocol is not None
                method = None
                if payload.content == "by method" and e.protocol.minor >= 25:
                    assert e.operation is not None
                    start = e.start + 8
                    request = tree(
                        e.operation.request, sides[0][start : e.payload_start], e.protocol
                    ).nodes[0]
                    named = request.find("method")
                    assert named is not None
                    method = named.value
                kind = content_kind(payload, e.protocol, method)
                reader = ContentReader(kind, e.protocol)
                reader.feed(data)
                assert reader.error is None, (run.name, e, reader.error)
                assert reader.complete, (run.name, e)
                for item in reader.items:
                    if item.nar_size is not None:
                        assert item.nar is not None
                        assert item.nar[1] == item.nar[0] + item.nar_size
                kinds[kind] = kinds.get(kind, 0) + 1
    assert set(kinds) == {"nar", "plain", "paths", "export", "export record"}
