"""How the protocol looks as bytes; knows no operation.

wire type   what a value looks like: `scan`, `tree`, `read`, `write` (wire, lists, records)
gate        in which versions and with which features a field is there (gates)
program     what a scanner has to step over, resumable at any byte (cursor)
payload     bulk data behind a message: frames, pulled, written, a bare NAR (payload, nar)
incoming    bytes as they come, read as values (incoming)
message     opening word, fields and payload together (message)

Imports the standard library only. Begin at `wire`, then `records`; `declare` makes both.
"""
