"""Unix sockets: made safely, reached at any path length, and who is at the other end.

A socket is created for its owner only and never in place of anything but a dead socket;
what we made is removed, and nothing else. Paths longer than the kernel's 107 bytes go
through a descriptor of their directory, or through a link to it where there is no /proc.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from pix.dataclass import dataclass
from pix.problem import Problem

LONGEST_ADDRESS = 107 if os.uname().sysname == "Linux" else 103
"""Bytes of a path that fit a socket address."""

LONGEST_NAME = LONGEST_ADDRESS - 24
"""Bytes of a file name that fit behind the way to its directory."""

DESCRIPTORS = Path("/proc/self/fd")
BACKLOG = 512


@contextlib.contextmanager
def address(path: Path) -> Iterator[str]:
    """Give a text that names `path` to bind and connect, however long it is.

    Raises Problem when the path cannot be named at all, OSError when its directory cannot be
    reached.
    """
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        yield str(path)
        return
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        raise Problem(f"{path}: the file name is too long for a socket; choose a shorter one")
    if DESCRIPTORS.is_dir():
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield f"{DESCRIPTORS}/{folder}/{path.name}"
        finally:
            os.close(folder)
        return
    # a temporary folder of the user's own may be a long path itself
    with tempfile.TemporaryDirectory(prefix="pix-", dir="/tmp") as ours:
        link = Path(ours) / "d"
        link.symlink_to(path.parent.absolute())
        yield f"{link}/{path.name}"


def connect(
    path: Path,
    timeout: float | None = None,
    *,
    before: Callable[[socket.socket], None] = lambda sock: None,
) -> socket.socket:
    """Return a blocking connection to the socket at `path`.

    `timeout` is in seconds; None waits for ever where many wait to be accepted. `before` is
    given the socket before it is connected. Raises OSError, TimeoutError when nobody accepts,
    Problem where the path cannot be named.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before(sock)
        if timeout is not None:
            # a Unix socket that is not blocking fails at once where the queue is full
            limit = struct.pack("@ll", int(timeout), int(timeout % 1 * 1e6) or 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        with address(path) as name:
            sock.connect(name)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", 0, 0))
    except BlockingIOError:
        sock.close()
        raise TimeoutError(f"nobody accepted the connection within {timeout} s") from None
    except BaseException:
        sock.close()
        raise
    return sock


@dataclass(slots=True)
class Listener:
    """A listening socket, and the file it is bound to (None when it was handed to us)."""

    sock: socket.socket
    path: Path | None
    identity: tuple[int, int] | None = None

    def is_at(self, path: Path) -> bool:
        """Return whether a path leads to this very socket."""
        if self.path is None:
            return False
        try:
            found = _identity(path.stat())
            # our file may be gone, and its number another's by now
            return found == _identity(self.path.stat()) and self.identity in (None, found)
        except OSError:
            return False

    def withdraw(self) -> bool:
        """Remove the socket file, if it is still the one we made; return whether it was ours.

        Who connected before still waits to be accepted.
        """
        if self.path is None or self.identity is None:
            return False
        with contextlib.suppress(OSError):
            if _identity(os.lstat(self.path)) == self.identity:
                self.path.unlink()
        return True

    def close(self) -> None:
        """Stop listening and remove the socket file, if it is still the one we made."""
        self.withdraw()
        self.sock.close()


def listen(path: Path, mode: int = 0o600) -> Listener:
    """Create the socket `path` with `mode` and listen on it.

    Replaces a dead socket only. Raises Problem for anything else that is there.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow symlinks
    _make_room(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with address(path) as name:
            mask = os.umask(0o777 & ~mode)  # the socket is never open to more than it shall be
            try:
                sock.bind(name)
                sock.listen(BACKLOG)  # at once: who sees the file may connect
            finally:
                os.umask(mask)
        made = os.lstat(path)
    except OSError as error:
        sock.close()
        raise Problem(f"cannot listen on {path}: {_why(error)}") from None
    except BaseException:
        sock.close()
        raise
    return Listener(sock, path, _identity(made))


def _make_room(path: Path) -> None:
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Problem(f"cannot listen on {path}: {_why(error)}") from None
    if not stat.S_ISSOCK(there.st_mode):
        what = "a symbolic link" if stat.S_ISLNK(there.st_mode) else "not a socket"
        raise Problem(f"{path} exists and is {what}; choose another path or remove it")
    try:
        connect(path, 0).close()
    except TimeoutError:
        pass  # somebody listens, and so many want in that there is a queue
    except ConnectionRefusedError:
        _remove(path, there)
        return
    except OSError as error:
        raise Problem(f"{path} exists and cannot be tried ({_why(error)}); remove it") from None
    raise Problem(f"{path} is in use by another process; choose another path or stop that one")


def _remove(path: Path, seen: os.stat_result) -> None:
    """Remove the dead socket that was seen, not what may stand there since."""
    try:
        if _identity(os.lstat(path)) == _identity(seen):
            path.unlink()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise Problem(
            f"{path} is a dead socket and cannot be removed: {_why(error)}; choose another path"
        ) from None


def peer_ids(sock: socket.socket) -> tuple[int | None, int | None, int | None]:
    """Return pid, uid and gid of the process at the other end, None where unknown."""
    if hasattr(socket, "SO_PEERCRED"):
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid, uid, gid = struct.unpack("3i", raw)
        return (pid or None, uid, gid)
    if hasattr(socket, "LOCAL_PEERCRED"):  # macOS and BSD: struct xucred
        raw = sock.getsockopt(0, socket.LOCAL_PEERCRED, 76)
        _, uid, groups = struct.unpack_from("IIh", raw)
        gid = struct.unpack_from("I", raw, 12)[0] if groups else None
        return (None, uid, gid)
    return (None, None, None)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return (status.st_dev, status.st_ino)


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "somebody else just created it"
    return os.strerror(error.errno) if error.errno else str(error)
