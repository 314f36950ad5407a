"""The JSON in a recording's comments: each object and each key of it, declared once.

Who writes makes an object and takes its `json`; who reads asks its class to `read` what stands
there. What is not as declared reads as if it were not there, so that whatever a file holds, what
was read has its type. `docs/recording-format.md` has the same for people.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypeAlias

FORMAT = 1
"""Version of the conventions on top of pcapng that are written."""

EVENT, NOTE, LOST, RECORDER, OMITTED = "event", "note", "lost", "recorder", "omitted"
"""What a comment is known by: something begins or ends; a note from the relay; bytes that were
not recorded; a note that is of no connection; what could not be written as a comment."""
EventKind: TypeAlias = Literal["open", "half-close", "reset", "close", "note", "continue"]
OURS = "pix-inspect"
"""What made the sections that are ours."""
SIDES = ("client", "daemon")
FARTHEST = 1 << 62
"""No stream offset is as large."""


class Form(NamedTuple):
    """What stands behind a key: its name, what reads it (None: it is something else)."""

    name: str
    read: Callable[[Any], Any]
    write: Callable[[Any], object] = lambda value: value


def _number(said: object) -> int | None:
    return said if type(said) is int and said >= 0 else None


def _side(said: object) -> int | None:
    return SIDES.index(said) if isinstance(said, str) and said in SIDES else None


def _offsets(said: object) -> tuple[int, int] | None:
    if not isinstance(said, list) or len(said) != 2:
        return None
    client, daemon = map(_number, said)
    if client is None or daemon is None or max(client, daemon) >= FARTHEST:
        return None
    return client, daemon


def _texts(said: object) -> dict[str, str] | None:
    if not isinstance(said, dict):
        return None
    return {name: text for name, text in said.items() if isinstance(text, str)}


def _list(said: object) -> tuple[Any, ...] | None:
    return tuple(said) if isinstance(said, list) else None


ANY = Form("anything", lambda said: said)
TEXT = Form("text", lambda said: said if isinstance(said, str) else None)
COMMAND = Form("text", TEXT.read, lambda text: text[:4096])
NUMBER = Form("number", _number)
DECIMAL = Form("decimal", lambda said: said if isinstance(said, int | float) else None)
SIDE = Form("side", _side, SIDES.__getitem__)
OFFSETS = Form("two offsets", _offsets, list)
LIST = Form("list", _list, list)
TEXTS = Form("list of texts", lambda said: (found := _list(said)) and tuple(map(str, found)), list)
PARENTS = Form("list of texts", TEXTS.read, lambda texts: [text[:1024] for text in texts[:16]])
TEXT_BY_NAME = Form("texts by name", _texts)
OBJECT = Form("object", lambda said: said if isinstance(said, dict) else None)


class Key(NamedTuple):
    """A key of an object. It is `needed`, or else left out, or `null`, where it says nothing."""

    name: str
    form: Form
    doc: str
    needed: bool = True
    null: bool = False
    default: Any = None


def key(name: str, form: Form, doc: str) -> Any:
    """Declare a key without which there is no such object."""
    return Key(name, form, doc)


def perhaps(name: str, form: Form, doc: str, *, default: Any = None, null: bool = False) -> Any:
    """Declare a key that may say nothing."""
    return Key(name, form, doc, False, null, default)


class Comment:
    """An object in a comment; its keys are declared in the order in which they are written."""

    keys: ClassVar[dict[str, Key]]
    """The keys, by attribute."""

    def __init_subclass__(cls) -> None:
        cls.keys = {name: each for name, each in vars(cls).items() if isinstance(each, Key)}

    def __init__(self, *values: Any, **named: Any) -> None:
        """Say these, in the order of the keys or by attribute."""
        named.update(zip(self.keys, values, strict=False))
        for name, each in self.keys.items():
            setattr(self, name, named.pop(name, each.default))
        if named:
            raise TypeError(f"{type(self).__name__} does not say {', '.join(named)}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    @classmethod
    def read(cls, said: object) -> Self | None:
        """Return what is said, None where it is not such an object."""
        if not isinstance(said, dict):
            return None
        found = {}
        for name, each in cls.keys.items():
            value = each.form.read(said.get(each.name))
            if value not in (None, ()):
                found[name] = value
            elif each.needed:
                return None
        return cls(**found)

    @classmethod
    def of(cls, **values: Any) -> dict[str, Any]:
        """Return the object that says these, in their order. Raises KeyError for other keys."""
        keys = cls.keys
        return {
            keys[name].name: None if value is None else keys[name].form.write(value)
            for name, value in values.items()
        }

    def json(self) -> dict[str, Any]:
        said = vars(self).items()
        return self.of(**{k: v for k, v in said if v not in (None, ()) or self.keys[k].null})


def within(kind: type[Comment]) -> Form:
    """Return the form of an object within another; it may be given as JSON already."""
    return Form(kind.__name__, kind.read, lambda said: said if type(said) is dict else said.json())


class Distance(Comment):
    """How distant the daemon was made on purpose."""

    each_way: float = perhaps("each way", DECIMAL, "seconds that everything is late", default=0)
    rate: float = perhaps("rate", DECIMAL, "bytes a second at most, 0 for any", default=0)
    jitter: float = perhaps("jitter", DECIMAL, "seconds that it may be later still", default=0)


class Made(Comment):
    """How a recording was made."""

    tool: str | None = perhaps("tool", TEXT, "what made it")
    upstream: str | None = perhaps("upstream", TEXT, "the way to the daemon")
    uid: int | None = perhaps("uid", NUMBER, "the user who made it")
    host: str | None = perhaps("host", TEXT, "the machine's name")
    payload: Any = perhaps("payload", ANY, "how many bytes of each payload are kept, or `full`")
    listen: str | None = perhaps("listen", TEXT, "the socket that clients come to")
    pid: int | None = perhaps("pid", NUMBER, "the process that makes it")
    command: Any = perhaps("command", LIST, "the command that is run")
    stdio: Any = perhaps("stdio", ANY, "whether the client speaks on standard input and output")
    delay: Distance | None = perhaps("delay", within(Distance), "how distant the daemon is made")
    played: str | None = perhaps("played", TEXT, "the recording whose daemon is played")
    replayed: str | None = perhaps("replayed", TEXT, "the recording whose client is played")
    formats: Any = perhaps("formats", LIST, "what it was imported from")
    events: Any = perhaps("events", ANY, "whether what was imported had times, or they are made up")
    declared: dict[str, str] = perhaps(
        "declared", TEXT_BY_NAME, "files of --declare, each with its text, or empty", default={}
    )

    @property
    def timeless(self) -> bool:
        """Whether its times are made up."""
        return self.events is False

    @property
    def is_import(self) -> bool:
        """Whether others recorded it, of which it is not known whether they kept all."""
        return self.formats is not None or self.events is not None


class Section(Comment):
    """What a file begins with, in its section header."""

    recording: str = key("recording", TEXT, "`pix-inspect`: what does not say so is not ours")
    format: int | None = perhaps("format", NUMBER, "the version of these conventions")
    needs: int | None = perhaps("needs", NUMBER, "the oldest version whose readers can read it")
    version: Any = perhaps("version", ANY, "the version of the program")
    file: int | None = perhaps("file", NUMBER, "which file of the recording it is, from 1")
    about: Made | None = perhaps("about", within(Made), "how it was made")


class Peer(Comment):
    """Who opened a connection, as far as it is known."""

    pid: int | None = perhaps("pid", NUMBER, "the process")
    uid: int | None = perhaps("uid", NUMBER, "its user")
    gid: int | None = perhaps("gid", NUMBER, "its group")
    command: str | None = perhaps("command", COMMAND, "its command line")
    parents: tuple[str, ...] = perhaps("parents", PARENTS, "the programs that ran it", default=())
    traceparent: str | None = perhaps("traceparent", TEXT, "the trace it is part of, if it says so")
    address: str | None = perhaps("address", TEXT, "where it came from, over a network")

    def __str__(self) -> str:
        known = (("pid", self.pid), ("uid", self.uid))
        words = [f"{name} {number}" for name, number in known if number is not None]
        words += filter(None, [self.address])
        command = "".join(c if c.isprintable() else repr(c)[1:-1] for c in self.command or "")
        return " ".join([*words, command[:200]]).strip()


class State(Comment):
    """From where on a connection can be decoded: a boundary between two operations."""

    protocol: str | None = perhaps("protocol", TEXT, "the version agreed on", null=True)
    features: tuple[str, ...] = perhaps("features", TEXTS, "those agreed on", default=(), null=True)
    daemon_nix: str | None = perhaps("daemon_nix", TEXT, "the version of the daemon", null=True)
    boundary: tuple[int, int] | None = perhaps("boundary", OFFSETS, "where, if known", null=True)
    exchange: str | None = perhaps("exchange", TEXT, "the operation under way")
    failed: str | None = perhaps("failed", TEXT, "why nothing of this is known")


class Continuation(Comment):
    """Where a file goes on with a connection that began in an earlier one."""

    offsets: tuple[int, int] | None = perhaps("offsets", OFFSETS, "bytes that had passed")
    state: State = perhaps("state", within(State), "how to decode it", default=State(), null=True)


class Opening(Comment):
    """A connection begins, or goes on in this file: a comment of its SYN."""

    event: EventKind = key(EVENT, TEXT, "`open`")
    connection: int | None = perhaps("connection", NUMBER, "its number, from 1")
    peer: Peer = perhaps("peer", within(Peer), "who opened it", default=Peer())
    about: Any = perhaps("about", OBJECT, "what else is known of it: its `upstream`")
    continues: Continuation | None = perhaps("continues", within(Continuation), "where it goes on")
    missing: str | None = perhaps("missing", TEXT, "what of it nobody recorded: its beginning")


class Ending(Comment):
    """A side sends no more, or the connection is over."""

    event: EventKind = key(EVENT, TEXT, "`half-close`, `reset` or `close`")
    side: int | None = perhaps("side", NUMBER, "which side: 0 the client, 1 the daemon")
    unended: tuple[Any, ...] = perhaps("unended", LIST, "sides that had not ended", default=())


class Lost(Comment):
    """Bytes of a side that passed and were not recorded, in one run, from this packet on."""

    bytes: int | None = perhaps("bytes", NUMBER, "bytes that should have been kept")
    passed: int | None = perhaps("passed", NUMBER, "bytes that passed")
    chunks: int | None = perhaps("chunks", NUMBER, "in how many chunks")
    until: int | None = perhaps("until", NUMBER, "when the last one passed, ns since 1970")
    why: str | None = perhaps("why", TEXT, "why they were not recorded")


class Unrecorded(Comment):
    """Connections of which not even the opening could be recorded."""

    connections: int = key("connections not recorded", NUMBER, "how many")


class GrpcCall(Comment):
    """A call of the gateway, and who made it."""

    method: str = key("method", TEXT, "the method's name, such as `IsValidPath`")
    caller: str | None = perhaps("caller", TEXT, "who called: process and user, or an address")


# Notes from the relay --------------------------------------------------------------------


class HungUp(Comment):
    """The relay ended the connection."""

    why: str = key("hung up", TEXT, "why")


class Refused(Comment):
    """The client was not led to the daemon."""

    why: str = key("upstream", TEXT, "what the matter is with the way there")


class CommandEnded(Comment):
    """The command that stands for the daemon ended otherwise than well, or without a word."""

    how: str = key("command ended", TEXT, "its exit status, or the signal")


class StandardError(Comment):
    """The command that stands for the daemon wrote to its standard error."""

    text: str = key("standard error", TEXT, "what it wrote, a piece as it came")


class Undelivered(Comment):
    """A side took no more of what the other sent."""

    side: int = key("undelivered", SIDE, "who sent it")
    last: int | None = perhaps("of the last bytes", NUMBER, "how many were sent last")


class Stuck(Comment):
    """A side does not read; it is told at once."""

    side: int = key("does not read", SIDE, "which side")
    held: int | None = perhaps("held", NUMBER, "bytes for it that the relay holds")
    since: int | None = perhaps("since", NUMBER, "since when, ns since 1970")


class Reading(Comment):
    """A side that did not read takes bytes again."""

    side: int = key("reads again", SIDE, "which side")


class LeftOut(Comment):
    """Payload that would have been kept, had the recording kept up."""

    why: str | None = perhaps("why", TEXT, "why it was left out")
    bytes: int | None = perhaps("bytes", NUMBER, "how much, when all is over")


class PayloadLeftOut(Comment):
    """From here on payload is left out; and again at the end, how much."""

    left_out: LeftOut = key("payload left out", within(LeftOut), "what was")


class Called(Comment):
    """What follows on the connection is asked for this call, up to the next."""

    call: GrpcCall = key("grpc", within(GrpcCall), "the call")


class ScannerFailed(Comment):
    """Decoding failed: from here on everything is kept."""

    error: str = key("scanner failed", TEXT, "the error")
    side: int | None = perhaps("side", SIDE, "whose bytes")


class TapFailed(Comment):
    """Nothing more of the connection is recorded."""

    error: str = key("tap failed", TEXT, "the error")


NOTES: dict[str, type[Comment]] = {
    next(iter(kind.keys.values())).name: kind
    for kind in (
        HungUp, Refused, CommandEnded, StandardError, Undelivered, Stuck, Reading, PayloadLeftOut,
        Called, ScannerFailed, TapFailed,
    )
} | {"boundary": State}  # fmt: skip
"""What a relay notes, by the key it is known by."""


def note_of(comment: dict[str, Any]) -> Comment | None:
    """Return what a relay noted with a comment, None where it is not a note or is not known."""
    said = comment.get(NOTE)
    if not isinstance(said, dict):
        return None
    return next((kind.read(said) for name, kind in NOTES.items() if name in said), None)


def lost_bytes(comment: dict[str, Any]) -> int:
    """Return how many bytes a comment says were lost."""
    lost = Lost.read(comment.get(LOST))
    return (lost.bytes or 0) if lost is not None else 0


def made_of(section: dict[str, Any]) -> Made:
    """Return what a section says of how the recording was made."""
    return Made.read(section.get("about")) or Made()
