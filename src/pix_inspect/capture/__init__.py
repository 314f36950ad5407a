"""Listening: bytes go from client to daemon and back, unchanged, and a copy into the recording.

relay        accepts clients, connects each to the daemon (relay)
connection   the two pumps of one client, and how it ends (relayed_connection)
tap          is told each chunk before it goes on, and scans it (tap)
upstream     the daemon's socket, or a command in its place (upstream)
distance     a daemon made far away on purpose (distance)

Imports `recording`, `machine`, `base` and `pix`. Begin at `relay`.
"""
