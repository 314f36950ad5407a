"""The STDERR loop: what the daemon may say between a request and its reply.

Each frame begins with a word that names it. STDERR_LAST ends the loop and the reply
follows; STDERR_ERROR ends it and no reply follows. Source: Nix `worker-protocol.hh`,
`logging.hh`, `daemon.cc` (TunnelLogger).
"""

from __future__ import annotations

from typing import Annotated

from pix.codec.declare import field, since, stderr_frame, until
from pix.codec.wire import Enumeration, Named
from pix.protocol.types import U64, ActivityId, FieldValue, Level, Text, Trace, UInt, Verbosity

STDERR_NEXT = 0x6F6C6D67
STDERR_READ = 0x64617461
STDERR_WRITE = 0x64617416
STDERR_LAST = 0x616C7473
STDERR_ERROR = 0x63787470
STDERR_START_ACTIVITY = 0x53545254
STDERR_STOP_ACTIVITY = 0x53544F50
STDERR_RESULT = 0x52534C54


class ActivityType(Named):
    """What kind of work an activity is; the doc says what its fields hold."""

    UNKNOWN = 0, "no particular kind; no fields"
    COPY_PATH = 100, "a store path is copied: path, source URI, destination URI"
    FILE_TRANSFER = 101, "a download or upload (Download until Nix 2.3): URI"
    REALISE = 102, "everything needed to make some paths valid; no fields"
    COPY_PATHS = 103, "several store paths are copied; no fields"
    BUILDS = 104, "all builds of a request; no fields"
    BUILD = 105, "one build: derivation, machine or empty, round 1, rounds 1"
    OPTIMISE_STORE = 106, "equal files are linked; no fields"
    VERIFY_PATHS = 107, "the store is verified; no fields"
    SUBSTITUTE = 108, "a path is fetched: path, substituter URI"
    QUERY_PATH_INFO = 109, "a substituter is asked about a path: path, substituter URI"
    POST_BUILD_HOOK = 110, "the post-build hook runs (Nix 2.3): derivation"
    BUILD_WAITING = 111, "a build waits (Nix 2.4): nothing, or derivation and resolved derivation"
    FETCH_TREE = 112, "a source tree is fetched (Nix 2.20); no fields"
    FETCH_TO_STORE = 113, "a source is copied to the store (Nix 2.36): source path, dry run 0 or 1"


class ResultType(Named):
    """What a result says of its activity; the doc says what its fields hold."""

    FILE_LINKED = 100, "a file was replaced by a link: bytes saved, blocks"
    BUILD_LOG_LINE = 101, "a line of the build log, without newline"
    UNTRUSTED_PATH = 102, "a path without a trusted signature: path"
    CORRUPTED_PATH = 103, "a path whose contents changed: path"
    SET_PHASE = 104, "the build entered a phase: its name"
    PROGRESS = 105, "how far it is: done, expected, running, failed"
    SET_EXPECTED = 106, "how much is expected: activity type, count"
    POST_BUILD_LOG_LINE = 107, "a line from the post-build hook (Nix 2.3)"
    FETCH_STATUS = 108, "how a fetch goes, as text (Nix 2.20)"
    FETCH_TO_STORE = 109, "the path of a fetched source (Nix 2.36); Determinate: HashMismatch"
    BUILD_RESULT = 110, "how a build ended (Determinate Nix; not sent over this protocol)"


Activity = Annotated[ActivityType | int, Enumeration(ActivityType)]
Result = Annotated[ResultType | int, Enumeration(ResultType)]


@stderr_frame(
    STDERR_NEXT,
    "STDERR_NEXT",
    notes=("Nix 1.x sends raw chunks of stderr; since 2.0 a message ends in a newline.",),
)
class StderrNext:
    """A message for the user."""

    text: Text = field("the message, often with terminal colours")


@stderr_frame(
    STDERR_READ,
    "STDERR_READ",
    notes=("Only ImportPaths, and AddToStoreNar at 1.21 and 1.22. Nix always asks for 32768.",),
)
class StderrRead:
    """The daemon asks for payload; the client answers with one string."""

    length: U64 = field("the most bytes it wants")


@stderr_frame(
    STDERR_WRITE,
    "STDERR_WRITE",
    notes=("Only ExportPath; one for each small write of the serialiser. Not from Nix 2.35.",),
)
class StderrWrite:
    """The daemon sends payload."""

    data: Text = field("a piece of the payload")


@stderr_frame(STDERR_LAST, "STDERR_LAST")
class StderrLast:
    """The work is done; the reply follows."""


@stderr_frame(
    STDERR_ERROR,
    "STDERR_ERROR",
    notes=(
        "Sent twice when work had not started; the daemon then closes the connection.",
        "Until 1.25 the status may be missing at the end of a stream (Nix 1.0 to 1.7).",
    ),
)
class StderrError:
    """The operation failed; no reply follows."""

    type: Text = since(26, default="Error", doc="always Error")
    level: Level = since(26, default=Verbosity.ERROR, doc="how severe, in the daemon's counting")
    name: Text = since(26, default="Error", doc="the exception's class in Nix 2.4 to 2.7")
    message: Text = field("what went wrong, often with terminal colours")
    status: UInt = until(26, default=1, doc="the exit status: 1, or 100 for a failed build")
    have_pos: UInt = since(26, default=0, doc="whether a position follows: always 0")
    traces: tuple[Trace, ...] = since(26, default=(), doc="what was being done, innermost first")


@stderr_frame(
    STDERR_START_ACTIVITY,
    "STDERR_START_ACTIVITY",
    introduced=20,
    notes=("Not filtered by the client's verbosity. May outlive the operation.",),
)
class StderrStartActivity:
    """Some work begins."""

    id: ActivityId = field("the activity: daemon pid × 2^32 + a counter")
    level: Level = field("at which verbosity to show it")
    type: Activity = field("what kind of work")
    text: Text = field("what to show, may be empty")
    fields: tuple[FieldValue, ...] = field("what it works on, by type", default=())
    parent: ActivityId = field("the activity it is part of, 0 for none", default=0)


@stderr_frame(STDERR_STOP_ACTIVITY, "STDERR_STOP_ACTIVITY", introduced=20)
class StderrStopActivity:
    """Some work ended."""

    id: ActivityId = field("the activity, perhaps of an earlier operation")


@stderr_frame(STDERR_RESULT, "STDERR_RESULT", introduced=20)
class StderrResult:
    """News of an activity: a log line, a phase, progress."""

    id: ActivityId = field("the activity")
    type: Result = field("what kind of news")
    fields: tuple[FieldValue, ...] = field("the news, by type", default=())
