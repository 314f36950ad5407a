"""Files of other recorders, turned into recordings: raw streams, .nixwire, strace logs.

capture   connections with chunks, whatever they were read from (captures)
raw       one file a direction, with or without times (raw_streams)
nixwire   the container of nix-wire (nixwire)
remarks   what is to be said of a capture (remarks)
opened    files, and what compressed ones hold (opened)
strace    system calls on the socket's descriptor (strace)

Imports `recording`, `base` and `pix`. Begin at `captures`.
"""
