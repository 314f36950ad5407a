"""Which paths the outputs of derivations have, as far as that is known now.

By the derivation itself, or by what a build of it turned out to make.
"""

from __future__ import annotations

from pix.serving import Refusal
from pix_store.derivations.derivation import Derivation, derivation_of
from pix_store.derivations.hash_modulo import loader, output_hashes
from pix_store.store.store import Store


def realisation_key(digest_hex: str, output: str) -> str:
    """Return the name of an output as realisations have it."""
    return f"sha256:{digest_hex}!{output}"


def known_outputs(store: Store, drv: str, derivation: Derivation) -> dict[str, str | None]:
    """Return the base names of a derivation's outputs, None for one that only a build will tell.

    `drv` is the derivation's own base name.
    """
    known: dict[str, str | None] = {
        name: store.paths.base(output.path) if output.path else None
        for name, output in derivation.outputs.items()
    }
    for name, base in known.items():
        if base is None and (found := store.realisations.get(f"{drv}!{name}")) is not None:
            known[name] = found[0]
    unknown = [name for name, base in known.items() if base is None]
    if unknown and store.realisations:
        try:
            hashes = output_hashes(derivation, loader(store), {})
        except Refusal:
            return known
        for name in unknown:
            found = store.realisations.get(realisation_key(hashes[name].hex, name))
            known[name] = None if found is None else found[0]
    return known


def makers(store: Store) -> dict[str, set[str]]:
    """Return which valid derivations have each path as an output."""
    found: dict[str, set[str]] = {}
    for drv in store.all():
        if not drv.endswith(".drv"):
            continue
        outputs = store.outputs_of.get(drv)
        if outputs is None:
            try:
                known = known_outputs(store, drv, derivation_of(store, drv))
            except Refusal:
                known = {}
            outputs = frozenset(output for output in known.values() if output is not None)
            if None not in known.values():  # what is not known now may be later
                store.outputs_of[drv] = outputs
        for output in outputs:
            found.setdefault(output, set()).add(drv)
    return found


def derivers(store: Store, base: str) -> frozenset[str]:
    """Return the valid derivations that have a path as an output."""
    return frozenset(makers(store).get(base, ()))
