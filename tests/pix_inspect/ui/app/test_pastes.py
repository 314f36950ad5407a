"""Pastes are taken whole, wherever reads end, and what is typed around them stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual._xterm_parser import XTermParser
from textual.events import Key, Paste
from textual.message import Message

from pix_inspect.ui.app.pastes import END, FLOOD, PAUSE, START, PasteParser
from tests.support.places import RECORDINGS
from tests.support.terminal import COMMAND, Terminal

TYPED = f"a\x1b[A{START}op = x\x00\r\n\x1b[Bä\x1b[201{END}{START}{END}q{START}2{END}\x1b[B"


def said(parser: XTermParser, pieces: list[str]) -> list[str]:
    found: list[Message] = [event for piece in pieces for event in parser.feed(piece)]
    return [
        f"paste {each.text!r}" if isinstance(each, Paste) else each.key
        for each in found
        if isinstance(each, Paste | Key)
    ]


def test_pastes_are_one_event_in_order_with_keys() -> None:
    assert said(PasteParser(), [TYPED]) == [
        "a",
        "up",
        "paste 'op = x\\r\\n\\x1b[Bä\\x1b[201'",
        "paste ''",
        "q",
        "paste '2'",
        "down",
    ]


def test_reads_may_end_anywhere() -> None:
    plain = f"a{START}op = x{END}q{START}2{END}\x1b[B"
    whole = said(PasteParser(), [plain])
    assert said(PasteParser(), list(plain)) == said(XTermParser(), list(plain)) == whole
    for at in range(1, len(plain)):
        assert said(PasteParser(), [plain[:at], plain[at:]]) == whole, at


def test_escape_is_a_key_of_its_own_however_soon_another_follows() -> None:
    typed = "/ab\x1b/op\x1b\rq\x1b\x1b\x1b:x\x1bé\x1b[A\x1bOP\x1bf\x1bbz"
    keys = "slash a b escape slash o p escape enter q escape escape escape colon x escape é"
    expected = f"{keys} up f1 ctrl+right ctrl+left z".split()
    assert said(PasteParser(), [typed]) == said(PasteParser(), list(typed)) == expected


def test_escape_after_which_nothing_came_for_long_is_one() -> None:
    parser = PasteParser()
    assert said(parser, ["\x1b"]) == []
    parser._timeout_time = 0
    assert [event.key for event in parser.tick() if isinstance(event, Key)] == ["escape"]
    assert said(parser, ["q\x1b", "q"]) == ["q", "escape", "q"]


def test_what_is_pasted_is_no_escape() -> None:
    for at in range(1, len(START)):
        assert said(PasteParser(), [START[:at], f"{START[at:]}a\x1b/b{END}", "\x1b/"]) == [
            "paste 'a\\x1b/b'",
            "escape",
            "slash",
        ]


def test_alt_counts_where_it_was_chosen() -> None:
    parser = PasteParser(alt=True)
    assert said(parser, ["\x1bx"]) == []
    parser._timeout_time = 0
    assert [event.key for event in parser.tick() if isinstance(event, Key)] == ["alt+x"]


def test_what_nobody_types_is_a_paste_without_its_sequences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parser = PasteParser()
    now = 1.0
    monkeypatch.setattr("pix_inspect.ui.app.pastes.time.monotonic", lambda: now)
    for piece in ["/", "x" * FLOOD, "y" * FLOOD, "z\r\n"]:
        found = said(parser, [piece])
        assert found == (["slash"] if piece == "/" else [])
        assert not list(parser.tick())
    now += PAUSE
    (paste,) = parser.tick()
    assert isinstance(paste, Paste)
    assert paste.text == "x" * FLOOD + "y" * FLOOD + "z\r\n"
    assert not list(parser.tick())
    assert said(parser, ["x" * FLOOD, "\x1b[A", "q"]) == [f"paste '{'x' * FLOOD}'", "up", "q"]


@pytest.mark.parametrize("odd", ["\x1b[99999999999u", "\x1b[1114112u", "\x1b[:~", "\x1b[;:A"])
def test_a_sequence_that_no_terminal_should_send_is_dropped(odd: str) -> None:
    found = said(PasteParser(), [f"a{odd}b{START}op{END}c"])
    assert (found[0], found[-3:]) == ("a", ["b", "paste 'op'", "c"])


def test_what_is_no_utf_8_ends_nothing(tmp_path: Path) -> None:
    screen = Terminal(*COMMAND, "open", str(RECORDINGS / "lookups.pcapng"), folder=tmp_path)
    try:
        screen.wait_for(b"SetOptions")
        screen.send(b"\x9b\xff\xe4/")
        screen.wait_for(b"for example")
    finally:
        screen.close()


def test_a_megabyte_is_refused_in_words_and_lines_but_one_are_said(tmp_path: Path) -> None:
    screen = Terminal(*COMMAND, "open", str(RECORDINGS / "lookups.pcapng"), folder=tmp_path)
    try:
        screen.wait_for(b"SetOptions")
        screen.send(b"/")
        screen.wait_for(b"for example")
        for _ in range(500):  # from a terminal that does not tell what is pasted
            screen.send(b"x" * 4000)
        screen.wait_for(b"nothing was pasted")
        for piece in [START, *["x" * 1024] * 1024, END]:
            screen.send(piece.encode())
        screen.wait_for(b"1,048,576")
        screen.send(f"{START}op = A\r\nop = B\nop = C{END}".encode())
        screen.wait_for(b"the first of 3")
    finally:
        screen.close()
