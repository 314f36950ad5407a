"""Known mistakes of implementations of the protocol: one declaration each; and diagnoses of them.

Sources are issues in which each was found the hard way.
"""

from __future__ import annotations

from enum import Enum

from pix.codec.irregular import Worded
from pix.conversation.exchange import CLIENT, DAEMON
from pix.dataclass import dataclass

_EIGHT_BYTES = "NixOS/nix serialise.hh: every number takes eight bytes"


_PADDED = "NixOS/nix serialise.cc: zeros up to eight bytes follow a string, and are not counted"


class Mistake(Enum):
    """A mistake: the label by which people know it, what it is, and where it was met."""

    # fmt: off
    MISSING_ONE = ("missing one", "the reply lacks the 1 that stands for success",
                   "Nix daemon.cc: operations without a result answer 1")
    EXTRA_ONE = ("extra one", "a 1 follows a reply that has no such field",
                 "Nix daemon.cc: SetOptions, AddToStoreNar and AddMultipleToStore answer nothing")
    UNREAD_ONE = ("unread one", "the client did not read the 1 that ends the reply before, and"
                  " takes it for a STDERR frame", "harmonia#954, #977; psyclyx/fix#5")
    MISSING_LAST = "missing STDERR_LAST", "the reply comes without STDERR_LAST before it"
    DOUBLED_LAST = "doubled STDERR_LAST", "STDERR_LAST stands there twice"
    SHORT_REPLY = "short reply", "the reply ends before its declaration does", "NixOS/nix#4655"
    LONG_REPLY = "long reply", "the reply goes on behind its declaration", "NixOS/nix#4655"
    SHORT_REQUEST = "short request", "the request ends before its declaration does"
    LONG_REQUEST = "long request", "the request goes on behind its declaration", "NixOS/nix#3943"
    MISSING_FIELD = ("missing field", "a field of the declaration is left out", "NixOS/nix#4655")
    EXTRA_FIELD = ("extra field", "a value stands there that is not declared", "NixOS/nix#3943")
    OTHER_FEATURE = ("other feature", "a feature's layout is spoken that is not in force, or not"
                     " spoken though it is", "Nix worker-protocol.cc")
    OTHER_VERSION = ("other version", "announced was one version, this has the layout of another",
                     "cachix/devenv#1364, NixOS/nix#5299")
    NARROW_LENGTH = "32-bit length", "the length is written in four bytes, not eight", _EIGHT_BYTES
    NARROW_NUMBER = "32-bit number", "the number is written in four bytes, not eight", _EIGHT_BYTES
    TEXT_FOR_LIST = "string for a list", "a text stands where a list of texts should be"
    BIG_ENDIAN = "big-endian number", "the number is written with its highest byte first"
    MISSING_PADDING = "missing padding", "a string is not filled up to eight bytes"
    FOUR_PADDED = ("padding to four", "a string is filled up to four bytes, not eight", _PADDED)
    COUNTED_ZEROS = ("counted zeros", "a length counts what is no text: padding, or a NUL", _PADDED)
    PADDED_FRAMES = ("padded frames", "frames are filled up to eight bytes, which only strings are",
                     "Nix serialise.hh: FramedSource")
    HALF_NAR = "half a NAR", "the NAR breaks off, and the next operation follows", "NixOS/nix#2167"
    HALF_FRAME = ("half a frame", "a frame breaks off, and the next operation follows",
                  "NixOS/nix#6495")
    UNENDED_FRAMES = ("unended frames", "the empty frame that ends the payload is missing",
                      "NixOS/nix#6495")
    BARE_NAR = ("bare NAR", "a payload travels without the frames in which it is due",
                "haskell-nix/hnix-store#265; Nix remote-store.cc: frames from 1.23 and 1.25 on")
    FRAMED_NAR = ("framed NAR", "the NAR travels in frames, where it stands bare",
                  "Nix legacy-ssh-store.cc: addToStore")
    OTHER_PROTOCOL = ("other protocol", "the worker protocol is spoken, agreed was the serve one",
                      "Nix nix-store.cc: opServe")
    STRING_FOR_FRAMES = "string for frames", "the payload is one padded string, due are frames"
    UNREAD_FIELD = ("unread field", "the daemon stopped reading the request before its end",
                    "NixOS/nix#3943, harmonia#977")
    UNREAD_PAYLOAD = ("unread payload", "the daemon stopped reading the payload before its end",
                      "NixOS/nix#3943")
    MISSING_FEATURES = ("missing feature list",
                        "1.38 is announced, and no list of features follows", "cachix/devenv#1364")
    UNDUE_FEATURES = ("undue feature list", "a list of features at a version that has none",
                      "Nix worker-protocol-connection.cc: features from 1.38 on")
    MISPLACED_FEATURES = ("misplaced features", "the list of features follows the version, before"
                          " the processor flag", "Nix worker-protocol-connection.cc")
    MISSING_TRUST = ("missing trust word", "the word that says whether the client is trusted is"
                     " missing", "Nix worker-protocol-connection.cc: from 1.35 on")
    UNDUE_TRUST = ("undue trust word", "a word of trust at a version that has none",
                   "Nix worker-protocol-connection.cc: from 1.35 on")
    LINE_ENDS = ("CR LF for LF", "a terminal or a text-mode pipe stands in between and made CR LF"
                 " of each line feed", "termios(3): ONLCR; ssh(1): -T")
    ECHO = ("terminal echo", "a terminal stands in between and says the client's words again",
            "termios(3): ECHO, ECHOCTL")
    SWALLOWED = ("swallowed bytes", "a terminal takes such bytes for itself: they did not arrive",
                 "termios(3): ISIG, IXON, ICANON")
    EARLY_ANSWERS = ("early answers", "answers stand before their questions: the two directions"
                     " were put together in another order, or the daemon does not wait")
    DOUBLED_HELLO = ("doubled hello", "a handshake begins on a connection that has had its own")
    DOUBLED_VERSION = "doubled version", "the client says its version twice", "NixOS/nix#11126"
    TEXT_IN_STREAM = "text in the stream", "something printed into the connection", "NixOS/nix#5290"
    # fmt: on

    def __init__(self, label: str, what: str, source: str = "") -> None:
        self.label = label
        self.what = what
        self.source = source


class Proviso(Worded):
    """What else may have been the case, where a mistake is not certain: why the side that left
    first did, or whether something is missing.
    """

    LEFT = "if it did not end on purpose"
    KILLED = "if it was not killed"
    CRASHED = "if it did not crash"
    ALL_SAID = "if that is all that was to be said"

    @property
    def side(self) -> int | None:
        """The side that has to have left first; None where it need not."""
        if self is Proviso.ALL_SAID:
            return None
        return DAEMON if self is Proviso.CRASHED else CLIENT


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What explains that a stream is out of step: a mistake if one is known, and where it is.

    `proviso` is None where it is certain. `word` says what the impossible word would be,
    `evidence` what else speaks for it. All texts are inert and for people.
    """

    mistake: Mistake | None = None
    where: str = ""
    proviso: Proviso | None = None
    word: str = ""
    evidence: tuple[str, ...] = ()

    @property
    def certain(self) -> bool:
        return self.mistake is not None and self.proviso is None

    @property
    def lines(self) -> tuple[str, ...]:
        """The diagnosis in words."""
        said = []
        if self.mistake is not None:
            label, what, source = self.mistake.label, self.mistake.what, self.mistake.source
            known = f" ({source})" if source else ""
            unless = f"{self.proviso.sentence}, this " if self.proviso is not None else ""
            said.append(f"{unless}looks like “{label}”: {self.where}: {what}{known}")
        return (*([self.word] if self.word else ()), *said, *self.evidence)
