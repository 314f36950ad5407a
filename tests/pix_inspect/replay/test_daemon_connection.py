"""One client of a played daemon: whatever it sends, the next request is found behind it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix.codec.gates import NEWEST, Protocol
from pix.codec.payload import FRAMES, RAW_NAR
from pix.protocol import operations as op
from pix.protocol.logging import StderrError
from pix.sockets import connect
from pix_inspect.replay.daemon import PlayedDaemon
from pix_inspect.replay.recorded import RecordedSession
from tests.support.carrying import (
    BARE,
    CONTENTS,
    PATH,
    PROTOCOLS,
    SIZES,
    TREE,
    WAIT,
    Carrying,
    carriage_of,
    carrying,
)
from tests.support.replayed import END, LAST, story


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> RecordedSession:
    """A recording that knows one path, and refuses a request with payload."""
    known = op.IsValidPath(path=PATH), LAST, op.IsValidPath.Reply(valid=True)
    adding = carrying(NEWEST)[0]
    adding.nar = TREE
    path = tmp_path_factory.mktemp("recording") / "s.pcapng"
    refused = StderrError(message="the store is full")
    return RecordedSession(story(path, (1, NEWEST, *known, adding, refused, END)))


@given(st.data(), PROTOCOLS, CONTENTS, SIZES, st.sampled_from([1, 8, 1 << 16]))
def test_what_a_request_carries_is_consumed_to_its_end(
    recording: RecordedSession,
    data: st.DataObject,
    protocol: Protocol,
    content: bytes,
    sizes: list[int],
    chunk: int,
) -> None:
    asked = data.draw(st.lists(st.sampled_from(carrying(protocol)), min_size=1, max_size=3))
    with (
        pytest.MonkeyPatch.context() as patch,
        PlayedDaemon(recording, speaks=protocol) as daemon,
        connect(daemon.path, WAIT) as sock,
    ):
        patch.setattr("pix_inspect.replay.daemon_connection.CHUNK", chunk)
        carrier = Carrying.greeted(sock, protocol)
        for request in asked:
            carriage = carriage_of(request, protocol)
            bare = carriage is RAW_NAR
            sent = data.draw(st.sampled_from(BARE)) if bare else content
            said = carrier.ask(request, sent, sizes)
            assert isinstance(said, StderrError)
            heard = sent if carriage is FRAMES else sent[: len(TREE)]  # no more than the NAR
            recorded = isinstance(request, op.AddToStoreNar) and heard == TREE
            assert ("the store is full" in said.message) == recorded
            if not carrier.goes_on():
                assert bare
                assert sent != TREE
                break
