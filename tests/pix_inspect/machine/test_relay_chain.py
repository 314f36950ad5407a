"""Through which relays a connection came: no relay becomes its own daemon."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from pix.sockets import listen
from pix_inspect.capture import relay
from pix_inspect.capture.relay import Relay
from pix_inspect.capture.upstream import CommandUpstream, SocketUpstream, Upstream
from pix_inspect.machine import relay_chain
from pix_inspect.machine.relay_chain import (
    MOST,
    inherited_lineage,
    lineage_of,
    new_relay,
    number_in,
    objection,
    sign,
)
from tests.support.relaying import WAIT, Notes, received, staged, until


def test_a_name_tells_of_the_relays() -> None:
    relays = tuple(new_relay() for _ in range(MOST))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("")
        listening.listen()
        for through in (relays[:1], relays):
            with socket.socket(socket.AF_UNIX) as client:
                sign(client, through)
                client.connect(listening.getsockname())
                accepted, address = listening.accept()
                accepted.close()
            assert lineage_of(address) == through


@pytest.mark.parametrize(
    "address", ["", "/a/path", b"", b"\0other", b"\0pix-inspect:0.1", None, ("::1", 3)]
)
def test_other_names_tell_nothing(address: object) -> None:
    assert lineage_of(address) == ()


def test_who_came_through_here_or_from_too_far_is_refused() -> None:
    me, other = new_relay(), new_relay()
    assert objection(me, ()) is None
    assert objection(me, (other,)) is None
    assert objection(me, (me, other)) is not None
    assert objection(me, tuple(new_relay() for _ in range(MOST))) is not None


def test_a_command_is_told_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    relays = (new_relay(), new_relay())
    upstream = CommandUpstream(("sh", "-c", f"printf %s ${relay_chain.VARIABLE}"))
    reached, process = upstream.connect(relays)
    told = received(reached).decode()
    reached.close()
    assert process is not None
    process.wait(WAIT)
    monkeypatch.setenv(relay_chain.VARIABLE, told)
    assert inherited_lineage() == relays
    monkeypatch.setenv(relay_chain.VARIABLE, "what is this")
    assert inherited_lineage() == ()


@contextmanager
def relaying(
    path: Path, upstream: Upstream, taps: list[Notes]
) -> Iterator[tuple[list[str], Relay]]:
    """Run a relay; yields what it says, and the relay."""
    said: list[str] = []

    def open_tap(peer: Any) -> Notes:
        taps.append(Notes(peer))
        return taps[-1]

    made = Relay(listen(path), upstream, open_tap, say=said.append)
    thread = threading.Thread(target=made.serve)
    thread.start()
    try:
        yield said, made
    finally:
        made.stop()
        made.stop()
        thread.join(WAIT)


def turned_away(path: Path, said: bytes = b"") -> None:
    """Connect, and see the connection end."""
    with socket.socket(socket.AF_UNIX) as client, suppress(ConnectionError):
        client.settimeout(WAIT)
        client.connect(str(path))
        client.sendall(said)
        assert received(client) == b""


def test_a_relay_that_leads_to_itself_turns_its_clients_away(tmp_path: Path) -> None:
    here = tmp_path / "relay"
    (tmp_path / "link").symlink_to(here)
    taps: list[Notes] = []
    with relaying(here, SocketUpstream(tmp_path / "link"), taps) as (said, _):
        turned_away(here)
        turned_away(here)
        assert [line for line in said if "leads to this relay itself" in line] == said[:1]
        assert len(taps) == 2
        assert taps[0].over.wait(WAIT)
        assert "leads to this relay" in taps[0].events[0][1]["upstream"]


@pytest.mark.parametrize("relays", [2, 3])
def test_relays_that_lead_to_each_other_turn_their_clients_away(
    tmp_path: Path, relays: int
) -> None:
    paths = [tmp_path / f"relay{i}" for i in range(relays)]
    taps: list[Notes] = []
    with ExitStack() as stack:
        said = [
            stack.enter_context(relaying(path, SocketUpstream(paths[(i + 1) % relays]), taps))[0]
            for i, path in enumerate(paths)
        ]
        turned_away(paths[0])
        assert ["leads back" in line for lines in said for line in lines] == [True]
        assert len(taps) == relays + 1


def test_a_detour_that_hides_the_names_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "MOST_UNANSWERED", 20)
    here, detour = tmp_path / "relay", tmp_path / "detour"
    taps: list[Notes] = []
    with socket.socket(socket.AF_UNIX) as listening, ExitStack() as stack:
        listening.bind(str(detour))
        listening.listen(64)
        held: list[socket.socket] = []

        def lead_back() -> None:
            """Do what `socat UNIX-LISTEN:detour,fork UNIX-CONNECT:relay` does."""
            while True:
                try:
                    inward, _ = listening.accept()
                except OSError:
                    return
                # it is connected a moment before the relay counts it
                until(lambda: len(made.connections) == len(held) // 2 + 1)
                outward = socket.socket(socket.AF_UNIX)
                outward.connect(str(here))
                held.extend((inward, outward))

                def carry(source: socket.socket, target: socket.socket) -> None:
                    try:
                        while piece := source.recv(4096):
                            target.sendall(piece)
                    finally:
                        for end in (target, source):
                            with suppress(OSError):
                                end.shutdown(socket.SHUT_RDWR)

                for ends in ((inward, outward), (outward, inward)):
                    threading.Thread(target=_quietly, args=(carry, *ends)).start()

        back = threading.Thread(target=lead_back)
        said, made = stack.enter_context(relaying(here, SocketUpstream(detour), taps))
        back.start()
        turned_away(here, b"cxin\0\0\0\0")
        assert 20 < len(taps) < 100
        assert "wait for the daemon's first word" in said[0]
        until(lambda: all(tap.over.is_set() for tap in taps))
        listening.shutdown(socket.SHUT_RDWR)
        back.join(WAIT)
        for sock in held:
            sock.close()


def _quietly(carry: Any, source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        carry(source, target)


def test_a_chain_of_relays_is_no_circle(tmp_path: Path) -> None:
    with (
        staged(tmp_path) as stage,
        relaying(tmp_path / "before", SocketUpstream(stage.path), []),
        socket.socket(socket.AF_UNIX) as client,
    ):
        client.settimeout(WAIT)
        client.connect(str(tmp_path / "before"))
        daemon = stage.accept()
        client.sendall(b"through both")
        assert daemon.recv(100) == b"through both"
        daemon.close()
        assert received(client) == b""


def test_a_name_tells_which_connection_of_a_recording_it_carries() -> None:
    names = {}
    for number in (3, 1, None, 70_000):
        with socket.socket(socket.AF_UNIX) as sock:
            sign(sock, ("0123abcd", "4567abcd"), number)
            name = sock.getsockname()
        assert lineage_of(name) == ("0123abcd", "4567abcd")
        names[number] = name
    for number, name in names.items():
        assert number_in(name, os.getpid()) == number
        assert number_in(name, os.getpid() + 1) is None
    assert number_in(b"", os.getpid()) is None
    assert number_in(b"/tmp/x.00000001", 0) is None
