"""Other tools' captures made into recordings.

What passed goes through the same tap as live traffic, so that payload is elided by the same
rule.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pix.problem import Problem
from pix_inspect.capture.tap import RecordingTap
from pix_inspect.importing.nixwire import MAGICS, nixwire
from pix_inspect.importing.opened import opened
from pix_inspect.importing.packet_files import PacketFile
from pix_inspect.importing.raw_streams import Passed
from pix_inspect.importing.remarks import Remarks
from pix_inspect.importing.socat import Log, is_socat
from pix_inspect.importing.sockdump import USER0, Dump
from pix_inspect.importing.strace import (
    has_times,
    is_strace,
    processes_of,
    strace_log,
    together,
)
from pix_inspect.importing.tcp_capture import Capture, ports
from pix_inspect.recording.notes import Peer
from pix_inspect.recording.pcapng import SECTION_MAGIC
from pix_inspect.recording.reader import is_pcap, is_recording
from pix_inspect.recording.sections import UNSEEN
from pix_inspect.recording.writer import RecordingWriter


class Captured(NamedTuple):
    """Another tool's capture: its format, what passed, and what to say of it afterwards."""

    form: str
    passed: Iterator[Passed]
    remarks: Callable[[], Iterator[str]] = lambda: iter(())
    timeless: bool = False
    """Its times are made up."""


def captured(paths: list[Path], port: int | None = None) -> Captured:
    """Return another tool's capture. Raises Problem.

    It is one file, or those of the processes that strace followed, or those in which a capture of
    TCP goes on. `port` is the daemon's there.
    """
    if port is not None:
        for path in paths:
            if not _has_packets(_head(path), path):
                raise Problem(f"{path}: --port is for captures of TCP, this is none")
        capture = Capture(paths, port)
        return Captured("tcp", capture.passed(), capture.remarks)
    path = paths[0]
    head = _head(path)
    told = Remarks()
    if head.startswith(MAGICS):
        return Captured("nixwire", nixwire(path, told), lambda: told.lines(str(path)))
    if is_strace(head):
        timed = all(map(has_times, paths))
        passed = strace_log(paths, told)
        return Captured("strace", passed, lambda: told.lines(str(path)), not timed)
    if is_socat(head):
        log = Log(path)
        return Captured("socat", log.passed(), log.remarks)
    if not _has_packets(head, path):
        raise Problem(
            f"{path}: neither a capture of packets (pcap, pcapng), a .nixwire file nor a log of"
            " strace or of socat -x; two raw streams, as of socat -r and -R, are imported with"
            " --client FILE --daemon FILE"
        )
    with opened(path) as file:
        packets = PacketFile(file)
        first = next(iter(packets), None)
        if first is None or first.link != USER0:
            raise Problem(
                f"{path}: of a capture of TCP, say with --port N which port is the daemon's;"
                f" {ports(packets)}"
            )
    dump = Dump(path)
    return Captured("sockdump", dump.passed(), dump.remarks)


def _head(path: Path) -> bytes:
    """Return what a file begins with. Raises Problem, also for what is read only once."""
    with opened(path) as file:
        if not file.seekable():
            raise Problem(f"{path} is a pipe, and is read more than once: save it to a file first")
        return file.read(1 << 16)


def _has_packets(head: bytes, path: Path) -> bool:
    """Whether a file is a capture of packets by others. Raises Problem for a recording."""
    if is_recording(head):
        raise Problem(f"{path} is a recording already: pix-inspect open {path}")
    return head.startswith(SECTION_MAGIC) or is_pcap(head)


def files_of(paths: list[Path], port: int | None = None) -> list[list[Path]]:
    """Return the files of each capture; a prefix stands for what `strace -ff -o PREFIX` made.

    Captures of TCP, of which a port was said, are one.
    """
    if port is not None:
        return [paths]
    return together(
        [
            each
            for path in paths
            for each in ([] if os.path.lexists(path) else processes_of(path)) or [path]
        ]
    )


def one_after_the_other(captures: Iterable[Iterable[Passed]]) -> Iterator[Passed]:
    """Yield the events of several captures, their connections numbered on."""
    before = 0
    for capture in captures:
        most = 0
        for event in capture:
            most = max(most, event.connection)
            yield event._replace(connection=before + event.connection)
        before += most


def write_recording(
    passed: Iterable[Passed],
    target: Path,
    *,
    about: dict[str, object],
    payload_limit: int | None,
) -> int:
    """Write what passed into a new recording; return the number of connections.

    Raises Problem when the recording cannot be created or written, or `passed` raises it.
    """
    events = iter(passed)
    first = next(events, None)  # a source that cannot be read must not leave a file behind
    writer = RecordingWriter(target, about=about, queue_limit=1 << 40)
    taps: dict[int, RecordingTap] = {}
    count = 0
    try:
        for event in _chain(first, events):
            if writer.failure is not None:
                break
            tap = taps.get(event.connection)
            if tap is None:
                count += 1
                unseen = UNSEEN if event.what == "join" else None
                log = writer.open(event.peer or Peer(), {}, time=event.time, missing=unseen)
                tap = taps[event.connection] = RecordingTap(log, payload_limit)
            if event.what == "data":
                assert event.side is not None
                if event.data:
                    tap.chunk(event.side, memoryview(event.data), event.time)
                if event.missing:
                    tap.gap(event.side, event.missing, event.time)
            elif event.what == "half-close" and event.side is not None:
                tap.half_close(event.side, event.time)
            elif event.what == "reset" and event.side is not None:
                tap.reset(event.side, event.time)
            elif event.what == "close":
                tap.closed(event.time)
                del taps[event.connection]
        writer.close()
        if writer.failure is not None:
            raise Problem(writer.failure)
    except BaseException:
        writer.close()
        target.unlink(missing_ok=True)
        raise
    return count


def _chain(first: Passed | None, rest: Iterable[Passed]) -> Iterable[Passed]:
    if first is not None:
        yield first
    yield from rest
