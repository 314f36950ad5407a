"""Values of the REPL as lines for people: inert, one after the other as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pix.protocol.logging import ResultType
from pix_inspect.base.safe_text import inert, inert_lines
from pix_inspect.base.safe_text import plain as colourless
from pix_inspect.base.units import count, duration, size
from pix_inspect.repl.functions import Function
from pix_inspect.repl.raw_connection import Heard
from pix_inspect.repl.values import Answer, Saved, plain
from pix_inspect.teach.entries import Entry
from pix_inspect.teach.entry_text import WIDTH
from pix_inspect.teach.entry_text import text as entry_text

LONGEST_TEXT = 2000
DEEPEST = 40
MOST_LOG_LINES = 20
MOST_BYTES = 256


def shown(value: Any, room: int = WIDTH, depth: int = 0) -> Iterator[str]:
    """Yield a value as lines, inert; prose in `room` columns, `depth` lists around it."""
    if isinstance(value, Entry):
        yield from map(inert, entry_text(value, min(room, WIDTH)))
    elif isinstance(value, Function):
        yield inert(value.signature)
        yield f"  {inert(value.doc)}"
    elif isinstance(value, Saved):
        yield f"{size(value.size)} written to {inert(value.path)}"
    elif isinstance(value, Answer):
        yield from _answer(value)
    elif isinstance(value, Heard):
        yield from _heard(value)
    elif isinstance(value, str):
        yield inert(value, LONGEST_TEXT)
    elif isinstance(value, (list, tuple)) and depth < 3:
        yield from _elements(value, room, depth)
    else:
        yield from _lines(plain(value), "", 0)


def _elements(values: list[Any] | tuple[Any, ...], room: int, depth: int) -> Iterator[str]:
    yield count(len(values), "element")
    for i, value in enumerate(values):
        lines = shown(value, room, depth + 1)
        yield f"  [{i}] {next(lines, '')}"
        for line in lines:
            yield f"      {line}"


def _answer(answer: Answer) -> Iterator[str]:
    took = duration(int(answer.took * 1e9))
    what = "the daemon refused" if answer.error is not None else "done"
    log = f", {count(len(answer.log), 'log frame')}" if answer.log else ""
    yield f"{answer.operation}: {what}, {took}{log}"
    if answer.note:
        yield f"  ({answer.note})"
    yield from _log(answer.log)
    if answer.error is not None:
        for line in colourless(answer.error.message).splitlines():
            yield f"  {inert(line, LONGEST_TEXT)}"
        for trace in answer.error.traces:
            yield f"  … {inert(colourless(trace.hint), LONGEST_TEXT)}"
        return
    yield from _lines(plain(answer.reply, answer.protocol), "", 1)


def _log(frames: list[Any]) -> Iterator[str]:
    """Yield what the daemon said while it worked, the last lines of it."""
    said = [line for frame in frames for line in _said(frame)]
    if len(said) > MOST_LOG_LINES:
        yield f"  │ … {len(said) - MOST_LOG_LINES:,} lines before"
    for line in said[-MOST_LOG_LINES:]:
        yield f"  │ {line}"


def _said(frame: Any) -> list[str]:
    text = getattr(frame, "text", None)
    if text is None and getattr(frame, "type", None) == ResultType.BUILD_LOG_LINE:
        text = next((value for value in frame.fields if isinstance(value, str)), None)
    return [line[:LONGEST_TEXT] for line in inert_lines(text) if line] if text else []


def _heard(heard: Heard) -> Iterator[str]:
    refused = f" ({size(heard.refused)} not taken)" if heard.refused else ""
    end = "the daemon closed the connection" if heard.closed else "the connection is open"
    yield f"sent {size(heard.sent)}{refused}, heard {size(heard.heard)}, {end}"
    for line in heard.exchanges:
        yield f"  {inert(colourless(line), LONGEST_TEXT)}"
    for i in range(0, min(len(heard.data), MOST_BYTES), 16):
        row = heard.data[i : i + 16]
        letters = "".join(chr(each) if 32 <= each < 127 else "·" for each in row)
        yield f"  {i:06x}  {row.hex(' ', 1):47}  {letters}"
    if len(heard.data) > MOST_BYTES:
        yield f"  … {len(heard.data) - MOST_BYTES:,} bytes more"


def _lines(value: Any, label: str, depth: int) -> Iterator[str]:
    pad = "  " * depth
    head = f"{label}: " if label else ""
    if depth > DEEPEST:
        yield f"{pad}{head}…"
    elif isinstance(value, dict):
        if set(value) == {"bytes", "hex"}:
            yield f"{pad}{head}{size(value['bytes'])}  {value['hex'][:64]}"
            return
        if label:
            yield f"{pad}{label}" + ("" if value else ": nothing")
        for key, inner in value.items():
            yield from _lines(inner, inert(str(key), 200), depth + bool(label))
    elif isinstance(value, list):
        yield f"{pad}{head}{count(len(value), 'element')}"
        for inner in value:
            yield from _lines(inner, "", depth + 1)
    elif isinstance(value, bool) or value is None:
        yield f"{pad}{head}{'none' if value is None else str(value).lower()}"
    elif isinstance(value, str):
        yield f"{pad}{head}{inert(value, LONGEST_TEXT)}"
    else:
        yield f"{pad}{head}{value}"
