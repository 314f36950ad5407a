"""What a connection lacks because one side is older than the other.

One line for each version that brought something a user can notice; what changed byte by byte
is in `explain 1.21 against 1.38`. Source: Nix `worker-protocol.hh`, `worker-protocol.cc`,
`daemon.cc` and their history.
"""

from __future__ import annotations

from collections.abc import Iterator

from pix.codec.gates import SERVE, WORKER, Family

GAINS: dict[Family, dict[int, str]] = {WORKER: {
    12: "many paths asked at once (QueryValidPaths, QuerySubstitutablePaths); settings by name",
    14: "VerifyStore, OptimiseStore and BuildDerivation",
    15: "repairing and checking builds (BuildMode)",
    16: "signatures and content addresses of paths",
    17: "paths sent one by one (NarFromPath, AddToStoreNar); no error for a path that is missing",
    19: "what a build needs, in one question (QueryMissing)",
    20: "a structured log: progress, activities, phases",
    22: "outputs of derivations with their paths (QueryDerivationOutputMap)",
    23: "NARs sent without a round trip for every 32 KiB",
    25: "additions of any method and with references in AddToStore, in frames",
    26: "errors with level and traces",
    27: "realisations of content-addressed derivations; substitution in QueryValidPaths",
    28: "built outputs in build results",
    29: "times in build results",
    32: "many paths added in one go (AddMultipleToStore), build logs sent (AddBuildLog)",
    33: "the daemon's release",
    34: "what came of each path built (BuildPathsWithResults)",
    35: "whether the daemon trusts the client",
    36: "permanent roots made by the daemon (AddPermRoot)",
    37: "processor times in build results",
    38: "features",
}, SERVE: {
    1: "builds of derivations that are sent along (BuildDerivation), as remote builders need",
    2: "a limit for the size of build logs",
    3: "times in build results",
    4: "NAR hashes, content addresses and signatures of paths",
    5: "paths sent one by one with their metadata (AddToStoreNar)",
    6: "built outputs in build results",
    7: "keeping the build directory of a failed build",
    8: "built outputs by name and path in build results",
}}  # fmt: skip
"""By protocol and the minor version that brought it."""


def lost(spoken: int, known: int, family: Family = WORKER) -> Iterator[str]:
    """Yield what the minor `known` has and `spoken` has not, oldest first, with its version."""
    for minor, gain in GAINS[family].items():
        if spoken < minor <= known:
            yield f"{gain} ({family.version(minor)})"
