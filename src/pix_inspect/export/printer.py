"""Exchanges written out, as text for people or as JSON lines for programs.

What `dump` prints and what the screen saves is made here, so that both are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from pix.problem import Problem
from pix_inspect.describe.text_and_json import (
    LONGEST_LIST,
    connection_line,
    json_line,
    one_line,
    text_of,
)
from pix_inspect.session.redaction import redacted
from pix_inspect.session.session import Session

Format = Literal["text", "json", "oneline"]

FORMATS: dict[str, Format] = {".txt": "text", ".jsonl": "json", ".json": "json"}
"""By a file's ending: what goes into it."""


class Printer:
    """Exchanges of a session as lines. `redacted`: as they may be shown to others.

    Lists in text end after `longest` elements; None: never.
    """

    def __init__(
        self,
        session: Session,
        form: Format,
        *,
        redacted: bool = False,
        longest: int | None = LONGEST_LIST,
    ) -> None:
        self._session = session
        self._form = form
        self._redacted = redacted
        self._longest = longest
        self._connections: set[int] = set()

    def lines(self, i: int) -> Iterator[str]:
        """Yield the lines of exchange `i` (from 0), its connection's first where that is new."""
        session = self._session
        view = session.exchange(i)
        if self._redacted:
            view = redacted(view)
        if self._form == "json":
            yield json_line(view, session.started)
            return
        if self._form == "oneline":
            yield one_line(view, session.started)
            return
        connection = session.connections[view.row.connection]
        if connection.number not in self._connections:
            self._connections.add(connection.number)
            yield connection_line(connection, command=not self._redacted)
        yield from text_of(view, session.started, self._longest, " (--all shows them)")


def format_of(path: Path) -> Format:
    """Return what a file's name says is to go into it. Raises Problem."""
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise Problem(f"{path.name}: write .txt for text, or .jsonl for JSON lines")
    return form


def exported(printer: Printer, numbers: Iterable[int] | Sequence[int]) -> Iterator[bytes]:
    """Yield the exchanges of these numbers (from 0) as bytes to write."""
    for i in numbers:
        text = "\n".join(printer.lines(i))
        if text:
            yield (text + "\n").encode("utf-8", "backslashreplace")
