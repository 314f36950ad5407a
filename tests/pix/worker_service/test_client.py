"""The client of the service has the shape of `pix.daemon`, and gives back the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pix.codec.errors import EncodeError
from pix.codec.nar_files import nar_of_contents
from pix.daemon import DaemonConnection, NixDaemonError
from pix.protocol import operations as op
from pix.protocol.types import BuildMode, GCAction
from pix.worker_service import WorkerServiceClient
from pix_store import EmbeddedDaemon
from tests.real_nix.test_daemon import TREE, Drv, info_of, renamed
from tests.support.worker_service import SECONDS, serving


@pytest.fixture
def daemon() -> Iterator[EmbeddedDaemon]:
    with EmbeddedDaemon(allow_build=True, require_sigs=False) as made:
        yield made


@pytest.fixture
def direct(daemon: EmbeddedDaemon) -> Iterator[DaemonConnection]:
    with DaemonConnection(daemon.path, timeout=SECONDS) as made:
        yield made


@pytest.fixture
def client(daemon: EmbeddedDaemon, tmp_path: Path) -> Iterator[WorkerServiceClient]:
    with (
        serving(daemon.path, tmp_path / "grpc") as (_, address, _),
        WorkerServiceClient(address, timeout=SECONDS) as made,
    ):
        yield made


def test_what_is_asked_is_answered_as_by_the_daemon(
    client: WorkerServiceClient, direct: DaemonConnection
) -> None:
    hello = client.add_text_to_store("hello", "hello ü")
    tree = client.add_to_store("tree", TREE)
    flat = client.add_to_store("flat", b"flat" * 100_000, "fixed:sha1")
    assert hello == direct.add_text_to_store("hello", "hello ü")
    assert tree == direct.add_to_store("tree", TREE)
    assert flat == direct.add_to_store("flat", b"flat" * 100_000, "fixed:sha1")
    more = client.add_text_to_store("more", "x", [hello])
    missing = renamed(hello, "1")
    questions: tuple[Callable[[Any], Any], ...] = (
        lambda both: both.is_valid_path(hello),
        lambda both: both.is_valid_path(missing),
        lambda both: both.query_valid_paths({hello, missing}),
        lambda both: both.query_all_valid_paths(),
        lambda both: both.query_path_info(more),
        lambda both: both.call(op.QueryPathInfo(path=more)),
        lambda both: both.call(op.QueryPathInfo(path=missing)),
        lambda both: both.query_path_from_hash_part(Path(hello).name[:32]),
        lambda both: both.query_path_from_hash_part("1" * 32),
        lambda both: both.query_referrers(hello),
        lambda both: both.query_valid_derivers(hello),
        lambda both: both.query_substitutable_paths({hello}),
        lambda both: both.verify_store(check_contents=True),
        lambda both: both.collect_garbage(GCAction.RETURN_DEAD),
    )
    for ask in questions:
        assert ask(client) == ask(direct)
    assert {root.link for root in client.find_roots()} == {r.link for r in direct.find_roots()}


def test_builds_and_uploads(client: WorkerServiceClient, direct: DaemonConnection) -> None:
    drv = Drv(direct, "echo built > $out")
    assert client.query_missing([f"{drv.path}^*"]) == direct.query_missing([f"{drv.path}^*"])
    client.build_paths([f"{drv.path}^out"])
    assert client.query_path_info(drv.out) == direct.query_path_info(drv.out)
    result = client.build_derivation(drv.path, drv.basic)
    told = direct.build_derivation(drv.path, drv.basic)
    assert (result.status, result.error_msg) == (told.status, told.error_msg)
    assert client.build_derivation(drv.path, drv.basic, BuildMode.CHECK).error_msg == ""

    nar = b"".join(nar_of_contents(3, [b"abc"]))
    path = renamed(drv.out, "2")
    client.add_multiple_to_store([(info_of(path, nar), nar)])
    assert direct.query_path_info(path).nar_size == len(nar)
    client.add_signatures(path, ["k:AAAA"])
    assert client.query_path_info(path).sigs == ["k:AAAA"]
    client.ensure_path(path)
    client.optimise_store()
    client.set_options({"x": "y"}, keep_going=1)


def test_what_goes_wrong_is_said_as_the_daemon_says_it(
    client: WorkerServiceClient, direct: DaemonConnection
) -> None:
    drv = Drv(direct, "echo why it failed; exit 3")
    with pytest.raises(NixDaemonError) as directly:
        direct.build_paths([f"{drv.path}^*"])
    frames: list[Any] = []
    client.log = frames.append
    with pytest.raises(NixDaemonError) as failed:
        client.build_paths([f"{drv.path}^*"])
    assert failed.value.message == directly.value.message
    assert failed.value.traces == directly.value.traces
    assert failed.value.frame is not None
    assert "why it failed" in str(frames)

    with pytest.raises(EncodeError, match="'nonsense' is not a store path"):
        client.is_valid_path("nonsense")
    with pytest.raises(EncodeError, match=r"character 3 of .* is not UTF-8"):
        client.add_text_to_store("bytes", b"abc\xff")
    with pytest.raises(NixDaemonError, match="is not a method"):
        client.query_derivation_output_map(drv.path)
    with pytest.raises(NixDaemonError, match="returns a path"):
        client.nar(drv.path)
    assert client.call(op.NarFromPath(path=drv.path)).nar == b""
    with pytest.raises(NixDaemonError, match="is not valid"):
        client.query_path_info(drv.out)


def test_without_a_service(tmp_path: Path) -> None:
    client = WorkerServiceClient(f"unix://{tmp_path}/none", timeout=SECONDS)
    with pytest.raises(NixDaemonError, match="it is not connected"):
        client.find_roots()
    with client, pytest.raises(NixDaemonError, match="UNAVAILABLE"):
        client.find_roots()
    with pytest.raises(NixDaemonError, match="it was closed"):
        client.find_roots()


def test_an_interrupt_ends_the_call(
    client: WorkerServiceClient, direct: DaemonConnection, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    drv = Drv(direct, f"echo > {begun}; while :; do :; done")
    ended: list[BaseException] = []

    def build() -> None:
        try:
            client.build_paths([f"{drv.path}^*"])
        except NixDaemonError as error:
            ended.append(error)

    thread = threading.Thread(target=build)
    thread.start()
    while not begun.exists():
        assert thread.is_alive()
    client.interrupt()
    thread.join(SECONDS)
    assert "cancelled" in str(ended[0])
