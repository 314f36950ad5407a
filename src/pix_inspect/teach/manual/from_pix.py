"""The chapter for people who come from `pix.daemon`: from a method to its operation and bytes.

Which method asks what is read from the client itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator

from pix.daemon import DaemonConnection
from pix.daemon.operations import Operations
from pix.protocol import OPERATIONS_BY_NAME
from pix_inspect.teach.manual.blocks import Bullets, Chapter, Code, Example, Grid, Heading, Prose

BESIDES = frozenset({"call", "nar", "protocol"})
"""What an operation is asked by, and what was agreed: no operations themselves."""


def methods() -> Iterator[tuple[str, Callable[..., object], tuple[str, ...]]]:
    """Yield the methods that ask something, and the operations that they may ask."""
    yield "query_path_info", DaemonConnection.query_path_info, ("QueryPathInfo",)
    for name in vars(Operations):
        method = getattr(DaemonConnection, name)
        if not name.startswith("_") and name not in BESIDES:
            yield name, method, _asked(name, method)


def _asked(name: str, method: Callable[..., object]) -> tuple[str, ...]:
    """Return the operation that a method is named after, and others that it builds."""
    own = "".join(word.capitalize() for word in name.split("_"))
    built = inspect.unwrap(method).__code__.co_names
    found = dict.fromkeys([own, *built])
    return tuple(each for each in found if each in OPERATIONS_BY_NAME)


def _row(name: str, method: Callable[..., object], asked: tuple[str, ...]) -> tuple[str, ...]:
    said = ", ".join(f"{each} ({OPERATIONS_BY_NAME[each].number})" for each in asked)
    first = inspect.getdoc(method) or ""
    return f"{name}()", said, " ".join(first.partition("\n\n")[0].split())


PROGRAM = """\
from pix.daemon import DaemonConnection

with DaemonConnection(log=print) as daemon:           # the handshake; print each frame
    path = daemon.add_text_to_store("hello", "Hello")   # AddToStore, from 1.25 on
    print(daemon.query_path_info(path).nar_hash)        # QueryPathInfo
"""

FROM_PIX = Chapter(
    "daemon-protocol",
    "Daemon protocol",
    "For people who come from pix.daemon: from a method to the bytes that it sends.",
    (
        Prose(
            "`pix.daemon` is a client in Python's standard library alone. Each of its methods asks "
            "one operation, mostly of the same name. This program sends a handshake, two requests, "
            "and nothing else:"
        ),
        Code("A program", PROGRAM),
        Heading("From a method to an operation", "methods"),
        Grid(
            "Methods of DaemonConnection",
            ("method", "operation", "what it gives back"),
            [_row(*each) for each in methods()],
        ),
        Prose(
            "Where two operations stand, the version in force decides which. Those that no method "
            "asks are asked by `call`, with an object of `pix.protocol.operations`: its fields are "
            "what the page of the operation lists, in that order."
        ),
        Heading("From an operation to bytes", "bytes"),
        Prose(
            "`daemon.query_path_info(path)` sends the word 26 and the path as a string. Then it "
            "reads the log up to STDERR_LAST, and the reply: a word that says whether the path is "
            "valid, and the fields of UnkeyedValidPathInfo, those that the version in force has."
        ),
        Example("QueryPathInfo", picture=True),
        Heading("What becomes of the rest", "rest"),
        Bullets(
            (
                "The handshake is made by `connect`, or by `with`. `daemon.protocol` is the "
                "version and the features in force, `daemon.trusted` and "
                "`daemon.daemon_nix_version` are what the daemon said of us and of itself.",
                "No SetOptions is sent: the daemon's own settings hold until `set_options`.",
                "Each frame of the log goes to `log`, as an object with the fields of its page.",
                "STDERR_ERROR is raised as NixDaemonError. The connection goes on, unless the "
                "daemon may not have read all of the request; then each use says what happened.",
                "EncodeError is raised before anything is sent, for what the version in force "
                "cannot carry.",
                "Payload is given as bytes, a file, or pieces; it is sent in frames since 1.25 "
                "(1.23 for AddToStoreNar), and as a bare NAR before. `nar` yields one that the "
                "daemon sends, as it comes.",
                "A path to build is written as on the command line, `DRV^OUTPUT`; on the wire it "
                "has `!` in the place of `^`.",
            )
        ),
        Heading("To see it", "watch"),
        Code(
            "Recorded and decoded",
            "pix-inspect run -o mine.pcapng -- python3 program.py\npix-inspect mine.pcapng",
        ),
        Prose(
            "A client that is written anew finds its mistakes in the same way: `pix-inspect check "
            "mine.pcapng` names where a stream is out of step, and which mistake explains it."
        ),
    ),
)
