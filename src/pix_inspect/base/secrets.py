"""Secrets in free text: tokens, passwords, keys and names of users, blanked character by character.

What may stand anywhere (a log line, an error, an argument, bytes that nobody understands) has no
declaration that says what it is, so it is known by its shape and by the word before it. What is
blanked in vain costs a reader a word; what is missed costs somebody a password.

Megabytes are looked at: letters are folded before and not by the engine, which then skips to the
first letters of what is looked for; and no pattern goes over a character more often than its
bounds say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from string import ascii_lowercase, ascii_uppercase

BLANK = "*"

_FOLDED = str.maketrans(ascii_uppercase + "\u0130\u0131\u017f\u212a", ascii_lowercase + "iisk")
"""Each letter as the one character that patterns have; the last are the two of Turkish that have or
lack a dot, a long s and Kelvin."""

_NAME = (
    # by their first letters: the engine looks for these alone
    r"(?:token|totp(?![a-z])|secret|otp(?<![a-z]otp)(?![a-z])|jwt(?<![a-z]jwt)(?![a-z])|"
    r"p(?:assw|assphrase|asscode|asskey|ass(?<![a-z]pass)(?![a-z])|wd|w(?<![a-z]pw)(?![a-z])|"
    r"rivate|rivkey|in(?<![a-z]pin)(?![a-z]))|"
    r"c(?:redential|ookie|reds?(?<![a-z]cred)(?<![a-z]creds)(?![a-z]))|"
    r"a(?:uth(?!ors?\b)|(?:pi|ccess|ccount)[-_]?key)|"
    r"s(?:ignature|ig(?<![a-z]sig)(?![a-z])|ession(?<![a-z]session)(?:id)?(?![a-z])|"
    r"essid(?![a-z])|(?:igning|sh|torage|hared)key)|"
    + "|".join(rf"{mark}key(?<!public.key)s?(?![a-z])" for mark in ("-", "_", r"\."))
    + ")"
)
"""What the name of a secret has in it, wherever a name and a value follow each other."""

_SET = rf"{_NAME}[\w.-]{{0,64}}\\{{0,2}}[\"']?\s{{0,3}}(?:=>|[:=]|%3[ad])\s{{0,3}}"
"""Such a name, what is left of it, and what stands between it and the value."""

_QUERY = "|".join(
    """
    rev ref narhash lastmodified revcount dir shallow submodules allrefs compression priority
    parallel-compression trusted want-mass-query region scheme endpoint root real store state
    log max-connections remote-program remote-store local-nar-cache index-debug-info
    """.split()
)
"""Parameters of stores and flakes whose values are not secret. Source: Nix's manual."""

_END = r"\s\"'<>\0\\"

_SHAPES = "|".join(
    rf"{shape[0]}(?<![a-z0-9].){shape[1:]}"
    for shape in (
        "gh[a-z]_", "github_pat_", "gl[a-z]{2,6}-", "xox[a-z]-", "pypi-", "npm_", "sk-",
        "hv[sb]\\.", "dckr_pat_", "age-secret-key-", "sg\\.", "aiza", "akia", "asia",
    )
)  # fmt: skip
"""How the tokens of well-known services begin."""

_ENCLOSED = (
    r"[|>][-+]?[ \t]*\n(?P<block>[ \t]+[^\n\0]+(?:\n[ \t]+[^\n\0]+){0,64})"
    r"|\\{1,2}\"(?P<escaped>[^\"\0]+)"
    r"|\"(?P<double>(?:[^\"\\\0]|\\[^\0]?)+)"
    r"|\\{0,2}'(?P<single>[^'\0]+)"
    r"|[\[{](?P<listed>[^\[\]{}\0]+)"
)
_BARE = rf"[^{_END},;&][^{_END},;&]*"
"""What is set: a block of YAML, what is quoted, a list; or what ends by itself."""
_QUOTED = r"\\{0,2}[\"']?(?P<gone>(?<=\")[^\"\0]+|(?<=')[^'\0]+|"
"""How the next word begins, which is a secret as a whole where it is quoted."""

_TELLING = (
    r"-----begin [a-z0-9 ]{0,40}private key(?: block)?-----(?P<gone>.+?)(?=-----|\Z|\0)",
    r"(?:authorization|cookie)\\{0,2}[\"']?\s{0,3}[:=]\s{0,3}(?P<gone>[^\r\n\0]+)",
    r"(?:access-tokens|impure-env|netrc-file)\s{0,3}[:=]\s{0,3}(?P<gone>[^\r\n\"'\0]+)",
    # names of users
    r"(?:/home/|/users/|/per-user/|user ')(?P<gone>[^/\s'\":\0]+)",
    # URLs: all before the last @ of an authority, values of parameters not known as harmless;
    # of what has no @, nothing is looked at again
    rf"://(?:(?P<gone>[^{_END}]+)@|[^{_END}]+)",
    rf"(?<![\w@:/.+-])(?P<gone>[\w.+-]{{1,64}}:[^{_END}@/:]{{1,256}})@[\w.-]+",
    rf"[?&](?!(?:{_QUERY})=)[\w.%~-]{{1,64}}=(?P<gone>[^&{_END}]+)",
    # tokens by their shape
    rf"(?P<gone>(?:{_SHAPES})[\w.-]{{8,}})",
    r"(?<!\w)(?:(?P<gone>eyj[\w-]{6,}\.[\w-]{4,}(?:\.[\w-]*)?)|eyj[\w-]*)",
    r"\b(?:bearer|basic|negotiate|digest)\s+(?P<gone>[\w.~+/=-]{3,})",
    # a name and its value, as the next word of a command line or otherwise
    rf"(?<!\S)--?[\w-]{{0,32}}{_NAME}[\w-]{{0,32}}[ \0]+{_QUOTED}[^{_END}-][^{_END}]*)",
    rf"(?<!\S)(?:-u|--user|--proxy-user)[ =]?[\"']?(?P<gone>[^{_END}:]+:[^{_END}]+)",
    rf"<[\w:.-]{{0,64}}{_NAME}[\w:.-]{{0,64}}(?:\s[^<>\0]{{0,200}})?>(?P<gone>[^<\0]+)",
    rf"\b(?:mysql|mariadb)\w*\b[^\n\0]{{0,200}}?\s-p{_QUOTED}[^{_END}]+)",
    rf"\bsshpass\s+-p\s*{_QUOTED}[^{_END}]+)",
    rf"\b(?:login|password|passphrase|passwd|account)\s+(?:is\s+|was\s+)?{_QUOTED}[^{_END}]{{3,}})",
    rf"\b(?:token|secret|key)\s+(?:is|was)\s+{_QUOTED}[^{_END}]{{3,}})",
)
"""What tells too much, each with the part of it that goes."""

_NAMED = (
    rf"(?<=\0)[\w.-]{{0,64}}?(?:netrc-file|{_NAME})[\w.-]{{0,64}}\0{{0,7}}"  # and what fills it up
    r"[^\0][\0-\xff]{0,2}?\0{1,7}(?P<gone>[^\0]+)"  # a length, and what it is the length of
)
"""A name that says secret, the length of a value, and the value, as they stand on the wire."""


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


def cleaned(text: str) -> str:
    """Return a text of the same length in which what tells too much is blanked."""
    return _blanked(text, _spans(text.translate(_FOLDED)))


def cleaned_bytes(data: bytes) -> bytes:
    """Return bytes of the same length in which what tells too much is blanked.

    Values of names that say secret are found without a declaration, too: a stream that is out
    of step is shown as bytes.
    """
    folded = data.lower().decode("latin-1")
    spans = [*_spans(folded), *(m.span("gone") for m in _compiled(_NAMED).finditer(folded))]
    return _blanked(data.decode("latin-1"), spans).encode("latin-1")


def _blanked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    pieces: list[str] = []
    at = 0
    for start, end in sorted(spans):
        if end > at:
            start = max(start, at)
            pieces += text[at:start], BLANK * (end - start)
            at = end
    return "".join([*pieces, text[at:]])


def _spans(folded: str) -> Iterator[tuple[int, int]]:
    """Yield where secrets stand in a text without capitals, in any order."""
    for pattern in _TELLING:
        yield from (found.span("gone") for found in _compiled(pattern).finditer(folded))
    enclosed, bare = _compiled(_ENCLOSED), _compiled(_BARE)
    reached = 0  # a name in what is bare is set to a part of that
    for name in _compiled(_SET).finditer(folded):
        at = name.end()
        if (match := enclosed.match(folded, at)) is not None:
            yield match.span(match.lastindex or 0)
        elif at >= reached and (match := bare.match(folded, at)) is not None:
            yield match.span()
            reached = match.end()
