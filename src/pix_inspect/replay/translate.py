"""Requests and answers in another protocol version than they were recorded in.

Requests are exact: what a version cannot carry is an error that names the field. Answers are
fitted, as a daemon fits them: what the version has no place for is left out. Where an
operation changed so much that its fields have nothing in common, its old form and its new one
are translated into each other, as clients of either age would have asked.

Source: Nix `remote-store.cc`, `daemon.cc`, `logging.cc`.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, TypeAlias

from pix.codec.declare import wire_of
from pix.codec.errors import EncodeError
from pix.codec.gates import Protocol
from pix.codec.gates import newest as newest_of
from pix.codec.nar_files import FILE_HEAD
from pix.codec.values import encode, fitted
from pix.codec.wire import bytes_of, pack_u64, text_of
from pix.daemon.upload import file_nar
from pix.protocol import operations as ops
from pix.protocol.logging import (
    ResultType,
    StderrNext,
    StderrResult,
    StderrStartActivity,
    StderrStopActivity,
)
from pix.protocol.types import DELETE_DEAD_REFERRERS, SpecificPaths

NEW_ADD = 25
"""From 1.25 on AddToStore has its present layout, and takes the place of AddTextToStore."""
DERIVED = 30
"""From 1.30 on `DRV!*` means all outputs, before it the bare derivation did."""
WITH_ADDRESS = 22
"""From 1.22 on QuerySubstitutablePathInfos takes content addresses too."""
ACTIVITIES = 20
"""From 1.20 on activities are told; before it their text is a message."""


BUILDING = (ops.BuildPaths, ops.BuildPathsWithResults, ops.QueryMissing)


def request_head(request: Any, protocol: Protocol) -> bytes:
    """Return a request without its payload. Raises EncodeError that names field and version."""
    operation = request.operation
    if operation.feature is not None and operation.feature not in protocol.features:
        raise EncodeError(operation.name, f"needs the feature {operation.feature}")
    if not operation.life.is_there(protocol.minor):
        first = operation.family.version(operation.life.introduced.minor or 0)
        raise EncodeError(
            operation.name, f"does not exist before {first} (this is {protocol.text})"
        )
    try:
        return pack_u64(operation.number) + encode(operation.request, request, protocol)
    except EncodeError as error:
        raise error.inside(operation.name) from None


# Requests that changed --------------------------------------------------------------------

Content: TypeAlias = Callable[[], Iterator[bytes]]
"""Gives the payload's content, from its beginning."""


def translated(
    request: Any, content: Content, was: Protocol, now: Protocol
) -> tuple[Any, Iterator[bytes]]:
    """Return a request and its payload as a client of version `now` would send them.

    Raises EncodeError where there is no such request.
    """
    if isinstance(request, ops.AddToStore):
        return _added(request, content, was.minor, now.minor)
    if isinstance(request, BUILDING):
        changed = copy.copy(request)
        changed.paths = tuple(_derived(path, was.minor, now.minor) for path in request.paths)
        return changed, content()
    if isinstance(request, ops.QuerySubstitutablePathInfos):
        return _substitutable(request, now.minor), content()
    if isinstance(request, ops.CollectGarbage):
        return _garbage(request, now), content()
    return request, content()


def newest(request: Any, content: Content, was: Protocol) -> tuple[Any, Iterator[bytes]]:
    """Return a request and its payload in the newest form, for comparing."""
    if isinstance(request, ops.AddTextToStore):
        added = ops.AddToStore(
            name=request.name, method="text:sha256", references=request.references, dump=b""
        )
        return added, iter((bytes_of(request.text),))
    return translated(request, content, was, newest_of(was.family))


def _added(
    request: ops.AddToStore, content: Content, was: int, now: int
) -> tuple[Any, Iterator[bytes]]:
    if (was < NEW_ADD) == (now < NEW_ADD):
        return request, content()
    if now >= NEW_ADD:
        algorithm = request.hash_algo if request.fixed else "sha256"
        if request.fixed and not request.recursive:
            method = f"fixed:{algorithm}"
            return ops.AddToStore(name=request.name, method=method, dump=b""), _file_of(content())
        return ops.AddToStore(name=request.name, method=f"fixed:r:{algorithm}", dump=b""), content()
    if request.repair:
        raise EncodeError("AddToStore.repair", f"does not exist before 1.{NEW_ADD}")
    if request.method == "text:sha256":
        text = text_of(b"".join(content()))
        as_text = ops.AddTextToStore(name=request.name, text=text, references=request.references)
        return as_text, iter(())
    match = re.fullmatch(r"fixed:(r:)?(\w+)", request.method)
    if match is None or request.references:
        what = "method" if match is None else "references"
        raise EncodeError(
            f"AddToStore.{what}", f"{request.method} cannot be said so before 1.{NEW_ADD}"
        )
    recursive, algorithm = match[1] is not None, match[2]
    usual = recursive and algorithm == "sha256"
    old = ops.AddToStore(
        name=request.name,
        fixed=not usual,
        recursive=int(recursive),
        hash_algo=algorithm,
        dump=b"",
    )
    return old, iter(content() if recursive else map(bytes, file_nar(content())))


def _file_of(nar: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the contents of the one file that a NAR is. Raises EncodeError for other NARs."""
    size_at = len(FILE_HEAD)
    head = b""
    while len(head) < size_at + 8 and (piece := next(nar, b"")):
        head += piece
    if head[:size_at] != FILE_HEAD:
        raise EncodeError("AddToStore.dump", "is not a NAR of one plain file")
    left = int.from_bytes(head[size_at : size_at + 8], "little")
    for piece in chain((head[size_at + 8 :],), nar):
        yield piece[:left]
        left -= len(piece[:left])


def _derived(path: str, was: int, now: int) -> str:
    if now < DERIVED <= was:
        if path.endswith("!*"):
            return path[:-2]
        if path.endswith(".drv"):
            raise EncodeError("paths", f"{path} itself cannot be meant before 1.{DERIVED}")
    elif was < DERIVED <= now and path.endswith(".drv"):
        return path + "!*"
    return path


def _substitutable(request: ops.QuerySubstitutablePathInfos, now: int) -> Any:
    if now < WITH_ADDRESS and request.paths_with_ca:
        for path, address in request.paths_with_ca.items():
            if address:
                raise EncodeError(
                    f"QuerySubstitutablePathInfos.paths_with_ca[{path!r}]",
                    f"a content address cannot be said before 1.{WITH_ADDRESS}",
                )
        return ops.QuerySubstitutablePathInfos(paths=frozenset(request.paths_with_ca))
    if now >= WITH_ADDRESS and request.paths:
        return ops.QuerySubstitutablePathInfos(paths_with_ca=dict.fromkeys(sorted(request.paths)))
    return request


def _garbage(request: ops.CollectGarbage, now: Protocol) -> Any:
    """Return a CollectGarbage with its paths where that version has them."""
    changed = copy.copy(request)
    if DELETE_DEAD_REFERRERS in now.features:
        if request.target is None and request.paths_to_delete:
            changed.target = SpecificPaths(paths=request.paths_to_delete)
            changed.paths_to_delete = frozenset()
    elif request.target is not None and not request.target.delete_referrers:
        changed.paths_to_delete = request.target.paths
        changed.target = None
    return changed


# Answers ------------------------------------------------------------------------------------


def frame_bytes(frame: Any, protocol: Protocol) -> bytes:
    """Return a STDERR frame in that version, nothing where it has no such thing."""
    if protocol.minor < ACTIVITIES:
        told = _told(frame)
        if told is None:
            return b""
        frame = told
    kind = frame.frame
    wire = wire_of(type(frame))
    return pack_u64(kind.code) + encode(wire, fitted(wire, frame, protocol), protocol)


def _told(frame: Any) -> Any:
    """Return what a client that knows no activities is told of one."""
    if isinstance(frame, StderrStartActivity):
        return StderrNext(text=f"{frame.text}...\n") if frame.text else None
    if isinstance(frame, StderrResult) and frame.type == ResultType.BUILD_LOG_LINE:
        return StderrNext(text=f"{frame.fields[0]}\n") if frame.fields else None
    return None if isinstance(frame, StderrStopActivity | StderrResult) else frame
