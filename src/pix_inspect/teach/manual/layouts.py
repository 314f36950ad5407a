"""How a layout changes from version to version: ranges of versions that share one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pix.codec.gates import ALWAYS, RELEASES, WORKER, Family, Protocol, negotiate
from pix.codec.records import Maybe, Record
from pix.codec.wire import Wire
from pix.dataclass import dataclass

DAEMONS: tuple[tuple[str, int], ...] = (
    ("Nix 1.11", 15),
    ("Nix 2.0", 20),
    ("Nix 2.3", 21),
    ("Nix 2.4", 32),
    ("Nix 2.8", 34),
    ("Nix 2.18, Lix", 35),
    ("Nix 2.20", 37),
    ("Nix 2.24 and later", 38),
)
"""Releases that stand for all that speak the same."""


@dataclass(frozen=True, slots=True)
class Age:
    """Versions of a protocol that have the same fields, by the name of the record."""

    family: Family
    first: int
    last: int
    fields: tuple[tuple[str, ...], ...]

    @property
    def text(self) -> str:
        """The range as people write it."""
        first, last = self.family.version(self.first), self.family.version(self.last)
        return first if first == last else f"{first} to {last}"


def ages(records: Sequence[Record], family: Family = WORKER, introduced: int = 0) -> list[Age]:
    """Return the ages of some records (a request and its reply), oldest first, no features."""
    found: list[Age] = []
    for minor in range(max(introduced, family.oldest), family.newest + 1):
        protocol = Protocol(minor, family=family)
        fields = tuple(tuple(dict.fromkeys(_fields(record, protocol))) for record in records)
        if found and found[-1].fields == fields:
            found[-1] = Age(family, found[-1].first, minor, fields)
        else:
            found.append(Age(family, minor, minor, fields))
    return found


def changes(found: Sequence[Age]) -> Iterator[tuple[str, ...]]:
    """Yield what to say of each age, a text for each record.

    The oldest gets its fields without those inside of others, a later one what came (+) and
    what went (−) against the age before.
    """
    before: Age | None = None
    for age in found:
        if before is None:
            tops = (dict.fromkeys(name.partition(".")[0] for name in names) for names in age.fields)
            yield tuple(", ".join(names) or "nothing" for names in tops)
        else:
            yield tuple(
                _change(old, new) for old, new in zip(before.fields, age.fields, strict=True)
            )
        before = age


def _change(old: Sequence[str], new: Sequence[str]) -> str:
    words = [f"+ {name}" for name in new if name not in old]
    words += [f"− {name}" for name in old if name not in new]
    return ", ".join(words) or "as before"


def _fields(wire: Wire, protocol: Protocol, path: str = "") -> Iterator[str]:
    """Yield all that is on the wire, as paths."""
    if isinstance(wire, Maybe) and wire.gate is not ALWAYS and wire.gate.admits(protocol):
        yield f"{path}.{wire.flag}" if path else wire.flag
    if isinstance(wire, Record):
        for part in wire.fields:
            if part.gate.admits(protocol):
                name = f"{path}.{part.name}" if path else part.name
                yield name
                yield from _fields(part.wire, protocol, name)
        payload = wire.payload
        carriage = payload.carriage(protocol) if payload is not None else None
        if payload is not None and carriage is not None:
            yield f"{payload.name} ({carriage.name})"
        return
    for inner in wire.parts():
        yield from _fields(inner, protocol, path)


def pairs() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield, for every client, what it speaks with each daemon of DAEMONS."""
    for name, minor in DAEMONS:
        yield (
            name,
            tuple(f"1.{negotiate(0x100 | minor, 0x100 | other)}" for _, other in DAEMONS),
        )


def releases(age: Age) -> str:
    """Return which releases speak a version of an age."""
    known = RELEASES[age.family]
    return "; ".join(known[minor] for minor in range(age.first, age.last + 1) if minor in known)
