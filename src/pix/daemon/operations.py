"""One method for each current operation: build the request, ask, give back what matters.

Names and arguments are those of the declarations in `pix.protocol.operations`, where each
operation is explained; the obsolete ones are reached by `call`. A method falls back to what
older daemons understand where another operation says the same, and otherwise says what is
missing.

All raise NixDaemonError for what the daemon refuses, and EncodeError, a ValueError, before
anything is sent, for arguments that the negotiated version cannot carry.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Protocol

from pix.codec.declare import fields_of, record_of
from pix.codec.errors import EncodeError, GateError
from pix.codec.gates import Protocol as Version
from pix.codec.payload import Source, pieces
from pix.codec.wire import bytes_of, text_of
from pix.daemon import upload
from pix.daemon.arguments import expected, instance, iterable, one_by_one, several
from pix.daemon.dialogue import Write
from pix.daemon.errors import NixDaemonError
from pix.daemon.path_info import PathInfo
from pix.daemon.path_names import base_name, derived_path
from pix.daemon.upload import Item
from pix.protocol import operations as op
from pix.protocol.derived_path import SingleDerivedPath
from pix.protocol.types import (
    DELETE_DEAD_REFERRERS,
    REALISATION_WITH_PATH,
    BasicDerivation,
    BuildMode,
    BuildResult,
    DrvOutput,
    GCAction,
    KeyedBuildResult,
    Realisation,
    Root,
    SpecificPaths,
    UnkeyedRealisation,
    UnkeyedValidPathInfo,
    ValidPathInfo,
)
from pix.untrusted import parse_json

UNLIMITED = (1 << 64) - 1


class Target(Protocol):
    """An open binary file, or what acts like one."""

    def write(self, data: bytes, /) -> Any:
        """Take all of `data`."""


class Operations:
    """What can be asked of a daemon; `call` and `nar` carry it there."""

    @property
    def protocol(self) -> Version:
        """The version and features in force."""
        raise NotImplementedError

    def call(self, request: Any, write: Write | None = None) -> Any:
        """Ask `request` and return its reply."""
        raise NotImplementedError

    def nar(self, path: str) -> Iterator[bytes]:
        """Yield the NAR of `path`."""
        raise NotImplementedError

    # what is there

    def is_valid_path(self, path: str) -> bool:
        """Return whether `path` is in the store, complete and registered."""
        return bool(self.call(op.IsValidPath(path=path)).valid)

    def query_valid_paths(self, paths: Iterable[str], substitute: bool = False) -> set[str]:
        """Return those of `paths` that are valid; `substitute` the others first, if possible."""
        wanted = several(paths)
        if instance(bool, substitute) and self.protocol.minor < 27:
            missing = wanted - self.query_valid_paths(wanted)
            for path in sorted(self.query_substitutable_paths(missing)):
                with suppress(NixDaemonError):
                    self.ensure_path(path)
            substitute = False
        return set(self.call(op.QueryValidPaths(paths=wanted, substitute=substitute)).paths)

    def query_all_valid_paths(self) -> set[str]:
        """Return every valid path."""
        return set(self.call(op.QueryAllValidPaths()).paths)

    def query_path_info(self, path: str) -> PathInfo:
        """Return what the store knows about `path`. Raises NixDaemonError when it is not valid."""
        info = self.call(op.QueryPathInfo(path=path)).info
        if info is None:
            raise NixDaemonError(f"path '{path}' is not valid")
        return PathInfo.of(info)

    def query_path_infos(self, paths: Iterable[str]) -> list[ValidPathInfo]:
        """Return what is known of those of `paths` that are valid (Determinate Nix)."""
        return list(self.call(op.QueryPathInfos(paths=several(paths))).infos)

    def query_path_from_hash_part(self, hash_part: str) -> str | None:
        """Return the valid path with these 32 characters, None when there is none."""
        path: str | None = self.call(op.QueryPathFromHashPart(hash_part=hash_part)).path
        return path

    def query_referrers(self, path: str) -> set[str]:
        """Return the valid paths that refer to `path`."""
        return set(self.call(op.QueryReferrers(path=path)).referrers)

    def query_valid_derivers(self, path: str) -> set[str]:
        """Return the valid derivations that have `path` as an output."""
        return set(self.call(op.QueryValidDerivers(path=path)).derivers)

    def query_derivation_output_map(self, path: str) -> dict[str, str | None]:
        """Return a derivation's output paths by name, None for one not known yet."""
        return dict(self.call(op.QueryDerivationOutputMap(path=path)).outputs)

    def query_substitutable_paths(self, paths: Iterable[str]) -> set[str]:
        """Return those of `paths` that a substituter could provide."""
        return set(self.call(op.QuerySubstitutablePaths(paths=several(paths))).paths)

    def query_missing(self, paths: Iterable[str]) -> op.QueryMissing.Reply:
        """Return what would have to be built and fetched to get `paths`, sizes in bytes."""
        reply = self.call(op.QueryMissing(paths=self._derived(paths)))
        assert isinstance(reply, op.QueryMissing.Reply)
        return reply

    def query_realisation(self, output: str | DrvOutput) -> op.QueryRealisation.Reply:
        """Return what an output of a content-addressed derivation turned out to be.

        `output` is `ALGO:HEX!NAME`, or a DrvOutput where realisation-with-path-not-hash is in
        force; the reply's field follows the version, too.
        """
        if isinstance(output, DrvOutput):
            reply = self.call(op.QueryRealisation(output=output))
        else:
            reply = self.call(op.QueryRealisation(id=output))
        assert isinstance(reply, op.QueryRealisation.Reply)
        return reply

    def query_active_builds(self) -> Any:
        """Return the running builds, a list as the daemon's JSON has it (Determinate Nix)."""
        text = self.call(op.QueryActiveBuilds()).builds
        try:
            return parse_json(text)
        except ValueError as error:
            raise NixDaemonError(f"the daemon's list of builds is not JSON: {error}") from None

    # adding

    def add_text_to_store(
        self, name: str, content: str | bytes, references: Iterable[str] | None = None
    ) -> str:
        """Add a file with this content and these references; return its path."""
        refs = several(references or ())
        if not isinstance(content, (str, bytes)):
            raise expected("a text or bytes", content)
        if self.protocol.minor < 25:
            text = content if isinstance(content, str) else text_of(content)
            request: Any = op.AddTextToStore(name=name, text=text, references=refs)
        else:
            raw = bytes_of(content) if isinstance(content, str) else content
            request = op.AddToStore(name=name, method="text:sha256", references=refs, dump=raw)
        return str(self.call(request).path)

    def add_to_store(
        self,
        name: str,
        source: Source,
        method: str = "fixed:r:sha256",
        references: Iterable[str] = (),
        repair: bool = False,
    ) -> str:
        """Add a file or a tree whose path follows from its contents; return that path.

        `source` is a NAR for `fixed:r:ALGO` and `fixed:git:ALGO` (`nar_of` makes it of files), and
        the file's own bytes for `fixed:ALGO` and `text:ALGO`. It is read once, in pieces.
        """
        refs = several(references)
        if self.protocol.minor >= 25:
            new = op.AddToStore(
                name=name,
                method=method,
                references=refs,
                repair=repair,
                dump=source,
            )
            return str(self.call(new).path)
        if method == "text:sha256" and not repair:
            return self.add_text_to_store(name, b"".join(pieces(source)), refs)
        kind, _, algo = instance(str, method).rpartition(":")
        if kind not in ("fixed", "fixed:r"):
            raise EncodeError("AddToStore.method", f"{method} needs 1.25, this is {self.protocol}")
        nar = source if kind == "fixed:r" else upload.file_nar(source)
        old = op.AddToStore(
            name=name,
            fixed=method != "fixed:r:sha256",
            recursive=int(kind == "fixed:r"),
            hash_algo=algo,
            references=refs,
            repair=repair,
            dump=nar,
        )
        return str(self.call(old).path)

    def add_to_store_nar(
        self,
        info: ValidPathInfo,
        source: Source,
        repair: bool = False,
        dont_check_sigs: bool = False,
    ) -> None:
        """Add a path with its metadata; `source` is its NAR."""
        known = instance(UnkeyedValidPathInfo, instance(ValidPathInfo, info).info)
        request = op.AddToStoreNar(
            path=info.path,
            **fields_of(known, UnkeyedValidPathInfo),
            repair=repair,
            dont_check_sigs=dont_check_sigs,
            nar=source,
        )
        self.call(request)

    def add_multiple_to_store(
        self, items: Iterable[Item], repair: bool = False, dont_check_sigs: bool = False
    ) -> None:
        """Add many paths, references first: pairs of a ValidPathInfo and its NAR.

        Daemons before 1.32 get them one by one.
        """
        every: Sequence[Item] = list(iterable(items))
        for pair in every:
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise expected("a pair of ValidPathInfo and NAR", pair)
            instance(ValidPathInfo, pair[0])
        if self.protocol.minor < 32:
            for info, source in every:
                self.add_to_store_nar(info, source, repair, dont_check_sigs)
            return
        content = upload.paths(every, self.protocol)
        self.call(
            op.AddMultipleToStore(repair=repair, dont_check_sigs=dont_check_sigs, items=content)
        )

    def add_to_store_scanning(self, name: str, source: Source, method: str) -> ValidPathInfo:
        """Inside a build: add contents whose references the daemon finds itself."""
        dump = source
        reply = self.call(op.AddToStoreScanning(name=name, method=method, dump=dump))
        return ValidPathInfo(path=reply.path, info=reply.info)

    def import_paths(self, source: Source) -> list[str]:
        """Add the paths of an export stream (until Nix 2.31); return them in its order."""
        return list(self.call(op.ImportPaths(export=source)).paths)

    def add_build_log(self, drv: str, source: Source) -> None:
        """Add the log of a derivation's build that ran elsewhere; trusted clients only."""
        self.call(op.AddBuildLog(drv=base_name(drv), log=source))

    def add_signatures(self, path: str, sigs: Iterable[str]) -> None:
        """Add signatures, `KEY:BASE64` each, to a path."""
        self.call(op.AddSignatures(path=path, sigs=several(sigs)))

    def register_drv_output(
        self, output: str | DrvOutput, out_path: str, signatures: Iterable[str] = ()
    ) -> None:
        """Say what an output of a content-addressed derivation turned out to be.

        `output` as in query_realisation, `out_path` the full store path.
        """
        sigs = several(signatures)
        if REALISATION_WITH_PATH in self.protocol.features:
            if isinstance(output, str):
                raise EncodeError("RegisterDrvOutput", "a DrvOutput is needed with this daemon")
            value = UnkeyedRealisation(out_path=out_path, signatures=sigs)
            request = op.RegisterDrvOutput(realisation=Realisation(id=output, realisation=value))
        elif isinstance(output, DrvOutput):
            raise EncodeError("RegisterDrvOutput", "ALGO:HEX!NAME is needed with this daemon")
        elif self.protocol.minor < 31:
            request = op.RegisterDrvOutput(id=output, out_path=base_name(out_path))
        else:
            value_json = {
                "dependentRealisations": {},
                "id": instance(str, output),
                "outPath": base_name(out_path),
                "signatures": sorted(sigs),
            }
            text = json.dumps(value_json, separators=(",", ":"))
            request = op.RegisterDrvOutput(realisation_json=text)
        self.call(request)

    # getting

    def nar_from_path(self, path: str, target: Target) -> int:
        """Write the NAR of `path` to `target`, in pieces as they come; return its size in bytes.

        An error may come when part of it is written: the daemon begins before it knows.
        """
        size = 0
        for piece in self.nar(path):
            target.write(piece)
            size += len(piece)
        return size

    # building

    def build_paths(self, paths: Iterable[str], build_mode: int = BuildMode.NORMAL) -> None:
        """Build or substitute `DRV^OUTPUT`, `DRV^*` or plain paths; a failure is an error."""
        self.call(op.BuildPaths(paths=self._derived(paths), mode=BuildMode.of(build_mode)))

    def build_paths_with_results(
        self, paths: Iterable[str], build_mode: int = BuildMode.NORMAL
    ) -> list[KeyedBuildResult]:
        """Build like build_paths; return how each ended, failures included (1.34)."""
        mode = BuildMode.of(build_mode)
        request = op.BuildPathsWithResults(paths=self._derived(paths), mode=mode)
        return list(self.call(request).results)

    def build_derivation(
        self, drv_path: str, derivation: BasicDerivation, build_mode: int = BuildMode.NORMAL
    ) -> BuildResult:
        """Build a derivation that is sent along; return how that ended, failures included."""
        mode = BuildMode.of(build_mode)
        request = op.BuildDerivation(drv_path=drv_path, derivation=derivation, mode=mode)
        result = self.call(request).result
        assert isinstance(result, BuildResult)
        return result

    def ensure_path(self, path: str) -> None:
        """Make `path` valid, by substituting it if need be."""
        self.call(op.EnsurePath(path=path))

    def submit_output(self, path: str | SingleDerivedPath, output_name: str) -> None:
        """Inside a build: say what an output of the build is to be."""
        single = SingleDerivedPath(path) if isinstance(path, str) else path
        self.call(op.SubmitOutput(path=single, output_name=output_name))

    # keeping and collecting

    def add_temp_root(self, path: str) -> None:
        """Keep `path` from the garbage collector while the connection lasts."""
        self.call(op.AddTempRoot(path=path))

    def add_temp_roots(self, paths: Iterable[str]) -> None:
        """Keep many paths at once (Determinate Nix)."""
        self.call(op.AddTempRoots(paths=several(paths)))

    def add_indirect_root(self, link: str) -> None:
        """Let the symlink `link`, outside the store, be a garbage collector root."""
        self.call(op.AddIndirectRoot(link=link))

    def add_perm_root(self, path: str, gc_root: str) -> str:
        """Make the symlink `gc_root` to `path`, on the daemon's side (1.36); return it."""
        return str(self.call(op.AddPermRoot(path=path, gc_root=gc_root)).gc_root)

    def find_roots(self) -> list[Root]:
        """Return the garbage collector roots; a target may occur several times."""
        return list(self.call(op.FindRoots()).roots)

    def collect_garbage(
        self,
        action: GCAction | int,
        paths: Iterable[str] = (),
        ignore_liveness: bool = False,
        max_freed: int = UNLIMITED,
        delete_referrers: bool = False,
    ) -> op.CollectGarbage.Reply:
        """List or delete garbage, as the GCAction says; return which paths, and bytes freed.

        `paths` are for DELETE_SPECIFIC, `max_freed` is in bytes, `delete_referrers` needs the
        feature delete-dead-specific-referrers.
        """
        which = several(paths)
        request = op.CollectGarbage(
            action=GCAction.of(action), ignore_liveness=ignore_liveness, max_freed=max_freed
        )
        if DELETE_DEAD_REFERRERS not in self.protocol.features:
            if delete_referrers:
                why = f"needs the feature {DELETE_DEAD_REFERRERS}"
                raise GateError("CollectGarbage.delete_referrers", why)
            request.paths_to_delete = which
        elif which or action in (GCAction.DELETE_SPECIFIC, GCAction.TRY_DELETE_SPECIFIC):
            request.target = SpecificPaths(paths=which, delete_referrers=delete_referrers)
        reply = self.call(request)
        assert isinstance(reply, op.CollectGarbage.Reply)
        return reply

    def optimise_store(self) -> None:
        """Replace equal files in the store by hard links."""
        self.call(op.OptimiseStore())

    def verify_store(self, check_contents: bool = False, repair: bool = False) -> bool:
        """Check the store; return whether errors remain."""
        request = op.VerifyStore(check_contents=check_contents, repair=repair)
        return bool(self.call(request).errors_remain)

    def set_options(self, overrides: dict[str, str] | None = None, **options: int) -> None:
        """Tell the daemon our settings: fields of SetOptions, and any others by name."""
        known = {field.name for field in record_of(op.SetOptions).fields}
        if unknown := options.keys() - known:
            raise EncodeError("SetOptions", f"has no field {', '.join(sorted(unknown))}")
        self.call(op.SetOptions(**options, overrides=dict(instance(dict, overrides or {}))))

    def _derived(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Return what is to be built in the words of the version. Raises EncodeError."""
        return tuple(derived_path(path, self.protocol) for path in one_by_one(paths))
