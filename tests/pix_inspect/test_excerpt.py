"""Excerpts: what is in them, what is blanked, and that no text breaks out of its fence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pix.protocol.logging import STDERR_ERROR
from pix_inspect.cli import main
from pix_inspect.excerpt import excerpt, fenced
from pix_inspect.problem import Problem
from pix_inspect.redaction import cleaned
from pix_inspect.session import Session
from tests.pix_inspect.planted import CLIENT, Planted, text, word
from tests.pix_inspect.scenes import Scene

RECORDINGS = Path(__file__).resolve().parents[2] / "recordings"
TOKEN = "github.com=ghp_0123456789abcdefghij"


def opened(name: str) -> Session:
    return Session(RECORDINGS / f"{name}.pcapng").read_all()


def outside(markdown: str) -> str:
    """The text that is not in a fence; fails when a fence does not end."""
    left, fence = [], ""
    for line in markdown.splitlines():
        run = re.match("`{3,}", line)
        if fence:
            if line == fence:
                fence = ""
        elif run is not None:
            fence = run[0]
        else:
            left.append(line)
    assert not fence
    return "\n".join(left)


def with_secrets(folder: Path) -> Session:
    """A session whose settings hold a token, and a path below a home directory."""
    planted = Planted("build-with-log")
    _, end = planted.request("SetOptions")
    part = planted.view("SetOptions").part("request")
    assert part is not None
    assert part.node is not None
    overrides = part.node.find("overrides")
    assert overrides is not None
    count = len(overrides.children or ())
    planted.change(CLIENT, overrides.start, overrides.start + 8, word(count + 2))
    more = text(b"access-tokens") + text(TOKEN.encode())
    more += text(b"diff-hook") + text(b"/home/florence/bin/hook")
    planted.change(CLIENT, end, end, more)
    return planted.save(folder)


def test_an_excerpt_says_versions_timeline_fields_bytes_and_findings() -> None:
    said = excerpt(opened("untrusted"), 4, 6)
    assert "exchanges 4 to 6 of 14" in said
    assert "connection 2: protocol 1.38; client 1.38, daemon 1.38, Nix 2.34.8, not trusted" in said
    assert "#### 4. AddMultipleToStore" in said
    assert "dont_check_sigs: true" in said
    assert "     170  2c 00 00 00 00 00 00 00" in said
    assert "▲ warning: unsigned" in said
    assert "redacted.</sub>" in said


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.pcapng")), ids=lambda path: path.stem)
def test_every_recording(path: Path) -> None:
    session = Session(path).read_all()
    left = outside(excerpt(session, 1, len(session), most_bytes=64))
    for line in left.splitlines():
        assert re.match(r"#{3,4} |</?details|<sub>|$", line), line


def test_secrets_are_blanked_in_fields_and_in_bytes(tmp_path: Path) -> None:
    session = with_secrets(tmp_path)
    said = excerpt(session, 1, 3, most_bytes=4096)
    found = re.findall(r"^ +[0-9a-f]+  ([0-9a-f* ]{47})", said, re.MULTILINE)
    digits = re.sub(r"\s+", "", "".join(found))
    assert "access-tokens" in said
    assert "(redacted)" in said
    for secret in ("ghp_", "github.com", "florence"):
        assert secret not in said
        assert secret.encode().hex() not in digits
    open_said = excerpt(session, 1, 3, redacted=False, most_bytes=4096)
    assert TOKEN in open_said
    assert "/home/florence/bin/hook" in open_said


def test_half_a_secret_at_the_end_is_blanked(tmp_path: Path) -> None:
    session = with_secrets(tmp_path)
    end = session.exchange(1).span(CLIENT)[1] - session.exchange(1).span(CLIENT)[0]
    for most in range(end - 40, end):
        said = excerpt(session, 2, 2, most_bytes=most)
        assert "flor" not in said
        assert "66 6c 6f 72" not in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/me/x", "/home/**/x"),
        ("'/Users/ann' and /home/b", "'/Users/***' and /home/*"),
        ("https://u:p@host/x", "https://***@host/x"),
        ("Bearer abcdefgh12", "Bearer **********"),
        ("glpat-abcdefgh", "**************"),
        ("/nix/store/x", "/nix/store/x"),
    ],
)
def test_what_tells_too_much(text: str, expected: str) -> None:
    assert cleaned(text) == expected


def test_hostile_text_stays_in_its_fence(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    evil = b"```\n</details>\n# Owned\n````text\n\x1b[31m@everyone #1 ```````` [x](http://evil)"
    scene.ask("QueryPathInfo", path="/nix/store/`````x\n````")
    error = text(b"Error") + word(0) + text(b"Error") + text(evil) + word(0) + word(0)
    scene.daemon(word(STDERR_ERROR) + error)
    said = excerpt(scene.done(), 1, 2)
    left = outside(said)
    for word_of_it in ("Owned", "@everyone", "evil", "\x1b"):
        assert word_of_it not in left
    assert "\x1b" not in said
    assert left.count("</details>") == left.count("<details>")


def test_a_fence_is_longer_than_what_is_in_it() -> None:
    assert list(fenced(["a"])) == ["```text", "a", "```"]
    assert list(fenced(["x ````` y"]))[-1] == "``````"
    long = list(fenced(["x" * 10_000]))
    assert len(long[1]) < 1000


def test_bad_selections(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Problem, match="has no exchange 99"):
        excerpt(opened("untrusted"), 99, 120)
    path = str(RECORDINGS / "untrusted.pcapng")
    assert main(["excerpt", path, "x"]) == 2
    assert main(["excerpt", path, "20..30"]) == 2
    assert main(["excerpt", str(tmp_path / "none"), "1"]) == 2
    assert capsys.readouterr().err.count("\n") == 3


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(RECORDINGS / "untrusted.pcapng")
    assert main(["excerpt", path, "2..3", "--bytes", "0"]) == 0
    said = capsys.readouterr().out
    assert "SetOptions" in said
    assert "13 00 00" not in said
    assert main(["excerpt", path, "2", "--no-redact"]) == 0
    assert "not redacted" in capsys.readouterr().out
