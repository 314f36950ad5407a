"""pix-inspect: an interactive protocol debugger for Nix, around the codec in `pix`.

The packages, in layers; a lower line never imports an upper one (`make check` holds it):

    cli  commands                                 the command line; one module a sub-command
    ui                                            the screen, and all that knows Textual
    repl                                          lines typed by hand become requests
    replay  teach  expectations  gateway          play a side; manual, tours; `check`; gRPC
    compare  export  wireshark                    two sessions; what other tools read
    filter                                        the language of filters, search
    analysis                                      round trips, statistics
    describe                                      an exchange as rows, a line, bytes, JSON
    findings                                      what is irregular, and what to do about it
    forensics  importing  waits                   which mistake explains it; other recorders' files;
    payload  options                              who waits for whom; files sent along; arguments
    session  capture                              an indexed recording; relay and tap
    recording  machine                            the pcapng file; sockets, processes, locks
    base                                          safe text, units, state directory, new files

Begin at `capture.relay` for how we listen, at `session.session` for what is read from it.
"""

from __future__ import annotations

TYPE_CHECKING = False  # that of `typing` takes its time, in which an interrupt is a traceback

if TYPE_CHECKING:
    from pathlib import Path

    from pix_inspect.export.reading import Recording


def open(path: Path | str, filter: str = "", *, follow: bool = False) -> Recording:
    """Return the exchanges of a recording that match, to go through: see docs/reading.md.

    With `follow` a loop goes on as the recording grows, for ever. Raises pix.problem.Problem.
    """
    from pix_inspect.export.reading import Recording

    return Recording(path, filter, follow=follow)
