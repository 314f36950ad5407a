"""Two byte streams in, exchanges out: the passive observer of one connection, without I/O.

conversation   `Conversation.feed(side, data, time)`, in any chunking (observer)
exchange       the handshake, an operation, an orphan frame, or opaque bytes (exchange, handshake)
pending        which operation a reply, a frame or an end belongs to (open_exchanges)
direction      one side's bytes (direction): what the client says (requests), the daemon (answers)
round trip     a plain request and its answer, told as numbers (round_trips)
note           what is irregular, by its reason (notes)

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
