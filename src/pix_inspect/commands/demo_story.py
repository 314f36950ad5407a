"""What the demo's clients do: add, query, build, fail once, copy, collect garbage.

`pause` between the steps lets people watch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from pix.codec.wire import pack_string as token
from pix.daemon import DaemonConnection
from pix.daemon.errors import NixDaemonError
from pix.daemon.upload import Item
from pix.protocol import operations as op
from pix.protocol.types import GCAction, ValidPathInfo
from pix_store.build.scheduler import SYSTEM
from pix_store.derivations.derivation import Derivation, Output
from pix_store.derivations.hash_modulo import output_hashes
from pix_store.store.store_paths import StorePaths

PATIENCE = 60.0
"""Seconds that the clients wait for an answer."""

Pause = Callable[[float], None]

PHASE = 'echo "@nix { \\"action\\": \\"setPhase\\", \\"phase\\": \\"%s\\" }"'
LIBRARY = f"""
{PHASE % "buildPhase"}
echo "cc -c parse.c"; echo "parse.c:7: warning: unused variable 'depth'" >&2; wait_a_bit
echo "cc -c emit.c"; wait_a_bit
{PHASE % "installPhase"}
echo "libgreet 0.3" > $out
"""
PROGRAM = f"""
{PHASE % "unpackPhase"}
echo "unpacking $src"; wait_a_bit
{PHASE % "buildPhase"}
for file in main greet options; do echo "cc -O2 -c $file.c"; wait_a_bit; done
echo "linking with $library"; wait_a_bit
{PHASE % "installPhase"}
echo "installing to $out"
echo "#!/bin/sh" > $out; echo "# uses $library" >> $out; echo "echo hello" >> $out
"""
BROKEN = f"""
{PHASE % "buildPhase"}
echo "cc -c docs.c"; wait_a_bit
echo "docs.c:12:5: error: expected ';' before 'return'" >&2
exit 2
"""


class Story:
    """The work of some clients with the daemon at `path`."""

    def __init__(
        self, path: Path, pause: Pause, say: Callable[[str], object], slow: bool = False
    ) -> None:
        self._path = path
        self._pause = pause
        self._say = say
        self._nap = "/bin/sleep 0.3" if slow else ":"
        self._drvs: dict[str, Derivation] = {}
        self._paths = StorePaths()

    def tell(self) -> None:
        """Do everything, in order. Raises NixDaemonError when the daemon cannot."""
        self._say(
            "A small daemon, a relay before it, and a client: each line is an exchange, a request"
            " with its reply. The client adds sources and the recipes of a library and a program."
        )
        with self._connected() as client:
            client.set_options({"log-lines": "25"})
            source = self._sources(client)
            library, program = self._recipes(client, source)
            self._say("It has the program built, the library first; L shows the log as it comes.")
            self._build(client, program)
            self._say("It asks what it got, what that refers to, and takes the file as an archive.")
            self._questions(client, library, program)
        with self._connected() as other:
            other.set_options(keep_going=1)
            self._say("Another client builds documentation, which fails: look for the ✗.")
            self._failure(other)
            self._say("It copies two paths of another store; P shows the files that are sent.")
            self._copy(other)
        with self._connected(version="1.21") as old:
            old.set_options()
            self._say("A client as old as Nix 2.3: the daemon asks it for payload piece by piece.")
            self._old_client(old)
        with self._connected() as keeper:
            keeper.set_options()
            self._say("At last somebody looks for garbage, and has the store checked.")
            self._collect(keeper)

    def _connected(self, version: str = "1.38") -> DaemonConnection:
        self._pause(0.4)
        return DaemonConnection(self._path, version=version, timeout=PATIENCE)

    def _sources(self, client: DaemonConnection) -> str:
        client.add_text_to_store("notes.txt", "Nothing to see here.\n")
        self._pause(0.5)
        files = {
            b"main.c": b'#include "greet.h"\n\nint main(void) { return greet(); }\n',
            b"greet.h": b"int greet(void);\n",
        }
        source = client.add_to_store("hello-src", _folder(files))
        client.add_temp_root(source)
        self._pause(0.5)
        return source

    def _recipe(
        self, client: DaemonConnection, name: str, script: str, **needs: str
    ) -> tuple[str, str]:
        """Add a derivation that runs a script; return its path and its output's."""
        whole = f"wait_a_bit() {{ {self._nap}; }}\n{script}"
        used = {path: self._drvs[path] for path in needs.values() if path in self._drvs}
        env = {key: self._output_of(path) for key, path in needs.items()}
        derivation = Derivation(
            outputs={"out": Output()},
            inputs=dict.fromkeys(used, ("out",)),
            sources=frozenset(path for path in needs.values() if path not in used),
            system=SYSTEM,
            builder="/bin/sh",
            args=("-c", whole),
            env=env | {"name": name, "out": "", "system": SYSTEM, "builder": "/bin/sh"},
        )
        digest = output_hashes(derivation, self._drvs.__getitem__, {})["out"]
        out = self._paths.output(digest, name, "out")
        derivation.outputs["out"] = Output(out)
        derivation.env["out"] = out
        references = {*derivation.sources, *derivation.inputs}
        path = client.add_text_to_store(f"{name}.drv", derivation.text(), references)
        self._drvs[path] = derivation
        self._pause(0.3)
        return path, out

    def _output_of(self, path: str) -> str:
        derivation = self._drvs.get(path)
        return path if derivation is None else derivation.outputs["out"].path

    def _recipes(self, client: DaemonConnection, source: str) -> tuple[str, str]:
        library, _ = self._recipe(client, "libgreet-0.3", LIBRARY)
        program, _ = self._recipe(client, "hello-2.12", PROGRAM, src=source, library=library)
        return library, program

    def _build(self, client: DaemonConnection, program: str) -> None:
        client.query_missing([f"{program}^out"])
        self._pause(0.5)
        client.build_paths([f"{program}^out"])
        self._pause(0.5)

    def _questions(self, client: DaemonConnection, library: str, program: str) -> None:
        left = [self._output_of(program)]
        seen = set(left)
        while left:
            info = client.query_path_info(left.pop())
            left += sorted(set(info.references) - seen)
            seen.update(info.references)
            self._pause(0.15)
        client.query_referrers(self._output_of(library))
        client.query_derivation_output_map(program)
        for _ in client.nar(self._output_of(program)):
            pass
        self._pause(0.5)
        client.is_valid_path(self._paths.full("00000000000000000000000000000000-nowhere"))
        for path in sorted(seen):
            client.add_temp_root(path)

    def _failure(self, client: DaemonConnection) -> None:
        docs, _ = self._recipe(client, "hello-docs-2.12", BROKEN)
        with suppress(NixDaemonError):
            client.build_paths([f"{docs}^out"])
        self._pause(0.8)

    def _copy(self, client: DaemonConnection) -> None:
        """Copy two paths of another store, one of which refers to the other."""
        from pix_store import EmbeddedDaemon

        with EmbeddedDaemon() as far, DaemonConnection(far.path, timeout=PATIENCE) as there:
            zlib = there.add_text_to_store("zlib-1.3.1", "zlib\n")
            git = there.add_text_to_store("git-2.44", f"git, with {zlib}\n", [zlib])
            items: list[Item] = []
            for path in (zlib, git):
                info = there.call(op.QueryPathInfo(path=path)).info
                items.append((ValidPathInfo(path=path, info=info), b"".join(there.nar(path))))
        client.query_valid_paths([zlib, git])
        client.add_multiple_to_store(items)
        self._pause(0.5)

    def _old_client(self, client: DaemonConnection) -> None:
        """Work as Nix 2.3 does: payload is asked for piece by piece."""
        client.add_text_to_store("old-notes.txt", "As in 2019.\n")
        path = min(client.query_all_valid_paths())
        info = client.call(op.QueryPathInfo(path=path)).info
        nar = b"".join(client.nar(path))
        client.add_to_store_nar(ValidPathInfo(path=path, info=info), nar)
        self._pause(0.5)

    def _collect(self, client: DaemonConnection) -> None:
        client.find_roots()
        client.collect_garbage(GCAction.RETURN_DEAD)
        client.verify_store(check_contents=True)


def _folder(files: dict[bytes, bytes]) -> bytes:
    """Return the NAR of a folder with these files."""

    def parts() -> Iterator[bytes]:
        yield from (b"nix-archive-1", b"(", b"type", b"directory")
        for name, contents in sorted(files.items()):
            yield from (b"entry", b"(", b"name", name, b"node")
            yield from (b"(", b"type", b"regular", b"contents", contents, b")", b")")
        yield b")"

    return b"".join(map(token, parts()))
