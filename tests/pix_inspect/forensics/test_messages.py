"""Messages of one turn: what follows them is read on, and what was but interrupted is told."""

from __future__ import annotations

import pytest

from pix.codec.gates import Protocol
from pix.protocol import OPERATIONS_BY_NAME
from pix.protocol.logging import STDERR_LAST
from pix_inspect.forensics.messages import Answers, Message, Requests, fits, gated, other_feature
from tests.support.words import PATH, text, word

V38 = Protocol(38)
ASK = OPERATIONS_BY_NAME["IsValidPath"]
ONE = text(PATH.encode())
TWO = ONE + word(1) + ONE


def asked(data: bytes, beyond: bytes = b"") -> Message:
    return Message(ASK.request, data, V38, following=Requests(), beyond=beyond)


def test_requests_in_one_turn_are_all_read() -> None:
    assert fits(asked(ONE))
    assert fits(asked(TWO))
    assert not fits(asked(ONE + word(1)))
    assert not fits(asked(ONE + word(0)))
    assert not fits(asked(ONE + word(99_999)))


@pytest.mark.parametrize("cut", range(1, len(TWO)))
def test_what_was_interrupted_lacks_nothing(cut: int) -> None:
    assert fits(asked(TWO[:cut])) or asked(TWO[:cut], TWO[cut:]).goes_on


def test_what_goes_on_with_something_else_lacks_something() -> None:
    assert not asked(ONE + word(1), word(26) + ONE).goes_on
    assert not asked(ONE[:-8], word(26) + ONE).goes_on


def test_how_many_answers_to_the_daemon_follow_is_not_known() -> None:
    """An export that is pulled, and what is asked behind it."""
    pulled = word(27) + text(bytes(8))
    assert fits(asked(ONE + word(27)))
    assert fits(asked(ONE + pulled))
    assert fits(asked(ONE + pulled + word(1) + ONE))


@pytest.mark.parametrize("behind", [b"", text(b"NAR"), text(b"NAR") + word(1) + ONE])
def test_what_a_daemon_would_ask_for_does_not_come_where_it_does_not(behind: bytes) -> None:
    """A NAR of 1.22 is asked for, one of 1.38 is not: then nothing comes behind its fields."""
    pulled = Protocol(22)
    add = text(PATH.encode()) + text(b"") + text(b"h") + word(0) * 5 + text(b"") + word(0) * 2
    data = ONE + word(39) + add + behind
    assert fits(Message(ASK.request, data, pulled, following=Requests(pulled)))
    message = Message(ASK.request, data, V38, following=Requests(V38))
    assert fits(message, protocol=pulled) == (not behind)


def test_answers_are_as_many_as_questions() -> None:
    answer = word(STDERR_LAST) + word(1)
    for count, known in ((0, True), (1, True), (2, False)):
        said = word(1) + answer * count
        message = Message(ASK.reply, said, V38, following=Answers([ASK]))
        assert fits(message) == known


def test_the_layout_of_a_feature_is_known() -> None:
    request = OPERATIONS_BY_NAME["CollectGarbage"].request
    plain = word(2) + word(0) + word(0) + word(5) + word(0) * 3
    assert other_feature(Message(request, plain, V38)) is None
    of_paths = word(3) + word(0) + word(1) + ONE + word(0) * 2 + word(5) + word(0) * 3
    assert other_feature(Message(request, of_paths, V38)) == "delete-dead-specific-referrers"


def test_which_fields_are_the_difference() -> None:
    request = OPERATIONS_BY_NAME["QueryValidPaths"].request
    names = [field.name for field in gated(request, V38, Protocol(26))]
    assert names == ["substitute"]
