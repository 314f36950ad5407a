"""What is in payloads: their entries, where each byte passed, and what was not kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix.conversation.exchange import CLIENT
from pix.problem import Problem
from pix_inspect.payload.contents import PayloadContents
from pix_inspect.session.session import Session
from tests.support.nars import nar
from tests.support.payloads import FILES, contents_of, with_archive
from tests.support.places import RECORDINGS
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
