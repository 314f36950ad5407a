"""What Wireshark asks of a program that captures, and what it is told.

It asks for interfaces, then for the link type and the options of one, and starts a capture that
writes into a named pipe. Source: Wireshark `doc/extcap.adoc`, `extcap_parser.c` (4.0 to 4.6).
"""

from __future__ import annotations

import os
import select
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pix

INTERFACE = "nix-daemon"
LINK_TYPE = 101
"""Raw IP, as in all recordings."""
PAYLOADS = {
    "64K": "the first 64 KiB of each",
    "full": "all of it",
    "none": "nothing",
}
"""What can be chosen to keep of payload, the default first."""


def interfaces() -> Iterable[str]:
    """Yield what there is to capture on."""
    yield f"extcap {{version={pix.__version__}}}{{display=pix-inspect}}"
    yield f"interface {{value={INTERFACE}}}{{display=Nix daemon}}"


def link_types() -> Iterable[str]:
    """Yield what captured packets are."""
    yield f"dlt {{number={LINK_TYPE}}}{{name=RAW}}{{display=Raw IP}}"


def options() -> Iterable[str]:
    """Yield what can be set, as Wireshark shows it in a dialog."""
    yield (
        "arg {number=0}{call=--listen}{display=Socket for clients}{type=string}"
        f"{{default={default_socket()}}}"
        "{tooltip=The socket to make: clients use it by NIX_REMOTE=unix://SOCKET}"
    )
    yield (
        "arg {number=1}{call=--upstream}{display=Socket of the daemon}{type=string}"
        "{tooltip=Empty for NIX_DAEMON_SOCKET_PATH, else the system's}"
    )
    yield (
        "arg {number=2}{call=--upstream-command}{display=Command in place of the daemon}"
        "{type=string}{tooltip=Started for each client, such as nix-daemon --stdio}"
    )
    yield (
        "arg {number=3}{call=--payload}{display=Payload to keep}{type=selector}"
        "{tooltip=How much of each NAR, upload or log is captured}"
    )
    for i, (value, text) in enumerate(PAYLOADS.items()):
        default = "true" if i == 0 else "false"
        yield f"value {{arg=3}}{{value={value}}}{{display={text}}}{{default={default}}}"


def default_socket() -> Path:
    """Return the socket that is made unless another is named."""
    folder = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(folder) / f"nix-wireshark-{os.getuid()}.sock"


def reader_gone(pipe: int) -> None:
    """Wait until nobody reads the pipe any more: Wireshark ended, whatever way."""
    poll = select.poll()
    poll.register(pipe, 0)  # errors are told all the same
    poll.poll()
