"""What has to be built for something: derived paths, and what is missing of them.

Source: Nix `derived-path.cc`, `misc.cc`.
"""

from __future__ import annotations

from collections.abc import Iterable

from pix.codec.gates import Protocol
from pix.daemon.path_names import PLAIN_DERIVATION
from pix.dataclass import dataclass, field
from pix.protocol import operations as op
from pix.protocol.logging import ActivityType
from pix.protocol.types import Verbosity
from pix.serving import Refusal
from pix_store.connection.client import Caller, answers
from pix_store.derivations.derivation import Derivation, derivation_of
from pix_store.derivations.outputs import known_outputs
from pix_store.store.refusal import meant, not_enabled, quoted
from pix_store.store.store import Store
from pix_store.store.store_paths import StorePaths, name_of

MISSING = "querying info about missing paths"
"""What the activity says while it is found out what has to be built."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for: a path itself, or outputs of a derivation (None for all of them).

    `text` is how it was asked for.
    """

    base: str
    built: bool = False
    outputs: frozenset[str] | None = None
    text: str = ""

    @classmethod
    def parse(cls, text: str, paths: StorePaths, protocol: Protocol) -> Target:
        """Return what a derived path names in a version. Raises Refusal."""
        path, mark, names = text.rpartition("!")
        if not mark:
            base = paths.base(text)
            plain = base.endswith(".drv") and protocol.minor < PLAIN_DERIVATION
            return cls(base, plain, None, text)
        if "!" in path:
            drv, _, inner = path.partition("!")
            about = f" (building output '{inner}' of '{paths.base(drv)}')"
            with meant(ends=True):
                raise not_enabled("dynamic-derivations", about)
        base = paths.base(path)
        if names == "*":
            return cls(base, True, None, text)
        if not names or not all(names.split(",")):
            raise Refusal("name must not be empty", ends=True)
        return cls(base, True, frozenset(names.split(",")), text)


def wanted_outputs(store: Store, drv: str, target: Target, derivation: Derivation) -> set[str]:
    """Return the names of the outputs asked for. Raises Refusal for one that there is not."""
    names = set(derivation.outputs)
    if target.outputs is None:
        return names
    unknown = sorted(target.outputs - names)
    if unknown:
        shown = quoted(store.paths.full(drv))
        raise Refusal(f"derivation {shown} does not have output {quoted(unknown[0])}")
    return set(target.outputs)


def missing_outputs(
    store: Store, drv: str, derivation: Derivation, names: Iterable[str]
) -> list[str]:
    """Return those outputs that are not valid, or not known."""
    known = known_outputs(store, drv, derivation)
    return [name for name in names if (base := known[name]) is None or store.known(base) is None]


@dataclass(slots=True)
class Plan:
    """What is missing: derivations to build, and paths that nobody knows how to get."""

    build: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)


def plan(store: Store, targets: Iterable[Target]) -> Plan:
    """Return what would have to be built to get `targets`."""
    found = Plan()
    left = list(targets)
    seen: set[tuple[str, bool, frozenset[str] | None]] = set()
    while left:
        target = left.pop()
        key = (target.base, target.built, target.outputs)
        if key in seen:
            continue
        seen.add(key)
        if store.known(target.base) is None:
            found.unknown.add(target.base)
            continue
        if not target.built:
            continue
        try:
            derivation = derivation_of(store, target.base)
        except Refusal:
            found.unknown.add(target.base)
            continue
        names = set(derivation.outputs)
        if target.outputs is not None:
            names &= target.outputs
        if missing_outputs(store, target.base, derivation, names):
            found.build.add(target.base)
            left.extend(inputs_of(store, derivation))
    return found


def in_order(base: str) -> tuple[str, str]:
    """Return a key by which derivations are built in the order of Nix: by name, then hash."""
    return name_of(base), base


def inputs_of(store: Store, derivation: Derivation) -> list[Target]:
    """Return what a derivation needs before it can be built, in the order of Nix."""
    base = store.paths.base
    needed = [Target(base(path), True, frozenset(n)) for path, n in derivation.inputs.items()]
    needed.sort(key=lambda one: in_order(one.base))
    return needed + [Target(base(path)) for path in sorted(derivation.sources)]


@answers(op.QueryMissing)
def query_missing(caller: Caller, request: op.QueryMissing) -> op.QueryMissing.Reply:
    """Say what would have to be built, and what nobody knows how to get."""
    store, connection = caller.store, caller.connection
    targets = [Target.parse(path, store.paths, connection.protocol) for path in request.paths]
    activity = connection.start(ActivityType.UNKNOWN, MISSING, level=Verbosity.DEBUG)
    found = plan(store, targets)
    connection.stop(activity)
    return op.QueryMissing.Reply(
        will_build=store.full(found.build),
        will_substitute=frozenset(),
        unknown=store.full(found.unknown),
        download_size=0,
        nar_size=0,
    )
