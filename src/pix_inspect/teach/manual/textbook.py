"""The chapters that teach: what a store is, a question, a build, and who may do what.

Everything that is said of bytes is in the declarations or was recorded. Source: Nix C++, running
daemons of 2.3.7 to 2.34.8.
"""

from __future__ import annotations

from pix.codec.gates import Protocol
from pix.codec.lists import ListOf
from pix.codec.records import Record
from pix.codec.wire import String
from pix.protocol import STDERR_FRAMES
from pix.protocol.names import records
from pix_inspect.base.safe_text import inert
from pix_inspect.teach.manual import client
from pix_inspect.teach.manual.blocks import (
    Asked,
    Bullets,
    Chapter,
    Code,
    Example,
    Grid,
    Heading,
    Prose,
)

CLIENT_SPEAKS = Protocol(21)


def frame_tags() -> Grid:
    """Return the frames of the log with their tags as numbers, and as they are on the wire."""
    rows = [
        (frame.name, f"0x{number:08x}", inert(number.to_bytes(4, "little").decode()), frame.doc)
        for number, frame in STDERR_FRAMES.items()
    ]
    return Grid("Frames", ("frame", "number", "ASCII", "what it says"), rows, names=(0, 1, 2))


def letters(record: Record) -> str:
    """Return the fields of a record as the client of 40 lines reads them, a letter each."""
    return "".join(
        "l" if isinstance(part.wire, ListOf) else "t" if isinstance(part.wire, String) else "n"
        for part in record.fields
        if part.gate.admits(CLIENT_SPEAKS)
    )


def _path_info() -> Grid:
    record = records()["UnkeyedValidPathInfo"]
    parts = [part for part in record.fields if part.gate.admits(CLIENT_SPEAKS)]
    rows = [
        (letter, part.name, part.wire.name, part.doc)
        for letter, part in zip(letters(record), parts, strict=True)
    ]
    heads = ("letter", "field", "type", "what it is")
    return Grid("What the letters ttlnnnlt read", heads, rows, names=(0, 1, 2))


INTRODUCTION = Chapter(
    "introduction",
    "The store and its daemon",
    "What is in a store, who may write to it, and why one asks through a socket.",
    (
        Heading("The store", "store"),
        Prose(
            "Nix keeps what it builds in one folder, the store, usually `/nix/store`. An entry of "
            "it is a file, a folder or a symbolic link. Once it is there, it is not changed any "
            "more. Two programs that need different versions of a library refer to two entries."
        ),
        Heading("Store paths", "paths"),
        Prose(
            "The name of an entry is its store path, such as "
            "`/nix/store/as179kf0gk5vbrwjr7pzsl27nw34j7ff-curl-8.7.1`: the store's folder, 32 "
            "characters of a hash, a hyphen, and a name. The characters are digits and small "
            "letters without e, o, t and u. Of what the hash is made depends on the entry: of all "
            "that went into its build, or of its own contents; the latter is called "
            "content-addressed."
        ),
        Prose(
            "A path is valid when all of it is there and the store's database knows it. The "
            "database keeps the hash of its contents, its size, the paths it refers to, and the "
            "derivation that it came from. After a build, references are found by their hashes: if "
            "the 32 characters of an input stand anywhere in an output, the output refers to it. "
            "All that can be reached by references is the closure: what has to be copied so that "
            "an entry works on another machine."
        ),
        Heading("Derivations", "derivations"),
        Prose(
            "A derivation is a recipe: a builder with its arguments and environment, the system it "
            "runs on, the paths it needs, and the outputs it makes. It is an entry of the store "
            "itself, a file whose name ends in `.drv`. To realise it means to have its outputs "
            "made valid: the builder is run, or a substituter (a binary cache) is found that has "
            "them ready."
        ),
        Heading("Roots and garbage", "garbage"),
        Prose(
            "What can be reached from a root is alive; the rest is garbage, and a collection "
            "deletes it. A root is a link from outside, like the `result` of nix-build, or "
            "something that a running process uses. Temporary roots last as long as a "
            "connection to the daemon."
        ),
        Heading("Why a daemon", "daemon"),
        Prose(
            "Whoever can write to the store can put another program in the place of one that "
            "somebody else is going to run. So where several users share a store, it belongs to "
            "root, and nobody else writes to it. They ask `nix-daemon`, which does. It checks "
            "what they ask: it computes hashes by itself, wants a trusted signature under what "
            "was built elsewhere, and runs builders as users that own nothing."
        ),
        Heading("Why a socket", "socket"),
        Prose(
            "The daemon listens at a Unix socket. Any user may open it, and the kernel tells the "
            "daemon which user that is: no password and no name is ever on the wire. It carries "
            "bytes in both directions, in order and without loss, as a pipe would. The same bytes "
            "can go through ssh to another machine, or through a relay that writes them down; "
            "that is how all examples in this manual were made."
        ),
        Prose(
            "A stream of bytes has no messages. Where a request ends and the next one begins, "
            "only the protocol says: both sides have to know the layout of everything to the last "
            "byte. That is what this manual is about."
        ),
        Heading("A question and its answer", "first"),
        Prose(
            "This is all that is said when a client wants to know whether a path is valid. The "
            "client sends the number of the operation and the path; the daemon says that it is "
            "done, and 1 for yes."
        ),
        Example("IsValidPath", picture=True),
        Prose(
            "A line of such a table has the offset in the stream of one side, the bytes as "
            "hexadecimal numbers, the same as ASCII where there is room, and what they are. Both "
            "streams are counted from the beginning of the connection."
        ),
        Heading("How to go on", "order"),
        Bullets(
            (
                "The chapters build on each other: words and strings, the handshake, the log, a "
                "question, a build, payload. Along with them a client of 40 lines is written.",
                "Then come ways to reach a daemon, the other protocol, mistakes that are easily "
                "made, exercises, and a glossary.",
                "Behind them everything that is declared has a page: operations, frames, types, "
                "versions. Words with a page of their own lead to it.",
                "The recordings are small. `pix-inspect recordings/queries.pcapng` opens one, and "
                "`pix-inspect tour handshake` leads through it.",
            )
        ),
    ),
)

QUESTION = Chapter(
    "question",
    "A question and its answer",
    "QueryPathInfo from the first byte to the last, and the client is complete.",
    (
        Prose(
            "QueryPathInfo is what clients ask most. The request is the number 26 and a path. The "
            "reply begins with a word that says whether there is anything to tell: after 0 nothing "
            "follows. Before 1.17 the daemon answered with an error instead."
        ),
        Example("QueryPathInfo"),
        Bullets(
            (
                "The path itself is not in the reply: the client knows what it has asked.",
                "The hash is that of the path's NAR, SHA-256 as 64 hexadecimal digits in a "
                "string. Other places write hashes otherwise.",
                "References is a set: a count, then so many strings. A path can refer to itself.",
                "Where there is no deriver and no content address, the string is empty. A length "
                "of 0 has no bytes and no padding behind it.",
            )
        ),
        Heading("The client, step 4", "client"),
        Code("Step 4: the question, and the line that runs it", client.QUESTION),
        _path_info(),
        Prose(
            "These are 40 lines, without imports and blank lines. Saved as `daemon_client.py`, it "
            "asks a daemon about any path:"
        ),
        Code(
            "With Nix",
            "python3 daemon_client.py /nix/var/nix/daemon-socket/socket /nix/store/…-hello-2.12.1",
        ),
        Code(
            "Without Nix, in two terminals",
            "pix-inspect daemon --listen /tmp/daemon\n\n"
            "pix-inspect send --upstream /tmp/daemon \\\n"
            '  \'AddToStore(name="hello", method="text:sha256", dump=b"Hello")\'\n'
            "python3 daemon_client.py /tmp/daemon /nix/store/…-hello",
        ),
        Code(
            "And watched",
            "pix-inspect run -- sh -c \\\n"
            "  'python3 daemon_client.py $NIX_DAEMON_SOCKET_PATH /nix/store/…-hello'",
        ),
        Heading("What the 40 lines lack", "lacks"),
        Bullets(
            (
                "Newer versions. At 1.33 the daemon says its release, at 1.35 whether it trusts "
                "us, at 1.38 both sides name features; and STDERR_ERROR has another layout from "
                "1.26 on.",
                "Payload: NARs and frames, the chapter after the next.",
                "Limits: a length of 2^62 is believed here. A client that must not fall over "
                "checks before it makes room.",
                "The end: some errors come twice and end the connection, see the chapter on "
                "connections.",
                "`pix.daemon` has all of this, still with the standard library alone.",
            )
        ),
    ),
)

BUILD = Chapter(
    "build",
    "A build",
    "What nix-build asks of a daemon, from the derivation to the result.",
    (
        Prose(
            "A client evaluates the expression by itself; the daemon never sees any Nix code. What "
            "it is given are derivations. This is all that `nix-build` asked in the recording "
            "build-with-log, for a package with a source and one dependency:"
        ),
        Asked("build-with-log"),
        Bullets(
            (
                "SetOptions tells the daemon the settings of the command line.",
                "AddToStore sends the source, then a derivation for each package, as a text whose "
                "path follows from its contents. The reply is what the store now knows of it.",
                "AddTempRoot keeps a path from being collected between two requests. The root "
                "ends with the connection.",
                "QueryMissing tells beforehand what will be built and what will be fetched.",
                "BuildPaths does it. All that happens meanwhile is in the log, and the reply is "
                "the word 1: a failure is an error, not a reply.",
                "QueryDerivationOutputMap asks where the outputs are.",
                "AddIndirectRoot makes a root of the link `result`, so that the output stays.",
            )
        ),
        Heading("What to build", "paths"),
        Prose(
            "A DerivedPath is a string: a path of the store as it is, or a derivation, `!`, and "
            "the outputs that are wanted, by their names or `*` for all. On the command line this "
            "is written with `^`, which is never on the wire. Before 1.30 a derivation alone meant "
            "all of its outputs."
        ),
        Example("QueryMissing"),
        Heading("How it ended", "results"),
        Prose(
            "BuildPathsWithResults (since 1.34) builds like BuildPaths and replies for each path "
            "with a BuildResult: a BuildStatus, an error message, times and outputs. A failed "
            "build is then a reply and no error. BuildDerivation has such a reply too; it sends "
            "the derivation along, which is how a remote builder is given its work."
        ),
        Example("BuildResult"),
        Prose(
            "When the client hangs up, the daemon stops the build. A client that is killed "
            "therefore leaves nothing behind that still runs."
        ),
    ),
)

MAY = Grid(
    "What a client may do",
    ("", "who is not trusted", "who is trusted"),
    [
        (
            "read",
            "every path: `QueryAllValidPaths`, `QueryPathInfo`, `NarFromPath`",
            "the same",
        ),
        (
            "build",
            "every derivation (`BuildPaths`); with `BuildDerivation` only one that is "
            "content-addressed",
            "also unchecked ones, and with mode `Repair`",
        ),
        (
            "add",
            "what is addressed by its contents (`AddToStore`), what a trusted key has signed",
            "anything, with `dont_check_sigs`; `AddBuildLog`",
        ),
        (
            "settings",
            "few: `SetOptions` with another one is a warning in the log",
            "nearly all, such as `sandbox`, `substituters`, `post-build-hook`",
        ),
        (
            "roots",
            "`AddTempRoot`, `AddIndirectRoot`, `FindRoots`: what it holds stays",
            "also `AddPermRoot`",
        ),
        (
            "delete",
            "everything that is dead: `CollectGarbage` asks nobody for trust",
            "the same; `ignore_liveness` is refused to all",
        ),
        ("look after", "`OptimiseStore`, `VerifyStore`", "also with `repair`"),
    ],
    names=(),
)

TRUST = Chapter(
    "trust",
    "Who may do what",
    "What a client may ask, trusted or not, and what an agent did with it.",
    (
        Prose(
            "Who is not among the `allowed-users` of the daemon's settings cannot say a word. All "
            "others are trusted or not: the `trusted-users`, by default root, are. Since 1.35 the "
            "daemon's part of the handshake says which, as TrustedFlag."
        ),
        MAY,
        Prose(
            "Trusted is as good as root: such a client chooses what builders may see and what runs "
            "after a build. Not trusted is not harmless: it can fill the disk, keep the processors "
            "busy, read what others have built, and collect garbage while they work."
        ),
        Heading("An agent that was watched", "agent"),
        Prose(
            "A program that was given the socket, in CI or by its user, can be watched and held to "
            "expectations: `pix-inspect run --check 'no op = CollectGarbage' -- ./agent`. This one "
            "was not trusted. It looked around, built something, kept it, tried a setting, "
            "an unsigned path and a repair, and collected garbage:"
        ),
        Asked("watched-agent"),
        Heading("How a refusal looks", "refusals"),
        Bullets(
            (
                "A setting is ignored: SetOptions succeeds, and a warning in its log says so.",
                "An unsigned path is an error after all of the payload was read.",
                "A repair is an error.",
                "A path that is alive is an error; a collection leaves it out without a word.",
            )
        ),
        Example("STDERR_ERROR"),
    ),
)
