"""The relay of the REPL lives in a process that does other things too."""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path

from pix_inspect.capture.own_relay import OwnRelay
from pix_store.daemon import EmbeddedDaemon


def test_the_process_is_as_it_was(tmp_path: Path) -> None:
    before = (sys.getswitchinterval(), threading.stack_size())
    with EmbeddedDaemon(tmp_path / "daemon") as daemon:
        own = OwnRelay(tmp_path / "r.pcapng", always=True)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(own.through(daemon.path)))
        own.close()
    assert (sys.getswitchinterval(), threading.stack_size()) == before
