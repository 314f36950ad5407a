"""Secrets in free text: tokens, passwords, keys and names of users, blanked character by character.

What may stand anywhere (a log line, an error, an argument, bytes that nobody understands) has no
declaration that says what it is, so it is known by its shape and by the word before it. What is
blanked in vain costs a reader a word; what is missed costs somebody a password.
"""

from __future__ import annotations

import re
from functools import cache

BLANK = "*"

LONGEST = 4096
"""Characters of one secret that are looked for, which keeps the search linear."""

_NAME = (
    r"(?:token|secret|passw|passphrase|passcode|(?<![a-z])pass(?![a-z])|pwd|credential|"
    r"auth(?!ors?\b)|private|signature|cookie|api[-_]?key|(?<!public)[-_.]keys?(?![a-z])|"
    r"(?<![a-z])(?:creds?|otp|pin|sig|jwt|session)(?![a-z]))"
)
"""What the name of a secret has in it, wherever a name and a value follow each other."""

_SET = rf"{_NAME}[\w.-]{{0,64}}\\{{0,2}}[\"']?\s{{0,3}}(?:=>|[:=]|%3[ad])\s{{0,3}}"
"""Such a name, what is left of it, and what stands between it and the value."""

_QUERY = "|".join(
    """
    rev ref narHash lastModified revCount dir shallow submodules allRefs compression priority
    parallel-compression trusted want-mass-query region scheme endpoint root real store state
    log max-connections remote-program remote-store local-nar-cache index-debug-info
    """.split()
)
"""Parameters of stores and flakes whose values are not secret. Source: Nix's manual."""

_END = r"\s\"'<>\0\\"

_TELLING = (
    # whole lines and blocks first: what is inside them needs no shape of its own
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?P<gone>.{1,16384}?)(?=-----|\Z|\0)",
    rf"{_SET}[|>][-+]?[ \t]*\n(?P<gone>[ \t]+[^\n\0]+(?:\n[ \t]+[^\n\0]+){{0,64}})",
    r"(?:authorization|cookie)\\{0,2}[\"']?\s{0,3}[:=]\s{0,3}(?P<gone>[^\r\n\0]+)",
    r"(?:access-tokens|impure-env|netrc-file)\s{0,3}[:=]\s{0,3}(?P<gone>[^\r\n\"'\0]+)",
    # names of users
    r"(?:/home/|/Users/|/per-user/|user ')(?P<gone>[^/\s'\":\0]+)",
    # URLs: all before the last @ of an authority, values of parameters not known as harmless
    rf"://(?P<gone>[^{_END}]{{1,{LONGEST}}})@",
    rf"(?<![\w@:/.+-])(?P<gone>[\w.+-]{{1,64}}:[^{_END}@/:]{{1,256}})@[\w.-]+",
    rf"[?&](?!(?:{_QUERY})=)[\w.%~-]{{1,64}}=(?P<gone>[^&{_END}]{{1,{LONGEST}}})",
    # tokens by their shape
    r"(?<![a-z0-9])(?P<gone>(?:gh[a-z]_|github_pat_|gl[a-z]{2,6}-|xox[a-z]-|pypi-|npm_|sk-|"
    r"hv[sb]\.|dckr_pat_|AGE-SECRET-KEY-|SG\.|AIza|AKIA|ASIA)[\w.-]{8,})",
    r"(?<![\w])(?P<gone>eyJ[\w-]{6,}\.[\w-]{4,}(?:\.[\w-]*)?)",
    r"\b(?:Bearer|Basic|Negotiate|Digest)\s+(?P<gone>[\w.~+/=-]{3,})",
    # a name and its value: quoted, bare, or as the next word of a command line
    rf"{_SET}\\{{0,2}}\"(?P<gone>[^\"\0]{{1,{LONGEST}}})",
    rf"{_SET}\\{{0,2}}'(?P<gone>[^'\0]{{1,{LONGEST}}})",
    rf"{_SET}(?P<gone>[^{_END},;&*][^{_END},;&]{{0,{LONGEST}}})",
    rf"(?<!\S)--?[\w-]{{0,32}}{_NAME}[\w-]{{0,32}}[ \0]+[\"']?(?P<gone>[^{_END}-][^{_END}]*)",
    rf"(?<!\S)(?:-u|--user|--proxy-user|-U)[ =]?[\"']?(?P<gone>[^{_END}:]+:[^{_END}]+)",
    rf"<[\w:.-]{{0,64}}{_NAME}[\w:.-]{{0,64}}>(?P<gone>[^<\0]{{1,{LONGEST}}})",
    rf"\b(?:mysql|mariadb)\w*\b[^\n\0]{{0,200}}?\s-p(?P<gone>[^{_END}]+)",
    rf"\bsshpass\s+-p\s*[\"']?(?P<gone>[^{_END}]+)",
    rf"\b(?:login|password|passphrase|passwd|account)\s+(?:is\s+|was\s+)?(?P<gone>[^{_END}]{{3,}})",
    rf"\b(?:token|secret|key)\s+(?:is|was)\s+(?P<gone>[^{_END}]{{3,}})",
)
"""What tells too much, each with the part of it that goes."""

_NAMED = (
    rf"(?<=\0)[\w.-]{{0,64}}?(?:netrc-file|{_NAME})[\w.-]{{0,64}}\0{{0,7}}"  # and what fills it up
    r"[^\0][\0-\xff]{0,2}?\0{1,7}(?P<gone>[^\0]+)"  # a length, and what it is the length of
)
"""A name that says secret, the length of a value, and the value, as they stand on the wire."""


@cache
def _compiled() -> list[re.Pattern[str]]:
    return [re.compile(pattern, re.IGNORECASE | re.DOTALL) for pattern in _TELLING]


def cleaned(text: str) -> str:
    """Return a text of the same length in which what tells too much is blanked."""
    for pattern in _compiled():
        text = pattern.sub(_blanked, text)
    return text


def cleaned_bytes(data: bytes) -> bytes:
    """Return bytes of the same length in which what tells too much is blanked.

    Values of names that say secret are found without a declaration, too: a stream that is out
    of step is shown as bytes.
    """
    text = cleaned(data.decode("latin-1"))
    return re.sub(_NAMED, _blanked, text, flags=re.IGNORECASE).encode("latin-1")


def _blanked(match: re.Match[str]) -> str:
    start, end = match.span("gone")
    whole, begin = match[0], match.start()
    return whole[: start - begin] + BLANK * (end - start) + whole[end - begin :]
