"""Who refuses whom, and what is understood of it."""

from __future__ import annotations

import pytest

from pix.codec.gates import Protocol
from pix.codec.wire import pack_u64
from pix.conversation import CLIENT, DAEMON, Conversation
from pix.conversation.exchange import Exchange
from pix.conversation.notes import Note, Reason
from pix.protocol.handshake import NOT_ALLOWED, ClientHello, DaemonHello
from pix.protocol.logging import StderrError, StderrLast, StderrNext
from pix.protocol.operations import IsValidPath
from tests.support.playbook import EOF, Playbook, said
from tests.support.words import PATH

V38 = Protocol(38)
HELLO = said(ClientHello(version=0x126), V38)


def opaque(exchanges: list[Exchange]) -> list[Exchange]:
    return [e for e in exchanges if e.kind == "opaque"]


@pytest.mark.parametrize("minor", range(10, 40))
def test_every_version_greets(minor: int) -> None:
    talk = Playbook(Protocol(minor)).greet()
    (handshake,) = talk.exchanges()
    assert handshake.kind == "handshake"
    assert handshake.complete
    assert handshake.protocol == Protocol(minor)
    assert (handshake.request_end, handshake.daemon_end) == talk.size
    assert not handshake.notes


def test_smaller_version_counts() -> None:
    for client, daemon in ((0x126, 0x122), (0x122, 0x126)):
        talk = Playbook(Protocol(34)).greet(client=client, daemon=daemon, nix="2.8.0")
        conversation = talk.play()
        assert conversation.protocol == Protocol(34)
        assert conversation.versions == [client, daemon]
        assert conversation.daemon_nix == "2.8.0"
        assert talk.exchanges()[0].complete


def test_feature_counts_when_both_have_it() -> None:
    both = Protocol(38, frozenset({"provenance"}))
    talk = Playbook(both).greet(offer=frozenset({"submit-output", "from-the-future"}))
    conversation = talk.play()
    assert conversation.protocol == both
    assert [set(features or ()) for features in conversation.features] == [
        {"provenance", "submit-output", "from-the-future"},
        {"provenance"},
    ]


def test_unknown_minor_is_read_as_the_newest() -> None:
    talk = Playbook(Protocol(45)).greet()
    talk >> IsValidPath(path=PATH) << StderrLast() << IsValidPath.Reply(valid=True)
    handshake, query = talk.exchanges()
    assert handshake.protocol == Protocol(45)
    assert query.complete


def test_another_major_is_taken_as_old_daemons_take_it() -> None:
    """Nix 2.8 accepts 0x222 and acts as 1.34, accepts 0x200 and acts as 1.0."""
    as_34 = Playbook(Protocol(34)).greet(client=0x222, daemon=0x122)
    assert as_34.exchanges()[0].protocol == Protocol(34)
    as_0 = Playbook(Protocol(0)).greet(client=0x200, daemon=0x122)
    (handshake,) = as_0.exchanges()
    assert handshake.protocol == Protocol(0)
    assert handshake.complete


def test_client_speaks_before_it_knows_the_daemon() -> None:
    """Nix 2.24 and later send magic and version in one write; daemons take more than that."""
    talk = Playbook(V38)
    talk >> HELLO + said(IsValidPath(path=PATH), V38)
    talk << DaemonHello(version=0x126) << StderrLast()
    talk << StderrLast() << IsValidPath.Reply(valid=False)
    handshake, query = talk.exchanges()
    assert handshake.complete
    assert query.start == handshake.request_end == len(HELLO)
    assert query.complete


def test_client_asks_for_a_processor() -> None:
    """Only Nix 1.6 to 2.5 clients with lock-cpu."""
    talk = Playbook(Protocol(21))
    talk >> ClientHello(version=0x115, cpu=3, reserve_space=True)
    talk << DaemonHello(version=0x115) << StderrLast()
    (handshake,) = talk.exchanges()
    assert handshake.complete
    assert handshake.request_end == 40


def test_log_frames_come_in_the_handshake() -> None:
    talk = Playbook(V38) >> HELLO << DaemonHello(version=0x126)
    talk << StderrNext(text="warning: something\n") << StderrLast()
    (handshake,) = talk.exchanges()
    assert handshake.complete
    assert handshake.frames == 1


def test_daemon_could_not_start() -> None:
    talk = Playbook(V38) >> HELLO << DaemonHello(version=0x126)
    talk << StderrError(message="cannot open the store") << EOF
    (handshake,) = talk.exchanges()
    assert handshake.error is not None
    assert not handshake.complete
    assert handshake.notes == (Note(Reason.NOT_STARTED),)


def test_error_that_breaks_off_in_the_handshake() -> None:
    talk = Playbook(V38) >> HELLO << DaemonHello(version=0x126)
    talk << said(StderrError(message="cannot open the store"), V38)[:50] << EOF >> EOF
    (handshake,) = talk.exchanges()
    assert handshake.notes == (Note(Reason.HANDSHAKE_CUT, talk.size[DAEMON], DAEMON),)


def test_error_without_status_in_the_handshake() -> None:
    """Nix 1.0 to 1.7 leave out a status of 0, then close."""
    v14 = Protocol(14)
    error = said(StderrError(message="cannot open the database"), v14)[:-8]
    talk = Playbook(v14) >> ClientHello(version=0x10E) << DaemonHello(version=0x10E)
    talk << error << EOF
    (handshake,) = talk.exchanges()
    assert handshake.error == (16, 16 + len(error))
    assert handshake.notes[0].reason is Reason.NO_STATUS


def test_refused_version_is_a_close_behind_the_greeting() -> None:
    talk = Playbook(Protocol(10))
    talk >> ClientHello(version=0x10A) << DaemonHello(version=0x122) << EOF
    talk >> EOF
    (handshake,) = talk.exchanges()
    assert not handshake.complete or handshake.protocol == Protocol(10)

    talk = Playbook(V38) >> HELLO[:16]
    talk << said(DaemonHello(version=0x126), V38)[:16] << EOF >> EOF
    (handshake,) = talk.exchanges()
    assert not handshake.complete
    # nobody refuses its own version
    assert handshake.notes == (Note(Reason.CLOSED_EARLY, found="1.38"),)


def test_refused_version_with_features_already_sent() -> None:
    """Nix 2.26 sends its features before it refuses 0x26."""
    talk = Playbook(V38) >> HELLO[:8] + pack_u64(0x26)
    talk << said(DaemonHello(version=0x126), V38)[:24] << EOF >> EOF
    (handshake,) = talk.exchanges()
    assert handshake.notes[0].reason is Reason.VERSION_REFUSED
    assert handshake.notes[0].expected == "0.38"


def test_client_refuses_an_old_daemon() -> None:
    talk = Playbook(V38) >> HELLO[:8] << pack_u64(0x6478696F) + pack_u64(0x10A) >> EOF << EOF
    (handshake,) = talk.exchanges()
    assert not handshake.complete
    assert handshake.notes


def test_wrong_magic_from_the_client() -> None:
    talk = Playbook(V38) >> b"GET / HTTP/1.1\r\n\r\n" << EOF >> EOF
    handshake, strange = talk.exchanges()
    assert not handshake.complete
    assert (strange.kind, strange.side, strange.start) == ("opaque", CLIENT, 0)
    assert strange.notes[0].reason is Reason.WRONG_MAGIC
    assert "'GET / HT'" in strange.notes[0].found
    assert handshake.notes == (
        Note(Reason.HANDSHAKE_OPAQUE, 0, CLIENT, cause=strange.notes[0]),
        Note(Reason.SILENT_TO_STRANGER),
    )


SERVED = pack_u64(0x390C9DEB) + pack_u64(0x207)


@pytest.mark.parametrize(
    ("said", "reason"), [(HELLO[:16], Reason.SILENT), (SERVED, Reason.SILENT_TO_SERVE)]
)
def test_user_who_is_not_allowed_sees_nothing(said: bytes, reason: Reason) -> None:
    """Nor does a client of the other protocol."""
    talk = Playbook(V38) >> said << EOF >> EOF
    (handshake,) = talk.exchanges()
    assert handshake.notes == (Note(reason),)
    assert handshake.request_end == 16


def test_user_who_is_not_allowed_by_determinate_nix() -> None:
    """0xab9a9ff0 in place of the magic, alone, then close, without having read anything."""
    talk = Playbook(V38) << pack_u64(NOT_ALLOWED) << EOF >> HELLO[:16] >> EOF
    (handshake,) = talk.exchanges()
    assert handshake.notes == (Note(Reason.NOT_ALLOWED),)
    assert (handshake.daemon_start, handshake.daemon_end) == (0, 8)

    conversation = Conversation()
    conversation.feed(DAEMON, pack_u64(NOT_ALLOWED))
    for _ in range(1000):
        conversation.feed(DAEMON, b"x" * 4096)
    assert conversation.is_opaque(DAEMON)


@pytest.mark.parametrize("number", [0x161, 0x163, 0x15A])
def test_guix_is_recognised_and_raw(number: int) -> None:
    talk = Playbook(V38) >> pack_u64(0x6E697863) << pack_u64(0x6478696F) + pack_u64(number)
    talk >> pack_u64(number) + pack_u64(0) + pack_u64(80) << StderrLast()
    handshake, *rest = talk.exchanges()
    assert handshake.protocol is None
    assert not handshake.complete
    assert {(e.kind, e.side, e.start) for e in rest} == {
        ("opaque", CLIENT, 16),
        ("opaque", DAEMON, 16),
    }
    assert all(e.notes[0].reason is Reason.GUIX for e in rest)


@pytest.mark.parametrize(
    "banner",
    [
        b"started\n",
        b"Last login: Mon Jan 1 00:00:00 2024\r\n",
        b"bash: nix-daemon: command not found\n",
    ],
)
def test_foreign_text_is_shown(banner: bytes) -> None:
    """A login shell that speaks before `nix-daemon --stdio` does, or instead of it."""
    talk = Playbook(V38) >> HELLO[:16] << banner
    if banner == b"started\n":
        talk << DaemonHello(version=0x126)
    talk >> EOF << EOF
    handshake, strange = talk.exchanges()
    assert (strange.side, strange.start, strange.daemon_end) == (DAEMON, 0, talk.size[DAEMON])
    assert repr(banner[:8].decode()) in strange.notes[0].found
    assert handshake.notes


def test_foreign_text_shorter_than_a_word() -> None:
    talk = Playbook(V38) >> HELLO[:16] << b"no\n" << EOF >> EOF
    (handshake,) = talk.exchanges()
    assert handshake.notes == (Note(Reason.NO_MAGIC, 0, DAEMON, found="b'no\\n'"),)


@pytest.mark.parametrize(
    "features",
    [pack_u64(1 << 40), pack_u64(1) + pack_u64(1 << 40)],
    ids=["wild count", "wild length"],
)
def test_wild_features_are_opaque(features: bytes) -> None:
    talk = Playbook(V38) >> HELLO[:16] << said(DaemonHello(version=0x126), V38)[:16] + features
    handshake, strange = talk.exchanges()
    assert (strange.kind, strange.side) == ("opaque", DAEMON)
    assert not handshake.complete
