"""An indexed recording: all its exchanges as numbers, each decoded when somebody looks.

session    what a recording holds, finished or growing (session)
growth     each exchange once it is over, while a recording is read or grows (growth)
index      one packed record an exchange (index); its columns, and a row of them (row)
follower   an open connection while it is read (connection_follower, guessed_beginning)
view       one exchange with its messages, payload and log (exchange_view, payload_spans)
failure    what went wrong in it, be it an error or a build (failures)
log        what the daemon said meanwhile, in words (log_text) and as work (activities)
beside     what the daemon's program wrote to its standard error meanwhile (standard_error)
           for which calls the gateway asked it (grpc_calls)
kept       the bytes of it that were recorded (kept_bytes); what of it may be shown (redaction)
mark       what the user noted beside the recording (marks)

Imports `recording`, `base` and `pix`. Begin at `session`: the rule of threads stands there.
"""
