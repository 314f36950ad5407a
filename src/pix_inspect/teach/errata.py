"""Where documents about the protocol, and its dialects, differ from what real Nix does.

Each was checked against the C++ of the releases named in `protocol/operations.py`, most
also against running daemons; dialects in the sources of Lix 049cc4e1, Determinate Nix c407745c,
harmonia b4381725, and in Snix.
"""

from __future__ import annotations

from pix.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Erratum:
    """`document` says something about `subjects` (pages of the manual); `fact` is what holds."""

    subjects: tuple[str, ...]
    document: str
    claim: str
    fact: str

    @property
    def text(self) -> str:
        return f"According to {self.document}, {self.claim}: {self.fact}."


@dataclass(frozen=True, slots=True)
class Dialect:
    """What `who` does in its own way with `subjects` (pages of the manual)."""

    subjects: tuple[str, ...]
    who: str
    fact: str

    @property
    def text(self) -> str:
        return f"{self.who} {self.fact}."


TVIX = "the Tvix and Snix protocol documents"
FIRST_TVIX = "the first version of the Tvix document"
HEADERS = "comments in the Nix sources"
PROTO = "nix.proto"
SEVERAL = "several documents"
LIX, DETERMINATE, HARMONIA, SNIX = "Lix", "Determinate Nix", "harmonia", "Snix"

ERRATA: tuple[Erratum, ...] = (
    Erratum(
        ("AddToStore",), TVIX,
        "from 1.25 on the payload is a NAR in frames",
        "the methods `text:` and flat `fixed:` carry the plain file, only `fixed:r:` and "
        "`fixed:git:` a NAR",
    ),
    Erratum(
        ("AddTextToStore", "AddToStore"), TVIX,
        "AddTextToStore equals AddToStore with the text wrapped in a NAR",
        "its successor carries the plain text",
    ),
    Erratum(
        ("AddToStore",), TVIX,
        "before 1.25, `fixed` being true forces SHA-256 over a NAR",
        "it is forced when `fixed` is false",
    ),
    Erratum(
        ("DerivationOutput",), TVIX,
        "the hash algorithm reads `fixed:r:sha256`",
        "it reads `r:sha256`, `sha256`, `text:sha256` or `git:…`, and the hash may be the word "
        "`impure`",
    ),
    Erratum(
        ("Realisation", "RegisterDrvOutput", "QueryRealisation"), TVIX,
        "output paths of realisations, and of those they depend on, are full store paths",
        "in the JSON form they are base names",
    ),
    Erratum(
        ("RegisterDrvOutput",), TVIX,
        "before 1.31 the output path is a full store path",
        "it is a base name",
    ),
    Erratum(
        ("QueryRealisation",), FIRST_TVIX,
        "before 1.31 the reply holds base names",
        "it holds full store paths",
    ),
    Erratum(
        ("BuildResult",), TVIX,
        "processor times are a number of seconds",
        "they are microseconds",
    ),
    Erratum(
        ("ExportPath",), TVIX,
        "the export magic is printed with a stray character",
        "it is the number 0x4558494e",
    ),
    Erratum(
        ("QueryPathFromHashPart",), FIRST_TVIX,
        "the hash part is in base 16",
        "it is in nix32, as it stands in the store path",
    ),
    Erratum(
        ("handshake",), TVIX,
        "the handshake ends with what 1.37 had; the processor flag is always 0",
        "1.38 adds a list of features in both directions; clients up to Nix 2.5 may set the flag, "
        "clients up to Nix 1.11 the reserve-space word",
    ),
    Erratum(
        ("handshake",), TVIX,
        "fields depend on the client's version",
        "they depend on the smaller of both versions",
    ),
    Erratum(
        ("AddMultipleToStore",), TVIX,
        "the ValidPathInfo of an item is laid out as negotiated",
        "it has the layout of 1.16 whatever is negotiated, unless the feature "
        "versionedAddToStoreMultiple is in force",
    ),
    Erratum(
        ("SetOptions",), TVIX,
        "it is only used right after the handshake",
        "it can come again at any time; `use_build_hook`, `log_type` and `print_build_trace` are "
        "constants from Nix 2.0 only, and the time of `max_silent_time` is read as 32 bits",
    ),
    Erratum(
        ("CollectGarbage",), TVIX,
        "it finds the roots of the garbage collector",
        "it collects; the layout given holds until the feature delete-dead-specific-referrers",
    ),
    Erratum(
        ("STDERR_STOP_ACTIVITY",), TVIX,
        "nothing follows the word",
        "the activity's id follows",
    ),
    Erratum(
        ("STDERR_ERROR",), TVIX,
        "before 1.26 a status always follows the message",
        "daemons up to Nix 2.3 leave it out when it is 0, which Nix 1.0 to 1.7 do in the handshake",
    ),
    Erratum(
        ("ImportPaths",), TVIX,
        "the input is a list of NARs",
        "it is an export stream, which the daemon pulls by STDERR_READ",
    ),
    Erratum(
        ("QueryPathInfo",), TVIX,
        "from 1.17 on a missing path is never an error",
        "Nix 2.32.0 to 2.32.5 and 2.33.0 to 2.33.2 answer it with STDERR_ERROR",
    ),
    Erratum(
        ("NarFromPath",), TVIX,
        "nothing is said about failures",
        "they come after STDERR_LAST, in place of the NAR or in its middle",
    ),
    Erratum(
        ("Verbosity", "ActivityType", "ContentAddressMethod", "HashName"), TVIX,
        "enumerations are given without their history",
        "Verbosity was renumbered; FetchToStore, git ingestion and blake3 came later",
    ),
    Erratum(
        ("AddToStore", "AddBuildLog"), HEADERS,
        "framing leaves the stream in a known state even after errors",
        "not after an error that comes before the frame reader exists: the frames stay unread "
        "and their lengths become operation numbers",
    ),
    Erratum(
        ("BuildResult",), TVIX,
        "the order of the fields looks like that of their versions",
        "what 1.28 added stands behind what 1.37 added",
    ),
    Erratum(
        ("QueryDerivationOutputNames", "QueryFailedPaths", "ClearFailedPaths"), TVIX,
        "operations end with the number that development snapshots had",
        "on the wire of releases they end with the next release's number",
    ),
    Erratum(
        ("HasSubstitutes", "QueryPathHash", "QueryReferences", "ExportPath", "ImportPaths"), TVIX,
        "they are obsolete",
        "daemons have removed them: 3 to 5 in Nix 2.34, 16 and 27 in Nix 2.32",
    ),
    Erratum(
        ("AddToStore", "AddToStoreNar", "AddMultipleToStore"), SEVERAL,
        "`repair` is for trusted clients",
        "no daemon asks; trust is needed for `dont_check_sigs`, for BuildMode Repair and for "
        "VerifyStore's `repair`",
    ),
    Erratum(
        ("1.38",), HEADERS,
        "the protocol is 1.39, and something is obsolete since Nix 3.0",
        "nothing sends 1.39: the newest number is 1.38",
    ),
    Erratum(
        ("DerivedPath", "BuildPaths"), HEADERS,
        "asking for a derivation file itself needs 1.29",
        "the gate is 1.30",
    ),
    Erratum(
        ("QueryPathInfo", "AddToStoreNar", "NarFromPath", "SetOptions", "CollectGarbage"), PROTO,
        "messages stand for the wire's",
        "fields are missing there: `repair` and `dont_check_sigs` of AddToStoreNar, five numbers "
        "of SetOptions, the zeros of CollectGarbage; NarFromPath answers a NAR, not a path",
    ),
    Erratum(
        ("1.37",), "a comment in harmonia",
        "1.37 came with Nix 2.24",
        "it came with Nix 2.20; 2.24 brought 1.38",
    ),
    Erratum(
        ("1.21",), "error texts of Lix",
        "1.21 is Nix 2.4",
        "1.21 is Nix 2.1 to 2.3; 2.4 speaks 1.32",
    ),
)  # fmt: skip


DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        ("1.35", "handshake"), LIX, "stays at 1.35 for ever; from 2.94 on it refuses older peers"
    ),
    Dialect(
        ("HasSubstitutes", "QueryPathHash", "QueryReferences", "AddTextToStore", "SyncWithGC",
         "ExportPath", "QueryDeriver", "QueryDerivationOutputs", "ImportPaths",
         "QueryDerivationOutputNames"),
        LIX, "answers it with an error before it has read the arguments (main branch)",
    ),
    Dialect(
        ("handshake",), LIX,
        "looks into LIX_DAEMON_SOCKET_DIR before NIX_DAEMON_SOCKET_PATH, and no longer tries its "
        "second socket (Cap'n Proto) first",
    ),
    Dialect(
        ("AddPermRoot", "AddBuildLog"), "Nix",
        "refuses an untrusted client before it has read what comes with the request: it meets "
        "the next length as an operation",
    ),
    Dialect(
        ("handshake", "STDERR_ERROR"), HARMONIA,
        "speaks 1.37 and later, says `2.24.0 (Harmonia)`, and closes without STDERR_ERROR on a "
        "request that it cannot parse",
    ),
    Dialect(("SubmitOutput", "AddToStoreScanning"), "harmonia and hnix-store", "have it, too"),
    Dialect(
        ("handshake", "SetOptions"), SNIX,
        "says 2.18.2 and that it trusts the client, wants SetOptions first, and closes without a "
        "word on operations that it lacks",
    ),
    Dialect(
        ("QueryPathFromHashPart",), SNIX,
        "answers with a boolean and a path info, not with a path",
    ),
    Dialect(
        ("ResultType",), DETERMINATE,
        "has HashMismatch as result 109, and does not send it over this protocol",
    ),
    Dialect(
        ("CollectGarbage",), DETERMINATE,
        "takes `ignore_liveness` in its own tests only; others never",
    ),
)  # fmt: skip


def about(name: str) -> list[Erratum | Dialect]:
    """Return what documents get wrong about something, and who does it otherwise."""
    known: list[Erratum | Dialect] = [*ERRATA, *DIALECTS]
    return [each for each in known if name in each.subjects]
