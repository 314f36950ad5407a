"""Searching on a screen: begun, shown at work, stopped; from one hit to the next and back.

A thread looks through what is shown, from the cursor on; a hit's field and bytes are selected.
At the end it goes on at the other end, and says so.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pix.dataclass import dataclass, field
from pix_inspect.ui.main.exchange_panes import ExchangePanes
from pix_inspect.ui.timeline.timeline import Timeline
from pix_inspect.ui.widgets.background import in_background
from pix_inspect.ui.widgets.bar import Bar, Purpose
from pix_inspect.ui.widgets.bar_lines import Mistake
from pix_inspect.ui.widgets.pressed import pressed
from pix_inspect.ui.widgets.text import fit, safe

if TYPE_CHECKING:
    from pix_inspect.filter.search import Hit, Needle

HINT = "in what is shown, for example  glibc   hex: 1a 00     then n and N go on"
SHARE, REST = 0.008, 0.002
"""Seconds of searching, and of leaving the processor to the screen, in turn."""

TOLD = 0.2
"""Seconds between two words about how far it has come."""


@dataclass(eq=False)
class Search:
    """One walk to the next hit: of what, which way, and whether to go on."""

    needle: Needle
    step: int
    first: int
    """The line at which it begins."""
    count: int
    stopped: bool = False
    looked: int = 0
    unread: int = 0
    """Exchanges that could not be looked at."""
    wrapped: bool = field(default=False)

    def lines(self) -> Iterator[int]:
        """Yield every line once, from the first one on and then from the other end."""
        line = self.first
        for _ in range(self.count):
            if not 0 <= line < self.count:
                line = 0 if self.step > 0 else self.count - 1
                self.wrapped = True
            yield line
            line += self.step


class SearchController:
    """The search in what a timeline shows; hits are selected in the panes of their exchange."""

    def __init__(self, timeline: Timeline, panes: ExchangePanes, bar: Bar) -> None:
        self.text = ""
        """What was searched for last."""
        self._timeline = timeline
        self._panes = panes
        self._bar = bar
        self._search: Search | None = None
        self._hits: tuple[int, list[Hit], int] | None = None
        """The exchange of the hits at hand, the hits, and which of them is selected."""

    @property
    def settled(self) -> bool:
        """Whether no search is under way."""
        return self._search is None

    def write(self) -> None:
        """Have the user write what to search for."""
        self._bar.begin(Purpose("search", "search", HINT, self.begin, None, _mistake), self.text)

    def begin(self, text: str) -> None:
        """Go to the first hit from the cursor on."""
        self.text = text
        self._hits = None
        if text:
            self._bar.remember("search", text)
            self._begin(1, self._timeline.lines.cursor)
        else:
            self.end()

    def end(self) -> bool:
        """Stop searching, or forget what was searched for; return whether there was anything."""
        if self._search is not None:
            looked = self._search.looked
            self._search.stopped = True
            self._search = None
            self._say(f"stopped after {looked:,} exchanges, {self._back} clears")
            return True
        there = bool(self.text)
        self.text = ""
        self._hits = None
        self._bar.say("", "", what="search")
        return there

    def next(self, step: int) -> None:
        """Go to the next hit, or the one before."""
        if not self.text:
            self.write()
            return
        if self._hits is not None and self._hits[0] == self._panes.index:
            exchange, found, at = self._hits
            if 0 <= at + step < len(found):
                self._select(exchange, found, at + step)
                return
            self._begin(step, self._timeline.lines.cursor + step)
        else:
            self._begin(step, self._timeline.lines.cursor)

    def _begin(self, step: int, first: int) -> None:
        from pix_inspect.filter.search import SearchError, needle

        if self._search is not None:
            self._search.stopped = True
        count = self._timeline.lines.count
        try:
            search = Search(needle(self.text), step, first, count)
        except SearchError as error:
            self._timeline.app.notify(error.message, severity="warning", markup=False)
            return
        self._search = search
        in_background(
            self._timeline,
            lambda: self._walk(search),
            lambda found: self._found(search, *found),
            what="the search failed",
            failed=lambda line: self._failed(search, line),
            group="search",
            exclusive=True,
        )

    def _walk(self, search: Search) -> tuple[int, list[Hit]]:
        """Return the next exchange with hits; without any, no hits. Run by a thread."""
        from pix_inspect.filter.search import hits

        arrangement, session = self._timeline.rows.arrangement, self._timeline.session
        began = told = time.perf_counter()
        for line in search.lines():
            try:
                entry = arrangement.at(line)
            except IndexError:
                continue
            if search.stopped:
                break
            if entry >= 0:
                try:
                    found = hits(session.exchange(entry), search.needle)
                except Exception:  # damaged bytes must not end the search
                    found = []
                    search.unread += 1
                if found:
                    return entry, found
            search.looked += 1
            now = time.perf_counter()
            if now - told > TOLD:
                told = now
                self._timeline.app.call_from_thread(self._tell_search, search)
            if now - began > SHARE:
                time.sleep(REST)
                began = time.perf_counter()
        return -1, []

    def _tell_search(self, search: Search) -> None:
        if search is self._search:
            share = search.looked * 100 // max(search.count, 1)
            self._say(f"{search.looked:,} looked through, {share} %  {self._back} stops")

    def _found(self, search: Search, exchange: int, found: list[Hit]) -> None:
        if search is not self._search:
            return
        self._search = None
        if not found:
            unread = f" ({search.unread:,} cannot be read)" if search.unread else ""
            self._say(f"not found in what is shown{unread}, {self._back} clears", bad=True)
            return
        if search.wrapped:
            began = "from the first" if search.step > 0 else "from the last"
            self._timeline.app.notify(f"searched on {began} exchange", markup=False, timeout=3)
        self._select(exchange, found, 0 if search.step > 0 else len(found) - 1)

    def _failed(self, search: Search, line: str) -> None:
        if search is self._search:
            self._search = None
            self._say(line, bad=True)

    def _select(self, exchange: int, found: list[Hit], at: int) -> None:
        self._hits = (exchange, found, at)
        hit = found[at]
        self._timeline.go_to(exchange)
        self._panes.choose(exchange)
        self._panes.show_hit(exchange, hit)
        count = f"{at + 1} of {len(found):,} in " if len(found) > 1 else ""
        app = self._timeline.app
        keys = f"{pressed(app, 'search.next', 'n')} {pressed(app, 'search.previous', 'N')}"
        self._say(f"{count}#{exchange + 1}  {fit(safe(hit.said, 60), 30).rstrip()}  {keys}")

    @property
    def _back(self) -> str:
        return pressed(self._timeline.app, "back", "esc")

    def _say(self, text: str, *, bad: bool = False) -> None:
        self._bar.say(self.text, text, what="search", bad=bad)


def _mistake(text: str) -> Mistake | None:
    from pix_inspect.filter.search import SearchError, needle

    try:
        needle(text)
    except SearchError as error:
        return Mistake(error.message, error.start, error.end)
    return None
