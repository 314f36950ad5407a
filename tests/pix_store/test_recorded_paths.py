"""What recorded clients added to real Nix has the same paths and hashes here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pix.codec.declare import OPERATIONS
from pix.codec.gates import Protocol
from pix.codec.payload import FRAMES, RAW_NAR
from pix.codec.wire import Reader
from pix.conversation import CLIENT
from pix.conversation.exchange import DAEMON
from pix.protocol import operations as op
from pix_inspect.session.session import Session
from pix_store.operations.adding import NEW_LAYOUT
from tests.support.places import EVERY_RECORDING
from tests.support.serving import client, serving

ADDING = {"AddToStore", "AddTextToStore", "AddToStoreNar", "AddMultipleToStore"}


def added(recording: Path) -> list[tuple[Protocol, Any, Any]]:
    """Each successful request of a recording that adds something, its version and its reply."""
    session = Session(recording)
    session.read_all()
    found = []
    for i in range(len(session)):
        if session.row(i).operation not in ADDING or session.row(i).state != "ok":
            continue
        view = session.exchange(i)
        assert view.protocol is not None
        assert view.exchange is not None
        raw = view.kept[CLIENT].whole(*view.span(CLIENT))
        reply = view.exchange.reply
        ends = None if reply is None or reply[1] is None else (reply[0], reply[1])
        said = None if ends is None else view.kept[DAEMON].whole(*ends)
        if raw is None or said is None:
            continue
        reader = Reader(raw, view.protocol)
        operation = OPERATIONS[reader.u64()]
        request = operation.request.read(reader)
        if operation.request.payload is not None:
            carriage = operation.request.payload.carriage(view.protocol)
            if carriage not in (FRAMES, RAW_NAR):
                continue  # answers to STDERR_READ stand between the frames
            setattr(request, operation.request.payload.name, carriage.read(reader))
        found.append((view.protocol, request, operation.reply.read(Reader(said, view.protocol))))
    session.close()
    return found


@pytest.mark.parametrize("recording", EVERY_RECORDING, ids=lambda path: path.stem)
def test_recorded_additions_come_out_the_same(recording: Path) -> None:
    with serving() as daemon:
        for protocol, request, expected in added(recording):
            if hasattr(request, "dont_check_sigs"):
                request.dont_check_sigs = True
            with client(daemon, version=protocol.text) as c:
                reply = c.call(request)
            if isinstance(request, op.AddToStore) and protocol.minor >= NEW_LAYOUT:
                expected.info.registration_time = reply.info.registration_time
            assert reply == expected
