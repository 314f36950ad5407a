"""Two raw streams, as `socat -r/-R` or a recorder leaves them, as one connection's events.

With an events file (JSON lines: `{"t": seconds, "dir": "c2s"|"s2c", "off": bytes, "len":
bytes}`, and `{"t": …, "ev": "open"|"eof"|"hangup"|"close", "dir": …}`) times and order are
true; where it tells of no close, the connection was open when its recorder stopped.
Without one they are made up: each side speaks when the protocol lets it, a microsecond
apart, so that requests stand before their replies.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from pix.codec.cursor import Limits
from pix.conversation import Conversation
from pix.conversation.exchange import CLIENT, DAEMON
from pix.problem import Problem
from pix.untrusted import parse_json
from pix_inspect.importing.opened import contents
from pix_inspect.importing.remarks import Remarks
from pix_inspect.recording.notes import Peer

What: TypeAlias = Literal["open", "join", "data", "half-close", "reset", "close"]
"""`join`: a connection whose beginning passed before anybody looked."""
SIDES = {"c2s": CLIENT, "s2c": DAEMON}
KNOWN = ("open", "error", "send-error")
"""Events that say nothing of the streams."""
LATEST = 1 << 32
"""Seconds: a time beyond that is none."""
MICROSECOND = 1000
CHUNK = 64 << 10
HEARD_FIRST = 16
"""Bytes that a client says before it waits for the daemon's version."""


class Passed(NamedTuple):
    """Something that happened on a connection: `data` of a side, or how it went on.

    `connection` counts from 1; `time` is in nanoseconds since 1970; so many bytes as are
    `missing` passed behind the data and are not known.
    """

    connection: int
    time: int
    what: What
    side: int | None = None
    data: bytes = b""
    missing: int = 0
    peer: Peer | None = None
    """Who opened it, where that is known."""


def raw_streams(
    client: Path, daemon: Path, events: Path | None = None, *, remarks: Remarks | None = None
) -> Iterator[Passed]:
    """Yield what happened on the one connection whose streams are in these files.

    Raises Problem for files that cannot be read or events that do not fit them.
    """
    streams = (contents(client), contents(daemon))
    start = client.stat().st_mtime_ns
    if events is None:
        yield from made_up(streams, start)
    else:
        yield from told(streams, events, start, remarks or Remarks())


def made_up(streams: tuple[bytes, bytes], start: int) -> Iterator[Passed]:
    """Yield the streams in an order that the protocol allows."""
    talk = Conversation(lockstep=True, limits=Limits(waiting=1 << 62))
    for side in (CLIENT, DAEMON):
        talk.feed(side, streams[side])
    talk.eof(CLIENT)
    talk.eof(DAEMON)
    time = start
    yield Passed(1, time, "open")
    done = [0, 0]
    ends = (len(streams[CLIENT]), len(streams[DAEMON]))
    for side, upto in _whole_turns(talk, ends):
        while done[side] < upto:
            time += MICROSECOND
            stop = min(upto, done[side] + CHUNK)
            yield Passed(1, time, "data", side, streams[side][done[side] : stop])
            done[side] = stop
    yield Passed(1, time + MICROSECOND, "close")


def _whole_turns(talk: Conversation, ends: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the turns of a conversation up to the end of both streams.

    A message that breaks off was said in one turn; but none before what it answers.
    """
    turns = [*talk.turns, (CLIENT, ends[CLIENT]), (DAEMON, ends[DAEMON])]
    for side in (CLIENT, DAEMON):
        if talk.is_opaque(side):
            continue
        last = max(upto for speaker, upto in talk.turns if speaker == side)
        at = turns.index((side, last))
        if side == DAEMON:
            answered = [each for each in talk.exchanges if each.daemon_start is not None]
            asked = max((each.start for each in answered if each.side == CLIENT), default=0)
            heard = (i for i, (who, upto) in enumerate(turns) if who == CLIENT and upto > asked)
            at = max(at, next(heard, 0) + 1)
        elif last <= HEARD_FIRST and not (talk.handshake and talk.handshake.daemon_end):
            at += 2  # which was said once the daemon's version was known
        turns.insert(at, (side, ends[side]))
    return turns


def told(
    streams: tuple[bytes, bytes], events: Path, start: int, remarks: Remarks
) -> Iterator[Passed]:
    """Yield the streams as the events file says they passed. Raises Problem."""
    done = [0, 0]
    time = start
    yield Passed(1, start, "open")
    closed = False
    for number, line in enumerate(contents(events).splitlines(), 1):
        if not line.strip():
            continue
        where = f"{events}, line {number}"
        event = _event(line, where)
        said = start + int(event["t"] * 1e9)
        remarks.clock(time, said)
        time = max(time, said)
        side = SIDES.get(str(event.get("dir")))
        what = event.get("ev")
        if what == "eof" and side is not None:
            yield Passed(1, time, "half-close", side)
        elif what == "hangup" and side is not None:
            yield Passed(1, time, "reset", side)
        elif what == "close":
            closed = True
        elif what is None and side is not None:
            offset, length = event.get("off"), event.get("len")
            if offset != done[side] or type(offset) is not int:
                raise Problem(f"{where}: expected offset {done[side]} of {event['dir']}")
            if type(length) is not int or length < 0:
                raise Problem(f"{where}: `len` is not a number of bytes")
            if offset + length > len(streams[side]):
                raise Problem(
                    f"{where}: ends at byte {offset + length}, but that stream has only"
                    f" {len(streams[side])} bytes; is it the events file of these streams?"
                )
            yield Passed(1, time, "data", side, streams[side][offset : offset + length])
            done[side] = offset + length
        elif str(what) not in KNOWN:
            raise Problem(f"{where}: neither a chunk nor open, eof, hangup or close")
    for side in (CLIENT, DAEMON):
        left = streams[side][done[side] :]
        if left:  # bytes that no event speaks of are not lost
            yield Passed(1, time, "data", side, left)
    if closed:
        yield Passed(1, time, "close")


def _event(line: bytes, where: str) -> dict[str, Any]:
    try:
        event = parse_json(line)
    except ValueError as error:
        raise Problem(f"{where}: not JSON ({error})") from None
    time = event.get("t") if isinstance(event, dict) else None
    if not isinstance(time, (int, float)) or not abs(time) < LATEST:
        raise Problem(f"{where}: no time `t` in seconds")
    return dict(event)
