"""Mistakes in the serve protocol, planted one by one, and what is found of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pix.codec.gates import SERVE, WORKER, Protocol
from pix.protocol import serve
from pix.protocol.handshake import DaemonHello
from pix.protocol.logging import StderrError, StderrLast
from pix.protocol.operations import Paths, QueryPathInfo
from pix.protocol.types import BasicDerivation, BuildStatus
from pix_inspect.findings.collector import Findings
from pix_inspect.findings.finding import Finding
from pix_inspect.forensics.mistakes import Mistake
from tests.support.nars import nar
from tests.support.playbook import EOF, Playbook, said
from tests.support.recording import Recording
from tests.support.words import PATH, word

V7 = Protocol(7, family=SERVE)
TREE = nar(b"x" * 40)
KNOWN = serve.ValidPathInfo(
    path=PATH,
    info=serve.UnkeyedValidPathInfo(
        references=frozenset([PATH]), nar_size=120, nar_hash="sha256:" + "0" * 52
    ),
)
ASK = serve.QueryPathInfos(paths=frozenset([PATH]))
TOLD = serve.QueryPathInfos.Reply(infos=(KNOWN,))
DUMP = serve.DumpStorePath(path=PATH)
CLOSURE = serve.QueryClosure(paths=frozenset([PATH]))
ADD = serve.AddToStoreNar(path=PATH, nar_hash="0" * 64, nar_size=len(TREE), nar=TREE)
BUILD = serve.BuildDerivation(
    drv_path=PATH,
    derivation=BasicDerivation(
        outputs={}, input_srcs=frozenset([PATH]), platform="x86_64-linux", builder="/bin/sh"
    ),
    options=serve.BuildOptions(max_silent_time=3, build_timeout=4, max_log_size=1 << 20),
)
BUILT = serve.BuildDerivation.Reply(
    result=serve.BuildResult(
        status=BuildStatus.BUILT, times_built=1, start_time=1_700_000_000, stop_time=1_700_000_009
    )
)


def older(value: Any, minor: int) -> bytes:
    return said(value, Protocol(minor, family=SERVE))


def start() -> Playbook:
    """A session in which one command went well."""
    return Playbook(V7).greet() >> ASK << TOLD


def put(value: Any, at: int, data: bytes) -> bytes:
    raw = said(value, V7)
    at %= len(raw) + 1
    return raw[:at] + data + raw[at + len(data) :]


SIZE = said(TOLD, V7).index(word(120))
BARE = len(said(ADD, V7)) - len(TREE)
WORKER_ASK = said(QueryPathInfo(path=PATH), Protocol(38))

PLANTED: dict[str, tuple[Callable[[], Playbook], str, Mistake | None]] = {
    "a banner of the login shell": (
        lambda: Playbook(V7)
        >> serve.ClientHello(version=0x207)
        << b"Welcome to builder\n" + said(serve.ServerHello(version=0x207), V7),
        "foreign-text", Mistake.TEXT_IN_STREAM,
    ),
    "a daemon in place of the program": (
        lambda: Playbook(V7)
        >> serve.ClientHello(version=0x207)
        << said(DaemonHello(version=0x126), Protocol(10)),
        "wrong-magic", None,
    ),
    "words turned round": (
        lambda: Playbook(V7) >> word(0x390C9DEB)[::-1] + word(0x207)[::-1],
        "wrong-magic", Mistake.BIG_ENDIAN,
    ),
    "STDERR_LAST before the reply": (
        lambda: Playbook(V7).greet() >> ASK << said(StderrLast(), V7) + said(TOLD, V7),
        "wild-length", Mistake.OTHER_PROTOCOL,
    ),
    "an error frame in place of a NAR": (
        lambda: start() >> DUMP << said(StderrError(message="no such path"), Protocol(38)),
        "desync", Mistake.OTHER_PROTOCOL,
    ),
    "an operation of the worker protocol": (
        lambda: start() >> WORKER_ASK, "desync", Mistake.OTHER_PROTOCOL
    ),
    "a NAR in frames": (
        lambda: start() >> said(ADD, V7)[:BARE] + word(len(TREE)) + TREE + word(0),
        "wild-length", Mistake.FRAMED_NAR,
    ),
    "half a NAR": (
        lambda: start() >> said(ADD, V7)[:-48] + said(ASK, V7), "wild-length", Mistake.HALF_NAR
    ),
    "options of 2.6": (
        lambda: start() >> older(BUILD, 6) >> EOF, "cut-request", Mistake.OTHER_VERSION
    ),
    "a result of 2.5": (
        lambda: start() >> BUILD << older(BUILT, 5) >> ASK << TOLD,
        "misannounced-version", Mistake.OTHER_VERSION,
    ),
    "what is known of a path in 2.3": (
        lambda: start()
        >> ASK
        << older(serve.QueryPathInfos.Reply(infos=(
            serve.ValidPathInfo(
                path=PATH,
                info=serve.UnkeyedValidPathInfo(references=frozenset([PATH]), nar_size=120),
            ),
        )), 3)
        >> DUMP << TREE,
        "misannounced-version", Mistake.OTHER_VERSION,
    ),
    "a size turned round": (
        lambda: start() >> ASK << put(TOLD, SIZE, word(120)[::-1]),
        "big-endian", Mistake.BIG_ENDIAN,
    ),
    "padding": (lambda: start() >> put(DUMP, -2, b"xy") << TREE, "padding", None),
    "a boolean of seven": (
        lambda: start() >> put(CLOSURE, 8, word(7)) << Paths(paths=frozenset([PATH])),
        "boolean", None,
    ),
    "a wild length": (lambda: start() >> put(DUMP, 8, word(1 << 40)), "wild-length", None),
}  # fmt: skip
"""Each mistake, the finding, and the mistake that it is found to be."""


def found_in(talk: Playbook, folder: Path) -> list[Finding]:
    connection = Recording(folder / "r.pcapng").play(talk)
    connection.close()
    return Findings(connection.recording.session()).finish().kept


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_found(name: str, tmp_path: Path) -> None:
    planted, kind, mistake = PLANTED[name]
    found = {(one.kind.name, one.mistake) for one in found_in(planted(), tmp_path)}
    assert (kind, mistake) in found
    assert {other for _, other in found} <= {mistake, None}


def test_nothing_is_found_in_what_is_right(tmp_path: Path) -> None:
    talk = start() >> BUILD << BUILT >> ADD << word(1) >> DUMP << TREE
    talk >> CLOSURE << Paths(paths=frozenset([PATH]))
    assert not found_in(talk, tmp_path)


def test_the_worker_protocol_is_not_judged_by_the_other(tmp_path: Path) -> None:
    talk = Playbook(Protocol(37)).greet() >> word(3) + word(1 << 40)
    assert talk.protocol.family is WORKER
    mistakes = {one.mistake for one in found_in(talk, tmp_path)}
    assert mistakes <= {None}
