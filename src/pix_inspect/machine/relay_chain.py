"""Through which relays a connection came, so that no relay becomes its own daemon by some detour.

A relay names its socket towards the daemon, in Linux's abstract namespace, after itself and
the relays before it; who accepts a connection sees the name. A command that is started as
upstream gets the same list in its environment. A relay that finds itself in the list, or a
list of unlikely length, lets the client go.

Where there are no abstract names nothing is known.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import socket

VARIABLE = "PIX_INSPECT_RELAYS"
MOST = 8
"""Relays in a row; their names fit the 108 bytes of an address."""

PREFIX = "pix-inspect:"

_NAME = re.compile(rb"\0pix-inspect:((?:[0-9a-f]{8}\.){1,%d})[0-9a-f]+\Z" % MOST)
CLIENT_PREFIX = "pix-inspect-client:"

_CLIENT = re.compile(rb"\0pix-inspect-client:([a-z]{1,20})\.[0-9a-f]+\Z")
_VALUE = re.compile(rf"[0-9a-f]{{8}}(?:\.[0-9a-f]{{8}}){{0,{MOST - 1}}}\Z")
DIGITS = 8
"""Of a connection's number in a name."""
_counter = itertools.count()

Lineage = tuple[str, ...]
"""The relays, the one nearest to the client first."""


def new_relay() -> str:
    """Return a name for a relay that no other has."""
    return os.urandom(4).hex()


def lineage_of(address: object) -> Lineage:
    """Return the relays that the address of an accepted connection tells of."""
    found = _NAME.match(address) if isinstance(address, bytes) else None
    return () if found is None else tuple(found[1].decode().split(".")[:-1])


def inherited_lineage() -> Lineage:
    """Return the relays that this process was told of in its environment."""
    value = os.environ.get(VARIABLE, "")
    return tuple(value.split(".")) if _VALUE.match(value) else ()


def environment(lineage: Lineage) -> dict[str, str]:
    """Return the environment for a command that these relays lead to."""
    return {**os.environ, VARIABLE: ".".join(lineage)} if lineage else dict(os.environ)


def sign(sock: socket.socket, lineage: Lineage, number: int | None = None) -> None:
    """Name a socket, before it is connected, after the relays whose connection it carries.

    `number`: that of the connection in the recording, which the name then tells (`number_in`).
    """
    if not lineage or len(lineage) > MOST:
        return
    mark = f"{next(_counter) & 0xFFFFF:05x}" if number is None else f"{number:0{DIGITS}x}"
    name = f"\0{PREFIX}{'.'.join(lineage)}.{os.getpid():x}{mark}"
    with contextlib.suppress(OSError):  # taken by somebody, or not to be had here
        sock.bind(name)


def number_in(name: bytes, pid: int) -> int | None:
    """Return which connection of the recording of relay `pid` a socket of this name carries."""
    own = f"{pid:x}".encode()
    mark = name.rpartition(b".")[2]
    tells = _NAME.match(name) and mark.startswith(own) and len(mark) == len(own) + DIGITS
    return int(mark[len(own) :], 16) if tells else None


def sign_client(sock: socket.socket, name: str) -> None:
    """Name a socket, before it is connected, after the part of this tool that is the client.

    `name` is a word of small letters.
    """
    mark = f"{os.getpid():x}{next(_counter) & 0xFFFFF:05x}"
    with contextlib.suppress(OSError):
        sock.bind(f"\0{CLIENT_PREFIX}{name}.{mark}")


def client_of(address: object) -> str | None:
    """Return which part of this tool made an accepted connection, None where it was another."""
    found = _CLIENT.match(address) if isinstance(address, bytes) else None
    return None if found is None else f"pix-inspect {found[1].decode()}"


def objection(relay: str, lineage: Lineage) -> str | None:
    """Return why `relay` should not serve a connection that came through these, None if it may."""
    if relay in lineage:
        return "the connection came through this relay before: its way to the daemon leads back"
    if len(lineage) >= MOST:
        return f"the connection came through {len(lineage)} relays; their way may lead in a circle"
    return None
