"""The filter in force on a screen: set, shown at work, stopped, cleared.

What is found shows as it is found; the screen answers keys in between. While a new filter is
being written or has a mistake, the one before stays in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.timer import Timer

from pix_inspect.filter.compiled import Filter, compile_filter, values_of
from pix_inspect.filter.completion import Offer, complete
from pix_inspect.filter.progressive import Sieve
from pix_inspect.filter.syntax import FilterError
from pix_inspect.filter.terms import field_term, joined, operation_term
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.session import Session
from pix_inspect.ui.timeline.arrangement import Everything
from pix_inspect.ui.timeline.glances import heavy
from pix_inspect.ui.timeline.timeline import Timeline
from pix_inspect.ui.widgets.background import in_background
from pix_inspect.ui.widgets.bar import Bar, Purpose
from pix_inspect.ui.widgets.bar_lines import Mistake

if TYPE_CHECKING:
    from pix_inspect.ui.exchange.fields_pane import Fields

SLICE = 0.02
PAUSE = 0.003
"""Seconds of filtering in one go, and between two."""

PATIENCE = 15
"""Slices that a filter may take before what it has found so far is shown."""

HINT = "for example  took > 10ms   error   op = BuildPaths   reply.info ~ glibc"
RECENT_ROWS = 50_000
"""Exchanges in which operations are looked for to complete from."""


class Filtering(Screen[None]):
    """A screen with a timeline, a bar, and a filter between them."""

    FILTER_KEYS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/", id="filter.write"),
        Binding("equals_sign", "filter_same(True)", "Filter: the same in this field",
                show=False, key_display="=", id="filter.same"),
        Binding("exclamation_mark", "filter_same(False)", "Filter: not the same in this field",
                show=False, key_display="!", id="filter.other"),
    ]  # fmt: skip

    session: Session
    view: ExchangeView | None

    def __init__(self) -> None:
        super().__init__()
        self.filter_text = ""
        """The filter in force, "" when there is none."""
        self.sieve: Sieve | None = None
        self._stopped = False
        self._waited = 0
        self._sifting: Timer | None = None
        self._deciding = False

    @property
    def timeline(self) -> Timeline:
        return self.query_one(Timeline)

    @property
    def fields(self) -> Fields:
        """The fields of the chosen exchange."""
        raise NotImplementedError

    @property
    def bar(self) -> Bar:
        """The line in which filters are written."""
        return self.query_one(Bar)

    @property
    def shown(self) -> Sequence[int]:
        """The exchanges that the filter lets through, by index from 0, in order of start."""
        return Everything(self.session) if self.sieve is None else self.sieve.hits

    @property
    def sifted(self) -> bool:
        """Whether the filter has been asked about everything there is, or was stopped."""
        return self.sieve is None or self._stopped or (self.sieve.done and not self._waited)

    # The filter in force ----------------------------------------------------------------

    def apply_filter(self, text: str) -> None:
        """Have this filter in force; an empty one shows everything.

        A mistake in it is shown where filters are written, and the one before stays.
        """
        text = text.strip()
        if not text:
            self.clear_filter()
            return
        try:
            found = compile_filter(text)
        except FilterError:
            self.write_filter(text)
            return
        self.bar.remember("filter", text)
        self._put_in_force(text, found)

    def _put_in_force(self, text: str, found: Filter) -> None:
        self.filter_text = text
        self.sieve = Sieve(self.session, found, heavy)
        self._stopped = False
        self._waited = 1
        self.timeline.lines.waiting = [
            "",
            "  Nothing of what there is passes the filter. Esc clears it.",
        ]
        self.sift()

    def clear_filter(self) -> None:
        if self.sieve is None:
            return
        self.filter_text = ""
        self.sieve = None
        self._waited = 0
        self.timeline.lines.waiting = []
        self.timeline.show(Everything(self.session))
        self._say_filter()

    def stop_filter(self) -> bool:
        """Leave it at what has been found; return whether there was something to stop."""
        if self.sieve is None or self._stopped or self.sieve.done or not self.sieve.filter.deep:
            return False
        self._stopped = True
        self._show_hits()
        self._say_filter()
        return True

    def sift(self) -> None:
        """Look at more of what there is; goes on by itself while there is more."""
        sieve = self.sieve
        if self._sifting is not None:
            self._sifting.stop()
            self._sifting = None
        if sieve is None or self._stopped:
            return
        seen = self.timeline.anchors()
        changed = sieve.advance(SLICE)
        self._decide_slow(sieve)
        if self._waited:
            self._waited += 1
            if sieve.done or (sieve.filter.deep and self._waited > PATIENCE):
                self._show_hits()
        elif changed:
            moved, sieve.moved = sieve.moved, False
            self.timeline.grow(moved=moved, seen=seen)
        self._say_filter()
        if sieve.looked < len(self.session):
            self._sifting = self.set_timer(PAUSE, self.sift)

    def _show_hits(self) -> None:
        if self._waited and self.sieve is not None:
            self._waited = 0
            self.sieve.moved = False
            self.timeline.show(self.sieve.hits)

    def _decide_slow(self, sieve: Sieve) -> None:
        """Have a thread decide on what takes long, one at a time."""
        if self._deciding:
            return
        i = sieve.take_slow()
        if i is None:
            return
        self._deciding = True

        def failed(line: str) -> None:
            if sieve is self.sieve and not sieve.unread:  # of more, the bar tells how many
                self.app.notify(line, severity="error", markup=False)
            self._decided(sieve, i, None)

        in_background(
            self,
            lambda: sieve.filter.matches(self.session, i),
            lambda passes: self._decided(sieve, i, passes),
            what=f"whether #{i + 1} passes the filter cannot be told",
            failed=failed,
            group="deciding",
        )

    def _decided(self, sieve: Sieve, i: int, passes: bool | None) -> None:
        self._deciding = False
        seen = self.timeline.anchors()
        sieve.settle(i, passes)
        if sieve is self.sieve:
            if not self._waited:
                moved, sieve.moved = sieve.moved, False
                self.timeline.grow(moved=moved, seen=seen)
            self.sift()

    def _say_filter(self) -> None:
        sieve = self.sieve
        if sieve is None:
            self.bar.say("", "")
            return
        hits, total = len(sieve.hits), len(self.session)
        share = f"{sieve.looked * 100 // max(total, 1)} %"
        if self._stopped:
            said = f"{hits:,} found, stopped at {share}, esc clears"
        elif not sieve.done:
            said = f"{hits:,} so far, {share}" + ("  esc stops" if sieve.filter.deep else "")
        elif hits:
            said = f"{hits:,} of {total:,}"
        else:
            said = f"0 of {total:,}, esc clears"
        if sieve.unread:
            said = f"{len(sieve.unread):,} cannot be read; {said}"
        self.bar.say(self.filter_text, said, bad=sieve.done and not hits)

    # Writing one ------------------------------------------------------------------------

    def write_filter(self, text: str) -> None:
        """Have the user write a filter, beginning with `text`."""
        self.bar.begin(Purpose("filter", "/", HINT, self._complete, _mistake), text)

    def action_filter(self) -> None:
        """Write a filter, or change the one in force."""
        self.write_filter(self.filter_text + " " if self.filter_text else "")

    def action_filter_same(self, same: bool) -> None:
        """Add what is under the cursor to the filter."""
        view = self.view
        if view is None:
            return
        if self.focused is self.timeline.lines:
            term: str | None = operation_term(view.row, equal=same)
        else:
            term = field_term(self.fields.outline.rows(self.fields.path), view.row, equal=same)
        if term is None:
            self.app.notify(
                "a filter compares single values: choose one inside this field", markup=False
            )
            return
        self.apply_filter(joined(self.filter_text, term))

    def _complete(self, text: str, cursor: int) -> tuple[int, list[Offer]]:
        return complete(text, cursor, self._seen)

    def _seen(self, field: str) -> Iterable[str]:
        """Yield values that a field was seen to have: of what is in sight, for what is decoded."""
        session = self.session
        if field == "op":
            last = len(session)
            recent = session.rows(max(0, last - RECENT_ROWS), last)
            yield from sorted({row.name for row in recent if row.code is not None})
        elif field == "conn":
            yield from (str(number) for number in list(session.connections)[-200:])
        elif "." in field or field == "about":
            views = [self.view] if self.view is not None else []
            rows = self.timeline.rows_in_sight()
            views += [session.exchange(row.number - 1) for row in rows if not heavy(session, row)]
            for view in views:
                yield from values_of(view, field)


def _mistake(text: str) -> Mistake | None:
    try:
        compile_filter(text)
    except FilterError as error:
        return Mistake(error.message, error.start, error.end)
    return None
