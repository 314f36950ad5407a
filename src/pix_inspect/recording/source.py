"""The bytes of a recording as one run of positions: plain, compressed, growing or rotated.

A position is an offset into the file that was opened first; what follows it after a
rotation continues where that file ended.

Files are read in pieces (`pread`) rather than mapped: a mapped file that its writer cuts back
after a full disk, or that somebody empties, ends the reading process with SIGBUS.
"""

import contextlib
import errno
import importlib
import os
import stat
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from pix.problem import Problem
from pix_inspect.recording.sinks import rotated

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_XZ = b"\xfd7zXZ\0"
PACKED_HEAD = len(_XZ)
"""Bytes by which a compressed file is known."""
_PIECE = 1 << 20
MOST_UNPACKED = 16 << 30
"""Bytes to which a compressed recording is unpacked; a plain one has no bound."""
_XZ_MEMORY = 256 << 20
"""Bytes that its decompressor may take; `xz -9` makes it take 65 MiB."""
_OLDEST = 1000
"""How many rotations back a file that was being followed is looked for."""


Belongs = Callable[[int], bool | None]
"""Whether an open file goes on with what was read; None while too little of it is there."""


class DeletedError(Exception):
    """What was read once is in a file that rotation deleted since."""


def _all_belong(descriptor: int) -> bool:
    return True


class Source(Protocol):
    """Bytes that can be read at any position, and of which there may be more later."""

    path: Path
    end: int
    """Bytes there are so far."""
    fault: str | None
    """Why there are no more, where that is not the end; what came before can be read."""

    def extend(self, belongs: Belongs = _all_belong, spoilt: bool = False) -> bool:
        """Look for more; return whether there is.

        Of a file that is `spoilt` there is no more, but it may have been begun again.
        """

    def read(self, position: int, count: int) -> bytes:
        """Return up to `count` bytes from `position`, of one file; fewer where it ends.

        Raises DeletedError, and Problem when it cannot be read.
        """

    def next_file(self, position: int) -> int | None:
        """Return where the file after the one that holds `position` begins, if there is one."""

    def expected(self) -> int:
        """Return how many bytes there will be, as far as is known; for showing progress."""

    def deleted(self) -> bool:
        """Return whether no name leads any more to what is read on from the disk."""

    def close(self) -> None:
        """Close the files."""


def is_packed(head: bytes) -> bool:
    """Whether a file that begins with these bytes is compressed."""
    return head.startswith((_GZIP, _XZ, _ZSTD))


def open_source(path: Path) -> Source:
    """Open `path`, looking into it to see whether it is compressed.

    Raises Problem when it cannot be opened, is not a file, or no library can decompress it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if str(path) == "-":
            raise Problem("a recording is not read from a pipe: save it to a file first") from None
        if error.errno == errno.ENXIO and path.is_socket():
            raise Problem(f"{path} is a socket, and no relay that runs is known by it") from None
        raise Problem(f"cannot open {path}: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Problem(f"{path} is not a file: save the recording to a file first")
    try:
        magic = os.pread(descriptor, len(_XZ), 0)
    except OSError as error:
        os.close(descriptor)
        raise Problem(f"cannot read {path}: {error.strerror}") from None
    if magic[:2] == _GZIP:
        stream = os.fdopen(descriptor, "rb")
        import gzip

        return CompressedSource(path, stream, gzip.GzipFile(fileobj=stream))
    if magic == _XZ:
        stream = os.fdopen(descriptor, "rb")
        return CompressedSource(path, stream, _Xz(stream))
    if magic.startswith(_ZSTD):
        stream = os.fdopen(descriptor, "rb")
        return CompressedSource(path, stream, _zstd(path, stream))
    return FileSource(path, descriptor)


def _zstd(path: Path, stream: BinaryIO) -> Any:
    with contextlib.suppress(ImportError):
        return importlib.import_module("compression.zstd").ZstdFile(stream)
    with contextlib.suppress(ImportError):
        library = importlib.import_module("zstandard")
        return library.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
    stream.close()
    raise Problem(
        f"{path} is compressed with zstd: install the Python package zstandard, "
        "or decompress it with `zstd -d`"
    )


class _Xz:
    """The contents of an xz file, of one stream or several."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        try:
            library = importlib.import_module("lzma")
        except ImportError:
            raise Problem("this Python reads no xz: decompress it with `xz -d`") from None
        self._new = partial(library.LZMADecompressor, memlimit=_XZ_MEMORY)
        self._inner = self._new()

    def read1(self, most: int) -> bytes:
        """Return some bytes, none at the end."""
        data = b""
        while not data:
            packed = b""
            if self._inner.eof:  # padding may come, then another stream
                packed = self._inner.unused_data.lstrip(b"\0")
                packed = packed or self._stream.read(_PIECE).lstrip(b"\0")
                if not packed:
                    return b""
                self._inner = self._new()
            elif self._inner.needs_input and not (packed := self._stream.read(_PIECE)):
                raise EOFError("the file is cut")
            data = self._inner.decompress(packed, most)
        return data


class FileSource:
    """A plain file, followed as it grows and into its successors when it is rotated."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.end = 0
        self.fault: str | None = None
        self._starts = [0]
        self._descriptors = [descriptor]
        self.extend()

    def extend(self, belongs: Belongs = _all_belong, spoilt: bool = False) -> bool:
        """Look for more in the newest file, then for a newer one that belongs to it."""
        start = self._starts[-1]
        found = os.fstat(self._descriptors[-1])
        if not spoilt and start + found.st_size > self.end:
            self.end = start + found.st_size
            return True
        newer = self.path if spoilt else self._newer(found)
        successor = self._open(newer, belongs) if newer is not None else None
        if successor is None:
            return False
        if not spoilt:  # it was written to until it was renamed, so its end is known only now
            self.end = max(self.end, start + os.fstat(self._descriptors[-1]).st_size)
        self._close_deleted()
        self._starts.append(self.end)
        self._descriptors.append(successor)
        self.end += os.fstat(successor).st_size
        return True

    def _close_deleted(self) -> None:
        """Give back the room of files that rotation deleted and that have been read."""
        for index, descriptor in enumerate(self._descriptors[:-1]):
            if descriptor >= 0 and os.fstat(descriptor).st_nlink == 0:
                os.close(descriptor)
                self._descriptors[index] = -1

    def _newer(self, current: os.stat_result) -> Path | None:
        """Return the file that was begun after the current one, if this was renamed or deleted."""
        try:
            if os.path.samestat(self.path.stat(), current):
                return None
        except OSError:
            return None
        newer = self.path
        for age in range(1, _OLDEST):
            name = rotated(self.path, age)
            try:
                if os.path.samestat(name.stat(), current):
                    return newer
            except OSError:
                return self.path
            newer = name
        return newer

    def _open(self, path: Path, belongs: Belongs) -> int | None:
        """Open a file that goes on with what was read."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        goes_on = stat.S_ISREG(os.fstat(descriptor).st_mode) and belongs(descriptor)
        if goes_on:
            return descriptor
        os.close(descriptor)
        if goes_on is False:
            self.fault = ": its name leads to something else now, which is not read"
        return None

    def read(self, position: int, count: int) -> bytes:
        """Return up to `count` bytes from `position`, of one file."""
        index = len(self._starts) - 1
        while index and self._starts[index] > position:
            index -= 1
        start = self._starts[index]
        limit = self._starts[index + 1] if index + 1 < len(self._starts) else self.end
        count = min(count, limit - position)
        if count <= 0:
            return b""
        if self._descriptors[index] < 0:
            raise DeletedError
        try:
            return os.pread(self._descriptors[index], count, position - start)
        except OSError as error:
            raise Problem(f"cannot read {self.path}: {error.strerror}") from None

    def next_file(self, position: int) -> int | None:
        """Return where the file after the one that holds `position` begins."""
        return next((start for start in self._starts if start > position), None)

    def expected(self) -> int:
        """Return the bytes there are."""
        return self.end

    def deleted(self) -> bool:
        return any(os.fstat(each).st_nlink == 0 for each in self._descriptors[-1:])

    def close(self) -> None:
        for descriptor in self._descriptors:
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptors = []

    def __del__(self) -> None:
        self.close()


class CompressedSource:
    """A compressed file, decompressed into an unnamed temporary file as it is asked for."""

    def __init__(self, path: Path, stream: BinaryIO, decompressed: Any) -> None:
        self.path = path
        self.end = 0
        self.fault: str | None = None
        self._stream = stream
        self._decompressed = decompressed
        self._compressed_size = os.fstat(stream.fileno()).st_size
        self._finished = False
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115
        self.extend()

    def extend(self, belongs: Belongs = _all_belong, spoilt: bool = False) -> bool:
        """Decompress a piece more."""
        if self._finished:
            return False
        pieces: list[bytes] = []
        size = 0
        try:
            # read1, for read() of a file that is cut drops what it had before the cut
            while size < _PIECE and (piece := self._decompressed.read1(_PIECE)):
                pieces.append(piece)
                size += len(piece)
            self._finished = size < _PIECE
        except Exception as error:  # OSError, EOFError, and what the zstd libraries have
            self._finished = True
            self.fault = f" cannot be decompressed further: {error}"
        if self.end + size > MOST_UNPACKED:
            self._finished = True
            self.fault = (
                f" is unpacked to its first {MOST_UNPACKED >> 20:,} MiB only: read what a"
                " decompressor makes of it"
            )
        if self._finished:
            self._stream.close()
        if not size:
            return False
        try:
            self._keep(b"".join(pieces))
        except OSError as error:
            directory = tempfile.gettempdir()
            raise Problem(
                f"no room to decompress {self.path} in {directory}: {error.strerror}; "
                "set TMPDIR to another directory"
            ) from None
        return True

    def _keep(self, data: bytes) -> None:
        while data:  # of a disk that is nearly full, not all is taken at once
            taken = os.pwrite(self._spool.fileno(), data, self.end)
            self.end += taken
            data = data[taken:]

    def read(self, position: int, count: int) -> bytes:
        """Return up to `count` bytes from `position` of what is decompressed."""
        count = max(0, min(count, self.end - position))
        try:
            return os.pread(self._spool.fileno(), count, position)
        except OSError as error:
            raise Problem(f"cannot read what {self.path} holds: {error.strerror}") from None

    def unpacked(self) -> BinaryIO:
        """Return what is decompressed so far as a file of its own."""
        file = os.fdopen(os.dup(self._spool.fileno()), "rb")
        file.seek(0)
        return file

    def next_file(self, position: int) -> int | None:
        """Return None: a compressed file has no successor."""
        return None

    def expected(self) -> int:
        """Return the decompressed size, estimated until all is decompressed."""
        if self._finished:
            return self.end
        done = max(1, self._stream.tell())
        return max(self.end, self.end * self._compressed_size // done)

    def deleted(self) -> bool:
        """Return False: it has been unpacked, or is not read any further."""
        return False

    def close(self) -> None:
        self._spool.close()
        self._stream.close()

    def __del__(self) -> None:
        self.close()
