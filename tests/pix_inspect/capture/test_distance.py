"""A daemon made distant: all bytes, in order, not before their time, and every kind of end."""

from __future__ import annotations

import random
import select
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from pix_inspect.capture import distance as delaying
from pix_inspect.capture.distance import Delay
from tests.support.relaying import WAIT, received

MS = 1_000_000


class Ends:
    """The socket that leads to the daemon, and the daemon's own."""

    def __init__(self, delay: Delay) -> None:
        ours, self.daemon = socket.socketpair()
        self.client = delay.stretch(ours)
        for end in (self.client, self.daemon):
            end.settimeout(WAIT)

    def close(self) -> None:
        self.client.close()
        self.daemon.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends(Delay(2 * MS))
    yield made
    made.close()


def hung_up(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, 0)
    return any(events & select.POLLHUP for _, events in poll.poll(WAIT * 1000))


@pytest.mark.parametrize(
    "delay",
    [Delay(1 * MS), Delay(0, 50e6), Delay(1 * MS, 100e6, 3 * MS)],
    ids=["delay", "rate", "all"],
)
def test_all_bytes_come_in_order_both_ways(delay: Delay) -> None:
    made = Ends(delay)
    data = random.Random(1).randbytes(3_000_000)
    back = random.Random(2).randbytes(1_000_000)

    def client() -> None:
        made.client.sendall(data)
        made.client.shutdown(socket.SHUT_WR)

    def daemon() -> None:
        made.daemon.sendall(back)
        made.daemon.shutdown(socket.SHUT_WR)

    threads = [threading.Thread(target=work) for work in (client, daemon)]
    got: dict[str, bytes] = {}
    threads.append(threading.Thread(target=lambda: got.update(there=received(made.daemon))))
    for thread in threads:
        thread.start()
    got["back"] = received(made.client)
    for thread in threads:
        thread.join(WAIT)
    assert got["there"] == data
    assert got["back"] == back
    made.close()


def test_nothing_comes_before_its_time() -> None:
    made = Ends(Delay(30 * MS))
    begun = time.monotonic()
    made.client.sendall(b"there")
    assert made.daemon.recv(5) == b"there"
    made.daemon.sendall(b"back")
    assert made.client.recv(4) == b"back"
    assert time.monotonic() - begun >= 0.06
    made.close()


def test_a_rate_counts_all_bytes() -> None:
    made = Ends(Delay(0, 1e6))
    begun = time.monotonic()
    made.client.sendall(bytes(50_000))
    made.client.shutdown(socket.SHUT_WR)
    assert len(received(made.daemon)) == 50_000
    assert time.monotonic() - begun >= 0.05
    made.close()


def test_a_half_close_is_passed_on_and_the_answer_still_comes(ends: Ends) -> None:
    ends.client.sendall(b"last words")
    ends.client.shutdown(socket.SHUT_WR)
    assert received(ends.daemon) == b"last words"
    ends.daemon.sendall(b"an answer")
    assert ends.client.recv(100) == b"an answer"


def test_a_client_that_is_gone_is_a_hang_up_for_the_daemon(ends: Ends) -> None:
    ends.client.sendall(b"half")
    assert ends.daemon.recv(100) == b"half"
    ends.client.close()
    assert hung_up(ends.daemon)


def test_a_daemon_that_is_gone_is_one_for_the_client_after_its_last_words(ends: Ends) -> None:
    ends.daemon.sendall(b"half an answer")
    ends.daemon.close()
    assert received(ends.client) == b"half an answer"
    assert hung_up(ends.client)


def test_no_more_than_a_window_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delaying, "WINDOW", 100_000)
    made = Ends(Delay(10**15))
    made.client.setblocking(False)
    poll = select.poll()
    poll.register(made.client, select.POLLOUT)
    sent = 0
    while poll.poll(300):
        sent += made.client.send(bytes(65536))
        assert sent < 5_000_000
    assert sent >= 100_000
    made.close()


def test_threads_and_descriptors_end_with_the_connection() -> None:
    before = {thread for thread in threading.enumerate() if thread.name == "distance"}
    made = Ends(Delay(1 * MS))
    made.client.close()
    assert received(made.daemon) == b""
    made.daemon.close()
    end = time.monotonic() + WAIT
    while {thread for thread in threading.enumerate() if thread.name == "distance"} - before:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_no_delay_is_none() -> None:
    assert not Delay()
    assert Delay(1)
    said = {"each way": 0.002, "rate": 5.0, "jitter": 0.001}
    assert Delay(2 * MS, 5.0, 1 * MS).about().json() == said
