"""A field too many or too few is found by trying, and what is ambiguous is said to be."""

from __future__ import annotations

from pix.codec.gates import Protocol
from pix.protocol import OPERATIONS_BY_NAME
from pix_inspect.forensics.fields import MOST_TRIES, gate_text, one_field
from pix_inspect.forensics.messages import Message, Requests
from tests.support.typical import reply_of, request_of
from tests.support.words import PATH, text, word

V38 = Protocol(38)
INFO = OPERATIONS_BY_NAME["QueryPathInfo"]
MISSING = OPERATIONS_BY_NAME["QueryMissing"]


def reply(data: bytes) -> Message:
    return Message(INFO.reply, data, V38, 1000, "reply")


def test_a_word_too_many() -> None:
    data = reply_of(INFO, V38)
    at = data.index(text(b"ab" * 32))
    found = one_field(reply(data[:at] + word(7) + data[at:]))
    assert found is not None
    assert found.is_missing is False
    assert found.where == f"reply.info.value.nar_hash at byte {1000 + at:,}"


def test_a_string_too_few() -> None:
    data, hashed = reply_of(INFO, V38), text(b"ab" * 32)
    found = one_field(reply(data.replace(hashed, b"")))
    assert found is not None
    assert found.is_missing
    assert found.where.startswith("reply.info.value.nar_hash at")


def test_one_of_several() -> None:
    data = reply_of(MISSING, V38)
    paths = data[: data.index(word(3), 8)]
    assert len(paths) % 3 == 0
    found = one_field(Message(MISSING.reply, data[len(paths) // 3 :], V38, 0, "reply"))
    assert found is not None
    assert not found.is_sure
    assert "will_build" in found.where
    assert "unknown" in found.where


def test_trailing_words_before_the_next_request() -> None:
    """CollectGarbage without its obsolete words, and a question behind it."""
    collect = OPERATIONS_BY_NAME["CollectGarbage"]
    data = request_of(collect, V38)[:-24] + word(1) + text(PATH.encode())
    found = one_field(Message(collect.request, data, V38, 0, "request", following=Requests()))
    assert found is not None
    assert found.is_last
    assert "obsolete_1 and request.obsolete_2 and request.obsolete_3" in found.where


def test_what_is_whole_is_not_mended() -> None:
    assert one_field(reply(reply_of(INFO, V38))) is None
    assert one_field(Message(INFO.reply, word(5) + word(5), V38, 0, "reply")) is None


def test_the_release_is_named() -> None:
    field = next(each for each in MISSING.request.fields if each.name == "paths")
    assert not gate_text(field)
    substitute = OPERATIONS_BY_NAME["QueryValidPaths"].request.fields[1]
    assert gate_text(substitute) == "since 1.27"
    mode = OPERATIONS_BY_NAME["BuildPaths"].request.fields[1]
    assert gate_text(mode) == "since 1.15, Nix 1.11"
    assert MOST_TRIES > 100
