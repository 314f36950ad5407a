"""`pix-inspect wireshark`: what Wireshark needs to read the protocol, and to capture it live."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import threading
from pathlib import Path

from pix.problem import Problem
from pix_inspect.base.narrate import say
from pix_inspect.commands.catalogue import parser_of
from pix_inspect.wireshark import extcap, folders
from pix_inspect.wireshark.tables import dissector


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="install|uninstall|print|extcap"
    )
    for name, text in (
        ("install", "write a dissector and a capture interface to Wireshark's personal folders"),
        ("uninstall", "remove them"),
    ):
        each = actions.add_parser(name, help=text)
        each.add_argument(
            "--to", type=Path, metavar="DIR", help="in plugins and extcap of this folder instead"
        )
    actions.add_parser("print", help="print the dissector")
    runs = "answer Wireshark, which runs this to capture"
    _extcap_arguments(actions.add_parser("extcap", help=runs))


def _extcap_arguments(parser: argparse.ArgumentParser) -> None:
    for name, text in (
        ("interfaces", "say what there is to capture on"),
        ("dlts", "say what captured packets are"),
        ("config", "say what can be set"),
    ):
        parser.add_argument(f"--extcap-{name}", action="store_true", help=text)
    for name, text in (
        ("interface", "the interface that is meant"),
        ("version", "the version of Wireshark that asks"),
        ("capture-filter", "ignored: what is captured is little"),
        ("reload-option", "ignored: no option depends on anything"),
    ):
        parser.add_argument(f"--extcap-{name}", metavar="TEXT", help=text)
    parser.add_argument("--capture", action="store_true", help="capture")
    parser.add_argument("--fifo", type=Path, metavar="PIPE", help="where packets go")
    parser.add_argument("--listen", metavar="SOCKET", help="as of record")
    for option in ("upstream", "upstream-command", "payload"):
        parser.add_argument(f"--{option}", metavar="TEXT", help="as of record")


def main(args: argparse.Namespace) -> int:
    """Install, remove or print the dissector, or answer Wireshark."""
    if args.action == "print":
        print(dissector(), end="")
    elif args.action == "extcap":
        return _answer(args)
    elif args.action == "install":
        _install(folders.below(args.to) if args.to else folders.personal())
    else:
        where = folders.below(args.to) if args.to else folders.personal()
        removed = folders.uninstall(where)
        for path in removed:
            say(f"removed {path}")
        if not removed:
            say(f"nothing of ours is in {where.plugins} or {where.extcap}")
    return 0


def _install(where: folders.Folders) -> None:
    for path in folders.install(where):
        say(f"wrote {path}")
    if shutil.which("wireshark") is None and shutil.which("tshark") is None:
        say("there is no Wireshark here yet: it will find them")


def _answer(args: argparse.Namespace) -> int:
    if args.extcap_interfaces:
        lines = extcap.interfaces()
    elif args.extcap_interface not in (None, extcap.INTERFACE):
        raise Problem(f"there is no interface {args.extcap_interface}, only {extcap.INTERFACE}")
    elif args.extcap_dlts:
        lines = extcap.link_types()
    elif args.extcap_config:
        lines = extcap.options()
    elif args.extcap_reload_option is not None:
        lines = ()
    elif args.capture:
        return _capture(args)
    else:
        raise Problem("Wireshark runs this; to try it by hand, give --extcap-interfaces")
    for line in lines:
        print(line)
    return 0


def _capture(args: argparse.Namespace) -> int:
    """Record into Wireshark's pipe until it says so, or is gone."""
    from pix_inspect.commands import record

    if args.fifo is None:
        raise Problem("--capture needs --fifo, the pipe that packets go to")
    words = ["--listen", args.listen or str(extcap.default_socket()), "-o", "-", "--quiet"]
    for name in ("upstream", "upstream_command", "payload"):
        if value := getattr(args, name):
            words += [f"--{name.replace('_', '-')}", value]
    given = parser_of("record").parse_args(words)
    try:
        pipe = os.open(args.fifo, os.O_WRONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Problem(f"cannot write to {args.fifo}: {error.strerror}") from None
    os.dup2(pipe, sys.stdout.fileno())
    threading.Thread(target=_end_with, args=(pipe,), daemon=True, name="Wireshark").start()
    return record.main(given)


def _end_with(pipe: int) -> None:
    extcap.reader_gone(pipe)
    os.kill(os.getpid(), signal.SIGTERM)
