"""Secrets blanked in what is exported: the values of settings whose name says secret.

SetOptions carries whatever the client's configuration holds, access tokens among it. Only the
value goes; that the setting was sent is still shown. In text that is made to be published,
tokens, passwords in URLs and the names of home directories go too. Recordings themselves are
not touched.

Knows views and the names of settings; nothing of output formats.
"""

from __future__ import annotations

import re

from pix.exchange import CLIENT
from pix_inspect.view import ExchangeView

REDACTED = "(redacted)"
SECRET = re.compile(
    r"access-tokens|netrc-file|secret|token|passw|credential|auth|private|(^|-)key(s?)(-file)?$",
    re.IGNORECASE,
)
"""Names of settings whose values are blanked."""
PUBLIC = frozenset(("trusted-public-keys", "extra-trusted-public-keys", "require-sigs"))
"""Names that look like secrets and are none."""


_TELLING = (
    re.compile(r"(?<=/home/)[^/\s'\":]+|(?<=/Users/)[^/\s'\":]+"),
    re.compile(r"(?<=://)[^/\s@'\"]+(?=@)"),
    re.compile(r"\b(?:gh[a-z]_|github_pat_|glpat-|xox[a-z]-)[A-Za-z0-9_-]{8,}"),
    re.compile(r"(?<=Bearer )[A-Za-z0-9._~+/=-]{8,}"),
)
"""What tells too much wherever it stands: names of users, passwords, tokens."""
BLANK = "*"


def cleaned(text: str) -> str:
    """Return a text with what tells too much blanked, character by character."""
    for pattern in _TELLING:
        text = pattern.sub(lambda match: BLANK * len(match[0]), text)
    return text


def cleaned_bytes(data: bytes) -> bytes:
    """Return bytes with what tells too much blanked, byte by byte."""
    return cleaned(data.decode("latin-1")).encode("latin-1")


def secret_spans(view: ExchangeView) -> list[tuple[int, int]]:
    """Return where the secrets of an exchange stand in the client's stream."""
    if view.row.operation != "SetOptions":
        return []
    part = view.part("request")
    overrides = part.node.find("overrides") if part is not None and part.node is not None else None
    return [
        (value.start, value.end if value.end is not None else view.span(CLIENT)[1])
        for entry in (overrides.children if overrides is not None else None) or ()
        if is_secret(entry.name)
        for value in list(entry.children or ())[-1:]
    ]


def is_secret(name: str) -> bool:
    """Return whether the value of a setting of this name is to be blanked."""
    return name not in PUBLIC and SECRET.search(name) is not None


def redact(view: ExchangeView) -> ExchangeView:
    """Blank the secrets in a view's trees and return it."""
    if view.row.operation != "SetOptions":
        return view
    part = view.part("request")
    overrides = part.node.find("overrides") if part is not None and part.node is not None else None
    for entry in (overrides.children if overrides is not None else None) or ():
        if is_secret(entry.name):
            for value in entry.children or ():
                value.value = REDACTED
    return view
