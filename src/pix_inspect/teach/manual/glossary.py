"""The glossary: words of the protocol and of Nix, each in a sentence or two."""

from __future__ import annotations

from pix_inspect.teach.manual.blocks import Chapter, Grid

TERMS: dict[str, str] = {
    "activity": "Something that takes time and that the daemon tells of in the log: a build, a "
    "download. It has an id, a parent, a type (ActivityType), and results (ResultType).",
    "binary cache": "A place with ready store paths, such as a web server. See substituter.",
    "builder": "The program that a derivation runs. Also a machine that builds for others.",
    "closure": "A store path and all that it refers to, directly or not.",
    "connection": "One client's stream to the daemon and back. It ends when either side closes; "
    "there is no goodbye.",
    "content address": "How a path follows from its contents: a method, a hash algorithm, a hash. "
    "On the wire a string such as `fixed:r:sha256:…`, empty where there is none.",
    "content-addressed": "Said of a path whose hash is made of its contents, not of its recipe.",
    "daemon": "The program that may write to the store and does so for others: `nix-daemon`.",
    "dead": "Said of a path that no root leads to. A garbage collection deletes it.",
    "derivation": "A recipe in the store, a file that ends in `.drv`: builder, arguments, "
    "environment, inputs, outputs.",
    "DerivedPath": "What is to be built, as a string: a path, or a derivation, `!` and its "
    "outputs.",
    "deriver": "The derivation that a path came from.",
    "elided": "Not kept in a recording; its length is known.",
    "exchange": "A request with all that belongs to it: log, payload, reply or error. "
    "The handshake is one, too.",
    "export stream": "What `nix-store --export` writes: NARs with their metadata, each behind "
    "the word 1.",
    "feature": "A name in the handshake at 1.38. It is in force when both sides named it.",
    "frame": "In the log: a tag such as STDERR_NEXT and its fields. In payload: a length and so "
    "many bytes, without padding.",
    "handshake": "What both sides say first: magic numbers, versions, and what follows from these.",
    "hello": "One side's part of the handshake.",
    "in force": "Said of the smaller of both sides' versions, and of features that both named.",
    "input-addressed": "Said of a path whose hash is made of its recipe.",
    "log": "The frames that the daemon sends between a request and its reply.",
    "magic number": "The first word of each side: 0x6e697863 of the client, 0x6478696f of the "
    "daemon.",
    "minor": "The lower byte of a version: 38 of 1.38, which is 0x126 on the wire.",
    "NAR": "A file or a tree of files as one stream of strings. It has no length of its own.",
    "narinfo": "The metadata of a path in a binary cache, as a small text.",
    "operation": "What a client can ask. It has a number, request fields, and perhaps a payload.",
    "orphan": "Something that the daemon says when nobody has asked.",
    "out of step": "When a side reads the stream at another place than the other one wrote: every "
    "word after it is taken for something else.",
    "output": "One of the paths that a derivation makes: `out`, `dev`, `doc`.",
    "padding": "Zeros behind a string, up to a multiple of eight bytes.",
    "payload": "The part of an exchange that can be of any size: a NAR, a file, a build's log.",
    "pipelining": "Sending the next request before the reply to the last one has come. Nobody "
    "does.",
    "realisation": "What an output of a content-addressed derivation turned out to be.",
    "realise": "To have a path valid: build it, or fetch it from a substituter.",
    "reference": "A path that another path holds the hash of.",
    "relay": "A program between client and daemon that passes on what they say.",
    "root": "What keeps a path from being collected, and all that it refers to.",
    "round trip": "A request and the wait for its answer. Their number times the distance is what "
    "a distant store costs.",
    "serve protocol": "What `nix-store --serve` speaks, for `ssh://` stores.",
    "signature": "`NAME:BASE64` over a path's metadata. A daemon takes paths that a trusted key "
    "signed.",
    "store": "The folder with all that Nix has built, and its database.",
    "store path": "The name of an entry of the store: folder, hash, hyphen, name.",
    "string": "On the wire: a word with the length, the bytes, and padding.",
    "substituter": "A store that paths are fetched from in place of building them.",
    "tag": "A word that says what follows: which frame, in ASCII (`ptxc` is STDERR_ERROR), or "
    "which of several forms a value has.",
    "temporary root": "A root that lasts as long as the connection: AddTempRoot.",
    "trusted": "Said of a client whose user is among the `trusted-users`: as good as root.",
    "valid": "Said of a path that is wholly in the store and known to its database.",
    "version": "A number that each side says first, such as 0x126 for 1.38. The smaller one is "
    "in force.",
    "word": "Eight bytes, the lowest first: the unit of the protocol.",
    "worker protocol": "What nix-daemon speaks: the protocol of this manual.",
}  # fmt: skip


def anchor(term: str) -> str:
    """Return what a link to a term ends in."""
    return term.lower().replace(" ", "-")


GLOSSARY = Chapter(
    "glossary",
    "Glossary",
    "Words of the protocol and of Nix.",
    (
        Grid(
            "Words",
            ("word", "what it is"),
            list(TERMS.items()),
            [anchor(term) for term in TERMS],
            names=(),
        ),
    ),
)
