"""The thread that carries out the pane's lines, so that the screen never waits for a daemon.

One line at a time. What comes of it is made into lines of text here, and handed over in one go.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from itertools import islice

from pix.codec.errors import EncodeError
from pix.daemon import NixDaemonError
from pix.dataclass import dataclass, field
from pix.problem import Problem
from pix_inspect.capture.own_relay import OwnRelay
from pix_inspect.repl.expressions import ExpressionError
from pix_inspect.repl.repl import Session
from pix_inspect.repl.text import shown
from pix_inspect.repl.values import Answer

MOST_LINES = 5_000
"""Lines of one result that are shown."""
NARROWEST = 20
"""Columns that lines are made for at least."""
STACK = 32 << 20
"""Bytes of stack: a line may be nested as deep as its parser allows."""


@dataclass(slots=True)
class Outcome:
    """What came of a line: lines of text, each with its tone."""

    lines: list[tuple[str, str]] = field(default_factory=list)


class Talk:
    """Carries out lines for whoever listens: `tell` gets each outcome, from the thread."""

    def __init__(self, session: Session, relay: OwnRelay, tell: Callable[[Outcome], None]) -> None:
        self.session = session
        self.relay = relay
        self.busy = False
        self._tell = tell
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._said = False
        self._room = 0
        self._question: queue.SimpleQueue[bool] | None = None
        session.say = lambda line: tell(Outcome([(line, "dim")]))
        session.dangerous = self._ask

    def carry_out(self, line: str, room: int) -> None:
        """Carry out a line; what comes of it is to be read in so many columns."""
        self.busy = True
        self._room = max(room, NARROWEST)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True, name="REPL")
            before = threading.stack_size(STACK)
            try:
                self._thread.start()
            finally:
                threading.stack_size(before)
        self._lines.put(line)

    def interrupt(self) -> None:
        """End a wait for the daemon, or for the user's word."""
        question = self._question
        if question is not None:
            question.put(False)
        self.session.interrupt()

    @property
    def asks(self) -> bool:
        """Whether a question waits for an answer."""
        return self._question is not None

    def answer(self, *, yes: bool) -> None:
        question = self._question
        if question is not None:
            question.put(yes)

    def close(self) -> None:
        """Hang up and end the thread."""
        self._lines.put(None)
        self.interrupt()
        if self._thread is not None:
            self._thread.join(2)
        if self._thread is None or not self._thread.is_alive():
            self.session.close()
        with contextlib.suppress(Problem):
            self.relay.close()

    def _ask(self, what: str) -> bool:
        self._question = queue.SimpleQueue()
        self._tell(Outcome([(f"{what}; yes or no?", "warn")]))
        try:
            return self._question.get()
        finally:
            self._question = None

    def _work(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                outcome = self._outcome(line)
            except Exception as error:  # a mistake of ours must not take the screen with it
                outcome = Outcome([(f"this cannot be carried out: {error!r}", "bad")])
            self.busy = False
            self._tell(outcome)

    def _outcome(self, line: str) -> Outcome:
        try:
            value = self.session.run(line)
        except ExpressionError as error:
            return Outcome([(f"{error.message} (column {error.column + 1})", "warn")])
        except (Problem, NixDaemonError, EncodeError) as error:
            return Outcome([(str(error), "warn")])
        found = Outcome()
        if value is not None:
            tone = "text"
            if isinstance(value, Answer):
                tone = "bad" if value.error is not None else "field"
            lines = shown(value, self._room)
            found.lines = [(text, tone) for text in islice(lines, MOST_LINES)]
            if next(lines, None) is not None:
                found.lines.append(("… more: name a part of it, or save(…) it", "dim"))
        if self.relay.writer is not None and not self._said:
            self._said = True
            said = f"what is sent is recorded in {self.relay.target}; ctrl+o opens it"
            found.lines.append((said, "dim"))
        return found
