"""The Nix daemon ("worker") protocol: declarations, codec, conversation and a client.

Standard library only, no threads, no user interface. Start reading at
`pix.protocol.operations` (what is said), then `pix.wire` (how bytes look), then
`pix.conversation` (who speaks when).
"""

__version__ = "0.1.0"
