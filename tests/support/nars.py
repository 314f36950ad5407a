"""NARs for tests, written straight from the grammar."""

from __future__ import annotations

from typing import TypeAlias

from tests.support.words import text

Tree: TypeAlias = "bytes | tuple[str, bytes] | dict[bytes, Tree]"
"""File contents; ("executable" | "symlink", bytes); or a directory of names."""


def tokens(*raws: bytes) -> bytes:
    return b"".join(map(text, raws))


def node(tree: Tree) -> bytes:
    if isinstance(tree, bytes):
        return tokens(b"(", b"type", b"regular", b"contents", tree, b")")
    if isinstance(tree, tuple):
        kind, raw = tree
        if kind == "symlink":
            return tokens(b"(", b"type", b"symlink", b"target", raw, b")")
        return tokens(b"(", b"type", b"regular", b"executable", b"", b"contents", raw, b")")
    out = tokens(b"(", b"type", b"directory")
    for name, inner in sorted(tree.items()):
        out += tokens(b"entry", b"(", b"name", name, b"node") + node(inner) + text(b")")
    return out + text(b")")


def nar(tree: Tree) -> bytes:
    return text(b"nix-archive-1") + node(tree)
