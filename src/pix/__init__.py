"""The Nix daemon ("worker") protocol: declarations, codec, conversation and a client.

    conversation   two byte streams in, exchanges out; no I/O     daemon   a client
    protocol       what is said: operations, types, log frames, handshake
    codec          how it looks as bytes
    problem        what its user can put right, in one line

Standard library only, no threads, no user interface. A lower line never imports an upper one.
Start reading at `pix.protocol.operations`, then `pix.codec.wire`, then `pix.conversation`.
"""

__version__ = "0.1.0"
