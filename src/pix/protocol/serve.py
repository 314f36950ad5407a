"""The serve protocol: every command of `nix-store --serve`, and the types that only it has.

`ssh://` stores start that program on the other side (their `remote-program`, with `--serve`
and, where they are to be written, `--write`) and speak with it on its standard input and output;
so do `nix-copy-closure` and remote builders without a scheme. A class is a request, as in
`pix.protocol.operations`; its `Reply` follows at once. There is no log loop and no error frame:
what the program has to tell goes to its standard error, and after an error it ends.

Versions are 2.0 (Nix 1.8), 2.1 (1.10), 2.2 (1.11), 2.4 (2.0), 2.5 (2.1), 2.6 and 2.7 (2.4, Lix),
2.8 (2.35); before them 0x101 (1.7), whose layouts are not described here. Clients send 2.0 to
2.7 whatever the server knows and gate by the smaller version; since Nix 2.26 they accept servers
from 2.5 on.
Source: Nix `serve-protocol.hh`, `serve-protocol.cc`, `serve-protocol-connection.cc`,
`nix-store.cc` (opServe), `legacy-ssh-store.cc`, tags 1.8 to 2.35.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar, dataclass_transform

from pix.codec.declare import (
    Version,
    field,
    operation,
    payload,
    record_in,
    since,
    until,
    wire_of,
)
from pix.codec.gates import ALWAYS, SERVE
from pix.codec.lists import ToEmpty
from pix.codec.payload import RAW_EXPORT, RAW_NAR, Source
from pix.codec.records import Nonzero
from pix.codec.wire import String
from pix.protocol.operations import Done, Paths
from pix.protocol.types import (
    U64,
    AnyBool,
    BasicDerivation,
    Bool,
    DrvOutputText,
    Magic,
    MaybeContentAddress,
    MaybeStorePath,
    NarHash,
    OutputName,
    RealisationJson,
    Signature,
    Size,
    Status,
    StorePath,
    Text,
    Time,
    UInt,
    UnkeyedRealisation,
    VersionNumber,
)

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, field_specifiers=(field, since, until, payload))
def record(cls: type[T]) -> type[T]:
    """Declare a record whose gates name minors of 2."""
    return record_in(SERVE, cls)


@dataclass_transform(kw_only_default=True, field_specifiers=(field, since, until, payload))
def command(number: int, introduced: Version, **more: Any) -> Callable[[type[T]], type[T]]:
    """Declare a command by its number and the version that has it first."""
    return operation(number, introduced=introduced, family=SERVE, **more)


def version(minor: int, nix: str, **more: Any) -> Version:
    """Return the point in history that is serve 2.`minor`."""
    return Version(minor, nix, family=SERVE, **more)


FIRST = version(0, "1.8")

PrefixedHash = Annotated[
    str,
    String(
        "serve.PrefixedHash", "SHA-256 of a NAR: sha256: and 52 nix32 characters; empty if unknown"
    ),
]
PathWithOutputs = Annotated[
    str,
    String(
        "serve.PathWithOutputs", "a store path, or DRV!out,dev for some outputs of a derivation"
    ),
]


@record
class ClientHello:
    """What the client says in the handshake, before it hears anything."""

    magic: Magic = field("0x390c9deb", default=SERVE.magics[0])
    version: VersionNumber = field("the newest version the client speaks, as 0x207 for 2.7")


@record
class ServerHello:
    """What the server says in the handshake; the smaller version is in force."""

    magic: Magic = field("0x5452eecb", default=SERVE.magics[1])
    version: VersionNumber = field("the newest version the server speaks")


@record
class UnkeyedValidPathInfo:
    """What the store knows about a valid path, without the path itself."""

    deriver: MaybeStorePath = field("the derivation that produced it, if known", default=None)
    references: frozenset[StorePath] = field("the store paths it refers to")
    download_size: Size = field("the NAR's size again; 0 in places of Nix 1.x", default=0)
    nar_size: Size = field("bytes in its NAR")
    nar_hash: PrefixedHash = since(4, default="", doc="SHA-256 of its NAR")
    ca: MaybeContentAddress = since(4, default=None, doc="how its path follows from its contents")
    sigs: frozenset[Signature] = since(4, default=frozenset(), doc="who vouches for it")


@record
class ValidPathInfo:
    """What the store knows about a valid path."""

    path: StorePath = field("the path")
    info: UnkeyedValidPathInfo = field("what is known about it")


@record
class BuildOptions:
    """The client's settings for a build; the others are those of the server's side."""

    max_silent_time: UInt = field("seconds a build may be silent, 0 for ever", default=0)
    build_timeout: UInt = field("seconds a build may take, 0 for ever", default=0)
    max_log_size: U64 = since(2, default=0, doc="bytes of log a build may write, 0 for any")
    nr_repeats: UInt = since(
        3, default=0, doc="how often to build again; Nix 2.12 refuses all but 0"
    )
    enforce_determinism: UInt = since(
        3, default=0, doc="fail when rounds differ; ignored since 2.12"
    )
    keep_failed: Bool = since(7, default=False, doc="keep the build directory of a failed build")


@record
class BuildResult:
    """How one derivation's build ended."""

    status: Status = field("what became of it")
    error_msg: Text = field("why it failed, empty on success", default="")
    times_built: UInt = since(3, default=0, doc="how often it was built")
    is_non_deterministic: Bool = since(3, default=False, doc="the rounds differed")
    start_time: Time = since(3, default=0, doc="when the build began, 0 when it did not")
    stop_time: Time = since(3, default=0, doc="when the build ended, 0 when it did not")
    built_outputs: dict[DrvOutputText, RealisationJson] = field(
        "what was built", since=6, until=8, default_factory=dict
    )
    outputs: dict[OutputName, UnkeyedRealisation] = since(
        8, default_factory=dict, doc="what was built, by output"
    )


@record
class Failure:
    """Why paths were not built."""

    status: UInt = field("the exit status that nix-store would have: 1, or 100 and more")
    error_msg: Text = field("what went wrong, often with terminal colours")


@command(1, FIRST)
class QueryValidPaths:
    """Which of these paths are valid?"""

    lock: AnyBool = field("keep them from the garbage collector meanwhile", default=False)
    substitute: AnyBool = field("substitute those that are not", default=False)
    paths: frozenset[StorePath] = field("the paths asked about")

    Reply = Paths


@command(2, FIRST)
class QueryPathInfos:
    """What does the store know about these paths?"""

    paths: frozenset[StorePath] = field("the paths asked about")

    @record
    class Reply:
        """What it knows; paths that are not valid are left out."""

        infos: Annotated[tuple[ValidPathInfo, ...], ToEmpty(wire_of(ValidPathInfo))] = field(
            "each valid path and what is known of it"
        )


@command(3, FIRST)
class DumpStorePath:
    """Send this path as a NAR."""

    path: StorePath = field("the path wanted")

    @record
    class Reply:
        """The NAR, as it is; a path that is not valid is answered by the end of the stream."""

        nar: Source = payload("the path's NAR", (ALWAYS, RAW_NAR), content="nar")


@command(4, FIRST, obsolete=version(5, "2.1"), instead="serve.AddToStoreNar")
class ImportPaths:
    """Add the paths of an export stream, without a look at their signatures."""

    export: Source = payload(
        "an export stream: 1 and a record, again and again, then 0",
        (ALWAYS, RAW_EXPORT),
        content="export",
    )

    Reply = Done


@command(
    5,
    FIRST,
    obsolete=version(4, "2.0"),
    removed=Version(nix="2.32"),
    instead="serve.DumpStorePath",
)
class ExportPaths:
    """Send these paths as an export stream."""

    sign: UInt = field("0 or 1, ignored since Nix 2.0", default=0)
    paths: tuple[StorePath, ...] = field("the paths to export")

    @record
    class Reply:
        """The stream."""

        export: Source = payload(
            "an export stream: 1 and a record, again and again, then 0",
            (ALWAYS, RAW_EXPORT),
            content="export",
        )


@command(
    6,
    FIRST,
    notes=(
        "The server writes an exit status and a text, the client takes the number for a build"
        " status: 1 it takes for success (substituted), and leaves the text unread. The stream is"
        " then out of step.",
    ),
)
class BuildPaths:
    """Build these derivations."""

    paths: tuple[PathWithOutputs, ...] = field("what to build")
    options: BuildOptions = field("the client's settings")

    @record
    class Reply:
        """Whether all were built."""

        failure: Annotated[Failure | None, Nonzero(wire_of(Failure))] = field(
            "0, or why not", default=None
        )


@command(7, FIRST)
class QueryClosure:
    """Which paths do these refer to, and those again?"""

    include_outputs: AnyBool = field("with the outputs of derivations in it", default=False)
    paths: frozenset[StorePath] = field("where to begin")

    Reply = Paths


@command(
    8,
    version(1, "1.10"),
    notes=("Its inputs must be valid there; the client copies them before.",),
)
class BuildDerivation:
    """Build a derivation that is sent along; what remote builders are asked."""

    drv_path: StorePath = field("the derivation's path")
    derivation: BasicDerivation = field("the derivation itself")
    options: BuildOptions = field("the client's settings")

    @record
    class Reply:
        """How the build ended."""

        result: BuildResult = field("how the build ended")


@command(9, version(5, "2.1"))
class AddToStoreNar:
    """Add a path with its metadata, without a look at its signatures."""

    path: StorePath = field("the path")
    deriver: MaybeStorePath = field("the derivation that produced it, if known", default=None)
    nar_hash: NarHash = field("SHA-256 of its NAR")
    references: frozenset[StorePath] = field("the paths it refers to", default=frozenset())
    registration_time: Time = field("when it became valid", default=0)
    nar_size: Size = field("bytes in its NAR; never 0")
    ultimate: Bool = field("built here, so trusted without signature", default=False)
    sigs: frozenset[Signature] = field("who vouches for it", default=frozenset())
    ca: MaybeContentAddress = field("how its path follows from its contents", default=None)
    nar: Source = payload("the path's NAR", (ALWAYS, RAW_NAR), content="nar")

    Reply = Done
