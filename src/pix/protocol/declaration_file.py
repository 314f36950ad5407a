"""A file of declarations as text: its tables, held to their keys, and where a mistake stands."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from typing import Any, NoReturn, TypeAlias

from pix.problem import Problem

Place: TypeAlias = "tuple[str | int, ...]"
"""The keys that lead to a value, tables of an array by their number from 1."""

MEANT = {str: "a text", int: "a number", bool: "true or false", list: "an array", dict: "a table"}


class DeclarationError(Problem):
    """A file says what cannot be: where, what is wrong with it, what to do."""


class DeclarationFile:
    """The text of a file; `source` is where it is from, for messages."""

    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.source = source
        self._remarks_blank = re.sub(
            r"^[ \t]*#.*", lambda remark: " " * len(remark[0]), text, flags=re.MULTILINE
        )

    def parsed(self) -> dict[str, Any]:
        """Return what it holds, texts that can be shown. Raises DeclarationError."""
        try:
            found = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            place = re.search(r" \(at line (\d+), column \d+\)$", str(error))
            where = f"{self.source}:{place[1]}" if place else self.source
            raise DeclarationError(f"{where}: is not TOML: {error}") from None
        except (ValueError, RecursionError):  # digits, or brackets, without end
            why = "a number is too long, or nested too deeply"
            raise DeclarationError(f"{self.source}: {why}") from None
        self._check_texts(found, ())
        return found

    def wrong(self, place: Place, what: str) -> NoReturn:
        """Raise the error of a place: a table, its number or name, and keys in it."""
        line = self._line(place)
        words = "".join(f"[{word}]" if type(word) is int else f".{word}" for word in place)
        where = f"{self.source}:{line}" if line else self.source
        raise DeclarationError(f"{where}: {f'{words[1:]}: ' if words else ''}{what}")

    def _line(self, place: Place) -> int | None:
        """Return the line of a place, or of the table that it is in, as far as it is found."""
        text = self._remarks_blank
        at, end, words = 0, len(text), place
        if place[1:]:
            head = rf"^\s*\[\s*{place[0]}\s*\.\s*[\"']?{re.escape(str(place[1]))}\b"
            if place[0] == "operations":
                head = r"^\s*\[\[\s*operations\s*\]\]"
            heads = [each.end() for each in re.finditer(head, text, re.MULTILINE)]
            number = place[1] if isinstance(place[1], int) else 1
            if len(heads) >= number:
                at, end, words = heads[number - 1], [*heads, end][number], place[2:]
        for word in filter(lambda word: isinstance(word, str), words):
            found = re.compile(rf"(?<![\w-]){re.escape(str(word))}(?![\w-])").search(text, at, end)
            at = found.end() if found else at
        return text.count("\n", 0, at) + 1 if at else None

    def _check_texts(self, said: object, place: Place) -> None:
        """Hold that all texts can be shown: a file may come from anywhere, with a recording."""
        if isinstance(said, str) and not said.isprintable():
            self.wrong(place, f"{said!a} holds a character that cannot be shown")
        if isinstance(said, list):
            said = dict(enumerate(said, 1))
        if isinstance(said, dict):
            for key, value in said.items():
                self._check_texts(key, place)
                self._check_texts(value, (*place, key))

    def table(
        self,
        said: object,
        keys: dict[str, Any],
        needed: Iterable[str],
        place: Place,
    ) -> dict[str, Any]:
        """Return a table that has no other keys, and those that it needs."""
        if not isinstance(said, dict):
            self.wrong(place, f"is to be a table with the keys {', '.join(keys)}")
        for key, value in said.items():
            if key not in keys:
                near = difflib.get_close_matches(key, keys, 1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(keys)}"
                self.wrong((*place, key), f"there is no such key; {hint}")
            if keys[key] is not object and type(value) is not keys[key]:
                self.wrong((*place, key), f"is to be {MEANT[keys[key]]}")
        for key in needed:
            if said.get(key, "") == "":
                self.wrong(place, f"the key {key} is missing; add it")
        return said
