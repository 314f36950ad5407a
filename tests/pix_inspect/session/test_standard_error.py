"""What stands on the daemon's standard error belongs to the exchange that went on."""

from __future__ import annotations

from pathlib import Path

from pix.codec.gates import SERVE, Protocol
from pix.protocol import serve
from pix.protocol.logging import StderrLast
from pix.protocol.operations import IsValidPath, Paths
from pix_inspect.filter.compiled import compile_filter
from pix_inspect.findings.collector import Findings
from pix_inspect.recording.notes import StandardError
from pix_inspect.session.redaction import redacted
from pix_inspect.session.session import Session
from pix_inspect.session.standard_error import errors, lines
from tests.support.playbook import EOF
from tests.support.recording import Connection, Recording
from tests.support.words import OTHER, PATH

SERVED = Protocol(7, family=SERVE)


def say(connection: Connection, text: str) -> None:
    connection.wait().remark({"note": StandardError(text).json()})


def told(folder: Path) -> Session:
    """A recording of both protocols; the server of one fails at its second command."""
    made = Recording(folder / "r.pcapng")
    worker = made.connect()
    served = made.connect(SERVED)
    say(served, "warning: early\n")
    served.trip(serve.QueryValidPaths(paths=frozenset([PATH])), Paths(paths=frozenset()))
    worker.trip(IsValidPath(path=PATH), StderrLast(), IsValidPath.Reply(valid=True))
    served.wait() >> serve.DumpStorePath(path=OTHER)
    say(served, "copying with token=ghp_0123456789abcdefghijABCDEFGHIJ012345\n\x1b[31;1merr")
    say(served, "or:\x1b[0m path is not valid\n       it never was\nbye\n")
    served << EOF >> EOF
    served.close()
    return made.session()


def number_of(session: Session, name: str) -> int:
    return next(row.number for row in session.rows(0, len(session)) if row.name == name)


def test_lines_belong_to_what_went_on(tmp_path: Path) -> None:
    session = told(tmp_path)
    failed = session.row(number_of(session, "serve.DumpStorePath") - 1)
    assert len(lines(session, failed)) == 4
    assert errors(session, failed) == ["error: path is not valid it never was"]
    asked = session.row(number_of(session, "serve.QueryValidPaths") - 1)
    assert lines(session, asked) == []
    worker = session.row(number_of(session, "IsValidPath") - 1)
    assert lines(session, worker) == []


def test_one_recording_holds_both_protocols(tmp_path: Path) -> None:
    session = told(tmp_path)
    rows = list(session.rows(0, len(session)))
    for name, expected in (
        ("worker", {"handshake", "IsValidPath"}),
        ("serve", {"handshake", "serve.QueryValidPaths", "serve.DumpStorePath"}),
    ):
        passes = compile_filter(f"protocol = {name}")
        assert {row.name for row in rows if passes.matches(session, row.number - 1)} == expected
    passes = compile_filter('stderr ~ "never was"')
    assert [row.name for row in rows if passes.matches(session, row.number - 1)] == [
        "serve.DumpStorePath"
    ]


def test_the_error_is_found_and_nothing_else(tmp_path: Path) -> None:
    found = Findings(told(tmp_path)).finish()
    assert {finding.kind.name for finding in found.kept} == {"standard-error"}
    (finding,) = found.kept
    assert finding.said == "serve.DumpStorePath: error: path is not valid it never was"


def test_what_is_shown_to_others_holds_no_secret(tmp_path: Path) -> None:
    session = told(tmp_path)
    view = session.exchange(number_of(session, "serve.DumpStorePath") - 1)
    assert any("ghp_" in line for line in view.standard_error)
    assert not any("ghp_" in line for line in redacted(view).standard_error)
