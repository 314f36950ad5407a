"""How single values look as bytes: words, booleans, enumerations and strings.

Every wire type gives five readings of itself:

    program(protocol)   steps for the scanner (`pix.codec.cursor`), which finds the end
    tree(reader, …)     a node with its value and its `[start, end)` span in the stream
    read(reader)        a Python value
    write(value, out)   the bytes of a Python value
    describe            name and doc, for the manual

`tree` is for people: it accepts what can be placed and notes what is irregular. `read` is
for programs: it refuses what Nix's own readers refuse. All integers are 8 bytes, little
endian; strings are a length, the bytes, and zeros up to a multiple of 8.
Source: Nix `serialise.hh`, `serialise.cc`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum, IntEnum
from struct import Struct
from typing import TYPE_CHECKING, Any

from pix.codec.cursor import CHOICE, FAILURE, SKIP, TEXT, Program, u64_at
from pix.codec.errors import DecodeError, EncodeError, TooLarge, Truncated
from pix.codec.gates import NEWEST, Protocol
from pix.codec.irregular import Irregular, Irregularity
from pix.codec.lazy import Lazy

if TYPE_CHECKING:
    from pix.codec.records import Field

pack_u64 = Struct("<Q").pack
PADDINGS = tuple(bytes(n) for n in range(8))
"""The right padding by its length."""

BAD_PADDING = Irregular(Irregularity.PADDING)

WIDE = 1 << 48
"""A number that no size and no time is: these take six bytes at most."""


def is_wide(value: object) -> bool:
    """Whether a value is a WIDE number: it may have been turned round."""
    return type(value) is int and value >= WIDE


def are_usual_texts(buf: bytes, pos: int, count: int) -> bool:
    """Whether so many strings, whole from `pos` on, have right padding, and none ends in a NUL."""
    for _ in range(count):
        (n,) = u64_at(buf, pos)
        end = pos + 8 + n
        pos += n + 15 & -8
        if n and (not buf[end - 1] or (pos > end and buf[end:pos] != PADDINGS[pos - end])):
            return False
    return True


class Node:
    """A decoded value and where it stands.

    `start` and `end` are stream offsets in bytes, `end` is None while the value is cut off
    or undecodable. `value` is the Python value of a scalar (str with surrogateescape, int,
    bool, an enum member, None) and None for containers, which have `children`. `irregular` says
    what is about the bytes, `field` is the declaration that put it here.
    """

    __slots__ = ("children", "end", "field", "irregular", "name", "start", "value", "wire")

    def __init__(
        self,
        name: str,
        wire: Wire,
        start: int,
        end: int | None,
        value: Any = None,
        children: Sequence[Node] | None = None,
        field: Field | None = None,
        irregular: Irregular | None = None,
    ) -> None:
        self.name = name
        self.wire = wire
        self.start = start
        self.end = end
        self.value = value
        self.children = children
        self.field = field
        self.irregular = irregular

    def __repr__(self) -> str:
        what = self.value if self.children is None else f"{len(self.children)} children"
        return f"<Node {self.name} [{self.start}, {self.end}) {what!r}>"

    def find(self, name: str) -> Node | None:
        """Return the first child called `name`."""
        for child in self.children or ():
            if child.name == name:
                return child
        return None

    def plain(self) -> Any:
        """Return the value as JSON would hold it: names for enumerations, lists and objects."""
        return self.wire.plain(self)

    @property
    def is_usual(self) -> bool:
        """Whether nothing in it is irregular, no number is WIDE and no text ends in a NUL."""
        value, children = self.value, self.children
        if self.irregular is not None:
            return False
        if value is not None and (value[-1:] == "\0" if type(value) is str else is_wide(value)):
            return False
        if isinstance(children, LazyNodes):
            return children.are_usual
        return children is None or all(child.is_usual for child in children)


class LazyNodes(Lazy[Node]):
    """Nodes that stand in bytes and are made when somebody looks at them.

    `plain` and `are_usual` are read from the bytes.
    """

    __slots__ = ()

    def plain(self) -> Any:
        """Return what their node is as JSON would hold it."""
        raise NotImplementedError

    @property
    def are_usual(self) -> bool:
        """Whether each `is_usual`."""
        raise NotImplementedError


class Reader:
    """Complete bytes and a position in them.

    `base` is the stream offset of `buf[0]`; errors and spans are in stream offsets. What is
    not `bytes` is copied once: nodes that decode themselves later must not see it change.
    """

    __slots__ = ("base", "buf", "end", "pos", "protocol")

    def __init__(
        self, buf: bytes | bytearray | memoryview, protocol: Protocol = NEWEST, base: int = 0
    ) -> None:
        self.buf = buf if type(buf) is bytes else bytes(buf)
        self.pos = 0
        self.end = len(buf)
        self.base = base
        self.protocol = protocol

    @property
    def offset(self) -> int:
        """The stream offset of the next byte."""
        return self.base + self.pos

    def u64(self) -> int:
        """Read one word. Raises Truncated."""
        pos = self.pos
        if pos + 8 > self.end:
            raise Truncated(self.base + pos, "an integer", pos + 8 - self.end)
        self.pos = pos + 8
        return int(u64_at(self.buf, pos)[0])

    def string(self) -> bytes:
        """Read one string. Raises Truncated, or DecodeError when its padding is not zero."""
        start = self.pos
        body = self.skip_string()
        padded = self.pos
        if self.buf[body:padded] != PADDINGS[padded - body]:
            at = self.base + body
            self.pos = start
            raise DecodeError(at, "zero padding", self.buf[body:padded].hex(" "))
        return self.buf[start + 8 : body]

    def skip_string(self) -> int:
        """Move behind one string; return the position where its padding starts."""
        pos = self.pos
        if pos + 8 > self.end:
            raise Truncated(self.base + pos, "a string", pos + 8 - self.end)
        (n,) = u64_at(self.buf, pos)
        after = pos + 8 + n + (-n & 7)
        if after > self.end:
            raise Truncated(self.base + pos, f"a string of {n} bytes", after - self.end)
        self.pos = after
        return int(pos + 8 + n)


def pack_string(raw: bytes | bytearray | memoryview) -> bytes:
    """Return a string as it travels: its length, its bytes, zeros up to a multiple of 8."""
    return b"".join((pack_u64(len(raw)), raw, PADDINGS[-len(raw) & 7]))


def text_of(raw: bytes | bytearray | memoryview) -> str:
    """Return wire bytes as str; what is not UTF-8 survives as surrogates."""
    return str(raw, "utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Return the wire bytes of a str made by `text_of`. Raises EncodeError for lone surrogates."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise EncodeError("", f"character {error.start} cannot be put into UTF-8") from None


def clip(value: object, longest: int = 60) -> str:
    """Return a short repr for an error message."""
    text = repr(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"


class Meaning(Enum):
    """What a number stands for, where it is more than a count."""

    SIZE = "bytes"
    TIME = "seconds since 1970"
    VERBOSITY = "a verbosity, in its sender's counting"
    ACTIVITY = "an activity: daemon pid × 2^32 + a counter"
    VERSION = "a protocol version: 0x126 is 1.38"
    MAGIC = "a word that says who speaks"


class Wire:
    """A wire type. `name` is what the manual calls it, `doc` one line about it.

    `fields` are those of a record, `meaning` is that of a number, `by_label` has the values that
    have names; other types have none. `form` is what a value is, in Python and in JSON.
    """

    name: str = ""
    doc: str = ""
    form: str = ""
    fields: tuple[Field, ...] = ()
    meaning: Meaning | None = None
    by_label: Mapping[str, Named] = {}

    def parts(self) -> Sequence[Wire]:
        """Return the wire types directly inside, in the order in which they stand."""
        return ()

    def walk(self) -> Iterator[Wire]:
        """Yield this type and every type inside it, each before its parts."""
        yield self
        for part in self.parts():
            yield from part.walk()

    def map(self, value: Any, convert: Callable[[Wire, Any], Any]) -> Any:
        """Return the value made anew, with what `convert` makes of each part in it."""
        return value

    def program(self, protocol: Protocol) -> Program:
        raise NotImplementedError

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        """Append this value's node to `out`; on an error what was decoded so far stays there."""
        raise NotImplementedError

    def read(self, reader: Reader) -> Any:
        """Return the value at the reader. Raises DecodeError, Truncated."""
        raise NotImplementedError

    def write(self, value: Any, out: bytearray, protocol: Protocol) -> None:
        """Append the bytes of `value`. Raises EncodeError."""
        raise NotImplementedError

    def plain(self, node: Node, each: Callable[[Node], Any] = Node.plain) -> Any:
        """Return a node's value as JSON would hold it, with what `each` makes of its children."""
        return node.value

    def value_of(self, plain: Any) -> Any:
        """Return the value that `write` takes from its JSON form. Raises EncodeError."""
        return plain

    def expected(self, value: object) -> EncodeError:
        """Return the error for a Python value of the wrong type."""
        takes = f"; it takes {self.form}" if self.form else ""
        got = f"{type(value).__name__} {clip(value)}"
        return EncodeError("", f"expected {self.name}, got {got}{takes}")


class Numeral(Wire):
    """A value that is one word."""

    def of(self, n: int) -> tuple[Any, Irregular | None]:
        """Return the value that a number stands for, and what is irregular about it."""
        raise NotImplementedError

    def shown(self, n: int) -> Any:
        """Return what a number stands for as JSON would hold it."""
        return self.of(n)[0]

    def program(self, protocol: Protocol) -> Program:
        return ((SKIP, 8),)

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        pos = reader.pos
        if pos + 8 > reader.end:
            raise Truncated(reader.base + pos, f"{name} ({self.name})", pos + 8 - reader.end)
        (n,) = u64_at(reader.buf, pos)
        reader.pos = pos + 8
        start = reader.base + pos
        value, odd = self.of(n)
        out.append(Node(name, self, start, start + 8, value, None, field, odd))

    def plain(self, node: Node, each: Callable[[Node], Any] = Node.plain) -> Any:
        return self.shown(node.value)


class Word(Numeral):
    """An unsigned integer of 8 bytes; readers may insist on fewer bits."""

    form = "a number"

    def __init__(self, name: str, doc: str, bits: int = 64, meaning: Meaning | None = None) -> None:
        self.name = name
        self.doc = doc
        self.bits = bits
        self.meaning = meaning
        self.limit = 1 << bits

    def of(self, n: int) -> tuple[int, Irregular | None]:
        return n, None if n < self.limit else Irregular(Irregularity.WIDE, self.bits)

    def read(self, reader: Reader) -> int:
        n = reader.u64()
        if n >= self.limit:
            raise TooLarge(reader.offset - 8, self.name, self.bits, n)
        return n

    def write(self, value: Any, out: bytearray, protocol: Protocol) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.expected(value)
        if not 0 <= value < self.limit:
            raise EncodeError("", f"{value} does not fit {self.name} (0 to 2^{self.bits} − 1)")
        out += pack_u64(value)


class Boolean(Numeral):
    """0 or 1 in 8 bytes. Readers refuse other numbers; `lenient` ones take them for true."""

    form = "true or false"

    def __init__(self, name: str, doc: str, *, lenient: bool = False) -> None:
        self.name = name
        self.doc = doc
        self.lenient = lenient

    def of(self, n: int) -> tuple[bool, Irregular | None]:
        return n != 0, None if n < 2 else Irregular(Irregularity.BOOLEAN, n)

    def read(self, reader: Reader) -> bool:
        n = reader.u64()
        if n > 1 and not self.lenient:
            raise TooLarge(reader.offset - 8, self.name, 1, n)
        return n != 0

    def write(self, value: Any, out: bytearray, protocol: Protocol) -> None:
        if not isinstance(value, (bool, int)) or value not in (0, 1):
            raise self.expected(value)
        out += pack_u64(int(value))


class Named(IntEnum):
    """A number with a name and a doc, declared as `BUILT = 0, "what it means"`.

    `label` is the name that Nix's own documentation and sources use.
    """

    doc: str

    def __new__(cls, value: int, doc: str) -> Named:
        member = int.__new__(cls, value)
        member._value_ = value
        member.doc = doc
        return member

    @property
    def label(self) -> str:
        """The name as Nix writes it: `PermanentFailure` for PERMANENT_FAILURE."""
        return self.name.title().replace("_", "")

    @classmethod
    def of(cls, value: int) -> Named | int:
        """Return the member of that number, or the number itself when none has it."""
        if not isinstance(value, int):
            return value
        return cls._value2member_map_.get(value, value)  # type: ignore[return-value]


class Enumeration(Numeral):
    """A number with a name; unknown numbers keep their number. Who scans is told of `failures`."""

    form = "a name or a number"

    def __init__(self, members: type[Named], doc: str = "", failures: Iterable[Named] = ()) -> None:
        self.members = members
        self.name = members.__name__
        self.doc = doc or (members.__doc__ or "").partition("\n")[0]
        self.by_value = members._value2member_map_
        self.by_label = {member.label: member for member in members}
        self.failures = frozenset(failures)

    def program(self, protocol: Protocol) -> Program:
        if not self.failures:
            return super().program(protocol)
        tells: dict[int | None, Program] = {None: ()}
        tells.update((int(each), ((FAILURE, each.label),)) for each in self.failures)
        return ((CHOICE, tells),)

    def of(self, n: int) -> tuple[Any, Irregular | None]:
        value = self.by_value.get(n, n)
        return value, None if value is not n else Irregular(Irregularity.UNKNOWN, self.name)

    def shown(self, n: int) -> Any:
        value = self.by_value.get(n, n)
        return value.label if isinstance(value, Named) else value

    def read(self, reader: Reader) -> Named | int:
        return self.members.of(reader.u64())

    def write(self, value: Any, out: bytearray, protocol: Protocol) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.expected(value)
        if not 0 <= value < 1 << 64:
            raise EncodeError("", f"{value} does not fit {self.name}")
        out += pack_u64(value)

    def value_of(self, plain: Any) -> Any:
        if isinstance(plain, str):
            if plain not in self.by_label:
                raise EncodeError(
                    "", f"{plain!r} is not a value of {self.name} ({', '.join(self.by_label)})"
                )
            return self.by_label[plain]
        return plain


class String(Wire):
    """Bytes with a length, shown as text. `optional`: the empty string stands for None."""

    form = "a text"

    def __init__(self, name: str, doc: str, *, optional: bool = False) -> None:
        self.name = name
        self.doc = doc
        self.optional = optional

    def program(self, protocol: Protocol) -> Program:
        return ((TEXT, None),)

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        pos = reader.pos
        buf = reader.buf
        if pos + 8 > reader.end:
            raise Truncated(reader.base + pos, f"{name} ({self.name})", pos + 8 - reader.end)
        (n,) = u64_at(buf, pos)
        body = pos + 8
        after = body + n + (-n & 7)
        start = reader.base + pos
        if after > reader.end:
            raise Truncated(start, f"{name} ({self.name} of {n} bytes)", after - reader.end)
        reader.pos = after
        odd = None if buf[body + n : after] == PADDINGS[-n & 7] else BAD_PADDING
        end = reader.base + after
        out.append(Node(name, self, start, end, self.at(buf, pos), None, field, odd))

    def at(self, buf: bytes, pos: int) -> str | None:
        """Return the text that stands whole at `pos`."""
        (n,) = u64_at(buf, pos)
        pos += 8
        return str(buf[pos : pos + n], "utf-8", "surrogateescape") if n else self.empty

    @property
    def empty(self) -> str | None:
        """What the empty string stands for."""
        return None if self.optional else ""

    def read(self, reader: Reader) -> str | None:
        return text_of(reader.string()) or self.empty

    def write(self, value: Any, out: bytearray, protocol: Protocol) -> None:
        raw: bytes | bytearray = b""
        if isinstance(value, str):
            raw = bytes_of(value)
        elif isinstance(value, (bytes, bytearray)):
            raw = value
        elif value is not None or not self.optional:
            raise self.expected(value)
        out += pack_string(raw)
