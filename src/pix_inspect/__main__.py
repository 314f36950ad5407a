"""The program, from its first moment on: `pix-inspect` and `python -m pix_inspect`.

Until there is something to end in order, an interrupt ends the process as the system does it:
Python would print where it was.
"""

import signal
import sys

_PYTHONS = signal.getsignal(signal.SIGINT)
if _PYTHONS is signal.default_int_handler:  # and not ignored, as for what runs in the background
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> int:
    """Run the command line and return the exit status."""
    from pix_inspect import cli

    try:
        signal.signal(signal.SIGINT, _PYTHONS)
        return cli.main()
    except KeyboardInterrupt:
        return cli.INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
