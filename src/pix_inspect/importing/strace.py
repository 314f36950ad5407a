"""Logs of `strace -f -xx -s 1000000`, as the events of the connections in them.

A descriptor is a connection from the moment that somebody says a Nix client's hello on it:
if the traced process wrote it, that is the client; if it read it, the daemon. Descriptors
are told apart by process where the log shows how processes were made. Strings that strace
cut off are bytes that are missing, not an error.

Knows strace's lines (`-f`, `-t`, `-tt`, `-ttt`, `-r`, `-y`, `-yy`, unfinished and resumed calls);
nothing of what passed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pix.conversation.exchange import CLIENT, DAEMON
from pix.problem import Problem
from pix_inspect.importing.raw_streams import MICROSECOND, Passed

CLIENT_HELLO = b"cxin\0\0\0\0"
READS = frozenset(["read", "readv", "recv", "recvfrom", "recvmsg"])
WRITES = frozenset(["write", "writev", "send", "sendto", "sendmsg"])
ENDS = frozenset(["close", "shutdown"])
FORKS = frozenset(["clone", "clone3", "fork", "vfork"])
CALLS = READS | WRITES | ENDS | FORKS
DAY = 86_400

_LINE = re.compile(
    r"\s*(?:\[pid\s+(?P<pid>\d+)\]\s+|(?P<bare>\d+)\s+)?"
    r"(?:(?P<clock>\d\d):(?P<minute>\d\d):(?P<second>\d\d(?:\.\d+)?)\s+|(?P<time>\d+\.\d+)\s+)?"
    r"(?:\(\+\s*[\d.]+\)\s+)?"
    r"(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<call>\w+)\()(?P<rest>.*)",
    re.DOTALL,
)
_RESULT = re.compile(r"\)\s+= (-?\d+)(?:<.*>)?(?: .*)?$", re.DOTALL)
_UNFINISHED = re.compile(r"\s*<unfinished \.\.\.>\s*$")
_DESCRIPTOR = re.compile(r'(\d+)(?:<(?:->|"(?:[^"\\]|\\.)*"|[^<>"])*>)?')
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"(\.\.\.)?', re.DOTALL)
_VECTOR = re.compile(r'iov_base="((?:[^"\\]|\\.)*)"(\.\.\.)?', re.DOTALL)
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
    """A connection: its number, and whether the traced process is the client."""

    number: int
    traced: int
    ended: bool = False


def is_strace(head: bytes) -> bool:
    """Whether a file that begins with these bytes looks like strace's output."""
    lines = head.decode("utf-8", "replace").splitlines()[:50]
    return any(_LINE.match(line) and ("= " in line or "unfinished" in line) for line in lines)


def has_times(path: Path) -> bool:
    """Whether each line of a log has its time (-t, -tt, -ttt or -r)."""
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        return all(
            match["time"] or match["clock"] for match in filter(None, map(_LINE.match, file))
        )


def strace_log(path: Path) -> Iterator[Passed]:
    """Yield what happened on the connections in a log. Raises Problem when there are none."""
    try:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            found = sorted(calls(file, path.stat().st_mtime_ns))
    except OSError as error:
        raise Problem(f"cannot read {path}: {error.strerror}") from None
    events = connections(found)
    first = next(events, None)
    if first is None:
        raise Problem(
            f"{path}: no connection of a Nix client in it; trace with"
            " `strace -f -xx -s 1000000 -e trace=%network,%process,read,write,readv,writev,close`"
        )
    yield first
    yield from events


def calls(lines: Iterable[str], start: int) -> Iterator[Call]:
    """Yield the calls that matter; times count on from `start` (ns) where the log has none."""
    time = start
    began: dict[int, tuple[int, int, str, str]] = {}
    day = start // 10**9 // DAY * DAY * 10**9
    for number, line in enumerate(lines):
        match = _LINE.match(line.rstrip("\n"))
        if match is None:
            continue
        time = _time(match, time, day)
        pid = int(match["pid"] or match["bare"] or 0)
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
        elif (cut := _UNFINISHED.search(rest)) is not None:
            if name in CALLS:
                began[pid] = (number, time, name, rest[: cut.start()])
            continue
        result = _RESULT.search(rest)
        if result is not None and name in CALLS:
            yield Call(order, at, pid, name, rest[: result.start()], int(result[1]))


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


def connections(found: Iterable[Call]) -> Iterator[Passed]:
    """Yield what passed on the descriptors that are connections of Nix clients."""
    tables: dict[int, dict[int, _Stream]] = {}
    shared: dict[int, _Stream] = {}
    count = 0
    time = 0
    for call in found:
        time = max(time, call.time)
        table = tables.get(call.pid, shared)
        if call.name in FORKS:
            if call.result > 0 and "CLONE_FILES" not in call.arguments:
                tables[call.result] = dict(table)
            continue
        descriptor = _DESCRIPTOR.match(call.arguments)
        if descriptor is None or call.result < 0:
            continue
        fd = int(descriptor[1])
        stream = table.get(fd)
        if call.name in ENDS:
            if stream is not None:
                yield from _ended(call, stream, time, table, fd, tables, shared)
            continue
        data, known = _data(call)
        if data.startswith(CLIENT_HELLO):
            if stream is not None and not stream.ended:
                stream.ended = True
                yield Passed(stream.number, time, "close")
            count += 1
            stream = table[fd] = _Stream(count, CLIENT if call.name in WRITES else DAEMON)
            yield Passed(count, time, "open")
        if stream is None or stream.ended:
            continue
        side = stream.traced if call.name in WRITES else 1 - stream.traced
        if call.result == 0 and call.name in READS:
            yield Passed(stream.number, time, "half-close", side)
        elif call.result:
            yield Passed(stream.number, time, "data", side, data, call.result - known)
    for each in {id(s): s for t in (shared, *tables.values()) for s in t.values()}.values():
        if not each.ended:
            yield Passed(each.number, time, "close")


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
        stream.ended = True
        yield Passed(stream.number, time, "close")


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


def _end_of_descriptor(arguments: str) -> int:
    match = _DESCRIPTOR.match(arguments)
    return match.end() if match is not None else 0


def unescaped(text: str) -> bytes:
    """Return the bytes of a string as strace prints it."""

    def byte(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        if match[2]:
            return chr(int(match[2], 8) & 0xFF)
        return _LETTERS.get(match[3], match[3])

    return _ESCAPE.sub(byte, text).encode("latin-1", "replace")
