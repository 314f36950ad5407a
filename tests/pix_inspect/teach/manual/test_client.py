"""The client of 40 lines: with the daemon in the box, and as the file that is handed out."""

from __future__ import annotations

from pix_inspect.teach.manual.client import STEPS, program
from pix_store import EmbeddedDaemon
from tests.support.textbook import EXAMPLE, offer_newest, try_every_step


def test_every_step_runs() -> None:
    with EmbeddedDaemon() as daemon:
        try_every_step(daemon.path, 38)
        offer_newest(daemon.path)


def test_it_is_40_lines_and_the_example() -> None:
    code = program(len(STEPS))
    heading, _, rest = EXAMPLE.read_text().partition("\n\n")
    assert rest == code
    assert heading.startswith('"""')
    lines = [line for line in code.splitlines() if line and not line.startswith("import ")]
    assert len(lines) == 40
    assert "pix" not in code
