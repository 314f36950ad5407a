"""Sessions made up of any operation at any version, in turns, with typical values in them.

What real recordings lack (most versions, rare operations) is said here as the declarations
say it, so that a mistake can be planted anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pix.codec.declare import Operation
from pix.codec.gates import Protocol
from pix.codec.lists import ListOf, MapOf
from pix.codec.payload import PULLED, WRITTEN, Payload
from pix.codec.records import Maybe, Record, Tagged
from pix.codec.values import encode
from pix.codec.wire import Boolean, Enumeration, String, Wire, Word
from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol import OPERATIONS, OPERATIONS_BY_NAME
from pix.protocol.derived_path import SingleDerivedPath
from pix.protocol.handshake import CLIENT_MAGIC, DAEMON_MAGIC
from pix.protocol.logging import STDERR_LAST, STDERR_READ, STDERR_WRITE
from pix_inspect.session.session import Session
from tests.support.nars import nar
from tests.support.words import HASH, OTHER, PATH, text, word
from tests.support.written import Written

TYPICAL = {
    "StorePath": (PATH, OTHER),
    "MaybeStorePath": (PATH + ".drv", OTHER),
    "BaseName": (PATH[11:], OTHER[11:]),
    "FilePath": ("/nix/var/nix/gcroots/auto/x", "/home/x/result"),
    "Name": ("hello-2.12", "glibc"),
    "HashPart": (HASH, OTHER[11:43]),
    "NarHash": ("ab" * 32, "cd" * 32),
    "HashName": ("sha256", "sha1"),
    "Signature": ("cache.example-1:c2lnbmF0dXJl", "b:c2ln"),
    "MaybeContentAddress": ("fixed:r:sha256:" + HASH, "text:sha256:" + HASH),
    "ContentAddressMethod": ("fixed:r:sha256", "text:sha256"),
    "DerivedPath": (PATH + ".drv!out", OTHER),
    "DrvOutputText": ("sha256:" + "ab" * 32 + "!out", "sha256:" + "cd" * 32 + "!dev"),
    "OutputName": ("out", "dev"),
}
"""Two texts of each kind."""

NAR = nar(b"some text that is long enough to be cut in two\n" * 40)


def typical(wire: Wire, protocol: Protocol, nth: int = 0) -> Any:
    """Return a value as `wire` usually carries it; `nth`: the next one in a list."""
    match wire:
        case Word():
            return 1_700_000_000 + nth if wire.name == "Time" else 3 + nth
        case Boolean():
            return True
        case Enumeration():
            members = list(wire.members)
            return members[min(1, len(members) - 1)]
        case String():
            return TYPICAL.get(wire.name, ("some words", "others"))[nth & 1]
        case ListOf(unordered=True):
            return frozenset(typical(wire.element, protocol, i) for i in range(2))
        case ListOf():
            return tuple(typical(wire.element, protocol, i) for i in range(2))
        case MapOf():
            return {key: typical(wire.value, protocol, i) for i, key in enumerate(("dev", "out"))}
        case Maybe():
            return typical(wire.inner, protocol, nth)
        case Tagged():
            choices = [choice for _, _, choice in wire.choices.values() if choice is not None]
            return typical(choices[0], protocol, nth) if choices else None
        case Record():
            fields = {f.name: typical(f.wire, protocol, nth) for f in wire.layout(protocol)}
            return wire.kind(**fields)
    assert wire.name == "SingleDerivedPath", wire
    return SingleDerivedPath(path=PATH, outputs=("out",))


def request_of(operation: Operation, protocol: Protocol) -> bytes:
    """The fields of a typical request, without its number."""
    return encode(operation.request, typical(operation.request, protocol), protocol)


def reply_of(operation: Operation, protocol: Protocol) -> bytes:
    """The fields of a typical reply, without STDERR_LAST."""
    return encode(operation.reply, typical(operation.reply, protocol), protocol)


@dataclass
class Talk:
    """One connection of 1.`minor`, its handshake said."""

    minor: int
    turns: list[tuple[int, bytes]] = field(default_factory=list)
    begun: bool = False
    """Whether the handshake is among the turns already."""

    def __post_init__(self) -> None:
        if self.begun:
            return
        version = word(0x100 | self.minor)
        self.client(word(CLIENT_MAGIC), version)
        self.daemon(word(DAEMON_MAGIC), version)
        listed = word(0) if self.minor >= 38 else b""
        self.client(listed, *[word(0)] * ((self.minor >= 14) + (self.minor >= 11)))
        self.daemon(
            listed,
            text(b"2.26.3") if self.minor >= 33 else b"",
            word(1) if self.minor >= 35 else b"",
            word(STDERR_LAST),
        )

    @property
    def protocol(self) -> Protocol:
        return Protocol(self.minor)

    def client(self, *data: bytes) -> None:
        self.say(CLIENT, b"".join(data))

    def daemon(self, *data: bytes) -> None:
        self.say(DAEMON, b"".join(data))

    def say(self, side: int, data: bytes) -> None:
        if self.turns and self.turns[-1][0] == side:
            data = self.turns.pop()[1] + data
        if data:
            self.turns.append((side, data))

    def pause(self) -> None:
        """Have what comes next begin a packet of its own, whoever says it."""
        self.turns.append((CLIENT, b""))
        self.turns.append((DAEMON, b""))

    def ask(self, name: str, fields: bytes | None = None) -> None:
        """Say a request, as usual or with these fields."""
        operation = OPERATIONS_BY_NAME[name]
        said = request_of(operation, self.protocol) if fields is None else fields
        self.client(word(operation.code), said, carried(operation.request.payload, self.protocol))
        payload = operation.request.payload
        if payload is not None and payload.carriage(self.protocol) is PULLED:
            self.daemon(word(STDERR_READ), word(1 << 15))
            self.client(text(content_of(payload)))

    def answer(self, name: str, fields: bytes | None = None) -> None:
        """Say a reply, as usual or with these fields."""
        operation = OPERATIONS_BY_NAME[name]
        payload = operation.reply.payload
        if payload is not None and payload.carriage(self.protocol) is WRITTEN:
            self.daemon(word(STDERR_WRITE), text(content_of(payload)))
        said = reply_of(operation, self.protocol) if fields is None else fields
        self.daemon(word(STDERR_LAST), said, carried(payload, self.protocol))

    def whole(self, *names: str) -> None:
        """Say requests and their replies."""
        for name in names:
            self.ask(name)
            self.answer(name)

    def save(self, folder: Path, *, left: int | None = None) -> Session:
        """Write it; `left` is the side that closes first."""
        written = Written()
        track = written.open(peer={"pid": 1})
        for side, data in filter(lambda turn: turn[1], self.turns):
            written.chunk(track, side, data)
        if left is not None:
            track.half_close(left, written.now(), written.blocks)
        track.close(written.now(), written.blocks)
        return Session(written.save(folder / "talk.pcapng")).read_all()


def content_of(payload: Payload) -> bytes:
    """What a payload holds."""
    if payload.content == "log":
        return b"some words of a log\n" * 30
    if payload.content == "export":
        return word(0)
    return NAR


def carried(payload: Payload | None, protocol: Protocol) -> bytes:
    """A payload that stands behind the fields, as it is carried."""
    carriage = payload.carriage(protocol) if payload is not None else None
    if payload is None or carriage is None or not carriage.inline:
        return b""
    out = bytearray()
    carriage.write(content_of(payload), out)
    return bytes(out)


def known(minor: int) -> Iterator[Operation]:
    """The operations of 1.`minor` that need no feature."""
    for operation in OPERATIONS.values():
        life = operation.life
        removed = life.removed is not None and life.removed.minor is not None
        if life.is_there(minor) and operation.feature is None and not removed:
            yield operation
