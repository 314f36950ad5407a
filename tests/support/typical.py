"""Conversations made up of any operation at any version, with typical values in them.

What real recordings lack (most versions, rare operations) is said here as the declarations
say it, so that a mistake can be planted anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self

from pix.codec.declare import Operation
from pix.codec.gates import WORKER, Protocol
from pix.codec.lists import ListOf, MapOf
from pix.codec.payload import PULLED, WRITTEN, Payload
from pix.codec.records import Maybe, Nonzero, Record, Tagged
from pix.codec.values import encode
from pix.codec.wire import Boolean, Enumeration, String, Wire, Word
from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol import OPERATIONS_BY_NAME, operations_of
from pix.protocol.derived_path import SingleDerivedPath
from pix.protocol.logging import STDERR_WRITE, StderrRead
from pix.protocol.types import TrustedFlag
from tests.support.nars import nar
from tests.support.playbook import Playbook, Turn
from tests.support.words import HASH, OTHER, PATH, text, word

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
    "RealisationJson": ('{"outPath":"x"}', '{"id":"y","outPath":"z"}'),
    "Json": ('{"type":"tree"}', ""),
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
            keys = sorted(typical(wire.key, protocol, i) for i in range(2))
            return {key: typical(wire.value, protocol, i) for i, key in enumerate(keys)}
        case Maybe() | Nonzero():
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


class TypicalPlaybook(Playbook):
    """A conversation of 1.`minor` in which what is asked and answered is as usual.

    It begins with the handshake, or with these turns. What a side says in a row is one turn.
    """

    def __init__(self, minor: int, turns: Iterable[Turn] | None = None) -> None:
        super().__init__(Protocol(minor))
        if turns is None:
            self.greet(trusted=TrustedFlag.TRUSTED)
        else:
            self.turns = list(turns)

    def _turn(self, side: int, data: bytes | None) -> None:
        if data and self.turns and self.turns[-1][0] == side:
            data = (self.turns.pop()[1] or b"") + data
        if data or data is None:
            self.turns.append((side, data))

    def pause(self) -> None:
        """Have what comes next begin a packet of its own, whoever says it."""
        self.turns += [(CLIENT, b""), (DAEMON, b"")]

    def ask(self, name: str, fields: bytes | None = None, /, **plain: Any) -> Self:
        """Say a request, as usual or with these fields, and what is sent along."""
        operation = OPERATIONS_BY_NAME[name]
        payload = operation.request.payload
        if fields is None and not plain:
            fields = request_of(operation, self.protocol)
        super().ask(name, fields, **plain)
        self.client(carried(payload, self.protocol))
        if payload is not None and payload.carriage(self.protocol) is PULLED:
            self.daemon(StderrRead(length=1 << 15)).client(text(content_of(payload)))
        return self

    def answer(self, name: str, fields: bytes | None = None, /, **plain: Any) -> Self:
        """Say a reply, as usual or with these fields, and what is sent along."""
        operation = OPERATIONS_BY_NAME[name]
        payload = operation.reply.payload
        if payload is not None and payload.carriage(self.protocol) is WRITTEN:
            self.daemon(word(STDERR_WRITE), text(content_of(payload)))
        if fields is None and not plain:
            fields = reply_of(operation, self.protocol)
        return super().answer(name, fields, **plain).daemon(carried(payload, self.protocol))

    def whole(self, *names: str) -> Self:
        """Say requests and their replies."""
        for name in names:
            self.ask(name).answer(name)
        return self


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
    for operation in operations_of(WORKER).values():
        life = operation.life
        removed = life.removed is not None and life.removed.minor is not None
        if life.is_there(minor) and operation.feature is None and not removed:
            yield operation
