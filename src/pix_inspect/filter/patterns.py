"""Regular expressions of filters, which end on any text.

Where google-re2 is installed it runs them, in work that grows with the text. Python's own engine
tries one way after the other, and hostile text can make the ways countless: there, what repeats
a repetition is refused, and a text on which the rest could take too long is not searched.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

from pix.problem import Problem

MOST_STEPS = 200_000_000
"""Ways that Python's engine may have to try on one text: a second or two."""

LONGEST = 1000
"""Characters of an expression."""

REMEDY = "pip install 'pix-inspect[re2]' runs any"

_PIECE = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(?P<open>\((?:\?(?:P<\w+>|[:=!]|<[=!]))?)|(?P<close>\))"
    r"|(?P<or>\|)|(?P<repeat>[*+?]|\{\d*,?\d*\})[?+]?|.",
    re.DOTALL,
)


class PatternError(ValueError):
    """Not an expression that can be run here; the message is one line."""


class Pattern:
    """A regular expression, without regard to case. Raises PatternError."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise PatternError(f"longer than {LONGEST:,} characters")
        self.text = text
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compiled = re.compile(text, re.IGNORECASE)
        except (re.error, OverflowError, RecursionError, ValueError) as error:
            raise PatternError(getattr(error, "msg", str(error))) from None
        self._search = _by_re2(text) or _bounded(compiled)

    def matches(self, text: str) -> bool:
        """Return whether it is found in `text`. Raises Problem where that could take too long."""
        return self._search(text) is not None


def _by_re2(text: str) -> Callable[[str], Any] | None:
    """Return how google-re2 searches for it, None without it and for what it does not run."""
    try:
        re2 = import_module("re2")
    except ImportError:
        return None
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        compiled = re2.compile(text.encode("utf-8", "surrogateescape"), options)
    except re2.error:
        return None
    return lambda found: compiled.search(found.encode("utf-8", "surrogateescape"))


def _bounded(compiled: re.Pattern[str]) -> Callable[[str], Any]:
    """Return how Python searches for it, on texts that cannot take too long."""
    repeats, choices = _repeats(compiled.pattern)

    def search(found: str) -> object:
        if 2**choices * (len(found) + 1) ** (repeats + 1) > MOST_STEPS:
            raise Problem(
                f"/{compiled.pattern}/ could take very long on a text of {len(found):,} characters:"
                f" {REMEDY}"
            )
        return compiled.search(found)

    return search


def _repeats(text: str) -> tuple[int, int]:
    """Return how many repetitions an expression has, and how many things it may leave out.

    Raises PatternError for a repetition of what repeats or has a choice.
    """
    repeats = choices = 0
    groups: list[bool] = []
    closed = False
    for piece in _PIECE.finditer(text):
        said = piece[0]
        if piece["open"]:
            groups.append(False)
        elif piece["close"]:
            closed = bool(groups) and groups.pop()
            if closed and groups:
                groups[-1] = True
            continue
        elif piece["repeat"]:
            if said[0] == "?":
                choices += 1
            elif closed:
                raise PatternError(
                    f"{said!r} repeats what itself repeats or has a choice, which can take for"
                    f" ever: {REMEDY}"
                )
            else:
                repeats += 1
            groups[-1:] = [True] * bool(groups)
        elif piece["or"]:
            choices += 1
            groups[-1:] = [True] * bool(groups)
        closed = False
    return repeats, choices
