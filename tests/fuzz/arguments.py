"""Random argument lines: what people and scripts may type, and worse."""

from __future__ import annotations

import shutil
from random import Random

from tests.fuzz.command_line import placed, said
from tests.support.places import RECORDINGS

NAMES = ("lookups", "build-failure", "copy")

LINES = [
    "dump R", "check R E", "check R E E", "analyse R", "diff R R", "diff R N R N", "diff R N N",
    "explain W", "explain W W", "explain --in R N", "excerpt R S", "payload R", "payload R P",
    "payload R P -o O", "payload R P --unpack -o O", "decode T R", "decode T O", "encode T O",
    "import O -o O", "import --client O --daemon R -o O", "import R -o O", "status R", "status W",
    "list", "stop W", "attach W", "open R", "tour W", "send L", "send L L", "replay client R",
    "record --listen O", "watch --listen O", "run -- W", "help W", "settings", "settings --keys",
    "W", "W R", "R", "",
]  # fmt: skip
OPTIONS = [
    "--json", "--format X", "--filter F", "--exchange S", "--from N", "--to N", "--all", "--redact",
    "--oneline", "--least X", "--ignore W", "--thorough", "--at-rtt Q", "--rate Q", "--limit N",
    "--everything", "--version V", "--features W", "--count N", "--bytes N", "--no-redact",
    "--no-example", "--payload Q", "--max-size Q", "--keep N", "--delay Q", "--jitter Q",
    "--mode N", "--allow-user W", "--upstream O", "--upstream-command W", "--timeout Q", "--yes",
    "--silence Q", "--no-settings", "--detach", "--theme W", "--connection N", "--fast",
    "--text", "--now",
    "--check E", "--events O", "--force", "-o O", "--quiet", "-h", "--", "-", "--W", "-W",
]  # fmt: skip
LONG, DEEP = "9" * 400, 3000
ODD = [
    "²", "٣", LONG, f"-{LONG}", "1e400", "1e-400", "0x10", "-1", "0", "nan", "inf", "", " ",
    "\udc80", "\u202e", "\x1b[2J", "☃", "a" * 5000, "[" * DEEP, "(" * DEEP, "-" * DEEP,
    "not " * DEEP, "{" * DEEP, '"', "'", "\\", "/", "//", "..", ".", "=", "%s", "%(prog)s",
    "{0}", "$HOME", "~", "1.", "1..", "..1", "1..2..3", "1-2", f"1..{LONG}", "9" * 20,
    str(1 << 63), str(1 << 64),
]  # fmt: skip
BY_LETTER = {
    "N": ["1", "2", "3", "99", "0", "all"],
    "S": ["1", "2..3", "..2", "3..", "2-3"],
    "P": ["1", "3", "3:x", "3:bin/hello", "4:"],
    "Q": ["5", "5s", "10ms", "64K", "64", "full", "none", "1.5M", "0"],
    "V": ["1.38", "1.21", "1.10", "1.99", "2.0"],
    "X": ["text", "json", "pcapng", "xml", "error", "note"],
    "T": ["U64", "List<StorePath>", "Map<Text, Text>", "BuildResult", "QueryPathInfo.reply",
          "Set<" * 50, "List<" * 500, "STDERR_ERROR", "Maybe<U64>"],
    "W": ["QueryPathInfo", "BuildResult.cpu_user", "1.21", "padding", "build", "dump", "nix",
          "0660", "downgrade", "explain", "/etc", "x" * 300],
    "F": ["op = QueryPathInfo", "took > 5ms", "took > 5", "error", "request.path ~ glibc",
          "request.path ~ /(a+)+$/", "op ~ /a{99999999999999999999}/", "op ~ /(?a)(?u)x/",
          f"op = {LONG}", "request.mode = Nrmal", "finding = warning", "bytes > 1e400", "time < ²",
          "((error)", "not", "a and", "= 3", "log ~ \"x", "request.mode = 1"],
    "E": ["no error", "count(op = QueryPathInfo) < 100", "p95(took) < 50ms", f"count(x) < {LONG}",
          "p101(took) < 1s", "sum(bytes) = ²", "p95(took, op = X) < 2s", "any", "no",
          "max(up) < 1e999M", "count(" * 200],
    "L": ['IsValidPath(path="/nix/store/x")', "FindRoots()", "1", "1 + 1", "9" * 5000, "9**9**9",
          "a.b.c", "[" * DEEP, "help()", "raw(1)", 'nar("nothing")', "lambda: 1", "x = 1",
          "-" * DEEP, 'CollectGarbage(action="DeleteDead")', "f'{1}'", "1 if 2 else 3", '"\\ud800"',
          "1 << 99999999"],
}  # fmt: skip


def prepare() -> None:
    folder = placed()
    for name in NAMES:
        shutil.copy(RECORDINGS / f"{name}.pcapng", folder)
    (folder / "empty").write_bytes(b"")
    (folder / "zeros").write_bytes(bytes(5000))
    (folder / "folder").mkdir()


BY_LETTER["R"] = [f"{name}.pcapng" for name in NAMES]
BY_LETTER["O"] = [
    "out",
    "out.pcapng",
    "empty",
    "zeros",
    "folder",
    "none/x",
    "-",
    "x.gz",
    *BY_LETTER["R"],
]


def one(random: Random, *, loud: bool = False) -> None:
    """Try a line."""
    words = random.choice(LINES).split()
    for _ in range(random.choice((0, 0, 1, 1, 2, 3))):
        option = random.choice(OPTIONS).split()
        at = random.randrange(len(words) + 1)
        words[at:at] = option
    line = [_meant(word, random) for word in words]
    if loud:
        print(line)
    said(line)


def _meant(word: str, random: Random) -> str:
    """Return what a letter stands for, now and then something else."""
    letter = word[-1]
    if letter not in BY_LETTER or word.strip("-") != letter:
        return word
    chosen = random.choice(ODD if random.random() < 0.25 else BY_LETTER[letter])
    if random.random() < 0.1 and chosen:
        at = random.randrange(len(chosen))
        chosen = chosen[:at] + random.choice(ODD)[:50] + chosen[at + random.choice((0, 1)) :]
    return word[:-1] + chosen
