"""However the screen ends, the terminal is as it was, the status tells, and a relay goes on."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from textual.message import Message

from pix.sockets import listen
from pix_inspect.ui.app.ending import Terminal as Driver
from tests.support.places import RECORDINGS
from tests.support.terminal import COMMAND, PATIENCE, Terminal

RECORDING = str(RECORDINGS / "lookups.pcapng")
SHOWN = b"SetOptions"
LEFT = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l")
"""The other screen left, the cursor shown, the mouse given back."""

Open = Callable[..., Terminal]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Open]:
    opened: list[Terminal] = []

    def start(*command: str) -> Terminal:
        opened.append(Terminal(*command, folder=tmp_path))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def unwrapped(text: bytes) -> str:
    """Return what was said as it was before it was wrapped to the terminal."""
    return " ".join(text.decode().split())


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_ends_the_screen_in_order(terminal: Open, number: signal.Signals) -> None:
    screen = terminal(*COMMAND, "open", RECORDING)
    screen.wait_for(SHOWN)
    os.kill(screen.pid, number)
    assert screen.ended() == 128 + number
    for sequence in LEFT:
        assert sequence in screen.text
    assert screen.text.endswith(f"pix-inspect: ended by {number.name}\r\n".encode())


def test_a_terminal_that_is_gone_ends_the_screen(terminal: Open) -> None:
    screen = terminal(*COMMAND, "open", RECORDING)
    screen.wait_for(SHOWN)
    screen.hang_up()
    assert screen.ended() == 128 + signal.SIGHUP


def test_a_relay_goes_on_and_how_to_come_back_to_it_is_said(terminal: Open, tmp_path: Path) -> None:
    daemon = listen(tmp_path / "d")
    where = str(tmp_path / "s")
    screen = terminal(*COMMAND, "--listen", where, "--upstream", str(tmp_path / "d"))
    screen.wait_for(b"No client has connected yet")
    os.kill(screen.pid, signal.SIGTERM)
    assert screen.ended() == 128 + signal.SIGTERM
    said = unwrapped(screen.text)
    pid = int(said.partition("pix-inspect stop ")[2].split()[0])
    try:
        assert f"the relay goes on listening on {where}" in said
        assert "pix-inspect open " in said
        assert state_of(pid) != "Z"
    finally:
        os.kill(pid, signal.SIGINT)
        daemon.close()


def test_a_size_that_no_terminal_has_is_not_believed(tmp_path: Path) -> None:
    sized = ("env", f"COLUMNS={'9' * 400}", "LINES=99999")
    screen = Terminal(*sized, *COMMAND, "open", RECORDING, folder=tmp_path)
    try:
        screen.wait_for(SHOWN)
        screen.send(b"q")
        assert screen.ended() == 0
    finally:
        screen.close()


def test_ctrl_z_suspends_and_the_screen_comes_back(terminal: Open) -> None:
    screen = terminal(*COMMAND, "open", RECORDING)
    screen.wait_for(SHOWN)
    screen.send(b"\x03")
    screen.wait_for(b"q quits")
    screen.send(b"\x1a")
    screen.wait_for(LEFT[0])
    screen.read_until(lambda: state_of(screen.pid) == "T")
    os.kill(screen.pid, signal.SIGCONT)
    screen.wait_for(SHOWN)
    screen.send(b"\x0f")  # from a dialog as well
    screen.wait_for(b"Open a recording")
    screen.send(b"\x1a")
    screen.read_until(lambda: state_of(screen.pid) == "T")
    screen.text = b""  # it may have been drawn several times
    os.kill(screen.pid, signal.SIGCONT)
    screen.wait_for(b"Open a recording")
    screen.send(b"\x1b")
    screen.wait_for(SHOWN)
    screen.send(b"q")
    assert screen.ended() == 0


@pytest.mark.parametrize("gap", [0.0, 0.1, 0.2])
def test_suspended_while_it_ends_it_ends(terminal: Open, gap: float) -> None:
    screen = terminal(*COMMAND, "open", RECORDING)
    screen.wait_for(SHOWN)
    screen.send(b"q")
    time.sleep(gap)
    with suppress(OSError):
        os.kill(screen.pid, signal.SIGTSTP)
        time.sleep(gap)
    ending = threading.Thread(target=screen.ended)
    ending.start()
    while ending.is_alive():
        with suppress(ProcessLookupError):
            os.kill(screen.pid, signal.SIGCONT)
        ending.join(0.2)
    assert screen.status in (0, -signal.SIGTSTP)


def test_a_mistake_of_ours_ends_it_with_a_report_of_where_it_is(
    terminal: Open, tmp_path: Path
) -> None:
    script = (
        "import sys; from pix_inspect import cli; from pix_inspect.ui.app.app import Inspector\n"
        "def fail(app): wire = 'a secret'; raise KeyError(wire)\n"
        "Inspector.action_help = fail\n"
        f"sys.exit(cli.main(['open', {RECORDING!r}]))"
    )
    screen = terminal(sys.executable, "-c", script)
    screen.wait_for(SHOWN)
    screen.send(b"?")
    assert screen.ended() == 70
    for sequence in LEFT:
        assert sequence in screen.text
    said = unwrapped(screen.text.rpartition(b"\x1b")[2])
    assert said.count("pix-inspect: this is a mistake") == 1
    assert "KeyError" in said
    (report,) = (tmp_path / "state/pix-inspect/reports").iterdir()
    assert str(report) in said
    told = report.read_text()
    assert "builtins.KeyError" in told
    assert "in fail" in told
    assert "a secret" not in said + told.replace("wire = 'a secret'", "")
    assert report.stat().st_mode & 0o077 == 0


def test_a_signal_is_heard_however_much_was_typed(terminal: Open) -> None:
    screen = terminal(*COMMAND, "open", RECORDING)
    screen.wait_for(SHOWN)
    os.set_blocking(screen._fd, False)
    until = time.monotonic() + 3
    while time.monotonic() < until:  # what it does not take waits at the terminal's other end
        for act in (
            lambda: os.write(screen._fd, b"j\x1b[A" * 500),
            lambda: os.read(screen._fd, 1 << 16),
        ):
            with suppress(BlockingIOError):
                act()
    os.set_blocking(screen._fd, True)
    os.kill(screen.pid, signal.SIGTERM)
    assert screen.ended() == 128 + signal.SIGTERM


@pytest.mark.parametrize("over", [False, True])
def test_what_is_typed_is_read_no_faster_than_it_is_taken(*, over: bool) -> None:
    driver = Driver.__new__(Driver)
    app = driver._app = SimpleNamespace(behind=True)  # type: ignore[assignment]
    driver._loop = SimpleNamespace(is_closed=lambda: True)  # type: ignore[assignment]
    driver.exit_event = threading.Event()
    driver._key_thread = threading.Thread(target=driver.process_message, args=[Message()])
    driver._key_thread.start()
    driver._key_thread.join(0.1)
    assert driver._key_thread.is_alive()
    if over:
        driver.exit_event.set()
    else:
        app.behind = False
    driver._key_thread.join(PATIENCE)
    assert not driver._key_thread.is_alive()
