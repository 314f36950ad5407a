"""The command line as a user meets it: real processes, wrong input, one clear line."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pix.sockets import listen
from pix_inspect.commands.catalogue import COMMANDS
from tests.support.places import RECORDINGS
from tests.support.processes import environment, pix

RECORDING = RECORDINGS / "queries.pcapng"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    daemon = listen(tmp_path / "d")
    live = listen(tmp_path / "live")
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "dead"))
    dead.close()
    (tmp_path / "link").symlink_to("live")
    (tmp_path / "text.txt").write_text("no recording at all")
    (tmp_path / "empty.pcapng").write_bytes(b"")
    (tmp_path / "cut.pcapng").write_bytes(RECORDING.read_bytes()[:17])
    (tmp_path / "folder").mkdir()
    shutil.copy(RECORDING, tmp_path / "there.pcapng")
    yield tmp_path
    live.close()
    daemon.close()


WRONG = [
    (["open", "missing.pcapng"], "missing.pcapng"),
    (["dump", "missing.pcapng"], "missing.pcapng"),
    (["dump", "text.txt"], "not a"),
    (["dump", "empty.pcapng"], "empty"),
    (["dump", "cut.pcapng"], "cut"),
    (["dump", "folder"], "folder"),
    (["dump"], "required"),
    (["check"], "required: FILE; see"),
    (["check", "--json"], "required: FILE; see"),
    (["dump", str(RECORDING), "--format", "xml"], "invalid choice"),
    (["nonsense"], "neither a command nor a file"),
    (["dmp", str(RECORDING)], "did you mean dump?"),
    (["record"], "no socket to listen on"),
    (["record", "--listen", "text.txt", "--upstream", "d"], "not a socket"),
    (["record", "--listen", "folder", "--upstream", "d"], "not a socket"),
    (["record", "--listen", "link", "--upstream", "d"], "a symbolic link"),
    (["record", "--listen", "live", "--upstream", "d"], "in use by another process"),
    (["record", "--listen", "none/s", "--upstream", "d"], "cannot listen"),
    (["record", "--listen", "n" * 120, "--upstream", "d"], "too long for a socket"),
    (["record", "--listen", "s", "--upstream", "s"], "both the relay and its daemon"),
    (["record", "--listen", "s", "--upstream", "none"], "name its socket with --upstream"),
    (["record", "--listen", "s", "--upstream", "text.txt"], "not a socket; name the daemon's"),
    (["record", "--listen", "s", "--upstream-command", "no-such-daemon"], "no such command"),
    (["record", "--listen", "s", "--upstream", "d", "-o", "text.txt/x.pcapng"], "text.txt"),
    (["record", "--listen", "s", "--upstream", "d", "-o", "there.pcapng"], "exists: choose"),
    (["record", "--listen", "s", "--upstream", "d", "-o", "folder"], "exists: choose"),
    (["record", "--listen", "s", "--upstream", "d", "-o", "/proc/r.pcapng"], "cannot create"),
    (["record", "--listen", "s", "--upstream", "d", "--mode", "rw"], "not a mode"),
    (["record", "--listen", "s", "--upstream", "d", "--mode", "1777"], "not a mode"),
    (["record", "--listen", "s", "--upstream", "d", "--allow-user", "nobody-like-this"], "no such"),
    (["record", "--listen", "s", "--upstream", "d", "--payload", "lots"], "not a size"),
    (["record", "--listen", "s", "--upstream", "d", "--max-size", "1K"], "too small"),
    (["record", "--listen", "s", "--upstream", "d", "--max-size", "1M", "--keep", "0"], "at least"),
    (["record", "--listen", "s", "--upstream", "d", "--keep", "few"], "invalid int value"),
    (["record", "--listen", "s", "--upstream", "d", "--upstream-command", "x"], "exclude each"),
    (["record", "--listen", "s", "--upstream-command", "'"], "quotation"),
    (["record", "--listen", "s", "--upstream-command", ""], "is empty"),
    (["record", "--listen", "s", "--upstream", "d", "more"], "unrecognized arguments: more"),
    (["record", "--listen"], "expected one argument"),
    (["--listen", "s", "--upstream", "none"], "needs a terminal"),
    (["--listen", "s", "--upstream", "none", "--detach"], "name its socket with --upstream"),
    (["--listen", "live", "--upstream", "d", "--detach"], "in use by another process"),
    (["--listen", "s", "--upstream", "d", "-o", "there.pcapng", "--detach"], "exists: choose"),
    (["run"], "no command to run"),
    (["run", "--"], "no command to run"),
    (["run", "--upstream", "none", "--", "true"], "name its socket with --upstream"),
    (["run", "--upstream", "d", "-o", "text.txt/x", "--", "true"], "text.txt"),
    (["run", "--upstream", "d", "-o", "there.pcapng", "--", "true"], "exists: choose"),
    (["stdio", "--upstream", "none"], "cannot reach the daemon"),
    (["stdio", "--upstream", "dead"], "no daemon listens on it"),
    (["list", "more"], "unrecognized arguments: more"),
    (["attach", "somebody"], "no relay runs"),
    (["import", "--client", "none", "--daemon", "text.txt", "-o", "o.pcapng"], "none"),
    (["send", "--upstream", "none", "FindRoots()"], "cannot reach the daemon"),
    (["send", "--upstream", "none", "x"], "nothing is called x"),
    (["daemon"], "no socket to listen on"),
    (["daemon", "--listen", "text.txt"], "not a socket"),
    (["daemon", "--listen", "s", "--version", "1.99"], "speaks 1.18 to 1.38"),
    (["daemon", "--listen", "s", "--store", "text.txt"], "is not a folder"),
    (["demo", "extra"], "unrecognized arguments: extra"),
    (["replay"], "required: client|daemon"),
    (["replay", "client", str(RECORDING), "--upstream", "none"], "cannot reach the daemon"),
    (["replay", "daemon", "text.txt", "--listen", "s"], "not a"),
    (["replay", "daemon", str(RECORDING), "--listen", "text.txt"], "not a socket"),
    (["payload", "text.txt"], "not a"),
    (["payload", str(RECORDING), "99"], "has no exchange 99"),
    (["payload", str(RECORDING), "1"], "has no payload"),
    (["excerpt", "text.txt", "1"], "not a"),
    (["excerpt", str(RECORDING), "x"], "x"),
    (["manual", "-o", "text.txt"], "text.txt"),
    (["tour", "nothing"], "no tour is called"),
    (["explain", "--in", str(RECORDING), "99"], "no 99"),
    (["record", "--listen", "s", "--upstream", "d", "--delay", "soon"], "not a time"),
    (["--silence", "5", str(RECORDING)], "5 has no unit: write 5s or 5ms or 5min"),
    (["send", "--timeout", "3", "FindRoots()"], "3 has no unit: write 3s"),
    (["stop"], "no relay runs"),
    (["record", "--listen", "s", "--upstream", "d", "--rate", "fast"], "not a size"),
    (["decode", "Nope", "text.txt"], "no type is called"),
    (["open", str(RECORDING), "text.txt"], "not a"),
    (["check", str(RECORDING), "p95(took)"], "Add < 50ms"),
    (["explain", "QueryPathInf"], "did you mean QueryPathInfo"),
    (["analyse", "text.txt"], "not a"),
    (["diff", str(RECORDING), "text.txt"], "not a"),
    (["attach"], "no relay runs"),
]


@pytest.mark.parametrize(
    ("words", "says"), WRONG, ids=[" ".join(words)[-60:] for words, _ in WRONG]
)
def test_bad_input_gets_one_clear_line_and_status_2(
    place: Path, words: list[str], says: str
) -> None:
    before = {path.name: path.read_bytes() for path in place.iterdir() if path.is_file()}
    done = pix(*words, cwd=place)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("pix-inspect: ")
    assert says in lines[0]
    assert done.stdout == ""
    assert {p.name: p.read_bytes() for p in place.iterdir() if p.is_file()} == before


def test_help_and_version(tmp_path: Path) -> None:
    done = pix(cwd=tmp_path)
    assert done.returncode == 0
    for name in COMMANDS:
        assert name in done.stdout
        assert pix(name, "--help", cwd=tmp_path).returncode == 0
        assert f"pix-inspect {name} " in pix("help", name, cwd=tmp_path).stdout.split("example:")[1]
    assert pix("--version", cwd=tmp_path).stdout.startswith("pix-inspect ")


def test_a_file_or_command_is_found_behind_options(tmp_path: Path) -> None:
    shown = pix("--no-settings", str(RECORDING), cwd=tmp_path).stderr
    assert "`pix-inspect dump " in shown, "the screen of `open`, which has no terminal here"
    assert json.loads(pix("--json", "list", cwd=tmp_path).stdout) == {
        "relays": [],
        "recordings": [],
    }


JSON = [
    ["analyse", RECORDING], ["check", RECORDING], ["decode", "U64", "word"], ["dump", RECORDING],
    ["diff", RECORDING, RECORDINGS / "lookups.pcapng"], ["explain", "QueryPathInfo"], ["list"],
    ["payload", RECORDINGS / "copy.pcapng"], ["status", RECORDINGS / "queries.pcapng"], ["tour"],
]  # fmt: skip


@pytest.mark.parametrize("words", JSON, ids=lambda words: words[0])
def test_json_is_asked_for_alike_and_its_keys_are_written_alike(
    tmp_path: Path, words: list[str | Path]
) -> None:
    (tmp_path / "word").write_bytes(bytes(8))
    printed = pix(*words, "--json", cwd=tmp_path).stdout
    assert printed == pix(*words, "--format", "json", cwd=tmp_path).stdout
    for line in printed.splitlines():
        for name in keys_of(json.loads(line)):
            assert re.fullmatch(r"[a-z][a-z0-9_]*", name), (name, line)


DATA = ("overrides", "counts", "env", "outputs", "inputs", "units")


def keys_of(value: object) -> Iterator[str]:
    """Yield the keys that we named; those below these are data."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            if key not in DATA:
                yield from keys_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)


def test_who_reads_no_further_is_no_error() -> None:
    command = f"{sys.executable} -m pix_inspect dump {RECORDING} | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


LEAN = """
import sys
from pix_inspect.commands.catalogue import COMMANDS
import importlib
for name in ("record", "run", "stdio", "dump", "import_", "list"):
    importlib.import_module(f"pix_inspect.commands.{name}")
heavy = [name for name in sys.modules if name.split(".")[0] in ("textual", "rich", "asyncio")]
print(heavy)
"""


def test_capture_starts_without_the_screen() -> None:
    done = subprocess.run([sys.executable, "-c", LEAN], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)]
)
def test_a_signal_where_nothing_can_be_raised_ends_it_nevertheless(
    number: signal.Signals, status: int
) -> None:
    program = f"""if True:
        import signal, sys, time
        from pix_inspect import __main__, cli
        class Odd:
            def __del__(self):
                signal.raise_signal({int(number)})
        def work():
            Odd()
            time.sleep(600)
        cli.main = work
        sys.exit(__main__.main())
    """
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (status, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_who_is_told_to_end_takes_half_a_file_away(tmp_path: Path, number: signal.Signals) -> None:
    program = f"""if True:
        import os, pathlib, signal, sys, time
        from pix_inspect import __main__, cli
        from pix_inspect.base.new_files import save
        def pieces():
            yield b"half"
            os.kill(os.getpid(), {int(number)})
            time.sleep(600)
        cli.main = lambda: print("unsaid", end="") or save(pathlib.Path("whole"), pieces())
        sys.exit(__main__.main())
    """
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (-number, "")
    assert list(tmp_path.iterdir()) == []


def test_little_is_imported_before_interrupts_are_seen_to() -> None:
    """Python prints where it was for one that comes meanwhile."""
    program = """if True:
        import __future__, os, sys
        before = set(sys.modules)
        import pix_inspect.__main__
        print(sorted(set(sys.modules) - before))
    """
    command = [sys.executable, "-S", "-c", program]
    paths = os.pathsep.join(sys.path)
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"PYTHONPATH": paths}
    )
    assert done.stdout == "['pix_inspect', 'pix_inspect.__main__']\n"


def test_an_interrupt_while_it_starts_says_nothing(tmp_path: Path) -> None:
    slow = tmp_path / "argparse"  # one of the first modules that are imported
    slow.mkdir()
    (slow / "__init__.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(600)")
    started = subprocess.Popen(
        [sys.executable, "-m", "pix_inspect", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path)
        | {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "here\n"
    started.send_signal(signal.SIGINT)
    assert started.communicate(timeout=300) == ("", "")
    assert started.returncode == -signal.SIGINT
