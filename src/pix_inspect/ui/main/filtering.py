"""The filter in force on a screen: set, shown at work, stopped, cleared.

What is found shows as it is found; the screen answers keys in between. While a new filter is
being written or has a mistake, the one before stays in force. The filter's language is imported
with the first one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from textual.timer import Timer

from pix_inspect.ui.main.exchange_panes import ExchangePanes
from pix_inspect.ui.timeline.arrangement import Everything
from pix_inspect.ui.timeline.glances import heavy
from pix_inspect.ui.timeline.timeline import Timeline
from pix_inspect.ui.widgets.background import in_background
from pix_inspect.ui.widgets.bar import Bar, Purpose
from pix_inspect.ui.widgets.bar_lines import Mistake
from pix_inspect.ui.widgets.later import later
from pix_inspect.ui.widgets.pressed import pressed

if TYPE_CHECKING:
    from pix_inspect.filter.compiled import Filter
    from pix_inspect.filter.completion import Offer
    from pix_inspect.filter.progressive import Sieve

SLICE = 0.02
PAUSE = 0.003
"""Seconds of filtering in one go, and between two."""

PATIENCE = 15
"""Slices that a filter may take before what it has found so far is shown."""

HINT = "for example  took > 10ms   error   op = BuildPaths   reply.info ~ glibc"
RECENT_ROWS = 50_000
"""Exchanges in which operations are looked for to complete from."""


class FilterController:
    """The filter between a timeline and the bar in which it is written."""

    def __init__(self, timeline: Timeline, panes: ExchangePanes, bar: Bar) -> None:
        self.text = ""
        """The filter in force, "" when there is none."""
        self.sieve: Sieve | None = None
        self._timeline = timeline
        self._panes = panes
        self._bar = bar
        self._session = timeline.session
        self._stopped = False
        self._waited = 0
        self._sifting: Timer | None = None
        self._deciding = False

    @property
    def shown(self) -> Sequence[int]:
        """The exchanges that the filter lets through, by index from 0, in order of start."""
        return Everything(self._session) if self.sieve is None else self.sieve.hits

    @property
    def settled(self) -> bool:
        """Whether the filter has been asked about everything there is, or was stopped."""
        return self.sieve is None or self._stopped or (self.sieve.done and not self._waited)

    # The filter in force ----------------------------------------------------------------

    def apply(self, text: str) -> None:
        """Have this filter in force; an empty one shows everything.

        A mistake in it is shown where filters are written, and the one before stays.
        """
        from pix_inspect.filter.compiled import compile_filter
        from pix_inspect.filter.syntax import FilterError

        text = text.strip()
        if not text:
            self.clear()
            return
        try:
            found = compile_filter(text)
        except FilterError:
            self.write(text)
            return
        self._bar.remember("filter", text)
        self._put_in_force(text, found)

    def _put_in_force(self, text: str, found: Filter) -> None:
        from pix_inspect.filter.progressive import Sieve

        self.text = text
        self.sieve = Sieve(self._session, found, heavy)
        self._stopped = False
        self._waited = 1
        self._timeline.lines.waiting = [
            "",
            "  Nothing of what there is passes the filter. Esc clears it.",
        ]
        self._sift()

    def clear(self) -> None:
        if self.sieve is None:
            return
        self.text = ""
        self.sieve = None
        self._waited = 0
        self._timeline.lines.waiting = []
        self._timeline.show(Everything(self._session))
        self._say()

    def stop(self) -> bool:
        """Leave it at what has been found; return whether there was something to stop."""
        if self.sieve is None or self._stopped or self.sieve.done or not self.sieve.filter.deep:
            return False
        self._stopped = True
        self._show_hits()
        self._say()
        return True

    def keep_up(self) -> None:
        """Look at what has come, if there is a filter."""
        if self.sieve is not None and self._sifting is None:
            self._sift()

    def _sift(self) -> None:
        """Look at more of what there is; goes on by itself while there is more."""
        sieve = self.sieve
        if self._sifting is not None:
            self._sifting.stop()
            self._sifting = None
        if sieve is None or self._stopped:
            return
        seen = self._timeline.anchors()
        changed = sieve.advance(SLICE)
        self._decide_slow(sieve)
        if self._waited:
            self._waited += 1
            if sieve.done or (sieve.filter.deep and self._waited > PATIENCE):
                self._show_hits()
        elif changed:
            moved, sieve.moved = sieve.moved, False
            self._timeline.grow(moved=moved, seen=seen)
        self._say()
        if sieve.looked < len(self._session):
            self._sifting = later(self._timeline, PAUSE, self._sift)

    def _show_hits(self) -> None:
        if self._waited and self.sieve is not None:
            self._waited = 0
            self.sieve.moved = False
            self._timeline.show(self.sieve.hits)

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
                self._timeline.app.notify(line, severity="error", markup=False)
            self._decided(sieve, i, None)

        in_background(
            self._timeline,
            lambda: sieve.filter.matches(self._session, i),
            lambda passes: self._decided(sieve, i, passes),
            what=f"whether #{i + 1} passes the filter cannot be told",
            failed=failed,
            group="deciding",
        )

    def _decided(self, sieve: Sieve, i: int, passes: bool | None) -> None:
        self._deciding = False
        seen = self._timeline.anchors()
        sieve.settle(i, passes)
        if sieve is self.sieve:
            if not self._waited:
                moved, sieve.moved = sieve.moved, False
                self._timeline.grow(moved=moved, seen=seen)
            self._sift()

    def _say(self) -> None:
        sieve = self.sieve
        if sieve is None:
            self._bar.say("", "")
            return
        hits, total = len(sieve.hits), len(self._session)
        share = f"{sieve.looked * 100 // max(total, 1)} %"
        back = pressed(self._timeline.app, "back", "esc")
        if self._stopped:
            said = f"{hits:,} found, stopped at {share}, {back} clears"
        elif not sieve.done:
            said = f"{hits:,} so far, {share}" + (f"  {back} stops" if sieve.filter.deep else "")
        elif hits:
            said = f"{hits:,} of {total:,}"
        else:
            said = f"0 of {total:,}, {back} clears"
        if sieve.unread:
            said = f"{len(sieve.unread):,} cannot be read; {said}"
        self._bar.say(self.text, said, bad=sieve.done and not hits)

    # Writing one ------------------------------------------------------------------------

    def write(self, text: str | None = None) -> None:
        """Have the user write a filter, beginning with `text`, without it with the one in force."""
        if text is None:
            text = self.text + " " if self.text else ""
        self._bar.begin(Purpose("filter", "/", HINT, self.apply, self._complete, _mistake), text)

    def add(self, *, same: bool) -> None:
        """Add what is under the cursor to the filter."""
        from pix_inspect.filter.terms import field_term, joined, operation_term

        view, fields = self._panes.view, self._panes.fields
        if view is None:
            return
        if self._timeline.screen.focused is self._timeline.lines:
            term: str | None = operation_term(view.row, equal=same)
        else:
            term = field_term(fields.outline.rows(fields.path), view.row, equal=same)
        if term is None:
            self._timeline.app.notify(
                "a filter compares single values: choose one inside this field", markup=False
            )
            return
        self.apply(joined(self.text, term))

    def _complete(self, text: str, cursor: int) -> tuple[int, list[Offer]]:
        from pix_inspect.filter.completion import complete

        return complete(text, cursor, self._seen)

    def _seen(self, field: str) -> Iterable[str]:
        """Yield values that a field was seen to have: of what is in sight, for what is decoded."""
        from pix_inspect.filter.compiled import values_of

        session = self._session
        if field == "op":
            last = len(session)
            recent = session.rows(max(0, last - RECENT_ROWS), last)
            yield from sorted({row.name for row in recent if row.code is not None})
        elif field == "conn":
            yield from (str(number) for number in list(session.connections)[-200:])
        elif "." in field or field == "about":
            view = self._panes.view
            views = [view] if view is not None else []
            rows = self._timeline.painter.rows(self._timeline.lines.in_sight)
            views += [session.exchange(row.number - 1) for row in rows if not heavy(session, row)]
            for view in views:
                yield from values_of(view, field)


def _mistake(text: str) -> Mistake | None:
    from pix_inspect.filter.compiled import compile_filter
    from pix_inspect.filter.syntax import FilterError

    try:
        compile_filter(text)
    except FilterError as error:
        return Mistake(error.message, error.start, error.end)
    return None
