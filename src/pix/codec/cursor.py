"""Finding the ends of messages in a stream that arrives in pieces.

`Cursor` is a window over one direction's bytes. `scan` walks a *program*, a flat list of
steps made from a declaration, and builds nothing: it is the only incremental code in the
library, a generator that yields when it is starved. A string or a payload is skipped by
moving the position past the end of what has arrived, so no byte of it is kept or copied.

Invariant: a suspended scanner holds no offset of its own; positions live in the cursor,
which is rebased while the scanner sleeps.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator
from typing import TypeAlias

from pix.codec.errors import DecodeError, WildLength
from pix.dataclass import dataclass

u64_at = struct.Struct("<Q").unpack_from

Window: TypeAlias = "bytes | bytearray | memoryview"

Scan: TypeAlias = Generator[None, None, None]
"""A scanner: yields when it needs more bytes, returns at the end of what it looks for."""

Step: TypeAlias = "tuple[int, object]"
Program: TypeAlias = "tuple[tuple[int, object], ...]"

SKIP = 0  # int: so many bytes of no interest
TEXT = 1  # None: one string
TEXTS = 2  # int k: a count, then count * k strings
LIST = 3  # Program: a count, then so many times the program
CHOICE = 4  # dict tag -> Program | None: a word that says which program follows
CUSTOM = 5  # Callable[[Cursor], Scan]
FAILURE = 6  # str: takes nothing; what is scanned tells of a failure, named so


MOST_HELD = 64 << 10


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken for a wild length rather than waited for.

    `string` in bytes (one string outside payload), `count` in elements, `waiting` in bytes
    one side may run ahead while its meaning depends on the other side, `pending` in
    operations that wait for their answer at a time. Nix itself has no such limits; a larger
    value makes the rest of the direction opaque.
    """

    string: int = 1 << 30
    count: int = 1 << 28
    waiting: int = 1 << 20
    pending: int = 1 << 14


class Cursor:
    """A window over one direction of a connection.

    `buf[pos:end]` is what has arrived and not been scanned; `pos` may lie beyond `end`,
    then so many of the next bytes are skipped. `base` is the stream offset of `buf[0]`.
    `on_payload(start, length)`, when set, is told of each run of payload as its length
    becomes known (stream offset and bytes), which may be before the bytes arrive. `held`,
    when set, is a stream offset from which on bytes are kept, MOST_HELD at most. `failures`
    are those that were scanned, by name, until somebody takes them.
    """

    __slots__ = (
        "base", "buf", "end", "failures", "held", "limits", "on_payload", "payload_bytes", "pos",
    )  # fmt: skip

    def __init__(self, base: int = 0, limits: Limits | None = None) -> None:
        self.buf: Window = b""
        self.pos = 0
        self.end = 0
        self.base = base
        self.limits = limits or Limits()
        self.on_payload: Callable[[int, int], None] | None = None
        self.payload_bytes = 0
        self.held: int | None = None
        self.failures: dict[str, int] = {}

    @property
    def offset(self) -> int:
        """The stream offset of the next byte to scan."""
        return self.base + self.pos

    @property
    def received(self) -> int:
        """The stream offset after the last byte that arrived."""
        return self.base + self.end

    def feed(self, data: Window) -> None:
        """Append what arrived. The buffer is borrowed until `settle`."""
        if self.pos >= self.end and self.held is None:
            self.base += self.end
            self.pos -= self.end
            self.buf = data
            self.end = len(data)
        else:
            buf = self.buf
            if isinstance(buf, bytearray):
                buf += data
            else:
                self.buf = buf = bytearray(buf)
                buf += data
            self.end = len(buf)

    def settle(self) -> None:
        """Let go of borrowed memory: keep a copy of the unscanned tail only."""
        pos, end = self.pos, self.end
        if self.held is not None:
            keep = self.held - self.base
            if end - keep <= MOST_HELD:
                self.buf = bytearray(self.buf[keep:end])
                self.base, self.pos, self.end = self.held, pos - keep, end - keep
                return
            self.held = None
        if pos >= end:
            self.base += end
            self.pos = pos - end
            self.buf = b""
            self.end = 0
        elif pos or not isinstance(self.buf, bytearray):
            self.buf = bytearray(self.buf[pos:end])
            self.base += pos
            self.pos = 0
            self.end = end - pos

    def gap(self, length: int) -> bool:
        """Account for `length` bytes that passed but were not kept.

        Returns False, changing nothing, when the scanner would have had to see them.
        """
        if self.pos - self.end < length:
            return False
        self.held = None
        self.base += self.end + length
        self.pos -= self.end + length
        self.buf = b""
        self.end = 0
        return True

    def skip_to(self, offset: int) -> None:
        """Go on at a stream offset behind all that arrived."""
        self.base, self.pos, self.end, self.buf, self.held = offset, 0, 0, b"", None

    def word(self) -> Generator[None, None, int]:
        """Scan one u64 and return it."""
        while self.end - self.pos < 8:
            yield
        (n,) = u64_at(self.buf, self.pos)
        self.pos += 8
        return int(n)

    def text(self, longest: int) -> Generator[None, None, bytes]:
        """Scan a string of at most `longest` bytes and return it without its padding."""
        start = self.offset
        n = yield from self.word()
        if n > longest:
            raise WildLength(start, f"a string of at most {longest} bytes", f"length {n}")
        padded = n + (-n & 7)
        while self.end - self.pos < padded:
            yield
        value = bytes(self.buf[self.pos : self.pos + n])
        self.pos += padded
        return value

    def arrived(self) -> Scan:
        """Wait until everything scanned so far has really arrived."""
        while self.pos > self.end:
            yield

    def release(self) -> bytes | None:
        """Return what was held up to the position, if all of it is there, and hold no more."""
        start, self.held = self.held, None
        if start is None or not start <= self.offset <= min(self.received, start + MOST_HELD):
            return None
        return bytes(self.buf[start - self.base : self.pos])

    def payload(self, length: int) -> None:
        """Skip `length` bytes of payload, telling `on_payload`."""
        if self.on_payload is not None and length:
            self.on_payload(self.base + self.pos, length)
        self.payload_bytes += length
        self.pos += length


def scan(cursor: Cursor, program: Program) -> Scan:
    """Walk one value of `program`; the cursor stands behind it at the end.

    Raises DecodeError for a wild length or an impossible tag. Cost is linear in the number
    of fields, however the bytes are cut.
    """
    limits = cursor.limits
    for step, arg in program:
        if step == SKIP:
            cursor.pos += arg  # type: ignore[operator]  # a step is paired with its argument
            continue
        if step == CUSTOM:
            yield from arg(cursor)  # type: ignore[operator]  # as above
            continue
        if step == FAILURE:
            name: str = arg  # type: ignore[assignment]  # as above
            cursor.failures[name] = cursor.failures.get(name, 0) + 1
            continue
        start = cursor.offset
        n = yield from cursor.word()
        if step == TEXT:
            if n > limits.string:
                raise _wild(start, "a string", n, limits.string)
            cursor.pos += n + (-n & 7)
        elif step == CHOICE:
            choices: dict[int | None, Program] = arg  # type: ignore[assignment]  # as above
            chosen = choices.get(n, choices.get(None))
            if chosen is None:
                tags = ", ".join(str(tag) for tag in choices)
                raise DecodeError(start, f"a tag ({tags})", str(n))
            if not leap(cursor, chosen):
                yield from scan(cursor, chosen)
        elif n > limits.count:
            raise _wild(start, "a list", n, limits.count)
        elif step == TEXTS:
            yield from _texts(cursor, n * arg)  # type: ignore[operator]  # as above
        else:  # LIST
            element: Program = arg  # type: ignore[assignment]  # as above
            if len(element) == 1 and element[0][0] == SKIP:
                cursor.pos += n * element[0][1]  # type: ignore[operator]  # as above
                continue
            for _ in range(n):
                if not leap(cursor, element):
                    yield from scan(cursor, element)


def _texts(cursor: Cursor, left: int) -> Scan:
    longest = cursor.limits.string
    while left:
        buf, pos, end = cursor.buf, cursor.pos, cursor.end
        while left and pos + 8 <= end:
            (n,) = u64_at(buf, pos)
            if n > longest:
                raise _wild(cursor.base + pos, "a string", n, longest)
            pos += 8 + n + (-n & 7)
            left -= 1
        cursor.pos = pos
        if left:
            yield


def leap(cursor: Cursor, program: Program) -> bool:
    """Walk one value of `program` at once; False, changing nothing, where `scan` is needed.

    It is needed when words that say how long something is have not arrived, or are wild, and to
    hear of a failure.
    What has arrived whole costs a third of the time this way.
    """
    pos = behind(cursor.buf, cursor.pos, program, cursor.limits)
    if pos < 0:
        return False
    cursor.pos = pos
    return True


def behind(buf: Window, pos: int, program: Program, limits: Limits) -> int:
    """Return the position behind one value of `program` that begins at `pos` of `buf`.

    It may lie behind the end of `buf`. -1 where `scan` is needed, as `leap` says.
    """
    longest = limits.string
    try:
        for step, arg in program:
            if step == TEXT:
                (n,) = u64_at(buf, pos)
                if n > longest:
                    return -1
                pos += n + 15 & -8
            elif step == SKIP:
                pos += arg  # type: ignore[operator]  # a step is paired with its argument
            elif step == TEXTS:
                (n,) = u64_at(buf, pos)
                if n > limits.count:
                    return -1
                pos += 8
                for _ in range(n * arg):
                    (n,) = u64_at(buf, pos)
                    if n > longest:
                        return -1
                    pos += n + 15 & -8
            elif step == CHOICE:
                (n,) = u64_at(buf, pos)
                choices: dict[int | None, Program] = arg  # type: ignore[assignment]  # as above
                chosen = choices.get(n, choices.get(None))
                if chosen is None:
                    return -1
                pos += 8
                if chosen:
                    pos = behind(buf, pos, chosen, limits)
                    if pos < 0:
                        return -1
            elif step == LIST:
                (n,) = u64_at(buf, pos)
                if n > limits.count:
                    return -1
                pos += 8
                element: Program = arg  # type: ignore[assignment]  # as above
                for _ in range(n):
                    if pos >= len(buf):
                        return -1
                    pos = behind(buf, pos, element, limits)
                    if pos < 0:
                        return -1
            else:  # CUSTOM, FAILURE
                return -1
    except struct.error:  # a word has not arrived
        return -1
    return pos


def last_text(buf: Window, pos: int, program: Program) -> int:
    """Return where the text stands that ends a whole value of `program`, which begins at `pos`.

    -1 where it ends in something else, or holds more than this text and words.
    """
    last = len(program) - 1
    for i, (step, arg) in enumerate(program):
        if step == SKIP:
            pos += arg  # type: ignore[operator]  # a step is paired with its argument
        elif step == TEXT and i == last:
            return pos
        elif step in (CHOICE, LIST):
            (n,) = u64_at(buf, pos)
            pos += 8
            inner: Program = () if not n else arg  # type: ignore[assignment]  # as above
            if step == CHOICE:
                choices: dict[int | None, Program] = arg  # type: ignore[assignment]  # as above
                inner = choices.get(n, choices.get(None)) or ()
            if i == last and (step == CHOICE or n == 1):
                return last_text(buf, pos, inner)
            if inner:
                return -1
        else:
            return -1
    return -1


def merged(program: list[Step]) -> Program:
    """Return the program with neighbouring skips made one."""
    out: list[Step] = []
    for step, arg in program:
        if step == SKIP and out and out[-1][0] == SKIP:
            out[-1] = (SKIP, out[-1][1] + arg)  # type: ignore[operator]  # as above
        else:
            out.append((step, arg))
    return tuple(out)


def _wild(offset: int, what: str, length: int, limit: int) -> WildLength:
    return WildLength(offset, f"the length of {what}, at most {limit}", f"{length:#x}")
