"""What goes wrong between a client and a Nix daemon, as one exception."""

from __future__ import annotations

import re

from pix.codec.errors import PixError
from pix.protocol.logging import StderrError

_ANSI = re.compile("\x1b(?:\\[[0-9;:?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|[@-Z\\\\-_])")


def without_colours(text: str) -> str:
    """Return `text` without terminal sequences. What remains is still the daemon's text."""
    return _ANSI.sub("", text)


class NixDaemonError(PixError):
    """The daemon said no, or cannot be talked to.

    `message` is what went wrong, without colours. `status` is the exit status that daemons
    gave until 1.25 (1, or 100 for a failed build), None elsewhere. `traces` say what was
    being done, innermost first. `log` holds the last lines that the daemon logged for the
    operation. `frame` is the daemon's own words, None when they are ours.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        traces: tuple[str, ...] = (),
        log: tuple[str, ...] = (),
        frame: StderrError | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.traces = traces
        self.log = log
        self.frame = frame

    @classmethod
    def said(
        cls, frame: StderrError, *, has_status: bool, log: tuple[str, ...] = ()
    ) -> NixDaemonError:
        """Return the error that a STDERR_ERROR frame is.

        `has_status`: the protocol is older than 1.26, where the frame carries a status and
        newer daemons put a rendered `error:` in front of the message.
        """
        message = without_colours(frame.message).strip()
        if has_status:
            message = message.removeprefix("error:").strip()
        return cls(
            message,
            status=frame.status if has_status else None,
            traces=tuple(without_colours(trace.hint).strip() for trace in frame.traces),
            log=log,
            frame=frame,
        )
