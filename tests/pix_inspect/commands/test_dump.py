"""dump: what it prints, of which exchanges, and when."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from pix.conversation import CLIENT
from pix_inspect import cli
from pix_inspect.options import progress
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS
from tests.support.recording import Recording
from tests.support.words import LAST, text, word

KEYS = [
    "exchange", "connection", "kind", "operation", "code", "protocol", "version", "features",
    "time", "took", "request", "grpc", "standard_error", "log", "reply", "error", "payload",
    "bytes", "state", "complete", "notes",
]  # fmt: skip


class TextFile(SingleFileSnapshotExtension):
    """A snapshot that is a text file of its own, to be read by people."""

    _write_mode = WriteMode.TEXT
    _file_extension = "txt"


@pytest.fixture
def text_file(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(TextFile)


def dumped(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert cli.main(["dump", *map(str, words)]) == 0
    return capsys.readouterr().out


def objects(capsys: pytest.CaptureFixture[str], *words: object) -> list[dict[str, Any]]:
    text = dumped(capsys, *words, "--format", "json")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("story", ["add-tree", "build-failure", "import-over-1-21", "untrusted"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_dump_of_a_recording(
    story: str, form: str, capsys: pytest.CaptureFixture[str], text_file: SnapshotAssertion
) -> None:
    assert dumped(capsys, RECORDINGS / f"{story}.pcapng", "--format", form) == text_file


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.pcapng")), ids=lambda path: path.stem)
def test_json_is_one_object_an_exchange_with_all_the_keys(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = objects(capsys, path)
    session = Session(path).read_all()
    assert [each["exchange"] for each in found] == list(range(1, len(session) + 1))
    for each in found:
        assert list(each) == KEYS
        row = session.row(each["exchange"] - 1)
        assert (each["kind"], each["operation"], each["code"]) == (
            row.kind, row.operation, row.wire_number,
        )  # fmt: skip
        assert each["time"] == (row.started - session.started) / 1e9
        assert each["took"] == (None if row.took is None else row.took / 1e9)
        assert each["bytes"] == {"request": row.up, "reply": row.down}
        assert each["complete"] is (row.state in ("ok", "error"))
        assert each["state"] == row.state
        assert each["error"] is None or row.state == "error"
        assert all(frame["frame"].startswith("STDERR_") for frame in each["log"])
        if each["kind"] == "operation":
            assert isinstance(each["request"], dict)
    assert sorted(each["time"] for each in found) == [each["time"] for each in found]


def test_the_handshake_stands_under_request_and_reply(capsys: pytest.CaptureFixture[str]) -> None:
    first = objects(capsys, RECORDINGS / "untrusted.pcapng", "--exchange", 1)[0]
    assert first["kind"] == "handshake"
    assert (first["version"], first["features"]) == ("1.38", [])
    assert first["request"]["version"] == 0x126
    assert first["reply"]["daemon_nix_version"] == "2.34.8"
    assert first["reply"]["trusted"] == "NotTrusted"


def test_bytes_that_are_not_text_are_surrogates(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = objects(capsys, hostile_recording(tmp_path, b"\xff\x7f\xc3"))
    assert found[1]["request"]["path"] == "\udcff\x7f\udcc3"


HOSTILE = (
    b"\x1b]0;title\x07",
    b"\x1b[2J\x1b[1;1Hgone",
    b"\x9b31m\x85\x90",
    "\u202eevil\u2066\u2069".encode(),
    "a\u200bb\ufeffc\u2028d\u00ad".encode(),
    "e\u0301\u0489\u05f5\U000e0041".encode(),
    b"\r\n\t\0\x7f",
    b"\xff\xfe\xed\xa0\x80",
    b"\x1b[" + b"9" * 100_000,
)


def hostile_recording(tmp_path: Path, raw: bytes) -> Path:
    """A session in which everything that can be text is `raw`."""
    made = Recording()
    talk = made.open(peer={"pid": 1, "command": raw.decode("utf-8", "replace")})
    said = text(raw)
    hello = word(0x6E697863), word(0x125)
    answer = word(0x6478696F), word(0x125)
    talk.chunk(CLIENT, b"".join(hello))
    talk.chunk(1, b"".join(answer))
    talk.chunk(CLIENT, bytes(16))
    talk.chunk(1, text(raw[:1000]) + word(1) + word(LAST))
    talk.chunk(CLIENT, word(26) + said)
    next_frame = word(0x6F6C6D67) + said
    activity = b"".join(
        [word(0x53545254), word(7 << 32), word(3), word(105), said, word(2), word(1), said,
         word(0), word(9), word(0)]
    )  # fmt: skip
    error = b"".join([word(0x63787470), said, word(0), said, said, word(0), word(1), word(0), said])
    talk.chunk(1, next_frame + activity + error)
    options = [word(19), *[word(0)] * 12, word(1), said, said]
    talk.chunk(CLIENT, b"".join(options))
    talk.chunk(1, word(LAST))
    talk.chunk(CLIENT, word(0xDEAD) + raw)
    talk.close()
    return made.save(tmp_path / "hostile.pcapng")


ASKING = (11).to_bytes(8, "little") + (1).to_bytes(8, "little") + b"x" + bytes(7)


@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("form", ["text", "json"])
def test_hostile_text_comes_out_inert(
    raw: bytes, form: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = dumped(capsys, hostile_recording(tmp_path, raw), "--format", form)
    for line in out.split("\n"):
        assert line.isprintable()
        assert not any(char in line for char in "\u0301\u0489\u05f5")
    assert "Build" in out
    assert len(out) < 2_000_000


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        (["--exchange", "3"], [3]),
        (["--exchange", "2..4"], [2, 3, 4]),
        (["--exchange", "..2"], [1, 2]),
        (["--exchange", "5.."], [5, 6, 7]),
        (["--from", "6"], [6, 7]),
        (["--to", "1"], [1]),
        (["--from", "2", "--to", "3"], [2, 3]),
        (["--filter", "op = IsValidPath"], [3, 5, 7]),
        (["--filter", "op = IsValidPath", "--from", "4"], [5, 7]),
    ],
)
def test_selection(
    words: list[str], numbers: list[int], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = small_recording(tmp_path, "abc").save(tmp_path / "small.pcapng")
    assert [each["exchange"] for each in objects(capsys, path, *words)] == numbers


def small_recording(tmp_path: Path, names: str) -> Recording:
    """The handshake, then an AddTempRoot and an IsValidPath for each name."""
    made = Recording()
    talk = made.open(peer={"pid": 7, "uid": 1000, "command": "nix build"})
    talk.chunk(CLIENT, word(0x6E697863) + word(0x10A))
    talk.chunk(1, word(0x6478696F) + word(0x10A) + word(LAST))
    for name in names:
        said = text(name.encode())
        talk.chunk(CLIENT, word(11) + said)
        talk.chunk(1, word(LAST) + word(1))
        talk.chunk(CLIENT, word(1) + said)
        talk.chunk(1, word(LAST) + word(1))
    return made


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--exchange", "x"], "'x' is not a selection: write 5, 5..9, 5.. or ..9"),
        (["--exchange", "0"], "'0' is not an exchange: they are numbered from 1"),
        (["--exchange", "9..2"], "nothing to show from exchange 9 to 2: swap them"),
        (["--from", "-1"], "'-1' is not an exchange"),
        (["--exchange", "100"], "has no exchange 100: it has 7"),
        (["--filter", "op ="], "at character"),
    ],
)
def test_what_cannot_be_shown_is_said(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = small_recording(tmp_path, "abc").save(tmp_path / "small.pcapng")
    assert cli.main(["dump", str(path), *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_who_made_a_connection_stands_before_its_first_exchange(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = small_recording(tmp_path, "a").save(tmp_path / "small.pcapng")
    assert dumped(capsys, path).startswith("── connection 1  pid 7  uid 1000  nix build ──\n#1  ")


def test_long_lists_are_cut_unless_all_is_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made = small_recording(tmp_path, "")
    texts = b"".join(word(2) + b"%02d" % i + bytes(6) for i in range(60))
    made.connections[0].chunk(CLIENT, word(31) + word(60) + texts)
    made.connections[0].chunk(1, word(LAST) + word(0))
    path = made.save(tmp_path / "long.pcapng")
    assert "… 10 more (--all shows them)" in dumped(capsys, path)
    assert "59: 59" in dumped(capsys, path, "--all")


def test_what_the_recording_lacks_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = small_recording(tmp_path, "abc").save(tmp_path / "cut.pcapng")
    path.write_bytes(path.read_bytes()[:-5])
    assert cli.main(["dump", str(path)]) == 0
    assert "are an incomplete block and are left out" in capsys.readouterr().err
    assert cli.main(["dump", str(path), "--to", "2"]) == 0
    assert capsys.readouterr().err == ""


def test_exchanges_come_in_order_of_start_while_one_is_going_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made = small_recording(tmp_path, "a")
    made.connections[0].chunk(CLIENT, ASKING)
    other = made.open()
    other.chunk(CLIENT, word(0x6E697863) + word(0x10A))
    other.chunk(1, word(0x6478696F) + word(0x10A) + word(LAST))
    found = objects(capsys, made.save(tmp_path / "open.pcapng"))
    assert [each["exchange"] for each in found] == [1, 2, 3, 4, 5]
    assert [each["took"] is None for each in found] == [False, False, False, True, False]


def test_follow_prints_what_is_appended_until_interrupted(tmp_path: Path) -> None:
    made = small_recording(tmp_path, "a")
    path = made.save(tmp_path / "growing.pcapng")
    words = [sys.executable, "-m", "pix_inspect", "dump", "--follow", "--format", "json", str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert [json.loads(process.stdout.readline())["exchange"] for _ in range(3)] == [1, 2, 3]
        before = len(made.data)
        made.connections[0].chunk(CLIENT, ASKING)
        made.connections[0].chunk(1, word(LAST) + word(0))
        with path.open("ab") as file:
            file.write(made.data[before:])
        assert json.loads(process.stdout.readline())["exchange"] == 4
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


def test_follow_says_when_there_is_nothing_to_follow_any_more(tmp_path: Path) -> None:
    path, other = tmp_path / "replaced.pcapng", tmp_path / "other.pcapng"
    path.write_bytes((RECORDINGS / "queries.pcapng").read_bytes())
    other.write_bytes((RECORDINGS / "lookups.pcapng").read_bytes())
    words = [sys.executable, "-m", "pix_inspect", "dump", "--follow", "--oneline", str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        other.replace(path)
        assert "its name leads to something else now" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


def test_a_reader_that_has_seen_enough_ends_it_quietly(tmp_path: Path) -> None:
    path = small_recording(tmp_path, "a" * 3000).save(tmp_path / "long.pcapng")
    words = [sys.executable, "-m", "pix_inspect", "dump", str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_said_to_a_person_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = small_recording(tmp_path, "abc").save(tmp_path / "small.pcapng")
    monkeypatch.setattr(progress, "BEFORE", 0)
    terminal, file = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    dumped(capsys, path)
    said = terminal.getvalue()
    assert "reading 100 %" in said
    assert said.endswith("\r\x1b[K")
    monkeypatch.setattr(sys, "stderr", file)
    dumped(capsys, path)
    assert file.getvalue() == ""


def test_memory_does_not_grow_with_the_payload(tmp_path: Path) -> None:
    made = small_recording(tmp_path, "")
    talk = made.connections[0]
    piece = bytes(1 << 20)
    path = tmp_path / "large.pcapng"
    name = word(1) + b"x" + bytes(7)
    # 1.10: AddToStore with the NAR on the stream; a file of 256 MiB
    words = [word(7), name, word(0), word(1), word(6) + b"sha256" + bytes(2)]
    nar = [b"nix-archive-1", b"(", b"type", b"regular", b"contents"]
    words += map(text, nar)
    talk.chunk(CLIENT, b"".join(words) + word(256 << 20))
    with path.open("wb") as file:
        file.write(made.data)
        for _ in range(256):
            made.blocks.clear()
            talk.chunk(CLIENT, piece)
            file.write(made.data)
        made.blocks.clear()
        talk.chunk(CLIENT, word(1) + b")" + bytes(7))
        talk.chunk(1, word(LAST) + name)
        file.write(made.data)
    # VmHWM and not ru_maxrss, which a process inherits from the one that started it
    script = (
        "import sys; from pix_inspect import cli; cli.main(sys.argv[1:]);"
        "status = open('/proc/self/status').read();"
        "print(status.partition('VmHWM:')[2].split()[0], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "dump", "--format", "json", str(path)],
        capture_output=True, text=True, check=True, env={**os.environ},
    )  # fmt: skip
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["operation"] == "AddToStore"
    assert last["payload"]["kept"] == last["payload"]["bytes"] == (256 << 20) + 112  # a NAR
    assert int(done.stderr) < 120 * 1024  # KiB


def test_a_recording_of_what_matches(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = str(RECORDINGS / "queries.pcapng")
    assert cli.main(["dump", path, "--format", "pcapng", "--filter", "op = QueryMissing"]) == 0
    part = tmp_path / "part.pcapng"
    part.write_bytes(capfdbinary.readouterr().out)
    found = Session(part).read_all()
    assert len(found.connections) == 1
    assert "QueryMissing" in {found.row(i).operation for i in range(len(found))}
    for words in (["--redact"], ["--follow"], ["--filter", "error"]):
        assert cli.main(["dump", path, "--format", "pcapng", *words]) == 2
        assert capfdbinary.readouterr().err.count(b"\n") == 1
