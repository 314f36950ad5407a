"""How a build ended, and how Nix words that.

Source: Nix 2.34 `derivation-building- goal.cc`, and recorded sessions.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Sequence

from pix.dataclass import dataclass, field
from pix.protocol.types import SUCCESSES, BuildStatus
from pix_store.store.refusal import bold, bold_red, quoted

SHOWN_LINES = 25
"""How many lines of its log the error of a failed build repeats."""

_EXIT_BITS = {
    BuildStatus.PERMANENT_FAILURE: 4,
    BuildStatus.INPUT_REJECTED: 4,
    BuildStatus.TIMED_OUT: 5,
    BuildStatus.NOT_DETERMINISTIC: 8,
}
_MISMATCH_BITS, _FAILED_BITS = 6, 96


@dataclass(slots=True)
class Outcome:
    """How one derivation's build ended; `outputs` are base names by output, times in seconds.

    `mismatch`: a fixed output has another hash than it was said to have.
    """

    status: BuildStatus
    error: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    started: int = 0
    stopped: int = 0
    rounds: int = 0
    mismatch: bool = False

    @property
    def good(self) -> bool:
        """Whether everything asked for is there."""
        return self.status in SUCCESSES


def exit_status(outcomes: Iterable[Outcome]) -> int:
    """Return the exit status that clients are told when some of these failed."""
    bits = 0
    for outcome in outcomes:
        bits |= _MISMATCH_BITS if outcome.mismatch else _EXIT_BITS.get(outcome.status, 0)
    return bits | _FAILED_BITS if bits else 1


def cannot_build(drv: str, reason: str, outputs: Sequence[str], tail: Iterable[str] = ()) -> str:
    """Return the text of a failure; `outputs` are full paths, `tail` the end of the log."""
    lines = [f"Cannot build {quoted(drv)}.", f"Reason: {reason}."]
    if outputs:
        lines += ["Output paths:", *(f"  \x1b[35;1m{path}\x1b[0m" for path in outputs)]
    shown = list(tail)[-SHOWN_LINES:]
    if shown:
        lines += [f"Last {len(shown)} log lines:", *(f"> {line}" for line in shown)]
        lines += ["For full logs, run:", f"  {bold(f'nix log {drv}')}"]
    return "\n".join(lines)


def mismatch(drv: str, wanted: str, here: str) -> str:
    """Return the text of a failure to build for another system."""
    return (
        f"Cannot build {quoted(drv)}.\nReason: {bold_red('platform mismatch')}\n"
        f"Required system: {quoted(wanted)}\nCurrent system: {quoted(here)}"
    )


def ended(status: int) -> str:
    """Return how a builder's process ended, as the reason of a failure."""
    if status < 0:
        name = signal.strsignal(-status) or "unknown signal"
        return bold_red(f"builder failed due to signal {-status} ({name})")
    return bold_red(f"builder failed with exit code {status}")


def dependencies_failed(count: int) -> str:
    """Return the reason of a build whose inputs could not be built."""
    return bold_red(f"{count} dependenc{'y' if count == 1 else 'ies'} failed")
