"""The manual's client with real daemons, old and new."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix.daemon import DaemonConnection
from tests.real_nix.daemons import Daemon
from tests.support.textbook import offer_newest, try_every_step

pytestmark = pytest.mark.real_nix
SPEAKS = {"2.3.7": 21, "2.8.0": 34, "2.26.3": 38, "2.34.8": 38}


def test_every_step_of_the_client(daemon: Daemon) -> None:
    with DaemonConnection(daemon.socket) as client:
        path = client.add_text_to_store("hello", "Hello, world!\n")
        size = client.query_path_info(path).nar_size
    absent = str(Path(path).with_name("0" * 32 + "-absent"))
    try_every_step(daemon.socket, path, absent, size, SPEAKS[daemon.nix.label])
    if SPEAKS[daemon.nix.label] == 38:
        offer_newest(daemon.socket)
