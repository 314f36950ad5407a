"""A connection whose beginning nobody recorded: from where on it is read, and as which version.

Clients of Nix send a request in one piece and wait for the answer: a piece that begins with an
operation's number, and is answered by one that begins with a STDERR word, is taken for a boundary.
Versions are tried from the newest on; that one is taken under which most exchanges come to their
end without a remark. It remains a guess, and is said to be one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pix.codec.gates import NEWEST_MINOR, OLDEST_MINOR, Protocol
from pix.conversation import Conversation
from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol import OPERATIONS, STDERR_FRAMES
from pix_inspect.recording.notes import State

ENOUGH = 64 << 10
"""Bytes of a connection that are looked at."""
MOST_TRIED = 20
"""Boundaries that are tried."""


class Piece(NamedTuple):
    """What passed in one packet: stream offset, what was kept, how much it was, where it stands."""

    side: int
    time: int
    offset: int
    data: bytes
    length: int
    position: int


def beginning(pieces: Sequence[Piece]) -> State | None:
    """Return where pieces can be read from on, and as what; None where nothing fits."""
    for start in _boundaries(pieces):
        passed = [0, 0]
        for piece in pieces[:start]:
            passed[piece.side] = piece.offset + piece.length
        at = (pieces[start].offset, passed[DAEMON])
        minors = range(NEWEST_MINOR, OLDEST_MINOR - 1, -1)
        best = max(minors, key=lambda minor: _understood(pieces[start:], minor, at))
        if _understood(pieces[start:], best, at):
            state = State.of(protocol=Protocol(best).text, boundary=list(at))
            return State.read(state)
    return None


def _boundaries(pieces: Sequence[Piece]) -> list[int]:
    """Return the first few pieces that look like requests, by index."""
    found, asked = [], None
    for i, piece in enumerate(pieces):
        word = int.from_bytes(piece.data[:8], "little")
        if piece.side == CLIENT:
            asked = i if word in OPERATIONS else asked
        elif asked is not None:
            if word in STDERR_FRAMES:
                found.append(asked)
            asked = None
    return found[:MOST_TRIED]


def _understood(pieces: Sequence[Piece], minor: int, at: tuple[int, int]) -> int:
    """Return how many exchanges are whole, and nothing remarkable, when read as that version."""
    talk = Conversation(protocol=Protocol(minor), offsets=at)
    for piece in pieces:
        talk.feed(piece.side, piece.data)
        if piece.length > len(piece.data):
            talk.gap(piece.side, piece.length - len(piece.data))
    return sum(exchange.complete and not exchange.notes for exchange in talk.exchanges)
