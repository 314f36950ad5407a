"""Every operation of the worker protocol, in the order of their numbers.

A class is a request: the operation's number, then its fields in wire order. `Reply` is what
follows STDERR_LAST; an operation without one has no reply fields. `since(25)` puts a field on
the wire from protocol 1.25 on, `until(25)` before it, `feature(...)` where that feature
string was negotiated. `payload(...)` is the bulk data behind the fields and how it travels.

Daemons do not gate operations by version: each answers every number it knows.
`Version(25, nix="2.4")` is protocol 1.25, first spoken by Nix 2.4; an operation that does not
say when it was introduced is as old as 0.11.
Source: Nix `worker-protocol.hh`, `daemon.cc`, `remote-store.cc`, tags 1.0 to 2.35 and master;
Lix and Determinate Nix where they are named.
"""

from __future__ import annotations

from typing import Annotated

from pix.codec.declare import (
    Many,
    Unread,
    Version,
    feature,
    field,
    operation,
    payload,
    record,
    since,
    until,
    wire_of,
    without,
)
from pix.codec.gates import ALWAYS, Gate
from pix.codec.payload import FRAMES, PULLED, RAW_NAR, WRITTEN, Source
from pix.codec.records import MISSING, Maybe
from pix.protocol.types import (
    ADD_TEMP_ROOTS,
    ADD_TO_STORE_SCANNING,
    DELETE_DEAD_REFERRERS,
    PROVENANCE,
    QUERY_ACTIVE_BUILDS,
    QUERY_PATH_INFOS,
    REALISATION_WITH_PATH,
    SUBMIT_OUTPUT,
    U64,
    Action,
    AnyBool,
    BaseName,
    BasicDerivation,
    Bool,
    BuildMode,
    BuildResult,
    ContentAddressMethod,
    Contents,
    DerivedPath,
    DerivedPathOf,
    DrvOutput,
    DrvOutputText,
    FilePath,
    GCPaths,
    HashName,
    HashPart,
    Json,
    KeyedBuildResult,
    KeyedSubstitutablePathInfo,
    MaybeContentAddress,
    MaybeRealisation,
    MaybeStorePath,
    Mode,
    Name,
    NarHash,
    OutputName,
    Realisation,
    RealisationJson,
    Root,
    Signature,
    Size,
    StorePath,
    SubstitutablePathInfo,
    Text,
    Time,
    UInt,
    UnkeyedValidPathInfo,
    ValidPathInfo,
    VerbosityNumber,
)


@record
class Done:
    """A word that clients read and ignore."""

    done: U64 = field("always 1", default=1)


@record
class Paths:
    """Some store paths."""

    paths: frozenset[StorePath] = field("the paths")


@operation(0, removed=Version(10, nix="1.0"), instead="closing the connection")
class Quit:
    """End the connection; never handled by any daemon in range."""


@operation(1, many=Many("QueryValidPaths"))
class IsValidPath:
    """Is this path in the store, complete and registered?"""

    path: StorePath = field("the path asked about")

    @record
    class Reply:
        """Whether it is."""

        valid: AnyBool = field("whether the path is valid")


@operation(
    3,
    obsolete=Version(12, nix="1.2"),
    removed=Version(nix="2.34", lix="2.91"),
    instead="QuerySubstitutablePaths",
    many=Many("QuerySubstitutablePaths"),
)
class HasSubstitutes:
    """Could a substituter provide this path?"""

    path: StorePath = field("the path asked about")

    @record
    class Reply:
        """Whether one could."""

        substitutable: AnyBool = field("whether a substituter has the path")


@operation(
    4,
    obsolete=Version(16, nix="2.0"),
    removed=Version(nix="2.34", lix="2.91"),
    instead="QueryPathInfo",
    many=Many("QueryPathInfo", ", which says all at once", since=16),
)
class QueryPathHash:
    """What is the hash of this path's NAR?"""

    path: StorePath = field("the path asked about")

    @record
    class Reply:
        """The hash."""

        nar_hash: NarHash = field("SHA-256 of the path's NAR")


@operation(
    5,
    obsolete=Version(16, nix="2.0"),
    removed=Version(nix="2.34", lix="2.91"),
    instead="QueryPathInfo",
    many=Many("QueryPathInfo", ", which says all at once", since=16),
)
class QueryReferences:
    """Which paths does this path refer to?"""

    path: StorePath = field("the path asked about")

    @record
    class Reply:
        """The references."""

        references: frozenset[StorePath] = field("the paths it refers to")


@operation(6)
class QueryReferrers:
    """Which valid paths refer to this path?"""

    path: StorePath = field("the path asked about")

    @record
    class Reply:
        """The referrers."""

        referrers: frozenset[StorePath] = field("the paths that refer to it")


@operation(
    7,
    introduced=Version(0, remark="; another layout since 1.25 (Nix 2.4)"),
    notes=(
        "Until 1.24 the dump is always a NAR, even for a flat file (then of one regular file).",
        "Since 1.25 text:… and fixed:ALGO send the plain bytes, r: and git: send a NAR.",
    ),
    unread=Unread.METHOD,
)
class AddToStore:
    """Add a file or a tree, whose path then follows from its contents."""

    name: Name = field("the name part of the new path")
    fixed: Bool = until(25, default=False, doc="0: SHA-256 of the NAR, whatever the next two say")
    recursive: UInt = until(25, default=1, doc="0 hash the file's bytes, 1 hash the NAR")
    hash_algo: HashName = until(25, default="sha256", doc="the hash algorithm")
    method: ContentAddressMethod = since(
        25, default="fixed:r:sha256", doc="how the path follows from the contents"
    )
    references: frozenset[StorePath] = since(
        25, default=frozenset(), doc="the paths it refers to (text: and r: only)"
    )
    repair: Bool = since(25, default=False, doc="write it again even if valid")
    provenance: Json = feature(PROVENANCE, default="", doc="where it came from, JSON or empty")
    dump: Source = payload(
        "the contents", (Gate(until=25), RAW_NAR), (Gate(since=25), FRAMES), content="by method"
    )

    @record
    class Reply:
        """What was added."""

        path: StorePath = field("the new path")
        info: UnkeyedValidPathInfo = since(25, default=MISSING, doc="what the store knows about it")


@operation(8, obsolete=Version(25, nix="2.4"), removed=Version(lix="2.94"), instead="AddToStore")
class AddTextToStore:
    """Add a small file given as a string."""

    name: Name = field("the name part of the new path")
    text: Contents = field("the contents")
    references: frozenset[StorePath] = field("the paths it refers to", default=frozenset())

    @record
    class Reply:
        """What was added."""

        path: StorePath = field("the new path")


@operation(
    9,
    introduced=Version(0, remark="; named BuildDerivations in Nix 1.0"),
    notes=("Repair needs a trusted client; otherwise an error, then the daemon closes.",),
    many=Many("BuildPaths", " with all paths at once"),
)
class BuildPaths:
    """Build or substitute these; failures come as an error."""

    paths: tuple[DerivedPath, ...] = field("what to build")
    mode: Mode = since(15, default=BuildMode.NORMAL, doc="build, repair or check")

    Reply = Done


@operation(10, many=Many("BuildPaths", " with all paths at once", since=13))
class EnsurePath:
    """Make this path valid, by substituting it if need be."""

    path: StorePath = field("the path wanted")

    Reply = Done


@operation(
    11,
    notes=("Nix master leaves it out for paths already rooted on the connection.",),
    many=Many("AddTempRoots"),
)
class AddTempRoot:
    """Keep this path from the garbage collector while the connection lasts."""

    path: StorePath = field("the path to keep")

    Reply = Done


@operation(12)
class AddIndirectRoot:
    """Let a symlink outside the store be a garbage collector root."""

    link: FilePath = field("the symlink's absolute name; not a store path")

    Reply = Done


@operation(
    13,
    obsolete=Version(nix="2.5", remark=" (daemons answer without doing anything)"),
    removed=Version(lix="2.94"),
    instead="nothing: roots are registered without it",
)
class SyncWithGC:
    """Wait until a running garbage collection has seen this client's roots."""

    Reply = Done


@operation(14)
class FindRoots:
    """List the garbage collector roots."""

    @record
    class Reply:
        """The roots, in no particular order; a target may occur several times."""

        roots: tuple[Root, ...] = field("each root and what it keeps alive")


@operation(15, removed=Version(2), instead="CollectGarbage")
class OldCollectGarbage:
    """The first garbage collection request; its layout is gone with it."""


@operation(
    16,
    obsolete=Version(17, nix="2.0"),
    removed=Version(nix="2.32", lix="2.91"),
    instead="NarFromPath",
)
class ExportPath:
    """Send one path as an export record."""

    path: StorePath = field("the path to export")
    sign: UInt = field("0 or 1, ignored", default=0)

    @record
    class Reply:
        """The end of the export."""

        export: Source = payload(
            "one export record: NAR, path, references, deriver",
            (ALWAYS, WRITTEN),
            content="export record",
            default=b"",
        )
        done: U64 = field("always 1", default=1)


@operation(17, removed=Version(9), instead="ImportPaths")
class ImportPath:
    """The first import request; its layout is gone with it."""


@operation(
    18, obsolete=Version(16, nix="2.0"), removed=Version(lix="2.91"), instead="QueryPathInfo"
)
class QueryDeriver:
    """Which derivation produced this path?"""

    path: StorePath = field("the path asked about")

    @record
    class Reply:
        """The deriver."""

        deriver: MaybeStorePath = field("the derivation, if known")


@operation(
    19,
    notes=(
        "Usually the first operation, not sent by ssh-ng clients, may come again at any time.",
        "An untrusted client's overrides are ignored unless they are harmless.",
    ),
)
class SetOptions:
    """Tell the daemon the client's settings."""

    keep_failed: UInt = field("keep the build directory of a failed build", default=0)
    keep_going: UInt = field("go on with other builds after a failure", default=0)
    try_fallback: UInt = field("build when substituting fails", default=0)
    verbosity: VerbosityNumber = field("how much to log, in the client's counting", default=3)
    max_build_jobs: UInt = field("builds at a time", default=1)
    max_silent_time: UInt = field("seconds a build may be silent, 0 for ever", default=0)
    use_build_hook: UInt = field("obsolete: Nix 2.0 and later always send 1", default=1)
    verbose_build: VerbosityNumber = field(
        "a verbosity: 0 to show build output, the highest not to", default=0
    )
    log_type: UInt = field(
        "obsolete: 0 pretty, 1 escapes, 2 flat; always 0 since Nix 2.0", default=0
    )
    print_build_trace: UInt = field("obsolete: always 0 since Nix 2.0", default=0)
    build_cores: UInt = field("NIX_BUILD_CORES, 0 for all", default=0)
    use_substitutes: UInt = field("whether to substitute", default=1)
    overrides: dict[Text, Text] = since(12, default_factory=dict, doc="further settings by name")


@operation(
    20,
    introduced=Version(2),
    notes=(
        "Unlimited max_freed is 2^64 − 1.",
        "Every daemon refuses ignore_liveness.",
        "Nix 2.35 and later refuse DeleteDead of given paths where the feature is not in force.",
    ),
)
class CollectGarbage:
    """Find or delete garbage."""

    action: Action = field("what to do")
    target: GCPaths = feature(
        DELETE_DEAD_REFERRERS, default=None, doc="the whole store, or which paths"
    )
    paths_to_delete: frozenset[StorePath] = without(
        DELETE_DEAD_REFERRERS, default=frozenset(), doc="which paths, when deleting specific ones"
    )
    ignore_liveness: Bool = field("delete even what is alive", default=False)
    max_freed: U64 = field("stop after so many bytes", default=(1 << 64) - 1)
    obsolete_1: UInt = field("always 0", default=0)
    obsolete_2: UInt = field("always 0", default=0)
    obsolete_3: UInt = field("always 0", default=0)

    @record
    class Reply:
        """What was found or deleted."""

        paths: tuple[Text, ...] = field("the paths found or deleted")
        bytes_freed: Size = field("bytes freed, or that would be")
        obsolete: U64 = field("always 0; blocks freed in Nix 1.0 and 1.1", default=0)


@operation(
    21,
    introduced=Version(2),
    obsolete=Version(12, nix="1.2"),
    instead="QuerySubstitutablePathInfos",
    many=Many("QuerySubstitutablePathInfos"),
)
class QuerySubstitutablePathInfo:
    """What do substituters know about this path?"""

    path: StorePath = field("the path asked about")

    @record
    class Reply:
        """What they know, if anything."""

        info: Annotated[
            SubstitutablePathInfo | None, Maybe(wire_of(SubstitutablePathInfo), lenient=True)
        ] = field("what the substituter says", default=None)


@operation(
    22,
    introduced=Version(5),
    obsolete=Version(22, nix="2.4"),
    removed=Version(lix="2.94"),
    instead="QueryDerivationOutputMap",
)
class QueryDerivationOutputs:
    """Which paths does this derivation produce?"""

    path: StorePath = field("the derivation")

    @record
    class Reply:
        """The output paths."""

        outputs: frozenset[StorePath] = field("the output paths")


@operation(23, introduced=Version(5, remark="; named QueryValidPaths in Nix 1.0 and 1.1"))
class QueryAllValidPaths:
    """List every valid path."""

    Reply = Paths


@operation(24, introduced=Version(5), removed=Version(16, nix="2.0"))
class QueryFailedPaths:
    """List the paths whose build is known to fail."""

    Reply = Paths


@operation(25, introduced=Version(5), removed=Version(16, nix="2.0"))
class ClearFailedPaths:
    """Forget that the builds of these paths failed."""

    paths: tuple[Text, ...] = field("the paths, or * for all")

    Reply = Done


@operation(
    26,
    introduced=Version(6),
    notes=(
        "Until 1.16 a missing path is an error that says 'is not valid'.",
        "So it is with the daemons of Nix 2.32.0 to 2.32.5 and 2.33.0 to 2.33.2.",
    ),
    many=Many("QueryPathInfos"),
)
class QueryPathInfo:
    """What does the store know about this path?"""

    path: StorePath = field("the path asked about")

    @record
    class Reply:
        """What it knows, if the path is valid."""

        info: Annotated[
            UnkeyedValidPathInfo | None,
            Maybe(wire_of(UnkeyedValidPathInfo), "valid", lenient=True, gate=Gate(since=17)),
        ] = field("what is known, nothing for a path that is not valid", default=None)


@operation(
    27,
    introduced=Version(9),
    obsolete=Version(18, nix="2.0"),
    removed=Version(nix="2.32", lix="2.91"),
    instead="AddToStoreNar",
    early_log=True,
)
class ImportPaths:
    """Add the paths of an export stream."""

    export: Source = payload(
        "an export stream: 1 and a record, again and again, then 0",
        (ALWAYS, PULLED),
        content="export",
        default=b"",
    )

    @record
    class Reply:
        """What was imported."""

        paths: tuple[StorePath, ...] = field("the paths, in the order of the stream")


@operation(
    28,
    introduced=Version(8),
    obsolete=Version(22, nix="2.4"),
    removed=Version(lix="2.94"),
    instead="QueryDerivationOutputMap",
)
class QueryDerivationOutputNames:
    """Which outputs does this derivation have?"""

    path: StorePath = field("the derivation")

    @record
    class Reply:
        """The output names."""

        names: frozenset[OutputName] = field("the output names")


@operation(29, introduced=Version(11, nix="1.1"))
class QueryPathFromHashPart:
    """Which valid path has this hash part?"""

    hash_part: HashPart = field("the 32 characters behind the store directory")

    @record
    class Reply:
        """The path, if there is one."""

        path: MaybeStorePath = field("the path, empty when there is none")


@operation(
    30,
    introduced=Version(12, nix="1.2"),
    obsolete=Version(19, nix="2.0", remark=": clients use it only below 1.19"),
    instead="QueryMissing",
)
class QuerySubstitutablePathInfos:
    """What do substituters know about these paths?"""

    paths: frozenset[StorePath] = until(22, default=frozenset(), doc="the paths asked about")
    paths_with_ca: dict[StorePath, MaybeContentAddress] = since(
        22, default_factory=dict, doc="the paths asked about, with their content address if known"
    )

    @record
    class Reply:
        """What they know; paths that no substituter has are left out."""

        infos: tuple[KeyedSubstitutablePathInfo, ...] = field("each path and what is known of it")


@operation(31, introduced=Version(12, nix="1.2"))
class QueryValidPaths:
    """Which of these paths are valid?"""

    paths: frozenset[StorePath] = field("the paths asked about")
    substitute: AnyBool = since(27, default=False, doc="substitute those that are not")

    Reply = Paths


@operation(32, introduced=Version(12, nix="1.2"))
class QuerySubstitutablePaths:
    """Which of these paths could a substituter provide?"""

    paths: frozenset[StorePath] = field("the paths asked about")

    Reply = Paths


@operation(33, introduced=Version(13, nix="1.3"))
class QueryValidDerivers:
    """Which valid derivations have this path as an output?"""

    path: StorePath = field("the path asked about")

    @record
    class Reply:
        """The derivers."""

        derivers: frozenset[StorePath] = field("the derivations")


@operation(34, introduced=Version(14, nix="1.8"))
class OptimiseStore:
    """Replace equal files in the store by hard links."""

    Reply = Done


@operation(
    35,
    introduced=Version(14, nix="1.9"),
    notes=("Repair needs a trusted client; the error comes after the work began.",),
)
class VerifyStore:
    """Check the store, and repair it if asked to."""

    check_contents: Bool = field("hash every path", default=False)
    repair: Bool = field("fetch or build what is corrupt again", default=False)

    @record
    class Reply:
        """Whether anything is wrong."""

        errors_remain: AnyBool = field("whether errors remain")


@operation(
    36,
    introduced=Version(14, nix="1.10"),
    notes=("Needs a trusted client unless (Nix 2.4) the derivation is content-addressed.",),
)
class BuildDerivation:
    """Build a derivation that is sent along; what remote builders are asked."""

    drv_path: StorePath = field("the derivation's path")
    derivation: BasicDerivation = field("the derivation itself")
    mode: Mode = field("build, repair or check", default=BuildMode.NORMAL)

    @record
    class Reply:
        """How the build ended."""

        result: BuildResult = field("how the build ended")


@operation(37, introduced=Version(16, nix="2.0"), notes=("Needs a trusted client until Nix 2.16.",))
class AddSignatures:
    """Add signatures to a path."""

    path: StorePath = field("the path")
    sigs: frozenset[Signature] = field("the signatures")

    Reply = Done


@operation(
    38,
    introduced=Version(17, nix="2.0"),
    notes=(
        "STDERR_LAST comes before the path is opened: failures come in the middle of the NAR,"
        " as two STDERR_ERROR frames, then the daemon closes.",
    ),
)
class NarFromPath:
    """Send this path as a NAR."""

    path: StorePath = field("the path wanted")

    @record
    class Reply:
        """The NAR, as it is."""

        nar: Source = payload("the path's NAR", (ALWAYS, RAW_NAR), content="nar")


@operation(39, introduced=Version(17, nix="2.0"), many=Many("AddMultipleToStore"))
class AddToStoreNar:
    """Add a path with its metadata."""

    path: StorePath = field("the path")
    deriver: MaybeStorePath = field("the derivation that produced it, if known", default=None)
    nar_hash: NarHash = field("SHA-256 of its NAR")
    references: frozenset[StorePath] = field("the paths it refers to", default=frozenset())
    registration_time: Time = field("when it became valid", default=0)
    nar_size: Size = field("bytes in its NAR")
    ultimate: Bool = field("built here, so trusted without signature", default=False)
    sigs: frozenset[Signature] = field("who vouches for it", default=frozenset())
    ca: MaybeContentAddress = field("how its path follows from its contents", default=None)
    provenance: Json = feature(PROVENANCE, default="", doc="where it came from, JSON or empty")
    repair: Bool = field("write it again even if valid", default=False)
    dont_check_sigs: Bool = field("take it without signature; trusted only", default=False)
    nar: Source = payload(
        "the path's NAR",
        (Gate(until=21), RAW_NAR),
        (Gate(since=21, until=23), PULLED),
        (Gate(since=23), FRAMES),
        content="nar",
    )


@operation(40, introduced=Version(19, nix="2.0"))
class QueryMissing:
    """What would have to be built and fetched to get these?"""

    paths: tuple[DerivedPath, ...] = field("what is wanted")

    @record
    class Reply:
        """What would have to be done."""

        will_build: frozenset[StorePath] = field("derivations to build")
        will_substitute: frozenset[StorePath] = field("paths to fetch")
        unknown: frozenset[StorePath] = field("paths nobody knows how to get")
        download_size: Size = field("bytes to download")
        nar_size: Size = field("bytes of the NARs of what is fetched")


@operation(41, introduced=Version(22, nix="2.4"))
class QueryDerivationOutputMap:
    """Which paths do this derivation's outputs have?"""

    path: StorePath = field("the derivation")

    @record
    class Reply:
        """The outputs by name."""

        outputs: dict[OutputName, MaybeStorePath] = field(
            "each output's path, empty when not known yet"
        )


@operation(
    42,
    introduced=Version(27, nix="2.4"),
    removed=Version(lix="2.94"),
    early_log=True,
    unread=Unread.BY_HASH,
    notes=("Signatures are checked from Nix 2.36 (master) on.",),
)
class RegisterDrvOutput:
    """Say what an output of a content-addressed derivation turned out to be."""

    id: DrvOutputText = until(31, default="", doc="the output, by the derivation's hash")
    out_path: BaseName = until(31, default="", doc="what it is; without the store directory")
    realisation_json: RealisationJson = without(
        REALISATION_WITH_PATH, since=31, default="", doc="the realisation as JSON"
    )
    realisation: Realisation = feature(
        REALISATION_WITH_PATH, default=MISSING, doc="the realisation"
    )


@operation(
    43,
    introduced=Version(27, nix="2.4"),
    removed=Version(lix="2.94"),
    early_log=True,
    unread=Unread.BY_HASH,
)
class QueryRealisation:
    """What did this output of a content-addressed derivation turn out to be?"""

    id: DrvOutputText = without(
        REALISATION_WITH_PATH, default="", doc="the output, by the derivation's hash"
    )
    output: DrvOutput = feature(
        REALISATION_WITH_PATH, default=MISSING, doc="the output, by the derivation's path"
    )

    @record
    class Reply:
        """What it is, if known."""

        out_paths: frozenset[StorePath] = until(
            31, default=frozenset(), doc="none or one full path"
        )
        realisations: tuple[RealisationJson, ...] = without(
            REALISATION_WITH_PATH, since=31, default=(), doc="none or one realisation as JSON"
        )
        realisation: MaybeRealisation = feature(
            REALISATION_WITH_PATH, default=None, doc="the realisation, if known"
        )


@operation(
    44,
    introduced=Version(32, nix="2.4"),
    notes=(
        "The items' path infos are laid out as for 1.16 without features, whatever was"
        " negotiated, unless the feature versionedAddToStoreMultiple is in force.",
    ),
)
class AddMultipleToStore:
    """Add many paths in one go, references first."""

    repair: Bool = field("write them again even if valid", default=False)
    dont_check_sigs: Bool = field("take them without signature; trusted only", default=False)
    items: Source = payload(
        "a count, then for each path its ValidPathInfo and its NAR",
        (ALWAYS, FRAMES),
        content="paths",
    )


@operation(
    45,
    introduced=Version(32, nix="2.6"),
    unread=Unread.UNTRUSTED,
)
class AddBuildLog:
    """Add the log of a build that ran elsewhere."""

    drv: BaseName = field("the derivation, without the store directory")
    log: Source = payload("the log", (ALWAYS, FRAMES), content="log")

    Reply = Done


@operation(46, introduced=Version(34, nix="2.8"))
class BuildPathsWithResults:
    """Build or substitute these, and say of each how it ended."""

    paths: tuple[DerivedPath, ...] = field("what to build")
    mode: Mode = field("build, repair or check", default=BuildMode.NORMAL)

    @record
    class Reply:
        """How each ended."""

        results: tuple[KeyedBuildResult, ...] = field("one result for each thing asked for")


@operation(
    47,
    introduced=Version(36, nix="2.20"),
    removed=Version(remark="never in Lix"),
    unread=Unread.UNTRUSTED,
)
class AddPermRoot:
    """Make a garbage collector root for this path, on the daemon's file system."""

    path: StorePath = field("the path to keep")
    gc_root: FilePath = field("the symlink to make")

    @record
    class Reply:
        """The root that was made."""

        gc_root: FilePath = field("the symlink as the daemon made it")


@operation(
    48,
    introduced=Version(determinate="3.14", remark="; number reserved upstream"),
    feature=QUERY_ACTIVE_BUILDS,
)
class QueryActiveBuilds:
    """What is the daemon building right now?"""

    @record
    class Reply:
        """The builds."""

        builds: Json = field(
            "a JSON array of builds: nixPid, clientPid, clientUid, mainPid, mainUid, cgroup,"
            " startTime, derivation (base name), processes (of pid, parentPid, argv)"
        )


@operation(
    49,
    introduced=Version(determinate="3.21.3", remark="; number reserved upstream"),
    feature=ADD_TEMP_ROOTS,
)
class AddTempRoots:
    """AddTempRoot for many paths."""

    paths: frozenset[StorePath] = field("the paths to keep")

    Reply = Done


@operation(
    50,
    introduced=Version(determinate="3.21.3", remark="; number reserved upstream"),
    feature=QUERY_PATH_INFOS,
)
class QueryPathInfos:
    """QueryPathInfo for many paths."""

    paths: frozenset[StorePath] = field("the paths asked about")

    @record
    class Reply:
        """What is known, in no particular order."""

        infos: tuple[ValidPathInfo, ...] = field("those of the paths that are valid")


@operation(1000, introduced=Version(nix="2.36", remark=" (master)"), feature=SUBMIT_OUTPUT)
class SubmitOutput:
    """Inside a build: this is what an output of the build is to be."""

    path: DerivedPathOf = field("the store path, or output of a derivation")
    output_name: OutputName = field("the output of the running build")

    Reply = Done


@operation(
    1001,
    introduced=Version(nix="2.36", remark=" (master)"),
    feature=ADD_TO_STORE_SCANNING,
    unread=Unread.METHOD,
)
class AddToStoreScanning:
    """Inside a build: AddToStore, with the references found by scanning the contents."""

    name: Name = field("the name part of the new path")
    method: ContentAddressMethod = field("how the path follows from the contents")
    dump: Source = payload("the contents", (ALWAYS, FRAMES), content="by method")

    @record
    class Reply:
        """What was added."""

        path: StorePath = field("the new path")
        info: UnkeyedValidPathInfo = field("what the store knows about it")
