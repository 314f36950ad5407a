"""Taking what a builder made into the store, or comparing it with what is there.

Each output is read, its references are searched for, and what its derivation promises is
checked. Outputs whose path follows from their contents get their address here. Source: Nix
`derivation-builder.cc` (registerOutputs).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

from pix.dataclass import dataclass, field
from pix.protocol.types import BuildMode, BuildStatus
from pix.serving import Refusal
from pix_store.build.build_directory import Room
from pix_store.build.outcome import Outcome
from pix_store.connection.client import Caller
from pix_store.derivations.derivation import Derivation, Output, drv_name
from pix_store.derivations.floating import Addressing, settle
from pix_store.store.content_address import ContentAddress, Method, address
from pix_store.store.hashes import Digest
from pix_store.store.path_info import PathInfo
from pix_store.store.references import Search, rewritten
from pix_store.store.refusal import magenta, quoted, shown
from pix_store.store.spool import Spool
from pix_store.store.store_paths import DIGITS, output_name

BLANKS_ONLY = 35
"""From 1.35 on (Nix 2.15; really 2.17) contents that refer to themselves are hashed otherwise."""


class Rejected(Exception):
    """What was made cannot be taken. `whole`: the message is all that is to be said.

    `mismatch`: it is not what the derivation says by hash.
    """

    def __init__(
        self, status: BuildStatus, message: str, *, whole: bool = False, mismatch: bool = False
    ) -> None:
        super().__init__(message)
        self.mismatch = mismatch
        self.status = status
        self.message = message
        self.whole = whole


@dataclass(slots=True)
class Made:
    """An output that was made: its metadata and its NAR, not yet in the store."""

    info: PathInfo
    nar: Spool


@dataclass(slots=True)
class Harvest:
    """The outputs of one build. `outputs` are the base names that the builder was given."""

    caller: Caller
    drv: str
    derivation: Derivation
    room: Room
    outputs: dict[str, str]
    inputs: set[str]
    _exchange: dict[bytes, bytes] = field(default_factory=dict)
    _final: dict[str, str] = field(default_factory=dict)

    def take(self, mode: int) -> Outcome:
        """Take everything in. Raises Rejected, Refusal."""
        with ExitStack() as opened:
            made = [self._made(name, opened) for name in self._in_order()]
            outputs = {name: self._final.get(base, base) for name, base in self.outputs.items()}
            if mode == BuildMode.CHECK:
                return self._compare(made, outputs)
            for one in made:
                self.caller.keep(one.info.base)
                self.caller.store.add(one.info, one.nar, again=mode == BuildMode.REPAIR)
        return Outcome(BuildStatus.BUILT, outputs=outputs)

    def _in_order(self) -> list[str]:
        """Return the outputs' names, those first that others refer to."""
        full = self.caller.store.paths.full
        refers: dict[str, set[str]] = {}
        for name, base in self.outputs.items():
            place = self.room.output(base)
            if not place.is_symlink() and not place.exists():
                why = (
                    f"builder for {quoted(full(self.drv))} failed to produce output path for output"
                    f" {quoted(name)} at {shown(full(base))}"
                )
                raise Rejected(BuildStatus.OUTPUT_REJECTED, why, whole=True)
            refers[name] = set()
            if len(self.outputs) > 1:
                with Spool(Search(self.outputs.values())) as nar:
                    nar.fill(self._read(base))
                    assert nar.search is not None
                    found = nar.search.found - {base}
                refers[name] = {other for other, path in self.outputs.items() if path in found}
        ordered: list[str] = []
        while refers:
            ready = sorted(name for name, others in refers.items() if not others - {*ordered})
            if not ready:
                drv = quoted(full(self.drv))
                raise Refusal(f"cycle detected in build of {drv} in the references of outputs")
            ordered += ready
            for name in ready:
                del refers[name]
        return ordered

    def _read(self, base: str) -> Iterator[bytes]:
        try:
            yield from self.room.nar(base, self._exchange)
        except Refusal as refusal:
            raise Rejected(BuildStatus.OUTPUT_REJECTED, refusal.message) from None

    def _made(self, name: str, opened: ExitStack) -> Made:
        """Read one output, and find out what it is."""
        store = self.caller.store
        base, told = self.outputs[name], self.derivation.outputs[name]
        search = Search(self.inputs | {*self.outputs.values()} | {*self._final.values()})
        nar = opened.enter_context(Spool(search, store.shelf.room()))
        nar.fill(self._read(base))
        references = set(search.found)
        ca: str | None = None
        if told.floating:
            how = Addressing(
                store.paths,
                Method.of_derivation(told.algorithm),
                output_name(drv_name(self.drv), name),
                positions=self.caller.connection.offer.protocol.minor < BLANKS_ONLY,
            )
            final, found, words = settle(how, base, nar, references)
            if words:
                plain = nar.pieces()
                nar = opened.enter_context(Spool(None, store.shelf.room()))
                nar.fill(rewritten(plain, words))
            # what refers to this output is read after it, and has to say what it became
            self._exchange[base[:DIGITS].encode()] = final[:DIGITS].encode()
            self._final[base] = final
            references = {final if one == base else one for one in references}
            base, ca = final, str(found)
        elif told.algorithm:
            ca = self._fixed(told, nar, references)
        info = PathInfo(
            base,
            nar.sha256,
            nar.size,
            frozenset(references),
            self.drv,
            int(time.time()),
            ultimate=True,
            ca=ca,
        )
        return Made(info, nar)

    def _fixed(self, told: Output, nar: Spool, references: set[str]) -> str:
        """Return the content address of a fixed output. Raises Rejected when it is another."""
        method = Method.of_derivation(told.algorithm)
        wanted = Digest.parse(told.hash, method.algorithm)
        found = address(method, nar)
        if found.digest != wanted:
            raise Rejected(
                BuildStatus.OUTPUT_REJECTED,
                f"hash mismatch in fixed-output derivation"
                f" {quoted(self.caller.store.paths.full(self.drv))}:\n"
                f"  specified: {magenta(wanted.sri)}\n     got:    {magenta(found.digest.sri)}",
                whole=True,
                mismatch=True,
            )
        if references:
            why = "a fixed output is not allowed to refer to other store paths"
            raise Rejected(BuildStatus.OUTPUT_REJECTED, why)
        return str(ContentAddress(method, wanted))

    def _compare(self, made: list[Made], outputs: dict[str, str]) -> Outcome:
        full = self.caller.store.paths.full
        for one in made:
            there = self.caller.store.known(one.info.base)
            if there is None or there.nar_hash != one.info.nar_hash:
                raise Rejected(
                    BuildStatus.NOT_DETERMINISTIC,
                    f"derivation {quoted(full(self.drv))} may not be deterministic: output"
                    f" {shown(full(one.info.base))} differs",
                    whole=True,
                )
        return Outcome(BuildStatus.BUILT, outputs=outputs)
