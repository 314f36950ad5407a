"""Exchanges from the bundled recordings for the manual: the bytes and pictures of examples.

Opens each recording once.
"""

from __future__ import annotations

from collections.abc import Iterator

from pix_inspect.describe.about import about
from pix_inspect.describe.annotated_bytes import annotated, within
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.session import Session
from pix_inspect.teach import bundled
from pix_inspect.teach.examples import span
from pix_inspect.teach.manual.blocks import (
    Block,
    Bytes,
    Exercise,
    Grid,
    Heading,
    Picture,
    Prose,
    Question,
)
from pix_inspect.teach.manual.exercises import answer
from pix_inspect.teach.manual.sequence import picture as drawn

FRAMES = 2
"""Log frames of an example that are shown byte by byte."""


class Specimens:
    """The examples; close it after use."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        for path in sorted(bundled.folder().glob("*.pcapng")):
            self._sessions[path.stem] = Session(path).read_all()

    def __enter__(self) -> Specimens:
        return self

    def __exit__(self, *error: object) -> None:
        for session in self._sessions.values():
            session.close()

    def view(self, name: str) -> tuple[str, ExchangeView] | None:
        """Return the example of something and where it is, None when no recording has one."""
        place = bundled.examples().get(name)
        if place is None or place[0] not in self._sessions:
            return None
        where = f"exchange {place[1]} of recordings/{place[0]}.pcapng"
        return where, self._sessions[place[0]].exchange(place[1] - 1)

    def asked(self, recording: str) -> Grid:
        """Return what was asked in a recording as a table."""
        session = self._sessions[recording]
        rows, targets = [], []
        for i in range(len(session)):
            view = session.exchange(i)
            ended = "" if view.row.state == "ok" else view.row.state
            rows.append((view.row.name, f"#{view.row.number}", about(view), ended))
            targets.append(f"operations/{view.row.name}")
        heads = ("what", "exchange", "about", "ended in")
        return Grid(f"recordings/{recording}.pcapng", heads, rows, names=(0,), targets=targets)

    def answered(self, exercise: Exercise) -> Question:
        """Return an exercise with its answer. Raises Problem when the recording has none."""
        file = f"recordings/{exercise.recording}.pcapng"
        found = answer(exercise, self._sessions[exercise.recording])
        return Question(f"`{file}`: {exercise.asks}", found)

    def shown(self, name: str, *, picture: bool = False, heading: bool = True) -> Iterator[Block]:
        """Yield the blocks of the example of something."""
        found = self.view(name)
        if found is None:
            if heading:
                yield Heading("Example", "example")
                yield Prose("None of the bundled recordings has it: no Nix of ours sends it.")
            return
        where, view = found
        if heading:
            yield Heading("Example", "example")
        if picture:
            svg, words = drawn(view)
            yield Picture(name, svg, words)
        place = span(view, name)
        lines = annotated(view, frames=FRAMES)
        if place is not None:
            lines = within(annotated(view), *place)
        yield Bytes(f"{name}, {where}, protocol {view.protocol}", tuple(lines))
