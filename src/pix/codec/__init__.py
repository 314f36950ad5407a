"""How the protocol looks as bytes; knows no operation.

wire type   what a value looks like: `scan`, `tree`, `read`, `write` (wire, lists, records, declare)
word        eight bytes; a text is one, its bytes and their padding (wire); text for one (words)
gate        in which versions and with which features a field is there (gates)
program     what a scanner steps over, resumable at any byte (cursor); bytes as they come (incoming)
plan        a program of texts, for what is there as a whole (plans)
payload     bulk data behind a message: frames, pulled, written, a NAR (payload, nar, nar_files)
message     opening word, fields and payload together (message); a value alone (values, lazy)
wrong       what cannot be read (errors), and what can all the same (irregular)

Imports the standard library only. Begin at `wire`, then `records`.
"""
