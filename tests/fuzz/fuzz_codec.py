"""Mutated sessions through the codec, until something does not hold.

    python -m tests.fuzz.fuzz_codec --count 1000000 [--seed 1] [--jobs N]
    python -m tests.fuzz.fuzz_codec --again 1:4711            # one input once more
    python -m tests.fuzz.fuzz_codec --cuts --count 5000       # exchanges and findings, in any cut
    python -m tests.fuzz.fuzz_codec --atheris CORPUS [libFuzzer options]

The first is a loop of our own over mutated recordings of real sessions, in processes, with
bounded memory and time for each input; it needs nothing but the standard library. The
second says what is wrong with an input that the first reported. The third is for coverage
guided fuzzing with atheris (`pip install '.[fuzz]'`), seeded with the same sessions.
Exit status: 0 nothing found, 1 something found.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import FrameType

from tests.fuzz.checks import check
from tests.fuzz.cuts import check_cuts
from tests.fuzz.sessions import Session, corpus, mutated, packed, unpacked

SECONDS = 20
"""An input that takes longer hangs; the usual one takes a millisecond."""

MEMORY = 2 << 30
"""Bytes of address space a process may have."""

BATCH = 500


class Hang(BaseException):
    """An input took too long."""


def hang(signum: int, frame: FrameType | None) -> None:
    raise Hang


def broken(sessions: list[Session], seed: int, index: int) -> tuple[Session, Random]:
    """Return input `index` of run `seed`, and the randomness it is fed with."""
    random = Random(f"{seed}:{index}")
    return mutated(random.choice(sessions), sessions, random), random


SESSIONS: list[Session] = []
CHECKS: dict[bool, Callable[[Session, Random], object]] = {False: check, True: check_cuts}
"""What is held of each input: by whether only how it is cut matters."""


def prepare() -> None:
    """Set a process up: what it starts from, and its bounds."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, hang)
    SESSIONS.extend(corpus())


def batch(task: tuple[int, int, int, bool]) -> list[tuple[str, str]]:
    """Try inputs `start` to `stop` of run `seed`; return what was found: which input, and how."""
    seed, start, stop, cuts = task
    found = []
    for index in range(start, stop):
        session, random = broken(SESSIONS, seed, index)
        signal.alarm(SECONDS)
        try:
            CHECKS[cuts](session, random)
        except (Exception, Hang):
            found.append((f"{seed}:{index}", traceback.format_exc()))
        finally:
            signal.alarm(0)
    return found


def loop(count: int, seed: int, jobs: int, *, cuts: bool) -> int:
    """Try `count` inputs in `jobs` processes; print what was found."""
    began = time.monotonic()
    tasks = [(seed, at, min(at + BATCH, count), cuts) for at in range(0, count, BATCH)]
    kinds: dict[str, list[str]] = {}
    done = findings = 0
    with multiprocessing.get_context("spawn").Pool(jobs, prepare) as pool:
        for found in pool.imap(batch, tasks):
            done = min(done + BATCH, count)
            for name, text in found:
                findings += 1
                kind = "\n".join(text.splitlines()[-4:])
                if kind not in kinds:
                    print(f"\ninput {name}:\n{text}", file=sys.stderr, flush=True)
                kinds.setdefault(kind, []).append(name)
            if done % (BATCH * 40) == 0:
                rate = done / (time.monotonic() - began)
                print(f"{done} inputs, {findings} findings, {rate:.0f}/s", file=sys.stderr)
    took = time.monotonic() - began
    print(f"{done} mutated inputs (seed {seed}) in {took:.0f} s: {findings} findings")
    for kind, names in kinds.items():
        print(f"\n{len(names)} times, such as --again {names[0]}:\n{kind}")
    return 1 if findings else 0


def again(name: str, *, cuts: bool) -> int:
    """Try one input once more, and let it raise."""
    seed, _, index = name.partition(":")
    session, random = broken(corpus(), int(seed), int(index))
    for side, data in session:
        print("<<" if side else ">>", data.hex(" ", 8))
    CHECKS[cuts](session, random)
    return 0


def guided(folder: Path, options: list[str]) -> int:
    """Fuzz with atheris, from and into `folder`."""
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
    about = argparse.ArgumentParser(description="Mutated sessions through the codec.")
    about.add_argument("--count", type=int, default=100_000, help="inputs to try")
    about.add_argument("--seed", type=int, default=1, help="another seed, other inputs")
    about.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    about.add_argument("--cuts", action="store_true", help="in several cuts: the same is told")
    about.add_argument("--again", metavar="SEED:INDEX", help="try one input once more")
    about.add_argument("--atheris", metavar="FOLDER", type=Path, help="fuzz guided by coverage")
    args, options = about.parse_known_args()
    if args.atheris is not None:
        return guided(args.atheris, options)
    if options:
        about.error(f"unknown: {' '.join(options)}")
    if args.again:
        return again(args.again, cuts=args.cuts)
    return loop(args.count, args.seed, args.jobs, cuts=args.cuts)


if __name__ == "__main__":
    sys.exit(main())
