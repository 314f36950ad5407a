"""Hashes of derivations up to their inputs: what output paths and realisations are named by.

Of each input derivation only its own such hash counts, so that where an input came from
does not matter, and a fixed output counts by what it is alone. Source: Nix `derivations.cc`
(hashDerivationModulo).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pix.codec.wire import bytes_of, text_of
from pix.serving import Refusal
from pix_store.derivations.derivation import Derivation, Output, derivation_of, drv_name, parse
from pix_store.store.content_address import ContentAddress, Method, file_of
from pix_store.store.hashes import Digest, sha256
from pix_store.store.refusal import quoted
from pix_store.store.spool import Spool
from pix_store.store.store import Store
from pix_store.store.store_paths import StorePaths, output_name

Load = Callable[[str], Derivation]
"""Finds the derivation of a full path. Raises Refusal."""


def loader(store: Store) -> Load:
    """Return what finds the derivations of a store."""
    return lambda path: derivation_of(store, store.paths.base(path))


def is_fixed(derivation: Derivation) -> bool:
    """Return whether its outputs are known by hash before they are built."""
    return any(output.hash and output.hash != "impure" for output in derivation.outputs.values())


def output_hashes(derivation: Derivation, load: Load, known: dict[str, str]) -> dict[str, Digest]:
    """Return, by output, the hash that names it in its path and in realisations.

    `known` keeps what was found about inputs, by full path.
    """
    if is_fixed(derivation):
        return {name: _fixed(output) for name, output in derivation.outputs.items()}
    digest = sha256(_text(derivation, load, known, masked=True))
    return dict.fromkeys(derivation.outputs, digest)


def _fixed(output: Output) -> Digest:
    return sha256(f"fixed:out:{output.algorithm}:{output.hash}:{output.path}".encode())


def _text(derivation: Derivation, load: Load, known: dict[str, str], *, masked: bool) -> bytes:
    """Return the derivation's text with the hashes of its inputs in place of their paths."""
    _look_at_inputs(derivation, load, known)
    inputs: dict[str, set[str]] = {}
    for path, names in derivation.inputs.items():
        for name in names:
            key = known.get(f"{path}!{name}") or known[path]
            inputs.setdefault(key, set()).add("out" if f"{path}!{name}" in known else name)
    plain = replace(derivation, inputs={key: tuple(sorted(v)) for key, v in inputs.items()})
    if masked:
        plain.outputs = {n: Output("", o.algorithm, o.hash) for n, o in plain.outputs.items()}
        plain.env = {k: "" if k in plain.outputs else v for k, v in plain.env.items()}
    return bytes_of(plain.text())


def _look_at_inputs(derivation: Derivation, load: Load, known: dict[str, str]) -> None:
    """Find the hashes of all inputs, the deepest first."""
    stack = [(path, False) for path in derivation.inputs]
    loaded: dict[str, Derivation] = {}
    while stack:
        path, inputs_known = stack.pop()
        if path in known:
            continue
        found = loaded.setdefault(path, load(path)) if path not in loaded else loaded[path]
        if is_fixed(found):
            for name, output in found.outputs.items():
                known[f"{path}!{name}"] = _fixed(output).hex
            known[path] = ""
        elif inputs_known:
            known[path] = sha256(_text(found, load, known, masked=False)).hex
        else:
            stack.append((path, True))
            stack.extend((below, False) for below in found.inputs if below not in known)


def check_derivation(store: Store, base: str, nar: Spool) -> None:
    """Raise Refusal when a NAR is that of a derivation whose output paths are wrong."""
    if not base.endswith(".drv"):
        return
    file = file_of(nar)
    path = store.paths.full(base)
    try:
        derivation = parse(text_of(b"".join(nar.pieces(file.offset, file.size))))
    except ValueError as error:
        raise Refusal(f"error parsing derivation {quoted(path)}: {error}") from None

    load = loader(store)
    name = drv_name(base)
    hashes: dict[str, Digest] | None = None
    for output, told in derivation.outputs.items():
        if not told.path:
            continue
        if told.algorithm:
            right = _fixed_path(store.paths, output_name(name, output), told)
        else:
            hashes = hashes or output_hashes(derivation, load, {})
            right = store.paths.output(hashes[output], name, output)
        if right != told.path:
            raise Refusal(
                f"derivation {quoted(path)} has incorrect output {quoted(told.path)}, should be"
                f" {quoted(right)}"
            )


def _fixed_path(paths: StorePaths, name: str, told: Output) -> str:
    method = Method.of_derivation(told.algorithm)
    digest = Digest.parse(told.hash, method.algorithm)
    return ContentAddress(method, digest).path(paths, name, ())
