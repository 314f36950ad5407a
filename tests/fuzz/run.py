"""Broken input through everything that takes input, until something does not hold.

    python -m tests.fuzz.run [KIND …] [--count 100000] [--seed 1] [--jobs N]
    python -m tests.fuzz.run arguments --again 1:4711            # one input once more
    python -m tests.fuzz.run codec --atheris CORPUS [libFuzzer options]

The first is a loop of our own, in processes, with bounded memory and time for each input; it
needs nothing but the standard library. The second says what is wrong with an input that the first
reported. The third is for fuzzing the codec guided by coverage with atheris
(`pip install '.[fuzz]'`), seeded with the same sessions. Without a KIND all are tried, each with
its share of `--count`. Random keys on the screen: `tests/pix_inspect/ui/test_random_keys.py`.
Exit status: 0 nothing found, 1 something found.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import resource
import sys
import time
import traceback
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.checks import check
from tests.fuzz.patience import Hang, Patience
from tests.fuzz.sessions import corpus, packed, unpacked

KINDS = {"codec": 1.0, "arguments": 0.03, "imports": 0.02, "live_relay": 0.005, "cuts": 0.005}
"""By kind, each a module with `prepare()` and `one(random)`: the share of `--count` it takes."""

MEMORY = 2 << 30
"""Bytes of address space a process may have."""

BATCH = 500


def module(kind: str) -> Any:
    """Return the module that tries inputs of a kind."""
    return importlib.import_module(f"tests.fuzz.{kind}")


def prepare(kind: str) -> None:
    """Set a process up: what it starts from, and its bounds."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    module(kind).prepare()


def batch(task: tuple[str, int, int, int]) -> list[tuple[str, str]]:
    """Try inputs `start` to `stop` of run `seed`; return what was found: which input, and how."""
    kind, seed, start, stop = task
    one = module(kind).one
    patience = Patience()
    found = []
    for index in range(start, stop):
        try:
            with patience.bounded():
                one(Random(f"{seed}:{index}"))
        except (Exception, Hang):
            found.append((f"{seed}:{index}", traceback.format_exc()))
    return found


def loop(kind: str, count: int, seed: int, jobs: int) -> int:
    """Try `count` inputs in `jobs` processes; print what was found; return how much that is."""
    began = time.monotonic()
    size = min(BATCH, max(count // (jobs * 4), 1))
    tasks = [(kind, seed, at, min(at + size, count)) for at in range(0, count, size)]
    kinds: dict[str, list[str]] = {}
    done = findings = 0
    with multiprocessing.get_context("spawn").Pool(jobs, prepare, (kind,)) as pool:
        for found in pool.imap(batch, tasks):
            done = min(done + size, count)
            for name, text in found:
                findings += 1
                where = "\n".join(text.splitlines()[-4:])
                if where not in kinds:
                    print(f"\n{kind} {name}:\n{text}", file=sys.stderr, flush=True)
                kinds.setdefault(where, []).append(name)
            if done % (size * 40) == 0:
                rate = done / (time.monotonic() - began)
                print(f"{kind}: {done}, {findings} findings, {rate:.0f}/s", file=sys.stderr)
    took = time.monotonic() - began
    print(f"{kind}: {done:,} inputs (seed {seed}) in {took:.0f} s: {findings} findings", flush=True)
    for where, names in kinds.items():
        print(f"\n{len(names)} times, such as {kind} --again {names[0]}:\n{where}")
    return findings


def guided(folder: Path, options: list[str]) -> int:
    """Fuzz the codec with atheris, from and into `folder`."""
    import atheris

    folder.mkdir(parents=True, exist_ok=True)
    for i, session in enumerate(corpus()):
        (folder / f"session-{i:04}").write_bytes(packed(session))
    atheris.instrument_all()

    def one(data: bytes) -> None:
        check(unpacked(data), Random(len(data)))

    atheris.Setup([sys.argv[0], *options, str(folder)], one)
    atheris.Fuzz()
    return 0


def main() -> int:
    about = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description="Broken input.")
    about.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    about.add_argument("--count", type=int, default=100_000, help="inputs to try")
    about.add_argument("--seed", type=int, default=1, help="another seed, other inputs")
    about.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    about.add_argument("--again", metavar="SEED:INDEX", help="try one input once more")
    about.add_argument("--atheris", metavar="FOLDER", type=Path, help="fuzz guided by coverage")
    args, options = about.parse_known_args()
    if args.atheris is not None:
        return guided(args.atheris, options)
    unknown = [*options, *(kind for kind in args.kinds if kind not in KINDS)]
    if unknown:
        about.error(f"unknown: {' '.join(unknown)}")
    if args.again:
        tried = module((args.kinds or ["codec"])[0])
        tried.prepare()
        tried.one(Random(args.again), loud=True)
        return 0
    shares = dict.fromkeys(args.kinds, 1.0) or KINDS
    found = [loop(kind, int(args.count * of), args.seed, args.jobs) for kind, of in shares.items()]
    return min(sum(found), 1)


if __name__ == "__main__":
    sys.exit(main())
