"""What an exchange is about, in a few words: the path's name, the count of paths, the option.

Found through the declarations: the first field that holds a path, a name or a list says it.
"""

from __future__ import annotations

import re

from pix.codec.gates import version_text
from pix.codec.lists import PAIR
from pix.codec.records import Maybe, Tagged
from pix.codec.wire import Node
from pix.conversation.exchange import SIDES
from pix.protocol.types import TrustedFlag
from pix_inspect.base.safe_text import inert, plain
from pix_inspect.base.units import count, size
from pix_inspect.recording.notes import Peer
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.log_text import frame_text

_STORE_PATH = re.compile(r"(?:.*/)?[0-9a-df-np-sv-z]{32}-(.+)", re.DOTALL)
LONGEST = 200


def short(path: str) -> str:
    """Return a store path without directory and hash: `…glibc-2.39`; other texts as they are."""
    match = _STORE_PATH.fullmatch(path)
    return inert(f"…{match.group(1)}" if match else path, LONGEST)


def short_command(peer: Peer) -> str:
    """Return a client's command line, its program without folder, as it was; "" if unknown.

    Of a client that came over a network where it came from.
    """
    if not peer.command:
        return peer.address or ""
    program, space, arguments = peer.command.partition(" ")
    return (program.rpartition("/")[2] or program) + space + arguments


def about(view: ExchangeView) -> str:
    """Return what the exchange is about, inert, on one line; empty when there is nothing.

    What was asked for a call of the gateway says for which.
    """
    said, call = _about(view), view.grpc
    return said if call is None else f"{said} ← gRPC {inert(call.method, LONGEST)}".strip()


def _about(view: ExchangeView) -> str:
    kind = view.row.kind
    if kind == "handshake":
        return _handshake(view)
    if kind == "opaque":
        sizes = [view.span(side) for side in (0, 1)]
        found = [
            f"{size(end - start)} from the {side}"
            for side, (start, end) in zip(SIDES, sizes, strict=True)
            if end > start
        ]
        return f"{' and '.join(found) or 'nothing'} not understood"
    if kind == "orphan" and view.part("error") is not None:
        return _message(view)
    if kind == "orphan":
        return f"{view.log[0].name} {inert(frame_text(view.log[0]), LONGEST)}" if view.log else ""
    request = view.part("request")
    if request is None or request.node is None:
        return ""
    if view.row.operation == "SetOptions":
        overrides = request.node.find("overrides")
        return count(len(overrides.children or ()), "override") if overrides is not None else ""
    if view.row.operation == "CollectGarbage":
        action = request.node.find("action")
        return str(action.plain()) if action is not None else ""
    for field in request.node.children or ():
        said = _field(field)
        if said:
            return said
    return ""


def _field(node: Node) -> str:
    if isinstance(node.value, str) and node.value:
        return short(node.value)
    if node.children is not None:
        children = node.children
        if not len(children) or isinstance(node.wire, (Maybe, Tagged)):
            return ""
        first = children[0]
        text = first.name if first.wire is PAIR else first.value
        if isinstance(text, str):
            rest = len(children) - 1
            return short(text) + (f" and {rest:,} more" if rest else "")
    return ""


def _message(view: ExchangeView) -> str:
    message = view.field("error", "message")
    if message is None or not isinstance(message.value, str):
        return ""
    return inert(" ".join(plain(message.value).split()), LONGEST)


def _handshake(view: ExchangeView) -> str:
    words = []
    for name, part in (("client", "request"), ("daemon", "reply")):
        version = view.field(part, "version")
        if version is not None and isinstance(version.value, int) and version.value < 1 << 16:
            words.append(f"{name} {version_text(version.value)}")
    nix, trusted = view.field("reply", "daemon_nix_version"), view.field("reply", "trusted")
    if nix is not None and nix.value:
        words.append(f"Nix {inert(nix.value, 40)}")
    if trusted is not None and isinstance(trusted.value, TrustedFlag):
        words.append(trusted.value.name.lower().replace("_", " "))
    return ", ".join(words)
