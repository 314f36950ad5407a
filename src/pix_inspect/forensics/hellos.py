"""The handshake's fields in another order, or others than the agreed version has.

Behind magic and version each side says what the version brings. Which of it was said, and in
which order, is tried until what follows is what should: a request, or the daemon's log loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, permutations

from pix.codec.declare import STDERR_FRAMES
from pix.codec.errors import DecodeError, Truncated
from pix.codec.gates import NEWEST_MINOR, OLDEST_MINOR, WORKER, Protocol, negotiate, version_text
from pix.codec.values import tree
from pix.codec.wire import Reader, pack_u64
from pix.conversation.exchange import CLIENT, DAEMON, SIDES
from pix.protocol.handshake import HELLOS
from pix_inspect.forensics.fields import gate_text
from pix_inspect.forensics.messages import Requests, is_likely, is_regular
from pix_inspect.forensics.mistakes import Diagnosis, Mistake, Proviso

SAID = HELLOS[WORKER]
MOST_FEATURES = 64
LONGEST_TEXT = 64
MOST_CPU = 1 << 12
NO_LONGER_SAID = 33
"""From this minor on no client names a processor or asks for reserved space (Nix 2.6)."""
DAEMON_SPEAKS_LAST = 33
"""From this minor on the daemon says its release, once it has read all that the client says."""
WORD = 8
HEAD = 16
"""Bytes of magic and version."""

Names = tuple[str, ...]

_MISSING = {"features": Mistake.MISSING_FEATURES, "trusted": Mistake.MISSING_TRUST}
_UNDUE = {"features": Mistake.UNDUE_FEATURES, "trusted": Mistake.UNDUE_TRUST}


def other_hello(said: tuple[bytes, bytes], side: int) -> Diagnosis | None:
    """Return what is wrong with a side's part of the handshake; `said` begins both streams."""
    misplaced = features_first(said[side], side)
    if misplaced is not None or min(map(len, said)) < HEAD:
        return misplaced
    if side == CLIENT and len(said[CLIENT]) == HEAD:
        return None  # it said no more, whatever it would have said
    versions = [int.from_bytes(data[8:HEAD], "little") for data in said]
    agreed = negotiate(*versions)
    if {version >> 8 for version in versions} != {1} or not OLDEST_MINOR <= agreed <= NEWEST_MINOR:
        return None
    protocol = Protocol(agreed)
    declared = _names(side, agreed)
    if _is_said(declared, said[side], side, protocol):
        return None
    found = [
        names
        for names in _layouts(side)
        if names != declared and _is_said(names, said[side], side, protocol, is_other=True)
    ]
    of_versions = _nearest(side, declared)
    newest = _names(side, NEWEST_MINOR)
    in_order = [names for names in found if tuple(n for n in newest if n in names) == names]
    found = [names for names in found if names in of_versions] or in_order or found
    if len({frozenset(names) for names in found}) != 1:
        return None
    told = _told(declared, found[0], side, agreed)
    if side == CLIENT and _left_behind(found[0], said[side], protocol) == 0:
        over = _left_behind(_names(DAEMON, agreed), said[DAEMON], protocol)
        if over is None or (over < WORD and agreed < DAEMON_SPEAKS_LAST):
            return replace(told, proviso=Proviso.LEFT)
    return told


def _nearest(side: int, declared: Names) -> list[Names]:
    """Return what the versions before and behind say whose fields are others."""
    minors = range(OLDEST_MINOR, NEWEST_MINOR + 1)
    layouts = list(dict.fromkeys(_names(side, minor) for minor in minors))
    at = layouts.index(declared)
    return layouts[max(at - 1, 0) : at + 2]


def features_first(data: bytes, side: int) -> Diagnosis | None:
    """Return that a list of features stands where a side's version should, and then the version."""
    if len(data) < HEAD + 8 or int.from_bytes(data[8:HEAD], "little") >> 8 == 1:
        return None
    reader = Reader(data, Protocol(NEWEST_MINOR))
    reader.pos = 8
    try:
        if not _is_believable("features", reader):
            return None
        version = reader.u64()
    except DecodeError:
        return None
    if not OLDEST_MINOR <= version - 0x100 <= NEWEST_MINOR:
        return None
    where = f"the {SIDES[side]}'s version {version_text(version)} stands at byte {reader.pos - 8}"
    return Diagnosis(Mistake.MISPLACED_FEATURES, f"{where}, behind a list")


def _told(declared: Names, names: Names, side: int, agreed: int) -> Diagnosis:
    whose = f"the {SIDES[side]}'s part of the handshake"
    missing = [name for name in declared if name not in names]
    undue = [name for name in names if name not in declared]
    if not missing and not undue:
        order = ", ".join(names)
        return Diagnosis(Mistake.MISPLACED_FEATURES, f"{whose} has {order}, in this order")
    fields = {field.name: field for field in SAID[side].fields}
    said = [f"lacks {name} ({gate_text(fields[name])})" for name in missing]
    said += [f"has {name} ({gate_text(fields[name])})" for name in undue]
    where = f"{whose} {' and '.join(said)}; agreed is 1.{agreed}"
    mistake = Mistake.OTHER_VERSION
    if len(missing) + len(undue) == 1:
        (name,) = missing or undue
        known, other = (
            (_MISSING, Mistake.MISSING_FIELD) if missing else (_UNDUE, Mistake.EXTRA_FIELD)
        )
        mistake = known.get(name, other)
    return Diagnosis(mistake, where)


def _names(side: int, minor: int) -> Names:
    return tuple(field.name for field in SAID[side].layout(Protocol(minor))[2:])


def _layouts(side: int) -> Iterator[Names]:
    """Yield every choice of the fields behind the version, in every order."""
    names = _names(side, NEWEST_MINOR)
    for size in range(len(names) + 1):
        for some in combinations(names, size):
            yield from permutations(some)


def _is_said(
    names: Names, data: bytes, side: int, protocol: Protocol, *, is_other: bool = False
) -> bool:
    """Whether a side says these fields, and then what should follow a handshake.

    `is_other`: they are not those that are declared, so that no value of them may be unusual.
    """
    left = _left_behind(names, data, protocol)
    if is_other and "reserve_space" in names and _reserves_space(names, data, protocol):
        return False
    if left is None:
        return False
    rest = data[len(data) - left :]
    if side != CLIENT:
        return len(rest) >= 8 and int.from_bytes(rest[:8], "little") in STDERR_FRAMES
    found = tree(Requests(), rest, protocol)
    if not rest or is_regular(found):
        return is_likely(found)
    whole = [node for node in found.nodes if node.end is not None and node.end <= found.end]
    found.nodes, error, found.error = whole[:1], found.error, None
    return isinstance(error, Truncated) and bool(whole) and is_regular(found) and is_likely(found)


def _left_behind(names: Names, data: bytes, protocol: Protocol) -> int | None:
    """Return how many bytes follow these fields, None where they are not all there."""
    reader = Reader(data, protocol)
    reader.pos = HEAD
    try:
        is_there = all(_is_believable(name, reader) for name in names)
    except DecodeError:
        return None
    return reader.end - reader.pos if is_there else None


def _reserves_space(names: Names, data: bytes, protocol: Protocol) -> bool:
    """Whether a client asks for reserved space, as none is known to do."""
    behind = names[: names.index("reserve_space")]
    left = _left_behind(behind, data, protocol)
    return left is not None and data[len(data) - left :][:8] == pack_u64(1)


def _is_believable(name: str, reader: Reader) -> bool:
    """Read one field; whether it may be that. Raises DecodeError."""
    number = reader.u64()
    if name == "features":
        return number <= MOST_FEATURES and all(_is_word(reader.string()) for _ in range(number))
    if name == "daemon_nix_version":
        reader.pos -= 8
        text = reader.string()
        return text[:1].isdigit() and _is_word(text.replace(b" ", b""))
    if name == "trusted":
        return number <= 2
    if number == 0 or reader.protocol.minor >= NO_LONGER_SAID:
        return number == 0
    return number == 1 and (name != "cpu" or reader.u64() < MOST_CPU)


def _is_word(text: bytes) -> bool:
    return 0 < len(text) <= LONGEST_TEXT and all(33 <= byte < 127 for byte in text)
