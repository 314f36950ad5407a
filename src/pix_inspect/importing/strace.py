"""Logs of `strace -f -xx -s 1000000`, as the events of the connections in them.

A descriptor is a connection from the moment that somebody says a Nix client's hello on it:
if the traced process wrote it, that is the client; if it read it, the daemon. Where strace came
later, it is one from the first piece on that begins with a STDERR word. Descriptors
are told apart by process where the log shows how processes were made. Strings that strace
cut off are bytes that are missing, not an error.

Knows strace's lines: with `-f`, `-t`, `-tt`, `-ttt`, `-r`, `-y`, `-yy`, `-Y`, `-n`, `-i`, `-k`,
unfinished and resumed calls, and a file for each process (`-ff`).
"""

from __future__ import annotations

import contextlib
import heapq
import io
import itertools
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pix.conversation.exchange import CLIENT, DAEMON
from pix.dataclass import dataclass, field
from pix.problem import Problem
from pix.protocol import OPERATIONS, STDERR_FRAMES
from pix_inspect.importing.hellos import CLIENT_HELLOS, DAEMON_HELLOS
from pix_inspect.importing.nixwire import LONGEST_TIME
from pix_inspect.importing.opened import opened
from pix_inspect.importing.raw_streams import MICROSECOND, Passed
from pix_inspect.importing.remarks import Remarks

READS = frozenset(["read", "readv", "recv", "recvfrom", "recvmsg"])
WRITES = frozenset(["write", "writev", "send", "sendto", "sendmsg"])
ENDS = frozenset(["close", "shutdown"])
FORKS = frozenset(["clone", "clone3", "fork", "vfork"])
CALLS = READS | WRITES | ENDS | FORKS
DAY = 86_400
LONGEST_END = 8192
"""Characters behind the arguments of a call: its result, with the path of what was opened."""

_LINE = re.compile(
    r"\s*(?:\[pid\s+(?P<pid>\d{1,10})(?:<.{0,64}?>)?\]\s+|(?P<bare>\d{1,10})(?:<.{0,64}?>)?\s+)?"
    r"(?:(?P<clock>\d\d):(?P<minute>\d\d):(?P<second>\d\d(?:\.\d+)?)\s+|(?P<time>\d{1,10}\.\d+)\s+)?"
    r"(?:\(\+\s*[\d.]+\)\s+)?(?:\[\s*\d+\]\s+)?(?:\[[0-9a-f?]{8,16}\]\s+)?"
    r"(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<call>\w+)\()(?P<rest>.*)",
    re.DOTALL,
)
_ASIDE = re.compile(
    r'(?:(?:[^"(]|\(\+){0,200}\s)?(?:>|\+\+\+|---|strace:)\s|\s*$'
    r"|\s*\| [0-9a-f]{5,}  |% time\s|-+ -|\s*\d{1,3}\.\d\d +\d+\.\d{6} "
)
"""A stack, a signal, an end, a word of strace's own, a dump of -e read, the table of -C: nothing
of a call."""
_PROCESS = re.compile(r"(.+)\.(\d+)(?:\.(?:gz|xz|zst))?")
"""The name of a file that `-ff` made: prefix and process."""
_RESULT = re.compile(r"\)\s+= (-?\d{1,18})(?:<.*>)?(?: .*)?$", re.DOTALL)
_NO_RESULT = re.compile(r"\)\s+= \?(?: .*)?$", re.DOTALL)
"""What stands behind a call that was interrupted, or still went on."""
_UNFINISHED = re.compile(r"\s*<unfinished \.\.\.>\s*$")
_DESCRIPTOR = re.compile(r'(\d{1,10})(?!\d)(?:<(?:->|"(?:[^"\\]|\\.)*"|[^<>"])*>)?')
_STRING = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"(\.\.\.)?', re.DOTALL)
_VECTOR = re.compile(r'iov_base="([^"\\]*(?:\\.[^"\\]*)*)"(\.\.\.)?', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "v": "\v", "f": "\f", "a": "\a", "b": "\b"}


class Call(NamedTuple):
    """One finished call; `order` is the line on which its bytes passed."""

    order: int
    time: int
    pid: int
    name: str
    arguments: str
    result: int


@dataclass(slots=True)
class _Stream:
    """A connection: its number, whether the traced process is the client, who was heard.

    It has two descriptors where each direction is a pipe, as for `nix-daemon --stdio`.
    """

    number: int
    traced: int
    ended: bool = False
    heard: list[bool] = field(default_factory=lambda: [False, False])
    tried: set[int] = field(default_factory=set)
    """Sides of which the log has calls, whether or not anything passed."""

    def close(self, time: int) -> Iterator[Passed]:
        """End it: a direction of which the log has no call passed unseen, at least a hello."""
        self.ended = True
        if len(self.tried) == 1:
            side = 1 - next(iter(self.tried))
            yield Passed(self.number, time, "data", side, b"", len(DAEMON_HELLOS[0]))
        yield Passed(self.number, time, "close")


def is_strace(head: bytes) -> bool:
    """Whether a file that begins with these bytes looks like strace's output."""
    lines = head.decode("utf-8", "replace").splitlines()[:50]
    return any(_LINE.match(line) and ("= " in line or "unfinished" in line) for line in lines)


def has_times(path: Path, *, of_day: bool = False) -> bool:
    """Whether each line of a log has its time (-t, -tt, -ttt or -r); `of_day`: not -r."""
    with _text(path) as file:
        return all(
            match["clock"] or (match["time"] and (not of_day or match["time"].index(".") > 8))
            for match in filter(None, map(_LINE.match, file))
        )


def _text(path: Path) -> io.TextIOWrapper:
    return io.TextIOWrapper(opened(path), "utf-8", "replace", newline="\n")


def processes_of(path: Path) -> list[Path]:
    """Return the files that `-ff -o path` made, in the order of processes; [] for none."""
    found = []
    with contextlib.suppress(OSError):
        for each in path.parent.iterdir():
            match = _PROCESS.fullmatch(each.name)
            if match is not None and match[1] == path.name:
                found.append((int(match[2]), each))
    return [each for _, each in sorted(found)]


def together(paths: list[Path]) -> list[list[Path]]:
    """Return files by the log that they are of: those that `-ff` made are one."""
    found: dict[object, list[Path]] = {}
    for path in paths:
        match = _PROCESS.fullmatch(path.name)
        found.setdefault(path if match is None else (path.parent, match[1]), []).append(path)
    return list(found.values())


def strace_log(paths: list[Path], remarks: Remarks | None = None) -> Iterator[Passed]:
    """Yield what happened on the connections in a log, a file or one for each process.

    Processes that tell the time of day are put in its order, others one behind the other. Raises
    Problem when there are no connections.
    """
    remarks = remarks or Remarks()
    logs = []
    for path in paths:
        match = _PROCESS.fullmatch(path.name) if len(paths) > 1 else None
        pid = 0 if match is None else int(match[2])
        try:
            with _text(path) as file:
                made = os.fstat(file.fileno()).st_mtime_ns
                logs.append(sorted(calls(file, made, pid, remarks)))
        except OSError as error:
            raise Problem(f"cannot read {path}: {error.strerror}") from None
    found: Iterable[Call] = itertools.chain(*logs)
    if len(paths) > 1 and all(has_times(path, of_day=True) for path in paths):
        found = heapq.merge(*logs, key=lambda call: call.time)
    events = connections(found, remarks)
    first = next(events, None)
    if first is None:
        raise Problem(
            f"{paths[0]}: no connection of a Nix client in it; trace with"
            " `strace -f -xx -s 1000000 -e trace=%network,%process,read,write,readv,writev,close`"
        )
    yield first
    yield from events


def calls(
    lines: Iterable[str], start: int, process: int = 0, remarks: Remarks | None = None
) -> Iterator[Call]:
    """Yield the calls that matter; times count on from `start` (ns) where the log has none.

    `process` is whose they are where lines do not say.
    """
    remarks = remarks or Remarks()
    time, before = start, 0
    began: dict[int, tuple[int, int, str, str]] = {}
    day = start // 10**9 // DAY * DAY * 10**9
    for number, line in enumerate(lines):
        match = _LINE.match(line.rstrip("\n"))
        if match is None:
            if _ASIDE.match(line) is None:
                remarks.odd += 1
                remarks.first = remarks.first or number + 1
            continue
        time = min(_time(match, time, day), LONGEST_TIME)
        remarks.clock(before, time)
        before = time
        pid = int(match["pid"] or match["bare"] or process)
        rest = match["rest"]
        name = match["call"] or match["resumed"]
        order, at = number, time
        if match["resumed"]:
            known = began.pop(pid, None)
            if known is None or known[2] != name:
                continue
            rest = known[3] + rest
            if name in WRITES:  # what is written has passed before the call comes back
                order, at = known[0], known[1]
        elif (cut := _UNFINISHED.search(rest, max(len(rest) - LONGEST_END, 0))) is not None:
            if name in CALLS:
                began[pid] = (number, time, name, rest[: cut.start()])
            continue
        result = _RESULT.search(rest, max(len(rest) - LONGEST_END, 0))
        if result is not None and name in CALLS:
            yield Call(order, at, pid, name, rest[: result.start()], int(result[1]))
        elif name in CALLS and _NO_RESULT.search(rest, max(len(rest) - LONGEST_END, 0)):
            yield Call(order, at, pid, name, rest, -1)
    for pid, (order, at, name, rest) in began.items():
        yield Call(order, at, pid, name, rest, -1)


def _time(match: re.Match[str], before: int, day: int) -> int:
    """Return a line's time; relative times (-r) are small numbers and are added up."""
    if match["time"]:
        whole, _, fraction = match["time"].partition(".")
        ns = int(whole) * 10**9 + int(fraction[:9].ljust(9, "0"))
        return ns if int(whole) > 10**8 else before + ns
    if match["clock"]:
        whole, _, fraction = match["second"].partition(".")
        seconds = int(match["clock"]) * 3600 + int(match["minute"]) * 60 + int(whole)
        ns = day + seconds * 10**9 + int(fraction[:9].ljust(9, "0") if fraction else 0)
        while ns < before - DAY * 10**9 // 2:
            ns += DAY * 10**9
        return ns
    return before + MICROSECOND


def connections(found: Iterable[Call], remarks: Remarks | None = None) -> Iterator[Passed]:
    """Yield what passed on the descriptors that are connections of Nix clients."""
    remarks = remarks or Remarks()
    asked: dict[tuple[int, int], Call] = {}
    """By process and descriptor, what may be the request of a connection that is not known."""
    tables: dict[int, dict[int, _Stream]] = {}
    shared: dict[int, _Stream] = {}
    count = 0
    time = 0
    for call in found:
        time = max(time, call.time)
        table = tables.get(call.pid, shared)
        if call.name in FORKS:
            if call.result > 0:
                tables[call.result] = table if "CLONE_FILES" in call.arguments else dict(table)
            continue
        descriptor = _DESCRIPTOR.match(call.arguments)
        if descriptor is None:
            continue
        fd = int(descriptor[1])
        stream = table.get(fd)
        if call.result < 0:
            if stream is not None and call.name not in ENDS:
                stream.tried.add(stream.traced if call.name in WRITES else 1 - stream.traced)
                remarks.silent.discard(stream.number)
            continue
        if call.name in ENDS:
            asked.pop((call.pid, fd), None)
            if stream is not None:
                yield from _ended(call, stream, time, table, fd, tables, shared)
            continue
        data, known = _data(call)
        if data.startswith(CLIENT_HELLOS):
            if stream is not None and not stream.ended:
                yield from stream.close(time)
            count += 1
            stream = table[fd] = _Stream(count, CLIENT if call.name in WRITES else DAEMON)
            yield Passed(count, time, "open")
        elif stream is None and data.startswith(DAEMON_HELLOS):
            traced = CLIENT if call.name in READS else DAEMON
            for each in table.values():
                if each.traced == traced and not (each.ended or each.heard[DAEMON]):
                    stream = each  # the one asked last
            if stream is not None:
                table[fd] = stream
        elif stream is None:
            word = int.from_bytes(data[:8], "little")
            if word in OPERATIONS:
                asked[call.pid, fd] = call
            elif word not in STDERR_FRAMES:
                asked.pop((call.pid, fd), None)
            else:
                count += 1
                remarks.joined += 1
                stream = table[fd] = _Stream(count, CLIENT if call.name in READS else DAEMON)
                request = asked.pop((call.pid, fd), None)
                yield Passed(count, time if request is None else request.time, "join")
                if request is not None and (request.name in READS) != (call.name in READS):
                    stream.tried.add(CLIENT)
                    yield Passed(count, request.time, "data", CLIENT, *_missing(request))
        if stream is None or stream.ended:
            continue
        side = stream.traced if call.name in WRITES else 1 - stream.traced
        stream.tried.add(side)
        whole = len(stream.tried) == 2
        (remarks.silent.discard if whole else remarks.silent.add)(stream.number)
        if call.result == 0 and call.name in READS:
            yield Passed(stream.number, time, "half-close", side)
        elif call.result:
            remarks.cut += call.result - known
            stream.heard[side] = True
            yield Passed(stream.number, time, "data", side, data, call.result - known)
    for each in {id(s): s for t in (shared, *tables.values()) for s in t.values()}.values():
        if not each.ended:
            yield from each.close(time)


def _ended(
    call: Call,
    stream: _Stream,
    time: int,
    table: dict[int, _Stream],
    fd: int,
    tables: dict[int, dict[int, _Stream]],
    shared: dict[int, _Stream],
) -> Iterator[Passed]:
    """A descriptor was closed or shut down; the connection ends with its last descriptor."""
    if call.name == "shutdown":
        if "SHUT_RD" not in call.arguments.replace("SHUT_RDWR", ""):
            yield Passed(stream.number, time, "half-close", stream.traced)
        return
    del table[fd]
    left = (s for t in (shared, *tables.values()) for s in t.values())
    if not stream.ended and all(each is not stream for each in left):
        yield from stream.close(time)


def _data(call: Call) -> tuple[bytes, int]:
    """Return the bytes that the log shows of a call, and how many that is."""
    pattern = _VECTOR if "msg" in call.name or call.name.endswith("v") else _STRING
    arguments = call.arguments
    if pattern is _STRING:  # the descriptor's own name may be a string too
        arguments = arguments[_end_of_descriptor(arguments) :]
    parts = []
    for match in pattern.finditer(arguments):
        parts.append(unescaped(match[1]))
        if match[2] or pattern is _STRING:
            break  # behind a string that was cut off nothing has a known place
    data = b"".join(parts)[: call.result]
    return data, len(data)


def _missing(call: Call) -> tuple[bytes, int]:
    """Return the bytes that the log shows of a call, and how many it leaves out."""
    data, known = _data(call)
    return data, call.result - known


def _end_of_descriptor(arguments: str) -> int:
    match = _DESCRIPTOR.match(arguments)
    return match.end() if match is not None else 0


def unescaped(text: str) -> bytes:
    """Return the bytes of a string as strace prints it."""
    if text.count("\\x") * 4 == len(text):  # as -xx has it, where a callback a byte takes long
        with contextlib.suppress(ValueError):
            return bytes.fromhex(text.replace("\\x", ""))

    def byte(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        if match[2]:
            return chr(int(match[2], 8) & 0xFF)
        return _LETTERS.get(match[3], match[3])

    return _ESCAPE.sub(byte, text).encode("latin-1", "replace")
