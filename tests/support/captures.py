"""Recorded sessions of real Nix daemons and clients, from the captures shared with the project.

Knows the layout of captures.tar.xz: CLIENT-DAEMON[-untrusted]/SCENARIO/meta.json and, for each
connection, NN/c2s.bin and NN/s2c.bin (the bytes either side sent) and NN/events.jsonl (when which
of them passed).  Everything is read once and kept in memory (some 11 MB).  $PIX_SHARED says where
the shared files are; by default they are beside the repository.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any


class Missing(Exception):
    """The shared files are not there; one line that says which and where they were looked for."""


def shared(name: str) -> Path:
    """Path of a shared file or folder.  Raises Missing."""
    default = Path(__file__).resolve().parents[3] / "shared"
    path = Path(os.environ.get("PIX_SHARED") or default) / name
    if not path.exists():
        raise Missing(f"{path} is missing; set PIX_SHARED to the folder that has {name}")
    return path


@dataclass(frozen=True, slots=True)
class Connection:
    """The two streams of one connection.

    An event is a chunk, {"t": seconds, "dir": "c2s"|"s2c", "off": offset, "len": bytes}, or
    {"t": seconds, "ev": "open"|"eof"|"hangup"|"error"|"send-error"|"close", …}.
    """

    number: int
    c2s: bytes = field(repr=False)
    s2c: bytes = field(repr=False)
    events: tuple[dict[str, Any], ...] = field(repr=False)
    about: dict[str, Any] = field(repr=False)  # what meta.json says of it: ops, clean, negotiated …

    @property
    def clean(self) -> bool:
        """The client's stream ends where an operation ends."""
        return bool(self.about["clean"])


@dataclass(frozen=True, slots=True)
class Run:
    """One scenario, run by one client version against one daemon version."""

    client: str
    daemon: str
    trusted: bool
    scenario: str
    meta: dict[str, Any] = field(repr=False)
    connections: tuple[Connection, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """For instance ``2.3.7-2.34.8/add-tree``; with ``-untrusted`` before the slash."""
        pair = f"{self.client}-{self.daemon}" + ("" if self.trusted else "-untrusted")
        return f"{pair}/{self.scenario}"

    @property
    def clean(self) -> bool:
        """Every connection of it is clean."""
        return all(connection.clean for connection in self.connections)


def _run(folder: str, files: dict[str, bytes]) -> Run:
    pair, scenario = folder.split("/")
    client, daemon, *rest = pair.split("-")
    meta = json.loads(files["meta.json"])
    connections = tuple(
        Connection(
            number=int(number),
            c2s=files[f"{number}/c2s.bin"],
            s2c=files[f"{number}/s2c.bin"],
            events=tuple(map(json.loads, files[f"{number}/events.jsonl"].splitlines())),
            about=about,
        )
        for number, about in sorted(meta["connections"].items())
    )
    return Run(client, daemon, rest != ["untrusted"], scenario, meta, connections)


@cache
def runs() -> tuple[Run, ...]:
    """All runs, sorted by name.  Raises Missing."""
    found: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
    with tarfile.open(shared("captures.tar.xz")) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isfile() else None
            parts = member.name.split("/")[1:]  # below the archive's one folder
            if stream is not None and len(parts) > 2:
                found["/".join(parts[:2])]["/".join(parts[2:])] = stream.read()
    return tuple(_run(folder, files) for folder, files in sorted(found.items()))


def run(name: str) -> Run:
    """The run of that name.  Raises KeyError, Missing."""
    return {each.name: each for each in runs()}[name]
