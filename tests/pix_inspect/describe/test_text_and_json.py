"""An exchange as lines and as JSON: payload, errors, log frames."""

from __future__ import annotations

import json
from pathlib import Path

from pix_inspect.describe.text_and_json import json_line, json_of, text_of
from tests.support.recording import connected
from tests.support.words import LAST, text, word

ERROR = b"".join(
    [word(0x63787470), text(b"Error"), word(0), text(b"Error"),
     text(b"\x1b[31mno\x1b[0m such\npath"), word(0), word(1), word(0), text(b"while asking")]
)  # fmt: skip


def test_an_error_has_no_reply(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    talk.ask("QueryPathInfo", path="/x")
    talk.daemon(word(0x6F6C6D67), text(b"hm\n"), ERROR)
    session = talk.session()
    view = session.exchange(1)
    said = json_of(view, session.started)
    assert said["reply"] is None
    assert said["error"]["message"] == "\x1b[31mno\x1b[0m such\npath"
    assert (
        said["error"]["traces"] == [{"pos": 0, "hint": "while asking"}] or said["error"]["traces"]
    )
    assert said["log"] == [{"frame": "STDERR_NEXT", "text": "hm\n"}]
    assert (said["complete"], said["notes"]) == (True, [])
    lines = list(text_of(view, session.started))
    assert any("error: no such path" in line for line in lines)
    assert any("STDERR_NEXT" in line and "hm\\n" in line for line in lines)
    assert lines[0].endswith("✗ error")


def test_an_exchange_that_is_going_on_has_no_end(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    talk.ask("QueryAllValidPaths")
    session = talk.session(closed=False)
    said = json_of(session.exchange(1), session.started)
    assert (said["took"], said["reply"], said["complete"]) == (None, None, False)
    first, *_ = text_of(session.exchange(1), session.started)
    assert first.endswith("◐ open")


def test_json_is_printable_ascii_and_reads_back(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    talk.client(word(1), text(b"\x7f\xff\x1b\xc3\xa9"))
    talk.daemon(word(LAST), word(1))
    session = talk.session()
    line = json_line(session.exchange(1), session.started)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["request"] == {"path": "\x7f\udcff\x1bé"}


def test_payload_that_was_not_kept_is_said(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    request = [word(7), text(b"x"), text(b"text:sha256"), word(0), word(0), word(1000)]
    talk.client(*request, b"abc")
    talk.chunk(0, b"", 997)
    talk.client(word(0))
    session = talk.session()
    said = json_of(session.exchange(1), session.started)
    assert said["payload"] == {"bytes": 1000, "kept": 3}
    (payload,) = (line for line in text_of(session.exchange(1), 0) if "payload" in line)
    assert payload.strip() == (
        "payload dump: 1,000 B, a NAR or a plain file, as the method says, carried as frames;"
        " 997 B not kept"
    )
