"""Which protocol version and features a field needs.

A protocol is a number *and* a set of feature strings: up to 1.38 changes came as
numbers, since then they come as features. Gates are data, never code, because they are
evaluated by the codec, printed in the manual and drawn greyed on the screen.

Source of the numbers: Nix `worker-protocol.hh`, `worker-protocol.cc` (`operator<=>` over
number and features).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pix.problem import Problem

OLDEST_MINOR = 10
"""The oldest protocol this library describes, 1.10 (Nix 1.0)."""

NEWEST_MINOR = 38
"""The newest numbered protocol, 1.38 (Nix 2.24); later changes are features."""

GUIX_MINOR = 90
"""From this minor on the peer is a Guix daemon, which shares the magic numbers only."""


class NoVersion(Problem, ValueError):
    """A text that names no protocol version."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """The protocol in force on a connection: 1.`minor` and the negotiated features."""

    minor: int
    features: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """The version as people write it, such as `1.38`."""
        return f"1.{self.minor}"

    @property
    def number(self) -> int:
        """The version as it stands on the wire: 0x126 for 1.38."""
        return 0x100 | self.minor

    def __str__(self) -> str:
        extra = f" with {', '.join(sorted(self.features))}" if self.features else ""
        return self.text + extra

    @classmethod
    def parse(
        cls, text: str, features: frozenset[str] | set[str] | tuple[str, ...] = ()
    ) -> Protocol:
        """Return the protocol written as `1.38`.

        Raises NoVersion when the text is not a version of major 1.
        """
        major, dot, minor = text.strip().partition(".")
        if (
            major != "1"
            or not dot
            or not minor.isascii()
            or not minor.isdigit()
            or int(minor) > 255
        ):
            raise NoVersion(f"{text!r} is not a protocol version: write it as 1.38")
        return cls(int(minor), frozenset(features))


NEWEST = Protocol(NEWEST_MINOR)
"""1.38 without features: what Nix 2.24 to 2.34 speak with each other."""


def version_text(number: int) -> str:
    """Return a version word from the wire as text: 0x126 is `1.38`."""
    return f"{number >> 8}.{number & 0xFF}"


@dataclass(frozen=True, slots=True)
class Gate:
    """When something is on the wire: `since <= minor < until`, with and without features."""

    since: int | None = None
    until: int | None = None
    feature: str | None = None
    without: str | None = None

    def admits(self, protocol: Protocol) -> bool:
        """Return whether what stands behind this gate is on the wire in `protocol`."""
        minor = protocol.minor
        return (
            (self.since is None or minor >= self.since)
            and (self.until is None or minor < self.until)
            and (self.feature is None or self.feature in protocol.features)
            and (self.without is None or self.without not in protocol.features)
        )

    @property
    def text(self) -> str:
        """The gate in words, empty when it is always open: `since 1.16`, `until 1.24`."""
        words = []
        if self.since is not None and self.until is not None:
            words.append(f"1.{self.since} to 1.{self.until - 1}")
        elif self.since is not None:
            words.append(f"since 1.{self.since}")
        elif self.until is not None:
            words.append(f"until 1.{self.until - 1}")
        if self.feature is not None:
            words.append(f"with feature {self.feature}")
        if self.without is not None:
            words.append(f"without feature {self.without}")
        return ", ".join(words)

    def why_not(self, protocol: Protocol) -> str:
        """Return why the gate is shut in `protocol`, as `does not exist before 1.25`."""
        if self.since is not None and protocol.minor < self.since:
            return f"does not exist before 1.{self.since} (this is {protocol.text})"
        if self.until is not None and protocol.minor >= self.until:
            return f"does not exist from 1.{self.until} on (this is {protocol.text})"
        if self.feature is not None and self.feature not in protocol.features:
            return f"needs the feature {self.feature} (this is {protocol})"
        return f"does not exist with the feature {self.without} (this is {protocol})"


ALWAYS = Gate()
"""The gate of what every version has."""


@lru_cache(maxsize=1024)
def negotiate(client: int, daemon: int) -> int:
    """Return the minor in force between two version words.

    Daemons of 1.38 and newer take the smaller number; older ones gate on the minor of the
    peer's number, whatever its major, so 0x200 makes Nix 2.8 speak 1.0. The same for
    every pair of major 1. Source: Nix 2.8 `daemon.cc`, Nix 2.24 `worker-protocol-connection.cc`.
    """
    if daemon >= 0x100 | NEWEST_MINOR:
        return min(client, daemon) & 0xFF
    return min(client & 0xFF, daemon & 0xFF)
