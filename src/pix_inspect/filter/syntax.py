"""The filter language: text to syntax tree, with the place of every mistake.

    op = QueryPathInfo and took > 10ms      comparisons: = != < <= > >= ~ (contains), ~ /regex/
    error or (conn = 2 and not handshake)   and, or, not, parentheses; terms side by side: and
    request.path ~ "glibc"                  a path names a field of the declarations
    glibc                                   a bare word: found anywhere in what is shown
    >5ms                                    a bare comparison is about the time taken

Numbers may carry units: ns us ms s min h for times, B K M G (1024) for sizes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

from pix.dataclass import dataclass
from pix_inspect.filter.patterns import Pattern, PatternError


class FilterError(Exception):
    """A mistake in a filter: `message`, and the characters `[start, end)` it is about."""

    def __init__(self, message: str, text: str, start: int, end: int | None = None) -> None:
        super().__init__(f"{message} (at character {start + 1} of the filter)")
        self.message = message
        self.text = text
        self.start = start
        self.end = max(start + 1, end if end is not None else start + 1)

    def caret(self) -> str:
        """Return the filter and a line of carets under the mistake."""
        return f"{self.text}\n{' ' * self.start}{'^' * (self.end - self.start)}"


@dataclass(frozen=True, slots=True)
class Value:
    """A literal: its text; `number` in base units (ns, bytes) when it is one; a regex."""

    text: str
    number: float | None = None
    unit: str = ""
    pattern: Pattern | None = None
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Compare:
    """A field compared with a literal."""

    field: str
    operator: str
    value: Value
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Word:
    """A word or a quoted text by itself."""

    text: str
    quoted: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Not:
    """What must not hold."""

    inner: Expression


@dataclass(frozen=True, slots=True)
class Both:
    """What must hold together."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Of what one must hold."""

    parts: tuple[Expression, ...]


Expression: TypeAlias = "Compare | Word | Not | Both | Either"

UNITS = {
    "ns": 1,
    "us": 1e3,
    "µs": 1e3,
    "ms": 1e6,
    "s": 1e9,
    "min": 60e9,
    "h": 3600e9,
    "b": 1,
    "k": 1 << 10,
    "kib": 1 << 10,
    "m": 1 << 20,
    "mib": 1 << 20,
    "g": 1 << 30,
    "gib": 1 << 30,
}
TIME_UNITS = frozenset(("ns", "us", "µs", "ms", "s", "min", "h"))

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<paren>[()])
    | (?P<operator><=|>=|!=|==|=|<|>|~)
    | "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>(?:[^'\\]|\\.)*)'
    | (?P<word>[^\s()<>=!~"']+)
    | (?P<bad>\S)
    )""",
    re.VERBOSE,
)
_REGEX = re.compile(r"\s*/((?:[^/\\]|\\.)*)(/?)")
_NUMBER = re.compile(r"(-?\d[\d_]*(?:\.\d+)?)\s*([a-zµ]*)", re.IGNORECASE)
_FIELD = re.compile(r"[A-Za-z_][\w]*(?:\.\w+)*")
DEEPEST = 100
LARGEST = 1e30


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int
    pattern: Pattern | None = None


def _tokens(text: str) -> list[_Token]:
    out: list[_Token] = []
    at = 0
    while text[at:].strip():
        if out and out[-1].kind == "operator" and out[-1].text == "~":
            regex = _REGEX.match(text, at)
            if regex is not None:
                out.append(_regex_token(text, regex))
                at = regex.end()
                continue
        match = _TOKEN.match(text, at)
        assert match is not None
        kind = match.lastgroup or ""
        start = match.start(kind)
        if kind == "bad":
            char = match.group(kind)
            what = (
                "this quotation is not closed" if char in "\"'" else f"{char!r} means nothing here"
            )
            raise FilterError(what, text, start, len(text) if char in "\"'" else start + 1)
        word = match.group(kind)
        if kind in ("double", "single"):
            word = re.sub(r"\\(.)", r"\1", word)
            out.append(_Token("quoted", word, start - 1, match.end()))
        else:
            out.append(_Token(kind, word, start, match.end()))
        at = match.end()
    return out


def _regex_token(text: str, match: re.Match[str]) -> _Token:
    start = match.start(1) - 1
    if not match.group(2):
        raise FilterError("this /regex/ is not closed", text, start, len(text))
    try:
        pattern = Pattern(match.group(1))
    except PatternError as error:
        said = f"not a regular expression: {error}"
        raise FilterError(said, text, start, match.end()) from None
    return _Token("regex", match.group(1), start, match.end(), pattern)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.at = 0
        self.depth = 0

    def peek(self) -> _Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self) -> _Token | None:
        token = self.peek()
        self.at += 1
        return token

    def says(self, *words: str) -> bool:
        token = self.peek()
        return token is not None and token.kind == "word" and token.text.lower() in words

    def either(self) -> Expression:
        parts = [self.both()]
        while self.says("or", "||"):
            self.take()
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def both(self) -> Expression:
        parts = [self.term()]
        while True:
            if self.says("and", "&&"):
                self.take()
                parts.append(self.term())
                continue
            token = self.peek()
            if token is None or token.text == ")" or self.says("or", "||"):
                break
            parts.append(self.term())
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def term(self) -> Expression:
        self.depth += 1
        if self.depth > DEEPEST:
            raise FilterError("too many parentheses", self.text, 0)
        try:
            return self._term()
        finally:
            self.depth -= 1

    def _term(self) -> Expression:
        token = self.take()
        if token is None:
            raise FilterError("something is missing here", self.text, len(self.text))
        if token.kind == "word" and token.text.lower() in ("not", "!"):
            return Not(self.term())
        if token.kind == "paren" and token.text == "(":
            inner = self.either()
            closing = self.take()
            if closing is None or closing.text != ")":
                raise FilterError("this parenthesis is not closed", self.text, token.start)
            return inner
        if token.kind == "operator":
            return self._compare("took", token, token.start)
        if token.kind == "word" and token.text.lower() in ("and", "or", "&&", "||"):
            raise FilterError(
                f"{token.text!r} joins two conditions", self.text, token.start, token.end
            )
        if token.kind not in ("word", "quoted"):
            raise FilterError(f"unexpected {token.text!r}", self.text, token.start, token.end)
        following = self.peek()
        if following is not None and following.kind == "operator":
            if token.kind == "quoted" or not _FIELD.fullmatch(token.text):
                raise FilterError(
                    f"{token.text!r} is not a field", self.text, token.start, token.end
                )
            self.take()
            return self._compare(token.text, following, token.start)
        return Word(token.text, token.kind == "quoted", token.start, token.end)

    def _compare(self, field: str, operator: _Token, start: int) -> Compare:
        token = self.take()
        if token is None or token.kind not in ("word", "quoted", "regex"):
            where = len(self.text) if token is None else token.start
            raise FilterError(f"a value is missing after {operator.text!r}", self.text, where)
        number = _NUMBER.fullmatch(token.text) if token.kind == "word" else None
        value = Value(token.text, pattern=token.pattern, quoted=token.kind == "quoted")
        if number is not None and number.group(2).lower() in ("", *UNITS):
            unit = number.group(2).lower()
            scaled = float(number.group(1).replace("_", "")) * UNITS.get(unit, 1)
            if abs(scaled) > LARGEST:
                raise FilterError("no number is that large", self.text, token.start, token.end)
            value = Value(token.text, scaled, unit)
        if operator.text in ("<", "<=", ">", ">=") and value.number is None:
            raise FilterError(
                f"{operator.text!r} compares numbers: 10ms, 64K, 3",
                self.text,
                token.start,
                token.end,
            )
        name = "=" if operator.text == "==" else operator.text
        return Compare(field, name, value, start, token.end)


def terms(expression: Expression | None) -> Iterator[Word | Compare]:
    """Yield what a filter is joined of: words that stand by themselves, and comparisons."""
    if isinstance(expression, Not):
        yield from terms(expression.inner)
    elif isinstance(expression, (Both, Either)):
        for part in expression.parts:
            yield from terms(part)
    elif expression is not None:
        yield expression


def parse(text: str) -> Expression | None:
    """Return the syntax tree of a filter, None for an empty one. Raises FilterError."""
    parser = _Parser(text)
    if not parser.tokens:
        return None
    found = parser.either()
    extra = parser.peek()
    if extra is not None:
        raise FilterError(f"unexpected {extra.text!r}", text, extra.start, extra.end)
    return found
