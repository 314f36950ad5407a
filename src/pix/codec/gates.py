"""Which protocol it is, and which version and features of it a field needs.

Nix speaks two protocols that share their codec: the worker protocol of daemons, and the serve
protocol of `nix-store --serve`. A version is a number *and* a set of feature strings: up to
worker 1.38 changes came as numbers, since then they come as features. Gates are data, never
code, because they are evaluated by the codec, printed in the manual and drawn greyed on the
screen.

Source of the numbers: Nix `worker-protocol.hh`, `worker-protocol.cc` (`operator<=>` over
number and features), `serve-protocol.hh`.
"""

from __future__ import annotations

from functools import lru_cache

from pix.dataclass import dataclass
from pix.problem import Problem

OLDEST_MINOR = 10
"""The oldest worker protocol this library describes, 1.10 (Nix 1.0)."""

NEWEST_MINOR = 38
"""The newest numbered worker protocol, 1.38 (Nix 2.24); later changes are features."""

GUIX_MINOR = 90
"""From this minor on the peer is a Guix daemon, which shares the magic numbers only."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Family:
    """One of the protocols that Nix speaks.

    Its versions are `major`.`oldest` to `major`.`newest`; its `magics` are the first words of
    client and server. `has_log`: answers come behind a loop of STDERR frames, and an error is one
    of them; without it an answer stands alone, and after an error nothing is said any more.
    """

    name: str
    doc: str
    major: int
    oldest: int
    newest: int
    magics: tuple[int, int]
    has_log: bool

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return self.name.upper()

    @property
    def prefix(self) -> str:
        """What the names of its own types and operations begin with."""
        return "" if self is WORKER else f"{self.name}."

    def code(self, number: int) -> int:
        """Return the number of an operation so that no other family has it: a serve command's is
        negative. -1 is nobody's."""
        return number if self is WORKER else -2 - number

    def version(self, minor: int) -> str:
        """Return a version as people write it, such as `1.38`."""
        return f"{self.major}.{minor}"


WORKER = Family(
    "worker",
    "what clients say to a nix-daemon, on its socket or by ssh-ng://",
    1,
    OLDEST_MINOR,
    NEWEST_MINOR,
    (0x6E697863, 0x6478696F),
    True,
)
SERVE = Family(
    "serve",
    "what clients say to `nix-store --serve`, by ssh://",
    2,
    0,
    8,
    (0x390C9DEB, 0x5452EECB),
    False,
)
FAMILIES = (WORKER, SERVE)


def family_of(code: int) -> Family:
    """Return the protocol that an operation's code is of."""
    return WORKER if code >= 0 else SERVE


def number_of(code: int) -> int:
    """Return the number that stands on the wire for an operation's code."""
    return code if code >= 0 else -2 - code


RELEASES: dict[Family, dict[int, str]] = {WORKER: {
    10: "Nix 1.0", 11: "Nix 1.1", 12: "Nix 1.2", 13: "Nix 1.3", 14: "Nix 1.6", 15: "Nix 1.11",
    20: "Nix 2.0", 21: "Nix 2.1 to 2.3", 32: "Nix 2.4 to 2.6", 33: "Nix 2.7",
    34: "Nix 2.8 to 2.14", 35: "Nix 2.15 to 2.19, and Lix", 37: "Nix 2.20 to 2.23",
    38: "Nix 2.24 and later",
}, SERVE: {
    0: "Nix 1.8", 1: "Nix 1.10", 2: "Nix 1.11", 4: "Nix 2.0", 5: "Nix 2.1 to 2.3",
    7: "Nix 2.4 to 2.34, and Lix", 8: "Nix 2.35 and later",
}}  # fmt: skip
"""Which releases speak a version; those between were in development snapshots only."""


class NoVersion(Problem, ValueError):
    """A text that names no protocol version."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """The protocol in force on a connection: which, its minor and the negotiated features."""

    minor: int
    features: frozenset[str] = frozenset()
    family: Family = WORKER

    @property
    def text(self) -> str:
        """The version as people write it, such as `1.38`."""
        return self.family.version(self.minor)

    @property
    def number(self) -> int:
        """The version as it stands on the wire: 0x126 for 1.38."""
        return self.family.major << 8 | self.minor

    def __str__(self) -> str:
        extra = f" with {', '.join(sorted(self.features))}" if self.features else ""
        return self.text + extra

    @classmethod
    def parse(
        cls,
        text: str,
        features: frozenset[str] | set[str] | tuple[str, ...] = (),
        families: tuple[Family, ...] = (WORKER,),
    ) -> Protocol:
        """Return the protocol written as `1.38`, or, of the serve protocol, as `2.7`.

        Raises NoVersion when the text is not a version of one of `families`.
        """
        major, dot, minor = text.strip().partition(".")
        family = next((each for each in families if str(each.major) == major), None)
        if (
            family is None
            or not dot
            or not minor.isascii()
            or not minor.isdigit()
            or int(minor) > 255
        ):
            examples = " or ".join(each.version(each.newest) for each in families)
            raise NoVersion(f"{text!r} is not a protocol version: write it as {examples}")
        return cls(int(minor), frozenset(features), family)


NEWEST = Protocol(NEWEST_MINOR)
"""1.38 without features: what Nix 2.24 to 2.34 speak with each other."""


def newest(family: Family) -> Protocol:
    """Return the newest numbered version of a protocol, without features."""
    return Protocol(family.newest, family=family)


def is_guix(version: int) -> bool:
    """Whether a version word is one that only Guix says."""
    return version >> 8 == WORKER.major and version & 0xFF >= GUIX_MINOR


def version_text(number: int) -> str:
    """Return a version word from the wire as text: 0x126 is `1.38`."""
    return f"{number >> 8}.{number & 0xFF}"


@dataclass(frozen=True, slots=True)
class Gate:
    """When something is on the wire: `since <= minor < until`, with and without features.

    `family` is the protocol whose minors these are.
    """

    since: int | None = None
    until: int | None = None
    feature: str | None = None
    without: str | None = None
    family: Family = WORKER

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
        version = self.family.version
        if self.since is not None and self.until is not None:
            words.append(f"{version(self.since)} to {version(self.until - 1)}")
        elif self.since is not None:
            words.append(f"since {version(self.since)}")
        elif self.until is not None:
            words.append(f"until {version(self.until - 1)}")
        if self.feature is not None:
            words.append(f"with feature {self.feature}")
        if self.without is not None:
            words.append(f"without feature {self.without}")
        return ", ".join(words)

    def why_not(self, protocol: Protocol) -> str:
        """Return why the gate is shut in `protocol`, as `does not exist before 1.25`."""
        if self.since is not None and protocol.minor < self.since:
            before = self.family.version(self.since)
            return f"does not exist before {before} (this is {protocol.text})"
        if self.until is not None and protocol.minor >= self.until:
            from_on = self.family.version(self.until)
            return f"does not exist from {from_on} on (this is {protocol.text})"
        if self.feature is not None and self.feature not in protocol.features:
            return f"needs the feature {self.feature} (this is {protocol})"
        return f"does not exist with the feature {self.without} (this is {protocol})"


ALWAYS = Gate()
"""The gate of what every version has."""


@lru_cache(maxsize=1024)
def negotiate(client: int, daemon: int, family: Family = WORKER) -> int:
    """Return the minor in force between two version words.

    In the serve protocol it is that of the smaller number. Daemons of 1.38 and newer take the
    smaller number; older ones gate on the minor of the peer's number, whatever its major, so
    0x200 makes Nix 2.8 speak 1.0. The same for every pair of major 1.
    Source: Nix 2.8 `daemon.cc`, Nix 2.24 `worker-protocol-connection.cc`.
    """
    if family is not WORKER or daemon >= 0x100 | NEWEST_MINOR:
        return min(client, daemon) & 0xFF
    return min(client & 0xFF, daemon & 0xFF)
