"""What went wrong in an exchange, in its own words: the daemon's error, or builds that failed.

A build that failed is an answer like any other: its status stands in the reply.
Source: Nix `build-result.hh`, `worker.cc` (failingExitStatus).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from pix.codec.records import Nonzero
from pix.codec.wire import Enumeration, Named, Node
from pix.conversation.notes import Reason
from pix.dataclass import dataclass
from pix_inspect.base.safe_text import plain
from pix_inspect.session.exchange_view import ExchangeView

MOST_TOLD = 3
"""Failures of one exchange that are told together."""

_BITS = {1: "timed out", 2: "a hash mismatch", 4: "the builder failed", 8: "not deterministic"}
_FAILED_BITS = 0x60
"""Those of an exit status of which the others say why."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure: what could not be had ("" where that is not said of it alone), its status by
    name ("" in an error), what is said of it without colours, and the field that tells of it.
    """

    what: str
    status: str
    message: str
    field: str
    offset: int

    def __str__(self) -> str:
        what = "" if self.what.partition("!")[0] in self.message else self.what
        return ": ".join(each for each in (what, self.status, self.message) if each)


def failures(view: ExchangeView) -> Iterator[Failure]:
    """Yield what failed in an exchange that ended in state `error`."""
    message = view.field("error", "message")
    if message is not None and isinstance(message.value, str):
        yield Failure("", "", plain(message.value), "error.message", message.start)
    if any(note.reason is Reason.BUILD_FAILED for note in view.place.notes):
        yield from _builds(view)


def failure_text(view: ExchangeView) -> str:
    """Return what failed in an exchange, not yet inert; "" where nothing did."""
    return "; ".join(map(str, islice(failures(view), MOST_TOLD)))


def asked_for(view: ExchangeView) -> str:
    """Return the first path that a request names, "" where it names none."""
    request = view.part("request")
    for each in (request.node.children if request and request.node else None) or ():
        for node in (each, *(each.children or ())[:1]):
            if isinstance(node.value, str):
                return node.value
    return ""


def _builds(view: ExchangeView) -> Iterator[Failure]:
    reply = view.part("reply")
    asked = asked_for(view)
    pending = [(reply.node, reply.name, asked)] if reply is not None and reply.node else []
    while pending:
        node, path, what = pending.pop(0)
        status, keyed = node.find("status"), node.find("path")
        if keyed is not None and isinstance(keyed.value, str):
            what = keyed.value
        if status is not None and (name := _named(node, status)):
            error = node.find("error_msg")
            message = "" if error is None else plain(error.value)
            yield Failure(what, name, message, f"{path}.status", status.start)
        else:
            children = (child for child in node.children or () if child.children is not None)
            pending += ((child, f"{path}.{child.name}", what) for child in children)


def _named(node: Node, status: Node) -> str:
    """Return the name of a status that stands for a failure, else an empty text."""
    value, wire = status.value, status.wire
    if isinstance(wire, Enumeration):
        return value.label if isinstance(value, Named) and value in wire.failures else ""
    if node.field is None or not isinstance(node.field.wire, Nonzero):
        return ""
    why = [text for bit, text in _BITS.items() if value & _FAILED_BITS and value & bit]
    return f"exit status {value}" + (f" ({', '.join(why)})" if why else "")
