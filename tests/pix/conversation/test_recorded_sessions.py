"""Sessions of real clients and daemons, four versions of each, through the conversation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pix.codec.cursor import Limits
from pix.codec.values import decode, encode, tree
from pix.conversation import CLIENT, DAEMON, Conversation
from pix.conversation.exchange import Exchange
from pix.conversation.notes import Reason
from tests.support.captures import Connection, Run
from tests.support.playbook import seen, unblamed
from tests.support.readings import covers


def sides(connection: Connection) -> tuple[bytes, bytes]:
    return connection.c2s, connection.s2c


def by_events(connection: Connection, size: int | None = None) -> Conversation:
    """Feed what passed in the order in which it was seen, in pieces of at most `size` bytes."""
    conversation = Conversation(detail=True)
    for event in connection.events:
        time = int(event["t"] * 1e9)
        side = CLIENT if event.get("dir") == "c2s" else DAEMON
        if "len" in event:
            data = sides(connection)[side][event["off"] : event["off"] + event["len"]]
            step = size or len(data) or 1
            for i in range(0, len(data), step):
                conversation.feed(side, data[i : i + step], time)
        elif event.get("ev") == "eof":
            conversation.eof(side, time)
    conversation.close(10**18)
    return conversation


def whole(connection: Connection) -> Conversation:
    """Feed one direction after the other, as if nothing were known of their order."""
    conversation = Conversation(lockstep=True, limits=Limits(waiting=1 << 40), detail=True)
    conversation.feed(CLIENT, connection.c2s)
    conversation.feed(DAEMON, connection.s2c)
    conversation.close()
    return conversation


def operations(conversation: Conversation) -> list[int | None]:
    return [e.code for e in conversation.exchanges if e.kind == "operation"]


def opaque(conversation: Conversation) -> list[Exchange]:
    return [e for e in conversation.exchanges if e.kind == "opaque"]


def test_every_session_gives_its_operations_and_no_opaque_byte(
    captured_runs: tuple[Run, ...],
) -> None:
    garbage = []
    for run in captured_runs:
        for connection in run.connections:
            conversation = by_events(connection)
            if run.scenario == "raw-bad-magic" or (
                run.scenario == "raw-import" and run.daemon == "2.34.8"
            ):
                garbage.append((run, conversation))
                continue
            assert operations(conversation) == connection.about["ops"], run.name
            assert not opaque(conversation), (run.name, opaque(conversation)[0].notes)
            if connection.clean and "interrupt" not in run.scenario:
                cut = [e for e in conversation.exchanges if not e.complete]
                assert all(e.notes for e in cut), (run.name, cut)
    assert len(garbage) == 5
    for run, conversation in garbage:
        if run.scenario == "raw-bad-magic":
            (strange,) = opaque(conversation)
            assert strange.start == 0
            assert strange.notes[0].reason is Reason.WRONG_MAGIC
            assert strange.notes[0].found == "0x807060504030201"
        else:
            handshake, imported, orphan, *rest = conversation.exchanges
            assert handshake.complete
            assert imported.code == 27
            assert orphan.kind == "orphan"
            assert orphan.notes[0].reason is Reason.REPEATED_ERROR
            (strange,) = rest
            assert strange.notes


@pytest.mark.slow
def test_whole_and_byte_by_byte_are_the_same_exchanges(some_runs: tuple[Run, ...]) -> None:
    for run in some_runs:
        for connection in run.connections:
            expected = by_events(connection).exchanges
            told = [seen(e) for e in by_events(connection, 1).exchanges]
            assert told == [seen(e) for e in expected], run.name
            untimed = [unblamed(e) for e in whole(connection).exchanges]
            assert untimed == [unblamed(e) for e in expected], run.name


def fields(
    connection: Connection, conversation: Conversation
) -> Iterator[tuple[Exchange, Any, bytes]]:
    """Each decodable span: the exchange, its wire type, its bytes."""
    c2s, s2c = sides(connection)
    for e in conversation.exchanges:
        if e.operation is None or e.protocol is None or not e.complete:
            continue
        end = e.payload_start if e.payload_start is not None else e.request_end
        assert end is not None
        yield e, e.operation.request, c2s[e.start + 8 : end]
        if e.reply is not None and e.reply[1] is not None:
            end = e.reply_payload_start or e.reply[1]
            yield e, e.operation.reply, s2c[e.reply[0] : end]
        for frame in e.log or ():
            yield e, frame.frame.fields, s2c[frame.start + 8 : frame.end]


@pytest.mark.slow
def test_every_field_has_a_tree_and_writes_back(captured_runs: tuple[Run, ...]) -> None:
    for run in captured_runs:
        for connection in run.connections:
            for e, wire, data in fields(connection, by_events(connection)):
                assert e.protocol is not None
                found = tree(wire, data, e.protocol)
                assert found.error is None, (run.name, e, found.error)
                assert found.end == len(data), (run.name, e)
                (node,) = found.nodes
                covers(node)
                assert encode(wire, wire.value_of(node.plain()), e.protocol) == data
                value = decode(wire, data, e.protocol)
                if e.code != 14:  # roots come in no order
                    assert encode(wire, value, e.protocol) == data, (run.name, e)
