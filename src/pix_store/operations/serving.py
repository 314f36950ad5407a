"""The commands of the serve protocol, by the operations of the worker protocol.

What that does not check (signatures), this does not either: whoever may start the program may add
what they like. Source: Nix `nix-store.cc` (opServe).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pix.codec.declare import fields_of
from pix.codec.wire import pack_u64
from pix.protocol import operations as op
from pix.protocol import serve
from pix.protocol.types import BuildResult, UnkeyedRealisation
from pix.serving import Refusal
from pix_store.connection.client import Caller, answers
from pix_store.connection.serve import ServeConnection
from pix_store.operations import adding, building, queries
from pix_store.store.hashes import Digest


def _may_write(caller: Caller, otherwise: str) -> None:
    assert isinstance(caller.connection, ServeConnection)
    if not caller.connection.write:
        raise Refusal(otherwise)


def _set(caller: Caller, options: serve.BuildOptions) -> None:
    """Take the client's settings for a build."""
    if options.nr_repeats:
        raise Refusal("client requested repeating builds, but this is not currently implemented")
    ours = caller.connection.options
    ours.max_silent, ours.timeout = options.max_silent_time, options.build_timeout
    ours.keep_failed = options.keep_failed


@answers(serve.QueryValidPaths)
def query_valid_paths(caller: Caller, request: serve.QueryValidPaths) -> op.Paths:
    """Say which of some paths are valid, and keep those if asked to."""
    found: op.Paths = queries.query_valid_paths(caller, op.QueryValidPaths(paths=request.paths))
    if request.lock:
        for path in found.paths:
            caller.keep(caller.base(path))
    return found


@answers(serve.QueryPathInfos)
def query_path_infos(caller: Caller, request: serve.QueryPathInfos) -> serve.QueryPathInfos.Reply:
    """Say what is known of those paths that are valid."""
    found = queries.query_path_infos(caller, op.QueryPathInfos(paths=request.paths))
    return serve.QueryPathInfos.Reply(
        infos=tuple(
            serve.ValidPathInfo(
                path=each.path,
                info=serve.UnkeyedValidPathInfo(
                    deriver=each.info.deriver,
                    references=each.info.references,
                    download_size=each.info.nar_size,
                    nar_size=each.info.nar_size,
                    nar_hash=str(Digest.parse(each.info.nar_hash, "sha256")),
                    ca=each.info.ca,
                    sigs=each.info.sigs,
                ),
            )
            for each in found.infos
        )
    )


@answers(serve.DumpStorePath)
def dump_store_path(caller: Caller, request: serve.DumpStorePath) -> serve.DumpStorePath.Reply:
    """Send a path as a NAR."""
    found = adding.nar_from_path(caller, op.NarFromPath(path=request.path))
    return serve.DumpStorePath.Reply(nar=found.nar)


@answers(serve.ImportPaths)
def import_paths(caller: Caller, request: serve.ImportPaths) -> op.Done:
    """Add the paths of an export stream."""
    _may_write(caller, "importing paths is not allowed")
    adding.import_paths(caller, op.ImportPaths())
    return op.Done()


@answers(serve.ExportPaths)
def export_paths(caller: Caller, request: serve.ExportPaths) -> serve.ExportPaths.Reply:
    """Send paths as an export stream."""

    def stream() -> Iterator[bytes]:
        for path in request.paths:
            yield pack_u64(1)
            record: Any = adding.export_path(caller, op.ExportPath(path=path)).export
            yield from record
        yield pack_u64(0)

    return serve.ExportPaths.Reply(export=stream())


@answers(serve.BuildPaths)
def build_paths(caller: Caller, request: serve.BuildPaths) -> serve.BuildPaths.Reply:
    """Build; a failure is said with the exit status that a program would have."""
    _may_write(caller, "building paths is not allowed")
    _set(caller, request.options)
    paths = tuple(
        path if "!" in path or not path.endswith(".drv") else f"{path}!*" for path in request.paths
    )
    try:
        building.build_paths(caller, op.BuildPaths(paths=paths))
    except Refusal as refusal:
        failure = serve.Failure(status=refusal.status, error_msg=refusal.message)
        return serve.BuildPaths.Reply(failure=failure)
    return serve.BuildPaths.Reply()


@answers(serve.QueryClosure)
def query_closure(caller: Caller, request: serve.QueryClosure) -> op.Paths:
    """List what paths refer to, again and again."""
    store = caller.store
    found: set[str] = set()
    pending: list[str] = list(caller.bases(request.paths))
    while pending:
        base = pending.pop()
        if base in found:
            continue
        found.add(base)
        info = store.info(base)
        pending += info.references
        if request.include_outputs and base.endswith(".drv"):
            pending += _outputs(caller, base)
    return op.Paths(paths=store.full(found))


def _outputs(caller: Caller, drv: str) -> Iterable[str]:
    """Return those outputs of a derivation that are valid."""
    asked = op.QueryDerivationOutputMap(path=caller.store.paths.full(drv))
    paths = queries.query_derivation_output_map(caller, asked).outputs.values()
    bases = [caller.base(path) for path in paths if path is not None]
    return [base for base in bases if caller.store.known(base) is not None]


@answers(serve.BuildDerivation)
def build_derivation(caller: Caller, request: serve.BuildDerivation) -> serve.BuildDerivation.Reply:
    """Build a derivation that came along."""
    _may_write(caller, "building paths is not allowed")
    _set(caller, request.options)
    asked = op.BuildDerivation(drv_path=request.drv_path, derivation=request.derivation)
    return serve.BuildDerivation.Reply(
        result=_told(caller, building.build_derivation(caller, asked).result)
    )


def _told(caller: Caller, result: BuildResult) -> serve.BuildResult:
    """Return a result as the serve protocol has it, in the layouts of all its versions."""
    outputs = {}
    for key, text in result.built_outputs.items():
        said = json.loads(text)
        outputs[key.partition("!")[2]] = UnkeyedRealisation(
            out_path=caller.store.paths.full(said["outPath"]),
            signatures=frozenset(said["signatures"]),
        )
    return serve.BuildResult(
        status=result.status,
        error_msg=result.error_msg,
        times_built=result.times_built,
        is_non_deterministic=result.is_non_deterministic,
        start_time=result.start_time,
        stop_time=result.stop_time,
        built_outputs=result.built_outputs,
        outputs=outputs,
    )


@answers(serve.AddToStoreNar)
def add_to_store_nar(caller: Caller, request: serve.AddToStoreNar) -> op.Done:
    """Add a path with its metadata."""
    _may_write(caller, "importing paths is not allowed")
    if not request.nar_size:
        raise Refusal("narInfo is too old and missing the narSize field")
    told = fields_of(request, serve.AddToStoreNar)
    asked = op.AddToStoreNar(**told, dont_check_sigs=True, nar=request.nar)
    adding.add_to_store_nar(caller, asked)
    return op.Done()
