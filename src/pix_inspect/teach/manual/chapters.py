"""The manual's prose: how a connection goes, in the order in which one meets it.

Only what no declaration can say. Every example is named by what it shows and is filled in
from the recordings when the pages are made. Source: Nix C++ 1.0 to master, running daemons.
"""

from __future__ import annotations

from pix_inspect.teach.manual import client, service
from pix_inspect.teach.manual.blocks import Bullets, Chapter, Code, Example, Grid, Heading, Prose
from pix_inspect.teach.manual.exercises import EXERCISES
from pix_inspect.teach.manual.from_pix import FROM_PIX
from pix_inspect.teach.manual.glossary import GLOSSARY
from pix_inspect.teach.manual.textbook import BUILD, INTRODUCTION, QUESTION, TRUST, frame_tags

CONNECTION = Chapter(
    "connection",
    "A connection",
    "From the first magic number to the last operation.",
    (
        Prose(
            "A client connects to a Unix socket, by default `/nix/var/nix/daemon-socket/socket`, "
            "or talks to `nix-daemon --stdio` through ssh. Both sides say hello (see handshake), "
            "then the client sends one operation after the other and the daemon answers each. "
            "There is no goodbye: the client closes."
        ),
        Heading("The handshake", "handshake"),
        Prose(
            "The version in force is the smaller of both sides' numbers; a feature is in force "
            "when both sides named it. Everything after this depends on these two, and so does "
            "the layout of the handshake itself. Clients of Nix 2.24 and later send magic and "
            "version at once, all others wait for the daemon's magic first."
        ),
        Example("handshake", picture=True),
        Bullets(
            (
                "A daemon that refuses the version closes right after reading it: the client "
                "sees magic and version, and then the end.",
                "A daemon that refuses the user, or the magic, closes without a word. "
                "Determinate Nix sends 0xab9a9ff0 in place of its magic.",
                "The reason of a refusal stands in the daemon's own log only.",
            )
        ),
        Heading("The client, step 2", "client"),
        Code("Step 2: the handshake", client.HANDSHAKE),
        Prose(
            "The client offers 1.21 (0x115), and every daemon goes down to that: Nix 2.1 to "
            "today's. Then the handshake is short. The daemon says its magic number, its version "
            "and STDERR_LAST; the client says magic, version, that it wants no CPU of its own, and "
            "that no space is to be reserved. It sends these four words at once, and daemons read "
            "each when they come to it. Lix since 2.94 refuses clients below 1.35, harmonia those "
            "below 1.37."
        ),
        Prose(
            "On the wire the lowest byte of a word comes first. So the magic 0x6478696f can be "
            "read as ASCII, `oixd`, and STDERR_LAST as `stla`. The client's own magic 0x6e697863 "
            "is `cxin`. A stream has no messages: `take` waits until all of the bytes are there, "
            "and fewer of them mean that the daemon has hung up."
        ),
        Prose(
            '`Daemon("/nix/var/nix/daemon-socket/socket").version` is now what the daemon offers: '
            "0x126, which is 1.38, for Nix 2.24 and later."
        ),
        Heading("Operations", "operations"),
        Prose(
            "An operation is a number, its request fields, and for some a payload. The daemon "
            "answers with any number of STDERR frames, and then either STDERR_LAST and the reply "
            "fields, or STDERR_ERROR and no reply. SetOptions is usually the first one, but "
            "clients of `ssh-ng://` stores never send it."
        ),
        Example("QueryPathInfo", picture=True),
        Heading("Errors", "errors"),
        Prose(
            "When work had begun and the request was consumed, one STDERR_ERROR ends the "
            "operation and the connection goes on. When it had not (arguments that cannot be "
            "parsed, an unknown number, a lack of permission), the daemon sends the same "
            "STDERR_ERROR twice and closes."
        ),
        Heading("Trust", "trust"),
        Prose(
            "The daemon asks the kernel for the uid of the socket's other end. Behind a relay it "
            "sees the relay's uid for every client: a relay run by root makes all of them "
            "trusted. The word `trusted` in the daemon's hello says what it thinks."
        ),
    ),
)

PRIMITIVES = Chapter(
    "primitives",
    "Primitives",
    "Of what all messages are made: words of eight bytes, and strings padded to eight.",
    (
        Grid(
            "Primitive types",
            ("name", "on the wire"),
            [
                ("U64", "eight bytes, little endian"),
                ("UInt", "a U64 that readers require to fit 32 bits"),
                ("Time", "a U64 below 2^63, seconds since 1970"),
                ("Bool", "a U64, 0 or 1; more is refused by real daemons, save for "
                 "QueryValidPaths.substitute, where all but 0 is true"),
                ("String", "a U64 length, the bytes, and zeros up to a multiple of eight"),
                ("List, Set", "a U64 count, then the elements; any order is read"),
                ("Map", "a U64 count, then each key and its value"),
                ("record", "its fields one after the other; no header, no names, no end"),
                ("optional", "no common rule: an empty string, or a word 0 or 1 before the value"),
                ("frames", "a U64 length and so many bytes without padding, again and again; "
                 "a length of 0 ends them"),
            ],
        ),
        Prose(
            "Nothing on the wire tells a string from a number: who reads must know what comes. "
            "One word too many or too few, and every word after it is taken for something else. "
            "Enumerations and tags take eight bytes too."
        ),
        Prose(
            "Strings are bytes: no character set, no NUL at the end, zeros in the middle are "
            "allowed. Padding that is not zero is refused by real daemons. There is no limit on "
            "the length of a string or the count of a list: a reader must set its own."
        ),
        Heading("An annotated request and its reply", "example"),
        Example("QueryDeriver"),
        Heading("The client, step 1", "client"),
        Prose(
            "From here on a client is written, in plain Python, without `pix`. It has 40 lines in "
            "the end, and each step runs. The first one makes the two primitives that all requests "
            "consist of."
        ),
        Code("Step 1: words and strings", client.WORDS),
        Prose(
            "`-len(value) % 8` is what is missing up to a multiple of eight, as Python's remainder "
            "is never negative. `number(26)` is the first word of every QueryPathInfo: "
            "1a 00 00 00 00 00 00 00. `text(b\"hello\")` has 16 bytes: the length 5, five letters, "
            "three zeros."
        ),
    ),
)  # fmt: skip

LOG = Chapter(
    "log",
    "The log of an operation",
    "What a daemon may say between a request and its reply.",
    (
        Prose(
            "Every frame begins with a word that says which it is, its tag. Its bytes are ASCII, "
            "sent backwards: STRT arrives as `TRTS`. Frames carry messages for the user, "
            "activities with their progress, and requests for payload. They can come before the "
            "request is complete: while frames of payload are being sent, and right after the "
            "number of ImportPaths, RegisterDrvOutput and QueryRealisation."
        ),
        Example("BuildPaths", picture=True),
        Heading("Activities", "activities"),
        Prose(
            "Since 1.20 work is shown as activities: STDERR_START_ACTIVITY gives an id (the "
            "daemon's pid × 2^32, and a counter), a parent, an ActivityType and fields; "
            "STDERR_RESULT tells of lines of a build log, phases and progress; "
            "STDERR_STOP_ACTIVITY ends it, perhaps in a later operation. Before 1.20 an "
            "activity with a text becomes a line of STDERR_NEXT."
        ),
        Example("STDERR_START_ACTIVITY"),
        Example("STDERR_RESULT"),
        Heading("The frames and their tags", "tags"),
        frame_tags(),
        Heading("The client, step 3", "client"),
        Prose(
            "Now the client can ask. `ask` sends a request and reads frames until the daemon says "
            "that the work is done. What follows a frame's tag is written as a letter for each "
            "value: n a number, t a text, l a list of texts, f the fields of an activity."
        ),
        Code("Step 3: the log", client.LOG),
        Prose(
            "These methods belong to the class of step 2. The layout of STDERR_ERROR is that of "
            "1.21: a text and an exit status; since 1.26 it is a record of more. STDERR_READ and "
            "STDERR_WRITE are missing, as they come with payload only."
        ),
        Prose(
            "A first question is IsValidPath, which has the number 1. After `daemon.ask(number(1), "
            "text(path))` the reply is the next word: `daemon.number()` is 1 for a path that is in "
            "the store, and 0 for one that is not. EnsurePath (10) for a path that cannot be had "
            "ends in an error, and the connection goes on."
        ),
    ),
)

PAYLOAD = Chapter(
    "payload",
    "Payload and NAR",
    "How files travel: a NAR, and the ways it has been carried.",
    (
        Heading("NAR", "nar"),
        Prose(
            "A NAR is a file tree as one stream: names, contents, links, and whether a file is "
            "executable; no times, owners or other modes. Every token is a string, so its "
            "length is a multiple of eight. It has no length of its own: it ends where its "
            "grammar ends."
        ),
        Grid(
            "Grammar of a NAR; words in quotes are strings",
            ("part", "is"),
            [
                ("nar", '"nix-archive-1" node'),
                ("node", '"(" "type" body ")"'),
                ("body", '"regular" ["executable" ""] "contents" bytes'),
                ("", 'or "symlink" "target" bytes'),
                ("", 'or "directory" entry…, names ascending by bytes'),
                ("entry", '"entry" "(" "name" bytes "node" node ")"'),
            ],
        ),
        Prose(
            "Readers up to Nix 2.24 take the parts of a node in any order; from 2.25 on only "
            "this grammar is read, and newer releases set limits: less than 64 levels, names of "
            "at most 255 bytes, targets below 4096."
        ),
        Heading("Carried as a bare NAR", "bare"),
        Prose("Until 1.24 AddToStore is followed by the NAR itself, even for a flat file."),
        Heading("Pulled by the daemon", "pulled"),
        Prose(
            "AddToStoreNar at 1.21 and 1.22, and ImportPaths: the daemon sends STDERR_READ with "
            "the most bytes it wants, the client answers with one string, again and again. "
            "There may be no STDERR_READ at all, when the daemon has the path already."
        ),
        Example("STDERR_READ"),
        Heading("In frames", "frames"),
        Prose(
            "Since 1.23 and 1.25 payload comes in frames: a length and so many bytes, and a "
            "length of 0 at the end. Where one frame ends and the next begins means nothing, it "
            "may be in the middle of a number. A client whose source fails still sends the 0."
        ),
        Example("AddToStore", picture=True),
        Heading("Many paths at once", "many"),
        Prose(
            "Within the frames of AddMultipleToStore: a count, then each path's ValidPathInfo "
            "(always laid out as 1.16 had it) and its NAR, references first."
        ),
        Heading("Export streams", "export"),
        Prose(
            "`nix-store --export` writes, for every path, the word 1 and a record: the NAR, "
            "0x4558494e, the path, its references, its deriver, and the word 0 (1 and a "
            "signature in Nix 1.x); at the end the word 0. ImportPaths reads it, ExportPath "
            "sends one record in many frames of STDERR_WRITE."
        ),
        Heading("A NAR as the reply", "reply"),
        Prose(
            "NarFromPath sends STDERR_LAST before it opens the path. An error then stands where "
            "the NAR, or its next token, was expected; inside a file's contents it cannot be "
            "told from them, the stream just ends."
        ),
        Heading("The client reads a NAR", "client"),
        Prose(
            "As every token of a NAR is a string, the client of 40 lines has all that is needed to "
            "read one: its own `text`, again and again, until the first parenthesis is closed. "
            "That is the only end there is; after it the next request can be sent."
        ),
        Code("NarFromPath (38), and the tree that comes back", client.NAR),
        Prose(
            "Folders become dictionaries, files their contents, links their targets. `executable` "
            "is a key like the others, with an empty string behind it; it stands before the "
            "contents, which take its place."
        ),
    ),
)

REACHING = Chapter(
    "reaching",
    "Reaching a daemon",
    "Which socket a client takes, and who the daemon thinks it is.",
    (
        Bullets(
            (
                "`NIX_REMOTE=daemon` makes a client use the daemon; unset or `auto` it does so "
                "only where it cannot write the store itself: root bypasses the daemon.",
                "`NIX_DAEMON_SOCKET_PATH` names the socket, from Nix 2.4 on. Nix 2.0 to 2.3 "
                "take `NIX_REMOTE=unix:///path`, with at most 106 bytes.",
                "`ssh-ng://host` runs `nix-daemon --stdio` there and speaks this protocol "
                "through the pipe. From Nix 2.20 on that process decodes every operation and "
                "sends it again on a connection of its own.",
                "Inside a build with recursive Nix the socket is `.nix-socket` in the build "
                "directory; the client is not trusted there, and SetOptions is ignored.",
                "Lix' main branch tries a second socket first, which speaks another protocol, "
                "unless the socket is named.",
                "Guix daemons use the same magic numbers and versions 1.97 and up; the rest "
                "differs.",
            )
        ),
    ),
)

TWO_PROTOCOLS = Chapter(
    "two-protocols",
    "The worker and the serve protocol",
    "Which of the two is spoken when, and what the other one lacks.",
    (
        Prose(
            "Nix has two protocols. A daemon speaks the worker protocol: on its socket, and by "
            "`nix-daemon --stdio`, which is what `ssh-ng://` stores start on the other machine. "
            "`ssh://` stores start `nix-store --serve` there, which speaks the serve protocol; "
            "pages and types that only it has begin with `serve.` here. They share words, strings "
            "and NARs; the first word of a connection says which of them it is."
        ),
        Grid(
            "Who speaks what to another machine",
            ("said", "started there", "protocol"),
            [
                ("ssh-ng://HOST", "nix-daemon --stdio", "worker"),
                ("ssh://HOST", "nix-store --serve --write", "serve"),
                ("nix-copy-closure HOST", "nix-store --serve --write", "serve"),
                (
                    "a builder written as HOST, without a scheme",
                    "nix-store --serve --write",
                    "serve",
                ),
                ("nixos-rebuild with another host", "nix-store --serve --write", "serve"),
            ],
            names=(),
        ),
        Heading("How a command is answered", "answers"),
        Prose(
            "The handshake is a magic number and a version from each side. Then the client sends a "
            "number and fields, and the reply follows at once: no log, no STDERR_LAST, and no "
            "error. What fails is told on the program's standard error, which ssh carries beside "
            "the stream, and the stream ends. Only a recording that has that text says why; "
            "`pix-inspect stdio --serve` keeps it, and so does a relay that starts the program: "
            "`record --listen SOCKET --upstream-command 'nix-store --serve --write'`. A recording "
            "may hold connections of both protocols."
        ),
        Example("serve.BuildDerivation", picture=True),
        Heading("What is different", "differences"),
        Bullets(
            (
                "A build's log is standard error as well, uncut and without activities; the reply "
                "of serve.BuildDerivation holds the result, a failure included.",
                "serve.BuildPaths answers a failure by the exit status that a program would have. "
                "Clients read it as a build status, in which 1 is a success.",
                "serve.QueryPathInfos does not say how many paths are known: the list ends with an "
                "empty string.",
                "serve.AddToStoreNar carries its NAR bare, where the worker protocol has frames: "
                "nobody can break it off and go on.",
                "Signatures are not looked at: whoever may start the program with --write may add "
                "what they like. Without --write it only reads, as for a key of ssh that is "
                "restricted to `nix-store --serve`.",
                "There are no features, no settings but those of serve.BuildOptions, no garbage "
                "collection and no roots.",
            )
        ),
        Heading("Which to use", "which"),
        Prose(
            "`ssh-ng://` tells errors and progress and knows every operation; its program trusts "
            "the user as the daemon does. `ssh://` needs no daemon there and works with every Nix "
            "since 1.8. Nix up to 2.35 has both, and so has Lix."
        ),
    ),
)

TRAPS = Chapter(
    "traps",
    "Traps",
    "What goes wrong when a client, a daemon or a relay is written.",
    (
        Bullets(
            (
                "An error before the frame reader exists (AddToStore with a method that cannot "
                "be parsed, AddBuildLog from an untrusted client) leaves the frames unread: "
                "their lengths are then taken for operation numbers. A length of 27 makes the "
                "daemon ask for payload.",
                "The same happens to RegisterDrvOutput and QueryRealisation with Nix 2.35 and "
                "later where realisation-with-path-not-hash is not in force.",
                "An error while frames are read is reported only after the last frame: a "
                "client that waits for it before sending the 0 waits for ever.",
                "A client that does not read the log while it sends payload can block: the "
                "daemon's buffer fills, it stops reading.",
                "The store directory is not on the wire but in every path: do not take "
                "`/nix/store` for granted.",
                "A U64 does not fit a signed number; a wild length must allocate nothing.",
                "Operations are not gated by version in the daemon: it answers every number it "
                "knows. Asking for what the version does not have is the client's mistake.",
                "Nobody pipelines operations, though daemons since Nix 1.8 understand it. "
                "Concurrency comes from several connections.",
                "SetOptions, AddToStoreNar, AddMultipleToStore and RegisterDrvOutput have no "
                "reply fields: STDERR_LAST is all.",
                "QueryPathInfo before 1.17 says that a path is missing by STDERR_ERROR: no "
                "failure of the session.",
                "A daemon that sees its client hang up stops the running build. A relay has to "
                "pass hang-ups on, and half-closes as half-closes.",
            )
        ),
    ),
)

GRPC = Chapter(
    "grpc",
    "The daemon over gRPC",
    "WorkerService of nix.proto: its methods, fields and numbers, and the operations behind them.",
    service.blocks(),
)

CHAPTERS = (
    *(INTRODUCTION, PRIMITIVES, CONNECTION, LOG, QUESTION, BUILD, PAYLOAD, TRUST, REACHING),
    *(TWO_PROTOCOLS, FROM_PIX, GRPC, TRAPS, EXERCISES, GLOSSARY),
)
"""In the order in which they are read."""
