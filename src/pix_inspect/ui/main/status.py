"""The line at the top, and the banner under it for what was lost or cut."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from pix_inspect.base.units import count, duration, size
from pix_inspect.recording.about import made_distant, undeclared
from pix_inspect.recording.notes import NOTE, RECORDER, Made
from pix_inspect.session.session import Session
from pix_inspect.ui.widgets.lines import Toned, line_strip
from pix_inspect.ui.widgets.text import fit, fit_end, safe, wrapped


def elapsed(ns: int) -> str:
    """Return a stretch of time as hours, minutes and seconds."""
    seconds = max(ns, 0) // 1_000_000_000
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def being_written(path: Path, pid: object) -> bool:
    """Return whether the process that recorded a file still has it open."""
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0:
        return False
    try:
        wanted = path.stat()
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if os.path.samestat(descriptor.stat(), wanted):
                    return True
            except OSError:
                continue
    except OSError:
        return False
    return False


def sockets(made: Made) -> str:
    """Return where the relay listens and what it connects to, and how distant that is, safe."""
    words = [safe(word, 200) for word in (made.listen, made.upstream) if word]
    said = made_distant(made) or ("times made up" if made.timeless else "")
    return f" {f'({said}) ' if said else ''}⇄ ".join(words)


MINUTE = 60_000_000_000

MOST_LINES = 3
"""Lines that the banner takes at most."""


class Status(Toned):
    """Live or finished, the sockets, what there is, how long it went on."""

    def __init__(self, session: Session, now: Callable[[], int], id: str | None = None) -> None:
        super().__init__(id=id)
        self.session = session
        self.now = now
        self.live = False
        self.reading = False

    def render_line(self, y: int) -> Strip:
        """Return the one line there is."""
        session = self.session
        width = self.size.width
        tone = self.tone
        if self.reading:
            done = session.consumed * 100 // max(session.size, 1)
            state = Segment(f"◌ reading {done} %", tone("accent"))
        elif self.live:
            state = Segment("● live", tone("good"))
        else:
            state = Segment("■ finished", tone("dim"))
        errors = session.errors
        counts = [
            (self._connections(), "text"),
            (count(len(session), "op"), "text"),
            (count(errors, "error"), "bad" if errors else "dim"),
            (self._elapsed(), "text"),
        ]
        right = [Segment("  ")]
        right += [Segment(f"{text}  ", tone(name)) for text, name in counts]
        left = [Segment(" pix-inspect  ", tone("name")), state, Segment("  ")]
        used = sum(segment.cell_length for segment in (*left, *right))
        if used > width:  # what there is says more than what shows it
            left = [Segment(" "), state]
            return line_strip([*left, *right], width, Style()).apply_style(self.rich_style)
        where = sockets(session.made)
        if len(where) > max(width - used, 0) or not where:
            where = safe(session.path.name) if not self.live or not where else where
        middle = fit(fit_end(where, max(width - used, 0)), max(width - used, 0))
        strip = Strip([*left, Segment(middle, tone("dim")), *right])
        return strip.adjust_cell_length(width).apply_style(self.rich_style)

    def _connections(self) -> str:
        session = self.session
        still = session.open_connections if self.live else 0
        return count(len(session.connections), "conn") + (f" ({still} open)" if still else "")

    def _elapsed(self) -> str:
        """How long it has been going on, or went on."""
        session = self.session
        if self.live:
            return elapsed(
                max(self.now(), session.last) - session.started if session.started else 0
            )
        lasted = session.last - session.started
        return elapsed(lasted) if lasted >= MINUTE else duration(lasted)


def trouble(session: Session, live: bool) -> list[str]:
    """Return what has to be said of a recording, one safe line each."""
    said: list[str] = []
    if session.lost:
        said.append(f"{size(session.lost)} that passed could not be recorded")
    cut = session.truncated
    if cut is not None and not live and session.consumed:
        said.append(f"the file is cut off: {size(cut[1])} after offset {cut[0]:,} cannot be read")
    if not live and session.reader.deleted:
        said.append("the recording was deleted, and is gone when it is closed here; export it")
    said += [safe(line, 300) for line in (*undeclared(session.made), *session.reader.warnings)]
    for number, note in session.notes[-50:]:
        text = note.get(NOTE) or note.get(RECORDER)
        if number == 0 and isinstance(text, str):
            said.append(safe(text, 300))
    return said


def ended(text: str) -> str:
    """Return a line of words as a sentence with its end."""
    return text if text[-1:] in (".", "!", "?", "…") else f"{text}."


class Banner(Toned):
    """What was lost or cut, when anything was."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.said: list[str] = []
        self._dismissed: set[str] = set()
        self._wrapped: list[str] = []

    def say(self, said: list[str]) -> None:
        """Show these lines, or nothing."""
        if said != self.said:
            self.said = said
            self._dismissed.intersection_update(said)
            self._arrange()

    @property
    def shown(self) -> list[str]:
        """What is said and was not dismissed."""
        return [text for text in self.said if text not in self._dismissed]

    def dismiss(self) -> bool:
        """Hide what is said until it is no longer so, and so again; return whether it showed."""
        shown = bool(self.display)
        self._dismissed.update(self.said)
        self._arrange()
        return shown

    def _arrange(self) -> None:
        self.display = bool(self.shown)
        width = max(self.screen.size.width - 3, 10)
        lines = [line for text in self.shown for line in wrapped(ended(text), width)]
        self._wrapped = lines[:MOST_LINES]
        if len(lines) > MOST_LINES:
            self._wrapped[-1] = fit(f"{lines[MOST_LINES - 1]} ", width - 1).rstrip() + "…"
        self.styles.height = max(len(self._wrapped), 1)
        self.refresh(layout=True)

    def on_resize(self) -> None:
        if self.said:
            self._arrange()

    def render_line(self, y: int) -> Strip:
        """Return a line of it."""
        text = self._wrapped[y] if y < len(self._wrapped) else ""
        strip = Strip([Segment(" ⚠ " if y == 0 else "   "), Segment(text)])
        return strip.adjust_cell_length(self.size.width).apply_style(self.rich_style)
