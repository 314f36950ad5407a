"""Arguments that several sub-commands share, and what they mean.

quantity   sizes, times and rates with their units (quantities)
type       a type of the protocol by its name, a version, features (types)
capture    upstream, payload limit, distance, trust (capture, payload_limit)
output     text or JSON (output)
recording  which file is read (recording)
progress   how far a long command is (progress)
vendor     files that declare what vendors have added (declarations)

Imports `capture` and below. Begin at `quantities`.
"""
