"""Where a recording is written: a file that stays a whole number of blocks, or a pipe.

Rotation: `s.pcapng` is always the file being written. A full one becomes `s.1.pcapng`, what
was `s.1.pcapng` becomes `s.2.pcapng`, and so on; `keep` files are left, the newest included.
"""

import contextlib
import errno
import os
import select
import stat
from itertools import count
from pathlib import Path
from typing import IO, Protocol

from pix.problem import Problem
from pix_inspect.base.new_files import PRIVATE
from pix_inspect.recording.pcapng import BLOCK

_KNOWN_BY = 64

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


COMPRESSED = (".gz", ".xz", ".zst")
"""Names that readers take for compressed recordings."""


class Sink(Protocol):
    """What takes whole blocks. `failure` is one line while writing fails, `pending` what waits."""

    failure: str | None
    pending: bytes
    size: int
    broken: bool
    """Nothing can be written any more, ever."""

    left: list[Path]
    """What is left of files that somebody cut, under the names that they have now."""

    @property
    def path(self) -> Path | None:
        """The file, None of a stream."""

    def write(self, blocks: bytes) -> bool:
        """Append whole blocks after what is pending; return whether all of it is written."""

    def missing(self) -> bool:
        """Return whether somebody deleted or cut the file: what is known at a glance."""

    def gone(self) -> bool:
        """Return whether the file holds no longer what was written, or its name leads elsewhere."""

    def renew(self) -> int | None:
        """Begin an empty file in place of the one that is gone.

        Returns how many bytes of that are lost, None when it did not work.
        """

    def rotate(self) -> bool:
        """Put the file aside and begin an empty one; return whether that worked."""

    def close(self) -> None:
        """Close; what is pending is lost."""


def rotated(path: Path, age: int) -> Path:
    """Return the name that `path` has after `age` rotations: `s.pcapng` → `s.2.pcapng`."""
    return path.with_name(f"{path.stem}.{age}{path.suffix}") if age else path


def whole_blocks(blocks: bytes, written: int) -> int:
    """Return how many of the `written` bytes of `blocks` are whole blocks."""
    position = 0
    while position + 8 <= len(blocks):
        total = BLOCK.unpack_from(blocks, position)[1]
        if total < 12 or position + total > written:
            break
        position += total
    return position


class RecordingFile:
    """A file created for this recording: never one that exists, never through a symlink.

    `mode`: its permissions; beyond 0600 less what the umask takes away.

    Raises Problem when it cannot be created. A missing parent directory is made 0700.
    """

    def __init__(self, path: Path, keep: int = 1, mode: int = PRIVATE) -> None:
        self.path = path
        self._mode = mode
        self.failure: str | None = None
        self.pending = b""
        self.size = 0
        self.broken = False
        self.left: list[Path] = []
        self._keep = keep
        self._aged = 0
        self._put_aside = False
        self._last = b""
        """The last bytes written, by which the file is known."""
        self._stands: str | None = None
        """What is wrong though blocks can be written: the file is gone, or could not be rotated."""
        if path.suffix in COMPRESSED:
            raise Problem(
                f"a recording is written as it comes, not compressed: name it {path.stem}, and"
                " compress it afterwards"
            )
        taken = [age for age in range(1, keep) if os.path.lexists(rotated(path, age))]
        if taken:
            raise Problem(
                f"{rotated(path, taken[0])} exists and rotation would need its name: "
                "choose another name for the recording, or remove it"
            )
        try:
            if not os.path.lexists(path.parent):
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(path, _CREATE, mode)
        except FileExistsError:
            raise Problem(f"{path} exists: choose another name, or remove it") from None
        except OSError as error:
            raise Problem(f"cannot create the recording {path}: {error.strerror}") from None

    def write(self, blocks: bytes) -> bool:
        """Append whole blocks; on failure keep what is left and cut the file back to whole ones.

        To a file that somebody cut nothing is appended: what fills the hole would hide that.
        """
        if self.pending:
            blocks = self.pending + blocks
            self.pending = b""
        written = 0
        view = memoryview(blocks)
        try:
            if self.missing():
                self.pending = blocks
                return False
            while written < len(blocks):
                count = os.pwrite(self._descriptor, view[written:], self.size + written)
                if count == 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                written += count
        except OSError as error:
            whole = whole_blocks(blocks, written)
            self.pending = blocks[whole:]
            self._wrote(blocks[:whole])
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
            self.failure = f"cannot write {self.path}: {error.strerror}"
            return False
        self._wrote(blocks)
        self.failure = self._stands
        return True

    def _wrote(self, blocks: bytes) -> None:
        self.size += len(blocks)
        self._last = blocks[-_KNOWN_BY:] or self._last

    def missing(self) -> bool:
        """Return whether the file was deleted, or less is there than was written."""
        try:
            found = os.fstat(self._descriptor)
        except OSError:
            return True
        return found.st_nlink == 0 or found.st_size < self.size

    def gone(self) -> bool:
        """Return whether no name leads to the file, or it does not end as it was written."""
        return self._put_aside or self._left() < self.size

    def _left(self) -> int:
        """Return how much of what was written is there: nothing of a file that another wrote."""
        try:
            found = os.fstat(self._descriptor)
            if found.st_nlink == 0:
                return -1
            if found.st_size < self.size:
                return found.st_size
            start = max(self.size - len(self._last), 0)
            end = os.pread(self._descriptor, self.size - start, start)
        except OSError:
            return -1
        return self.size if self._last.endswith(end) and found.st_size == self.size else 0

    def renew(self) -> int | None:
        """Begin again; `pending` is dropped, for its file is gone.

        The name stays, unless it leads to a file of somebody else; what is left of ours gets
        another one.
        """
        lost = 0
        if not self._put_aside:
            left = max(self._left(), 0)
            lost = self.size - left
            ours = self._same(self.path)
            with contextlib.suppress(OSError):
                if ours and left:
                    self.left.append(self.path.rename(self._free_name()))
                elif ours and os.fstat(self._descriptor).st_size == 0:
                    self.pending, self.size, self._last = b"", 0, b""
                    return lost
                elif os.path.lexists(self.path):
                    self.path = self._free_name()
        return lost if self._begin("is gone and cannot be made again") else None

    def _free_name(self) -> Path:
        names = (self.path.with_name(f"{self.path.stem}-{i}{self.path.suffix}") for i in count(2))
        return next(name for name in names if not os.path.lexists(name))

    def rotate(self) -> bool:
        """Rename the files by one age, drop the oldest, begin a new one."""
        ages = range(min(self._aged + 1, self._keep - 1), 0, -1)
        try:
            if not self._same(self.path):
                raise OSError(errno.EEXIST, "somebody renamed or replaced the file")
            for age in ages:
                new = rotated(self.path, age)
                if age > self._aged and os.path.lexists(new):
                    raise OSError(errno.EEXIST, f"{new} exists")
            if self._keep == 1:
                self.path.unlink()
            for age in ages:
                if age - 1 == 0 or os.path.lexists(rotated(self.path, age - 1)):
                    rotated(self.path, age - 1).rename(rotated(self.path, age))
        except OSError as error:
            self.failure = self._stands = f"cannot rotate {self.path}: {error.strerror}"
            return False
        self._aged = min(self._aged + 1, self._keep - 1)
        self._put_aside = True
        return self._begin("cannot be made after rotation")

    def _same(self, path: Path) -> bool:
        try:
            return os.path.samestat(path.lstat(), os.fstat(self._descriptor))
        except OSError:
            return False

    def _begin(self, what: str) -> bool:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, _CREATE, self._mode)
        except OSError as error:
            self.failure = self._stands = f"{self.path} {what}: {error.strerror}"
            return False
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._put_aside = False
        self.pending, self.size, self._last = b"", 0, b""
        self.failure = self._stands = None
        return True

    def close(self) -> None:
        os.close(self._descriptor)


class RecordingStream:
    """A pipe, or whatever else the caller opened: when a write fails, it is over.

    A regular file (standard output redirected) is cut back to whole blocks and tried again.
    """

    path: Path | None = None

    def __init__(self, stream: IO[bytes]) -> None:
        self.failure: str | None = None
        self.pending = b""
        self.size = 0
        self.broken = False
        self.left: list[Path] = []
        self._stream = stream
        self._descriptor: int | None = None
        self._regular = False
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
            self._descriptor = stream.fileno()
            self._regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)

    def write(self, blocks: bytes) -> bool:
        """Write at once; a reader that has gone breaks the stream for good."""
        if self.broken:
            return False
        blocks, self.pending = self.pending + blocks, b""
        written = 0
        try:
            if self._descriptor is None:
                self._stream.write(blocks)
                self._stream.flush()
                written = len(blocks)
            while written < len(blocks):
                written += self._some(self._descriptor or 0, memoryview(blocks)[written:])
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            self.failure = f"cannot write the recording: {why}"
            self.broken = not self._regular
            if self._regular and self._descriptor is not None:
                whole = whole_blocks(blocks, written)
                self._cut(self._descriptor, written - whole)
                self.pending = blocks[whole:]
                self.size += whole
            return False
        self.size += written
        self.failure = None
        return True

    @staticmethod
    def _some(descriptor: int, view: memoryview) -> int:
        try:
            return os.write(descriptor, view)
        except BlockingIOError:
            select.select([], [descriptor], [])
            return 0

    @staticmethod
    def _cut(descriptor: int, count: int) -> None:
        with contextlib.suppress(OSError):
            end = os.lseek(descriptor, -count, os.SEEK_CUR)
            os.ftruncate(descriptor, end)

    def missing(self) -> bool:
        """Return False: what was written to a stream is its reader's."""
        return False

    def gone(self) -> bool:
        """Return False: a stream has no name to lose."""
        return False

    def renew(self) -> int | None:
        """Return None: a stream cannot begin again."""
        return None

    def rotate(self) -> bool:
        """Return False: a stream cannot be put aside."""
        return False

    def close(self) -> None:
        """Leave the stream to whoever opened it."""
