"""Two byte streams in, exchanges out: the passive observer of one connection, without I/O.

conversation   `Conversation.feed(side, data, time)`, in any chunking (observer)
exchange       the handshake, an operation, an orphan frame, or opaque bytes (exchange)
direction      the bytes of one side, and how far they are understood (direction)
request        what the client says (requests)
answer         log frames, reply, error: what the daemon says (answers)
round trip     a plain request and its answer, told as numbers (round_trips)

Imports `pix.protocol` and `pix.codec`. Begin at `observer`.
"""

from __future__ import annotations

from pix.codec.cursor import Limits
from pix.conversation.exchange import CLIENT, DAEMON, SIDES, Asked, Exchange, LogFrame
from pix.conversation.observer import Conversation
from pix.conversation.open_exchanges import Observer, PayloadSeen

__all__ = [
    "CLIENT",
    "DAEMON",
    "SIDES",
    "Asked",
    "Conversation",
    "Exchange",
    "Limits",
    "LogFrame",
    "Observer",
    "PayloadSeen",
]
