"""From a method of the client to its operation: each is named, and no current one is left out."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from pix.protocol import OPERATIONS
from pix_inspect.capture.own_relay import OwnRelay
from pix_inspect.session.session import Session
from pix_inspect.teach.manual.from_pix import PROGRAM, methods
from pix_store import EmbeddedDaemon


def test_every_method_asks_something() -> None:
    asked = {name: operations for name, _, operations in methods()}
    assert all(asked.values())
    assert asked["query_path_info"] == ("QueryPathInfo",)
    assert asked["nar_from_path"] == ("NarFromPath",)
    assert asked["add_text_to_store"] == ("AddTextToStore", "AddToStore")


def test_what_no_method_asks_is_obsolete_or_of_the_other_protocol() -> None:
    asked = {each for _, _, operations in methods() for each in operations}
    for operation in OPERATIONS.values():
        if operation.name not in asked and not operation.family.prefix:
            assert operation.life.obsolete or operation.life.removed, operation.name


def test_the_program_sends_what_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with EmbeddedDaemon() as daemon:
        own = OwnRelay(tmp_path / "r.pcapng", always=True)
        monkeypatch.setenv("NIX_DAEMON_SOCKET_PATH", str(own.through(daemon.path)))
        exec(PROGRAM, {})
        own.close()
    with closing(Session(tmp_path / "r.pcapng").read_all()) as session:
        log = [session.row(i).name for i in range(len(session))]
    assert log == ["handshake", "AddToStore", "QueryPathInfo"]
    assert capsys.readouterr().out.startswith("sha256:")
