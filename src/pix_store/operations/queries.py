"""Questions about the store: what is valid, what refers to what, what a derivation makes.

There are no substituters here: nothing is ever substitutable.
"""

from __future__ import annotations

from pix.protocol import operations as op
from pix.protocol.types import ValidPathInfo
from pix.serving import Refusal
from pix_store.connection.client import Caller, answers
from pix_store.derivations.derivation import derivation_of
from pix_store.derivations.outputs import derivers, known_outputs
from pix_store.store.content_address import ContentAddress
from pix_store.store.refusal import meant, not_valid, quoted
from pix_store.store.store_paths import DIGITS

INFO_MAY_BE_MISSING = 17
"""Before 1.17 QueryPathInfo of a path that is not valid is an error."""


@answers(op.IsValidPath)
def is_valid_path(caller: Caller, request: op.IsValidPath) -> op.IsValidPath.Reply:
    """Say whether a path is valid."""
    return op.IsValidPath.Reply(valid=caller.store.known(caller.base(request.path)) is not None)


@answers(op.QueryPathInfo)
def query_path_info(caller: Caller, request: op.QueryPathInfo) -> op.QueryPathInfo.Reply:
    """Say what is known of a path."""
    info = caller.store.known(caller.base(request.path))
    if info is None:
        if caller.connection.protocol.minor < INFO_MAY_BE_MISSING:
            raise not_valid(request.path)
        return op.QueryPathInfo.Reply()
    return op.QueryPathInfo.Reply(info=info.told(caller.store.paths.directory))


@answers(op.QueryPathInfos)
def query_path_infos(caller: Caller, request: op.QueryPathInfos) -> op.QueryPathInfos.Reply:
    """Say what is known of those paths that are valid."""
    store = caller.store
    known = [(path, store.known(caller.base(path))) for path in sorted(request.paths)]
    return op.QueryPathInfos.Reply(
        infos=tuple(
            ValidPathInfo(path=path, info=info.told(store.paths.directory))
            for path, info in known
            if info is not None
        )
    )


@answers(op.QueryPathHash)
def query_path_hash(caller: Caller, request: op.QueryPathHash) -> op.QueryPathHash.Reply:
    """Say the hash of a path's NAR."""
    info = caller.store.info(caller.base(request.path))
    return op.QueryPathHash.Reply(nar_hash=info.nar_hash.hex)


@answers(op.QueryReferences)
def query_references(caller: Caller, request: op.QueryReferences) -> op.QueryReferences.Reply:
    """Say what a path refers to."""
    info = caller.store.info(caller.base(request.path))
    return op.QueryReferences.Reply(references=caller.store.full(info.references))


@answers(op.QueryReferrers)
def query_referrers(caller: Caller, request: op.QueryReferrers) -> op.QueryReferrers.Reply:
    """Say which valid paths refer to a path."""
    found = caller.store.referrers(caller.base(request.path))
    return op.QueryReferrers.Reply(referrers=caller.store.full(found))


@answers(op.QueryDeriver)
def query_deriver(caller: Caller, request: op.QueryDeriver) -> op.QueryDeriver.Reply:
    """Say which derivation made a path."""
    deriver = caller.store.info(caller.base(request.path)).deriver
    return op.QueryDeriver.Reply(
        deriver=None if deriver is None else caller.store.paths.full(deriver)
    )


@answers(op.QueryAllValidPaths)
def query_all_valid_paths(caller: Caller, request: op.QueryAllValidPaths) -> op.Paths:
    """List every valid path."""
    return op.Paths(paths=caller.store.full(caller.store.all()))


@answers(op.QueryValidPaths)
def query_valid_paths(caller: Caller, request: op.QueryValidPaths) -> op.Paths:
    """Say which of some paths are valid."""
    valid = (base for base in caller.bases(request.paths) if caller.store.known(base) is not None)
    return op.Paths(paths=caller.store.full(valid))


@answers(op.QueryPathFromHashPart)
def query_path_from_hash_part(
    caller: Caller, request: op.QueryPathFromHashPart
) -> op.QueryPathFromHashPart.Reply:
    """Say which valid path has a hash part."""
    digits = request.hash_part
    if len(digits) != DIGITS:
        raise Refusal("invalid hash part")
    base = caller.store.by_digits(digits)
    path = None if base is None else caller.store.paths.full(base)
    return op.QueryPathFromHashPart.Reply(path=path)


@answers(op.HasSubstitutes)
def has_substitutes(caller: Caller, request: op.HasSubstitutes) -> op.HasSubstitutes.Reply:
    """Say no: there are no substituters."""
    caller.base(request.path)
    return op.HasSubstitutes.Reply(substitutable=False)


@answers(op.QuerySubstitutablePaths)
def query_substitutable_paths(caller: Caller, request: op.QuerySubstitutablePaths) -> op.Paths:
    """Say none: there are no substituters."""
    caller.bases(request.paths)
    return op.Paths(paths=frozenset())


@answers(op.QuerySubstitutablePathInfo)
def query_substitutable_path_info(
    caller: Caller, request: op.QuerySubstitutablePathInfo
) -> op.QuerySubstitutablePathInfo.Reply:
    """Say nothing: there are no substituters."""
    caller.base(request.path)
    return op.QuerySubstitutablePathInfo.Reply()


@answers(op.QuerySubstitutablePathInfos)
def query_substitutable_path_infos(
    caller: Caller, request: op.QuerySubstitutablePathInfos
) -> op.QuerySubstitutablePathInfos.Reply:
    """Say nothing: there are no substituters."""
    caller.bases((*request.paths, *request.paths_with_ca))
    with meant(ends=True):
        for ca in filter(None, request.paths_with_ca.values()):
            ContentAddress.parse(ca)
    return op.QuerySubstitutablePathInfos.Reply(infos=())


@answers(op.QueryDerivationOutputs)
def query_derivation_outputs(
    caller: Caller, request: op.QueryDerivationOutputs
) -> op.QueryDerivationOutputs.Reply:
    """Say which paths a derivation makes."""
    drv = caller.base(request.path)
    outputs = known_outputs(caller.store, drv, derivation_of(caller.store, drv))
    if None in outputs.values():
        raise Refusal("this derivation has outputs whose paths are not known before they are built")
    return op.QueryDerivationOutputs.Reply(
        outputs=caller.store.full(base for base in outputs.values() if base is not None)
    )


@answers(op.QueryDerivationOutputNames)
def query_derivation_output_names(
    caller: Caller, request: op.QueryDerivationOutputNames
) -> op.QueryDerivationOutputNames.Reply:
    """Say which outputs a derivation has."""
    drv = caller.base(request.path)
    if caller.store.known(drv) is None:
        raise Refusal(f"path {quoted(request.path)} is not a valid store path")
    names = derivation_of(caller.store, drv).outputs
    return op.QueryDerivationOutputNames.Reply(names=frozenset(names))


@answers(op.QueryDerivationOutputMap)
def query_derivation_output_map(
    caller: Caller, request: op.QueryDerivationOutputMap
) -> op.QueryDerivationOutputMap.Reply:
    """Say which paths a derivation's outputs have."""
    drv = caller.base(request.path)
    outputs = known_outputs(caller.store, drv, derivation_of(caller.store, drv))
    full = caller.store.paths.full
    return op.QueryDerivationOutputMap.Reply(
        outputs={
            name: None if base is None else full(base) for name, base in sorted(outputs.items())
        }
    )


@answers(op.QueryValidDerivers)
def query_valid_derivers(
    caller: Caller, request: op.QueryValidDerivers
) -> op.QueryValidDerivers.Reply:
    """Say which valid derivations have a path as an output."""
    base = caller.base(request.path)
    return op.QueryValidDerivers.Reply(derivers=caller.store.full(derivers(caller.store, base)))
