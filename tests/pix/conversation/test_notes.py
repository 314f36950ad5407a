"""Notes: facts by reason, one sentence each."""

from __future__ import annotations

from pix.codec.errors import DecodeError, WildLength
from pix.conversation.exchange import CLIENT, DAEMON
from pix.conversation.notes import Misfit, Note, Reason, note_of

FULL = Note(Reason.GUIX, 8, DAEMON, 3, 5, "this", "that", Note(Reason.NO_ANSWER))


def test_every_reason_has_a_sentence_on_one_line() -> None:
    for reason in Reason:
        said = str(Note(reason, FULL.offset, FULL.side, 3, 5, "this", "that", FULL.cause))
        assert said.isprintable(), reason
        assert "None" not in said
        assert "{" not in said
        assert said == said.strip(" .")


def test_bytes_that_do_not_fit_are_noted_by_their_reason() -> None:
    error = Misfit(Reason.NO_FRAME, 16, "a STDERR frame", "0x7")
    assert note_of(error) == Note(Reason.NO_FRAME, 16, expected="a STDERR frame", found="0x7")
    assert note_of(DecodeError(8, "x", "y")).reason is Reason.UNDECODABLE
    assert note_of(WildLength(8, "x", "y")).reason is Reason.WILD_LENGTH
    assert str(note_of(error)) == str(error) == "at byte 16: expected a STDERR frame, found 0x7"
    assert note_of(error).said == "expected a STDERR frame, found 0x7"


def test_a_note_tells_what_caused_it_and_who_is_meant() -> None:
    cause = Note(Reason.NOT_RECORDED, length=8)
    lost = Note(Reason.HANDSHAKE_OPAQUE, 0, DAEMON, cause=cause)
    assert str(lost) == "the daemon 8 bytes were not recorded where structure was needed"
    assert str(Note(Reason.HANDSHAKE_CUT, 12, CLIENT)).startswith("the client's stream")
