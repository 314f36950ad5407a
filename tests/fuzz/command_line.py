"""The command line in this process: what it may do with anything is end with a status and words."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Never

from pix_inspect import cli
from pix_inspect.recording.pcapng import SECTION_MAGIC

STATUSES = (0, 1, 2, 126, 127)
"""Those of `run` among them, for a command that is not there."""


def placed() -> Path:
    """Make a folder of one's own, go there, and have mistakes raise."""
    folder = Path(tempfile.mkdtemp(prefix="pix-fuzz-"))
    os.chdir(folder)
    for name in ("XDG_STATE_HOME", "XDG_RUNTIME_DIR", "HOME", "TMPDIR"):
        os.environ[name] = str(folder)
    for name in [name for name in os.environ if name.startswith(("NIX_", "LISTEN_"))]:
        del os.environ[name]
    sys.stdin = Path(os.devnull).open()  # noqa: SIM115 - as long as the process
    os.environ["NIX_DAEMON_SOCKET_PATH"] = str(folder / "no daemon")
    vars(cli)["crashed"] = raised  # the last resort would hide what is looked for
    return folder


def raised(error: Exception) -> Never:
    raise error


def said(words: list[str]) -> str:
    """Carry out a line and return what it printed, both streams; it has to be text and inert."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace"), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = cli.main(words)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
        out.flush()
    assert status in STATUSES, (status, err.getvalue())
    printed = out.buffer.getvalue()
    assert status != 2 or err.getvalue().startswith("pix-inspect: "), err.getvalue()
    a_recording = printed.startswith(SECTION_MAGIC)  # of `dump --format pcapng`
    words_only = err.getvalue()
    words_only += "" if a_recording else printed.decode("utf-8", "backslashreplace")
    assert "Traceback" not in words_only, words_only
    assert "\x1b" not in words_only or b"\x1b" in b" ".join(map(os.fsencode, words)), words_only
    return words_only
