"""Outputs whose path follows from what the build makes: stand-ins before, addresses after.

Before the build a derivation names such outputs by placeholders; the builder gets a scratch
path in their place. Afterwards contents are hashed with the scratch path's digits blanked,
and the digits exchanged for those of the path that follows. Source: Nix
`downstream-placeholder.cc`, `references.cc` (HashModuloSink), `derivations.cc`
(tryResolve).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from pix.dataclass import dataclass
from pix.serving import Refusal
from pix_store.derivations.derivation import Derivation, Output, derivation_of, drv_name
from pix_store.derivations.hash_modulo import output_hashes
from pix_store.derivations.outputs import known_outputs
from pix_store.store.content_address import ContentAddress, Method, address
from pix_store.store.hashes import Digest, sha256
from pix_store.store.references import rewritten
from pix_store.store.refusal import quoted
from pix_store.store.spool import Spool
from pix_store.store.store import Store
from pix_store.store.store_paths import DIGITS, StorePaths, output_name


def own_placeholder(output: str) -> str:
    """Return what a derivation's own text says for an output that is not known yet."""
    return "/" + sha256(f"nix-output:{output}".encode()).nix32


def placeholder(drv: str, output: str) -> str:
    """Return what other derivations say for an output of `drv` (a base name) not known yet."""
    name = output_name(drv_name(drv), output)
    return "/" + sha256(f"nix-upstream-output:{drv[:DIGITS]}:{name}".encode()).nix32


def scratch(paths: StorePaths, drv: str, output: str) -> str:
    """Return the base name under which the builder of `drv` makes such an output."""
    kind = f"rewrite:{paths.full(drv)}:name:{output}"
    full = paths.make(kind, Digest("sha256", bytes(32)), output_name(drv_name(drv), output))
    return paths.base(full)


def must_resolve(derivation: Derivation) -> bool:
    """Return whether its inputs have to be known by path before it can be built."""
    outputs = derivation.outputs.values()
    if any(output.deferred for output in outputs):
        return True
    return bool(derivation.inputs) and any(output.floating for output in outputs)


def resolve(store: Store, drv: str, derivation: Derivation) -> Derivation:
    """Return the derivation with its inputs as sources, by the paths they turned out to have.

    Raises Refusal where one is not known.
    """
    words: dict[str, str] = {}
    sources = set(derivation.sources)
    for path, names in derivation.inputs.items():
        base = store.paths.base(path)
        known = known_outputs(store, base, derivation_of(store, base))
        for name in names:
            found = known.get(name)
            if found is None:
                raise Refusal(f"output {quoted(f'{path}^{name}')} is not known")
            sources.add(store.paths.full(found))
            words[placeholder(base, name)] = store.paths.full(found)
    resolved = replace(substituted(derivation, words), inputs={}, sources=frozenset(sources))
    if any(output.deferred for output in derivation.outputs.values()):
        hashes = output_hashes(resolved, lambda path: resolved, {})
        for name, output in derivation.outputs.items():
            if output.deferred:
                path = store.paths.output(hashes[name], drv_name(drv), name)
                resolved.outputs[name] = Output(path)
                resolved.env[name] = path
    return resolved


def substituted(derivation: Derivation, words: dict[str, str]) -> Derivation:
    """Return the derivation with words exchanged in what the builder is told."""

    def exchanged(text: str) -> str:
        for old, new in words.items():
            text = text.replace(old, new)
        return text

    return replace(
        derivation,
        outputs=dict(derivation.outputs),
        builder=exchanged(derivation.builder),
        args=tuple(map(exchanged, derivation.args)),
        env={exchanged(key): exchanged(value) for key, value in derivation.env.items()},
    )


@dataclass(frozen=True, slots=True)
class Addressing:
    """How an output called `name` gets its path; `positions`: as Nix did before 2.17."""

    paths: StorePaths
    method: Method
    name: str
    positions: bool = False


def settle(
    how: Addressing, base: str, nar: Spool, references: set[str]
) -> tuple[str, ContentAddress, dict[bytes, bytes]]:
    """Return the base name that contents made at `base` get, and what to exchange in them.

    `references` are those that were found, perhaps with `base` itself. Raises Refusal.
    """
    paths, method, name = how.paths, how.method, how.name
    itself = base in references
    others = sorted(map(paths.full, references - {base}))
    if not itself:
        ca = address(method, nar)
        final = paths.base(ca.path(paths, name, others))
        return final, ca, {}
    if method.kind != "r:":
        raise Refusal(
            f"output {quoted(paths.full(base))} refers to itself, but is not a NAR by method"
        )
    digest = _blanked(nar, method.algorithm, base[:DIGITS].encode(), positions=how.positions)
    ca = ContentAddress(method, digest)
    final = paths.base(ca.path(paths, name, others, itself=True))
    return final, ca, {base[:DIGITS].encode(): final[:DIGITS].encode()}


def _blanked(nar: Spool, algorithm: str, word: bytes, *, positions: bool) -> Digest:
    """Return the hash of a NAR with a word blanked, and perhaps of the places where it stood.

    Nix means to hash the places, too, but since 2.17 it finds none.
    """
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    for piece in rewritten(nar.pieces(), {word: bytes(len(word))}):
        hasher.update(piece)
    if positions:
        for position in _positions(nar.pieces(), word):
            hasher.update(b"|%d" % position)
    return Digest(algorithm, hasher.digest())


def _positions(pieces: Iterator[bytes], word: bytes) -> Iterator[int]:
    start = 0
    tail = b""
    for piece in pieces:
        data = tail + piece
        at = data.find(word)
        while at >= 0:
            yield start + at
            at = data.find(word, at + len(word))
        keep = min(len(word) - 1, len(data))
        tail = data[len(data) - keep :]
        start += len(data) - keep
