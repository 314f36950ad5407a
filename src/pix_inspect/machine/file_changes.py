"""What becomes of a file, told by the kernel: it was written to, or another stands in its place.

Source: inotify(7). Where there is none, or none is to be had, whoever waits has to look.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path
from struct import Struct

_MODIFY, _ATTRIB, _MOVED_TO, _CREATE, _DELETE_SELF, _MOVE_SELF = 2, 4, 128, 256, 1024, 2048
_OF_FILE = _MODIFY | _ATTRIB | _DELETE_SELF | _MOVE_SELF
_OF_FOLDER = _MOVED_TO | _CREATE
_EVENT = Struct("iIII")
"""Watch, what happened, a cookie, and the length of the name behind it."""

_MOST = 1 << 16


class FileChanges:
    """The changes of the file that stands at a path. Raises OSError where they are not told."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._library = ctypes.CDLL(None, use_errno=True)
        try:
            begin = self._library.inotify_init1
        except AttributeError:
            raise OSError("this system has no inotify") from None
        self.descriptor: int = self._checked(begin(os.O_NONBLOCK | os.O_CLOEXEC))
        """Can be read from when something has changed."""
        try:
            self._folder = self._watch(self._path.parent, _OF_FOLDER)
            self._file = self._watch(self._path, _OF_FILE)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        os.close(self.descriptor)

    def take(self) -> bool:
        """Return whether the file has changed, or which file it is, since this was asked last."""
        try:
            told = os.read(self.descriptor, _MOST)
        except BlockingIOError:
            return False
        changed = replaced = False
        at = 0
        while at < len(told):
            watch, _, _, length = _EVENT.unpack_from(told, at)
            at += _EVENT.size
            if watch == self._folder:
                name = told[at : at + length].rstrip(b"\0")
                replaced = replaced or name == os.fsencode(self._path.name)
            else:
                changed = True
            at += length
        if replaced:
            with contextlib.suppress(OSError):  # gone again: the next one will be told, too
                self._file = self._watch(self._path, _OF_FILE)
        return changed or replaced

    def _watch(self, path: Path, events: int) -> int:
        add = self._library.inotify_add_watch
        return self._checked(add(self.descriptor, os.fsencode(path), ctypes.c_uint32(events)))

    @staticmethod
    def _checked(result: int) -> int:
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result
