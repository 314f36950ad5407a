"""Secrets blanked in what is exported: the values of settings whose name says secret.

SetOptions carries whatever the client's configuration holds, access tokens among it. Only the
value goes; that the setting was sent is still shown. Recordings themselves are not touched.

Knows views and the names of settings; nothing of output formats.
"""

from __future__ import annotations

import re

from pix_inspect.view import ExchangeView

REDACTED = "(redacted)"
SECRET = re.compile(
    r"access-tokens|netrc-file|secret|token|passw|credential|auth|private|(^|-)key(s?)(-file)?$",
    re.IGNORECASE,
)
"""Names of settings whose values are blanked."""
PUBLIC = frozenset(("trusted-public-keys", "extra-trusted-public-keys", "require-sigs"))
"""Names that look like secrets and are none."""


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
