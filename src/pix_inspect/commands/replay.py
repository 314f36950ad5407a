"""`pix-inspect replay client|daemon FILE`: one side of a recording, played to the other live."""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pix.codec.gates import FAMILIES, NEWEST_MINOR, Protocol
from pix.problem import Problem
from pix.sockets import listen
from pix_inspect.base.narrate import narrate, never_wait, say
from pix_inspect.base.safe_text import inert, plain
from pix_inspect.base.terminal_text import show
from pix_inspect.base.units import count
from pix_inspect.capture.capture import Capture
from pix_inspect.capture.relay import Relay, only_relay
from pix_inspect.capture.upstream import SocketUpstream, require, upstream_of
from pix_inspect.commands.dump import filter_of
from pix_inspect.commands.open import need_terminal, own_settings
from pix_inspect.commands.record import listening_arguments, warn_of_mode
from pix_inspect.compare.volatile import FIELDS, TEXTS
from pix_inspect.options.capture import listen_argument, upstream_arguments, user_ids
from pix_inspect.options.output import output_arguments
from pix_inspect.options.payload_limit import payload_argument
from pix_inspect.options.quantities import timeout_argument
from pix_inspect.options.recording import recording_argument
from pix_inspect.replay.client import Options, ReplayClient
from pix_inspect.replay.comparison import Ignored, Judge, Outcome, Verdict
from pix_inspect.replay.daemon import PlayedDaemon
from pix_inspect.replay.recorded import RecordedSession
from pix_inspect.session.session import Session

SIGNS = {"same": "=", "different": "≠", "failed": "✗", "skipped": "–"}
MOST_CHANGES = 8
INTERRUPTED = 130


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--list-volatile", action=_ListVolatile, nargs=0, help="say what is not compared"
    )
    sides = parser.add_subparsers(dest="side", required=True, metavar="client|daemon")
    asks = "send the recorded requests to a daemon and compare its answers"
    _client_arguments(sides.add_parser("client", help=asks))
    answers = "answer clients as the recorded daemon did"
    _daemon_arguments(sides.add_parser("daemon", help=answers))


class _ListVolatile(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        for line in volatile_lines():
            print(line)
        parser.exit()


def volatile_lines() -> Iterator[str]:
    """Yield what is never compared, for people."""
    width = max(map(len, FIELDS))
    yield "fields:"
    for name, why in sorted(FIELDS.items()):
        yield f"  {name:<{width}}  {why}"
    yield "in texts:"
    for pattern, _, why in TEXTS:
        yield f"  {why}: {pattern.pattern}"


def _client_arguments(parser: argparse.ArgumentParser) -> None:
    recording_argument(parser)
    upstream_arguments(parser)
    _version_arguments(parser)
    parser.add_argument("--fast", action="store_true", help="do not keep the recorded pauses")
    parser.add_argument(
        "--yes", action="store_true", help="also send what deletes store paths; else it is skipped"
    )
    parser.add_argument(
        "--connection", type=int, action="append", metavar="N", help="only this connection"
    )
    parser.add_argument("--filter", metavar="EXPR", help="send only what this filter admits")
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="FIELD",
        help="do not compare this field: a name, or a path such as QueryPathInfo.reply.sigs",
    )
    parser.add_argument("--log", action="store_true", help="compare STDERR frames too")
    timeout_argument(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="record the replay to OUT")
    payload_argument(parser, "how much payload to keep and compare")
    parser.add_argument(
        "--open",
        action="store_true",
        help="then show both on the screen, the first other answer beside the recorded one",
    )
    output_arguments(parser, "an exchange")
    parser.add_argument(
        "--list-volatile", action=_ListVolatile, nargs=0, help="say what is not compared"
    )


def _version_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--version", metavar="1.N", help="speak at most this version, not the recorded one"
    )
    parser.add_argument("--features", metavar="A,B", help="offer these features (1.38)")


def _daemon_arguments(parser: argparse.ArgumentParser) -> None:
    recording_argument(parser)
    listen_argument(parser, required=True)
    _version_arguments(parser)
    parser.add_argument(
        "--pace", action="store_true", help="take as long over each answer as the daemon took"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="record to OUT")
    payload_argument(parser, "how much payload to keep in OUT")
    listening_arguments(parser)
    parser.add_argument("--quiet", action="store_true", help="print only what goes wrong")


def main(args: argparse.Namespace) -> int:
    """Play the side that was asked for."""
    return _client(args) if args.side == "client" else _daemon(args)


def _client(args: argparse.Namespace) -> int:
    if args.open:
        need_terminal("leave out --open")
    upstream = upstream_of(args.upstream, args.upstream_command)
    require(upstream)
    recorded = RecordedSession(args.recording)
    wanted = _wanted(recorded, args)
    options = Options(_protocol(args), args.fast, args.timeout, args.payload, args.yes)
    with contextlib.ExitStack() as stack:
        if args.output is None:
            folder = tempfile.mkdtemp(prefix="pix-replay-")
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            out = Path(folder) / "replay.pcapng"
        else:
            out = args.output
        client = ReplayClient(recorded, wanted, upstream, out, options)
        stack.callback(client.close)
        table = _Table(args.format == "json")
        status = _play(client, out, table, args)
        if args.open:
            _show(args, out, table)
    return status


def _show(args: argparse.Namespace, out: Path, table: _Table) -> None:
    """Show a recording and its replay until the user quits."""
    from pix_inspect.ui.app.replay import ReplayInspector

    with (
        contextlib.closing(Session(args.recording)) as first,
        contextlib.closing(Session(out)) as again,
    ):
        pair = None
        if table.first is not None and table.first.again is not None:
            views = (first.read_all(), table.first.number), (again.read_all(), table.first.again)
            pair = tuple(session.exchange(number - 1) for session, number in views)
        app = ReplayInspector(first, others=[again], pair=pair)  # type: ignore[arg-type]  # two
        app.configure(own_settings(args))
        app.run()


def _play(client: ReplayClient, out: Path, table: _Table, args: argparse.Namespace) -> int:
    interrupted = False
    with contextlib.closing(Session(out)) as again:
        chosen = [] if client.options.wanted is None else ["version", "features"]
        ignored = Ignored.volatile_and([*args.ignore, *chosen])
        judge = Judge(client.recorded, again, client.sent, ignored, log=args.log)
        found: dict[int, Verdict] = {}
        told = 0

        def tell() -> None:
            """Print what is over, in that order."""
            nonlocal told
            reasons = client.failed | client.skipped
            for each in judge.verdicts(reasons):
                found[each.number - 1] = each
            for i in list(client.concluded)[told:]:
                verdict: Verdict | None = found.get(i)
                if i in reasons:
                    outcome: Outcome = "failed" if i in client.failed else "skipped"
                    verdict = judge.silent(i, outcome, reasons[i])
                if verdict is None:
                    break
                found.pop(i, None)
                told += 1
                table.row(verdict)

        try:
            for _ in client.run():
                tell()
        except KeyboardInterrupt:
            interrupted = True
            client.interrupted("interrupted")
        client.close()
        again.read_all()
        tell()
        table.end(len(client.wanted))
    return INTERRUPTED if interrupted else int(table.differs)


def _daemon(args: argparse.Namespace) -> int:
    """Play the daemon until told to stop; a relay in front of it lets in whom it may."""
    allowed = user_ids(args.allow_user)
    warn_of_mode(args)
    with contextlib.ExitStack() as stack:
        recorded = RecordedSession(args.recording)
        played = stack.enter_context(
            PlayedDaemon(recorded, speaks=_protocol(args), pace=args.pace, say=say)
        )
        listener = listen(args.listen, args.mode)
        stack.callback(listener.close)
        upstream = SocketUpstream(played.path)
        taken: Capture | None = None
        if args.output is not None:
            args.max_size, args.keep = None, 1
            taken = Capture(args.output, upstream, args, played=str(args.recording))
            stack.callback(taken.close)
        open_tap = taken.open_tap if taken is not None else lambda _: None
        relay = Relay(listener, upstream, open_tap, allowed=allowed, say=say)
        relay.on_signals(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if not args.quiet:
            where = shlex.quote(str(listener.path))
            say(f"playing {args.recording} on {listener.path}; send a client here with")
            narrate(f"    NIX_REMOTE=unix://{where} NIX_DAEMON_SOCKET_PATH={where} nix …")
        only_relay()
        never_wait()
        relay.serve()
    return 0


class _Table:
    """The outcome, row by row."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.counts = dict.fromkeys(SIGNS, 0)
        self.first: Verdict | None = None

    @property
    def differs(self) -> bool:
        """Whether anything is not the same."""
        return any(number for outcome, number in self.counts.items() if outcome != "same")

    def row(self, verdict: Verdict) -> None:
        self.counts[verdict.outcome] += 1
        if verdict.outcome == "different" and self.first is None:
            self.first = verdict
        if self.as_json:
            print(json.dumps(as_json(verdict)), flush=True)
            return
        show(as_text(verdict))
        sys.stdout.flush()

    def end(self, of: int) -> None:
        words = [f"{number:,} {outcome}" for outcome, number in self.counts.items() if number]
        line = f"{count(of, 'exchange')}: {', '.join(words) or 'nothing'}"
        (narrate if self.as_json else print)(line)


def as_json(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as JSON."""
    return {
        "exchange": verdict.number,
        "connection": verdict.connection,
        "operation": verdict.operation,
        "about": verdict.about,
        "outcome": verdict.outcome,
        "again": verdict.again,
        "why": verdict.why,
        "changes": [
            {"field": change.path, "recorded": change.first, "now": change.second}
            for change in verdict.changes
        ],
    }


def as_text(verdict: Verdict) -> Iterator[str]:
    """Yield a verdict's lines, inert."""
    head = f"{SIGNS[verdict.outcome]} #{verdict.number:<5} {verdict.connection:>3}  "
    line = f"{head}{verdict.operation:<24} {verdict.about}".rstrip()
    if verdict.outcome != "same":
        line += f"  {verdict.outcome}"
    yield line + (f": {inert(plain(verdict.why), 300)}" if verdict.why else "")
    for change in verdict.changes[:MOST_CHANGES]:
        yield f"      {inert(change.path, 80)}: {_short(change.first)} → {_short(change.second)}"
    if len(verdict.changes) > MOST_CHANGES:
        yield f"      … {len(verdict.changes) - MOST_CHANGES} more fields"


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    return inert(plain(value) if isinstance(value, str) else json.dumps(value), 70)


def _wanted(recorded: RecordedSession, args: argparse.Namespace) -> list[int]:
    """Return which exchanges are to be sent: those asked for, and their handshakes."""
    session = recorded.session
    numbers = recorded.connections.keys() if args.connection is None else set(args.connection)
    for number in numbers:
        if number not in recorded.connections:
            raise Problem(
                f"{args.recording} has no connection {number}:"
                f" it has {count(len(recorded.connections), 'connection')}"
            )
    # of both protocols the one that was spoken first: one daemon understands one of them
    known = [family for n in numbers if (family := session.connections[n].family) is not None]
    spoken = [n for n in numbers if session.connections[n].family in (None, *known[:1])]
    wanted = []
    admits = filter_of(args.filter)
    for number in spoken:
        mine = [
            i
            for i in recorded.connections[number]
            if session.row(i).kind in ("operation", "opaque")
            and (admits is None or admits.matches(session, i))
        ]
        if admits is None or mine:
            first = recorded.connections[number][:1]
            wanted += [i for i in first if session.row(i).kind == "handshake"] + mine
    if not wanted:
        raise Problem(f"no exchange of {args.recording} is admitted by the filter")
    return sorted(wanted)


def _protocol(args: argparse.Namespace) -> Protocol | None:
    if args.version is None and args.features is None:
        return None
    features = frozenset(word for word in (args.features or "").split(",") if word)
    try:
        protocol = Protocol.parse(args.version or f"1.{NEWEST_MINOR}", features, FAMILIES)
    except ValueError as error:
        raise Problem(f"--version: {error}") from None
    if features and protocol.minor < NEWEST_MINOR:
        raise Problem(f"--features need --version 1.{NEWEST_MINOR}")
    return protocol
