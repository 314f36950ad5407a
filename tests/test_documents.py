"""README, CONTRIBUTING and docs/: what they name is there, and what they say to type is known."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from pix.conversation import CLIENT, DAEMON
from pix.daemon import DaemonConnection
from pix.protocol import vendors
from pix_inspect.cli import main
from pix_inspect.commands.catalogue import COMMANDS, parser_of
from pix_inspect.session.session import Session
from pix_store import EmbeddedDaemon

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "recordings/README.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
]
UNDER = ("", "src", "src/pix_inspect", "src/pix_inspect/ui")
"""Where a path in the text may begin."""

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.name))


def spans(document: Path) -> list[str]:
    """What stands between backticks in a text."""
    text = re.sub("```.*?```", "", document.read_text(), flags=re.DOTALL)
    return re.findall("`([^`]+)`", text)


@each_document
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        place = link.replace("%5B", "[").replace("%5D", "]")
        assert (document.parent / place).exists(), link


@each_document
def test_every_file_that_is_named_is_there(document: Path) -> None:
    for span in spans(document):
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)+/?|\w+/", span):
            assert any((ROOT / under / span).exists() for under in UNDER), span
        elif re.fullmatch(r"\w+\.(py|toml)", span):
            places = (ROOT / "src", ROOT / "tests")
            assert (ROOT / span).exists() or any(any(p.rglob(span)) for p in places), span


def options(command: str) -> set[str]:
    """The options of a command and of its own sub-commands; argparse has no public list."""
    parsers: list[argparse.ArgumentParser] = [parser_of(command)]
    for action in parsers[0]._actions:
        if isinstance(action, argparse._SubParsersAction):
            parsers += action.choices.values()
    return {name for parser in parsers for name in parser._option_string_actions}


@each_document
def test_every_option_of_a_command_is_one(document: Path) -> None:
    lines = re.findall(r"^    pix-inspect +([^#|\n]+)", document.read_text(), re.MULTILINE)
    lines = [f"watch {line}" if line.startswith("--") else line for line in lines]
    for line in [*lines, *(span.removeprefix("pix-inspect ") for span in spans(document))]:
        words = line.split()
        if words[0] in COMMANDS:
            ours = words[: words.index("--")] if "--" in words else words
            named = {word.partition("=")[0] for word in ours if word.startswith("--")}
            assert named <= options(words[0]), line


def keys(heading: str, columns: int = 1) -> set[str]:
    """The keys that the tables below a heading of docs/json.md list in their first column."""
    text = (ROOT / "docs/json.md").read_text().partition(f"## `{heading}`\n")[2]
    rows = re.findall(r"^\| (`[^|]*) \|", text.partition("\n## ")[0], re.MULTILINE)
    return {key for row in rows for key in re.findall("`([^`]+)`", row)}


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    main([*words])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_keys_of_dump_and_check(capsys: pytest.CaptureFixture[str]) -> None:
    recording = str(ROOT / "recordings/untrusted.pcapng")
    for exchange in printed(capsys, "dump", "--json", recording):
        assert exchange.keys() == keys("dump --json")
    verdict, *findings, summary = printed(capsys, "check", "--json", recording, "no error")
    assert findings
    for finding in findings:
        assert verdict.keys() | finding.keys() == keys("check --json")
    text = (ROOT / "docs/json.md").read_text()
    assert all(f"`{key}`" in text for key in summary)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("analyse --json", "analyse --json queries --at-rtt 50ms"),
        ("diff --json A B", "diff --json queries copy"),
        ("diff --json A 12 B 40", "diff --json queries 2 queries 3"),
        ("payload --json FILE", "payload --json add-tree"),
        ("payload --json FILE 12", "payload --json add-tree 3"),
        ("explain --json NAME", "explain --json QueryPathInfo"),
        ("explain --json --in FILE 7", "explain --json --in queries 3"),
    ],
)
def test_the_keys_of_other_commands(
    row: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {path.stem: str(path) for path in ROOT.glob("recordings/*.pcapng")}
    said = printed(capsys, *(files.get(word, word) for word in words.split()))
    text = (ROOT / "docs/json.md").read_text()
    (listed,) = re.findall(rf"^\| `{row}` \| [^|]* \| (.*) \|$", text, re.MULTILINE)
    assert said
    assert all(set(re.findall("`([^`]+)`", listed)) >= each.keys() for each in said)


def test_the_page_on_vendors_has_the_example_as_it_is() -> None:
    text = (ROOT / "docs/vendors.md").read_text()
    assert re.findall("```toml\n(.*?)```", text, re.DOTALL) == [
        (ROOT / "examples/vendor.toml").read_text()
    ]
    for table in (vendors.OPERATION, vendors.FIELD, vendors.PAYLOAD, vendors.FILE, vendors.KINDS):
        assert all(re.search(rf"`\[*{key}\b", text) for key in table)
    kinds = [*vendors.CONTENTS, *vendors.CARRIAGES["request"], *vendors.CARRIAGES["reply"]]
    assert all(f"`{kind}`" in text for kind in kinds)


# docs/sql.md


def test_the_columns_of_the_database_are_those_of_the_text(tmp_path: Path) -> None:
    file = tmp_path / "r.sqlite"
    session = str(ROOT / "recordings/queries.pcapng")
    assert main(["export", session, "--to", "sqlite", "-o", str(file)]) == 0
    with contextlib.closing(sqlite3.connect(file)) as base:
        master = base.execute("select type, name from sqlite_master").fetchall()
        there = {
            name: [row[1] for row in base.execute(f"pragma table_info({name})")]
            for kind, name in master
            if kind == "table"
        }
    text = (ROOT / "docs/sql.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE)
    said = {name: re.sub(r"\([^)]*\)", "", columns) for name, columns in rows}
    assert set(said) == {name for _, name in master if not name.startswith("fields_")} - {
        "log_of_exchange", "sqlite_autoindex_connections_1"
    }  # fmt: skip
    for name, columns in there.items():
        assert re.findall("`([a-z_]+)`", said[name]) == columns


def test_every_question_of_the_text_is_answered_by_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("queries", "build-failure", "two-clients", "old-client"):
        assert main(["dump", "--format", "json", str(ROOT / f"recordings/{name}.pcapng")]) == 0
        (tmp_path / f"{name}.jsonl").write_text(capsys.readouterr().out)
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs/sql.md").read_text()
    view, *questions = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    base = duckdb.connect()
    base.execute(view)
    answers = [base.execute(question).fetchall() for question in questions]
    assert len(answers) == 5
    assert all(answers)
    slowest, repeated, failures, _, versions = answers
    assert slowest[0][:2] == ("two-clients", "BuildPaths")
    assert repeated[0][3] == 6
    assert "program-1.0.drv" in failures[0][1]
    assert ("old-client", "1.21", None, 1) in versions


# docs/reading.md, docs/client.md


def program_of(document: str) -> str:
    """Return the Python of a text, all of its pieces in one."""
    return "\n".join(re.findall("```python\n(.*?)```", (ROOT / document).read_text(), re.DOTALL))


def test_the_recording_of_the_text_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    exec(program_of("docs/reading.md"), {})
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("16 BuildPaths Cannot build '/nix/store/")
    assert last.strip().startswith("nix log /nix/store/")


def test_the_client_of_the_text_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "store").mkdir()
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(Session(ROOT / "recordings/build-with-log.pcapng").read_all()) as seen:
        views = [seen.exchange(i) for i in range(len(seen))]
        sent, received = (
            b"".join(
                piece or b"" for view in views for _, piece in view.bytes(side, *view.span(side))
            )
            for side in (CLIENT, DAEMON)
        )
    store_dir = str(tmp_path / "store/store")
    with (
        EmbeddedDaemon(store=tmp_path / "store", store_dir=store_dir, allow_build=True) as daemon,
        EmbeddedDaemon(store_dir=store_dir) as other,
    ):
        monkeypatch.setenv("NIX_DAEMON_SOCKET_PATH", str(daemon.path))
        given = {"other": other.path, "sent": sent, "received": received}
        exec(program_of("docs/client.md"), given)
        with DaemonConnection(other.path) as client:
            (copied,) = client.query_all_valid_paths()
        assert copied.endswith("-examples")
    assert (tmp_path / "store/store" / f"{'0' * 32}-shout").read_text() == "Hello!\n"
    said = capsys.readouterr().out.splitlines()
    assert said[0].split()[0] == "1.38"
    assert said[1] == f"{(tmp_path / 'tree.nar').stat().st_size} bytes"
    assert {"build: reading", "BUILT", "set()"} <= set(said)
    assert any("is not valid" in line for line in said)
    assert any(line.startswith("14 BuildPaths(paths=('/nix/store/") for line in said)


# docs/agents.md

AGENT = """#!{python}
from pix.daemon import DaemonConnection
with DaemonConnection() as daemon:
    path = daemon.add_text_to_store("note", "a note")
    {more}
"""


def commands(document: str) -> list[tuple[list[str], str]]:
    """The commands of a document and what it says that they print."""
    text = (ROOT / document).read_text()
    found: list[tuple[list[str], str]] = []
    for line in re.findall("^    (.*)$", text, re.MULTILINE):
        if line.startswith("pix-inspect "):
            found.append((shlex.split(line, comments=True)[1:], ""))
        else:
            found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


def test_what_an_agent_did_is_told_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(ROOT / "recordings/watched-agent.pcapng", tmp_path / "agent.pcapng")
    monkeypatch.chdir(tmp_path)
    told = 0
    for words, printed in commands("docs/agents.md"):
        if words[0] in ("dump", "analyse", "check"):
            status = main(words)
            assert printed in capsys.readouterr().out
            assert status == ("✗" in printed)
            told += "✗" in printed
    assert told == 2
    text = (ROOT / "docs/agents.md").read_text()
    session = Session(tmp_path / "agent.pcapng").read_all()
    rows = re.findall(r"^\| #(\d+) \| `(\w+)` \| (\w+)", text, re.MULTILINE)
    assert len(rows) == 10
    for number, name, came in rows:
        row = session.row(int(number) - 1)
        assert (row.operation, row.state == "error") == (name, came == "refused")


@pytest.mark.parametrize(
    ("more", "status"), [("daemon.query_path_info(path)", 0), ("daemon.collect_garbage()", 1)]
)
def test_an_agent_is_held_to_what_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str, status: int
) -> None:
    monkeypatch.chdir(tmp_path)
    agent = tmp_path / "agent"
    agent.write_text(AGENT.format(python=sys.executable, more=more))
    agent.chmod(0o755)
    (words,) = [words for words, _ in commands("docs/agents.md") if words[0] == "run"][1:]
    trust = words.index("no reply.trusted = Trusted")  # as the daemon in the box trusts its user
    del words[trust - 1 : trust + 1]
    with EmbeddedDaemon() as daemon:
        monkeypatch.setenv("NIX_DAEMON_SOCKET_PATH", str(daemon.path))
        ran = subprocess.run(
            [sys.executable, "-m", "pix_inspect", *words], timeout=300, check=False
        )
    assert ran.returncode == status
    with contextlib.closing(Session(tmp_path / "agent.pcapng").read_all()) as session:
        assert session.row(1).operation == "AddToStore"
