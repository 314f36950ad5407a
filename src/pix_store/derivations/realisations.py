"""Realisations: what the outputs of derivations turned out to be.

Named by the derivation's hash and the output (as JSON), or by the derivation's path where
the feature realisation-with-path-not-hash is in force.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

from pix.protocol import operations as op
from pix.protocol.types import REALISATION_WITH_PATH, BuildResult, DrvOutput, UnkeyedRealisation
from pix.serving import Refusal
from pix.untrusted import parse_json
from pix_store.connection.client import Caller, answers
from pix_store.derivations.derivation import Derivation, derivation_of
from pix_store.derivations.hash_modulo import loader, output_hashes
from pix_store.derivations.outputs import realisation_key
from pix_store.store.hashes import Digest
from pix_store.store.refusal import magenta
from pix_store.store.store import Store

WITH_SIGNATURES = 31
"""Before 1.31 a realisation is an output and a path, without signatures."""


def realisation_json(key: str, base: str, signatures: frozenset[str]) -> str:
    """Return a realisation as JSON, its keys ascending."""
    value = {
        "dependentRealisations": {},
        "id": key,
        "outPath": base,
        "signatures": sorted(signatures),
    }
    return json.dumps(value, separators=(",", ":"))


def realisation_keys(store: Store, drv: str, derivation: Derivation | None) -> dict[str, str]:
    """Return the names of a derivation's outputs as realisations have them. Raises Refusal."""
    hashes = output_hashes(derivation or derivation_of(store, drv), loader(store), {})
    return {name: realisation_key(digest.hex, name) for name, digest in hashes.items()}


def register(store: Store, drv: str, derivation: Derivation, outputs: dict[str, str]) -> None:
    """Keep what the outputs of a derivation turned out to be."""
    for name, key in realisation_keys(store, drv, derivation).items():
        if name in outputs:
            store.realise(key, outputs[name])
            store.realise(f"{drv}!{name}", outputs[name])


def built_outputs(
    caller: Caller,
    drv: str,
    derivation: Derivation | None,
    outputs: dict[str, str],
    result: BuildResult,
) -> None:
    """Put what was built into a result, as the version has it. Raises Refusal."""
    store = caller.store
    if REALISATION_WITH_PATH in caller.connection.protocol.features:
        result.outputs = {
            name: UnkeyedRealisation(out_path=store.paths.full(base))
            for name, base in sorted(outputs.items())
        }
        return
    keys = realisation_keys(store, drv, derivation)
    result.built_outputs = {
        keys[name]: realisation_json(keys[name], outputs[name], frozenset())
        for name in sorted(outputs, key=keys.__getitem__)
    }


@answers(op.RegisterDrvOutput)
def register_drv_output(caller: Caller, request: op.RegisterDrvOutput) -> None:
    """Keep what an output turned out to be."""
    store, protocol = caller.store, caller.connection.protocol
    signatures: frozenset[str] = frozenset()
    more: list[str] = []
    if REALISATION_WITH_PATH in protocol.features:
        told = request.realisation
        key, *more = _by_path(caller, told.id)
        base = caller.base(told.realisation.out_path)
        signatures = told.realisation.signatures
    elif protocol.minor < WITH_SIGNATURES:
        key, base = _checked(request.id), request.out_path
    else:
        key, base, signatures = _of_json(store, request.realisation_json)
    store.paths.check_base(base)
    store.info(base)
    for each in (*more, key):
        store.realise(each, base, signatures)


def _by_path(caller: Caller, output: DrvOutput) -> Iterator[str]:
    """Yield the names of an output: by its derivation's path, and by its hash where it is there."""
    drv = caller.base(output.drv_path)
    yield f"{drv}!{output.output_name}"
    with suppress(Refusal):
        by_hash = realisation_keys(caller.store, drv, None)
        if output.output_name in by_hash:
            yield by_hash[output.output_name]


def _of_json(store: Store, text: str) -> tuple[str, str, frozenset[str]]:
    """Return a realisation's id, base name and signatures. Raises Refusal."""
    try:
        plain = parse_json(text)
    except ValueError as error:
        raise Refusal(f"[json.exception.parse_error.101] {error}", ends=True, times=1) from None
    if not isinstance(plain, dict):
        kind = {list: "array", str: "string", bool: "boolean", type(None): "null"}
        found = f"'{kind.get(type(plain), 'number')}': {json.dumps(plain)}"
        raise Refusal(f"Expected JSON value to be of type 'object' but it is of type {found}")
    for name in ("outPath", "id"):
        if name not in plain:
            shown = json.dumps(plain, separators=(",", ":"))
            raise Refusal(f"Expected JSON object to contain key '{name}' but it doesn't: {shown}")
    signatures = plain.get("signatures", ())
    if not isinstance(signatures, (list, tuple)):
        raise Refusal("Expected JSON value to be of type 'array'")
    base = str(plain["outPath"])
    store.paths.check_base(base)
    return _checked(str(plain["id"])), base, frozenset(map(str, signatures))


def _checked(key: str) -> str:
    digest, mark, _ = key.partition("!")
    if not mark:
        raise Refusal(f"Invalid derivation output id {magenta(key)}")
    Digest.parse(digest)
    return key


@answers(op.QueryRealisation)
def query_realisation(caller: Caller, request: op.QueryRealisation) -> op.QueryRealisation.Reply:
    """Say what an output turned out to be."""
    store, protocol = caller.store, caller.connection.protocol
    by_path = REALISATION_WITH_PATH in protocol.features
    keys = list(_by_path(caller, request.output)) if by_path else [_checked(request.id)]
    found = next(filter(None, map(store.realisations.get, keys)), None)
    if found is None:
        return op.QueryRealisation.Reply()
    base, signatures = found
    full = store.paths.full(base)
    if by_path:
        value = UnkeyedRealisation(out_path=full, signatures=signatures)
        return op.QueryRealisation.Reply(realisation=value)
    if protocol.minor < WITH_SIGNATURES:
        return op.QueryRealisation.Reply(out_paths=frozenset((full,)))
    return op.QueryRealisation.Reply(realisations=(realisation_json(keys[0], base, signatures),))
