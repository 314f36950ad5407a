"""What a recording says of how it was made, and who is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pix.protocol.handshake import CLIENT_MAGIC, DAEMON_MAGIC
from pix.protocol.logging import STDERR_LAST
from pix_inspect.analysis.summary import summary
from pix_inspect.capture.distance import Delay
from pix_inspect.cli import main
from pix_inspect.recording.about import made_distant, undeclared
from pix_inspect.recording.notes import Made, Peer
from pix_inspect.recording.writer import RecordingWriter
from tests.support.vendors import EXAMPLE, declared
from tests.support.words import word

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
    assert "the daemon was made distant on purpose: +2 ms each way" in list(summary(Path(path)))[-1]


def test_times_that_are_made_up_are_said_and_not_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c").write_bytes(word(CLIENT_MAGIC) + word(0x115) + word(0) * 2)
    (tmp_path / "d").write_bytes(word(DAEMON_MAGIC) + word(0x115) + word(STDERR_LAST))
    path = str(tmp_path / "r.pcapng")
    streams = ["--client", str(tmp_path / "c"), "--daemon", str(tmp_path / "d")]
    assert main(["import", *streams, "-o", path]) == 0
    assert "made up" in capsys.readouterr().err
    assert main(["dump", path]) == 0
    out, err = capsys.readouterr()
    assert "took ?" in out
    assert "made up" in err
    assert main(["dump", "--format", "json", path]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert [json.loads(line)[key] for key in ("time", "took")] == [None, None]
    assert main(["check", path, "no error"]) == 0
    capsys.readouterr()
    for expected in ("p95(took) < 1s", "no took > 1s", "count(error or time > 1s) = 0"):
        assert main(["check", path, expected]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert "made up" in err


def test_what_is_declared_here_need_not_be_said() -> None:
    made = Made(declared={"vendor.toml": EXAMPLE.read_text()})
    (said,) = undeclared(made)
    assert said == (
        "it was recorded with --declare vendor.toml: --declare the recording, which holds it"
    )
    with declared():
        assert not list(undeclared(made))
        (changed,) = undeclared(Made(declared={"vendor.toml": "vendor = 'x'"}))
        assert changed == "it was recorded with another vendor.toml than is declared now"
    assert list(undeclared(Made(declared={"long\x1b.toml": ""}))) == [
        "it was recorded with --declare long␛.toml: --declare that file"
    ]
