"""The screen of findings: what is irregular, the gravest first, and what to do about it.

Exchanges are looked at in slices between keys; a session that goes on is followed. `enter`
goes to the place of a finding, `f` shows all exchanges that have one of its kind.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import ClassVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Footer

from pix_inspect.base.units import count
from pix_inspect.findings.collector import Findings
from pix_inspect.findings.finding import Finding, sorted_by_grade
from pix_inspect.findings.kinds import GRADES, KINDS, SIGNS, Grade
from pix_inspect.session.session import Session
from pix_inspect.ui.exchange.copying import Copied
from pix_inspect.ui.widgets.lines import Lines
from pix_inspect.ui.widgets.prose import Paragraph, Prose
from pix_inspect.ui.widgets.text import fit, safe

WORK = 0.02
PAUSE = 0.004
AGAIN = 0.5
"""Seconds of looking in one go, between two, and after which what went on is looked at."""

TONES: dict[Grade, str] = {"note": "dim", "warning": "warn", "error": "bad"}
KIND_CELLS = 20


class FindingsList(Lines):
    """One line for each finding."""

    TITLE = "Findings"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "enter", "Go to the place", id="findings.enter"),
        Binding("right,l", "enter", "Go to the place", show=False, id="findings.right"),
        Binding("f", "filter", "Show all of this kind", id="findings.filter"),
        Binding("y", "copy", "Copy the finding", show=False, id="findings.copy"),
    ]

    class Filter(Lines.Moved):
        """The user wants to see all exchanges with a finding of the chosen kind."""

    class Copy(Lines.Moved):
        """The user wants the chosen finding as text."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: list[Finding] = []
        self.looking = True

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def chosen(self) -> Finding | None:
        """The finding under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    def say(self, rows: list[Finding]) -> None:
        """Show other findings; the cursor stays with its own."""
        chosen = self.chosen if self.cursor else None
        self.rows = rows
        self.cursor = rows.index(chosen) if chosen in rows else 0
        self.resize_lines()
        self.show_cursor()
        self.redraw()

    def nothing(self) -> list[str]:
        """Say whether there is nothing, or nothing yet."""
        return ["", "  looking …" if self.looking else "  Nothing irregular was found."]

    def key(self, line: int) -> Hashable:
        """A finding does not change."""
        return (id(self.rows[line]), line == self.cursor)

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        """Return the cells of a finding."""
        finding = self.rows[line]
        tone = self.tone(TONES[finding.grade])
        yield Segment("▸" if line == self.cursor else " ", self.tone("mark"))
        yield Segment(f"{SIGNS[finding.grade]} {finding.grade:<8}", tone)
        yield Segment(fit(finding.kind.name, KIND_CELLS) + " ", self.tone("name"))
        yield Segment(f"#{finding.exchange:<7} ", self.tone("number"))
        yield Segment(safe(finding.said or finding.kind.what, 300), self.tone("text"))

    def action_enter(self) -> None:
        """Go to the finding's place."""
        if self.chosen is not None:
            self.post_message(self.Entered(self))

    def action_filter(self) -> None:
        """Show all exchanges of the kind."""
        if self.chosen is not None:
            self.post_message(self.Filter(self))

    def action_copy(self) -> None:
        """Copy the finding as text."""
        if self.chosen is not None:
            self.post_message(self.Copy(self))


class Advice(Prose):
    """What a finding is, why it matters and what to do."""

    TITLE = "What it is"


def paragraphs(finding: Finding, times: int) -> list[Paragraph]:
    """Return a finding in full."""
    kind = finding.kind
    often = f", {times:,} in all" if times > 1 else ""
    said: list[Paragraph] = [
        (TONES[kind.grade], f"{SIGNS[kind.grade]} {kind.grade}: {kind.name}{often}"),
        ("name", f"{kind.what[:1].upper()}{kind.what[1:]}."),
        ("dim", safe(f"Connection {finding.connection}, {finding.place}", 500)),
    ]
    if finding.said:
        said.append(("text", safe(finding.said, 1000)))
    said += [("accent", safe(line, 1000)) for line in finding.explanation]
    said += [("text", text) for text in (kind.why, kind.advice) if text]
    if kind.source:
        said.append(("dim", f"Source: {kind.source}"))
    return said


class FindingsScreen(Screen["Finding | str | None"]):
    """The findings of a session; returns the one to go to, a filter to show, or None."""

    TITLE = "Findings"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", "Next pane", show=False, id="findings.next"),
        Binding("shift+tab", "app.focus_previous", "Previous pane", show=False,
                id="findings.previous"),
        Binding("question_mark,f1", "app.help", "Keys", key_display="?", id="findings.help"),
        Binding("escape,q", "back", "Back", key_display="esc", id="findings.back"),
    ]  # fmt: skip

    def __init__(self, session: Session, findings: Findings | None = None) -> None:
        super().__init__()
        self.session = session
        self.findings = findings or Findings(session)
        self._shown = -1
        self._more: Timer | None = None

    def compose(self) -> ComposeResult:
        """Lay the panes out; where they stand is the style sheet's."""
        yield FindingsList(id="findings")
        yield Advice(id="advice")
        yield Footer(show_command_palette=False)

    @property
    def list(self) -> FindingsList:
        return self.query_one(FindingsList)

    @property
    def settled(self) -> bool:
        """Whether everything there is was looked at and is shown."""
        return self._more is None and not self.list.looking

    def on_mount(self) -> None:
        """Look at what there is, then keep up."""
        self.list.focus()
        self._look()
        self.set_interval(AGAIN, self._again)

    def _again(self) -> None:
        if self._more is None:
            self._look()

    def _look(self) -> None:
        self._more = None
        if self.findings.update(WORK):
            self._more = self.set_timer(PAUSE, self._look)
        pane = self.list
        pane.looking = self._more is not None
        if self._shown != len(self.findings.kept):
            self._shown = len(self.findings.kept)
            pane.say(sorted_by_grade(self.findings.kept))
            self._explain()
        pane.entitle(self._summary())
        pane.refresh()

    def _summary(self) -> str:
        findings = self.findings
        words = [
            count(findings.of_grade(grade), grade)
            for grade in reversed(GRADES)
            if findings.of_grade(grade)
        ]
        looked = f"{findings.taken:,} of {len(self.session):,} exchanges"
        return ", ".join([*words, looked if self.list.looking else f"{findings.taken:,} exchanges"])

    def _explain(self) -> None:
        finding = self.list.chosen
        advice = self.query_one(Advice)
        if finding is None:
            advice.say([("dim", "Findings say what is irregular, where, and what to do.")])
        else:
            advice.say(paragraphs(finding, self.findings.counts[finding.kind.name]))

    def on_lines_moved(self, message: Lines.Moved) -> None:
        """Explain the chosen finding, or go where the user wants."""
        pane = message.pane
        if not isinstance(pane, FindingsList) or pane.chosen is None:
            return
        if isinstance(message, FindingsList.Filter):
            self.dismiss(f"finding = {pane.chosen.kind.name}")
        elif isinstance(message, FindingsList.Copy):
            told = paragraphs(pane.chosen, self.findings.counts[pane.chosen.kind.name])
            copied = Copied("the finding", "\n".join(text for _, text in told))
            self.app.put(copied)  # type: ignore[attr-defined]
        elif isinstance(message, Lines.Entered):
            self.dismiss(pane.chosen)
        else:
            self._explain()

    on_lines_entered = on_lines_moved
    on_findings_list_filter = on_lines_moved
    on_findings_list_copy = on_lines_moved

    def action_back(self) -> None:
        """Go back to the timeline as it was."""
        self.dismiss(None)


__all__ = ["KINDS", "FindingsScreen"]
