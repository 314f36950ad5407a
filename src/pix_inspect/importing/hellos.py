"""What either side says first: by this a connection is known, and who is its client."""

from pix.codec.gates import FAMILIES
from pix.codec.wire import pack_u64

CLIENT_HELLOS = tuple(pack_u64(family.magics[0]) for family in FAMILIES)
DAEMON_HELLOS = tuple(pack_u64(family.magics[1]) for family in FAMILIES)
"""The first words of the worker protocol and of the serve protocol."""
