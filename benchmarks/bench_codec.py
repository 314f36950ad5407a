"""What finding, decoding, reading and writing a message costs, beside `construct`.

Prints, for the replies of QueryPathInfo (1.38, 5 references, a signature) and BuildDerivation
(1.37, one output): µs per message of `construct` interpreted, and how many times faster are
- scan: finding the ends of the messages in a stream of 32 KiB chunks, as on live bytes;
- tree: values with their spans, simple fields made when somebody looks at them;
- seen: the same, and every node of it looked at;
- read and write: objects, as a client or daemon uses them.
Then, for one reply of QueryAllValidPaths scanned in 4 KiB chunks, µs per path for 10,000,
100,000 and 1,000,000 paths: the same for all three where cost is linear.

Medians of runs taken in turns; only the ratios mean something.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import construct as c

from pix.codec.cursor import Cursor, leap, scan
from pix.codec.declare import wire_of
from pix.codec.gates import Protocol
from pix.codec.records import Record
from pix.codec.values import encode
from pix.codec.wire import Node, Reader, Wire
from pix.protocol.operations import BuildDerivation, QueryAllValidPaths, QueryPathInfo
from pix.protocol.types import BuildResult, BuildStatus, UnkeyedValidPathInfo

MESSAGES = 2000
CHUNK = 32 << 10
RUNS = 7

PATHS = [f"/nix/store/{i:032}-some-package-name-1.2.{i}" for i in range(5)]
HASH = "15e3c560894cbb27085cf65b5a2ecb18488c999497f4531b6907a7581ce6d527"
JSON = (
    f'{{"dependentRealisations":{{}},"id":"sha256:{HASH}!out",'
    f'"outPath":"{PATHS[0][11:]}","signatures":[]}}'
)

TEXT = c.Aligned(8, c.PascalString(c.Int64ul, "utf8"))
TEXTS = c.PrefixedArray(c.Int64ul, TEXT)
MICROSECONDS = c.Struct("tag" / c.Int64ul, "value" / c.If(c.this.tag == 1, c.Int64ul))

PATH_INFO = c.Struct(
    "valid" / c.Int64ul,
    "info"
    / c.If(
        c.this.valid != 0,
        c.Struct(
            "deriver" / TEXT,
            "nar_hash" / TEXT,
            "references" / TEXTS,
            "registration_time" / c.Int64ul,
            "nar_size" / c.Int64ul,
            "ultimate" / c.Int64ul,
            "sigs" / TEXTS,
            "ca" / TEXT,
        ),
    ),
)
BUILD_RESULT = c.Struct(
    "status" / c.Enum(c.Int64ul, **{status.label: status.value for status in BuildStatus}),
    "error_msg" / TEXT,
    "times_built" / c.Int64ul,
    "is_non_deterministic" / c.Int64ul,
    "start_time" / c.Int64ul,
    "stop_time" / c.Int64ul,
    "cpu_user" / MICROSECONDS,
    "cpu_system" / MICROSECONDS,
    "built_outputs" / c.PrefixedArray(c.Int64ul, c.Struct("id" / TEXT, "realisation" / TEXT)),
)

CASES: dict[str, tuple[Any, Any, Protocol]] = {
    "QueryPathInfo": (
        PATH_INFO,
        QueryPathInfo.Reply(
            info=UnkeyedValidPathInfo(
                deriver=PATHS[0] + ".drv",
                nar_hash=HASH,
                references=frozenset(PATHS),
                registration_time=1_700_000_000,
                nar_size=226_560,
                sigs=frozenset({"cache.example.org-1:" + "A" * 86 + "=="}),
            )
        ),
        Protocol(38),
    ),
    "BuildResult": (
        BUILD_RESULT,
        BuildDerivation.Reply(
            result=BuildResult(
                status=BuildStatus.BUILT,
                times_built=1,
                start_time=1_700_000_000,
                stop_time=1_700_000_060,
                cpu_user=1_500_000,
                cpu_system=200_000,
                built_outputs={f"sha256:{HASH}!out": JSON},
            )
        ),
        Protocol(37),
    ),
}


def scan_all(wire: Wire, data: bytes, protocol: Protocol, chunk: int, messages: int) -> None:
    """Find the ends of so many messages, fed in chunks."""
    program = wire.program(protocol)
    cursor = Cursor()

    def scanner() -> Any:
        for _ in range(messages):
            if not leap(cursor, program):  # as the conversation does
                yield from scan(cursor, program)

    running = scanner()
    for start in range(0, len(data), chunk):
        cursor.feed(data[start : start + chunk])
        if next(running, "over") == "over":
            break
        cursor.settle()
    assert cursor.offset == len(data)


def look(nodes: Iterable[Node]) -> None:
    """Look at every node."""
    for node in nodes:
        if node.children:
            look(node.children)


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def case(name: str) -> None:
    """Print one line of the table."""
    peer, value, protocol = CASES[name]
    wire = wire_of(type(value))
    assert isinstance(wire, Record)
    message = encode(wire, value, protocol)
    assert peer.build(peer.parse(message)) == message
    data = message * MESSAGES

    def tree() -> None:
        reader = Reader(data, protocol)
        for _ in range(MESSAGES):
            out: list[Node] = []
            wire.tree(reader, name, out)

    def seen() -> None:
        reader = Reader(data, protocol)
        for _ in range(MESSAGES):
            out: list[Node] = []
            wire.tree(reader, name, out)
            look(out)

    def read() -> None:
        reader = Reader(data, protocol)
        for _ in range(MESSAGES):
            wire.read(reader)

    def write() -> None:
        for _ in range(MESSAGES):
            encode(wire, value, protocol)

    parsed = peer.parse(message)
    few = MESSAGES // 10
    work: dict[str, tuple[Callable[[], object], int]] = {
        "parse": (lambda: [peer.parse(message) for _ in range(few)], few),
        "build": (lambda: [peer.build(parsed) for _ in range(few)], few),
        "scan": (lambda: scan_all(wire, data, protocol, CHUNK, MESSAGES), MESSAGES),
        "tree": (tree, MESSAGES),
        "seen": (seen, MESSAGES),
        "read": (read, MESSAGES),
        "write": (write, MESSAGES),
    }
    seconds: dict[str, list[float]] = {key: [] for key in work}
    for _ in range(RUNS):
        for key, (run, count) in work.items():
            seconds[key].append(timed(run) / count)
    each = {key: statistics.median(values) for key, values in seconds.items()}
    ratios = [each["parse"] / each[key] for key in ("scan", "tree", "seen", "read")]
    print(
        f"{name:14} {len(message):5} B  {each['parse'] * 1e6:6.1f} {each['build'] * 1e6:6.1f} µs  "
        + " ".join(f"{ratio:5.1f}x" for ratio in ratios)
        + f" {each['build'] / each['write']:5.1f}x"
    )


def linear() -> None:
    """Print what a path costs in replies of growing size."""
    wire = wire_of(QueryAllValidPaths.Reply)
    costs = []
    for count in (10_000, 100_000, 1_000_000):
        paths = [f"/nix/store/{i:032}-package-{i}" for i in range(count)]
        data = encode(wire, QueryAllValidPaths.Reply(paths=paths), Protocol(38))  # type: ignore[arg-type]  # a list is written as it is
        took = min(timed(partial(scan_all, wire, data, Protocol(38), 4096, 1)) for _ in range(3))
        costs.append(took / count)
        print(f"QueryAllValidPaths {count:9,} paths  {took / count * 1e6:.3f} µs a path")
    print(f"1,000,000 paths cost {costs[2] / costs[0]:.2f}x as much a path as 10,000")


def main() -> None:
    """Print the table."""
    print("construct's parse and build; then as many times faster: scan, tree, seen, read, write")
    for name in CASES:
        case(name)
    linear()


if __name__ == "__main__":
    main()
