"""What differs between two runs of the same thing: fields by name, and parts of texts.

The one list that `diff` and `replay` leave out of their comparing and show to who asks for
it.
"""

from __future__ import annotations

import re

FIELDS: dict[str, str] = {
    "registration_time": "when the path was added to this store",
    "start_time": "when the build began",
    "stop_time": "when the build ended",
    "cpu_user": "processor time of the build",
    "cpu_system": "processor time of the build",
    "id": "activity: the daemon's process and a counter",
    "parent": "activity: the daemon's process and a counter",
    "cpu": "the processor that an old client happened to run on",
    "daemon_nix_version": "the daemon's release",
}
"""Fields of the declarations, by name, and why."""

ACTIVITY = frozenset(("id", "parent"))
"""Those of log frames alone: the `id` of a realisation is none."""

TEXTS: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (re.compile(r"\{temp:\d+\}"), "{temp:…}", "temporary roots name a process"),
    (re.compile(r"(?<=/temproots/)\d+"), "…", "temporary roots name a process"),
    (re.compile(r"(?<=/proc/)\d+(?=/)"), "…", "roots of running processes"),
    (
        re.compile(r"(?<=/)nix-(build|shell)-\d+-\d+(?=[-/])"),
        r"nix-\1-…",
        "temporary folders of nix-build and nix-shell",
    ),
    (re.compile(r"(?<=/)nix-build-([^/]*?)-\d+(?=[-/])"), r"nix-build-\1-…", "build directories"),
    (re.compile(r"(?<=/)tmp\.[A-Za-z0-9]{6,12}(?=/)"), "tmp.…", "temporary folders of mktemp"),
    (re.compile(r"(?<=/)nix-\d+-\d+(?=[-/.])"), "nix-…", "temporary files name a process"),
)
"""Parts of texts: what is looked for, what it is taken for, and why."""

_HINT = re.compile(rb"\{temp:|/temproots/|/proc/|/nix-(?:build-|shell-|\d)|/tmp\.")


def varies(raw: bytes) -> bool:
    """Return whether there may be a text in these bytes that `steady` changes."""
    return _HINT.search(raw) is not None


def steady(text: str) -> str:
    """Return a text with what differs from run to run replaced."""
    for pattern, instead, _ in TEXTS:
        text = pattern.sub(instead, text)
    return text
