"""Sessions whose payloads are archives, for the tests of payloads and of what saves them."""

from __future__ import annotations

from pathlib import Path

from pix.conversation.exchange import CLIENT
from pix.protocol import operations as ops
from pix.protocol.logging import StderrLast
from pix_inspect.payload.contents import PayloadContents
from pix_inspect.session.session import Session
from tests.support.nars import Tree, nar
from tests.support.playbook import said
from tests.support.recording import V38, Recording, growing
from tests.support.words import PATH

FILES: Tree = {
    b"bin": {b"hello": ("executable", b"#!/bin/sh\necho hello\n")},
    b"lib": {b"libhello.so": ("symlink", b"libhello.so.1"), b"libhello.so.1": b"\x7fELF" * 100},
    b"share": {b"doc": {b"README": b"read me\n", b"empty": b""}},
}


def add(made: Recording, archive: bytes, *, keep: int | None = None, close: bool = True) -> None:
    """An AddToStoreNar of an archive, of which the first `keep` bytes of each frame are kept."""
    talk = made.connect()
    request = ops.AddToStoreNar(
        path=PATH, deriver=None, nar_hash="0" * 64, references=frozenset(), registration_time=0,
        nar_size=len(archive), ultimate=False, sigs=frozenset(), ca="", repair=False,
        dont_check_sigs=False, nar=b"",
    )  # fmt: skip
    talk.trip(said(request, V38)[:-8])  # without the frame that ends the payload
    for start in range(0, len(archive), 1000):
        frame = archive[start : start + 1000]
        talk >> len(frame).to_bytes(8, "little")
        kept = frame if keep is None else frame[: max(keep - start, 0)]
        talk.chunk(CLIENT, kept, len(frame))
    talk >> bytes(8)
    talk << StderrLast()
    if close:
        talk.close()
    made.save()


def with_archive(folder: Path, files: Tree = FILES, *, keep: int | None = None) -> Path:
    """A recording with a handshake and an AddToStoreNar, exchange 2."""
    made = growing(folder / "r.pcapng")
    add(made, nar(files), keep=keep)
    return made.path


def contents_of(path: Path, number: int = 2) -> PayloadContents:
    contents = PayloadContents(Session(path).read_all().exchange(number - 1))
    contents.read()
    return contents
