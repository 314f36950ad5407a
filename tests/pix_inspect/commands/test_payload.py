"""`pix-inspect payload`: lists, trees and saving, with one line for what cannot be."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pix_inspect.cli import main
from tests.support.nars import nar
from tests.support.payloads import FILES, with_archive
from tests.support.places import RECORDINGS

Captured = pytest.CaptureFixture[str]


def test_exchanges_with_a_payload_are_listed(capsys: Captured) -> None:
    assert main(["payload", str(RECORDINGS / "build-with-log.pcapng")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["3", "7", "10"]
    assert "greeting.txt" in lines[0]
    assert main(["payload", "--json", str(RECORDINGS / "build-with-log.pcapng")]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first["exchange"] == 3
    assert first["kept"] == first["bytes"] == 128


def test_nothing_to_list_is_said(capsys: Captured) -> None:
    assert main(["payload", str(RECORDINGS / "lookups.pcapng")]) == 0
    found = capsys.readouterr()
    assert found.out == ""
    assert "no exchange has a payload" in found.err


def test_a_payload_is_shown_as_a_tree(tmp_path: Path, capsys: Captured) -> None:
    path = str(with_archive(tmp_path))
    assert main(["payload", path, "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "d            429  ."
    assert "x             21  bin/hello" in lines
    assert "l                 lib/libhello.so → libhello.so.1" in lines
    assert main(["payload", path, "2:share"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert main(["payload", path, "2:bin/hello", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kind"] == "executable"
    assert found["stream"]["end"] - found["stream"]["start"] == 21


def test_what_was_not_kept_is_said(tmp_path: Path, capsys: Captured) -> None:
    path = str(with_archive(tmp_path, keep=700))
    assert main(["payload", path, "2"]) == 0
    assert "were not recorded; record with --payload full" in capsys.readouterr().err
    assert main(["payload", path, "2", "-o", str(tmp_path / "x.nar")]) == 2
    assert "--payload full" in capsys.readouterr().err
    assert not (tmp_path / "x.nar").exists()


def test_a_payload_and_its_files_are_saved(tmp_path: Path, capsys: Captured) -> None:
    path = str(with_archive(tmp_path))
    out = tmp_path / "out"
    assert main(["payload", path, "2", "-o", str(out)]) == 0
    assert out.read_bytes() == nar(FILES)
    assert main(["payload", path, "2:bin/hello", "-o", str(out)]) == 2
    assert "already exists; --force replaces it" in capsys.readouterr().err
    assert main(["payload", path, "2:bin/hello", "-o", str(out), "--force"]) == 0
    assert os.access(out, os.X_OK)
    assert main(["payload", path, "2", "--unpack", "-o", str(tmp_path / "tree")]) == 0
    assert (tmp_path / "tree/share/doc/README").read_text() == "read me\n"


def test_one_of_several_archives_is_saved_by_its_name(tmp_path: Path) -> None:
    path = str(RECORDINGS / "copy.pcapng")
    name = "as179kf0gk5vbrwjr7pzsl27nw34j7ff-curl-8.7.1"
    assert main(["payload", path, f"4:{name}", "-o", str(tmp_path / "x.nar")]) == 0
    assert (tmp_path / "x.nar").read_bytes()[8:21] == b"nix-archive-1"
    assert main(["payload", path, f"4:/nix/store/{name}", "-o", str(tmp_path / "y.nar")]) == 0


def test_what_a_pipe_gets_is_the_contents(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["payload", str(with_archive(tmp_path)), "2:share/doc/README", "-o", "-"]) == 0
    assert capfdbinary.readouterr().out == b"read me\n"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["0"], "is not a payload"),
        (["x"], "is not a payload"),
        (["9"], "has no exchange 9"),
        (["1"], "has no payload"),
        (["2:nothing"], "no entry"),
        (["-o", "x"], "which payload"),
        (["2", "--unpack"], "needs -o"),
        (["2:bin", "-o", "/nonexistent/x"], "is a directory"),
        (["2:bin/hello", "-o", "/nonexistent/x"], "no folder"),
        (["2:bin/hello", "--unpack", "-o", "x"], "is not a directory"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, capsys: Captured, words: list[str], why: str
) -> None:
    assert main(["payload", str(with_archive(tmp_path)), *words]) == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert found.err.count("\n") == 1
    assert why in found.err
