"""Sessions without a fault, of any version, with values at random; and how recordings lack some.

A session is cut at one moment, as by a recorder that ends or a client that is killed, or bytes
of it were not kept. What others recorded may lack one side from a moment on, or up to one, or
begin in the middle, and may have no times.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from random import Random
from typing import Any

from pix.codec.gates import NEWEST_MINOR, SERVE, WORKER, Protocol
from pix.codec.lists import ListOf, MapOf
from pix.codec.records import Maybe, Nonzero, Record, Tagged
from pix.codec.values import encode
from pix.codec.wire import Boolean, Enumeration, Meaning, String, Wire, Word
from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol import operations_of
from pix.protocol.derived_path import SingleDerivedPath
from pix.protocol.logging import (
    StderrNext,
    StderrResult,
    StderrStartActivity,
    StderrStopActivity,
)
from pix.protocol.types import FEATURES, TrustedFlag
from pix_inspect.importing.raw_streams import Passed, made_up
from tests.support.recording import START, Connection, Recording
from tests.support.typical import TYPICAL, TypicalPlaybook, known
from tests.support.words import PATH, text, word

NUMBERS = (0, 0, 1, 1, 2, 3, 7, 11, 26, 64, 100, 4096, 65_535, 1 << 20)
TEXTS = (
    "", "x", "some words", "built /nix/store\n", "a" * 40, "é", "line\nline",
    "\x1b[1mbold", "dos\r\n", "\r\n",
)  # fmt: skip
PIECES = (8, 16, 40, 1 << 10, 1 << 20)
LENGTHS = (0, 0, 1, 1, 2, 3, 8)


def value_of(wire: Wire, protocol: Protocol, random: Random) -> Any:
    """Return a value that real peers could send."""
    match wire:
        case Word():
            if wire.meaning is Meaning.TIME:
                return random.choice((0, 1, 1_700_000_000 + random.randrange(1 << 20)))
            return random.choice(NUMBERS)
        case Boolean():
            return random.random() < 0.5
        case Enumeration():
            return random.choice(list(wire.members))
        case String():
            some = TYPICAL.get(wire.name, TEXTS)
            chosen = random.choice(some)
            if chosen.startswith("/nix/store/") and "!" not in chosen:
                tail = "".join(random.choices("abcxyz-._09", k=random.randrange(20)))
                return chosen + tail
            return None if wire.optional and random.random() < 0.5 else chosen
        case ListOf():
            count = random.choice(LENGTHS)
            made = [value_of(wire.element, protocol, random) for _ in range(count)]
            return frozenset(made) if wire.unordered else tuple(made)
        case MapOf():
            count = random.choice(LENGTHS)
            keys = {value_of(wire.key, protocol, random) or "k" for _ in range(count)}
            return {key: value_of(wire.value, protocol, random) for key in sorted(keys)}
        case Maybe():
            always = wire.gate.since is not None and not wire.gate.admits(protocol)
            there = always or random.random() < 0.7
            return value_of(wire.inner, protocol, random) if there else None
        case Nonzero():
            failed = value_of(wire.inner, protocol, random)
            return failed if getattr(failed, wire.inner.fields[0].name) else None
        case Tagged():
            _, _, choice = random.choice(list(wire.choices.values()))
            return value_of(choice, protocol, random) if choice is not None else None
        case Record():
            layout = wire.layout(protocol)
            return wire.kind(**{f.name: value_of(f.wire, protocol, random) for f in layout})
    return SingleDerivedPath(path=PATH, outputs=("out",) * random.randrange(3))


def session(random: Random) -> TypicalPlaybook:
    """Return a session in which nobody errs: questions, logs, errors, some asked in advance."""
    family = SERVE if random.random() < 0.1 else WORKER
    minor = random.randint(family.oldest, family.newest)
    some = frozenset(random.sample(sorted(FEATURES), random.randrange(3)))
    protocol = Protocol(minor, some if minor == NEWEST_MINOR else frozenset(), family)
    talk = TypicalPlaybook(minor, [])
    talk.protocol = protocol
    trusted = random.choice(list(TrustedFlag))
    talk.greet(trusted=trusted, offer=frozenset(("another",)) if random.random() < 0.2 else some)
    operations = list(known(minor)) if family is WORKER else list(operations_of(SERVE).values())
    operations = [each for each in operations if each.life.is_there(minor)]
    for _ in range(random.randint(1, 6)):
        asked = random.choices(operations, k=random.choice((1, 1, 1, 1, 2, 3)))
        asked = (
            [each for each in asked if each.request.payload is None] if len(asked) > 1 else asked
        )
        for operation in asked:
            request = value_of(operation.request, protocol, random)
            talk.ask(operation.name, encode(operation.request, request, protocol))
        for operation in asked:
            if family.has_log and random.random() < 0.3:
                talk.daemon(*log(minor, random))
            if family.has_log and random.random() < 0.1:
                talk.daemon(failure(minor, random))
                continue
            reply = value_of(operation.reply, protocol, random)
            talk.answer(operation.name, encode(operation.reply, reply, protocol))
    return talk


def log(minor: int, random: Random) -> list[Any]:
    """What a daemon tells of its work as its version says it."""
    line, activity = random.choice(TEXTS), 77 << 32 | random.randrange(3)
    fields = tuple(random.choice((line, PATH, 0, 1, 7)) for _ in range(random.randrange(4)))
    frames: list[Any] = [StderrNext(text=line)]
    if minor >= 20:
        kind = random.choice((0, 100, 101, 105))
        frames += [
            StderrStartActivity(id=activity, level=3, type=kind, text=line, fields=fields),
            StderrResult(id=activity, type=kind, fields=fields),
            StderrStopActivity(id=activity),
        ]
    return random.choices(frames, k=random.choice((1, 1, 2, 5)))


def failure(minor: int, random: Random) -> bytes:
    """An error as its version says it."""
    said = text(random.choice((b"path is not valid", b"builder failed", b"interrupted")))
    code = word(0x63787470)
    if minor < 26:
        return code + said + word(1)
    return code + text(b"Error") + word(0) + text(b"Error") + said + bytes(16)


def impaired(talk: TypicalPlaybook, recording: Recording, random: Random) -> Connection:
    """Write a session into a recording: whole, cut at one moment, or with bytes not kept."""
    connection = recording.open(talk.protocol)
    size = sum(len(data or b"") for _, data in talk.turns)
    how = random.choice(("whole", "cut", "cut", "gaps", "gaps", "both"))
    until = random.randrange(size + 1) if how in ("cut", "both") else size
    passed = 0
    for side, piece in _pieces(talk, random):
        piece = piece[: until - passed]
        passed += len(piece)
        kept = len(piece)
        if how in ("gaps", "both") and random.random() < 0.05:
            kept = random.randrange(kept + 1)
        if piece:
            connection.chunk(side, piece[:kept], len(piece))
    if random.random() < 0.3:
        connection.half_close(random.choice((CLIENT, 1 - CLIENT)))
    connection.track.close(recording.now(), recording.blocks)
    return connection


def imported(talk: TypicalPlaybook, number: int, random: Random) -> Iterator[Passed]:
    """Yield what others recorded of a session as connection `number`: all of it, up to a moment,
    with gaps, or one side not to its end, not from its beginning, or both from the middle on.
    """
    pieces = list(_pieces(talk, random))
    how = random.choice(("whole", "cut", "gaps", "ends", "begins late", "joined"))
    at, side = random.randrange(len(pieces) + 1), random.choice((CLIENT, DAEMON))
    time = START
    yield Passed(number, time, "join" if how == "joined" else "open")
    for i, (speaker, piece) in enumerate(pieces):
        kept = len(piece)
        if how == "gaps" and random.random() < 0.05:
            kept = random.randrange(kept + 1)
        if how == "begins late" and speaker == side and i < at:
            kept = 0
        if (how == "ends" and speaker == side and i >= at) or (how == "joined" and i < at):
            continue
        if how == "cut" and i >= at:
            break
        time += 1_000_000
        yield Passed(number, time, "data", speaker, piece[:kept], len(piece) - kept)
    yield Passed(number, time, "close")


def timeless(talk: TypicalPlaybook, number: int, random: Random) -> Iterator[Passed]:
    """Yield the two raw streams of a session: whole, up to a moment, or one not to its end."""
    pieces = list(_pieces(talk, random))
    passed = list(accumulate((len(piece) for _, piece in pieces), initial=0))
    until = random.choice((passed[-1], random.randrange(passed[-1] + 1)))
    streams = [bytearray(), bytearray()]
    for start, (side, piece) in zip(passed, pieces, strict=False):
        streams[side] += piece[: max(until - start, 0)]
    if random.random() < 0.5:
        half = random.choice(streams)
        del half[random.randrange(len(half) + 1) :]
    for event in made_up((bytes(streams[CLIENT]), bytes(streams[DAEMON])), START):
        yield event._replace(connection=number)


def _pieces(talk: TypicalPlaybook, random: Random) -> Iterator[tuple[int, bytes]]:
    for side, data in talk.turns:
        rest = data or b""
        while rest:
            piece = rest[: random.choice(PIECES)]
            rest = rest[len(piece) :]
            yield side, piece
