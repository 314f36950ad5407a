"""Other tools' captures made into recordings.

What passed goes through the same tap as live traffic, so that payload is elided by the same
rule. Knows taps and recordings; the formats are modules of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pix_inspect.raw_streams import Passed
from pix_inspect.recording import Peer, RecordingWriter
from pix_inspect.tap import RecordingTap


def write_recording(
    passed: Iterable[Passed],
    target: Path,
    *,
    about: dict[str, object],
    payload_limit: int | None,
) -> int:
    """Write what passed into a new recording; return the number of connections.

    Raises Problem when the recording cannot be created or written, or `passed` raises it.
    """
    events = iter(passed)
    first = next(events, None)  # a source that cannot be read must not leave a file behind
    writer = RecordingWriter(target, about=about, queue_limit=1 << 40)
    taps: dict[int, RecordingTap] = {}
    count = 0
    try:
        for event in _chain(first, events):
            tap = taps.get(event.connection)
            if tap is None:
                count += 1
                log = writer.open(Peer(), {}, time=event.time)
                tap = taps[event.connection] = RecordingTap(log, payload_limit)
            if event.what == "data":
                assert event.side is not None
                tap.chunk(event.side, memoryview(event.data), event.time)
            elif event.what == "half-close" and event.side is not None:
                tap.half_close(event.side, event.time)
            elif event.what == "reset" and event.side is not None:
                tap.reset(event.side, event.time)
            elif event.what == "close":
                tap.closed(event.time)
                del taps[event.connection]
    except BaseException:
        writer.close()
        target.unlink(missing_ok=True)
        raise
    writer.close()
    return count


def _chain(first: Passed | None, rest: Iterable[Passed]) -> Iterable[Passed]:
    if first is not None:
        yield first
    yield from rest
