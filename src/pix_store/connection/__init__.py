"""One client of the daemon in the box: its words in, the daemon's answers out.

protocol   handshake, requests, log, replies and errors in their order (protocol)
source     what a client sends along: frames, pulled strings, a bare NAR (incoming)
client     who it is, whether it is trusted, its temporary roots (client)

Imports `pix_store.store`. Begin at `protocol`.
"""
