"""Secrets blanked in what is exported: values whose name says secret, and what tells too much.

SetOptions carries whatever the client's configuration holds, access tokens among it, and a
derivation that is sent to be built carries its environment. Only the value goes; that it was
sent is still shown. In text that is made to be published, tokens, passwords, private keys and
the names of users go too, wherever they stand. Recordings themselves are not touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pix.codec.lists import MapOf
from pix.codec.records import Record
from pix.codec.wire import Node, String
from pix.conversation.exchange import CLIENT
from pix_inspect.session.exchange_view import ExchangeView

REDACTED = "(redacted)"
SECRET = re.compile(
    r"access-tokens|netrc-file|secret|token|passw|credential|auth|private|(^|-)key(s?)(-file)?$",
    re.IGNORECASE,
)
"""Names of settings whose values are blanked."""
PUBLIC = frozenset(("trusted-public-keys", "extra-trusted-public-keys", "require-sigs"))
"""Names that look like secrets and are none."""


_NAMING = r"[\w.-]*(?:token|secret|passw|credential|auth|private|signature|api-?key)[\w.-]*"

_TELLING = (
    re.compile(r"(?:/home/|/Users/|/per-user/|user ')(?P<gone>[^/\s'\":\0]+)"),
    re.compile(r"://(?P<gone>[^/\s@'\"\0]+)@"),
    re.compile(rf"[?&]{_NAMING}=(?P<gone>[^&\s'\"\0]+)", re.IGNORECASE),
    re.compile(
        r"\b(?P<gone>(?:gh[a-z]_|github_pat_|glpat-|xox[a-z]-|pypi-|AKIA)[A-Za-z0-9_-]{8,})"
    ),
    re.compile(r"\b(?P<gone>eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+)"),
    re.compile(r"\b(?:Bearer|Basic) (?P<gone>[A-Za-z0-9._~+/=-]{8,})"),
    re.compile(r"\b(?:login|password)\s+(?P<gone>[^\s'\"\0]{4,})"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?P<gone>[^-]+)"),
)
"""What tells too much wherever it stands: names of users, passwords, tokens, keys."""
_NAMED = re.compile(
    rf"(?<=\0)(?:netrc-file|{_NAMING})\0{{0,7}}"  # a name, and what fills it up
    r"[^\0][\0-\xff]{0,2}?\0{1,7}(?P<gone>[^\0]+)",  # a length, and what it is the length of
    re.IGNORECASE,
)
"""A name that says secret, the length of a value, and the value, as they stand on the wire."""
BLANK = "*"


def cleaned(text: str) -> str:
    """Return a text with what tells too much blanked, character by character."""
    for pattern in _TELLING:
        text = pattern.sub(_blanked, text)
    return text


def _blanked(match: re.Match[str]) -> str:
    start, end = match.span("gone")
    whole, begin = match[0], match.start()
    return whole[: start - begin] + BLANK * (end - start) + whole[end - begin :]


def cleaned_bytes(data: bytes) -> bytes:
    """Return bytes with what tells too much blanked, byte by byte.

    Values of names that say secret are found without a declaration, too: a stream that is out
    of step is shown as bytes.
    """
    text = cleaned(data.decode("latin-1"))
    return _NAMED.sub(_blanked, text).encode("latin-1")


def secret_spans(view: ExchangeView) -> list[tuple[int, int]]:
    """Return where the secrets of an exchange stand in the client's stream."""
    end = view.span(CLIENT)[1]
    return [(value.start, end if value.end is None else value.end) for value in _secrets(view)]


def _secrets(view: ExchangeView) -> Iterator[Node]:
    """The values of a request whose names say secret, in any map of texts."""
    part = view.part("request")
    stack = [part.node] if part is not None and part.node is not None else []
    while stack:
        node = stack.pop()
        if isinstance(node.wire, MapOf) and isinstance(node.wire.value, String):
            for entry in node.children or ():
                if is_secret(entry.name):
                    yield from list(entry.children or ())[-1:]
        elif isinstance(node.wire, Record):
            stack.extend(child for child in node.children or () if child.children is not None)


def is_secret(name: str) -> bool:
    """Return whether the value of a setting of this name is to be blanked."""
    return name not in PUBLIC and SECRET.search(name) is not None


def redact(view: ExchangeView) -> ExchangeView:
    """Blank the secrets in a view's trees and return it."""
    for value in _secrets(view):
        value.value = REDACTED
    return view
