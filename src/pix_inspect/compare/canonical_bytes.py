"""What counts of a message when it is compared: bytes in, bytes out, nothing decoded.

Two messages mean the same when their essences are the same: masked fields and fields that not
every protocol has are left out, the elements of a set stand in order. Most messages are their own
essence, for there is nothing to leave out; of the others a walk is made once from the declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TypeAlias

from pix.codec.cursor import Cursor, Program, leap, merged, u64_at
from pix.codec.gates import ALWAYS, Protocol
from pix.codec.lists import ListOf
from pix.codec.records import Maybe, Record, Tagged
from pix.codec.wire import String, Wire, pack_u64

Walk: TypeAlias = "Callable[[bytes, int, bytearray], int]"
"""From a position in bytes, append what counts of one value; return where it ends."""


@lru_cache(1024)
def shared(record: Record, protocols: tuple[Protocol, ...]) -> frozenset[str]:
    """Return the names of the fields that each of the protocols has, as the same type."""
    layouts = [{(field.name, field.wire.name) for field in record.layout(each)}
               for each in protocols]  # fmt: skip
    return frozenset(name for name, _ in set.intersection(*layouts)) if layouts else frozenset()


class Unusual(Exception):
    """Bytes that have to be decoded to be compared."""


class Essence:
    """The essences of messages of `protocols` without the fields in `mask`."""

    def __init__(self, protocols: Iterable[Protocol], mask: frozenset[str]) -> None:
        self._protocols = tuple(protocols)
        self._mask = mask
        self._walks: dict[tuple[Wire, Protocol], Walk | None] = {}

    def of(self, wire: Wire, data: bytes, start: int, protocol: Protocol) -> bytes:
        """Return the essence of the message `data[start:]`. Raises Unusual."""
        try:
            walk = self._walks[wire, protocol]
        except KeyError:
            walk = self._walks[wire, protocol] = self._walk(wire, protocol)
        if walk is None:
            return data[start:]
        out = bytearray()
        try:
            end = walk(data, start, out)
        except Exception as error:  # a word behind the end, a tag that is none
            raise Unusual from error
        if end != len(data):
            raise Unusual
        return bytes(out)

    def _walk(self, wire: Wire, protocol: Protocol) -> Walk | None:
        """Return the walk through a type; None where everything counts as it stands."""
        if isinstance(wire, Record):
            return self._record(wire, protocol)
        inner = [self._walk(part, protocol) for part in wire.parts()]
        gate = wire.gate if isinstance(wire, Maybe) else ALWAYS
        flagged = gate.admits(protocol)
        alike = all(gate.admits(each) == flagged for each in self._protocols)
        is_set = isinstance(wire, ListOf) and wire.unordered
        if alike and not is_set and not any(inner):
            return None
        walks = [
            walk or _plain(part.program(protocol))
            for walk, part in zip(inner, wire.parts(), strict=True)
        ]
        if is_set:
            return _set_of_texts if isinstance(wire.parts()[0], String) else _set_of(*walks)
        if isinstance(wire, Maybe):
            return _maybe(*walks, flagged=flagged)
        if isinstance(wire, Tagged):
            left = iter(walks)
            return _tagged({tag: _nothing if each is None else next(left)
                            for tag, (_, _, each) in wire.choices.items()})  # fmt: skip
        return _repeated(_in_turn(*walks))

    def _record(self, wire: Record, protocol: Protocol) -> Walk | None:
        steps: list[tuple[bool, Walk | None, Program]] = []
        names = shared(wire, self._protocols) - self._mask
        for field in wire.layout(protocol):
            counts = field.name in names
            walk = self._walk(field.wire, protocol) if counts else None
            program = field.wire.program(protocol)
            if steps and walk is None and steps[-1][0] == counts and steps[-1][1] is None:
                program = merged([*steps.pop()[2], *program])
            steps.append((counts, walk, program))
        if all(counts and walk is None for counts, walk, _ in steps):
            return None
        return _in_turn(
            *(walk or (_plain if counts else _left_out)(program) for counts, walk, program in steps)
        )


def _ender(program: Program) -> Callable[[bytes, int], int]:
    """Return what finds the end of a value that nothing is left out of."""
    cursor = Cursor()

    def end(data: bytes, pos: int) -> int:
        cursor.buf, cursor.pos, cursor.end = data, pos, len(data)
        if not leap(cursor, program) or cursor.pos > cursor.end:
            raise Unusual
        return cursor.pos

    return end


def _plain(program: Program) -> Walk:
    end = _ender(program)

    def plain(data: bytes, pos: int, out: bytearray) -> int:
        after = end(data, pos)
        out += data[pos:after]
        return after

    return plain


def _left_out(program: Program) -> Walk:
    end = _ender(program)
    return lambda data, pos, out: end(data, pos)


def _set_of_texts(data: bytes, pos: int, out: bytearray) -> int:
    count = _count(data, pos)
    pos += 8
    found = []
    for _ in range(count):
        after = pos + (u64_at(data, pos)[0] + 15 & -8)
        found.append(data[pos:after])
        pos = after
    if pos > len(data):
        raise Unusual
    found.sort()
    out += pack_u64(count)
    out += b"".join(found)
    return pos


def _set_of(element: Walk) -> Walk:
    def unordered(data: bytes, pos: int, out: bytearray) -> int:
        found: list[bytes] = []
        count = _count(data, pos)
        pos += 8
        for _ in range(count):
            one = bytearray()
            pos = element(data, pos, one)
            found.append(bytes(one))
        found.sort()
        out += pack_u64(count)
        out += b"".join(found)
        return pos

    return unordered


def _maybe(value: Walk, *, flagged: bool) -> Walk:
    def maybe(data: bytes, pos: int, out: bytearray) -> int:
        there = True
        if flagged:
            there = u64_at(data, pos)[0] != 0
            pos += 8
        out += pack_u64(there)
        return value(data, pos, out) if there else pos

    return maybe


def _tagged(walks: dict[int, Walk]) -> Walk:
    def tagged(data: bytes, pos: int, out: bytearray) -> int:
        out += data[pos : pos + 8]
        return walks[u64_at(data, pos)[0]](data, pos + 8, out)

    return tagged


def _nothing(data: bytes, pos: int, out: bytearray) -> int:
    return pos


def _in_turn(*walks: Walk) -> Walk:
    if len(walks) == 1:
        return walks[0]

    def in_turn(data: bytes, pos: int, out: bytearray) -> int:
        for walk in walks:
            pos = walk(data, pos, out)
        return pos

    return in_turn


def _repeated(element: Walk) -> Walk:
    def repeated(data: bytes, pos: int, out: bytearray) -> int:
        out += data[pos : pos + 8]
        count = _count(data, pos)
        pos += 8
        for _ in range(count):
            pos = element(data, pos, out)
        return pos

    return repeated


def _count(data: bytes, pos: int) -> int:
    count: int = u64_at(data, pos)[0]
    if count > len(data) - pos >> 3:  # an element takes 8 bytes at least
        raise Unusual
    return count
