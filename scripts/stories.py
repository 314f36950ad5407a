"""The stories that the bundled recordings tell, each a few commands of real Nix.

A story says what it is about in its docstring, which is its line in recordings/README.md.  What it
runs `relayed` is recorded; what it runs `direct` prepares the store and is not.  Knows Nix's
commands; where they run and how they are recorded is record_stories.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Stage(Protocol):
    """Where a story plays.  Commands run in /build and return what they print, as a shell would
    have it; `into` and `stdin` name files, `status` is the exit status there has to be."""

    def relayed(
        self, *command: str, status: int = 0, stdin: str | None = None, into: str | None = None
    ) -> str:
        """Run a command of the story's client through the relay."""

    def together(self, *commands: tuple[str, ...]) -> None:
        """Run several commands of the story's client through the relay at the same time."""

    def direct(self, *command: str) -> str:
        """Run a command of the story's client with the daemon itself."""

    def plain(self, *command: str, path: str = "", status: int = 0) -> str:
        """Run any command; `path` is searched for programs before all else."""

    def spoken(self, *lines: str) -> None:
        """Send lines of the REPL through the relay, on one connection."""

    def address(self) -> str:
        """The daemon itself, as a store URL."""

    def file(self, name: str, text: str, mode: int = 0o644) -> None:
        """Write a file in /build."""


@dataclass(frozen=True, slots=True)
class Story:
    """`client` and `daemon` are versions; `tell` plays it.

    With `served`, the options of `nix-store`, what is recorded is that program in the daemon's
    version.
    """

    name: str
    client: str
    daemon: str
    trusted: bool
    tell: Callable[[Stage], None]
    served: str = ""

    @property
    def about(self) -> str:
        """One line."""
        return " ".join((self.tell.__doc__ or "").split())


STORIES: dict[str, Story] = {}


def story(
    client: str, daemon: str | None = None, trusted: bool = True, served: str = ""
) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
    """Declare a story; its file is named after the function."""

    def declare(tell: Callable[[Stage], None]) -> Callable[[Stage], None]:
        name = tell.__name__.replace("_", "-")
        STORIES[name] = Story(name, client, daemon or client, trusted, tell, served)
        return tell

    return declare


def derivation(name: str, script: str, **attributes: str) -> str:
    """A Nix expression that runs `script` with /bin/sh; attributes are Nix expressions."""
    rest = "".join(f"  {key} = {value};\n" for key, value in attributes.items())
    return (
        "derivation {\n"
        f'  name = "{name}";\n'
        "  system = builtins.currentSystem;\n"
        '  builder = "/bin/sh";\n'
        f"  args = [ \"-c\" ''\n{script}\n'' ];\n"
        f"{rest}}}\n"
    )


def phase(name: str) -> str:
    """A line of shell that tells Nix about a phase of the build."""
    return f"""echo '@nix {{ "action": "setPhase", "phase": "{name}" }}' >&2"""


def chain(stage: Stage) -> str:
    """Build three packages in a row, unrecorded; returns the path of the last one."""
    _zlib(stage)
    stage.file("curl.nix", derivation("curl-8.7.1", "echo $zlib >$out", zlib="import ./zlib.nix"))
    stage.file(
        "git.nix",
        derivation(
            "git-2.44.1",
            "echo $curl $zlib >$out",
            curl="import ./curl.nix",
            zlib="import ./zlib.nix",
        ),
    )
    return build(stage, "git.nix")


FLOATING = {
    "__contentAddressed": "true",
    "outputHashMode": '"recursive"',
    "outputHashAlgo": '"sha256"',
}
"""Attributes of a derivation whose outputs are addressed by their contents."""


def _bridge(stage: Stage, program: str = "nix-daemon") -> None:
    """Make the relay the far end of ssh-ng://localhost (of ssh://localhost, for nix-store): Nix
    starts that without any ssh."""
    bridge = "#!/bin/sh\nexec socat STDIO UNIX-CONNECT:/tmp/pix.sock\n"
    stage.file(f"far/{program}", bridge, mode=0o755)


def _zlib(stage: Stage) -> str:
    """Write a package without dependencies; returns its file."""
    stage.file("zlib.nix", derivation("zlib-1.3.1", "echo zlib >$out"))
    return "zlib.nix"


def build(stage: Stage, file: str) -> str:
    """Build a file's derivation, unrecorded.  nix-build would leave a root with a random name."""
    return stage.direct("nix-store", "--realise", stage.direct("nix-instantiate", file))


@story("2.34.8")
def build_with_log(stage: Stage) -> None:
    """`nix-build` of a package and its dependency: phases, log lines of stdout and stderr, a result
    link."""
    stage.file("greeting.txt", "Hello, world!\n")
    stage.file(
        "tools.nix",
        derivation("tools-0.9", 'echo "collecting tools"\n/bin/sleep 0.1\necho tools >$out'),
    )
    stage.file(
        "hello.nix",
        derivation(
            "hello-2.12.1",
            "\n".join(
                [
                    phase("unpackPhase"),
                    'echo "unpacking source $src"',
                    phase("buildPhase"),
                    "for file in main getopt error version; do",
                    '  echo "cc -O2 -c $file.c -o $file.o"',
                    "  /bin/sleep 0.05",
                    "done",
                    'echo "main.c:14: warning: implicit declaration of greet" >&2',
                    phase("installPhase"),
                    'echo "installing to $out"',
                    "/bin/cat $src $tools >$out",
                ]
            ),
            src="./greeting.txt",
            tools="import ./tools.nix",
        ),
    )
    stage.relayed("nix-build", "hello.nix")


@story("2.34.8")
def build_failure(stage: Stage) -> None:
    """`nix-build --keep-going` where one dependency fails and the other is built all the same."""
    stage.file("good.nix", derivation("docs-1.0", 'echo "writing the manual"\necho ok >$out'))
    stage.file(
        "bad.nix",
        derivation(
            "library-0.3",
            "\n".join(
                [
                    phase("buildPhase"),
                    'echo "cc -c parse.c"',
                    """echo "parse.c:7:3: error: expected ';' before 'return'" >&2""",
                    "exit 2",
                ]
            ),
        ),
    )
    stage.file(
        "top.nix",
        derivation("program-1.0", "exit 0", docs="import ./good.nix", library="import ./bad.nix"),
    )
    stage.relayed("nix-build", "--keep-going", "top.nix", status=1)


@story("2.8.0")
def add_tree(stage: Stage) -> None:
    """`nix-store --add` of a folder: sub-folders, an executable, a symlink, an empty file."""
    stage.file("project/README", "A project.\n")
    stage.file("project/bin/start", "#!/bin/sh\nexec echo started\n", mode=0o755)
    stage.file("project/src/main.c", "int main(void) { return 0; }\n" * 40)
    stage.file("project/src/empty.h", "")
    stage.file("project/docs/notes/first.md", "# First\n")
    stage.plain("ln", "-s", "../README", "project/docs/README")
    stage.relayed("nix-store", "--add", "project")


@story("2.26.3")
def queries(stage: Stage) -> None:
    """Questions about a closure: requisites, tree, referrers, hash, deriver, `nix path-info`; and
    one about a path that is not there."""
    git = chain(stage)
    zlib = build(stage, "zlib.nix")
    stage.relayed("nix-store", "--query", "--requisites", git)
    stage.relayed("nix-store", "--query", "--tree", git)
    stage.relayed("nix-store", "--query", "--referrers", zlib)
    stage.relayed("nix-store", "--query", "--hash", git)
    stage.relayed("nix-store", "--query", "--deriver", git)
    stage.relayed("nix", "path-info", "--json", "--closure-size", "--recursive", git)
    missing = "/nix/store/00000000000000000000000000000000-nothing-here"
    stage.relayed("nix-store", "--query", "--references", missing, status=1)


@story("2.3.7")
def import_over_1_21(stage: Stage) -> None:
    """`nix-store --export` and `--import` of a closure over protocol 1.21: NARs that the daemon
    pulls piece by piece with STDERR_READ."""
    closure = stage.direct("nix-store", "-qR", chain(stage)).split()
    stage.relayed("nix-store", "--export", *closure, into="closure.export")
    stage.direct("nix-store", "--delete", *reversed(closure))
    stage.relayed("nix-store", "--import", stdin="closure.export")


@story("2.34.8")
def copy(stage: Stage) -> None:
    """`nix copy` of a closure of three from a binary cache into the daemon's store
    (AddMultipleToStore)."""
    git = chain(stage)
    stage.direct("nix", "copy", "--no-check-sigs", "--to", "file:///build/cache", git)
    closure = stage.direct("nix-store", "-qR", git).split()
    stage.direct("nix-store", "--delete", *reversed(closure))
    stage.relayed("nix", "copy", "--no-check-sigs", "--from", "file:///build/cache", git)


@story("2.3.7", "2.34.8")
def old_client(stage: Stage) -> None:
    """`nix-build` of Nix 2.3.7 with a daemon that is six years newer: they meet at 1.21."""
    stage.file("hello.nix", derivation("hello-2.10", 'echo "an old hello"\necho hello >$out'))
    stage.relayed("nix-build", "hello.nix")


@story("2.34.8", trusted=False)
def untrusted(stage: Stage) -> None:
    """A client that the daemon does not trust: a setting that is ignored, unsigned paths that are
    refused, a build that is allowed."""
    git = chain(stage)
    stage.direct("nix", "copy", "--no-check-sigs", "--to", "file:///build/cache", git)
    closure = stage.direct("nix-store", "-qR", git).split()
    stage.direct("nix-store", "--delete", *reversed(closure))
    take = ("nix", "copy", "--no-check-sigs", "--from", "file:///build/cache", git)
    stage.relayed(*take, status=1)
    stage.relayed("nix-build", "--option", "sandbox-paths", "/srv", "zlib.nix")


@story("2.26.3")
def remote_build(stage: Stage) -> None:
    """A build sent to this daemon as a remote builder, by ssh-ng: the inputs are copied to it,
    BuildDerivation, the output fetched with NarFromPath."""
    stage.file("source", "the source\n")
    script = 'echo "building far away"\n/bin/cat $src >$out'
    stage.file("far.nix", derivation("far-1.0", script, src="./source"))
    _bridge(stage)
    here = ("--store", "local?root=/build/here&store=/nix/store")
    drv = stage.plain("nix-instantiate", *here, "far.nix")
    builders = ("--builders", "ssh-ng://localhost x86_64-linux - 1 1")
    stage.plain("nix-store", *here, "--realise", "-j0", *builders, drv, path="/build/far")


@story("2.34.8")
def two_clients(stage: Stage) -> None:
    """Two `nix-build` at the same time, each on its own connection; both need one dependency: the
    second one waits for the first one's lock, which it looks at every five seconds only."""
    shared = 'echo "building what both need"\n/bin/sleep 0.4\necho shared >$out'
    stage.file("shared.nix", derivation("shared-1.0", shared))
    for name in ("left", "right"):
        script = f'echo "{name}: starting"\n/bin/sleep 0.2\necho "{name}: done"\necho $shared >$out'
        stage.file(f"{name}.nix", derivation(f"{name}-1.0", script, shared="import ./shared.nix"))
    stage.together(("nix-build", "-o", "l", "left.nix"), ("nix-build", "-o", "r", "right.nix"))


@story("2.34.8")
def garbage_collection(stage: Stage) -> None:
    """Roots, what is dead, a path that may not be deleted because it is alive, and a collection."""
    git = chain(stage)
    stage.direct("nix-build", "-o", "result", "curl.nix")
    curl = stage.plain("readlink", "result")
    stage.relayed("nix-store", "--gc", "--print-roots")
    stage.relayed("nix-store", "--gc", "--print-dead")
    stage.relayed("nix-store", "--delete", curl, status=1)
    stage.relayed("nix-store", "--delete", git)
    stage.relayed("nix-collect-garbage")


@story("2.34.8")
def content_addressed(stage: Stage) -> None:
    """A content-addressed derivation and one that depends on it: realisations are asked for and
    registered."""
    stage.file("data.nix", derivation("data-1", "echo data >$out", **FLOATING))
    stage.file("user.nix", derivation("user-1", "echo $data >$out", data="import ./data.nix"))
    stage.relayed("nix-build", "user.nix")
    stage.relayed("nix", "realisation", "info", "--file", "data.nix")


@story("2.3.7")
def add_tree_1_21(stage: Stage) -> None:
    """`nix-store --add` of a folder by Nix 2.3.7: a bare NAR behind the request, no frames."""
    stage.file("project/README", "A project.\n")
    stage.file("project/bin/start", "#!/bin/sh\nexec echo started\n", mode=0o755)
    stage.plain("ln", "-s", "../README", "project/bin/README")
    stage.relayed("nix-store", "--add", "project")


@story("2.3.7")
def realise_1_21(stage: Stage) -> None:
    """Nix 2.3.7: what a derivation and its outputs need, then `nix-store --realise`, which first
    has the derivation itself made valid (EnsurePath)."""
    stage.file("hello.nix", derivation("hello-2.10", "echo hello >$out"))
    drv = stage.direct("nix-instantiate", "hello.nix")
    out = stage.direct("nix-store", "--realise", drv)
    stage.relayed("nix-store", "--query", "--requisites", "--include-outputs", drv)
    stage.direct("nix-store", "--delete", out)
    stage.relayed("nix-store", "--realise", drv)


@story("2.34.8")
def build_outputs(stage: Stage) -> None:
    """`nix build` of a derivation with two outputs (BuildPathsWithResults), then `nix build
    --rebuild`, which finds that it does not come out the same twice."""
    stage.file(
        "twins.nix",
        derivation(
            "twins-1.0",
            "read now rest </proc/uptime\necho $dev >$out\necho $now >$dev",
            outputs='[ "out" "dev" ]',
        ),
    )
    nix = ("nix", "--extra-experimental-features", "nix-command", "build", "--no-link", "-f")
    stage.relayed(*nix, "twins.nix", "out")
    stage.relayed(*nix, "twins.nix", "dev", "--rebuild", status=1)


@story("2.26.3")
def lookups(stage: Stage) -> None:
    """A path found by the hash in its name, one that is not found, and which derivations could
    have made a path."""
    zlib = build(stage, _zlib(stage))
    hash_part = zlib.removeprefix("/nix/store/").partition("-")[0]
    look = ("nix", "store", "path-from-hash-part")
    stage.relayed(*look, hash_part)
    stage.relayed(*look, "0" * 32, status=1)
    stage.relayed("nix-store", "--query", "--valid-derivers", zlib)


@story("2.8.0")
def maintenance(stage: Stage) -> None:
    """A store looked after: all paths listed, a path signed, equal files linked, and a check of all
    contents that finds a file changed behind the daemon's back."""
    stage.file("first", "the same contents\n")
    stage.file("second", "the same contents\n")
    stage.file("third", "some other contents\n")
    first = stage.direct("nix-store", "--add", "first")
    stage.direct("nix-store", "--add", "second")
    changed = stage.direct("nix-store", "--add", "third")
    stage.plain("nix-store", "--generate-binary-cache-key", "example-1", "secret", "public")
    stage.relayed("nix", "path-info", "--all")
    stage.relayed("nix", "store", "sign", "--key-file", "secret", first)
    stage.relayed("nix-store", "--optimise")
    stage.plain("chmod", "u+w", changed)
    stage.plain("sh", "-c", f"echo changed >{changed}")
    stage.relayed("nix-store", "--verify", "--check-contents", status=1)


@story("2.34.8")
def copy_log_and_realisation(stage: Stage) -> None:
    """A build log sent to the daemon (AddBuildLog), and a content-addressed path copied with its
    realisation (RegisterDrvOutput)."""
    stage.file("logged.nix", derivation("logged-1", 'echo "what the builder said"\necho ok >$out'))
    drv = stage.direct("nix-instantiate", "logged.nix")
    stage.direct("nix-store", "--realise", drv)
    daemon = stage.address()
    stage.relayed("nix", "store", "copy-log", "--from", daemon, "--to", "daemon", drv)
    stage.file("data.nix", derivation("data-2", "echo more data >$out", **FLOATING))
    stage.direct("nix", "build", "--no-link", "--file", "data.nix")
    cache = "file:///build/cache"
    stage.direct("nix", "copy", "--no-check-sigs", "--to", cache, "--file", "data.nix")
    stage.direct("nix-collect-garbage")
    stage.relayed("nix", "copy", "--no-check-sigs", "--from", cache, "--file", "data.nix")


@story("2.26.3")
def mounted_store(stage: Stage) -> None:
    """`nix build -o` in a store that is mounted here and served from elsewhere: the far daemon is
    asked to make the root (AddPermRoot)."""
    stage.file("hello.nix", derivation("hello-2.12.1", "echo hello >$out"))
    _bridge(stage)
    nix = ("nix", "build", "-f", "hello.nix", "-o", "/build/result")
    stage.plain(*nix, "--store", "mounted-ssh-ng://localhost", path="/build/far")


@story("2.8.0")
def by_hand(stage: Stage) -> None:
    """Operations that daemons answer and commands send no more, by `pix-inspect send`."""
    zlib = build(stage, _zlib(stage))
    drv = stage.direct("nix-store", "--query", "--deriver", zlib)
    stage.spoken(
        f'HasSubstitutes(path="{zlib}")',
        f'QueryPathHash(path="{zlib}")',
        f'QueryReferences(path="{zlib}")',
        f'QueryDeriver(path="{zlib}")',
        f'QuerySubstitutablePathInfo(path="{zlib}")',
        f'QuerySubstitutablePathInfos(paths_with_ca={{"{zlib}": None}})',
        f'QuerySubstitutablePaths(paths=["{zlib}"])',
        f'QueryDerivationOutputs(path="{drv}")',
        f'QueryDerivationOutputNames(path="{drv}")',
        f'ExportPath(path="{zlib}", sign=0)',
        r'ImportPaths(export=b"\0\0\0\0\0\0\0\0")',
    )


@story("2.34.8", trusted=False)
def watched_agent(stage: Stage) -> None:
    """What an agent did that was given the daemon's socket: it looked around, built, left a root,
    tried a setting, unsigned paths and a repair that are for trusted users, and collected."""
    git = chain(stage)
    stage.direct("nix", "copy", "--no-check-sigs", "--to", "file:///build/cache", git)
    stage.direct("nix-store", "--delete", git)
    stage.direct("nix-build", "-o", "kept", "curl.nix")
    curl = stage.plain("readlink", "kept")
    stage.file("task.nix", derivation("task-1.0", 'echo "doing the task"\necho done >$out'))
    stage.relayed("nix-store", "--query", "--requisites", curl)
    stage.relayed("nix-build", "task.nix")
    stage.relayed("nix-build", "--option", "sandbox-paths", "/srv", "-o", "again", "task.nix")
    take = ("nix", "copy", "--no-check-sigs", "--from", "file:///build/cache", git)
    stage.relayed(*take, status=1)
    stage.relayed("nix-store", "--verify", "--repair", status=1)
    stage.relayed("nix-store", "--gc", "--print-roots")
    stage.relayed("nix-store", "--delete", curl, status=1)
    stage.relayed("nix-collect-garbage")


SERVED = "--serve --write"
HERE = "local?root=/build/here&store=/nix/store"
"""A store of the client's own."""
FAR = "ssh://localhost?remote-program=/build/far/nix-store"
"""What nix-store serves, through the relay."""


def _build_far(stage: Stage, script: str, status: int = 0) -> None:
    """Have a derivation with a source of its own built by nix-store there, by its build hook."""
    stage.file("source", "the source\n")
    stage.file("far.nix", derivation("far-1.0", script, src="./source"))
    drv = stage.plain("nix-instantiate", "--store", HERE, "far.nix")
    _bridge(stage, "nix-store")
    builder = ("--builders", f"{FAR} x86_64-linux - 1 1")
    build = ("nix-store", "--store", HERE, "--realise", "-j0", *builder)
    stage.plain(*build, drv, status=status)


@story("2.34.8", "2.3.7", served=SERVED)
def serve_copy(stage: Stage) -> None:
    """`nix copy` to an ssh:// store and back from it, in the serve protocol: what is valid there,
    AddToStoreNar for each path, DumpStorePath."""
    _bridge(stage, "nix-store")
    stage.file("tree/greeting", "Hello, world!\n")
    stage.file("note", "a note\n")
    paths = stage.plain("nix-store", "--store", HERE, "--add", "tree", "note").split()
    copy = ("nix", "copy", "--no-check-sigs")
    stage.plain(*copy, "--from", HERE, "--to", FAR, *paths)
    there = "local?root=/build/there&store=/nix/store"
    stage.plain(*copy, "--from", FAR, "--to", there, *paths)


@story("2.3.7", "2.26.3", served=SERVED)
def serve_closure(stage: Stage) -> None:
    """An old client asks an ssh:// store for a closure, in serve 2.5: QueryPathInfos, QueryClosure,
    and a path that is not there."""
    _bridge(stage, "nix-store")
    git = chain(stage)
    ask = ("nix", "path-info", "--store", FAR)
    stage.plain(*ask, "-rs", git)
    absent = "/nix/store/00000000000000000000000000000000-absent"
    stage.plain(*ask, absent, status=1)


@story("2.8.0", "2.26.3", served=SERVED)
def serve_build(stage: Stage) -> None:
    """A build sent to a remote builder by ssh://: its inputs copied there, BuildDerivation with its
    log on standard error, the output fetched."""
    _build_far(stage, 'echo "building far away"\n/bin/cat $src >$out')


@story("2.8.0", "2.34.8", served=SERVED)
def serve_build_failure(stage: Stage) -> None:
    """A remote build by ssh:// whose builder fails: the result says so, its log is on standard
    error."""
    _build_far(stage, 'echo "no compiler here"\nexit 3', status=1)


@story("2.26.3", "2.34.8", served="--serve")
def serve_read_only(stage: Stage) -> None:
    """A remote build by ssh:// on a machine where nix-store may not write: the stream ends without
    an answer, and the reason stands on standard error only."""
    _build_far(stage, "/bin/cat $src >$out", status=1)
