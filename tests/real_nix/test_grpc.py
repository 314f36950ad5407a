"""The gateway in front of real daemons, asked by what protoc makes of the shared file."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix.daemon import DaemonConnection
from tests.pix_inspect.gateway.test_pool import until
from tests.real_nix.daemons import Daemon, running
from tests.real_nix.lab import Nix
from tests.real_nix.test_daemon import Drv
from tests.support.every_method import ask_all
from tests.support.worker_service import SECONDS, service

pytestmark = pytest.mark.real_nix


@pytest.mark.parametrize("nix", ["2.3.7", "2.34.8"], indirect=True)
def test_every_method_answers_as_the_daemon_does(nix: Nix, tmp_path: Path) -> None:
    # the file has no way to say that a path needs no signature
    with (
        running(nix, settings={"require-sigs": "false"}) as daemon,
        service(daemon.socket, tmp_path / "grpc") as asked,
        DaemonConnection(daemon.socket, timeout=SECONDS) as direct,
    ):
        declared = asked.pb.DESCRIPTOR.services_by_name["WorkerService"].methods
        assert ask_all(asked, direct, tmp_path) == {each.name for each in declared}
        assert asked.said == []


@pytest.mark.parametrize("nix", ["2.3.7", "2.34.8"], indirect=True)
def test_a_cancelled_call_ends_the_build(daemon: Daemon, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    with (
        service(daemon.socket, tmp_path / "grpc") as asked,
        DaemonConnection(daemon.socket, timeout=SECONDS) as direct,
    ):
        drv = Drv(direct, f"echo $$ > {begun}; while :; do :; done")
        call = asked.stub.BuildPaths.future(asked.pb.BuildPathsRequest(drvs=[drv.path]))
        until(lambda: begun.exists() and begun.read_text().endswith("\n"))
        builder = int(begun.read_text())
        assert Path(f"/proc/{builder}").exists()
        call.cancel()
        until(lambda: asked.gateway.pool.open == 0)
        until(lambda: not Path(f"/proc/{builder}").exists())
        assert not direct.is_valid_path(drv.out)
