"""What strangers write is a value or a ValueError, nothing else."""

from __future__ import annotations

import contextlib
import os
import random
from pathlib import Path

import pytest

from pix.untrusted import file_bytes, natural, parse_json


def test_numbers() -> None:
    for text, number in [
        ("0", 0), ("12", 12), ("007", 7), ("9" * 20, int("9" * 20)), ("9" * 21, None), ("", None),
        ("-1", None), ("+1", None), ("1_0", None), (" 1", None), ("²", None), ("١", None),
    ]:  # fmt: skip
        assert natural(text) == number, text


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, '{"a":' * 50_000, "9" * 5000, "nul", b"\xff\xfe{", b"\x80"]
)
def test_what_is_not_json_is_one_line(text: str | bytes) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (any)
        parse_json(text)
    assert "\n" not in str(caught.value)


def test_any_bytes() -> None:
    dice = random.Random(3)
    for _ in range(2000):
        data = bytes(dice.choices(b'[]{}":,0123456789.eE-+\\u\x80 tf', k=dice.randrange(40)))
        with contextlib.suppress(ValueError):
            parse_json(data)


def test_a_file_is_read_whole_and_nothing_else_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3_000_000)
    assert file_bytes(path, 3_000_000) == b"x" * 3_000_000
    with pytest.raises(OSError, match="longer than 2,999,999 bytes"):
        file_bytes(path, 2_999_999)
    os.mkfifo(tmp_path / "pipe")
    for other, why in [("pipe", "not a file"), (".", "Is a dir"), ("/dev/zero", "not a file")]:
        with pytest.raises(OSError, match=why):
            file_bytes(tmp_path / other, 1)
