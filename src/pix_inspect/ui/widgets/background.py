"""Work in a thread beside the screen: what it finds, or that it failed, comes back as a call.

The work reads sessions and returns a value; it touches no widget and nothing that others read.
Its failure is one line on the screen, never the end of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from textual.dom import DOMNode
from textual.worker import WorkType

from pix.problem import Problem
from pix_inspect.ui.widgets.text import safe

LONGEST_LINE = 500

T = TypeVar("T")


def in_background(
    node: DOMNode,
    work: Callable[[], T],
    then: Callable[[T], object],
    *,
    what: str,
    failed: Callable[[str], object] | None = None,
    group: str = "default",
    exclusive: bool = False,
) -> None:
    """Run `work` in a thread, then `then` with its value on the screen's own.

    Where either raises, `failed` gets one safe line instead, which begins with `what`; without it
    the line is notified. Neither is called once `node` is gone, or, if `exclusive`, once other
    work of the `group` has begun.
    """

    async def run() -> None:
        try:
            then(await asyncio.to_thread(work))
        except Exception as error:  # whatever it is, the recording is still there to look at
            said = str(error) if isinstance(error, Problem) else f"{what}: {error!r}"
            (failed or notify(node))(safe(said, LONGEST_LINE))

    worker: WorkType[None] = run
    node.run_worker(worker, group=group, exclusive=exclusive, exit_on_error=False)


def notify(node: DOMNode) -> Callable[[str], Any]:
    """Return what notifies of a failure."""
    return lambda line: node.app.notify(line, severity="error", markup=False)
