"""The handshake's fields in another order, or others than agreed; and what is right or open."""

from __future__ import annotations

import pytest

from pix.codec.gates import NEWEST_MINOR, OLDEST_MINOR
from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol.handshake import CLIENT_MAGIC, DAEMON_MAGIC
from pix.protocol.logging import STDERR_LAST
from pix_inspect.forensics.hellos import features_first, other_hello
from pix_inspect.forensics.mistakes import Mistake
from tests.support.mistaken import hellos, listed
from tests.support.words import PATH, text, word

ASKED = word(1) + text(PATH.encode())


def streams(minor: int, client: bytes, daemon: bytes) -> tuple[bytes, bytes]:
    version = word(0x100 | minor)
    return (
        word(CLIENT_MAGIC) + version + client,
        word(DAEMON_MAGIC) + version + daemon + word(STDERR_LAST),
    )


@pytest.mark.parametrize("minor", range(OLDEST_MINOR, NEWEST_MINOR + 1))
def test_nothing_is_said_of_what_is_right(minor: int) -> None:
    ours, theirs = hellos(minor)
    for behind in (ASKED, ASKED[:30], ASKED * 2, b""):
        said = streams(minor, ours + behind, theirs)
        assert [other_hello(said, side) for side in (CLIENT, DAEMON)] == [None, None]
    if minor == NEWEST_MINOR:
        said = streams(minor, listed() + ours[8:] + ASKED, listed() + theirs[8:])
        assert [other_hello(said, side) for side in (CLIENT, DAEMON)] == [None, None]


def test_a_part_that_breaks_off_is_no_mistake() -> None:
    ours, _ = hellos(38)
    for cut in range(len(ours)):
        found = other_hello((streams(38, ours[:cut], b"")[0], word(DAEMON_MAGIC) + word(0x126)), 0)
        assert found is None or not found.certain


def test_half_a_word_of_the_daemons_does_not_end_a_handshake() -> None:
    ours, _ = hellos(22)
    client, daemon = streams(22, ours[:-8], b"")
    for cut in range(7, 0, -1):
        found = other_hello((client, daemon[: len(daemon) - cut]), CLIENT)
        assert found is None or not found.certain
    whole = other_hello((client, daemon), CLIENT)
    assert whole is not None
    assert whole.certain


def test_no_client_reserves_space() -> None:
    """The word behind a hello is an operation's number, and no other layout's last field."""
    said = streams(31, word(0) * 2 + word(1) + word(8) + ASKED[8:], b"")
    assert other_hello(said, CLIENT) is None


def test_what_is_ambiguous_is_not_guessed() -> None:
    said = streams(21, *hellos(21))
    trusted_or_features = said[DAEMON][:16] + word(0) + word(STDERR_LAST)
    assert other_hello((said[CLIENT], trusted_or_features), DAEMON) is None


def test_the_field_and_its_version_are_named() -> None:
    ours, theirs = hellos(37)
    found = other_hello(streams(37, ours + ASKED, theirs[:-8]), DAEMON)
    assert found is not None
    assert found.mistake is Mistake.MISSING_TRUST
    assert "lacks trusted (since 1.35, Nix 2.15 to 2.19, and Lix)" in found.where


def test_features_before_the_version() -> None:
    for count in (0, 1, 2):
        found = features_first(word(CLIENT_MAGIC) + listed(count) + word(0x126) + bytes(16), 0)
        assert found is not None
        assert found.mistake is Mistake.MISPLACED_FEATURES
    assert features_first(word(CLIENT_MAGIC) + word(0x126) + bytes(24), CLIENT) is None
    assert features_first(word(CLIENT_MAGIC) + bytes(24), CLIENT) is None
