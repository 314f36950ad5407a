"""The client of 40 lines: with the daemon in the box, and as the file that is handed out."""

from __future__ import annotations

from pathlib import Path

from pix.daemon import DaemonConnection
from pix_inspect.teach.manual.client import STEPS, program
from pix_store import EmbeddedDaemon
from tests.support.textbook import EXAMPLE, offer_newest, try_every_step


def test_every_step_runs() -> None:
    with EmbeddedDaemon() as daemon, DaemonConnection(daemon.path) as client:
        path = client.add_text_to_store("hello", "Hello, world!\n")
        size = client.query_path_info(path).nar_size
        absent = str(Path(path).with_name("0" * 32 + "-absent"))
        try_every_step(daemon.path, path, absent, size, 38)
        offer_newest(daemon.path)


def test_it_is_40_lines_and_the_example() -> None:
    code = program(len(STEPS))
    heading, _, rest = EXAMPLE.read_text().partition("\n\n")
    assert rest == code
    assert heading.startswith('"""')
    lines = [line for line in code.splitlines() if line and not line.startswith("import ")]
    assert len(lines) == 40
    assert "pix" not in code
