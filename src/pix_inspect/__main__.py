"""`python -m pix_inspect` is `pix-inspect`."""

import sys

from pix_inspect.cli import main

sys.exit(main())
