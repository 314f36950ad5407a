"""The chapter on the gRPC service: its mapping from the table that the gateway works by."""

from __future__ import annotations

from collections.abc import Iterator

from pix.worker_service.methods import (
    METHODS,
    PACKAGE,
    SERVICE,
    Field,
    Form,
    Message,
    Method,
    Way,
    file_type,
)
from pix_inspect.teach.manual.blocks import Block, Bullets, Grid, Heading, Prose


def blocks() -> tuple[Block, ...]:
    """Return the parts of the chapter."""
    return (
        Prose(
            f"`nix.proto` describes the daemon as the gRPC service `{PACKAGE}.{SERVICE}`, in "
            "the layouts of protocol 1.21. `pix-inspect grpc --listen unix:///tmp/grpc.sock` "
            "serves it for any daemon, whatever that speaks; reflection tells clients what there "
            "is. A call is answered over a connection of its own, taken from a pool, and what it "
            "asks of the daemon is recorded with the method and the caller (`--record`): filters "
            "know `grpc.method` and `grpc.caller`."
        ),
        Heading("Methods and operations", "methods"),
        Grid(
            "What each method asks",
            ("method", "takes", "returns", "operation", "when", "and"),
            [_method_row(method, way) for method in METHODS for way in method.ways],
            names=(0, 1, 2, 3),
        ),
        Heading("Fields", "fields"),
        Prose(
            "Which field of a message is which of an operation; `→` is sent, `←` comes back. "
            "What is not listed for an operation is sent as the default of its declaration."
        ),
        Grid(
            "Fields and their numbers",
            ("method", "", "field", "number", "type", "in the operation", "as"),
            [row for method in METHODS for row in _field_rows(method)],
            names=(0, 2, 4, 5),
        ),
        Heading("Where the file and the daemon disagree", "disagreements"),
        Bullets(
            (
                "NarFromPath returns a StorePath in the file; the daemon sends the NAR. The "
                "answer is the path, after the NAR was read and dropped: that it comes says that "
                "the NAR can be had.",
                "VerifyStoreRequest.dont_check_sigs is not on the wire: no daemon is told, and "
                "none checks signatures there.",
                "AddIndirectRoot takes a StorePath in the file; it is the absolute name of a "
                "symlink outside the store. Derivation.builder, too, is any program.",
                "Hashes are bytes and numbers in the file, text on the wire: PathInfo.nar_hash "
                "and DerivationOutput.hash are hexadecimal digits (or `impure`), hash_type is a "
                "name. Bytes go out; bytes or digits are taken.",
                "FindRootsResponse.roots is a map in the file; the daemon sends pairs, of which "
                "several may have the same link (`{censored}`, `{temp:PID}`). The last one stays.",
            )
        ),
        Heading("What the file lacks", "lacks"),
        Bullets(
            (
                "AddToStore has only the layout of before 1.25: the data is one NAR, also of a "
                "flat file, without references; `fixed` unset means SHA-256 of the NAR, whatever "
                "else is said.",
                "AddToStoreNar cannot say `repair` or `dont_check_sigs`: unsigned paths need a "
                "daemon with `require-sigs = false`.",
                "SetOptions lacks verbosity, max_silent_time and what is obsolete; "
                "`verbose_build` is a verbosity. Fields that are not set are 0 and false, "
                "`use_substitutes` as well. They hold for all calls of the same client.",
                "QueryValidPaths cannot substitute. BuildStatus ends at 12; later numbers come "
                "as they are. BuildDerivationResponse has no times and no outputs.",
                "Text that is not UTF-8 has U+FFFD in the place of odd bytes in answers.",
            )
        ),
        Heading("Statuses", "statuses"),
        Bullets(
            (
                "INVALID_ARGUMENT: a path, a field or the first message of a stream is missing or "
                "malformed. UNIMPLEMENTED: the protocol spoken with this daemon cannot carry it.",
                "INTERNAL: the daemon's error. `grpc-status-details-bin` has its text and traces "
                "(google.rpc.DebugInfo). UNAVAILABLE: no daemon, or it hung up.",
                "PERMISSION_DENIED: ignore_liveness, which every daemon refuses. "
                "RESOURCE_EXHAUSTED: too many calls at once, or too large a message.",
                "The last log frames of a call are trailing metadata, `nix-log`, one JSON object "
                "each; `nix-log-left-out` counts those before them.",
                "A call that is cancelled, or past its deadline, closes the daemon's connection, "
                "which ends its work. Temporary roots last as long as the client's connection.",
            )
        ),
    )


def _method_row(method: Method, way: Way) -> tuple[str, ...]:
    operation = way.operation
    return (
        method.name,
        f"{'stream ' if method.streams else ''}{method.request.name}",
        method.reply.name,
        f"{operation.name} ({operation.code})",
        way.gate.text or "always",
        way.remark,
    )


def _field_rows(method: Method) -> Iterator[tuple[str, ...]]:
    """Yield the fields by the operation that the method is named after."""
    way = method.ways[0]
    sent = way.operation.request
    for part in (*method.request.fields, *(method.head.fields if method.streams else ())):
        if part.message is None or part.wraps or part.message is not method.head:
            yield _field_row(method, way, part, "→", sent.name)
        if part.message is not None and not part.wraps and part.message is not method.head:
            yield from _within(method, part, "→")
    for part in method.reply.fields:
        yield _field_row(method, way, part, "←", way.operation.reply.name)
        if part.message is not None and not part.wraps:
            yield from _within(method, part, "←")


def _within(method: Method, outer: Field, direction: str) -> Iterator[tuple[str, ...]]:
    """Yield the fields of a record in a message."""
    layout: Message | None = outer.message
    assert layout is not None
    for part in layout.fields:
        known = part.attribute is not None and part.attribute in _attributes(outer)
        where = f"{outer.item.name}.{part.attribute}" if known else "–"
        yield _row(method, part, direction, where)
        if part.message is not None and not part.wraps:
            yield from _within(method, part, direction)


def _attributes(outer: Field) -> set[str]:
    """Return what a record has, itself or within."""
    found = {field.name for field in outer.item.fields}
    return found | {inner.name for field in outer.item.fields for inner in field.wire.fields}


def _field_row(
    method: Method, way: Way, part: Field, direction: str, record: str
) -> tuple[str, ...]:
    name = way.attribute(part)
    return _row(method, part, direction, "–" if name is None else f"{record}.{name}")


def _row(method: Method, part: Field, direction: str, where: str) -> tuple[str, ...]:
    shown = f"{'repeated ' if part.repeated else ''}{file_type(part)}"
    how = part.form.value if part.form is not Form.PLAIN else "wrapped" if part.wraps else ""
    return (method.name, direction, part.name, str(part.number), shown, where, how)
