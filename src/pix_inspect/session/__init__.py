"""An indexed recording: all its exchanges as numbers, each decoded when somebody looks.

session    what a recording holds, finished or growing (session)
index      one packed record an exchange (index); its columns, and a row of them (row)
follower   an open connection while it is read (connection_follower)
view       one exchange with its bytes, messages and log (exchange_view, kept_bytes)
mark       what the user noted beside the recording (marks)

Imports `recording`, `base` and `pix`. Begin at `session`: the rule of threads stands there.
"""
