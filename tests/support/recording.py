"""A recording under construction: its connections are playbooks, written as they are said.

    made = Recording(tmp_path / "r.pcapng")
    talk = made.connect(peer={"pid": 7})
    talk >> IsValidPath(path=PATH) << StderrLast() << IsValidPath.Reply(valid=True)
    session = talk.session()

No thread, no tap: packets straight from the production's stream writer, each a nanosecond after
the one before unless time is let pass. `growing` makes one that a screen follows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pix.codec.gates import Protocol
from pix.protocol.types import TrustedFlag
from pix_inspect.recording import pcapng
from pix_inspect.recording.stream_writer import Parts, Track
from pix_inspect.recording.tcp_headers import CLIENT_PORTS
from pix_inspect.session.session import Session
from tests.support.playbook import EOF, Playbook

START = 1_700_000_000_000_000_001
"""A time whose nanoseconds matter."""
MILLISECOND = 1_000_000
V38 = Protocol(38)

ABOUT = {"recording": "pix-inspect", "format": 1, "needs": 1, "version": "0", "about": {}}


def section(about: object = ABOUT) -> bytes:
    return pcapng.section_header([(pcapng.COMMENT, pcapng.comment(about))])


class Connection(Playbook):
    """One connection of a recording; every turn is a packet."""

    def __init__(self, recording: Recording, protocol: Protocol, track: Track) -> None:
        super().__init__(protocol)
        self.recording = recording
        self.track = track

    def _turn(self, side: int, data: bytes | None) -> None:
        super()._turn(side, data)
        if data is None:
            self.half_close(side)
        elif data:
            self.recording.time += self.recording.pace
            self.chunk(side, data)

    def chunk(self, side: int, kept: bytes, length: int | None = None) -> Connection:
        """`length` bytes pass, of which the first are kept."""
        size = len(kept) if length is None else length
        self.track.chunk(side, self.recording.now(), kept, size, self.recording.blocks)
        return self

    def trip(self, request: Any, *answers: Any) -> Connection:
        """After a millisecond the client says this, then the daemon that."""
        self.wait() >> request
        for answer in answers:
            self << answer
        return self

    def wait(self, ms: float = 1) -> Connection:
        self.recording.wait(ms)
        return self

    def half_close(self, side: int) -> None:
        self.track.half_close(side, self.recording.now(), self.recording.blocks)

    def reset(self, side: int) -> None:
        self.track.reset(side, self.recording.now(), self.recording.blocks)

    def note(self, note: object) -> None:
        """Put a note on the next packet."""
        self.track.note(pcapng.comment(note), self.recording.now(), self.recording.blocks)

    def remark(self, note: object) -> None:
        """Put a note on a packet of its own."""
        self.track.remark(pcapng.comment(note), self.recording.now(), self.recording.blocks)

    def resume(self, state: dict[str, Any] | None) -> None:
        """Go on in a new file."""
        self.track.resume(0, self.recording.now(), self.recording.blocks, state)

    def close(self) -> Recording:
        self.track.close(self.recording.now(), self.recording.blocks)
        return self.recording

    def save(self) -> Path:
        return self.recording.save()

    def session(self, *, closed: bool = True) -> Session:
        """Close, unless it is to stay open, save all and read it."""
        if closed:
            self.close()
        return self.recording.session()


class Recording:
    """Blocks, and the connections that add to them. With a path it is a file from the start.

    `pace` is how many nanoseconds pass before every turn, besides the one that each packet takes.
    """

    def __init__(
        self, path: Path | None = None, *, time: int = START, pace: int = 0, **about: Any
    ) -> None:
        self._file = path
        self.time = time
        self.pace = pace
        self.blocks: Parts = [section({**ABOUT, "about": about})]
        self.connections: list[Connection] = []
        self._saved = 0
        if path is not None:
            self.save()

    @property
    def path(self) -> Path:
        assert self._file is not None, "this recording has no file of its own"
        return self._file

    def now(self) -> int:
        self.time += 1
        return self.time

    def wait(self, ms: float = 1) -> Recording:
        self.time += int(ms * MILLISECOND)
        return self

    def open(self, protocol: Protocol = V38, **opened: Any) -> Connection:
        """A connection on which nothing was said yet."""
        number = len(self.connections) + 1
        port = CLIENT_PORTS[(number - 1) % len(CLIENT_PORTS)]
        track = Track(number, port, {"connection": number, **opened}, "a peer")
        track.begin(len(self.connections), self.now(), self.blocks)
        connection = Connection(self, protocol, track)
        self.connections.append(connection)
        return connection

    def connect(self, protocol: Protocol = V38, **opened: Any) -> Connection:
        """A connection whose handshake is over."""
        connection = self.open(protocol, **opened)
        connection.wait().greet(nix="2.34.8")
        return connection

    def play(self, playbook: Playbook, **opened: Any) -> Connection:
        """A connection on which all of a playbook is said."""
        connection = self.open(playbook.protocol, **opened)
        for side, data in playbook.turns:
            if data != b"":
                connection.say(side, EOF if data is None else data)
        return connection

    @property
    def data(self) -> bytes:
        return b"".join(self.blocks)

    def split(self) -> list[bytes]:
        """The blocks, one by one."""
        data, found, position = self.data, [], 0
        while position < len(data):
            total = pcapng.BLOCK.unpack_from(data, position)[1]
            found.append(data[position : position + total])
            position += total
        return found

    def save(self, path: Path | None = None) -> Path:
        """Write all to `path`; without one, append to the recording's own file what is new."""
        if path is not None:
            path.write_bytes(self.data)
            return path
        data = self.data
        if not self._saved:  # a file cut to nothing and written again is waited for by ext4
            self.path.unlink(missing_ok=True)
        with self.path.open("ab" if self._saved else "wb") as file:
            file.write(data[self._saved :])
        self._saved = len(data)
        return self.path

    def session(self) -> Session:
        return Session(self.save()).read_all()


def growing(path: Path, **about: Any) -> Recording:
    """A recording that a screen follows: a tenth of a millisecond passes before every turn."""
    return Recording(path, pace=MILLISECOND // 10, **{"listen": "/run/pix.sock", **about})


def connected(folder: Path, minor: int = 37) -> Connection:
    """The one connection of a recording in `folder`, of a trusted client, its handshake over."""
    talk = Recording(folder / "r.pcapng").open(Protocol(minor), peer={"pid": 1})
    return talk.greet(nix="2.18.0", trusted=TrustedFlag.TRUSTED)


def saved(playbook: Playbook, folder: Path, *, left: int | None = None) -> Session:
    """A recording in `folder` of one conversation; `left` is the side that closes first."""
    talk = Recording(folder / "r.pcapng").play(playbook, peer={"pid": 1})
    if left is not None:
        talk.half_close(left)
    return talk.session()
