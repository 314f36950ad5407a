"""The filter language, and the search for text and bytes.

syntax       expressions and where they are wrong (syntax, terms, patterns)
field        what can be asked: columns of `session.row`, such as `took`, and the protocol's own
             names (fields, completion)
compiled     an expression as a test of an exchange (compiled)
progressive  a filter over a million exchanges, piece by piece (progressive)
search       text or bytes, across exchanges (search)

Imports `analysis`, `findings`, `session` and below. Begin at `compiled`.
"""
