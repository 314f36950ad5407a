"""What Wireshark is told of the capture interface, in the form that it parses."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest

from pix_inspect.commands.catalogue import parser_of
from pix_inspect.wireshark import extcap
from tests.support.relaying import WAIT

LINE = re.compile(r"(extcap|interface|dlt|arg|value) (\{[a-z]+=[^{}]*\})+")


def test_lines_are_sentences_of_extcap() -> None:
    lines = [*extcap.interfaces(), *extcap.link_types(), *extcap.options()]
    assert all(LINE.fullmatch(line) for line in lines)


def test_options_are_those_of_record() -> None:
    calls = re.findall(r"\{call=(--[a-z-]+)\}", " ".join(extcap.options()))
    known = parser_of("record")._option_string_actions
    assert calls
    assert all(call in known for call in calls)
    for value in extcap.PAYLOADS:
        parser_of("record").parse_args(["--payload", value])


def test_sockets_are_made_where_the_user_has_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert extcap.default_socket().parent == Path("/run/user/7")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert extcap.default_socket().name == f"nix-wireshark-{os.getuid()}.sock"


def test_it_is_noticed_that_nobody_reads_any_more() -> None:
    reading, writing = os.pipe()
    waiting = threading.Thread(target=extcap.reader_gone, args=(writing,))
    waiting.start()
    os.write(writing, b"x")
    assert waiting.is_alive()
    os.close(reading)
    waiting.join(WAIT)
    assert not waiting.is_alive()
    os.close(writing)
