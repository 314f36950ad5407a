"""Recordings to measure with: QueryPathInfo at 1.35 on one connection, as many as are asked for.

Two kinds. In the first all answers are `alike` (72 bytes up, 520 down). In the `varied` one no two
are, nor do two exchanges ask for the same path: names of 4 to 48 letters, 0 to 60 references
(half of the answers have 6 or less), and what a path may lack is missing now and then.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from pix.codec.gates import Protocol
from pix.codec.values import encode
from pix.protocol import OPERATIONS_BY_NAME
from pix_inspect.recording.notes import Peer
from pix_inspect.recording.writer import RecordingWriter

LAST = 0x616C7473
BASE_32 = "0123456789abcdfghijklmnpqrsvwxyz"

Answer: TypeAlias = "dict[str, Any]"
"""The fields of a path's info; `path`, where it is there, is what is asked for."""

Vary: TypeAlias = "Callable[[int, Answer], int]"
"""Changes what request `i` asks for and is answered; returns how many times it is asked."""


def word(n: int) -> bytes:
    return n.to_bytes(8, "little")


def alike() -> Vary:
    """Return what leaves each request and answer as it is."""
    return lambda i, info: 1


def varied(seed: int = 1) -> Vary:
    """Return what changes path and answer of each request, alike in each recording."""
    chance = random.Random(seed)
    known: list[str] = []

    def letters(alphabet: str, count: int) -> str:
        return "".join(chance.choices(alphabet, k=count))

    def vary(i: int, info: Answer) -> int:
        nonlocal known
        name = letters("abcdefghijklmnopqrstuvwxyz-.0123456789", chance.randint(3, 47))
        info["path"] = path = f"/nix/store/{letters(BASE_32, 32)}-a{name}"
        many = chance.randint(0, 12) if chance.random() < 0.9 else chance.randint(0, 60)
        info |= {
            "deriver": None if chance.random() < 0.1 else path + ".drv",
            "nar_hash": letters("0123456789abcdef", 64),
            "references": sorted(set(chance.sample(known, min(many, len(known))))),
            "registration_time": 1_600_000_000 + i,
            "nar_size": 8 * chance.randint(12, 1 << 24),
            "sigs": [f"k{k}:{letters(BASE_32, 86)}==" for k in range(chance.choice((0, 1, 1, 2)))],
            "ca": f"fixed:r:sha256:{letters(BASE_32, 52)}" if chance.random() < 0.1 else None,
        }  # fmt: skip
        known = [*known[-255:], path]
        return 1

    return vary


KINDS = {"alike": alike, "varied": varied}


def write(path: Path, count: int, vary: Vary) -> None:
    """Write a recording of `count` requests."""
    operation = OPERATIONS_BY_NAME["QueryPathInfo"]
    protocol = Protocol(35)
    references = [f"/nix/store/{'a' * 32}-x{i}" for i in range(5)]
    info = {
        "deriver": None, "nar_hash": "a" * 64, "references": references, "registration_time": 1,
        "nar_size": 3, "ultimate": False, "sigs": ["k:" + "b" * 88], "ca": None,
    }  # fmt: skip
    same = dict(info)
    answer = b""
    writer = RecordingWriter(path, about={}, queue_limit=1 << 40)
    now = 1_700_000_000_000_000_000
    log = writer.open(Peer(), {}, time=now)
    nix = word(6) + b"2.18.0\0\0"
    greeting = [
        (0, word(0x6E697863) + word(0x123)), (1, word(0x6478696F) + word(0x123)),
        (0, word(0) * 2), (1, nix + word(1) + word(LAST)),
    ]  # fmt: skip
    for side, data in greeting:
        log.chunk(side, now, data, len(data))
    for i in range(count):
        changed: Answer = dict(same)
        times = vary(i, changed)
        request = changed.pop("path", f"/nix/store/{'a' * 32}-{i:08}").encode()
        if not answer or changed != info:
            info = changed
            plain = operation.reply.value_of({"info": info})
            answer = word(LAST) + encode(operation.reply, plain, protocol)
        request = word(26) + word(len(request)) + request + bytes(-len(request) & 7)
        for _ in range(times):
            now += 30_000
            log.chunk(0, now, request, len(request))
            log.chunk(1, now + 20_000, answer, len(answer))
        while writer.queued > 64 << 20:
            time.sleep(0.01)
    log.close(now)
    writer.close(600)
