"""Notes on exchanges: what is irregular in a conversation, by its reason and with its facts.

Decisions compare reasons. A sentence is made once, of a reason's template, where it is shown.
"""

from __future__ import annotations

from pix.codec.errors import DecodeError, WildLength
from pix.codec.irregular import Worded
from pix.conversation.exchange import DAEMON, SIDES
from pix.dataclass import dataclass

_MISFIT = "expected {note.expected}, found {note.found}"


class Reason(Worded):
    """Why an exchange is not as it should be, in the sentence that says so."""

    # a handshake that comes to nothing
    NOT_ALLOWED = "the daemon refuses this user (Determinate Nix: allowed-users)"
    NOT_STARTED = "the daemon could not start"
    SILENT = "the daemon said nothing: a user who is not allowed, or a crash"
    SILENT_TO_SERVE = (
        "the daemon said nothing to a client of nix-store --serve (0x390c9deb): ssh:// on one side,"
        " ssh-ng:// or nix-daemon --stdio on the other, or a crash"
    )
    CLIENT_LEFT = "the client closed before the daemon had done its part of the handshake"
    ANSWERS_UNSEEN = (
        "the client went on as one that was answered: what the daemon said is not in the recording,"
        " or it said nothing"
    )
    CLIENT_UNSEEN = (
        "the daemon spoke: what the client said is not in the recording, or it said nothing"
    )
    SILENT_TO_STRANGER = "the daemon said nothing: wrong magic, or a user who is not allowed"
    NO_MAGIC = "the {note.speaker} said {note.found}, which is not the magic number"
    CLOSED_EARLY = "the daemon ({note.found}) did not finish its part of the handshake"
    NO_LAST = "the daemon did not finish its part of the handshake: STDERR_LAST is missing"
    VERSION_REFUSED = (
        "the daemon ({note.found}) said no more after it had heard the client's version"
        " {note.expected}, as one that refuses it"
    )
    HANDSHAKE_CUT = "the {note.speaker}'s stream ends inside the handshake, at byte {note.offset}"
    HANDSHAKE_OPAQUE = "the {note.speaker} {note.cause}"
    UNREACHED = "the client was not led to the daemon: {note.found}"
    COMMAND_ENDED = "the command that stands for the daemon ended with {note.found}"
    NO_WORD = "the connection ended before anybody said a word"

    # a request, and who left before it was over
    UNKNOWN_OPERATION = "not a known operation at byte {note.offset}: {note.found}"
    REQUEST_CUT = "the client's stream ends inside the request, at byte {note.offset}"
    REQUEST_OPAQUE = "request undecodable {note.cause}"

    # an answer that is early, cut, or missing
    ANSWERED_EARLY = "the daemon answered before the request was complete"
    ANSWER_CUT = "the daemon's stream ends inside the answer, at byte {note.offset}"
    ANSWER_OPAQUE = "its answer is not understood: see the daemon's bytes from {note.offset} on"
    BEHIND_DOUBLED = (
        "not answered: the daemon closes after the error of exchange {note.exchange}, said twice"
    )
    NO_ANSWER = "the daemon's stream ends without an answer"
    BUILD_FAILED = "a build failed: {note.found}"
    PAYLOAD_FAILED = "the payload breaks off at byte {note.offset} with an error"
    NO_STATUS = "the error has no status (Nix 1.0 to 2.3 leave out 0)"

    # a daemon that is out of step, and what it says that answers nothing
    ARGUMENTS_UNREAD = "the daemon is out of step from here on: its arguments were not read"
    FRAMES_UNREAD = "the daemon is out of step from here on: its frames were not read"
    OUT_OF_STEP = "the daemon is out of step since exchange {note.exchange}"
    NOT_ANSWERED = "not answered: the daemon is out of step since exchange {note.exchange}"
    REPEATED_ERROR = "repeats the error of exchange {note.exchange}"
    ORPHAN_CUT = "breaks off at byte {note.offset}"

    # opaque bytes: what stands there instead of what is declared
    WRONG_MAGIC = _MISFIT
    UNKNOWN_MAJOR = _MISFIT
    GUIX = _MISFIT
    GUIX_AND_NIX = _MISFIT
    BEHIND_REFUSAL = _MISFIT
    NO_FRAME = _MISFIT
    UNKNOWN_REPLY = _MISFIT
    UNASKED = _MISFIT
    ASKED_UNSEEN = "what this answers was not recorded"
    READS_UNSEEN = "how much of this the daemon asked for is not known"
    UNASKED_OUT_OF_STEP = (
        f"{_MISFIT} from a daemon that is out of step since exchange {{note.exchange}}"
    )
    WILD_LENGTH = _MISFIT
    UNDECODABLE = _MISFIT

    # opaque bytes: what is missing to understand them
    TOO_FAR_AHEAD = (
        "more than {note.length} bytes came while their meaning depended on the {note.speaker}"
    )
    NOT_RECORDED = "{note.length} bytes were not recorded where structure was needed"
    NO_OPERATION = "{note.length} bytes at the end are not an operation"
    NUMBER_CUT = "{note.length} bytes at the end begin the number of an operation"
    NOT_AGREED = "{note.length} bytes behind a handshake that the daemon did not finish"
    FRAME_CUT = "the stream ends inside a frame"
    BEGAN_EARLIER = "began in the previous file"
    BEGINNING_UNSEEN = "its beginning was not recorded"
    GUESSED = "what follows is read as protocol {note.found}, which is a guess"
    UNDER_WAY_EARLIER = "began in the previous file: {note.found} was under way"


GUIX = frozenset((Reason.GUIX, Reason.GUIX_AND_NIX))
"""One side or both are Guix's; with Nix from 1.33 on, which says more, no handshake comes to be."""
_NO_HELLO = frozenset((Reason.WRONG_MAGIC, Reason.GUIX_AND_NIX))
_FAILURES = frozenset(
    (
        Reason.UNREACHED, Reason.COMMAND_ENDED, Reason.NO_WORD, Reason.BUILD_FAILED,
        Reason.NOT_ALLOWED, Reason.NOT_STARTED, Reason.SILENT, Reason.SILENT_TO_SERVE,
        Reason.SILENT_TO_STRANGER, Reason.NO_MAGIC, Reason.VERSION_REFUSED, Reason.CLOSED_EARLY,
        Reason.NO_LAST,
    )
)  # fmt: skip
"""Of a handshake: its daemon owed the next word, and its client is not known to have left first."""


@dataclass(frozen=True, slots=True)
class Note:
    """One remark on an exchange.

    `offset` stands in the stream of the side that it is about, `side` is named by the sentence,
    `exchange` is the number of another exchange, `length` counts bytes, `expected` and `found`
    are for people, `cause` is what made the direction opaque.
    """

    reason: Reason
    offset: int | None = None
    side: int | None = None
    exchange: int | None = None
    length: int | None = None
    expected: str = ""
    found: str = ""
    cause: Note | None = None

    @property
    def is_failure(self) -> bool:
        """Whether nothing came to be for this reason."""
        if self.reason is Reason.HANDSHAKE_CUT:
            return self.side == DAEMON
        if self.reason is Reason.HANDSHAKE_OPAQUE:
            return self.cause is not None and self.cause.reason in _NO_HELLO
        return self.reason in _FAILURES

    @property
    def speaker(self) -> str:
        return SIDES[self.side or 0]

    @property
    def said(self) -> str:
        """The sentence, without the place of what does not fit."""
        return self.reason.sentence.format(note=self)

    def __str__(self) -> str:
        is_misfit = self.expected and self.offset is not None
        return f"at byte {self.offset}: {self.said}" if is_misfit else self.said


class Misfit(DecodeError):
    """Bytes that are not what is declared, for a `reason` that decisions depend on."""

    def __init__(
        self, reason: Reason, offset: int, expected: str, found: str, exchange: int | None = None
    ) -> None:
        super().__init__(offset, expected, found)
        self.reason = reason
        self.exchange = exchange


def note_of(error: DecodeError) -> Note:
    """Return what is to be noted on bytes that do not fit."""
    exchange = None
    if isinstance(error, Misfit):
        reason, exchange = error.reason, error.exchange
    else:
        reason = Reason.WILD_LENGTH if isinstance(error, WildLength) else Reason.UNDECODABLE
    expected, found = error.expected, error.found
    return Note(reason, error.offset, exchange=exchange, expected=expected, found=found)
