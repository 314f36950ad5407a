"""The program, from its first moment on: `pix-inspect` and `python -m pix_inspect`.

Until there is something to end in order, and after that is over, an interrupt ends the process
as the system does it: Python would print where it was. One who is told to end (SIGTERM, SIGHUP)
takes away what was half written, and then ends of that signal.
"""

from __future__ import annotations

import _thread
import os
import sys
import time

TYPE_CHECKING = False

if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # the other makes enumerations first: interrupts come meanwhile

SOON = 0.01
"""Seconds."""

_PYTHONS = signal.getsignal(signal.SIGINT)


class _Told(BaseException):
    """A signal said to end; its number."""

    def __init__(self, number: int) -> None:
        self.number = number


def main() -> int:
    """Run the command line and return the exit status."""
    from pix_inspect import cli

    sys.unraisablehook = _interrupt_again
    try:
        signal.signal(signal.SIGINT, _PYTHONS)
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, _end)
        return cli.main()
    except KeyboardInterrupt:
        return cli.INTERRUPTED
    except _Told as told:
        os.kill(os.getpid(), told.number)
        return 128 + told.number
    finally:
        _leave_interrupts_to_the_system()


def _leave_interrupts_to_the_system() -> None:
    if _PYTHONS is signal.default_int_handler:  # not ignored, as for what runs in the background
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _end(number: int, _: object) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second one ends it at once
    raise _Told(number)


def _interrupt_again(what: sys.UnraisableHookArgs) -> None:
    """Have a signal that came where nothing can be raised come once more, elsewhere."""
    if what.exc_type is KeyboardInterrupt:
        _thread.start_new_thread(_signal_soon, (signal.SIGINT,))
    elif isinstance(what.exc_value, _Told):
        _thread.start_new_thread(_signal_soon, (what.exc_value.number,))
    else:
        sys.__unraisablehook__(what)


def _signal_soon(number: int) -> None:
    time.sleep(SOON)  # at once it would come in the same place
    os.kill(os.getpid(), number)


_leave_interrupts_to_the_system()

if __name__ == "__main__":
    sys.exit(main())
