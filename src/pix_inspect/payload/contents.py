"""What is in an exchange's payload: archives and their files, and where each byte passed.

A payload's content is what frames, answers or STDERR_WRITEs carry, one after the other, or a
NAR as it stands in the stream; offsets of the content count from 0. `read` finds the entries
in slices; bytes are read again from the recording when they are asked for. What was not kept
is said, never made up.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from pix.codec.declare import wire_of
from pix.codec.errors import DecodeError
from pix.codec.gates import Protocol
from pix.codec.nar import Entry
from pix.codec.values import tree
from pix.codec.wire import Node
from pix.conversation.exchange import CLIENT
from pix.dataclass import dataclass
from pix.problem import Problem
from pix.protocol.payload_items import ContentKind, ContentReader, Item, content_kind, item_layout
from pix.protocol.types import ValidPathInfo
from pix_inspect.base.units import size as size_text
from pix_inspect.session.exchange_view import ExchangeView

PIECE = 1 << 20
"""Bytes of content that are taken in one go."""

MOST_ENTRIES = 1_000_000
"""Entries of one payload that are remembered."""

NOT_KEPT = "record with --payload full to keep all of it"

OPENING = 16 + 16 + 24
"""Bytes of `(`, `type` and `directory`, which stand before what tells of a directory."""


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of an archive: `item` counts the payload's archives from 0, `depth` from the root.

    `[start, end)` is the content that lights up for it: a file's contents, a link's target, a
    directory's description with all below; `last` is the number of the entry behind it and
    all below it; `total` the bytes of all files in it.
    """

    item: int
    entry: Entry
    depth: int
    start: int
    end: int
    last: int
    total: int

    @property
    def is_file(self) -> bool:
        return self.entry.kind in ("regular", "executable")


class PayloadContents:
    """The content of the payload of an exchange.

    `places` are its entries in the order of the archive, `items` its archives. Raises Problem
    when the exchange has no payload.
    """

    def __init__(self, view: ExchangeView) -> None:
        payload, exchange = view.payload, view.exchange
        if payload is None or exchange is None or exchange.operation is None:
            raise Problem(f"exchange {view.row.number} ({_name(view)}) has no payload")
        self.view = view
        self.side = payload.side
        self.name = payload.name
        self.content = payload.content
        self.protocol = protocol = view.protocol or Protocol(0)
        record = exchange.operation.request if self.side == CLIENT else exchange.operation.reply
        declared = record.payload
        assert declared is not None
        self.kind: ContentKind = content_kind(declared, protocol, _method(view))
        self._runs = payload.spans
        self._starts = []
        self.size = 0
        """Bytes of content that passed."""
        for _, _, length in self._runs:
            self._starts.append(self.size)
            self.size += length
        self._reader = ContentReader(self.kind, protocol, self._see)
        self._at = 0
        self._seen: list[tuple[int, Entry, int]] = []
        self._file = Item()
        self.places: list[Place] = []
        self.done = False

    # Reading --------------------------------------------------------------------------

    @property
    def progress(self) -> float:
        """How much of the content was read, from 0 to 1."""
        return 1.0 if self.done else self._at / max(self.size, 1)

    @property
    def items(self) -> list[Item]:
        """The archives, as far as they were read; one for a file that stands alone."""
        return [self._file] if self.kind == "plain" else self._reader.items

    @property
    def count(self) -> int | None:
        """How many paths a batch promises."""
        return self._reader.count

    @property
    def error(self) -> DecodeError | None:
        """What was not understood; behind it nothing is known."""
        return self._reader.error

    @property
    def complete(self) -> bool:
        """Whether the content ended as it should."""
        return self._reader.complete and self.done

    def read(self, most: int = 1 << 62) -> bool:
        """Read up to about `most` bytes on; True while there is more."""
        until = min(self.size, self._at + most)
        while self._at < until and self._reader.error is None:
            end = min(until, self._at + PIECE)
            for start, stop, data in self.pieces(self._at, end):
                if data is None:
                    self._reader.gap(stop - start)
                else:
                    self._reader.feed(data)
            self._at = end
        if self._at >= self.size or self._reader.error is not None:
            if not self.done:
                self.done = True
                self._arrange()
            return False
        return True

    def _see(self, item: Item, entry: Entry) -> None:
        if len(self._seen) < MOST_ENTRIES:
            number = len(self._reader.items) - 1
            self._seen.append((number, entry, self._reader.offset))

    def _arrange(self) -> None:
        """Turn what was seen into places: how deep, what they light, what is below."""
        if self.kind == "plain":
            self._seen.append((0, Entry("", "regular", self.size, 0), self.size))
        depths = [_depth(entry) for _, entry, _ in self._seen]
        places: list[Place | None] = [None] * len(self._seen)
        waiting: list[tuple[int, int, int]] = []  # number, last, total of the rows on the right
        for number in range(len(self._seen) - 1, -1, -1):
            item, entry, after = self._seen[number]
            depth = depths[number]
            last, total = number + 1, max(entry.size, 0)
            while (
                waiting and depths[waiting[-1][0]] > depth and self._seen[waiting[-1][0]][0] == item
            ):
                _, last, below = waiting.pop()
                total += below
            start, end = self._lit(entry, after)
            if entry.kind == "directory" and last > number + 1:
                end = max(end, self._seen[last - 1][2])
            places[number] = Place(item, entry, depth, start, end, last, total)
            waiting.append((number, last, total))
        self.places = [place for place in places if place is not None]

    @staticmethod
    def _lit(entry: Entry, after: int) -> tuple[int, int]:
        if entry.kind in ("regular", "executable"):
            start = max(entry.offset, 0)
            return start, start + max(entry.size, 0)
        if entry.kind == "symlink":  # the target, then `)` as 16 bytes
            length = len((entry.target or "").encode("utf-8", "surrogateescape"))
            start = after - 16 - length - (-length & 7)
            return max(start, 0), max(start, 0) + length
        return max(after - OPENING, 0), after

    # Bytes ----------------------------------------------------------------------------

    def pieces(self, start: int, end: int) -> Iterator[tuple[int, int, bytes | None]]:
        """Yield the content `[start, end)` as `(from, to, bytes)`, None where not kept."""
        i = max(bisect_right(self._starts, start) - 1, 0)
        while start < end and i < len(self._runs):
            side, offset, length = self._runs[i]
            first = offset + start - self._starts[i]
            stop = min(offset + length, first + end - start, first + PIECE)
            found = self.view.bytes(side, first, stop) or [(first, None)]
            for k, (at, data) in enumerate(found):
                to = found[k + 1][0] if k + 1 < len(found) else stop
                base = start - first
                yield at + base, to + base, data
            start += stop - first
            if start >= self._starts[i] + length:
                i += 1

    def kept(self, start: int, end: int) -> int:
        """Return how many bytes of the content `[start, end)` were kept."""
        return sum(
            self.view.kept[side].count(first, last) for side, first, last in self.spans(start, end)
        )

    def spans(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """Return where the content `[start, end)` passed: side, start and end in its stream."""
        found = []
        i = max(bisect_right(self._starts, start) - 1, 0)
        while i < len(self._runs) and self._starts[i] < end:
            side, offset, length = self._runs[i]
            first = max(start - self._starts[i], 0)
            last = min(end - self._starts[i], length)
            if first < last:
                found.append((side, offset + first, offset + last))
            i += 1
        return found

    def whole(self, start: int, end: int, what: str) -> Iterator[bytes]:
        """Yield the content `[start, end)`. Raises Problem before the first byte if some lacks."""
        missing = end - start - self.kept(start, end)
        if missing:
            raise Problem(
                f"{what}: {size_text(missing)} of {size_text(end - start)} were not recorded;"
                f" {NOT_KEPT}"
            )
        return (data for _, _, data in self.pieces(start, end) if data)

    def info(self, number: int) -> Node | None:
        """Return what a batch says of the path of an archive, a ValidPathInfo; offsets are the
        stream's. None where that was not kept, or where there is none.
        """
        start, end = self.items[number].info or (0, None)
        if self.kind != "paths" or end is None or self.kept(start, end) < end - start:
            return None
        data = b"".join(piece for _, _, piece in self.pieces(start, end) if piece)
        nodes = tree(wire_of(ValidPathInfo), data, item_layout(self.protocol), base=start).nodes
        return self.view.shown(self._placed(nodes[0])) if nodes else None

    def infos(self, most: int = 1 << 62) -> list[tuple[int, Node]]:
        """Read on, up to about `most` bytes; return what is said of the paths of a batch, by
        the number of their archive.
        """
        if self.kind == "paths":
            self.read(most)
        found = ((number, self.info(number)) for number in range(len(self.items)))
        return [(number, info) for number, info in found if info is not None]

    def _placed(self, node: Node) -> Node:
        """Return a node of the content as one of the stream; the two differ by frames."""
        first, last = node.start, node.end
        where = self.spans(first, max(first + 1, first if last is None else last))
        start, end = (where[0][1], where[-1][2]) if where else (-1, -1)
        children = None if node.children is None else [*map(self._placed, node.children)]
        return Node(
            node.name,
            node.wire,
            start,
            None if last is None else end,
            node.value,
            children,
            node.field,
            node.irregular,
        )

    # Names ----------------------------------------------------------------------------

    def item_name(self, number: int) -> str:
        """Return what an archive is called: the name of its store path, as far as is known."""
        item = self.items[number]
        path = item.path
        if path is None and len(self.items) == 1:
            path = _named(self.view)
        if path:
            name = path.rpartition("/")[2]
            return f"{name}.log" if self.content == "log" else name
        return f"archive-{number + 1}"

    def nar(self, number: int) -> tuple[int, int]:
        """Return the span of an archive in the content. Raises Problem if its end is unknown."""
        item = self.items[number]
        if item.nar is None or item.nar[1] is None:
            why = f"; {NOT_KEPT}" if self.kept(0, self.size) < self.size else ""
            raise Problem(f"the end of {self.item_name(number)} is not known{why}")
        return item.nar[0], item.nar[1]

    def check_end(self, place: Place) -> None:
        """Raise Problem when what is below a directory is not known to its end."""
        if place.last >= len(self.places) and not self.complete:
            name = self.entry_path(place)
            elided = self.kept(0, self.size) < self.size
            why = f"was not recorded; {NOT_KEPT}" if elided else "is cut off or not understood"
            raise Problem(f"a part of {name} {why}")

    def entry_path(self, place: Place) -> str:
        """Return what names an entry: its path in the archive, behind the archive's name."""
        inner = place.entry.path
        if len(self.items) == 1:
            return inner or "."
        name = self.item_name(place.item)
        return f"{name}/{inner}" if inner else name

    def find(self, wanted: str) -> int:
        """Return the number of the entry that a path names. Raises Problem."""
        words = wanted.strip("/")
        words = words.removeprefix("nix/store/")
        for number, place in enumerate(self.places):
            name = self.entry_path(place)
            if words == name or (not words and name == "."):
                return number
            if len(self.items) == 1 and place.depth == 0 and words == self.item_name(0):
                return number
        raise Problem(
            f"no entry {wanted!r} in the payload of exchange {self.view.row.number};"
            " `pix-inspect payload` lists them"
        )


def _depth(entry: Entry) -> int:
    depth, trail = 0, entry.trail
    while trail is not None:
        trail = trail[0]
        depth += 1
    return depth


def _name(view: ExchangeView) -> str:
    return view.row.name


def _method(view: ExchangeView) -> str | None:
    method = view.field("request", "method")
    return method.value if method is not None and isinstance(method.value, str) else None


def _named(view: ExchangeView) -> str | None:
    """Return the path or name that the messages around a payload give it."""
    for part, field in (("reply", "path"), ("request", "path"), ("request", "name")):
        node = view.field(part, field)
        if node is not None and isinstance(node.value, str) and node.value:
            return node.value
    return None
