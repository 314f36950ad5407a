"""Derivations: reading and writing the ATerm text of a .drv file.

    Derive(OUTPUTS,INPUT DERIVATIONS,INPUT SOURCES,SYSTEM,BUILDER,ARGUMENTS,ENVIRONMENT)

Derivations with dynamic inputs (`DrvWithVersion`) are refused. Source: Nix
`derivations.cc`.
"""

from __future__ import annotations

from typing import Any

from pix.codec.wire import bytes_of, text_of
from pix.dataclass import dataclass, field
from pix.protocol.types import BasicDerivation
from pix.serving import Refusal
from pix_store.store.content_address import Method
from pix_store.store.files import add_text, contents_of
from pix_store.store.hashes import Digest
from pix_store.store.refusal import magenta, not_enabled, quoted
from pix_store.store.store import Store
from pix_store.store.store_paths import name_of

LONGEST = 64 << 20
"""Bytes of a .drv file that are read."""


@dataclass(frozen=True, slots=True)
class Output:
    """One output, as three texts: full path, method and algorithm, digest."""

    path: str = ""
    algorithm: str = ""
    hash: str = ""

    @property
    def floating(self) -> bool:
        """Whether its path follows from what the build makes."""
        return bool(self.algorithm) and not self.hash

    def check(self) -> None:
        """Raise Refusal for a method, a hash or a kind that there is not."""
        if self.hash == "impure":
            raise not_enabled("impure-derivations")
        if self.algorithm:
            method = Method.of_derivation(self.algorithm)
            if self.hash:
                Digest.parse(self.hash, method.algorithm)

    @property
    def deferred(self) -> bool:
        """Whether its path follows from inputs that are not known before they are built."""
        return not (self.path or self.algorithm)


@dataclass(slots=True)
class Derivation:
    """What to run, where, and what it needs. Paths are full paths, as in the text."""

    outputs: dict[str, Output]
    inputs: dict[str, tuple[str, ...]]
    sources: frozenset[str]
    system: str
    builder: str
    args: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)

    @classmethod
    def basic(cls, derivation: BasicDerivation) -> Derivation:
        """Return what came with BuildDerivation."""
        return cls(
            outputs={
                name: Output(output.path or "", output.hash_algo, output.hash)
                for name, output in derivation.outputs.items()
            },
            inputs={},
            sources=derivation.input_srcs,
            system=derivation.platform,
            builder=derivation.builder,
            args=derivation.args,
            env=dict(derivation.env),
        )

    @property
    def content_addressed(self) -> bool:
        """Whether every output's path follows from its contents."""
        return all(output.algorithm for output in self.outputs.values())

    def text(self) -> str:
        """Return the derivation as a .drv file holds it."""
        outputs = [(name, o.path, o.algorithm, o.hash) for name, o in sorted(self.outputs.items())]
        return "Derive({},{},{},{},{},{},{})".format(
            _list("(" + ",".join(map(_plain, output)) + ")" for output in outputs),
            _list(
                f"({_plain(path)},{_list(map(_plain, sorted(names)))})"
                for path, names in sorted(self.inputs.items())
            ),
            _list(map(_plain, sorted(self.sources))),
            _plain(self.system),
            _quoted(self.builder),
            _list(map(_quoted, self.args)),
            _list(f"({_quoted(key)},{_quoted(value)})" for key, value in sorted(self.env.items())),
        )


def derivation_of(store: Store, base: str) -> Derivation:
    """Return a valid derivation of the store. Raises Refusal."""
    info = store.info(base)
    if not base.endswith(".drv"):
        why = magenta(f"store path {quoted(base)} is not a valid derivation path")
        raise Refusal(f"error parsing derivation {quoted(store.paths.full(base))}: {why}")
    if info.nar_size > LONGEST:
        raise Refusal(f"derivation {quoted(store.paths.full(base))} is too large")
    try:
        return parse(text_of(contents_of(store, base)))
    except ValueError as error:
        raise Refusal(
            f"error parsing derivation {quoted(store.paths.full(base))}: {error}"
        ) from None


def write(store: Store, name: str, derivation: Derivation) -> str:
    """Add a derivation to the store; return its path. Raises Refusal."""
    references = {*derivation.sources, *derivation.inputs}
    return add_text(store, name, bytes_of(derivation.text()), references)


def drv_name(base: str) -> str:
    """Return the name of a derivation: that of its file without `.drv`."""
    return name_of(base).removesuffix(".drv")


# writing

_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


def _plain(text: str) -> str:
    return f'"{text}"'


def _list(items: Any) -> str:
    return "[" + ",".join(items) + "]"


# reading


class _Text:
    """The text and a position in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def expect(self, what: str) -> None:
        if not self.text.startswith(what, self.at):
            found = self.text[self.at : self.at + 10]
            raise ValueError(f"expected {what!r} at character {self.at}, found {found!r}")
        self.at += len(what)

    def string(self) -> str:
        self.expect('"')
        parts = []
        start = self.at
        while True:
            quote = self.text.find('"', self.at)
            if quote < 0:
                raise ValueError("a string does not end")
            escape = self.text.find("\\", self.at, quote)
            if escape < 0:
                parts.append(self.text[self.at : quote])
                self.at = quote + 1
                return "".join(parts)
            parts.append(self.text[self.at : escape])
            if escape + 1 >= len(self.text):
                raise ValueError(f"the string at character {start} does not end")
            character = self.text[escape + 1]
            parts.append({"n": "\n", "r": "\r", "t": "\t"}.get(character, character))
            self.at = escape + 2

    def more(self) -> bool:
        """Whether a list goes on: eats `,` or `]`, and `]` at once behind `[`."""
        if self.text.startswith("]", self.at):
            self.at += 1
            return False
        if self.text[self.at - 1] != "[":
            self.expect(",")
        return True

    def strings(self) -> list[str]:
        self.expect("[")
        found = []
        while self.more():
            found.append(self.string())
        return found

    def strings_in(self, count: int) -> tuple[str, ...]:
        self.expect("(")
        found = []
        for i in range(count):
            if i:
                self.expect(",")
            found.append(self.string())
        self.expect(")")
        return tuple(found)


def parse(text: str) -> Derivation:
    """Return the derivation in a .drv file's text. Raises ValueError."""
    at = _Text(text)
    at.expect("Derive(")
    outputs: dict[str, Output] = {}
    at.expect("[")
    while at.more():
        name, path, algorithm, digest = at.strings_in(4)
        outputs[name] = Output(path, algorithm, digest)
    at.expect(",[")
    inputs: dict[str, tuple[str, ...]] = {}
    while at.more():
        at.expect("(")
        path = at.string()
        at.expect(",")
        inputs[path] = tuple(at.strings())
        at.expect(")")
    at.expect(",")
    sources = frozenset(at.strings())
    at.expect(",")
    system = at.string()
    at.expect(",")
    builder = at.string()
    at.expect(",")
    args = tuple(at.strings())
    at.expect(",[")
    env: dict[str, str] = {}
    while at.more():
        key, value = at.strings_in(2)
        env[key] = value
    at.expect(")")
    if at.at != len(text):
        raise ValueError(f"characters behind the end, at {at.at}")
    return Derivation(outputs, inputs, sources, system, builder, args, env)
