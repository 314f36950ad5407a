"""What is in payloads: their entries, where each byte passed, and what was not kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix.codec.declare import wire_of
from pix.codec.gates import Protocol
from pix.codec.values import encode
from pix.codec.wire import pack_string, pack_u64
from pix.conversation.exchange import CLIENT
from pix.daemon import upload
from pix.problem import Problem
from pix.protocol import operations as op
from pix.protocol import types
from pix.protocol.logging import StderrLast, StderrRead
from pix_inspect.describe.field_rows import rows
from pix_inspect.describe.text_and_json import json_of
from pix_inspect.filter.compiled import compile_filter
from pix_inspect.payload.contents import PayloadContents
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.session import Session
from tests.support.nars import nar
from tests.support.payloads import FILES, contents_of, with_archive
from tests.support.places import RECORDINGS
from tests.support.recording import V38, growing
from tests.support.words import PATH


def payloads() -> list[tuple[str, PayloadContents]]:
    found = []
    for path in sorted(RECORDINGS.glob("*.pcapng")):
        session = Session(path).read_all()
        for i in range(len(session)):
            view = session.exchange(i)
            if view.payload is not None:
                found.append((path.stem, PayloadContents(view)))
    return found


def test_every_payload_of_the_recordings_is_understood_to_its_end() -> None:
    found = payloads()
    assert len(found) > 20
    kinds = set()
    for name, contents in found:
        while contents.read(50):
            assert contents.progress <= 1
        assert contents.complete, name
        assert contents.error is None
        kinds.add(contents.kind)
        for number, place in enumerate(contents.places):
            data = b"".join(contents.whole(place.start, place.end, "it"))
            assert len(data) == place.end - place.start
            spans = contents.spans(place.start, place.end)
            assert sum(end - start for _, start, end in spans) == len(data)
            passed = b"".join(
                piece
                for side, start, end in spans
                for _, piece in contents.view.bytes(side, start, end)
                if piece
            )
            assert passed == data
            assert contents.find(contents.entry_path(place)) == number
            if place.entry.kind == "symlink":
                assert data.decode() == place.entry.target
    assert {"nar", "plain", "paths", "export record"} <= kinds


def test_entries_know_their_depth_and_what_is_below_them(tmp_path: Path) -> None:
    contents = contents_of(with_archive(tmp_path))
    assert [(contents.entry_path(p), p.depth, p.last, p.total) for p in contents.places] == [
        (".", 0, 10, 429),
        ("bin", 1, 3, 21),
        ("bin/hello", 2, 3, 21),
        ("lib", 1, 6, 400),
        ("lib/libhello.so", 2, 5, 0),
        ("lib/libhello.so.1", 2, 6, 400),
        ("share", 1, 10, 8),
        ("share/doc", 2, 10, 8),
        ("share/doc/README", 3, 9, 8),
        ("share/doc/empty", 3, 10, 0),
    ]
    assert contents.item_name(0) == PATH.rpartition("/")[2]
    start, end = contents.nar(0)
    assert b"".join(contents.whole(start, end, "it")) == nar(FILES)


def test_a_file_that_lies_in_several_frames_has_several_spans(tmp_path: Path) -> None:
    big = bytes(range(256)) * 20
    contents = contents_of(with_archive(tmp_path, {b"big": big}))
    place = contents.places[contents.find("big")]
    spans = contents.spans(place.start, place.end)
    assert len(spans) > 4
    assert all(side == CLIENT for side, _, _ in spans)
    assert b"".join(contents.whole(place.start, place.end, "big")) == big


def test_what_was_not_kept_is_said_with_what_to_do(tmp_path: Path) -> None:
    contents = contents_of(with_archive(tmp_path, keep=700))
    assert not contents.complete
    assert contents.error is not None
    names = [contents.entry_path(place) for place in contents.places]
    assert "bin/hello" in names
    assert "share/doc/README" not in names
    with pytest.raises(Problem, match=r"the end of .*hello-2\.12 is not known; record with --pay"):
        contents.nar(0)


def test_a_gap_inside_a_file_leaves_the_rest_known(tmp_path: Path) -> None:
    archive = nar({b"a": b"x" * 3000, b"b": b"y"})
    path = with_archive(tmp_path, {b"a": b"x" * 3000, b"b": b"y"})
    assert contents_of(path).complete
    assert len(archive) > 3000


@pytest.mark.parametrize("wanted", ["nothing", "bin/hello/x", "/etc/passwd"])
def test_an_entry_that_is_not_there_is_a_problem(tmp_path: Path, wanted: str) -> None:
    with pytest.raises(Problem, match="no entry"):
        contents_of(with_archive(tmp_path)).find(wanted)


def test_an_exchange_without_payload_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"exchange 1 \(handshake\) has no payload"):
        contents_of(with_archive(tmp_path), 1)


@pytest.mark.parametrize(("minor", "carriage"), [(20, "raw NAR"), (21, "pulled"), (38, "frames")])
def test_the_same_upload_counts_the_same_in_every_age(
    tmp_path: Path, minor: int, carriage: str
) -> None:
    protocol = Protocol(minor)
    archive = nar(FILES)
    request = op.AddToStoreNar(path=PATH, nar_hash="0" * 64, nar_size=len(archive), nar=b"")
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect(protocol)
    talk >> pack_u64(39) + encode(wire_of(op.AddToStoreNar), request, protocol)
    for start in range(0, len(archive), 1000):
        piece = archive[start : start + 1000]
        if carriage == "pulled":
            talk << StderrRead(length=1000)
            talk >> pack_string(piece)
        else:
            talk >> (pack_u64(len(piece)) if carriage == "frames" else b"") + piece
    if carriage == "frames":
        talk >> pack_u64(0)
    talk << StderrLast()
    talk.close()
    made.save()
    session = Session(made.path).read_all()
    payload = session.exchange(1).payload
    assert payload is not None
    assert payload.carriage == carriage
    assert (payload.bytes, payload.kept) == (len(archive), len(archive))
    assert compile_filter(f"payload = {len(archive)}").matches(session, 1)
    session.close()


def batch(folder: Path, frame: int, kept: int | None = None) -> ExchangeView:
    """An AddMultipleToStore of two paths, in frames of that size."""
    infos = [
        types.ValidPathInfo(
            path=f"{PATH}-{name}",
            info=types.UnkeyedValidPathInfo(
                nar_hash=name * 64, references=frozenset({PATH}), nar_size=len(nar(FILES)),
                sigs=frozenset({f"key:{name}"}), ca=f"fixed:r:sha256:{name}",
            ),
        )
        for name in "ab"
    ]  # fmt: skip
    content = b"".join(upload.paths([(info, nar(FILES)) for info in infos], V38))
    made = growing(folder / "r.pcapng")
    talk = made.connect()
    talk >> pack_u64(44) + pack_u64(0) + pack_u64(1)
    for start in range(0, len(content), frame):
        piece = content[start : start + frame]
        talk >> pack_u64(len(piece))
        seen = piece if kept is None else piece[: max(kept - start, 0)]
        talk.chunk(CLIENT, seen, len(piece))
    talk >> pack_u64(0)
    talk << StderrLast()
    talk.close()
    made.save()
    return Session(made.path).read_all().exchange(1)


@pytest.mark.parametrize("frame", [7, 100, 1 << 20])
def test_path_infos_of_a_batch_however_it_is_framed(tmp_path: Path, frame: int) -> None:
    view = batch(tmp_path, frame)
    found = PayloadContents(view).infos()
    assert [number for number, _ in found] == [0, 1]
    for (_, info), name in zip(found, "ab", strict=True):
        plain = info.plain()
        assert plain["path"] == f"{PATH}-{name}"
        assert plain["info"]["nar_hash"] == name * 64
        assert plain["info"]["references"] == [PATH]
        assert plain["info"]["sigs"] == [f"key:{name}"]
        assert plain["info"]["ca"] == f"fixed:r:sha256:{name}"
        path = info.find("path")
        assert path is not None
        assert path.end is not None
        raw = b"".join(piece for _, piece in view.bytes(CLIENT, path.start, path.end) if piece)
        without_frames = encode(wire_of(types.StorePath), plain["path"], V38)
        assert len(raw) >= len(without_frames)
        assert frame < 1000 or raw == without_frames
    assert json_of(view, 0)["payload"]["paths"] == [info.plain() for _, info in found]
    payload = next(row for row in rows(view) if row.kind == "payload")
    assert [row.value for row in payload.children] == [f"{PATH}-a", f"{PATH}-b"]


def test_path_infos_that_were_not_kept_are_said_to_be_missing(tmp_path: Path) -> None:
    view = batch(tmp_path, 1000, kept=700)
    payload = next(row for row in rows(view) if row.kind == "payload")
    assert [(row.label, row.value) for row in payload.children] == [
        ("[0]", f"{PATH}-a"),
        ("1 path info more", "not recorded, or cut off"),
    ]
