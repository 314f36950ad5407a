"""The handshake as it is heard: two scanners that tell each other the versions.

The client's side needs the daemon's version (and features) before its own fields can be
placed, and the other way round. What was negotiated is the ledger's `protocol`.
Source: Nix `worker-protocol-connection.cc`, `daemon.cc`; the layouts are those of
`pix.protocol.handshake`.
"""

from __future__ import annotations

from collections.abc import Generator

from pix.codec.cursor import Cursor, Scan
from pix.codec.errors import DecodeError
from pix.codec.gates import GUIX_MINOR, Protocol, negotiate, version_text
from pix.codec.wire import text_of
from pix.codec.words import foreign
from pix.conversation.exchange import CLIENT, DAEMON
from pix.conversation.notes import Misfit, Note, Reason
from pix.conversation.open_exchanges import Ledger
from pix.protocol.handshake import CLIENT_MAGIC, DAEMON_MAGIC, NOT_ALLOWED

LONGEST_TEXT = 1 << 16
MOST_FEATURES = 1 << 10


class Greeting:
    """What both sides said of themselves; None for what was not heard (yet)."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.client_magic = False
        self.refused = False
        self.client_version: int | None = None
        self.daemon_version: int | None = None
        self.client_features: frozenset[str] | None = None
        self.daemon_features: frozenset[str] | None = None

    def client(self) -> Scan:
        """Scan the client's part, then wait until the protocol is in force."""
        ledger = self.ledger
        lane = ledger.client
        cursor = lane.cursor
        magic = yield from cursor.word()
        ledger.greeting()
        if magic != CLIENT_MAGIC:
            raise Misfit(Reason.WRONG_MAGIC, 0, "the client's magic 0x6e697863", foreign(magic))
        self.client_magic = True
        self.client_version = yield from cursor.word()
        ledger.changed = True
        yield from lane.wait(lambda: self.daemon_version is not None)
        protocol = self._negotiated()
        if protocol.minor >= 38:
            self.client_features = yield from _feature_list(cursor)
            ledger.changed = True
        if protocol.minor >= 14 and (yield from cursor.word()):
            yield from cursor.word()
        if protocol.minor >= 11:
            yield from cursor.word()
        ledger.greeted(CLIENT, cursor.offset)
        yield from lane.wait(lambda: ledger.protocol is not None)

    def daemon(self) -> Scan:
        """Scan the daemon's part up to its log loop."""
        ledger = self.ledger
        lane = ledger.daemon
        cursor = lane.cursor
        magic = yield from cursor.word()
        handshake = ledger.greeting()
        handshake.answered = ledger.now
        handshake.daemon_start = 0
        if magic == NOT_ALLOWED:
            handshake.note(Note(Reason.NOT_ALLOWED))
            handshake.daemon_end = cursor.offset
            self.refused = True
            while cursor.end == cursor.pos:
                yield
            end = "the end of the stream behind a refusal"
            raise Misfit(Reason.BEHIND_REFUSAL, cursor.offset, end, "more bytes")
        if magic != DAEMON_MAGIC:
            raise Misfit(Reason.WRONG_MAGIC, 0, "the daemon's magic 0x6478696f", foreign(magic))
        self.daemon_version = yield from cursor.word()
        ledger.changed = True
        yield from lane.wait(lambda: self.client_version is not None)
        protocol = self._negotiated()
        if protocol.minor >= 38:
            self.daemon_features = yield from _feature_list(cursor)
            ledger.changed = True
            yield from lane.wait(lambda: self.client_features is not None)
            protocol = self._negotiated()
        ledger.protocol = handshake.protocol = protocol
        ledger.changed = True
        if protocol.minor >= 33:
            ledger.daemon_nix = text_of((yield from cursor.text(LONGEST_TEXT)))
        if protocol.minor >= 35:
            yield from cursor.word()
        yield from cursor.arrived()
        handshake.reply = (0, cursor.offset)

    def _negotiated(self) -> Protocol:
        assert self.client_version is not None
        assert self.daemon_version is not None
        minor = negotiate(self.client_version, self.daemon_version)
        if minor >= GUIX_MINOR:
            found = f"1.{minor}: Guix, which shares only the magic"
            raise Misfit(Reason.GUIX, 8, "a Nix protocol version", found)
        features = (self.client_features or frozenset()) & (self.daemon_features or frozenset())
        return Protocol(minor, features)

    def ended(self) -> None:
        """Conclude a handshake that came to nothing, and say why as far as it can be seen."""
        ledger = self.ledger
        client, daemon = ledger.client.cursor, ledger.daemon.cursor
        if ledger.protocol is None and (client.received or daemon.received):
            ledger.greeting()
        handshake = ledger.handshake
        if handshake is None or handshake.ended is not None:
            return
        why = None
        silent = daemon.received == 0
        failed = handshake.error is not None and handshake.error[1] is not None
        if ledger.daemon.opaque is not None or failed:
            pass
        elif self.refused:
            ledger.greeting_ended(None)
            return
        elif silent and self.client_magic:
            why = Note(Reason.SILENT)
        elif silent:
            why = Note(Reason.SILENT_TO_STRANGER)
        elif daemon.received < 8:
            why = Note(Reason.NO_MAGIC, found=repr(bytes(daemon.buf[: daemon.end])))
        elif handshake.daemon_end is None:
            ours, theirs = self.client_version, self.daemon_version
            if ours is None or theirs is None or handshake.reply is not None:
                why = Note(Reason.HANDSHAKE_CUT, daemon.received, DAEMON)
            elif ours == theirs:
                why = Note(Reason.CLOSED_EARLY, found=version_text(theirs))
            else:
                says, refuses = version_text(theirs), version_text(ours)
                why = Note(Reason.VERSION_REFUSED, found=says, expected=refuses)
        if why is None and handshake.request_end is None:
            why = Note(Reason.HANDSHAKE_CUT, client.received, CLIENT)
        ledger.greeting_ended(why)


def _feature_list(cursor: Cursor) -> Generator[None, None, frozenset[str]]:
    count = yield from cursor.word()
    if count > MOST_FEATURES:
        raise DecodeError(cursor.offset - 8, "the number of features", f"{count:#x}")
    found = set()
    for _ in range(count):
        found.add(text_of((yield from cursor.text(LONGEST_TEXT))))
    return frozenset(found)
