"""The line at the top: where the relay stands, and how distant the daemon was made."""

from __future__ import annotations

from typing import Any

import pytest

from pix_inspect.recording.notes import Made
from pix_inspect.ui.main.status import sockets


@pytest.mark.parametrize(
    ("delay", "says"),
    [
        (None, "/s ⇄ /d"),
        ({"each way": 0.01, "rate": 0, "jitter": 0}, "/s (+10 ms each way) ⇄ /d"),
        (
            {"each way": 0.01, "rate": 20 << 20, "jitter": 0.002},
            "/s (+10 ms each way, jitter 2 ms, 20 MiB/s) ⇄ /d",
        ),
        ({"each way": "\x1b[2J", "rate": [], "jitter": 1e300}, "/s ⇄ /d"),
        ("far", "/s ⇄ /d"),
    ],
)
def test_a_delay_stands_between_relay_and_daemon(delay: Any, says: str) -> None:
    made = Made.read({"listen": "/s", "upstream": "/d", "delay": delay})
    assert made is not None
    assert " ".join(sockets(made).split()) == says
