"""A capture: a relay, the recording it feeds, and what has to be said about trust.

The part that `record`, `run` and `stdio` share: options, the writer, a tap for each
connection.
"""

from __future__ import annotations

import argparse
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pix
from pix_inspect.base.narrate import say
from pix_inspect.base.new_files import PRIVATE
from pix_inspect.capture.distance import Delay
from pix_inspect.capture.relayed_connection import Tap, now
from pix_inspect.capture.upstream import Upstream
from pix_inspect.recording.notes import Made, Peer
from pix_inspect.recording.writer import RecordingWriter

GOES_ON = "; the traffic goes on"
"""What is said behind why a recording cannot be written."""
MINDING = 0.5
"""Seconds between looks at whether the recording is being written."""


class Capture:
    """A recording being written and the taps that feed it. Raises Problem on creation."""

    def __init__(
        self, target: Path | BinaryIO, upstream: Upstream, args: argparse.Namespace, **about: object
    ) -> None:
        # here, not at the top: it brings the protocol's declarations, and the socket that
        # clients wait for comes first
        from pix_inspect.capture.tap import RecordingTap
        from pix_inspect.recording.about import with_declarations

        self._tap = RecordingTap
        self.upstream = upstream
        self.limit: int | None = args.payload
        self.delay = Delay(
            getattr(args, "delay", 0), getattr(args, "rate", 0.0), getattr(args, "jitter", 0)
        )
        if self.delay:
            about["delay"] = self.delay.about()
        self.writer = RecordingWriter(
            target,
            about=Made.of(
                tool=f"pix-inspect {pix.__version__}",
                upstream=str(upstream),
                uid=os.getuid(),
                host=os.uname().nodename,
                payload="full" if self.limit is None else self.limit,
                **with_declarations(),
                **about,
            ),
            max_size=args.max_size,
            keep=args.keep,
            mode=getattr(args, "file_mode", PRIVATE),
        )
        self.connections = 0
        self.moved: Callable[[Path], None] = lambda path: None
        """Told of a file that the recording goes on in, where somebody took the first."""
        self._over = threading.Event()
        threading.Thread(target=self._mind, daemon=True, name="minding the recording").start()

    def _mind(self) -> None:
        """Say when the recording cannot be written, and when it can again."""
        told: str | None = None
        vanished = 0
        while not self._over.wait(MINDING):
            if self.writer.vanished != vanished:
                vanished = self.writer.vanished
                say(f"somebody deleted or changed the recording: it goes on in {self.writer.path}")
                if self.writer.path is not None:
                    self.moved(self.writer.path)
            failure = self.writer.failure
            if failure != told:
                told = failure
                say("recording again" if told is None else told + GOES_ON)

    def open_tap(self, peer: Peer) -> Tap:
        """Return the tap of a new connection."""
        self.connections += 1
        log = self.writer.open(peer, {"upstream": str(self.upstream)}, time=now())
        return self._tap(log, self.limit, lambda: self.writer.pressed)

    def where(self) -> str:
        """Return where it is recorded, which may be elsewhere than was asked for."""
        return " and ".join(map(str, self.writer.files)) or "the pipe"

    def close(self) -> None:
        """Write what is left, and say what could not be recorded."""
        self._over.set()
        self.writer.close()
        if self.writer.failure is not None:
            say(f"the recording is incomplete: {self.writer.failure}")
        if self.writer.lost:
            say(f"{self.writer.lost:,} bytes could not be written")
        if self.writer.vanished:
            say(f"{self.writer.vanished:,} bytes of the recording were deleted by somebody")
