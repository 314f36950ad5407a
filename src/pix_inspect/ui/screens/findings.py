"""The screen of findings: what is irregular, the gravest first, and what to do about it.

Exchanges are looked at in slices between keys; a session that goes on is followed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.timer import Timer

from pix_inspect.base.units import count
from pix_inspect.findings.collector import Findings
from pix_inspect.findings.finding import Finding, sorted_by_grade
from pix_inspect.findings.kinds import GRADES, SIGNS, Grade
from pix_inspect.session.session import Session
from pix_inspect.ui.main.places import GoTo
from pix_inspect.ui.screens.detail_screen import KEYS, DetailScreen
from pix_inspect.ui.widgets.later import later
from pix_inspect.ui.widgets.prose import Paragraph
from pix_inspect.ui.widgets.text import fit, safe

WORK = 0.02
PAUSE = 0.004
AGAIN = 0.5
"""Seconds of looking in one go, between two, and after which what went on is looked at."""

TONES: dict[Grade, str] = {"note": "dim", "warning": "warn", "error": "bad"}
KIND_CELLS = 20


class FindingsScreen(DetailScreen[Finding, "GoTo | None"]):
    """The findings of a session; returns the place or the filter to go to, or None."""

    TITLE = "Findings"
    DETAIL = "What it is"
    WHAT = "the finding"
    HINT = "Findings say what is irregular, where, and what to do."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "enter", "Go to the place", id="findings.enter"),
        Binding("f", "filter", "Show all of this kind", id="findings.filter"),
        Binding("y", "copy", "Copy the finding", show=False, id="findings.copy"),
        *KEYS,
    ]

    def __init__(self, session: Session, findings: Findings | None = None) -> None:
        super().__init__(session.path.name)
        self.session = session
        self.findings = findings or Findings(session)
        self._shown = -1
        self._more: Timer | None = None

    @property
    def settled(self) -> bool:
        """Whether everything there is was looked at and is shown."""
        return self._more is None and self._shown == len(self.findings.kept)

    def on_mount(self) -> None:
        """Look at what there is."""
        self._look()

    def on_grown(self) -> None:
        """Keep up."""
        if self._more is None:
            self._more = later(self, AGAIN, self._look)

    def _look(self) -> None:
        findings, pane = self.findings, self.list
        self._more = later(self, PAUSE, self._look) if findings.update(WORK) else None
        pane.empty = "looking …" if self._more else "Nothing irregular was found."
        if self._shown != len(findings.kept):
            self._shown = len(findings.kept)
            pane.say(sorted_by_grade(findings.kept), pane.empty)
            self.explain()
        grades = [
            count(findings.of_grade(grade), grade)
            for grade in reversed(GRADES)
            if findings.of_grade(grade)
        ]
        of = f" of {len(self.session):,}" if self._more else ""
        pane.entitle(", ".join([*grades, f"{findings.taken:,}{of} exchanges"]))
        pane.refresh()

    def cells(self, row: Finding, width: int) -> Iterable[Paragraph]:
        yield TONES[row.grade], f"{SIGNS[row.grade]} {row.grade:<8}"
        yield "name", fit(row.kind.name, KIND_CELLS) + " "
        yield "number", f"#{row.exchange:<7} "
        yield "text", safe(row.said or row.kind.what, 300)

    def paragraphs(self, row: Finding) -> list[Paragraph]:
        kind, times = row.kind, self.findings.counts[row.kind.name]
        often = f", {times:,} in all" if times > 1 else ""
        said: list[Paragraph] = [
            (TONES[kind.grade], f"{SIGNS[kind.grade]} {kind.grade}: {kind.name}{often}"),
            ("name", f"{kind.what[:1].upper()}{kind.what[1:]}."),
            ("dim", safe(f"Connection {row.connection}, {row.place}", 500)),
        ]
        if row.said:
            said.append(("text", safe(row.said, 1000)))
        said += [("accent", safe(line, 1000)) for line in row.explanation]
        said += [("text", text) for text in (kind.why, kind.advice) if text]
        if kind.source:
            said.append(("dim", f"Source: {kind.source}"))
        return said

    def go_to(self, row: Finding) -> None:
        byte = None if row.side is None or row.offset is None else (row.side, row.offset)
        self.dismiss(GoTo(exchange=row.exchange - 1, byte=byte))

    def action_filter(self) -> None:
        """Show all exchanges with a finding of the chosen kind."""
        if (row := self.chosen) is not None:
            self.dismiss(GoTo(filter=f"finding = {row.kind.name}"))
