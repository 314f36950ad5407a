"""A refusal that may leave a request unread: the client's connection counts as broken then."""

from __future__ import annotations

from typing import Any

import pytest

from pix.codec.gates import Protocol
from pix.daemon import NixDaemonError
from pix.protocol import operations as op
from pix.protocol.logging import StderrError
from pix.protocol.types import REALISATION_WITH_PATH, DrvOutput, TrustedFlag
from pix.protocol.unread import may_be_unread
from tests.pix.daemon.test_connection import HELLO, VALID, asking
from tests.support.scripted_daemon import LAST, Hears, HearsFrames, playing

NEWEST = Protocol(38)
BY_PATH = Protocol(38, frozenset({REALISATION_WITH_PATH}))
TRUSTED, NOT_TRUSTED, UNKNOWN = TrustedFlag.TRUSTED, TrustedFlag.NOT_TRUSTED, TrustedFlag.UNKNOWN


def adding(method: str) -> op.AddToStore:
    return op.AddToStore(name="x", method=method, dump=b"x")


@pytest.mark.parametrize(
    ("request_", "protocol", "trusted", "nix", "so"),
    [
        (adding("fixed:sha256"), NEWEST, TRUSTED, "2.34.8", False),
        (adding("fixed:r:sha512"), NEWEST, TRUSTED, "2.34.8", False),
        (adding("fixed:git:sha1"), NEWEST, TRUSTED, "2.34.8", True),
        (adding("fixed:r:blake3"), NEWEST, TRUSTED, "2.34.8", True),
        (adding("nonsense"), NEWEST, TRUSTED, "2.34.8", True),
        (op.AddToStore(name="x", dump=b"x"), Protocol(21), UNKNOWN, None, False),
        (op.AddPermRoot(path=HELLO, gc_root="/x"), NEWEST, TRUSTED, "2.34.8", False),
        (op.AddPermRoot(path=HELLO, gc_root="/x"), NEWEST, NOT_TRUSTED, "2.34.8", True),
        (op.AddBuildLog(drv="x.drv", log=b""), Protocol(34), UNKNOWN, "2.8.0", True),
        (op.QueryRealisation(id="sha256:0!out"), NEWEST, TRUSTED, "2.34.8", False),
        (op.QueryRealisation(id="sha256:0!out"), NEWEST, TRUSTED, "2.35.1", True),
        (op.QueryRealisation(output=DrvOutput(drv_path="x", output_name="out")),
         BY_PATH, TRUSTED, "2.35.1", False),
        (op.IsValidPath(path=HELLO), NEWEST, NOT_TRUSTED, "2.35.1", False),
    ],
)  # fmt: skip
def test_what_is_declared(
    request_: Any, protocol: Protocol, trusted: TrustedFlag, nix: str | None, so: bool
) -> None:
    assert may_be_unread(request_, protocol, trusted, nix) is so


def test_a_method_that_cannot_be_parsed_ends_the_connection() -> None:
    """The daemon's error comes when all was sent: by then nobody knows what it read."""
    failed = StderrError(message="unknown hash algorithm 'sha3'")
    with playing(Hears(adding("fixed:sha3")), HearsFrames(), failed) as daemon:
        with pytest.raises(NixDaemonError, match="sha3"):
            daemon.connection.add_to_store("x", b"x", "fixed:sha3")
        with pytest.raises(NixDaemonError, match=r"over: AddToStore: .*; the daemon may be out of"):
            daemon.connection.is_valid_path(HELLO)


def test_a_refusal_of_what_every_daemon_reads_leaves_it_usable() -> None:
    failed = StderrError(message="invalid name")
    turns = Hears(adding("fixed:sha256")), HearsFrames(), failed, asking(), LAST, VALID
    with playing(*turns) as daemon:
        with pytest.raises(NixDaemonError, match="invalid name"):
            daemon.connection.add_to_store("x", b"x", "fixed:sha256")
        assert daemon.connection.is_valid_path(HELLO)
