"""What is in a payload: the files of a NAR, the paths of a batch or of an export.

A `ContentReader` is fed the content of a payload (what frames, answers or STDERR_WRITEs
carry, one after the other) in any chunking, and yields what it sees in passing without
keeping any contents. Contents of files that were not recorded may be a gap.

    nar            one archive
    plain          the bytes of one file, or a log
    paths          AddMultipleToStore: a count, then ValidPathInfo and NAR of each path
    export         ImportPaths: 1 and a record, again and again, then 0
    export record  ExportPath: one record, a NAR and then what is known of the path

Source: Nix `store-api.cc`, `export-import.cc`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Literal, TypeAlias

from pix.codec.cursor import TEXT, TEXTS, Cursor, Limits, Program, Scan, scan
from pix.codec.errors import DecodeError
from pix.codec.gates import Protocol
from pix.codec.nar import Entry, scan_nar
from pix.codec.payload import EXPORT_MAGIC, RAW_NAR, Payload
from pix.codec.wire import text_of
from pix.dataclass import dataclass, field
from pix.protocol.types import VERSIONED_ADD_MULTIPLE, UnkeyedValidPathInfo

ContentKind: TypeAlias = Literal["nar", "plain", "paths", "export", "export record"]

LONGEST_PATH = 1 << 12
_INFO = UnkeyedValidPathInfo.wire  # type: ignore[attr-defined]  # put there by @record
_REFERENCES_AND_DERIVER: Program = ((TEXTS, 1), (TEXT, None))
_ONE_STRING: Program = ((TEXT, None),)


@dataclass(slots=True)
class Item:
    """One archive of a payload, with the store path it belongs to where the payload says.

    Offsets count the bytes of the content from 0. `info` is the span of what is known of
    the path: its ValidPathInfo, or the end of its export record. `nar_size` is what the
    ValidPathInfo promises. An end is None as long as it was not seen.
    """

    path: str | None = None
    nar_size: int | None = None
    info: tuple[int, int | None] | None = None
    nar: tuple[int, int | None] | None = None
    entries: list[Entry] = field(default_factory=list)


def item_layout(protocol: Protocol) -> Protocol:
    """Return how AddMultipleToStore lays out path infos: as in 1.16, but for one feature."""
    return protocol if VERSIONED_ADD_MULTIPLE in protocol.features else Protocol(16)


def content_kind(payload: Payload, protocol: Protocol, method: str | None = None) -> ContentKind:
    """Return what is in a payload; `method` is AddToStore's content-addressing method."""
    if payload.content == "by method":
        if payload.carriage(protocol) is RAW_NAR or method is None:
            return "nar"
        return "nar" if method.startswith(("fixed:r:", "fixed:git:")) else "plain"
    if payload.content == "log":
        return "plain"
    kind: ContentKind = payload.content  # type: ignore[assignment]  # the declarations' words
    return kind


class ContentReader:
    """What was seen of a payload's content so far.

    `items` are its archives; `on_entry`, when given, is told of each entry as it ends
    (a directory as it begins) in place of `Item.entries`. `count` is how many paths an
    AddMultipleToStore promises. `error` says what was not understood: from there on bytes
    are only counted. `complete` is True once the content ended as it should.
    """

    def __init__(
        self,
        kind: ContentKind,
        protocol: Protocol,
        on_entry: Callable[[Item, Entry], None] | None = None,
        *,
        strict: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self.kind = kind
        self.items: list[Item] = []
        self.count: int | None = None
        self.error: DecodeError | None = None
        self.complete = kind == "plain"
        self._on_entry = on_entry
        self._strict = strict
        self._protocol = item_layout(protocol)
        self._cursor = Cursor(limits=limits)
        scanners = {
            "nar": self._nar_alone,
            "paths": self._paths,
            "export": self._export,
            "export record": self._record,
        }
        self._scanner: Scan | None = scanners[kind]() if kind != "plain" else None

    @property
    def size(self) -> int:
        """Bytes of content so far."""
        return self._cursor.received

    @property
    def offset(self) -> int:
        """Bytes of content that were understood so far: up to here all entries were told of."""
        return self._cursor.offset

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the content. The buffer may be reused afterwards."""
        self._cursor.feed(data)
        self._run()
        self._cursor.settle()

    def gap(self, length: int) -> None:
        """Account for bytes that were not recorded; where structure stood, all ends in error."""
        cursor = self._cursor
        if self._scanner is not None and not cursor.gap(length):
            at = cursor.received
            self._stop(DecodeError(at, "structure", f"{length} bytes that were not recorded"))
        elif self._scanner is not None:
            self._run()
            return
        cursor.pos = cursor.end + length
        cursor.gap(length)

    def _run(self) -> None:
        cursor = self._cursor
        if self._scanner is not None:
            try:
                next(self._scanner)
            except StopIteration:
                self._scanner = None
                self.complete = cursor.pos == cursor.end
                if cursor.pos < cursor.end:
                    self._stop(self._trailing())
            except DecodeError as error:
                self._stop(error)
        elif self.kind != "plain" and self.error is None and cursor.pos < cursor.end:
            self._stop(self._trailing())
        if self._scanner is None:
            cursor.pos = cursor.end

    def _trailing(self) -> DecodeError:
        self.complete = False
        left = self._cursor.end - self._cursor.pos
        return DecodeError(self._cursor.offset, "the end of the content", f"{left} bytes more")

    def _stop(self, error: DecodeError) -> None:
        self.error = error
        self._scanner = None
        self.complete = False

    # The scanners --------------------------------------------------------------------

    def _nar_alone(self) -> Scan:
        item = Item()
        self.items.append(item)
        yield from self._nar(item)

    def _nar(self, item: Item) -> Scan:
        cursor = self._cursor
        start = cursor.offset
        item.nar = (start, None)
        told = self._on_entry

        def seen(entry: Entry) -> None:
            if told is None:
                item.entries.append(entry)
            else:
                told(item, entry)

        if not (yield from scan_nar(cursor, seen, strict=self._strict)):
            raise DecodeError(cursor.offset, "a NAR token", "a STDERR_ERROR word")
        yield from cursor.arrived()
        item.nar = (start, cursor.offset)

    def _paths(self) -> Scan:
        cursor = self._cursor
        count = yield from cursor.word()
        if count > cursor.limits.count:
            raise DecodeError(0, "the number of paths", f"{count:#x}")
        self.count = count
        for _ in range(count):
            item = Item()
            self.items.append(item)
            yield from self._valid_path_info(item)
            yield from self._nar(item)

    def _valid_path_info(self, item: Item) -> Scan:
        cursor = self._cursor
        start = cursor.offset
        item.info = (start, None)
        item.path = yield from self._path()
        for part in _INFO.layout(self._protocol):
            if part.name == "nar_size":
                item.nar_size = yield from cursor.word()
            else:
                yield from scan(cursor, part.wire.program(self._protocol))
        yield from cursor.arrived()
        item.info = (start, cursor.offset)

    def _path(self) -> Generator[None, None, str]:
        return text_of((yield from self._cursor.text(LONGEST_PATH)))

    def _export(self) -> Scan:
        cursor = self._cursor
        while more := (yield from cursor.word()):
            if more != 1:
                raise DecodeError(cursor.offset - 8, "1 and a record, or 0", f"{more:#x}")
            yield from self._record()

    def _record(self) -> Scan:
        cursor = self._cursor
        item = Item()
        self.items.append(item)
        yield from self._nar(item)
        start = cursor.offset
        item.info = (start, None)
        magic = yield from cursor.word()
        if magic != EXPORT_MAGIC:
            raise DecodeError(start, "the export magic 0x4558494e", f"{magic:#x}")
        item.path = yield from self._path()
        yield from scan(cursor, _REFERENCES_AND_DERIVER)
        if (yield from cursor.word()):
            yield from scan(cursor, _ONE_STRING)
        yield from cursor.arrived()
        item.info = (start, cursor.offset)
