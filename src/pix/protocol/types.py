"""The values that operations are made of: paths, hashes, path infos, build results.

Declarations only; nothing here says who sends what. Layouts: Nix `worker-protocol.cc`,
`common-protocol.cc`, `derivations.cc`; the names are those of Nix, in snake_case.
"""

from __future__ import annotations

from typing import Annotated, Any

from pix.codec.declare import feature, field, record, since, wire_of, without
from pix.codec.records import Maybe, Tagged
from pix.codec.wire import Boolean, Enumeration, Meaning, Named, String, Wire, Word
from pix.dataclass import dataclass
from pix.protocol.derived_path import SingleDerivedPath, SingleDerivedPathWire


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature string of the handshake: who offers it, and what it changes."""

    name: str
    offered: str
    doc: str


FEATURES: dict[str, Feature] = {}
"""Every known feature string, in the order in which they appeared (protocol 1.38 and later)."""


def _known(name: str, offered: str, doc: str) -> str:
    FEATURES[name] = Feature(name, offered, doc)
    return name


QUERY_ACTIVE_BUILDS = _known(
    "queryActiveBuilds", "Determinate Nix 3.14 and later", "operation 48, QueryActiveBuilds"
)
PROVENANCE = _known(
    "provenance",
    "Determinate Nix 3.16 and later, when that experimental feature is on",
    "one more string in AddToStore, AddToStoreNar and UnkeyedValidPathInfo",
)
VERSIONED_ADD_MULTIPLE = _known(
    "versionedAddToStoreMultiple",
    "Determinate Nix 3.19 and later",
    "the items of AddMultipleToStore are laid out as the negotiated version says",
)
ADD_TEMP_ROOTS = _known(
    "addTempRoots", "Determinate Nix 3.21.3 and later", "operation 49, AddTempRoots"
)
QUERY_PATH_INFOS = _known(
    "queryPathInfos", "Determinate Nix 3.21.3 and later", "operation 50, QueryPathInfos"
)
REALISATION_WITH_PATH = _known(
    "realisation-with-path-not-hash",
    "Nix 2.35 and later, Determinate Nix 3.22 and later, harmonia, hnix-store",
    "realisations are named by derivation path instead of hash, as fields and not JSON",
)
DELETE_DEAD_REFERRERS = _known(
    "delete-dead-specific-referrers",
    "Nix 2.35 and later, Determinate Nix 3.22 and later",
    "the request of CollectGarbage says which paths and whether their referrers go too",
)
DISABLE_SET_OPTIONS = _known(
    "disable-set-options",
    "clients of Nix 2.35 and later, harmonia and Determinate Nix; daemons only inside a build"
    " (recursive Nix)",
    "the client sends no SetOptions",
)
ADD_TO_STORE_SCANNING = _known(
    "add-to-store-scanning",
    "clients of Nix 2.36 (master) and harmonia; daemons only inside a build",
    "operation 1001, AddToStoreScanning",
)
SUBMIT_OUTPUT = _known(
    "submit-output",
    "clients of Nix 2.36 (master) and harmonia; daemons only for builder-rpc-v0 builds",
    "operation 1000, SubmitOutput",
)

OF_VENDORS: dict[str, Wire] = {}
"""Types that files of declarations have added, by name."""

_U64 = ("U64", "an unsigned integer of 64 bits", 64)
_UINT = ("UInt", "an unsigned integer that readers require to fit 32 bits", 32)
U64 = Annotated[int, Word(*_U64)]
UInt = Annotated[int, Word(*_UINT)]
Size = Annotated[int, Word(*_U64, Meaning.SIZE)]
ActivityId = Annotated[int, Word(*_U64, Meaning.ACTIVITY)]
Magic = Annotated[int, Word(*_U64, Meaning.MAGIC)]
VersionNumber = Annotated[int, Word(*_U64, Meaning.VERSION)]
Time = Annotated[int, Word("Time", "seconds since 1970, below 2^63", 63, Meaning.TIME)]
Microseconds = Annotated[int, Word("Microseconds", "microseconds, below 2^63", 63)]
Bool = Annotated[bool, Boolean("Bool", "0 or 1; Nix readers refuse other numbers")]
AnyBool = Annotated[
    bool, Boolean("AnyBool", "0 or 1; readers take every number but 0 for true", lenient=True)
]
MaybeMicroseconds = Annotated[int | None, Maybe(wire_of(Microseconds))]

Text = Annotated[str, String("String", "bytes, usually text")]
Name = Annotated[str, String("Name", "the name part of a store path, behind the hash")]
StorePath = Annotated[
    str, String("StorePath", "a full store path: the store directory, a hash, a name")
]
MaybeStorePath = Annotated[
    str | None, String("MaybeStorePath", "a full store path; empty for none", optional=True)
]
BaseName = Annotated[str, String("BaseName", "a store path without the store directory")]
Contents = Annotated[str, String("Contents", "what a file holds")]
FilePath = Annotated[str, String("FilePath", "an absolute file name, not a store path")]
HashPart = Annotated[str, String("HashPart", "the 32 nix32 characters of a store path's hash")]
NarHash = Annotated[str, String("NarHash", "SHA-256 of a NAR: 64 hexadecimal digits, no prefix")]
HashName = Annotated[str, String("HashName", "md5, sha1, sha256, sha512, or blake3 (Nix 2.27)")]
Signature = Annotated[str, String("Signature", "the key's name, a colon, base64")]
MaybeContentAddress = Annotated[
    str | None,
    String(
        "MaybeContentAddress",
        "text:ALGO:NIX32, fixed:ALGO:NIX32, fixed:r:… or fixed:git:…; empty for none",
        optional=True,
    ),
]
ContentAddressMethod = Annotated[
    str,
    String(
        "ContentAddressMethod",
        "text:ALGO, fixed:ALGO, fixed:r:ALGO (a NAR) or fixed:git:ALGO",
    ),
]
DerivedPath = Annotated[
    str,
    String("DerivedPath", "a store path, DRV!* for all outputs (1.30), or DRV!out,dev"),
]
DrvOutputText = Annotated[str, String("DrvOutputText", "ALGO:HEX!OUTPUT, by the derivation's hash")]
RealisationJson = Annotated[
    str,
    String(
        "RealisationJson", "JSON with dependentRealisations, id, outPath (base name), signatures"
    ),
]
OutputName = Annotated[str, String("OutputName", "the name of an output, such as out or dev")]
Json = Annotated[str, String("Json", "JSON text")]


class BuildMode(Named):
    """Whether to build, repair or check."""

    NORMAL = 0, "build what is missing"
    REPAIR = 1, "rebuild or fetch again what is corrupt; trusted clients only"
    CHECK = 2, "build again and compare with what is there"


class BuildStatus(Named):
    """How a build ended; not gated by protocol version."""

    BUILT = 0, "built here"
    SUBSTITUTED = 1, "fetched from a substituter"
    ALREADY_VALID = 2, "nothing to do"
    PERMANENT_FAILURE = 3, "the builder failed; trying again will not help"
    INPUT_REJECTED = 4, "the derivation was refused"
    OUTPUT_REJECTED = 5, "the output is not what was promised, such as another hash"
    TRANSIENT_FAILURE = 6, "failed for a reason that may pass"
    CACHED_FAILURE = 7, "failed before, and remembered (Nix 1.x)"
    TIMED_OUT = 8, "took longer than timeout or max-silent-time"
    MISC_FAILURE = 9, "another failure"
    DEPENDENCY_FAILED = 10, "something it needs failed"
    LOG_LIMIT_EXCEEDED = 11, "wrote more log than max-build-log-size"
    NOT_DETERMINISTIC = 12, "building again gave another result"
    RESOLVES_TO_ALREADY_VALID = 13, "a content-addressed derivation whose result is there (Nix 2.6)"
    NO_SUBSTITUTERS = 14, "no substituter has it (Nix 2.8)"
    HASH_MISMATCH = 15, "a fixed output has another hash (Determinate Nix)"
    CANCELLED = 16, "stopped because another build failed (Determinate Nix)"


SUCCESSES = frozenset(
    (BuildStatus.BUILT, BuildStatus.SUBSTITUTED, BuildStatus.ALREADY_VALID,
     BuildStatus.RESOLVES_TO_ALREADY_VALID)
)  # fmt: skip
"""After these the outputs are there."""


class GCAction(Named):
    """What CollectGarbage is to do."""

    RETURN_LIVE = 0, "list what is alive"
    RETURN_DEAD = 1, "list what is dead"
    DELETE_DEAD = 2, "delete what is dead"
    DELETE_SPECIFIC = 3, "delete the paths named, fail when one is alive"
    TRY_DELETE_SPECIFIC = 4, "delete those of the paths named that are dead (Lix 2.93)"


class TrustedFlag(Named):
    """Whether the daemon trusts the client."""

    UNKNOWN = 0, "the daemon does not say"
    TRUSTED = 1, "the client may set any option and add unsigned paths"
    NOT_TRUSTED = 2, "restricted settings and unsigned paths are refused"


class Verbosity(Named):
    """How much to log, as Nix 2.4 and later count; older releases count otherwise."""

    ERROR = 0, "errors only"
    WARN = 1, "warnings too"
    NOTICE = 2, "notable events too"
    INFO = 3, "what is being done"
    TALKATIVE = 4, "more of what is being done"
    CHATTY = 5, "much more"
    DEBUG = 6, "for debugging Nix"
    VOMIT = 7, "everything"


VERBOSITIES = Enumeration(Verbosity)

VERBOSITY_BY_RELEASE: dict[str, tuple[str, ...]] = {
    "1.0 to 2.2": ("Error", "Info", "Talkative", "Chatty", "Debug", "Vomit"),
    "2.3": ("Error", "Warn", "Info", "Talkative", "Chatty", "Debug", "Vomit"),
    "2.4 and later": tuple(level.label for level in Verbosity),
}
"""What a verbosity number means by the *sender's* Nix release, which is not on the wire."""


def verbosity_name(level: int, release: str | None) -> str:
    """Return the name of a verbosity number as the Nix `release` that sent it counts.

    `release` is text such as `2.3.7`, or None when unknown (then 2.4 and later is assumed).
    """
    numbers = [int(part) for part in (release or "").split(".")[:2] if part.isdigit()]
    table = "2.4 and later"
    if len(numbers) == 2 and numbers < [2, 4]:
        table = "2.3" if numbers == [2, 3] else "1.0 to 2.2"
    names = VERBOSITY_BY_RELEASE[table]
    return names[level] if 0 <= level < len(names) else str(level)


class _VerbosityWord(Word):
    """A verbosity, in JSON by its name as Nix 2.4 and later count."""

    by_label = VERBOSITIES.by_label

    def shown(self, n: int) -> Any:
        return getattr(Verbosity.of(n), "label", n)

    def value_of(self, plain: Any) -> Any:
        return int(VERBOSITIES.value_of(plain)) if isinstance(plain, str) else plain


VerbosityNumber = Annotated[int, _VerbosityWord(*_UINT, Meaning.VERBOSITY)]
Mode = Annotated[BuildMode | int, Enumeration(BuildMode)]
Status = Annotated[
    BuildStatus | int, Enumeration(BuildStatus, failures=frozenset(BuildStatus) - SUCCESSES)
]
Action = Annotated[GCAction | int, Enumeration(GCAction)]
Trusted = Annotated[TrustedFlag | int, Enumeration(TrustedFlag)]
Level = Annotated[Verbosity | int, VERBOSITIES]


@record
class UnkeyedValidPathInfo:
    """What the store knows about a valid path, without the path itself."""

    deriver: MaybeStorePath = field("the derivation that produced it, if known", default=None)
    nar_hash: NarHash = field("SHA-256 of its NAR")
    references: frozenset[StorePath] = field("the store paths it refers to")
    registration_time: Time = field("when it became valid", default=0)
    nar_size: Size = field("bytes in its NAR, 0 when unknown")
    ultimate: Bool = since(16, default=False, doc="built here, so trusted without signature")
    sigs: frozenset[Signature] = since(16, default=frozenset(), doc="who vouches for it")
    ca: MaybeContentAddress = since(16, default=None, doc="how its path follows from its contents")
    provenance: Json = feature(PROVENANCE, default="", doc="where it came from, JSON or empty")


@record
class ValidPathInfo:
    """What the store knows about a valid path."""

    path: StorePath = field("the path")
    info: UnkeyedValidPathInfo = field("what is known about it")


@record
class SubstitutablePathInfo:
    """What a substituter says about a path that it could provide."""

    deriver: MaybeStorePath = field("the derivation that produced it, if known", default=None)
    references: frozenset[StorePath] = field("the store paths it refers to")
    download_size: Size = field("bytes to download, 0 when unknown")
    nar_size: Size = field("bytes in its NAR, 0 when unknown")


@record
class KeyedSubstitutablePathInfo:
    """A path and what a substituter says about it."""

    path: StorePath = field("the path")
    info: SubstitutablePathInfo = field("what the substituter says")


@record
class DrvOutput:
    """One output of a derivation, named by the derivation's path."""

    drv_path: StorePath = field("the derivation")
    output_name: OutputName = field("its output")


@record
class UnkeyedRealisation:
    """What an output of a derivation turned out to be."""

    out_path: StorePath = field("the path it was realised as")
    signatures: frozenset[Signature] = field("who vouches for it", default=frozenset())


@record
class Realisation:
    """An output of a derivation, and what it turned out to be."""

    id: DrvOutput = field("the output")
    realisation: UnkeyedRealisation = field("what it is")


MaybeRealisation = Annotated[UnkeyedRealisation | None, Maybe(wire_of(UnkeyedRealisation))]


@record
class BuildResult:
    """How one derivation's build ended."""

    status: Status = field("what became of it")
    error_msg: Text = field("why it failed, empty on success", default="")
    times_built: UInt = since(29, default=0, doc="how often it was built")
    is_non_deterministic: Bool = since(29, default=False, doc="the rounds differed")
    start_time: Time = since(29, default=0, doc="when the build began, 0 when it did not")
    stop_time: Time = since(29, default=0, doc="when the build ended, 0 when it did not")
    cpu_user: MaybeMicroseconds = since(37, default=None, doc="processor time in user mode")
    cpu_system: MaybeMicroseconds = since(37, default=None, doc="processor time in the kernel")
    built_outputs: dict[DrvOutputText, RealisationJson] = without(
        REALISATION_WITH_PATH,
        since=28,
        default_factory=dict,
        doc="what was built; Nix 2.35 and later write a hash of zeros here",
    )
    outputs: dict[OutputName, UnkeyedRealisation] = feature(
        REALISATION_WITH_PATH, default_factory=dict, doc="what was built, by output"
    )


@record
class KeyedBuildResult:
    """What was asked to be built, and how that ended."""

    path: DerivedPath = field("as it was asked for")
    result: BuildResult = field("how it ended")


@record
class DerivationOutput:
    """One output of a derivation, as three strings whose emptiness says of which kind it is.

    Input-addressed: path. Fixed: path, method and algorithm, digest. Floating: method and
    algorithm. Deferred: nothing. Impure: method and algorithm, and the word impure.
    """

    path: MaybeStorePath = field("its path, when known before the build", default=None)
    hash_algo: Text = field("method and algorithm: sha256, r:sha256, text:…, git:…", default="")
    hash: Text = field("the expected digest in hexadecimal, or impure", default="")


@record
class BasicDerivation:
    """A derivation without its input derivations: what to run, and where."""

    outputs: dict[OutputName, DerivationOutput] = field("its outputs by name")
    input_srcs: frozenset[StorePath] = field("the store paths it may read")
    platform: Text = field("the system to build on, such as x86_64-linux")
    builder: Text = field("the program to run")
    args: tuple[Text, ...] = field("its arguments", default=())
    env: dict[Text, Text] = field(
        "its environment; structured attributes are the entry __json", default_factory=dict
    )


@record
class Root:
    """A garbage collector root."""

    link: Text = field("where the root is; {censored}, or {temp:PID} for a temporary root")
    target: StorePath = field("what it keeps alive")


@record
class SpecificPaths:
    """Which paths CollectGarbage is to look at."""

    paths: frozenset[StorePath] = field("the paths")
    delete_referrers: Bool = field("delete what refers to them, too", default=False)


GCPaths = Annotated[
    SpecificPaths | None,
    Tagged(
        "GCPaths",
        "the whole store, or specific paths",
        {
            1: ("whole store", type(None), None),
            0: ("paths", SpecificPaths, wire_of(SpecificPaths)),
        },
    ),
]


DerivedPathOf = Annotated[
    SingleDerivedPath, SingleDerivedPathWire(wire_of(StorePath), wire_of(OutputName))
]

FieldValue = Annotated[
    int | str,
    Tagged(
        "FieldValue",
        "0 and an integer, or 1 and a string",
        {0: ("integer", int, wire_of(U64)), 1: ("string", str, wire_of(Text))},
    ),
]

MaybeCpu = Annotated[int | None, Maybe(wire_of(U64), "set affinity", lenient=True)]
"""Handshake: a number other than 0, then a processor; 0 for none."""


@record
class Trace:
    """One line of an error's trace."""

    have_pos: UInt = field("whether a position follows: always 0", default=0)
    hint: Text = field("what was being done")
