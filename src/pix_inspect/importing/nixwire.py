"""`.nixwire` files of two recorders, as one connection's events.

    header   24 bytes: `NIXWREC\\0`, u16 version 1, u16 flags, u64 epoch (ns), u32 unused
    records  u64 time since the epoch (ns), u8 direction (0 from the client), u32 length, data

    header   `NIXWIRE2`, u16 length, the store directory; or `NIXWIRE1` and no more
    records  `C` from the client or `S`, u64 time since the file's start (ns), u64 length, data

All little-endian. A record that was cut off is the end of the file. Knows these layouts and
nothing of what passed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import BinaryIO

from pix.conversation.exchange import CLIENT, DAEMON
from pix.problem import Problem
from pix_inspect.importing.opened import opened
from pix_inspect.importing.raw_streams import Passed
from pix_inspect.importing.remarks import Remarks

MAGIC = b"NIXWREC\0"
PLAIN, WITH_STORE = b"NIXWIRE1", b"NIXWIRE2"
MAGICS = (MAGIC, PLAIN, WITH_STORE)
VERSION = 1
LONGEST_TIME = 1 << 62
CLIENT_HELLO = b"cxin"
DAEMON_HELLO = b"oixd"
_HEADER = Struct("<8sHHQI")
_RECORD = Struct("<QBI")
_CHUNK = Struct("<cQQ")
_SENDERS = {b"C": CLIENT, b"S": DAEMON}


def nixwire(path: Path, remarks: Remarks | None = None) -> Iterator[Passed]:
    """Yield what happened on the connection of a `.nixwire` file. Raises Problem."""
    remarks = remarks or Remarks()
    with opened(path) as file:
        magic = file.read(len(MAGIC))
        if magic in (PLAIN, WITH_STORE):
            yield from _chunks(path, file, remarks, has_store=magic == WITH_STORE)
            return
        head = magic + file.read(_HEADER.size - len(magic))
        if len(head) < _HEADER.size or head[:8] != MAGIC:
            raise Problem(
                f"{path} is not a .nixwire file: it does not begin with NIXWREC or NIXWIRE"
            )
        _, version, _, epoch, _ = _HEADER.unpack(head)
        if version != VERSION:
            raise Problem(f"{path} is a .nixwire file of version {version}: only 1 is known")
        size = os.fstat(file.fileno()).st_size
        time = epoch
        yield Passed(1, time, "open")
        swapped = None
        position = _HEADER.size
        while len(record := file.read(_RECORD.size)) == _RECORD.size:
            after, direction, length = _RECORD.unpack(record)
            position += _RECORD.size
            if direction > 1:
                raise Problem(f"{path}: a record of direction {direction} at {position}: 0 or 1")
            if length > size - position:
                break
            data = file.read(length)
            position += length
            if swapped is None and data:
                hellos = (CLIENT_HELLO, DAEMON_HELLO)
                swapped = data.startswith(hellos[1 - direction])
            side = CLIENT if (direction == 0) != bool(swapped) else DAEMON
            said = min(epoch + after, LONGEST_TIME)
            remarks.clock(time, said)
            time = max(time, said)
            if data:
                yield Passed(1, time, "data", side, data)
        yield Passed(1, time, "close")


def _chunks(path: Path, file: BinaryIO, remarks: Remarks, *, has_store: bool) -> Iterator[Passed]:
    """Yield what happened behind the magic of a file that says no epoch: its own age is taken."""
    about = os.fstat(file.fileno())
    size, epoch = about.st_size, about.st_mtime_ns
    position = len(PLAIN)
    if has_store:
        length = int.from_bytes(file.read(2), "little")
        file.seek(length, os.SEEK_CUR)
        position += 2 + length
    time = epoch
    yield Passed(1, time, "open")
    while len(record := file.read(_CHUNK.size)) == _CHUNK.size:
        sender, after, length = _CHUNK.unpack(record)
        position += _CHUNK.size
        if sender not in _SENDERS:
            raise Problem(f"{path}: a record of direction {sender!r} at {position}: C or S")
        if length > size - position:
            break
        data = file.read(length)
        position += length
        said = min(epoch + after, LONGEST_TIME)
        remarks.clock(time, said)
        time = max(time, said)
        if data:
            yield Passed(1, time, "data", _SENDERS[sender], data)
    yield Passed(1, time, "close")
