"""Where the time of a session went.

round trip   a request and its answer, and what distance would add (round_trips)
run          many alike in a row, and what would replace them (runs)
statistics   totals by operation and connection (statistics)
summary      what a command's session came to, in lines (summary); all of it as text (text)

Imports `describe`, `session` and below. Begin at `round_trips`.
"""
