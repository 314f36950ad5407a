"""Listening: bytes go from client to daemon and back, unchanged, and a copy into the recording.

relay        who may connect, and each of them to the daemon (relay, repeated_troubles)
peer         who it is that connected (peer)
connection   the two pumps of one client, and how it ends (relayed_connection)
tap          told each chunk before it goes on: scans it, keeps payload (tap, payload_limit)
upstream     the daemon's socket, or a command in its place (upstream), ended with
             all that it started (command_group)
distance     a daemon made far away on purpose (distance)
capture      all of these with a recording (capture); one for requests of our own (own_relay)

Imports `recording`, `machine`, `base` and `pix`. Begin at `relay`.
"""
