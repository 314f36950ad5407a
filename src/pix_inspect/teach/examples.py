"""Which exchange of the bundled recordings shows an operation, a frame or a type best.

The choice is made when recordings are made, by looking at all of them, and kept beside them,
so that explaining something opens one small file only. An example is whole, succeeded, and
says much in few bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pix.codec.gates import SERVE, WORKER
from pix.codec.records import Record
from pix.codec.wire import Enumeration, Node
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.session import Session

UNTELLING = frozenset(
    {"--extra-experimental-features", "--no-check-sigs", "--no-link", "--option", "--key-file"}
    | {"--file", "--from", "--to", "--expr"}
)
"""Options that do not change what is asked of the daemon, or only with their argument."""

GROUPS = (["store"], ["realisation"])
"""Commands of `nix` that have commands of their own."""

SSH = "ssh-ng"
ROOM = 900
"""Bytes of an exchange beyond which an example is too long to be read."""

RECENT = 32
"""From this minor on a protocol counts as today's: examples are taken from it if they can be."""

Score = tuple[int, ...]
Place = tuple[str, int]


def choose(folder: Path) -> dict[str, Any]:
    """Return, for everything that occurs in a folder's recordings, where it is shown best.

    And, for every operation, which commands sent it in which protocol.
    """
    best: dict[str, tuple[Score, Place]] = {}
    senders: dict[str, set[str]] = {}
    for path in sorted(folder.glob("*.pcapng")):
        session = Session(path).read_all()
        for i in range(len(session)):
            view = session.exchange(i)
            place = (path.stem, view.row.number)
            if view.row.operation is not None:
                connection = session.connections[view.row.connection]
                said = command(connection.peer.command)
                if connection.family is SERVE and said == SSH:
                    said = "ssh"
                said = f"{said} ({connection.protocol})"
                senders.setdefault(view.row.operation, set()).add(said)
            for name, score in shown(view):
                known = best.get(name)
                if known is None or score > known[0]:
                    best[name] = (score, place)
        session.close()
    return {
        "examples": {name: list(place) for name, (_, place) in sorted(best.items())},
        "senders": {name: sorted(found) for name, found in sorted(senders.items())},
    }


def command(line: str | None) -> str:
    """Return a client's program and its options, without the arguments that name things.

    The recordings' ssh-ng clients reach the relay through socat, in place of ssh.
    """
    words = (line or "somebody").split()
    if "pix_inspect" in words:
        return f"pix-inspect {words[words.index('pix_inspect') + 1]}"
    kept = [words[0].rpartition("/")[2]]
    if kept == ["socat"]:
        return SSH
    if kept == ["nix"]:
        spoken = [word for word in words[1:] if not word.startswith("-") and word != "nix-command"]
        kept += spoken[: 2 if spoken[:1] in GROUPS else 1]
    kept += [word for word in words[1:] if word.startswith("--") and word not in UNTELLING]
    return " ".join(kept)


def shown(view: ExchangeView) -> Iterator[tuple[str, Score]]:
    """Yield what an exchange shows, and how well: more is better."""
    row = view.row
    room = row.bytes
    fits = int(room <= ROOM)
    nodes = [part.node for part in view.parts if part.node is not None]
    held = [inner for node in nodes for inner in walk(node)]
    filled = sum(1 for node in held if node.children is None and node.value not in (None, "", 0))
    whole = int(row.state == "ok") + int(bool(filled))
    spoken = view.protocol
    family = spoken.family if spoken is not None else WORKER
    recent = 0 if spoken is None else 1 + (family is WORKER)
    if family is WORKER and spoken is not None and spoken.minor < RECENT:
        recent = 0
    score = (whole, fits, recent, min(filled, 12) * 100 - room if fits else -room)
    yield row.name if row.operation is not None else f"{family.prefix}{row.name}", score
    for part in view.log:
        yield part.name, (fits, recent, -len(view.log), -room)
    if view.part("error") is not None:
        yield "STDERR_ERROR", (fits, recent, 0, -room)
    for node in held:
        if isinstance(node.wire, Record | Enumeration) and node.end != node.start:
            yield node.wire.name, score


def span(view: ExchangeView, name: str) -> tuple[int, int, int] | None:
    """Return where in an exchange the frame or type `name` stands first: side, start, end.

    None when the exchange as a whole is what the example is about.
    """
    if name == view.row.operation or name.removeprefix(SERVE.prefix) == view.row.kind:
        return None
    for part in view.parts:
        if name in (part.name, "STDERR_ERROR" if part.name == "error" else None):
            return part.side, part.start, part.end or part.start
        found = None
        for node in walk(part.node) if part.node is not None else ():
            if node.end == node.start or node.wire.name != name:
                continue
            if found is None or node.start < found[1]:
                found = (part.side, node.start, node.start if node.end is None else node.end)
        if found is not None:
            return found
    return None


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it."""
    pending = [node]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(node.children or ())
