"""The Nix daemon ("worker") protocol, and that of `nix-store --serve`: declarations, codec,
conversation and a client.

    worker_service the same as a gRPC service (needs the extra `grpc`)
    conversation   two byte streams in, exchanges out; no I/O
    daemon         a client                               serving   the side of a daemon
    protocol       what is said: operations, types, log frames, handshake
    codec          how it looks as bytes
    sockets        Unix sockets, at any path length       problem   what a user can put right
    untrusted      numbers and JSON that people type or files hold
    dataclass      the standard library's, made when a class is first used

Standard library only but for that, no threads, no user interface. A lower line never imports an
upper one.
Start reading at `pix.protocol.operations`, then `pix.codec.wire`, then `pix.conversation`.
"""

__version__ = "0.1.0"
