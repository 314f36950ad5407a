"""Known mistakes of implementations of the protocol: one declaration each.

`forensics` tells which of them explains a stream that is out of step, by these names. Data
only. Sources are issues in which each was found the hard way.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake: its name, what it is, and where it was met."""

    name: str
    what: str
    source: str = ""


MISTAKES = {
    mistake.name: mistake
    for mistake in (
        Mistake(
            "missing one", "the reply lacks the 1 that stands for success",
            "Nix daemon.cc: operations without a result answer 1",
        ),
        Mistake(
            "extra one", "a 1 follows a reply that has no such field",
            "Nix daemon.cc: SetOptions, AddToStoreNar and AddMultipleToStore answer nothing",
        ),
        Mistake(
            "unread one", "the client did not read the 1 that ends the reply before, and takes it"
            " for a STDERR frame",
            "harmonia#954, #977; psyclyx/fix#5",
        ),
        Mistake("missing STDERR_LAST", "the reply comes without STDERR_LAST before it"),
        Mistake("doubled STDERR_LAST", "STDERR_LAST stands there twice"),
        Mistake("short reply", "the reply ends before its declaration does", "NixOS/nix#4655"),
        Mistake("long reply", "the reply goes on behind its declaration", "NixOS/nix#4655"),
        Mistake("short request", "the request ends before its declaration does"),
        Mistake("long request", "the request goes on behind its declaration", "NixOS/nix#3943"),
        Mistake(
            "other version", "announced was one version, this has the layout of another",
            "cachix/devenv#1364, NixOS/nix#5299",
        ),
        Mistake(
            "32-bit length", "the length is written in four bytes, not eight",
            "NixOS/nix serialise.hh: every number takes eight bytes",
        ),
        Mistake(
            "32-bit number", "the number is written in four bytes, not eight",
            "NixOS/nix serialise.hh: every number takes eight bytes",
        ),
        Mistake("string for a list", "a text stands where a list of texts should be"),
        Mistake("big-endian number", "the number is written with its highest byte first"),
        Mistake("missing padding", "a string is not filled up to eight bytes"),
        Mistake("half a NAR", "the NAR breaks off, and the next operation follows",
                "NixOS/nix#2167"),
        Mistake("half a frame", "a frame breaks off, and the next operation follows",
                "NixOS/nix#6495"),
        Mistake("unended frames", "the empty frame that ends the payload is missing",
                "NixOS/nix#6495"),
        Mistake("unread field", "the daemon stopped reading the request before its end",
                "NixOS/nix#3943, harmonia#977"),
        Mistake("unread payload", "the daemon stopped reading the payload before its end",
                "NixOS/nix#3943"),
        Mistake("missing feature list", "1.38 is announced, and no list of features follows",
                "cachix/devenv#1364"),
        Mistake("doubled version", "the client says its version twice", "NixOS/nix#11126"),
        Mistake("text in the stream", "something printed into the connection", "NixOS/nix#5290"),
    )
}  # fmt: skip
"""Every mistake by its name."""


def named(name: str, where: str) -> str:
    """Return a mistake in a line: `this is “half a NAR”: …`."""
    mistake = MISTAKES[name]
    source = f" ({mistake.source})" if mistake.source else ""
    return f"looks like “{name}”: {where}: {mistake.what}{source}"
