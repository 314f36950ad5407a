"""Excerpts: what is in them, what is blanked, and that no text breaks out of its fence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from pix.problem import Problem
from pix.protocol.logging import STDERR_ERROR, STDERR_NEXT
from pix_inspect.base.secrets import cleaned
from pix_inspect.cli import main
from pix_inspect.export.excerpt import excerpt, fenced
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS
from tests.support.planted import CLIENT, Planted
from tests.support.recording import connected, saved
from tests.support.words import text, word

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
    return saved(planted, folder)


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
    assert "(redacted, " in said
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
        ("/nix/var/nix/profiles/per-user/ann/x", "/nix/var/nix/profiles/per-user/***/x"),
        ("user 'ann' is not allowed", "user '***' is not allowed"),
        ("s3://b?region=x&secret-key=abc/d&z=1", "s3://b?region=x&secret-key=*****&z=*"),
        ("https://x/?access_token=a", "https://x/?access_token=*"),
        ("key AKIAABCDEFGH", "key ************"),
        ("eyJhbGciOiJ.eyJzdWIiOiJ9.c2lnbmF0", "*" * 33),
        ("Basic dXNlcjpwYXNz", "Basic ************"),
        ("machine x login ann password hunter2", "machine x login *** password *******"),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----ab=-----",
            "-----BEGIN OPENSSH PRIVATE KEY-----***-----",
        ),
        ("cache.example-1:c2lnbmF0dXJl", "cache.example-1:c2lnbmF0dXJl"),
    ],
)
def test_what_tells_too_much(text: str, expected: str) -> None:
    assert cleaned(text) == expected


def test_hostile_text_stays_in_its_fence(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    evil = b"```\n</details>\n# Owned\n````text\n\x1b[31m@everyone #1 ```````` [x](http://evil)"
    talk.ask("QueryPathInfo", path="/nix/store/`````x\n````")
    error = text(b"Error") + word(0) + text(b"Error") + text(evil) + word(0) + word(0)
    talk.daemon(word(STDERR_ERROR) + error)
    said = excerpt(talk.session(), 1, 2)
    left = outside(said)
    for word_of_it in ("Owned", "@everyone", "evil", "\x1b"):
        assert word_of_it not in left
    assert "\x1b" not in said
    assert left.count("</details>") == left.count("<details>")


HOSTILE = (
    b"```\n</details>\n# Owned\n````text\n~~~\n@everyone ```````` [x](http://evil)",
    b"<script>alert(1)</script>\r\n<!-- \x85 \xe2\x80\xa8 | a | b |\n|---|---|",
    b"    indented\n> quoted\n1. listed\n\n***\n&lt;b&gt; \\` \x00\x1b[2J\xe2\x80\xae\xff\xfe",
    b"`" * 3000,
)


@pytest.mark.parametrize("evil", HOSTILE, ids=["fences", "html", "blocks", "backticks"])
@pytest.mark.parametrize("redacted", [True, False])
def test_it_is_markdown_whatever_was_said(evil: bytes, redacted: bool, tmp_path: Path) -> None:
    """Read by a Markdown library: headings, details and code, and none of what was on the wire."""
    talk = connected(tmp_path)
    talk.client(word(26), text(evil))
    talk.daemon(word(STDERR_NEXT), text(evil))
    error = text(b"Error") + word(0) + text(evil) + text(evil) + word(0) + word(0)
    talk.daemon(word(STDERR_ERROR) + error)
    talk.client(evil)
    session = talk.session()
    said = excerpt(session, 1, len(session), redacted=redacted, most_bytes=8192)
    kinds = {"heading_open", "heading_close", "inline", "fence", "html_block",
             "paragraph_open", "paragraph_close"}  # fmt: skip
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(said)
    assert {token.type for token in tokens} <= kinds
    for token in tokens:
        if token.type == "fence":
            assert token.info == "text"
            assert not {"\x1b", "\r", "\x00", "\u202e", "\u2028", "\x85"} & set(token.content)
        elif token.type == "html_block":
            assert re.fullmatch(
                r"<details><summary>bytes of the \w+: [\d,]+</summary>|</details>",
                token.content.strip(),
            )
        elif token.content:
            assert re.fullmatch(
                r"Nix daemon protocol: exchanges? [\d ,tof]+|\d+\. (operation )?\w+"
                r"|<sub>Made by [^<]+</sub>",
                token.content,
            )


def test_what_is_sent_along_is_left_out() -> None:
    session = opened("untrusted")
    assert "nix-archive-1" not in excerpt(session, 4, 4, most_bytes=4096)
    assert "1,480 bytes of payload left out" in excerpt(session, 4, 4)
    assert "… 8 more bytes" in excerpt(session, 4, 4)
    assert "nix-archive-1" in excerpt(session, 4, 4, redacted=False, most_bytes=4096)


def test_a_long_log_is_cut(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    talk.ask("BuildPaths", paths=["/nix/store/x"], mode="Normal")
    talk.daemon(*[word(STDERR_NEXT) + text(b"line")] * 5000)
    talk.answer("BuildPaths", done=1)
    said = excerpt(talk.session(), 2, 2)
    assert "… more lines, which dump shows" in said
    assert len(said.splitlines()) < 300


def test_it_is_the_same_every_time() -> None:
    assert excerpt(opened("untrusted"), 1, 9) == excerpt(opened("untrusted"), 1, 9)


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
    assert main(["excerpt", path, "5..3"]) == 2
    assert main(["excerpt", str(tmp_path / "none"), "1"]) == 2
    said = capsys.readouterr().err
    assert "from exchange 5 to 3 there is nothing" in said
    assert said.count("\n") == 4
