"""Lines typed by hand become requests; answers become values.

repl         a connection kept, and what was asked on it (repl, raw_connection)
expression   a line as a tree of allowed things, never `eval` (expressions)
function     an operation or command that a line can call (functions, commands)
value        an answer that can be shown and used on (values, text)
line         a recorded exchange as a line to send again (as_line), completed (completion)

Imports `replay`, `session` and below. Begin at `repl`.
"""
