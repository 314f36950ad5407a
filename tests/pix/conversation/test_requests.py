"""Requests and their payload, in each of the ways in which it travels."""

from __future__ import annotations

import pytest

from pix.codec.gates import Protocol
from pix.codec.payload import FRAME_SIZE
from pix.codec.wire import pack_u64
from pix.conversation import CLIENT, DAEMON
from pix.conversation.exchange import Exchange
from pix.conversation.notes import Note, Reason
from pix.protocol.logging import StderrError, StderrLast, StderrNext, StderrRead
from pix.protocol.operations import (
    AddMultipleToStore,
    AddTextToStore,
    AddToStore,
    AddToStoreNar,
    ImportPaths,
    IsValidPath,
    RegisterDrvOutput,
    SetOptions,
)
from pix.protocol.types import UnkeyedValidPathInfo
from tests.support.nars import nar
from tests.support.playbook import EOF, Playbook, said
from tests.support.words import PATH, text

HASH = "15e3c560894cbb27085cf65b5a2ecb18488c999497f4531b6907a7581ce6d527"
NAR = nar({b"bin": {b"hello": ("executable", b"#!/bin/sh\n")}, b"share": b"x" * 1000})
INFO = UnkeyedValidPathInfo(nar_hash=HASH, references=frozenset(), nar_size=len(NAR))
VALID = IsValidPath(path=PATH)
YES = IsValidPath.Reply(valid=True)


def add_nar() -> AddToStoreNar:
    return AddToStoreNar(path=PATH, nar_hash=HASH, nar_size=len(NAR), nar=NAR)


def followed(talk: Playbook) -> Exchange:
    """Return the exchange in question, after another one was understood behind it."""
    talk >> VALID << StderrLast() << YES
    handshake, exchange, behind = talk.exchanges()
    assert handshake.complete
    assert behind.name == "IsValidPath"
    assert behind.complete
    assert behind.start == exchange.request_end
    return exchange


@pytest.mark.parametrize("minor", [23, 34, 38])
def test_add_to_store_nar_in_frames(minor: int) -> None:
    talk = Playbook(Protocol(minor)).greet() >> add_nar() << StderrLast()
    added = followed(talk)
    assert added.complete
    assert added.payload_bytes == len(NAR)
    assert added.payload_side == CLIENT
    assert added.request_end == (added.payload_start or 0) + 8 + len(NAR) + 8


@pytest.mark.parametrize("minor", [21, 22])
def test_add_to_store_nar_pulled_by_the_daemon(minor: int) -> None:
    talk = Playbook(Protocol(minor)).greet() >> add_nar()
    for start in range(0, len(NAR), 500):
        talk << StderrRead(length=32768) >> text(NAR[start : start + 500])
        talk << StderrNext(text="still reading\n")
    talk << StderrLast()
    added = followed(talk)
    assert added.complete
    assert added.payload_bytes == len(NAR)
    assert added.reads == added.answers == len(range(0, len(NAR), 500))
    reads = [frame for frame in added.log or () if frame.answer is not None]
    assert len(reads) == added.reads
    assert reads[0].answer == (added.payload_start, (added.payload_start or 0) + 512)


@pytest.mark.parametrize("minor", [17, 18, 20])
def test_add_to_store_nar_directly_on_the_stream(minor: int) -> None:
    talk = Playbook(Protocol(minor)).greet() >> add_nar() << StderrLast()
    added = followed(talk)
    assert added.complete
    assert added.request_end == (added.payload_start or 0) + len(NAR)
    assert added.payload_bytes == 1010  # the contents of its files


def test_pulled_payload_with_zero_reads() -> None:
    """The path is valid already: the daemon asks for nothing, and the request ends there."""
    talk = Playbook(Protocol(21)).greet() >> add_nar() << StderrLast()
    added = followed(talk)
    assert added.complete
    assert added.reads == added.payload_bytes == 0
    assert added.request_end == added.payload_start


def test_pulled_payload_with_zero_reads_and_an_error() -> None:
    talk = Playbook(Protocol(21)).greet() >> add_nar()
    talk << StderrError(message="not allowed")
    added = followed(talk)
    assert added.complete
    assert added.error is not None


def test_pulled_payload_in_answers_of_any_size() -> None:
    """An answer can be a whole NAR or one small write of the client's serialiser."""
    stream = pack_u64(1) + NAR + pack_u64(0x4558494E) + text(PATH.encode()) + bytes(24)
    parts = [stream[:8], stream[8:21], stream[21:24], stream[24:-8], stream[-8:], bytes(8)]
    talk = Playbook(Protocol(21)).greet() >> ImportPaths()
    for part in parts:
        talk << StderrRead(length=32768) >> text(part)
    talk << StderrLast() << ImportPaths.Reply(paths=(PATH,))
    imported = followed(talk)
    assert imported.complete
    assert imported.answers == len(parts)
    assert imported.payload_bytes == len(stream) + 8


def test_pulled_payload_that_ends_early() -> None:
    """A string of no bytes is the end of file; the daemon fails."""
    talk = Playbook(Protocol(21)).greet() >> ImportPaths()
    talk << StderrRead(length=32768) >> text(b"") << StderrError(message="unexpected end-of-file")
    imported = followed(talk)
    assert imported.answers == 1
    assert imported.error is not None


def test_what_nobody_is_seen_to_ask_for_is_no_operation() -> None:
    """Of a daemon that ends in the middle, or whose bytes are not there."""
    talk = Playbook(Protocol(21)).greet() >> ImportPaths() << StderrRead(length=32768)
    talk >> text(NAR[:16]) << EOF >> text(NAR[16:32]) >> VALID
    _, imported, behind = talk.exchanges()
    assert [note.reason for note in imported.notes] == [Reason.ANSWER_CUT]
    assert [note.reason for note in behind.notes] == [Reason.READS_UNSEEN]
    assert behind.start == imported.request_end


def test_add_to_store_before_1_25_is_always_a_nar() -> None:
    flat = nar(b"just a file")
    talk = Playbook(Protocol(21)).greet()
    talk >> AddToStore(name="file", fixed=True, recursive=0, hash_algo="sha256", dump=flat)
    talk << StderrLast() << AddToStore.Reply(path=PATH)
    added = followed(talk)
    assert added.complete
    assert added.payload_bytes == 11


@pytest.mark.parametrize(
    ("method", "dump"),
    [
        ("fixed:sha256", b"plain bytes, no NAR"),
        ("text:sha256", b"plain text"),
        ("fixed:sha256", b""),
        ("fixed:r:sha256", NAR),
        ("fixed:git:sha1", NAR),
    ],
    ids=["flat", "text", "empty", "nar", "git"],
)
def test_add_to_store_since_1_25_is_frames(method: str, dump: bytes) -> None:
    talk = Playbook(Protocol(34)).greet() >> AddToStore(name="file", method=method, dump=dump)
    talk << StderrLast() << AddToStore.Reply(path=PATH, info=INFO)
    added = followed(talk)
    assert added.complete
    assert added.payload_bytes == len(dump)


def test_add_text_to_store_has_no_payload() -> None:
    talk = Playbook(Protocol(21)).greet() >> AddTextToStore(name="t", text="words")
    talk << StderrLast() << AddTextToStore.Reply(path=PATH)
    added = followed(talk)
    assert added.complete
    assert added.payload_start is None


@pytest.mark.parametrize("size", [1, 5, 8, 100, FRAME_SIZE])
def test_add_multiple_to_store_across_frame_boundaries(size: int) -> None:
    """Frame boundaries fall anywhere, also inside integers."""
    item = text(PATH.encode()) + text(b"") + text(HASH.encode()) + bytes(40) + bytes(8) + NAR
    content = pack_u64(2) + item + item
    parts = [content[i : i + size] for i in range(0, len(content), size)]
    talk = Playbook(Protocol(38)).greet() >> AddMultipleToStore(items=parts) << StderrLast()
    added = followed(talk)
    assert added.complete
    assert added.payload_bytes == len(content)
    assert len(added.payload_runs or ()) == len(parts)


def test_frames_larger_than_what_nix_buffers() -> None:
    talk = Playbook(Protocol(38)).greet()
    talk >> said(AddToStore(name="big", method="fixed:sha256", dump=b""), Protocol(38))[:-8]
    talk >> pack_u64(100_000) + bytes(100_000) + bytes(8)
    talk << StderrLast() << AddToStore.Reply(path=PATH, info=INFO)
    assert followed(talk).payload_bytes == 100_000


def test_request_complete_before_its_log_is_the_usual_case() -> None:
    talk = Playbook(Protocol(38)).greet() >> VALID << StderrNext(text="x\n") << StderrLast() << YES
    asked = followed(talk)
    assert asked.complete
    assert asked.frames == 1


def test_frames_of_the_log_before_the_request_is_complete() -> None:
    """42 and 43 start work before they read their arguments; others log while frames arrive."""
    v34 = Protocol(34)
    whole = said(RegisterDrvOutput(realisation_json="{}"), v34)
    talk = Playbook(v34).greet() >> whole[:8] << StderrNext(text="working\n") >> whole[8:]
    talk << StderrLast()
    registered = followed(talk)
    assert registered.complete
    assert registered.frames == 1
    assert not registered.notes

    whole = said(add_nar(), v34)
    talk = Playbook(v34).greet() >> whole[:300] << StderrNext(text="reading\n") >> whole[300:700]
    talk << StderrNext(text="still reading\n") >> whole[700:] << StderrLast()
    added = followed(talk)
    assert added.complete
    assert added.frames == 2


def test_answer_before_the_request_is_complete_is_noted() -> None:
    v20 = Protocol(20)
    whole = said(add_nar(), v20)
    talk = Playbook(v20).greet() >> whole[:-100] << StderrLast() >> whole[-100:]
    added = followed(talk)
    assert added.complete
    assert [note.reason for note in added.notes] == [Reason.ANSWERED_EARLY]


def test_set_options_before_and_since_1_12() -> None:
    for minor, size in ((11, 8 + 96), (12, 8 + 96 + 8)):
        talk = Playbook(Protocol(minor)).greet() >> SetOptions() << StderrLast()
        options = followed(talk)
        assert options.complete
        assert (options.request_end or 0) - options.start == size


def test_unknown_operation_is_opaque_from_its_arguments_on() -> None:
    talk = Playbook(Protocol(38)).greet() >> VALID << StderrLast() << YES
    talk >> pack_u64(77) + b"whatever this is" << StderrError(message="invalid operation 77")
    talk << StderrError(message="invalid operation 77")
    _, _, unknown, strange, again = talk.exchanges()
    assert (unknown.name, unknown.code, unknown.operation) == ("operation 77", 77, None)
    assert unknown.error is not None
    assert not unknown.complete
    assert (strange.kind, strange.side, strange.start) == ("opaque", CLIENT, unknown.request_end)
    assert strange.notes[0].found == "0x4d ('M')"
    assert again.kind == "orphan"
    assert again.notes == (Note(Reason.REPEATED_ERROR, exchange=unknown.number),)


def test_reply_to_an_unknown_operation_is_opaque() -> None:
    talk = Playbook(Protocol(38)).greet() >> pack_u64(77)
    talk << StderrNext(text="x\n") << StderrLast() << pack_u64(1)
    _, unknown, *rest = talk.exchanges()
    assert {e.side for e in rest} == {CLIENT, DAEMON}
    assert all(e.kind == "opaque" for e in rest)
    assert unknown.frames == 1
    assert not unknown.complete


@pytest.mark.parametrize(
    ("what", "bad"),
    [
        ("a string", said(VALID, Protocol(38))[:8] + pack_u64(1 << 62)),
        ("a list", pack_u64(6 + 25) + pack_u64(1 << 40)),
        ("a frame", said(AddToStore(name="x", dump=b""), Protocol(38))[:-8] + pack_u64(1 << 33)),
    ],
)
def test_wild_length_makes_the_rest_opaque(what: str, bad: bytes) -> None:
    talk = Playbook(Protocol(38)).greet() >> bad << StderrError(message="out of memory")
    talk << StderrError(message="std::bad_alloc")
    _, wild, strange, again = talk.exchanges()
    assert strange.kind == "opaque"
    assert strange.notes[0].reason is Reason.WILD_LENGTH
    assert not wild.complete
    assert wild.error is not None
    assert again.kind == "orphan"


def test_what_is_no_nar_makes_the_rest_opaque() -> None:
    talk = Playbook(Protocol(21)).greet()
    talk >> said(AddToStore(name="x", dump=b""), Protocol(21)) + text(b"nix-archive-2")
    _, added, strange = talk.exchanges()
    assert "'nix-archive-1'" in strange.notes[0].expected
    assert not added.complete


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        (b"\x01", Reason.NUMBER_CUT),
        (pack_u64(26)[:7], Reason.NUMBER_CUT),
        (b"\0\0", Reason.NO_OPERATION),  # padding, for instance
        (b"\x01\x01", Reason.NO_OPERATION),
        (b"\xfd", Reason.NO_OPERATION),
    ],
)
def test_what_is_left_of_a_number_is_told_from_what_is_none(left: bytes, reason: Reason) -> None:
    talk = Playbook(Protocol(38)).greet() >> VALID << StderrLast() << YES
    *_, rest = (talk >> left >> EOF).exchanges()
    assert [note.reason for note in rest.notes] == [reason]
    assert rest.kind == "opaque"
