"""Who waits for whom: which side owes the next byte, and what is in its way.

wait    who has owed what since when, from the recording (waits; of a handshake, handshake_turns)
live    what the kernel says of the processes meanwhile (live)
cause   what is in the way, how that is known, what to do; processes as lines (causes)

Imports `session`, `machine` and below. Begin at `waits`.
"""
