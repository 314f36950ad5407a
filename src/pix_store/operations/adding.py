"""Adding to the store: files and trees by their contents, paths with their metadata.

A path that comes with metadata is taken when it is content-addressed, signed by a trusted key,
or sent by a trusted client who says that signatures are not to be checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pix.codec.declare import fields_of, wire_of
from pix.codec.incoming import Incoming
from pix.codec.nar_files import nar_of_contents
from pix.codec.payload import EXPORT_MAGIC
from pix.codec.wire import bytes_of
from pix.protocol import operations as op
from pix.protocol.payload_items import item_layout
from pix.protocol.types import (
    MaybeStorePath,
    StorePath,
    Text,
    UnkeyedValidPathInfo,
    ValidPathInfo,
)
from pix.serving import Refusal
from pix_store.connection.client import Caller, answers
from pix_store.derivations.hash_modulo import check_derivation
from pix_store.store.content_address import ContentAddress, Method, address
from pix_store.store.hashes import Digest
from pix_store.store.path_info import PathInfo
from pix_store.store.references import Search
from pix_store.store.refusal import died, meant, quoted
from pix_store.store.signatures import check_form, vouched
from pix_store.store.spool import Spool
from pix_store.store.store_paths import name_of

NEW_LAYOUT = 25
"""From 1.25 on AddToStore names a method and may send plain bytes."""


@answers(op.AddToStore)
def add_to_store(caller: Caller, request: op.AddToStore) -> op.AddToStore.Reply:
    """Add a file or a tree."""
    upload = caller.connection.content("end of string reached")
    if caller.connection.protocol.minor < NEW_LAYOUT:
        kind = "r:" if request.recursive or not request.fixed else ""
        algorithm = request.hash_algo if request.fixed else "sha256"
        if request.recursive > 1:
            raise Refusal(f"unsupported FileIngestionMethod with value of {request.recursive}")
        method = Method.of_derivation(f"{kind}{algorithm}")
        nar = True
    else:
        method = _method(request.method)
        nar = method.takes_nar
    references = caller.bases(request.references)
    contents = upload.nar() if nar else upload.rest()
    return _added(caller, request.name, method, contents, nar, references, again=request.repair)


@answers(op.AddTextToStore)
def add_text_to_store(caller: Caller, request: op.AddTextToStore) -> op.AddTextToStore.Reply:
    """Add a file given as a string."""
    references = caller.bases(request.references)
    method = Method("text:", "sha256")
    contents = (bytes_of(request.text),)
    added = _added(caller, request.name, method, contents, False, references)
    return op.AddTextToStore.Reply(path=added.path)


@answers(op.AddToStoreScanning)
def add_to_store_scanning(
    caller: Caller, request: op.AddToStoreScanning
) -> op.AddToStoreScanning.Reply:
    """Add a file or a tree whose references are looked for."""
    method = _method(request.method)
    upload = caller.connection.content()
    nar = method.takes_nar
    contents = upload.nar() if nar else upload.rest()
    search = Search(caller.store.all())
    added = _added(caller, request.name, method, contents, nar, frozenset(), search)
    return op.AddToStoreScanning.Reply(path=added.path, info=added.info)


def _method(text: str) -> Method:
    """Return a method that an upload has, which is read before the upload. Raises Refusal."""
    with meant(astray=True):
        method = Method.parse(text)
    if method != (usual := Method("text:", "sha256")) and method.kind == usual.kind:
        raise died("a text is hashed by SHA-256")
    return method


def _added(
    caller: Caller,
    name: str,
    method: Method,
    contents: Iterable[bytes],
    is_nar: bool,
    references: frozenset[str],
    search: Search | None = None,
    *,
    again: bool = False,
) -> op.AddToStore.Reply:
    """Take contents in, and add them under the path that follows from them."""
    store = caller.store
    with Spool(search, store.shelf.room()) as nar:
        if is_nar:
            nar.fill(contents)
        else:
            with Spool(None, store.shelf.room()) as plain:
                plain.fill(contents)
                nar.fill(nar_of_contents(plain.size, plain.pieces()))
        if search is not None:
            references = frozenset(search.found)
        ca = address(method, nar)
        path = ca.path(store.paths, name, store.full(references))
        base = store.paths.base(path)
        caller.keep(base)
        if store.known(base) is None:
            check_derivation(store, base, nar)
        info = PathInfo(base, nar.sha256, nar.size, references, ca=str(ca))
        added = store.add(info, nar, again=again)
    if caller.connection.protocol.minor < NEW_LAYOUT:
        return op.AddToStore.Reply(path=path)
    return op.AddToStore.Reply(path=path, info=added.told(store.paths.directory))


@answers(op.AddToStoreNar)
def add_to_store_nar(caller: Caller, request: op.AddToStoreNar) -> None:
    """Add a path with its metadata."""
    asked = UnkeyedValidPathInfo(**fields_of(request, UnkeyedValidPathInfo))
    told = ValidPathInfo(path=request.path, info=asked)
    with meant(ends=True):
        info = _info(caller, told)
    _import(
        caller,
        info,
        caller.connection.content(),
        check_sigs=not (request.dont_check_sigs and caller.trusted),
        again=request.repair,
    )


@answers(op.AddMultipleToStore)
def add_multiple_to_store(caller: Caller, request: op.AddMultipleToStore) -> None:
    """Add many paths, each with its metadata."""
    upload = caller.connection.content()
    protocol = caller.connection.protocol
    layout = item_layout(protocol)
    wire = wire_of(ValidPathInfo)
    for _ in range(upload.word()):
        told = upload.value(wire, layout)
        with meant(ends=False):
            info = _info(caller, told)
        _import(
            caller,
            info,
            upload,
            check_sigs=not (request.dont_check_sigs and caller.trusted),
            again=request.repair,
        )


@answers(op.ImportPaths)
def import_paths(caller: Caller, request: op.ImportPaths) -> op.ImportPaths.Reply:
    """Add the paths of an export stream."""
    upload = caller.connection.content()
    protocol = caller.connection.protocol
    imported = []
    store = caller.store
    while more := upload.word():
        if more != 1:
            raise Refusal("input doesn't look like something created by 'nix-store --export'")
        with Spool(None, store.shelf.room()) as nar:
            nar.fill(upload.nar())
            if upload.word() != EXPORT_MAGIC:
                raise Refusal("Nix archive cannot be imported; wrong format")
            path = upload.value(wire_of(StorePath), protocol)
            references = upload.value(wire_of(frozenset[StorePath]), protocol)
            deriver = upload.value(wire_of(MaybeStorePath), protocol)
            if upload.word():
                upload.value(wire_of(Text), protocol)
            info = PathInfo(
                caller.base(path),
                nar.sha256,
                nar.size,
                caller.bases(references),
                None if deriver is None else caller.base(deriver),
            )
            if not caller.trusted:
                _check_trust(caller, info)
            check_derivation(store, info.base, nar)
            caller.keep(info.base)
            store.add(info, nar)
        imported.append(path)
    return op.ImportPaths.Reply(paths=tuple(imported))


@answers(op.ExportPath)
def export_path(caller: Caller, request: op.ExportPath) -> op.ExportPath.Reply:
    """Send a path as an export record."""
    store = caller.store
    info = store.info(caller.base(request.path))
    tail = bytearray(EXPORT_MAGIC.to_bytes(8, "little"))
    protocol = caller.connection.protocol
    deriver = None if info.deriver is None else store.paths.full(info.deriver)
    wire_of(StorePath).write(request.path, tail, protocol)
    wire_of(frozenset[StorePath]).write(store.full(info.references), tail, protocol)
    wire_of(MaybeStorePath).write(deriver, tail, protocol)
    tail += bytes(8)

    def record() -> Iterator[bytes]:
        yield from store.nar(info.base)
        yield bytes(tail)

    return op.ExportPath.Reply(export=record())


@answers(op.NarFromPath)
def nar_from_path(caller: Caller, request: op.NarFromPath) -> op.NarFromPath.Reply:
    """Send a path as a NAR. As with Nix, what is wrong with it comes in the NAR's place."""
    base = caller.base(request.path)

    def nar() -> Iterator[bytes]:
        if caller.store.known(base) is None:
            raise Refusal(f"path {quoted(request.path)} is not a valid store path")
        yield from caller.store.nar(base)

    return op.NarFromPath.Reply(nar=nar())


@answers(op.AddSignatures)
def add_signatures(caller: Caller, request: op.AddSignatures) -> op.Done:
    """Add signatures to a path."""
    store = caller.store
    base = caller.base(request.path)
    with meant(ends=True):
        check_form(request.sigs)
    with store.lock:
        if store.known(base) is None:
            raise died("signatures of a path that is not valid")
        store.update(store.info(base).signed(request.sigs))
    return op.Done()


@answers(op.AddBuildLog)
def add_build_log(caller: Caller, request: op.AddBuildLog) -> op.Done:
    """Keep the log of a build that ran elsewhere."""
    with meant(ends=True):
        caller.store.paths.check_base(request.drv)
    if not request.drv.endswith(".drv"):
        raise died("the log of what is not a derivation")
    caller.may("you are not privileged to add logs")
    with Spool(None, caller.store.shelf.room()) as log:
        log.fill(caller.connection.content().rest())
        caller.store.shelf.append(request.drv, log.pieces())
    return op.Done()


def _info(caller: Caller, told: ValidPathInfo) -> PathInfo:
    """Return the metadata that a client sent. Raises Refusal."""
    known = told.info
    base = caller.base(told.path)
    digest = Digest.parse(known.nar_hash, "sha256")
    check_form(known.sigs)
    if known.ca is not None:
        ContentAddress.parse(known.ca)
    return PathInfo(
        base=base,
        nar_hash=digest,
        nar_size=known.nar_size,
        references=caller.bases(known.references),
        deriver=None if known.deriver is None else caller.base(known.deriver),
        registered=known.registration_time,
        ultimate=known.ultimate and caller.trusted,
        sigs=known.sigs,
        ca=known.ca,
        provenance=known.provenance,
    )


def _import(
    caller: Caller, info: PathInfo, upload: Incoming, *, check_sigs: bool, again: bool
) -> None:
    """Take a NAR in and add it under its metadata, if that is true of it. Raises Refusal."""
    store = caller.store
    path = store.paths.full(info.base)
    if check_sigs:
        _check_trust(caller, info)
    caller.keep(info.base)
    with Spool(None, store.shelf.room()) as nar:
        nar.fill(upload.nar())
        if store.known(info.base) is not None and not again:
            return
        if nar.sha256 != info.nar_hash:
            raise Refusal(
                f"hash mismatch importing path {quoted(path)};\n  specified: {info.nar_hash}\n"
                f"  got:       {nar.sha256}",
                status=102,
            )
        if nar.size != info.nar_size:
            raise Refusal(
                f"size mismatch importing path {quoted(path)};\n  specified: {info.nar_size}\n"
                f"  got:       {nar.size}"
            )
        _check_contents(caller, info, nar)
        check_derivation(store, info.base, nar)
        store.add(info, nar, again=again)


def _check_trust(caller: Caller, info: PathInfo) -> None:
    """Raise Refusal for a path that neither its contents nor a trusted key vouches for."""
    paths = caller.store.paths
    if not caller.require_sigs:
        return
    if info.ca is not None:
        others = caller.store.full(info.references - {info.base})
        itself = info.base in info.references
        ca = ContentAddress.parse(info.ca)
        if ca.path(paths, name_of(info.base), others, itself) == paths.full(info.base):
            return
    if not vouched(info, paths, caller.trusted_keys()):
        raise Refusal(
            f"cannot add path {quoted(paths.full(info.base))} because it lacks a signature by a"
            " trusted key"
        )


def _check_contents(caller: Caller, info: PathInfo, nar: Spool) -> None:
    """Raise Refusal for a NAR that is not what the content address says."""
    if info.ca is None or info.base in info.references:
        return  # with a reference to itself the NAR would have to be hashed without it
    ca = ContentAddress.parse(info.ca)
    real = address(ca.method, nar)
    if real.digest != ca.digest:
        raise Refusal(
            f"ca hash mismatch importing path {quoted(caller.store.paths.full(info.base))};\n"
            f"  specified: {ca.digest.sri}\n  got:       {real.digest.sri}"
        )
