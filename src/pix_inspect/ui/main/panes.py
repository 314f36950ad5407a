"""The panes of the main screen: which of them are shown, and which has the whole screen.

Log and payload stand in place of the fields; bytes and explanation come and go.
"""

from __future__ import annotations

from textual.widget import Widget

from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.ui.exchange.bytes_pane import Bytes
from pix_inspect.ui.exchange.explanation_pane import Explanation
from pix_inspect.ui.exchange.fields_pane import Fields
from pix_inspect.ui.exchange.log_pane import Log
from pix_inspect.ui.exchange.log_tree import narration
from pix_inspect.ui.exchange.payload_pane import PayloadPane
from pix_inspect.ui.main.dividers import Dividing
from pix_inspect.ui.widgets.lines import Lines

PANES = ("timeline", "fields", "log", "payload", "bytes", "explanation")


class Panes(Dividing):
    """A screen with the panes of one exchange beside a timeline."""

    view: ExchangeView | None
    zoomed: str | None = None
    """The pane that has the whole screen."""

    def light(self) -> None:
        """Light the bytes of the chosen field again."""
        raise NotImplementedError

    def explain(self) -> None:
        """Say what the chosen field is, where there is a pane for it."""
        raise NotImplementedError

    @property
    def fields(self) -> Fields:
        """The fields of the chosen exchange."""
        return self.query_one(Fields)

    @property
    def log_pane(self) -> Log:
        """What the daemon said in the chosen exchange."""
        return self.query_one(Log)

    @property
    def payload_pane(self) -> PayloadPane:
        """The files that were sent along with the chosen exchange."""
        return self.query_one(PayloadPane)

    @property
    def side_pane(self) -> Lines:
        """What stands beside the timeline: the fields, or what took their place."""
        if self.has_class("-logging"):
            return self.log_pane
        return self.payload_pane if self.has_class("-payload") else self.fields

    @property
    def bytes(self) -> Bytes:
        """The bytes of the chosen exchange."""
        return self.query_one(Bytes)

    def action_toggle_bytes(self) -> None:
        """Show or hide the bytes."""
        self._toggle("-no-bytes", self.bytes)

    def action_toggle_log(self) -> None:
        """Show the log in place of the fields, or the fields again."""
        self._toggle_side("-logging")
        if self.has_class("-logging") and self.view is not None:
            self.log_pane.say(narration(self.view), tail=self.view.row.took is None)

    def action_toggle_payload(self) -> None:
        """Show the payload in place of the fields, or the fields again."""
        self._toggle_side("-payload")
        if self.has_class("-payload"):
            self.payload_pane.show(self.view)
        else:
            self.light()

    def _toggle_side(self, name: str) -> None:
        """Put another pane beside the timeline; the focus stays on that side."""
        focused = self.focused is self.side_pane
        self.zoom(None)
        for other in ("-logging", "-payload"):
            self.set_class(other == name and not self.has_class(name), other)
        if focused:
            self.side_pane.focus()

    def action_toggle_explanation(self) -> None:
        """Show or hide what the declarations say."""
        pane = self.query_one(Explanation)
        self._toggle("-explaining", pane)
        self.explain()

    def _toggle(self, name: str, pane: Widget) -> None:
        self.zoom(None)
        self.toggle_class(name)
        if self.focused is pane:
            self.fields.focus()

    def reach(self, pane: Widget) -> None:
        """Focus a pane, also when it is hidden or another one is maximised."""
        if self.zoomed is not None and self.zoomed != pane.id:
            self.zoom(pane.id)
        pane.focus()

    def action_maximise(self) -> None:
        """Give the focused pane the whole screen, or take it back."""
        focused = self.focused.id if self.focused is not None else None
        self.zoom(None if self.zoomed is not None else focused)

    def zoom(self, pane: str | None) -> None:
        """Give a pane the whole screen; None gives every pane its place."""
        if pane is not None and pane not in PANES:
            return
        self.zoomed = pane
        for name in PANES:
            self.set_class(name == pane, f"-only-{name}")
