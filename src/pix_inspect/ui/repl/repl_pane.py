"""The REPL's pane: a line to write in, what came of the lines before, and ways to go on.

What is sent goes through the relay that records what is on the screen, so that it appears in
the timeline; without one, through a relay of its own. The screen never waits: `repl_talk` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from pix_inspect.base.line_history import LineHistory
from pix_inspect.repl.completion import Completion, Suggestion, complete, signature
from pix_inspect.ui.repl.repl_output import PROMPT, Output
from pix_inspect.ui.repl.repl_thread import Outcome, Talk
from pix_inspect.ui.widgets.choices import NOTE, Choices
from pix_inspect.ui.widgets.later import later
from pix_inspect.ui.widgets.lines import Lines
from pix_inspect.ui.widgets.text import fit, fit_end, safe
from pix_inspect.ui.widgets.text_line import TextLine


class Line(TextLine):
    """The line to write in; where a key means something to its pane, the pane has it."""

    def __init__(self, pane: ReplPane) -> None:
        super().__init__(id="repl-line", placeholder='QueryPathInfo(path="…")', around=pane)
        self._pane = pane

    async def action_submit(self) -> None:
        self._pane.submit(self.value)


class ReplPane(Vertical):
    """The pane; `talk` carries out its lines."""

    TITLE = "REPL"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", id="repl.complete"),
        Binding("up", "up(-1)", "Earlier line, or way to go on", show=False,
                id="repl.up"),
        Binding("down", "up(1)", "Later line, or way to go on", show=False,
                id="repl.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="repl.page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False,
                id="repl.page_down"),
        Binding("ctrl+c", "interrupt", "Interrupt or clear", id="repl.interrupt"),
        Binding("ctrl+l", "clear", "Clear what was said", show=False,
                id="repl.clear"),
        Binding("ctrl+up", "taller(1)", "Taller", show=False, id="repl.taller"),
        Binding("ctrl+down", "taller(-1)", "Lower", show=False, id="repl.lower"),
        Binding("f11", "maximise", "Maximise", id="repl.maximise"),
        Binding("ctrl+d", "hide", "Close the REPL", show=False, id="repl.hide"),
        Binding("escape", "escape", "Back", id="repl.back"),
        Binding("f1", "app.help", "Keys", id="repl.help"),
    ]  # fmt: skip

    class Came(Message):
        """Something came of a line."""

        def __init__(self, outcome: Outcome) -> None:
            super().__init__()
            self.outcome = outcome

    class Left(Message):
        """The user is done here for now; `hide`: the pane is not needed any more."""

        def __init__(self, *, hide: bool) -> None:
            super().__init__()
            self.hide = hide

    class Maximise(Message):
        """The user wants the whole screen for this, or no longer."""

    class Taller(Message):
        """The user wants more room for this, or with a negative step less."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    def __init__(self, talk: Talk, id: str | None = None) -> None:
        super().__init__(id=id)
        self.talk = talk
        self._history = LineHistory("history")
        self._completion = Completion(0)

    def compose(self) -> ComposeResult:
        """Lay out what was said, the ways to go on, the line and its signature."""
        yield Output()
        yield Choices[Suggestion](id="repl-ways")
        with Horizontal(id="repl-writing"):
            yield Static(PROMPT, id="repl-prompt", markup=False)
            yield Line(self)
        yield Static(id="repl-signature")

    @property
    def line(self) -> Line:
        """The line to write in."""
        return self.query_one(Line)

    @property
    def output(self) -> Output:
        return self.query_one(Output)

    @property
    def ways(self) -> Choices[Suggestion]:
        """The ways to go on."""
        return self.query_one(Choices)

    def _show_ways(self, ways: Sequence[Suggestion]) -> None:
        width = self.output.inner.width
        self.ways.say((way, _line(way, width)) for way in ways)

    def on_mount(self) -> None:
        self._show_ways(())

    def put_line(self, text: str) -> None:
        """Put a line there to be edited and sent."""
        self.line.value = text
        self.line.cursor_position = len(text)
        self.line.focus()

    # Lines ------------------------------------------------------------------------------

    def submit(self, text: str) -> None:
        """Carry out a line, or take the chosen way to go on."""
        text = text.strip()
        if (way := self.ways.chosen) is not None:
            self._take(way)
        elif self.talk.asks:
            self.line.value = ""
            self.output.add([(PROMPT + text, "name")])
            self.talk.answer(yes=text.lower() in ("y", "yes"))
            later(self, 1 / 2, self._say_busy)
        elif text and self.talk.busy:
            self.output.add([("still at the line before: Ctrl-C interrupts it", "warn")])
        elif text:
            self._history.add(text)
            self.line.value = ""
            self.output.add([(PROMPT + text, "name")])
            if not text.startswith("#"):
                self.talk.carry_out(text, self.output.inner.width)
                self._say_busy()

    def on_repl_pane_came(self, message: Came) -> None:
        """Show what came of a line."""
        message.stop()
        if message.outcome.lines:
            self.output.add(message.outcome.lines)
        self._say_busy()

    def _say_busy(self) -> None:
        if self.talk.asks:
            self.output.say_awaited("waiting for your word")
        elif self.talk.busy:
            self.output.say_awaited("waiting for the daemon: Ctrl-C interrupts")
        else:
            self.output.say_awaited("")

    # Completion -------------------------------------------------------------------------

    def on_input_changed(self, message: Input.Changed) -> None:
        """Keep up with what is written."""
        message.stop()
        self._say_signature()
        if self.ways.option_count:
            self._suggest()

    def _before(self) -> str:
        return self.line.value[: self.line.cursor_position]

    def _say_signature(self) -> None:
        called = signature(self.talk.session, self._before())
        said = ""
        if called is not None:
            text, now = called
            said = text
            if now is not None:
                about = ", ".join(word for word in (now.type, now.when) if word)
                said = f"{now.name}: {about}  {now.doc}   {text}"
        self.query_one("#repl-signature", Static).update(Content(safe(said, 600)))

    def _suggest(self) -> None:
        self._completion = complete(self.talk.session, self._before())
        self._show_ways(self._completion.suggestions)

    def action_complete(self) -> None:
        """Write as much as is certain, and show the ways to go on."""
        if (way := self.ways.chosen) is not None:
            self._take(way)
            return
        self._suggest()
        found = self._completion
        if len(found.suggestions) == 1:
            self._take(found.suggestions[0])
        elif found.suggestions:
            before = self._before()
            typed = before[found.start :]
            if found.common != typed and found.common.lower().startswith(typed.lower()):
                self._write(found.start, found.common)

    def on_choices_taken(self, message: Choices.Taken[Suggestion]) -> None:
        """Take the way that was clicked."""
        message.stop()
        self._take(message.value)

    def on_lines_moved(self, message: Lines.Moved) -> None:
        """Keep to ourselves what moves in here."""
        message.stop()

    def _take(self, way: Suggestion) -> None:
        start = self._completion.start
        self._show_ways(())
        self._write(start, way.text)

    def _write(self, start: int, text: str) -> None:
        behind = self.line.value[self.line.cursor_position :]
        self.line.value = self.line.value[:start] + text + behind
        self.line.cursor_position = start + len(text)
        self.line.focus()

    # Keys -------------------------------------------------------------------------------

    def action_up(self, step: int) -> None:
        """Go through the ways to go on, or the lines of before."""
        if self.ways.option_count:
            self.ways.move(step)
            return
        text = self._history.step(step, self.line.value)
        if text is not None:
            self.put_line(text)

    def action_page(self, pages: int) -> None:
        self.output.page(pages)

    def action_interrupt(self) -> None:
        """End a wait; without one, clear the line."""
        if self.talk.busy:
            self.talk.interrupt()
        else:
            self._show_ways(())
            self.line.value = ""

    def action_clear(self) -> None:
        self.output.clear()

    def action_taller(self, step: int) -> None:
        """Give the pane more rows, or fewer."""
        self.post_message(self.Taller(step))

    def on_click(self, event: events.Click) -> None:
        """Give the pane the whole screen when its title is clicked twice, or take it back."""
        if event.chain == 2 and event.screen_y == self.region.y:
            self.action_maximise()

    def action_maximise(self) -> None:
        """Give the pane the whole screen, or take it back."""
        self.post_message(self.Maximise())

    def action_hide(self) -> None:
        """Close the pane; with something written, delete to the right as editors do."""
        if self.line.value:
            self.line.action_delete_right()
        else:
            self.post_message(self.Left(hide=True))

    def action_escape(self) -> None:
        """Close the list of ways, else go back to the timeline."""
        if self.ways.option_count:
            self._show_ways(())
        else:
            self.post_message(self.Left(hide=False))

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Whatever is clicked here, the line is written in."""
        if event.widget is not self.line:
            self.line.focus()


def _line(way: Suggestion, width: int) -> Content:
    """Return a way to go on, and what is known about it."""
    room = max(min(48, width // 2), 16) if way.said or way.doc else width - 4
    name = fit(fit_end(safe(way.text, 300), room), room)
    said = (f" {safe(way.said, 80)}  ", "$text-accent")
    return Content.assemble("  ", (name, "bold"), said, (safe(way.doc, 200), NOTE))
