"""Broken files of our own and of other recorders: logs of strace and socat, .nixwire files."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from random import Random
from struct import pack, unpack_from

from tests.fuzz.command_line import placed, said
from tests.fuzz.sessions import Session, corpus, mutated
from tests.support.places import RECORDINGS

SESSIONS: list[Session] = []
FILES: list[bytes] = []
SMALL = 40 << 10

PIECES = [
    b"\n", b" <unfinished ...>\n", b"<... read resumed>", b'"...', b"\\x", b" = -1 EAGAIN",
    b"[pid 7] ", b"7<nix> ", b"12:00:00 ", b"1700000000.5 ", b"0.000001 ", b"[   1] ",
    b"clone() = 9\n", b"close(3) = 0\n",
    b"shutdown(3, SHUT_WR) = 0\n", b"= 99999999999999999999", b"read(3, ", b"iov_base=", b"(" * 999,
    b"<" * 999, b"\xff\xfe", b"\0", b"9" * 500,
]  # fmt: skip
"""What strace's lines are made of, and what they are not."""


def prepare() -> None:
    placed()
    SESSIONS.extend(corpus())
    paths = sorted(RECORDINGS.glob("*.pcapng"))
    FILES.extend(path.read_bytes() for path in paths if path.stat().st_size < SMALL)


def one(random: Random, *, loud: bool = False) -> None:
    """Try a file: whatever is in it, an import makes a recording that is read, or says why not."""
    kinds: list[Callable[[Random], bytes]] = [strace, socat, nixwire, recording]
    make = random.choice(kinds)
    data = make(random)
    if random.random() < 0.05:
        packs: list[Callable[[bytes], bytes]] = [gzip.compress, lzma.compress]
        data = random.choice(packs)(data)
        data = data[: random.choice((len(data), random.randrange(len(data) + 1)))]
    if loud:
        print(make.__name__, data[:2000])
    path, made = Path(f"in{random.choice(('', '.7', '.xz'))}"), Path("made.pcapng")
    path.write_bytes(data)
    made.unlink(missing_ok=True)
    if make is not recording:
        said(["import", str(path), "-o", str(made)])
        path.unlink()
        path = made
    if path.exists():
        said([*random.choice((["dump"], ["dump", "--json"], ["check"], ["analyse"])), str(path)])


def strace(random: Random) -> bytes:
    """Return a log of a session, and then a few things wrong in it."""
    session = mutated(random.choice(SESSIONS), SESSIONS, random)
    of_client = random.random() < 0.7
    lines = []
    for i, (side, data) in enumerate(session):
        call = b"write" if (side == 0) == of_client else b"read"
        at = random.choice(
            (b"", b"7 ", b"[pid 7<nix>] ", b"7<nix> 1700000000.%d [ 1] [00007fe2] " % i)
        )
        text = "".join(f"\\x{byte:02x}" for byte in data[:3000]).encode()
        lines.append(b'%s%s(3, "%s", %d) = %d\n' % (at, call, text, len(data), len(data)))
    return damaged(b"".join(lines), random, PIECES)


def socat(random: Random) -> bytes:
    """Return what socat -x writes of a few sessions, often at once, and then a few things wrong."""
    marks = random.choice((b"><", b"<>"))
    blocks: list[bytes] = []
    for _ in range(random.choice((1, 1, 2, 3))):
        said = [0, 0]
        at = random.choice((len(blocks), 0))
        for side, data in mutated(random.choice(SESSIONS), SESSIONS, random):
            clock = b"%04d/12/01 05:09:%02d.%d" % (
                random.choice((2026, 2026, 1, 9999)), at % 61, at
            )  # fmt: skip
            end = said[side] + len(data)
            head = b"%c %b  length=%d from=%d to=%d" % (
                marks[side], clock, len(data), said[side], end - 1
            )  # fmt: skip
            row = "".join(f" {byte:02x}" for byte in data).encode()
            blocks.insert(at, b"%b\n%b\n" % (head, row + random.choice((b"", b"  text"))))
            at, said[side] = min(at + random.choice((1, 2)), len(blocks)), end
    pieces = [b"\n", b"> ", b"< ", b" 6", b"  ", b" from=0 ", b"9" * 40, b"\xff", b" 00" * 99]
    return damaged(b"".join(blocks), random, pieces)


def nixwire(random: Random) -> bytes:
    """Return a .nixwire file, most often broken."""
    session = mutated(random.choice(SESSIONS), SESSIONS, random)
    out = pack("<8sHHQI", b"NIXWREC\0", 1, 0, random.choice((0, 10**18, (1 << 64) - 1)), 0)
    for i, (side, data) in enumerate(session):
        out += pack("<QBI", i * random.choice((1, 10**9, 1 << 50)), side, len(data)) + data
    return damaged(out, random, [b"\xff" * 8, bytes(8), b"cxin", b"\x7f"])


def recording(random: Random) -> bytes:
    """Return a recording with blocks left out, doubled or in another order, and broken bytes."""
    blocks, at, data = [], 0, random.choice(FILES)
    while at < len(data):
        (length,) = unpack_from("<I", data, at + 4)
        blocks.append(data[at : at + length])
        at += length
    for _ in range(random.choice((0, 1, 1, 3))):
        i, j = sorted((random.randrange(len(blocks) + 1), random.randrange(len(blocks) + 1)))
        chosen = blocks[i:j]
        blocks[i:j] = random.choice(([], chosen * 2, chosen[::-1]))
        blocks = blocks or [b""]
    return damaged(b"".join(blocks), random, [b"\xff" * 4, bytes(4), b"{", b'"', b"\6\0\0\0"])


def damaged(data: bytes, random: Random, pieces: list[bytes]) -> bytes:
    """Return data with a few bytes flipped, cut out, doubled, or pieces put in."""
    broken = bytearray(data)
    for _ in range(random.choice((0, 1, 1, 2, 5))):
        at = random.randrange(len(broken) + 1)
        match random.randrange(5):
            case 0 if broken:
                broken[at % len(broken)] ^= 1 << random.randrange(8)
            case 1:
                del broken[at : at + random.choice((1, 4, 60, 1 << 20))]
            case 2:
                broken[at:at] = broken[at : at + random.choice((4, 60, 2000))]
            case _:
                broken[at:at] = random.choice(pieces)
    return bytes(broken)
