"""Paths and what is to be built, as people name them and as the protocol does.

People write `DRV^out,dev` and `DRV^*`, on the wire stands `!`, and before 1.30 a derivation
named plainly means all its outputs. Source: Nix `derived-path.cc`, `worker-protocol.cc`.
"""

from __future__ import annotations

from pix.codec.errors import EncodeError
from pix.codec.gates import Protocol
from pix.daemon.arguments import instance

PLAIN_DERIVATION = 30
"""From 1.30 on a derivation named plainly means itself, and `!*` means all its outputs."""


def derived_path(text: str, protocol: Protocol) -> str:
    """Return `DRV^out,dev`, `DRV^*` or a plain path as it stands on the wire.

    Raises EncodeError for a derivation itself before 1.30, which cannot be asked for.
    """
    text = text.replace("^", "!")
    if protocol.minor >= PLAIN_DERIVATION:
        return text
    if text.endswith("!*"):
        return text[:-2]
    if text.endswith(".drv") and "!" not in text:
        why = f"{protocol.text} cannot ask for a derivation itself; {text}^* asks for its outputs"
        raise EncodeError("paths", why)
    return text


def base_name(path: str) -> str:
    """Return a store path without its store directory."""
    return instance(str, path).rpartition("/")[2]
