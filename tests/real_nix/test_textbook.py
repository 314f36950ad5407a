"""The manual's client with real daemons, old and new."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from pix.daemon import DaemonConnection, NixDaemonError
from pix.protocol.types import (
    BasicDerivation,
    BuildMode,
    DerivationOutput,
    GCAction,
    UnkeyedValidPathInfo,
    ValidPathInfo,
)
from tests.real_nix.daemons import Daemon, running
from tests.real_nix.lab import Nix
from tests.support.nars import nar
from tests.support.textbook import offer_newest, try_every_step

pytestmark = pytest.mark.real_nix
SPEAKS = {"2.3.7": 21, "2.8.0": 34, "2.26.3": 38, "2.34.8": 38}


def test_every_step_of_the_client(daemon: Daemon) -> None:
    try_every_step(daemon.socket, SPEAKS[daemon.nix.label])
    if SPEAKS[daemon.nix.label] == 38:
        offer_newest(daemon.socket)


@pytest.fixture
def untrusted(nix: Nix) -> Iterator[Daemon]:
    with running(nix, trusted=False) as daemon:
        yield daemon


def refused(daemon: Daemon, ask: Callable[[DaemonConnection], object]) -> str:
    """What a daemon says in refusing, on a connection of its own, which may end."""
    with (
        DaemonConnection(daemon.socket) as client,
        pytest.raises(NixDaemonError, match=r"privileged|allowed|signature") as caught,
    ):
        ask(client)
    return str(caught.value)


def test_who_is_not_trusted_may_do_what_the_chapter_says(untrusted: Daemon, tmp_path: Path) -> None:
    store, known = untrusted.state.store, untrusted.nix.number
    with DaemonConnection(untrusted.socket) as client:
        path = client.add_text_to_store("mine", "mine")
        client.add_temp_root(path)
        (tmp_path / "link").symlink_to(path)
        client.add_indirect_root(str(tmp_path / "link"))
        client.find_roots()
        client.optimise_store()
        assert client.verify_store() is False
        assert b"".join(client.nar(path))
        assert path in client.query_all_valid_paths()
        dead = client.add_text_to_store("dead", "dead")
    with DaemonConnection(untrusted.socket) as client:
        assert dead in client.collect_garbage(GCAction.DELETE_DEAD).paths
        assert client.is_valid_path(path)
    assert "repair" in refused(untrusted, lambda client: client.verify_store(repair=True))
    assert refused(untrusted, lambda client: client.build_paths([path], BuildMode.REPAIR))
    live = refused(
        untrusted, lambda client: client.collect_garbage(GCAction.DELETE_DEAD, ignore_liveness=True)
    )
    assert "liveness" in live
    recipe = BasicDerivation(
        outputs={"out": DerivationOutput(path=f"{store}/{'1' * 32}-x")},
        input_srcs=frozenset(), platform="x86_64-linux", builder="/bin/sh",
    )  # fmt: skip
    drv = f"{store}/{'2' * 32}-x.drv"
    assert refused(untrusted, lambda client: client.build_derivation(drv, recipe))
    dump = nar(b"unsigned")
    unsigned = ValidPathInfo(
        path=f"{store}/{'3' * 32}-unsigned",
        info=UnkeyedValidPathInfo(
            nar_hash=sha256(dump).hexdigest(), references=frozenset(), registration_time=1,
            nar_size=len(dump),
        ),
    )  # fmt: skip
    said = refused(
        untrusted, lambda client: client.add_to_store_nar(unsigned, dump, dont_check_sigs=True)
    )
    assert "signature" in said
    if known >= (2, 8):
        assert refused(untrusted, lambda client: client.add_build_log(drv, b"log"))
    if known >= (2, 20):
        root = str(tmp_path / "root")
        assert refused(untrusted, lambda client: client.add_perm_root(path, root))


@pytest.mark.parametrize("nix", ["2.34.8"], indirect=True)
def test_who_is_trusted_may_not_ignore_what_is_alive(daemon: Daemon) -> None:
    said = refused(
        daemon, lambda client: client.collect_garbage(GCAction.DELETE_DEAD, ignore_liveness=True)
    )
    assert "liveness" in said
