"""Recordings played back: the client's side to a daemon, or the daemon's side to clients.

    recorded    one recorded exchange as something that can be said again
    recast      a request or an answer in another version than it was recorded in
    schedule    what was said when, and what had to happen before it
    connection  one connection on which requests are sent again
    client      all of a recording's connections against a daemon
    verdicts    what came of each exchange, field by field
    repertoire  recorded answers, found by the value of the request
    played      one client that is answered from the repertoire
    daemon      the socket that clients connect to

Nothing here knows of screens.
"""
