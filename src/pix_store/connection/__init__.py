"""One client of the daemon in the box: its words in, the daemon's answers out.

protocol   what it says of itself, log, replies and errors (protocol)
client     who it is, whether it is trusted, its temporary roots (client)

Imports `pix_store.store`. Begin at `protocol`.
"""
