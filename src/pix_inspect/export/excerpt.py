"""Some exchanges of a recording as Markdown, ready for an issue tracker.

Versions, a timeline, and for each exchange its fields, its bytes and what was found. Whatever
came over the wire stands in code fences that are longer than any run of backticks in them, so
that no text can break out. Redacted by default: secrets of settings and of
environments, tokens, passwords, names of users, arguments of commands, and what files and
logs hold that are sent along.
"""

from __future__ import annotations

import re
import time as clock
from collections.abc import Iterable, Iterator
from itertools import islice

import pix
from pix.conversation.exchange import CLIENT, DAEMON, SIDES
from pix.problem import Problem
from pix_inspect.base.safe_text import inert
from pix_inspect.base.secrets import cleaned, cleaned_bytes
from pix_inspect.base.units import duration, size
from pix_inspect.describe.about import about
from pix_inspect.describe.text_and_json import SIGNS, text_of
from pix_inspect.findings.lookup import detector
from pix_inspect.findings.text import lines as finding_lines
from pix_inspect.recording.about import caveats
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.redaction import redacted, secret_spans
from pix_inspect.session.session import Row, Session

MOST_EXCHANGES = 200
"""Exchanges of one excerpt: nobody reads more in an issue."""

MOST_BYTES = 512
"""Bytes of each side of an exchange."""

LONGEST_LIST = 20
"""Elements of a list."""

LONGEST_LINE = 400
MOST_LINES = 120
"""Characters of a line, and lines of one exchange's fields."""

MOST_TELLING = 256
"""Bytes behind the last shown one that are looked at, so that half a secret is seen as one."""

MOST_OF_AN_ISSUE = 65_536
"""Characters that issue trackers take."""

FARTHEST_HANDSHAKE = 100_000


def excerpt(
    session: Session, first: int, last: int, *, redacted: bool = True, most_bytes: int = MOST_BYTES
) -> str:
    """Return the exchanges of numbers `first` to `last` as Markdown.

    `most_bytes`: of each side of each exchange. Raises Problem when there are none or too many.
    """
    if first > last:
        raise Problem(f"from exchange {first} to {last} there is nothing: swap them")
    last = min(last, len(session))
    if first > last:
        raise Problem(f"{session.path} has no exchange {first}: it has {len(session):,}")
    if last - first >= MOST_EXCHANGES:
        raise Problem(f"an excerpt has at most {MOST_EXCHANGES} exchanges, not {last - first + 1}")
    numbers = range(first - 1, last)
    lines = _Excerpt(session, redacted, most_bytes).all(numbers)
    return "\n".join(lines) + "\n"


def fenced(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines between code fences that nothing in them can end."""
    body = [line[:LONGEST_LINE] + "…" if len(line) > LONGEST_LINE else line for line in lines]
    longest = max((len(run) for line in body for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}text"
    yield from body
    yield fence


class _Excerpt:
    """One excerpt on its way."""

    def __init__(self, session: Session, redacted: bool, most_bytes: int) -> None:
        self.session = session
        self.redacted = redacted
        self.most_bytes = most_bytes

    def view(self, i: int) -> ExchangeView:
        view = self.session.exchange(i)
        return redacted(view) if self.redacted else view

    def all(self, numbers: range) -> Iterator[str]:
        session = self.session
        what = (
            f"exchange {numbers[0] + 1}"
            if len(numbers) == 1
            else f"exchanges {numbers[0] + 1} to {numbers[-1] + 1}"
        )
        yield f"### Nix daemon protocol: {what} of {len(session):,}"
        yield ""
        yield from fenced(self.versions(numbers))
        yield ""
        yield from fenced(self.timeline(numbers))
        for i in numbers:
            yield ""
            yield from self.exchange(i)
        yield ""
        kept = "redacted" if self.redacted else "not redacted"
        yield f"<sub>Made by pix-inspect {pix.__version__}, {kept}.</sub>"

    def versions(self, numbers: range) -> Iterator[str]:
        session = self.session
        started = clock.strftime("%Y-%m-%d %H:%M", clock.gmtime(session.started // 10**9))
        by = session.about.get("version")
        yield f"recorded {started} UTC by pix-inspect {inert(str(by), 40) if by else 'unknown'}"
        yield from caveats(session.made)
        for number in dict.fromkeys(session.row(i).connection for i in numbers):
            row = session.connections[number]
            words = [f"connection {number}: protocol {row.protocol or 'not agreed on'}"]
            greeting = self.greeting(number, numbers[-1])
            words += [greeting] if greeting else []
            if command := row.peer.command:
                shown = command.split(" ")[0].rpartition("/")[2] if self.redacted else command
                words.append(f"client {inert(cleaned(shown), 200)}")
            yield "; ".join(words)

    def greeting(self, connection: int, before: int) -> str:
        """What the two sides said of themselves, when the handshake is near."""
        for i in range(before, max(before - FARTHEST_HANDSHAKE, -1), -1):
            row = self.session.row(i)
            if row.connection == connection and row.kind == "handshake":
                return about(self.view(i))
        return ""

    def timeline(self, numbers: range) -> Iterator[str]:
        heads = ("#", "time", "con", "", "operation", "about", "took", "up", "down")
        table = [heads, *(self.cells(self.session.row(i)) for i in numbers)]
        widths = [min(max(len(row[k]) for row in table), 60) for k in range(len(heads))]
        right = {0, 1, 2, 6, 7, 8}
        for row in table:
            cells = [
                cell[:width].rjust(width) if k in right else cell[:width].ljust(width)
                for k, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            yield "  ".join(cells).rstrip()

    def cells(self, row: Row) -> tuple[str, ...]:
        return (
            str(row.number),
            f"{(row.started - self.session.started) / 1e9:.6f}",
            str(row.connection),
            SIGNS[row.state],
            row.name,
            about(self.view(row.number - 1)),
            duration(row.took),
            size(row.up),
            size(row.down),
        )

    def exchange(self, i: int) -> Iterator[str]:
        secrets = secret_spans(self.session.exchange(i)) if self.redacted else []
        view = self.view(i)
        row = view.row
        yield f"#### {row.number}. {row.name}"
        yield ""
        lines = text_of(view, self.session.started, LONGEST_LIST)
        fields = list(islice(lines, MOST_LINES))
        if next(lines, None) is not None:
            fields.append("… more lines, which dump shows")
        yield from fenced(fields)
        for side in (CLIENT, DAEMON):
            start, end = view.span(side)
            if end > start and view.row.starts[side] >= 0:
                yield ""
                yield f"<details><summary>bytes of the {SIDES[side]}: {end - start:,}</summary>"
                yield ""
                hidden = secrets if side == CLIENT else []
                yield from fenced(self.hex(view, side, start, end, hidden))
                yield ""
                yield "</details>"
        found = detector(self.session).of(i)
        if found:
            yield ""
            clean = cleaned if self.redacted else str
            yield from fenced(finding_lines(found, {}, len(found), clean=clean))

    def hex(
        self, view: ExchangeView, side: int, start: int, end: int, hidden: list[tuple[int, int]]
    ) -> Iterator[str]:
        """The bytes as digits and text, 16 in a line; blanked ones as `**`."""
        stop = min(end, start + self.most_bytes)
        for offset, data in self.pieces(view, side, start, min(end, stop + MOST_TELLING)):
            if offset >= stop:
                break
            if isinstance(data, int):
                yield f"{offset:8x}  … {data:,} bytes of payload left out"
                stop = max(stop, offset + data)
                continue
            if data is None:
                yield f"{offset:8x}  … not recorded"
                continue
            shown = cleaned_bytes(data) if self.redacted else data
            length = min(len(data), stop - offset)
            dark = {k for k in range(length) if shown[k] != data[k]}
            for first, last in hidden:
                dark.update(range(max(first - offset, 0), min(last - offset, length)))
            for at in range(0, length, 16):
                row = range(at, min(at + 16, length))
                digits = " ".join("**" if k in dark else f"{data[k]:02x}" for k in row)
                text = "".join(
                    "*" if k in dark else chr(data[k]) if 32 <= data[k] < 127 else "." for k in row
                )
                yield f"{offset + at:8x}  {digits:<47}  {text}"
        if stop < end:
            yield f"… {end - stop:,} more bytes"

    def pieces(
        self, view: ExchangeView, side: int, start: int, end: int
    ) -> Iterator[tuple[int, bytes | int | None]]:
        """The bytes, those that follow each other as one piece; None for what was not kept.

        Of payload that is not to be seen, how many bytes it has.
        """
        at = start
        for first, length in self.unseen(view, side):
            if first >= end:
                break
            if at < first:
                yield from _joined(view, side, at, first)
            if first + length > at:
                yield max(first, at), length
            at = max(at, first + length)
        if at < end:
            yield from _joined(view, side, at, end)

    def unseen(self, view: ExchangeView, side: int) -> list[tuple[int, int]]:
        """Where the contents of files and logs stand, and their lengths."""
        payload = view.payload if self.redacted else None
        runs = payload.runs if payload is not None else ()
        return sorted((start, length) for run_side, start, length in runs if run_side == side)


def _joined(
    view: ExchangeView, side: int, start: int, end: int
) -> Iterator[tuple[int, bytes | None]]:
    at, whole = start, bytearray()
    for offset, data in view.bytes(side, start, end):
        if data is not None:
            at = at if whole else offset
            whole += data
            continue
        if whole:
            yield at, bytes(whole)
            whole = bytearray()
        yield offset, None
    if whole:
        yield at, bytes(whole)
