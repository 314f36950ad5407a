"""What is said on standard error, if anybody is there."""

from __future__ import annotations

import os

import pytest

from pix_inspect.base.narrate import say


def test_nobody_to_tell_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as gone:
        monkeypatch.setattr("sys.stderr", gone)
        say("anybody?")
        monkeypatch.setattr("sys.stderr", None)
        say("anybody?")
        monkeypatch.undo()
        try:
            gone.close()
        except BrokenPipeError:
            return
