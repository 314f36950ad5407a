"""What is told of a conversation is the same, however its bytes were cut into packets.

Of each conversation four recordings are made: imported with every turn whole, byte by byte and
in random pieces, and recorded by the relay's tap and writer. Their exchanges and findings have
to be the same, to the offset.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

from pix_inspect.findings.collector import Findings
from pix_inspect.importing.captures import write_recording
from pix_inspect.importing.raw_streams import Passed
from pix_inspect.recording.notes import Made
from pix_inspect.session.session import Session as Recorded
from tests.fuzz.sessions import Session, corpus, mutated
from tests.support.recorded import START, Step, record

LARGEST = 3000
"""Bytes of a conversation: a longer one takes its time byte by byte."""
MILLISECOND = 1_000_000


SESSIONS: list[Session] = []


def prepare() -> None:
    SESSIONS.extend(corpus())


def one(random: Random, *, loud: bool = False) -> None:
    """Try a broken conversation."""
    session = mutated(random.choice(SESSIONS), SESSIONS, random)
    if loud:
        print(session)
    check_cuts(session, random)


class Differs(AssertionError):
    """What was told depends on how the bytes were cut."""


def check_cuts(session: Session, random: Random) -> bool:
    """Hold what is told of a conversation to be the same in all cuts; return if anything is found.

    What is longer than LARGEST breaks off there.
    """
    session = list(cut_off(session, LARGEST))
    whole = [
        (side, b"".join(data for _, data in pieces))
        for side, pieces in groupby(session, key=lambda piece: piece[0])
    ]
    with tempfile.TemporaryDirectory(prefix="cuts-") as folder:
        path = Path(folder) / "r.pcapng"
        expected = told(imported(whole, path, lambda: 1 << 20))
        others: dict[str, Callable[[], Path]] = {
            "byte by byte": lambda: imported(whole, path, lambda: 1),
            "in random pieces": lambda: imported(whole, path, lambda: random.randint(1, 40)),
            "as recorded live": lambda: live(session, path),
        }
        for name, make in others.items():
            path.unlink()
            found = told(make())
            for before, after in zip(expected, found, strict=True):
                if after != before:
                    more, less = set(after) - set(before), set(before) - set(after)
                    raise Differs(f"{name}: {more or after} for {less or before}")
    return bool(expected[1])


def cut_off(session: Session, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield a conversation's first bytes, so many of both sides together."""
    for side, data in session:
        if size > 0:
            yield side, data[:size]
        size -= len(data)


def imported(turns: Session, path: Path, size: Callable[[], int]) -> Path:
    """Import a conversation whose turns pass in pieces of these sizes."""

    def passed() -> Iterator[Passed]:
        yield Passed(1, START, "open")
        for number, (side, data) in enumerate(turns, 1):
            at = 0
            while at < len(data):
                piece = data[at : at + size()]
                yield Passed(1, START + number * MILLISECOND, "data", side, piece)
                at += len(piece)
        yield Passed(1, START + (len(turns) + 1) * MILLISECOND, "close")

    write_recording(passed(), path, about=Made.of(tool="test"), payload_limit=None)
    return path


def live(session: Session, path: Path) -> Path:
    """Record a conversation as the relay does, in the pieces in which it really passed."""

    def steps() -> Iterator[Step]:
        yield Step(START, 1, "open", 0, b"")
        number, last = 0, None
        for side, data in session:
            number += side != last
            last = side
            yield Step(START + number * MILLISECOND, 1, "data", side, data)
        yield Step(START + (number + 1) * MILLISECOND, 1, "close", 0, b"")

    return record(path, steps())


def told(path: Path) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Return what a recording's exchanges are, and what is found in them."""
    session = Recorded(path).read_all()
    exchanges: list[tuple[Any, ...]] = []
    found: list[tuple[Any, ...]] = []
    for i in range(len(session)):
        row = session.row(i)
        notes = tuple(map(str, session.remarks(i)))
        name = str(row.operation if row.code is not None else row.kind)
        times = (row.started - START, row.took)
        exchanges.append((i, name, row.state, row.starts, times, row.frames, notes))
    for each in Findings(session, thorough=True).finish().kept:
        mistake = each.mistake.name if each.mistake is not None else None
        where = (each.exchange, each.side, each.offset, each.field)
        found.append((each.kind.name, each.grade, *where, mistake, each.said))
    session.close()
    return exchanges, found
