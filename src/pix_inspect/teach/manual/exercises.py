"""Exercises: something to find in a recording; the answer is taken from it when pages are made.

An answer is a text with names in braces: {count} and {numbers} of the exchanges that pass a
filter, {values} and {distinct} of a field in them, {frames} and {payload} of the first one.
"""

from __future__ import annotations

from pix.problem import Problem
from pix_inspect.base.safe_text import inert, plain
from pix_inspect.base.units import size
from pix_inspect.filter.compiled import compile_filter, values_of
from pix_inspect.session.session import Session
from pix_inspect.teach.manual.blocks import (
    Chapter,
    Code,
    Exercise,
    Heading,
    Prose,
    Question,
)

LONGEST = 160
MOST = 6
"""Values that are named."""


FOUND = (
    Exercise(
        "queries",
        "Which release answers on connection 1, and does it trust its client?",
        "kind = handshake and conn = 1",
        "reply.daemon_nix_version",
        "{values}: a field of the daemon's part of the handshake, since 1.33. The word behind it, "
        "1, says that the client is trusted.",
    ),
    Exercise(
        "old-client",
        "The daemon is Nix 2.34.8. Which word says so?",
        "kind = handshake",
        "reply.version",
        "None. The daemon offers {values} (1.38), the client 277 (1.21), and 1.21 is in force. The "
        "release is on the wire from 1.33 on only.",
    ),
    Exercise(
        "queries",
        "How often was QueryPathInfo asked, and about how many different paths?",
        "op = QueryPathInfo",
        "request.path",
        "{count} times, about {distinct} paths. Each command has a connection of its own and "
        "remembers nothing of the one before; `T` shows what was asked again.",
    ),
    Exercise(
        "lookups",
        "Somebody looks for a path by its hash and does not find it. Which bytes say so?",
        "op = QueryPathFromHashPart and reply.path = none",
        "request.hash_part",
        "In {numbers}, the last eight bytes, all of them 0: the length of an empty string, and "
        "nothing behind it. What was looked for was {values}.",
    ),
    Exercise(
        "add-tree",
        "By which method is the folder added, and how long is its NAR?",
        "op = AddToStore",
        "request.method",
        "{values}: as a NAR (`r`), with SHA-256. Its {payload} come in frames; their lengths are "
        "not part of it.",
    ),
    Exercise(
        "import-over-1-21",
        "How many paths are imported, and how does each of their NARs reach the daemon?",
        "op = AddToStoreNar",
        "request.path",
        "{count}: {values}. At 1.21 the daemon pulls them: it sends STDERR_READ, and the client "
        "answers with a string.",
    ),
    Exercise(
        "build-failure",
        "What does the daemon reply to BuildPaths?",
        "op = BuildPaths",
        "error.message",
        "Nothing: {numbers} ends in STDERR_ERROR, with the message “{values}”. Its log has "
        "{frames} frames before that; what the builder said is among them.",
    ),
    Exercise(
        "garbage-collection",
        "Four requests have the number 20. Which of them deleted anything, and how much?",
        "op = CollectGarbage and reply.bytes_freed > 0",
        "reply.bytes_freed",
        "{numbers}, with {values} bytes. The others asked what is dead, and for a path that is "
        "alive.",
    ),
    Exercise(
        "untrusted",
        "An untrusted client sends dont_check_sigs. What comes of it?",
        "error",
        "error.message",
        "{numbers} is refused: “{values}”. The daemon reads the payload to its end first, so the "
        "connection can go on.",
    ),
    Exercise(
        "watched-agent",
        "Which setting did the agent want to have changed, and how is it told that it was not?",
        "op = SetOptions and request.overrides.sandbox-paths",
        "request.overrides",
        "{values}, in {numbers}. SetOptions succeeds all the same: only STDERR_NEXT, one frame of "
        "its log, warns that the setting is ignored.",
    ),
    Exercise(
        "content-addressed",
        "How does a client learn which path a content-addressed output has?",
        "op = QueryRealisation",
        "request.id",
        "By {numbers}, QueryRealisation of {values}. The reply is JSON in a string, and its "
        "`outPath` has no folder in front.",
    ),
    Exercise(
        "maintenance",
        "VerifyStore finds that a file was changed. Is that an error of the protocol?",
        "op = VerifyStore",
        "reply.errors_remain",
        "No: {numbers} has a reply, and errors_remain is {values}. What is wrong with which path "
        "stands in the log.",
    ),
)  # fmt: skip


def _shown(value: str) -> str:
    """Return the first line of a value, without colours."""
    return inert(plain(value).partition("\n")[0], LONGEST)


def answer(exercise: Exercise, session: Session) -> str:
    """Return the answer as the recording, which `session` has read, has it. Raises Problem."""
    wanted = compile_filter(exercise.where)
    found = [session.exchange(i) for i in range(len(session)) if wanted.matches(session, i)]
    values = [value for view in found for value in values_of(view, exercise.field)]
    if not values:
        raise Problem(f"{exercise.recording} has no {exercise.field} where {exercise.where}")
    distinct = list(dict.fromkeys(_shown(value) for value in values))
    payload = found[0].payload
    return exercise.answer.format(
        count=len(found),
        numbers=", ".join(f"#{view.row.number}" for view in found),
        values=", ".join(f"`{value}`" if "`" not in value else value for value in distinct[:MOST]),
        distinct=len(distinct),
        frames=len(found[0].log),
        payload="" if payload is None else size(payload.bytes),
    )


EXERCISES = Chapter(
    "exercises",
    "Exercises",
    "Something to find in recordings, with answers that are taken from them.",
    (
        Prose(
            "Each exercise names a recording. `pix-inspect manual -o DIR` puts them into "
            "`DIR/recordings`, beside the pages. Open one, and look: `enter` leads from the "
            "timeline into the fields, the bytes of a field light up, `/` filters, `e` explains. "
            "`pix-inspect dump FILE` prints all of it."
        ),
        *FOUND,
        Heading("With the client of 40 lines", "client"),
        Question(
            "Ask IsValidPath (1) of ten paths at a distance of 10 ms: "
            "`pix-inspect record --listen /tmp/far --upstream /tmp/daemon --delay 10ms`. Then send "
            "all ten requests before reading the first reply. What is gained?",
            "Nine of ten round trips: about 20 ms in place of 200. The requests go out together, "
            "with `daemon.socket.sendall`; then come, ten times, `daemon.ask()`, which sends "
            "nothing and reads the log, and `daemon.number()`.",
        ),
        Question(
            "Offer 1.38 (0x126) in place of 1.21. Where does the client stumble?",
            "Where it expects STDERR_LAST. The first of its two zeros is now the number of its "
            "features; the daemon answers with its own, a count and no tag. And the daemon waits "
            "for one more word.",
        ),
        Question(
            "Add a text to the store, by AddTextToStore (8): a name, a text, and a set of "
            "references. What comes back?",
            'The path: `daemon.ask(number(8), text(b"hello"), text(b"Hello"), number(0))`, and '
            "then `daemon.text()`. The last word says that there are no references.",
        ),
        Code("A place to try things", "pix-inspect daemon --listen /tmp/daemon"),
    ),
)
