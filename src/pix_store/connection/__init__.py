"""One client of the daemon in the box: its words in, the daemon's answers out.

protocol   what it says of itself, log, replies and errors (protocol)
serve      the same for one who speaks the serve protocol (serve)
client     who it is, whether it is trusted, its temporary roots (client)

Imports `pix_store.store`. Begin at `protocol`.
"""
