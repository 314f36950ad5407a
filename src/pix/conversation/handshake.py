"""The handshake as it is heard: two scanners that tell each other the versions.

The client's side needs the daemon's version (and features) before its own fields can be
placed, and the other way round. What was negotiated is the ledger's `protocol`.
Source: Nix `worker-protocol-connection.cc`, `daemon.cc`; the layouts are those of
`pix.protocol.handshake`.
"""

from __future__ import annotations

from collections.abc import Generator

from pix.codec.cursor import Cursor, Scan, scan
from pix.codec.errors import DecodeError
from pix.codec.gates import (
    FAMILIES,
    SERVE,
    WORKER,
    Protocol,
    is_guix,
    negotiate,
    version_text,
)
from pix.codec.wire import pack_u64, text_of
from pix.codec.words import foreign
from pix.conversation.direction import Lane
from pix.conversation.exchange import CLIENT, DAEMON, SIDES, Exchange
from pix.conversation.notes import Misfit, Note, Reason
from pix.conversation.open_exchanges import Ledger
from pix.protocol.handshake import HELLOS, NOT_ALLOWED

FEATURES = "features"
LONGEST_TEXT = 1 << 16
MOST_FEATURES = 1 << 10
VERSION_END = 16
"""Bytes of magic and version: who has said them waits for the other's."""
REFUSING = 24
"""Bytes after which a daemon closes that refuses the client: Nix 2.26 says its features before."""


class Handshake:
    """What both sides said of themselves, the client first; None for what was not heard (yet)."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.client_magic = False
        self.refused = False
        self.versions: list[int | None] = [None, None]
        self.features: list[frozenset[str] | None] = [None, None]

    def client(self) -> Scan:
        """Scan the client's part, then wait until the protocol is in force."""
        ledger = self.ledger
        lane = ledger.client
        magic = yield from lane.cursor.word()
        ledger.begun_handshake()
        self._hear_magic(CLIENT, magic)
        self.client_magic = True
        yield from self._said(lane)
        ledger.handshake_over(CLIENT, lane.cursor.offset)
        yield from lane.wait(lambda: ledger.protocol is not None)

    def daemon(self) -> Scan:
        """Scan the daemon's part up to its log loop."""
        ledger = self.ledger
        cursor = ledger.daemon.cursor
        magic = yield from cursor.word()
        handshake = ledger.begun_handshake()
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
        self._hear_magic(DAEMON, magic)
        yield from self._said(ledger.daemon)
        handshake.reply = (0, cursor.offset)

    def _hear_magic(self, side: int, magic: int) -> None:
        """Take a side's first word; the first that is known says which protocol it is."""
        ledger = self.ledger
        if ledger.family is None:
            ledger.family = next((f for f in FAMILIES if f.magics[side] == magic), None)
        expected = (ledger.family or WORKER).magics[side]
        if magic != expected:
            wanted = f"the {SIDES[side]}'s magic {expected:#x}"
            raise Misfit(Reason.WRONG_MAGIC, 0, wanted, foreign(magic))

    def _said(self, lane: Lane) -> Scan:
        """Scan what a side says behind its magic: its version, and what that brings with it."""
        cursor, side = lane.cursor, lane.side
        self.versions[side] = yield from cursor.word()
        self.ledger.changed = True
        yield from lane.wait(lambda: None not in self.versions)
        protocol = self._agreed()
        for field in HELLOS[protocol.family][side].layout(protocol)[2:]:
            if field.name == FEATURES:
                self.features[side] = yield from _feature_list(cursor)
                self.ledger.changed = True
                if side == DAEMON:
                    yield from lane.wait(lambda: None not in self.features)
                    self._agreed()
            elif field.name == "daemon_nix_version":
                self.ledger.daemon_nix = text_of((yield from cursor.text(LONGEST_TEXT)))
            else:
                yield from scan(cursor, field.wire.program(protocol))
        yield from cursor.arrived()

    def _agreed(self) -> Protocol:
        """Return what the versions and features come to; it is in force once both are known."""
        client, daemon = self.versions
        assert client is not None
        assert daemon is not None
        ledger = self.ledger
        family = ledger.family or WORKER
        minor = negotiate(client, daemon, family)
        if family is not WORKER and (smaller := min(client, daemon)) >> 8 != family.major:
            wanted = f"a version {family.major}.N of the {family} protocol"
            raise Misfit(Reason.UNKNOWN_MAJOR, 8, wanted, version_text(smaller))
        if family is WORKER and (guix := list(filter(is_guix, (client, daemon)))):
            found = f"{version_text(guix[0])}: Guix, which shares only the magic"
            says_more = HELLOS[WORKER][DAEMON].has("daemon_nix_version", Protocol(minor))
            reason = Reason.GUIX_AND_NIX if len(guix) == 1 and says_more else Reason.GUIX
            raise Misfit(reason, 8, "a Nix protocol version", found)
        ours, theirs = self.features
        protocol = Protocol(minor, (ours or frozenset()) & (theirs or frozenset()), family)
        if ledger.protocol is None and (
            None not in self.features or not HELLOS[family][CLIENT].has(FEATURES, protocol)
        ):
            ledger.protocol = ledger.begun_handshake().protocol = protocol
            ledger.changed = True
        return protocol

    def ended(self) -> None:
        """Conclude a handshake that came to nothing, and say why as far as it can be seen."""
        ledger = self.ledger
        client, daemon = ledger.client.cursor, ledger.daemon.cursor
        if ledger.protocol is None and (client.received or daemon.received):
            ledger.begun_handshake()
        handshake = ledger.handshake
        if handshake is None or handshake.ended is not None:
            return
        failed = handshake.error is not None and handshake.error[1] is not None
        if self.refused or failed or (handshake.notes and daemon.received):
            ledger.handshake_ended(None)
        else:
            ledger.handshake_ended(self._cut(handshake))

    def _cut(self, handshake: Exchange) -> Note:
        """Return what is to be said of a handshake that both sides left: who owed what."""
        ledger = self.ledger
        client, daemon = ledger.client.cursor, ledger.daemon.cursor
        ours, theirs = self.versions
        client_left = ledger.first_left == CLIENT
        magic = pack_u64((ledger.family or WORKER).magics[DAEMON])
        if not client.received and theirs is not None:
            return Note(Reason.CLIENT_UNSEEN)
        if client.received < 8:
            head = bytes(client.buf[: client.end])
            if not any(pack_u64(family.magics[CLIENT]).startswith(head) for family in FAMILIES):
                return Note(Reason.NO_MAGIC, 0, CLIENT, found=repr(head))
            return Note(Reason.HANDSHAKE_CUT, client.received, CLIENT)
        if not self.client_magic:
            return Note(Reason.SILENT_TO_STRANGER)
        if not daemon.received:
            if client.received < VERSION_END and ledger.first_left not in (CLIENT, DAEMON):
                return Note(Reason.HANDSHAKE_CUT, client.received, CLIENT)
            if client.received > VERSION_END and ledger.first_left != DAEMON:
                return Note(Reason.ANSWERS_UNSEEN)
            silent = Reason.SILENT_TO_SERVE if ledger.family is SERVE else Reason.SILENT
            return Note(Reason.CLIENT_LEFT if client_left else silent)
        if daemon.received < 8 and not magic.startswith(head := bytes(daemon.buf[: daemon.end])):
            return Note(Reason.NO_MAGIC, 0, DAEMON, found=repr(head))
        if theirs is None and not client_left:
            return Note(Reason.HANDSHAKE_CUT, daemon.received, DAEMON)
        if theirs is None:
            return Note(Reason.CLIENT_LEFT)
        short = daemon.received <= REFUSING and not client_left
        if short and ours is not None and (ours < theirs or ours >> 8 != theirs >> 8):
            says, refuses = version_text(theirs), version_text(ours)
            return Note(Reason.VERSION_REFUSED, found=says, expected=refuses)
        if self._owing(handshake) == CLIENT and ledger.first_left != DAEMON:
            return Note(Reason.HANDSHAKE_CUT, client.received, CLIENT)
        if client_left:
            return Note(Reason.CLIENT_LEFT)
        if handshake.reply is None:
            return Note(Reason.CLOSED_EARLY, found=version_text(theirs))
        if handshake.reply[1] == daemon.received:
            return Note(Reason.NO_LAST, daemon.received, DAEMON)
        return Note(Reason.HANDSHAKE_CUT, daemon.received, DAEMON)

    def _owing(self, handshake: Exchange) -> int:
        """Return the side whose word is due, once the daemon's version is known."""
        ours, theirs = self.features
        if handshake.request_end is not None:
            return DAEMON
        # behind its list of features a client waits for the daemon's
        return DAEMON if ours is not None and theirs is None else CLIENT


def _feature_list(cursor: Cursor) -> Generator[None, None, frozenset[str]]:
    count = yield from cursor.word()
    if count > MOST_FEATURES:
        raise DecodeError(cursor.offset - 8, "the number of features", f"{count:#x}")
    found = set()
    for _ in range(count):
        found.add(text_of((yield from cursor.text(LONGEST_TEXT))))
    return frozenset(found)
