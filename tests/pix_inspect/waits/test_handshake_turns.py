"""Whose word is due, wherever a handshake stands still."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol.handshake import CLIENT_MAGIC, DAEMON_MAGIC
from pix_inspect.waits.handshake_turns import is_clients_turn
from pix_inspect.waits.waits import waits
from tests.support.recording import Recording
from tests.support.words import text, word

HELLO, GREETING = word(CLIENT_MAGIC), word(DAEMON_MAGIC)
V37, V38 = word(0x125), word(0x126)
NO_FEATURES, REST, NIX = word(0), word(0) * 2, text(b"2.34.8") + word(1)
SERVE = word(0x390C9DEB), word(0x5452EECB)

STANDS = {
    "half a hello": (HELLO, b"", CLIENT),
    "a hello": (HELLO + V38, b"", DAEMON),
    "half an answer": (HELLO + V38, GREETING, DAEMON),
    "both versions": (HELLO + V38, GREETING + V38, CLIENT),
    "both versions, no features": (HELLO + V38, GREETING + V37, CLIENT),
    "the client's features": (HELLO + V38 + NO_FEATURES, GREETING + V38, DAEMON),
    "both features": (HELLO + V38 + NO_FEATURES, GREETING + V38 + NO_FEATURES, CLIENT),
    "half the rest": (HELLO + V37 + REST[:8], GREETING + V37, CLIENT),
    "all of the client's": (HELLO + V38 + NO_FEATURES + REST, GREETING + V38 + NO_FEATURES, DAEMON),
    "no last word": (HELLO + V37 + REST, GREETING + V37 + NIX, DAEMON),
    "a banner": (HELLO + V38, b"Welcome to builder01, have a nice day\n", DAEMON),
    "nix-store --serve": (SERVE[0] + word(0x207), b"", DAEMON),
}


@pytest.mark.parametrize("name", STANDS)
def test_whose_turn_it_is(name: str, tmp_path: Path) -> None:
    client, daemon, due = STANDS[name]
    connection = Recording(tmp_path / "r.pcapng").open()
    connection.chunk(CLIENT, client[:16])
    if daemon:
        connection.chunk(DAEMON, daemon[:16])
    for side, rest in ((CLIENT, client[16:]), (DAEMON, daemon[16:])):
        if rest:
            connection.chunk(side, rest)
    session = connection.session(closed=False)
    assert is_clients_turn(session.exchange(0)) == (due == CLIENT)
    (wait,) = waits(session)
    assert wait.debtor == ("client", "daemon")[due]
    session.close()
