"""Recordings played back: the client's side to a daemon, or the daemon's side to clients.

recorded    one recorded exchange as something that can be said again (recorded, translate)
schedule    what was said when, and what had to happen before it (schedule)
client      all of a recording against a daemon (client, client_connection, comparison)
answer      a recorded answer, found by the value of the request (answers)
daemon      the socket that clients connect to (daemon, daemon_connection)

Imports `compare`, `session` and below. Begin at `recorded`.
"""
