"""`watch`: the relay it starts is told the same, and says in one line why it does not begin."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pix.problem import Problem
from pix_inspect.commands import open as open_command
from pix_inspect.commands import record, watch
from tests.support.processes import is_there
from tests.support.relaying import WAIT, until


def parsed(module: object, words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    module.arguments(parser)  # type: ignore[attr-defined]
    return parser.parse_args(words)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--mode", "0660", "--allow-user", "all", "--allow-user", "1000"],
        ["--upstream", "/run/daemon", "--payload", "full"],
        ["--upstream-command", "nix-daemon --stdio", "--payload", "none"],
        ["--payload", "1M", "--max-size", "10M", "--keep", "7"],
        ["--file-mode", "0640", "--otlp", "http://localhost:4318"],
        ["--delay", "10ms", "--rate", "20M", "--jitter", "1.5ms"],
    ],
)
def test_the_relay_is_told_what_watch_was_told(words: list[str]) -> None:
    told = parsed(watch, ["--listen", "/tmp/s", *words])
    again = parsed(record, ["--listen", "/tmp/s", *watch.options_of(told)])
    shared = vars(told).keys() - {"detach", "no_settings", "silence", "theme"}
    assert vars(again).keys() - shared == {"quiet", "until_eof"}
    assert all(vars(again)[name] == vars(told)[name] for name in shared)


def test_a_relay_that_does_not_begin_says_why(tmp_path: Path) -> None:
    there = tmp_path / "file"
    there.write_text("no socket")
    with pytest.raises(Problem, match="file"):
        watch.RelayProcess(there, tmp_path / "r.pcapng", ["--upstream", "/nowhere"])
    recording = tmp_path / "there.pcapng"
    recording.write_text("already there, and longer than the head of a recording")
    with pytest.raises(Problem, match=r"there\.pcapng"):
        watch.RelayProcess(tmp_path / "s", recording, ["--upstream-command", "cat"])


FULL = """
import sys
from pathlib import Path
from pix.problem import Problem
from pix_inspect.commands.watch import RelayProcess
try:
    RelayProcess(Path(sys.argv[2]), Path(sys.argv[1]) / "r.pcapng", ["--upstream-command", "cat"])
except Problem as problem:
    print(problem)
"""


def test_a_relay_that_cannot_record_is_told_at_once(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    script = (
        'mount -t tmpfs -o size=4k none "$1" && { head -c 9999 /dev/zero >"$1/pad" 2>/dev/null;'
        ' exec "$2" -c "$3" "$1" "$4"; }'
    )
    command = ["unshare", "-rm", "sh", "-c", script, "sh", str(small), sys.executable, FULL]
    done = subprocess.run(
        [*command, str(tmp_path / "s")], capture_output=True, text=True, check=False
    )
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"no mount namespaces here: {done.stderr.strip()}")
    assert done.stderr == ""
    assert done.stdout == f"cannot write {small}/r.pcapng: No space left on device\n"


def test_a_relay_is_stopped(tmp_path: Path) -> None:
    options = ["--upstream-command", "cat"]
    relay = watch.RelayProcess(tmp_path / "s", tmp_path / "r.pcapng", options)
    assert relay.alive()
    assert relay.said() == []
    relay.warn("a warning")
    assert relay.said() == ["a warning"]
    relay.stop()
    assert relay.wait(WAIT)
    assert not relay.alive()
    relay.close()
    assert not (tmp_path / "s").exists()


def test_a_relay_that_is_held_goes_with_who_holds_it(tmp_path: Path) -> None:
    program = f"""if True:
        import os, signal
        from pathlib import Path
        from pix_inspect.commands.watch import RelayProcess
        here = Path({str(tmp_path)!r})
        options = ["--upstream-command", "cat"]
        relay = RelayProcess(here / "s", here / "r.pcapng", options, held=True)
        print(relay.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    pid = int(done.stdout)
    until(lambda: not is_there(pid))
    assert not (tmp_path / "s").exists()


def test_without_a_terminal_one_line_says_what_to_use() -> None:
    recording = Path(__file__).parents[3] / "recordings/queries.pcapng"
    with pytest.raises(Problem, match="pix-inspect dump"):
        open_command.main(parsed(open_command, [str(recording)]))
    with pytest.raises(Problem, match="pix-inspect record"):
        watch.main(parsed(watch, ["--listen", "/tmp/pix-nobody"]))
    with pytest.raises(Problem, match="--listen"):
        watch.main(parsed(watch, []))
    with pytest.raises(Problem, match="no theme 'nrod'; did you mean nord"):
        open_command.main(parsed(open_command, [str(recording), "--theme", "nrod"]))
