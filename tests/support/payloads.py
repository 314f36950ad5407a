"""Sessions whose payloads are archives, for the tests of payloads and of what saves them."""

from __future__ import annotations

from pathlib import Path

from pix.codec.gates import Protocol
from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol import operations as ops
from pix.protocol.logging import StderrLast
from pix_inspect.payload.contents import PayloadContents
from pix_inspect.session.session import Session
from tests.support.nars import Tree, nar
from tests.support.playbook import said
from tests.support.played import Played
from tests.support.words import PATH

FILES: Tree = {
    b"bin": {b"hello": ("executable", b"#!/bin/sh\necho hello\n")},
    b"lib": {b"libhello.so": ("symlink", b"libhello.so.1"), b"libhello.so.1": b"\x7fELF" * 100},
    b"share": {b"doc": {b"README": b"read me\n", b"empty": b""}},
}
PROTOCOL = Protocol(38)


def add(played: Played, archive: bytes, *, keep: int | None = None, close: bool = True) -> None:
    """An AddToStoreNar of an archive, of which the first `keep` bytes of each frame are kept."""
    track = played.connect()
    request = ops.AddToStoreNar(
        path=PATH, deriver=None, nar_hash="0" * 64, references=frozenset(), registration_time=0,
        nar_size=len(archive), ultimate=False, sigs=frozenset(), ca="", repair=False,
        dont_check_sigs=False, nar=b"",
    )  # fmt: skip
    played.ask(track, said(request, PROTOCOL)[:-8])  # without the frame that ends the payload
    for start in range(0, len(archive), 1000):
        frame = archive[start : start + 1000]
        played.say(track, CLIENT, len(frame).to_bytes(8, "little"))
        kept = frame if keep is None else frame[: max(keep - start, 0)]
        played.made.chunk(track, CLIENT, kept, len(frame))
    played.say(track, CLIENT, bytes(8))
    played.say(track, DAEMON, StderrLast())
    if close:
        played.close(track)
    played.save()


def with_archive(folder: Path, files: Tree = FILES, *, keep: int | None = None) -> Path:
    """A recording with a handshake and an AddToStoreNar, exchange 2."""
    played = Played(folder / "r.pcapng")
    add(played, nar(files), keep=keep)
    return played.path


def contents_of(path: Path, number: int = 2) -> PayloadContents:
    contents = PayloadContents(Session(path).read_all().exchange(number - 1))
    contents.read()
    return contents
