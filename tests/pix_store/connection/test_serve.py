"""The daemon in the box in the serve protocol, asked by our client, each command."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pix.codec.gates import SERVE
from pix.codec.payload import RAW_EXPORT
from pix.conversation import Conversation
from pix.conversation.exchange import CLIENT, DAEMON
from pix.daemon import DaemonConnection, NixDaemonError
from pix.protocol import serve
from pix.protocol.types import BasicDerivation, BuildStatus
from pix_store import EmbeddedDaemon
from tests.support.serving import ABSENT, TREE, WAIT, Drv, talking

VERSIONS = ("2.0", "2.3", "2.5", "2.7", "2.8")
HASH = hashlib.sha256(TREE).hexdigest()
PATH = "/nix/store/7h7qgvs4kgzsn8a6rb273saxyqh4jxlz-tree"
USER = "/nix/store/8h7qgvs4kgzsn8a6rb273saxyqh4jxlz-user"
ADDED = serve.AddToStoreNar(path=PATH, nar_hash=HASH, nar_size=len(TREE), nar=TREE)


@contextmanager
def served(version: str = "2.8", *, write: bool = True) -> Iterator[DaemonConnection]:
    ours, theirs = socket.socketpair()
    with EmbeddedDaemon(allow_build=True) as daemon:

        def serve_one() -> None:
            with theirs:
                daemon.serve(theirs, write=write)

        thread = threading.Thread(target=serve_one)
        thread.start()
        connection = DaemonConnection(version=version, family=SERVE, timeout=WAIT)
        try:
            yield connection.over(ours)
        finally:
            connection.close()
            thread.join(WAIT)


@pytest.mark.parametrize("version", VERSIONS)
def test_adding_and_asking(version: str) -> None:
    with served(version) as c:
        assert c.protocol.text == version
        if version >= "2.5":
            c.call(ADDED)
        else:
            export = exported()
            c.call(serve.ImportPaths(export=export))
        user = serve.AddToStoreNar(
            path=USER, nar_hash=HASH, nar_size=len(TREE), references=frozenset([PATH]), nar=TREE
        )
        if version >= "2.5":
            c.call(user)
            closure = c.call(serve.QueryClosure(paths=frozenset([USER]))).paths
            assert closure == {PATH, USER}
        asked = frozenset([PATH, ABSENT])
        assert c.call(serve.QueryValidPaths(paths=asked, lock=True)).paths == {PATH}
        (known,) = c.call(serve.QueryPathInfos(paths=asked)).infos
        assert (known.path, known.info.nar_size) == (PATH, len(TREE))
        assert known.info.nar_hash.startswith("sha256:") or version < "2.4"
        assert c.call(serve.DumpStorePath(path=PATH)).nar == TREE
        export = c.call(serve.ExportPaths(paths=(PATH,))).export
        assert export == exported()
        assert RAW_EXPORT.check(export) == len(export)


def exported() -> bytes:
    """The export stream of PATH, as the store itself writes it."""
    with served() as c:
        c.call(ADDED)
        return bytes(c.call(serve.ExportPaths(paths=(PATH,))).export)


def buildable(name: str, script: str) -> tuple[str, BasicDerivation]:
    """A derivation as it is sent along."""
    with talking() as elsewhere:
        made = Drv(elsewhere, script, name)
    return made.path, made.basic


@pytest.mark.parametrize("version", ["2.1", "2.6", "2.8"])
def test_building(version: str) -> None:
    options = serve.BuildOptions()
    with served(version) as c:
        drv, derivation = buildable("good", "echo hello >$out")
        result = c.call(
            serve.BuildDerivation(drv_path=drv, derivation=derivation, options=options)
        ).result
        assert result.status == BuildStatus.BUILT, result.error_msg
        assert bool(result.built_outputs) == (version == "2.6")
        assert bool(result.outputs) == (version == "2.8")
        drv, derivation = buildable("bad", "exit 3")
        result = c.call(
            serve.BuildDerivation(drv_path=drv, derivation=derivation, options=options)
        ).result
        assert result.status == BuildStatus.PERMANENT_FAILURE
        failure = c.call(serve.BuildPaths(paths=(ABSENT,), options=options)).failure
        assert failure.status
        assert "absent" in failure.error_msg


def test_a_refusal_is_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    with served() as c, pytest.raises(NixDaemonError, match="closed the connection"):
        c.call(serve.DumpStorePath(path=ABSENT))
    assert capfd.readouterr().err == f"error: path '{ABSENT}' is not a valid store path\n"


@pytest.mark.parametrize("request_", [ADDED, serve.ImportPaths(export=bytes(8))])
def test_nothing_is_written_unless_allowed(
    request_: object, capfd: pytest.CaptureFixture[str]
) -> None:
    with served(write=False) as c, pytest.raises(NixDaemonError, match="closed the connection"):
        c.call(request_)
    assert capfd.readouterr().err == "error: importing paths is not allowed\n"


def test_the_program_on_its_streams(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pix_inspect", "daemon", "--serve", "--write"]
    ours, theirs = socket.socketpair()
    program: subprocess.Popen[bytes] = subprocess.Popen(
        [*command, "--store", str(tmp_path / "store")], stdin=theirs.fileno(),
        stdout=theirs.fileno(), stderr=subprocess.PIPE,
        env=dict(os.environ),
    )  # fmt: skip
    theirs.close()
    connection = DaemonConnection(family=SERVE, timeout=WAIT).over(ours)
    connection.call(ADDED)
    assert connection.call(serve.DumpStorePath(path=PATH)).nar == TREE
    connection.close()
    said = program.communicate(timeout=WAIT)[1]
    assert (program.returncode, said) == (0, b"")


def test_what_is_said_is_the_serve_protocol() -> None:
    """An observer understands all of it."""
    talk = Conversation()
    ours, theirs = socket.socketpair()
    asked, heard = socket.socketpair()

    def pump(source: socket.socket, target: socket.socket, side: int) -> None:
        while data := source.recv(1 << 16):
            talk.feed(side, data)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

    with EmbeddedDaemon() as daemon:
        threads = [
            threading.Thread(target=lambda: daemon.serve(theirs, write=True)),
            threading.Thread(target=pump, args=(heard, ours, CLIENT)),
        ]
        for thread in threads:
            thread.start()
        back = threading.Thread(target=pump, args=(ours, heard, DAEMON), daemon=True)
        back.start()
        connection = DaemonConnection(family=SERVE, timeout=WAIT).over(asked)
        connection.call(ADDED)
        connection.call(serve.QueryPathInfos(paths=frozenset([PATH])))
        connection.close()
        for thread in threads:
            thread.join(WAIT)
        theirs.close()
        back.join(WAIT)
    for sock in (ours, heard):
        sock.close()
    assert [exchange.complete for exchange in talk.exchanges] == [True] * 3
