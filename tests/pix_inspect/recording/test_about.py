"""What a recording says of how it was made, and who is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix_inspect.analysis.summary import summary
from pix_inspect.capture.distance import Delay
from pix_inspect.cli import main
from pix_inspect.recording.about import made_distant
from pix_inspect.recording.notes import Made, Peer
from pix_inspect.recording.writer import RecordingWriter

MS = 1_000_000


@pytest.mark.parametrize(
    ("about", "said"),
    [
        (
            {"delay": Delay(2 * MS, 20 << 20, 1 * MS).about().json()},
            "+2 ms each way, jitter 1 ms, 20 MiB/s",
        ),
        ({"delay": Delay(2 * MS).about().json()}, "+2 ms each way"),
        ({"delay": Delay(0, 1e6).about().json()}, "977 KiB/s"),
        ({}, ""),
        ({"delay": {}}, ""),
        ({"delay": "long"}, ""),
        ({"delay": {"each way": "x", "rate": float("nan"), "jitter": -1}}, ""),
        ({"delay": {"each way": 1e300, "rate": float("inf"), "jitter": [1]}}, ""),
    ],
)
def test_a_recording_says_how_distant_the_daemon_was(about: dict[str, object], said: str) -> None:
    assert made_distant(Made.read(about) or Made()) == said


def test_who_reads_such_a_recording_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = RecordingWriter(tmp_path / "far.pcapng", about={"delay": Delay(2 * MS).about().json()})
    log = writer.open(Peer(), {})
    log.chunk(0, 1, b"cxin\0\0\0\0", 8)
    log.close(2)
    writer.close()
    path = str(tmp_path / "far.pcapng")
    for words in (["dump", path], ["check", path]):
        main(words)
        assert "made distant on purpose: +2 ms each way" in capsys.readouterr().err
    main(["excerpt", path, "1"])
    assert "made distant on purpose: +2 ms each way" in capsys.readouterr().out
    assert "the daemon made distant: +2 ms each way" in list(summary(Path(path)))[-1]
