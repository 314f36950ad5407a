"""Whether a daemon that refuses a request may have left some of it unread.

It then takes the rest for operations. Source: Nix `daemon.cc`.
"""

from __future__ import annotations

import re
from typing import Any

from pix.codec.declare import Operation, Unread
from pix.codec.gates import Protocol
from pix.protocol.types import REALISATION_WITH_PATH, TrustedFlag

_EVERYWHERE = re.compile(r"text:sha256|fixed:(r:)?(md5|sha1|sha256|sha512)")
"""Content address methods that every daemon parses; others are experimental, or none."""


def may_be_unread(
    request: Any, protocol: Protocol, trusted: TrustedFlag | int, daemon_nix: str | None
) -> bool:
    """Return whether a refusal of `request` leaves it open if all of it was read."""
    match request.operation.unread:
        case Unread.METHOD:
            return protocol.minor >= 25 and not _EVERYWHERE.fullmatch(str(request.method))
        case Unread.UNTRUSTED:
            return trusted != TrustedFlag.TRUSTED
    return hashes_are_unread(request.operation, protocol, daemon_nix)


def hashes_are_unread(
    operation: Operation | None, protocol: Protocol, daemon_nix: str | None
) -> bool:
    """Return whether this daemon is a Nix 2.35 or later that knows realisations by path only."""
    if operation is None or operation.unread is not Unread.BY_HASH:
        return False
    release = re.match(r"2\.(\d+)", daemon_nix or "")
    by_path = REALISATION_WITH_PATH in protocol.features
    return not by_path and release is not None and int(release[1][:6]) >= 35
