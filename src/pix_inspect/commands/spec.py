"""`pix-inspect spec`: commands, fields, operations and statuses as one JSON document.

For scripts, agents and tests that want to know what there is without reading help texts.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import pix
from pix.codec.records import Record
from pix.protocol import OPERATIONS, STDERR_FRAMES
from pix_inspect.commands.catalogue import GROUPS, STATUSES, parser_of
from pix_inspect.filter.fields import INDEXED, PARTS, fields
from pix_inspect.findings.kinds import KINDS


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="it is JSON in any case")


def main(args: argparse.Namespace) -> int:
    """Print the document."""
    print(json.dumps(spec(), indent=2))
    return 0


def spec() -> dict[str, Any]:
    """Return what there is, as JSON."""
    return {
        "version": pix.__version__,
        "exit_statuses": {str(status): meaning for status, meaning in STATUSES.items()},
        "commands": {
            name: {
                "group": group,
                "summary": command.summary,
                "example": f"pix-inspect {name} {command.example}",
                **_arguments(parser_of(name)),
            }
            for group, commands in GROUPS.items()
            for name, command in commands.items()
        },
        "filters": {**INDEXED, **PARTS, **fields()},
        "findings": {
            kind.name: {"grade": kind.grade, "what": kind.what} for kind in KINDS.values()
        },
        "operations": [
            {
                "name": operation.name,
                "number": operation.number,
                "protocol": operation.family.name,
                "what": operation.doc,
                "since": str(operation.life.introduced),
                "obsolete": operation.life.obsolete and str(operation.life.obsolete),
                "feature": operation.feature,
                "request": _fields(operation.request),
                "reply": _fields(operation.reply),
            }
            for operation in OPERATIONS.values()
        ],
        "frames": {
            frame.name: {"code": frame.code, "what": frame.doc, "fields": _fields(frame.fields)}
            for frame in STDERR_FRAMES.values()
        },
    }


def _fields(record: Record) -> list[dict[str, Any]]:
    return [
        {"name": field.name, "type": field.wire.name, "what": field.doc, "when": field.gate.text}
        for field in record.fields
    ]


def _arguments(parser: argparse.ArgumentParser) -> dict[str, Any]:
    found: dict[str, Any] = {"arguments": [], "options": []}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found["commands"] = {name: _arguments(each) for name, each in action.choices.items()}
        elif action.help not in (argparse.SUPPRESS, None) and action.dest != "help":
            said = {
                "names": list(action.option_strings) or [action.dest],
                "value": action.metavar if action.nargs != 0 else None,
                "choices": None if action.choices is None else list(action.choices),
                "help": parser._get_formatter()._expand_help(action),
            }
            found["options" if action.option_strings else "arguments"].append(said)
    return found
