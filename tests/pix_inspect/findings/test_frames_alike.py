"""Frames like a regular one need not be decoded; those that may be irregular are never alike."""

from __future__ import annotations

from typing import Any

from pix.codec.declare import STDERR_FRAMES
from pix.codec.gates import Protocol
from pix.codec.values import encode, tree
from pix.codec.wire import pack_u64
from pix.protocol.logging import ResultType, StderrResult
from pix_inspect.findings.frames_alike import FramesAlike

V38 = Protocol(38)


def line(text: str, activity: int = 7, kind: Any = ResultType.BUILD_LOG_LINE) -> bytes:
    frame = StderrResult(id=activity, type=kind, fields=(text,))
    return encode(STDERR_FRAMES[CODE].fields, frame, V38)


CODE = next(code for code, each in STDERR_FRAMES.items() if each.name == "STDERR_RESULT")


def test_frames_that_differ_in_texts_and_numbers() -> None:
    alike = FramesAlike()
    first = line("one line")
    assert (CODE, first) not in alike
    alike.add(CODE, first, tree(STDERR_FRAMES[CODE].fields, first, V38).nodes[0])
    assert (CODE, line("two line")) in alike
    assert (CODE, line("two line", activity=123 << 32)) in alike
    assert (CODE, line("a longer line")) not in alike
    assert (CODE, line("two line", kind=ResultType.SET_PHASE)) not in alike
    assert (CODE + 1, first) not in alike
    assert (CODE, line("two line", activity=7 << 56)) not in alike


def test_what_is_irregular_is_never_alike() -> None:
    alike = FramesAlike()
    good = line("seven b")
    bad = good[:-1] + b"x"
    fields = STDERR_FRAMES[CODE].fields
    alike.add(CODE, bad, tree(fields, bad, V38).nodes[0])
    assert (CODE, bad) not in alike
    alike.add(CODE, good, tree(fields, good, V38).nodes[0])
    assert (CODE, good) in alike
    assert (CODE, bad) not in alike
    wide = pack_u64(7 << 56) + good[8:]
    alike.add(CODE, wide, tree(fields, wide, V38).nodes[0])
    assert (CODE, wide) not in alike
