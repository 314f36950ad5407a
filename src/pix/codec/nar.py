"""The NAR format: where an archive ends, and what is in it.

`scan_nar` is the one grammar, resumable like every scanner. Lenient, it accepts whatever a
Nix parser up to 2.24 accepted: any order of keys inside a node, so that the end of an
archive is found in all real traffic. Strict, it is the parser of Nix 2.25 with the limits
of 2.34.7 and later. It keeps one name per level; contents are skipped.

Source: Nix `archive.cc`; the limits are from 2.31.5, 2.32.8, 2.33.6, 2.34.7, 2.35.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Literal, TypeAlias

from pix.codec.cursor import Cursor, u64_at
from pix.codec.errors import DecodeError, Truncated, WildLength
from pix.codec.wire import text_of
from pix.dataclass import dataclass, field

MAGIC = b"nix-archive-1"
STDERR_ERROR = 0x63787470
"""An error in the place of a token; as a token's length it would be 1.6 GB."""

LONGEST_KEYWORD = 32
LONGEST_NAME = 255
LONGEST_TARGET = 4095
DEEPEST = 64

Kind: TypeAlias = Literal["regular", "executable", "symlink", "directory"]


Trail: TypeAlias = "tuple[Trail, bytes] | None"
"""The way from the root to an entry: the way to its directory, and its name; None for the root."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, link or directory of a NAR.

    `size` and `offset` are of the contents, in bytes, the offset counted from where the
    scanner's stream counts; -1 where there are none. Entries share the names of their
    directories, so that a deep archive costs no more than its bytes.
    """

    name: str
    kind: Kind
    size: int = 0
    offset: int = -1
    target: str | None = None
    trail: Trail = field(default=None, compare=False, repr=False)

    @property
    def path(self) -> str:
        """The names from the root to here with `/` between them, empty for the root itself."""
        names = []
        trail = self.trail
        while trail is not None:
            trail, name = trail
            names.append(name)
        return text_of(b"/".join(reversed(names)))


NarScan: TypeAlias = Generator[None, None, bool]
"""Returns True at the end of the archive, False in front of a STDERR_ERROR word."""


class _Broken(Exception):
    """A STDERR_ERROR stands where a token was expected."""


def scan_nar(
    cursor: Cursor, on_entry: Callable[[Entry], None] | None = None, *, strict: bool = False
) -> NarScan:
    """Find the end of the archive at the cursor, telling `on_entry` of each entry.

    Contents go by as `cursor.payload`. Raises DecodeError where this is not a NAR, or, with
    `strict`, where the newest Nix would refuse it.
    """
    try:
        yield from _archive(cursor, on_entry, strict)
    except _Broken:
        return False
    return True


def _token(cursor: Cursor, longest: int, what: str) -> Generator[None, None, bytes]:
    while cursor.end - cursor.pos < 8:
        yield
    (n,) = u64_at(cursor.buf, cursor.pos)
    if n > longest:
        if n == STDERR_ERROR:
            raise _Broken
        raise WildLength(cursor.offset, f"a NAR token: {what}", f"length {n:#x}")
    padded = 8 + n + (-n & 7)
    while cursor.end - cursor.pos < padded:
        yield
    pos = cursor.pos + 8
    token = bytes(cursor.buf[pos : pos + n])
    if n & 7 and any(cursor.buf[pos + n : pos + padded - 8]):
        raise DecodeError(cursor.offset + 8 + n, "zero padding in a NAR", "other bytes")
    cursor.pos += padded
    return token


def _expect(cursor: Cursor, wanted: bytes) -> Generator[None, None, None]:
    start = cursor.offset
    token = yield from _token(cursor, LONGEST_KEYWORD, repr(text_of(wanted)))
    if token != wanted:
        raise DecodeError(start, f"{text_of(wanted)!r} in a NAR", repr(text_of(token)))


def _contents(cursor: Cursor) -> Generator[None, None, tuple[int, int]]:
    """Skip a file's contents and return their size and offset."""
    n = yield from cursor.word()
    if n >= 1 << 62:
        raise WildLength(cursor.offset - 8, "the length of a file's contents", f"{n:#x}")
    offset = cursor.offset
    cursor.payload(n)
    pad = -n & 7
    if pad:
        while cursor.end - cursor.pos < pad:
            yield
        if any(cursor.buf[cursor.pos : cursor.pos + pad]):
            raise DecodeError(cursor.offset, "zero padding after a file's contents", "other bytes")
        cursor.pos += pad
    return n, offset


class _Node:
    """One open node on the explicit stack."""

    __slots__ = ("executable", "kind", "last", "offset", "phase", "size", "target", "told", "trail")

    def __init__(self, trail: Trail) -> None:
        self.trail = trail
        self.phase = "type"
        self.kind = b""
        self.executable = False
        self.size = 0
        self.offset = -1
        self.target: bytes | None = None
        self.last: bytes | None = None
        self.told = False

    def entry(self) -> Entry:
        kind: Kind = "regular"
        if self.kind == b"directory":
            kind = "directory"
        elif self.kind == b"symlink":
            kind = "symlink"
        elif self.executable:
            kind = "executable"
        target = None if self.target is None else text_of(self.target)
        name = text_of(self.trail[1]) if self.trail is not None else ""
        return Entry(name, kind, self.size, self.offset, target, self.trail)


def _archive(
    cursor: Cursor, on_entry: Callable[[Entry], None] | None, strict: bool
) -> Generator[None, None, None]:
    yield from _expect(cursor, MAGIC)
    yield from _expect(cursor, b"(")
    node = _Node(None)
    stack: list[tuple[_Node, bytes]] = []
    while True:
        start = cursor.offset
        key = yield from _token(cursor, LONGEST_KEYWORD, "a key of a node")
        if strict:
            _check_order(node, key, start)
        if key == b")":
            if on_entry is not None and not node.told:
                on_entry(node.entry())
            if not stack:
                return
            node, name = stack.pop()
            closed = yield from _entry_rest(cursor, strict)
            if closed is not None:  # a second node in the same entry: old parsers take it
                name = closed or name
                stack.append((node, name))
                node = _Node((node.trail, name))
        elif key == b"type":
            node.kind = yield from _token(cursor, LONGEST_KEYWORD, "a node's type")
            if node.kind not in (b"regular", b"symlink", b"directory"):
                raise DecodeError(start, "a NAR node's type", repr(text_of(node.kind)))
            if node.kind == b"directory" and on_entry is not None:
                on_entry(node.entry())
                node.told = True
        elif key == b"contents":
            node.size, node.offset = yield from _contents(cursor)
        elif key == b"executable":
            yield from _expect(cursor, b"")
            node.executable = True
        elif key == b"target":
            node.target = yield from _token(
                cursor, LONGEST_TARGET if strict else 1 << 20, "a symlink's target"
            )
            if strict and (not node.target or b"\0" in node.target):
                raise DecodeError(start, "a symlink's target", repr(text_of(node.target)))
        elif key == b"entry":
            opened = yield from _entry_start(cursor, node, strict)
            if opened is None:
                continue  # an entry without a node: old parsers take it
            name = opened
            stack.append((node, name))
            if strict and len(stack) >= DEEPEST:
                raise DecodeError(start, f"fewer than {DEEPEST} levels of directories", "more")
            node = _Node((node.trail, name))
        else:
            raise DecodeError(start, "a key of a NAR node", repr(text_of(key)))


def _entry_start(cursor: Cursor, node: _Node, strict: bool) -> Generator[None, None, bytes | None]:
    """Scan `( name NAME node (` and return the name; None when the entry has no node."""
    yield from _expect(cursor, b"(")
    name = b""
    while True:
        start = cursor.offset
        key = yield from _token(cursor, LONGEST_KEYWORD, "a key of an entry")
        if key == b"name":
            name = yield from _token(cursor, LONGEST_NAME if strict else 1 << 20, "a name")
            if strict:
                _check_name(node, name, start)
        elif key == b"node":
            if strict and not name:
                raise DecodeError(start, "'name' in a NAR", "'node'")
            yield from _expect(cursor, b"(")
            return name
        elif key == b")" and not strict:
            return None
        else:
            raise DecodeError(start, "a key of a NAR entry", repr(text_of(key)))


def _entry_rest(cursor: Cursor, strict: bool) -> Generator[None, None, bytes | None]:
    """Scan what follows a node inside its entry; None at the entry's end.

    Returns the name to go on with (perhaps empty) when another node of the entry begins.
    """
    name = b""
    while True:
        start = cursor.offset
        key = yield from _token(cursor, LONGEST_KEYWORD, "the end of an entry")
        if key == b")":
            return None
        if strict:
            raise DecodeError(start, "')' in a NAR", repr(text_of(key)))
        if key == b"name":
            name = yield from _token(cursor, 1 << 20, "a name")
        elif key == b"node":
            yield from _expect(cursor, b"(")
            return name
        else:
            raise DecodeError(start, "a key of a NAR entry", repr(text_of(key)))


def _check_name(node: _Node, name: bytes, start: int) -> None:
    if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
        raise DecodeError(start, "the name of a directory entry", repr(text_of(name)))
    if node.last is not None and name <= node.last:
        raise DecodeError(start, f"a name after {text_of(node.last)!r}", repr(text_of(name)))
    node.last = name


_BODY = {
    b"regular": {b"executable": "contents", b"contents": "end"},
    b"symlink": {b"target": "end"},
    b"directory": {b"entry": "body", b")": "end"},
}


def _check_order(node: _Node, key: bytes, start: int) -> None:
    """Hold a node's keys to the strict order: type, then what its type has, then `)`."""
    if node.phase == "type":
        allowed = {b"type": "body"}
    elif node.phase == "body":
        allowed = _BODY[node.kind]
    elif node.phase == "contents":
        allowed = {b"contents": "end"}
    else:
        allowed = {b")": "end"}
    if key not in allowed:
        wanted = " or ".join(repr(text_of(k)) for k in allowed)
        raise DecodeError(start, f"{wanted} in a NAR", repr(text_of(key)))
    node.phase = allowed[key]


def check(data: bytes, *, strict: bool = True) -> tuple[list[Entry], int]:
    """Return the entries of the NAR in `data` and the offset of its end (bytes).

    Raises DecodeError where `data` is not a NAR, or ends inside it.
    """
    cursor = Cursor()
    entries: list[Entry] = []
    cursor.feed(data)
    scanner = scan_nar(cursor, entries.append, strict=strict)
    try:
        next(scanner)
    except StopIteration as stop:
        if not stop.value:
            raise DecodeError(cursor.offset, "a NAR token", "a STDERR_ERROR word") from None
        if cursor.pos <= cursor.end:
            return entries, cursor.offset
    raise Truncated(len(data), "the rest of a NAR", max(cursor.pos - cursor.end, 8))
