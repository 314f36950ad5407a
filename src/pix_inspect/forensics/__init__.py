"""Where a stream is out of step: which mistake of an implementation explains it.

desync      the bytes that are impossible where they stand (desync)
mistake     one of the known ways to get the protocol wrong (mistakes)
rule        what a mistake looks like in the bytes (rules)
repair      an edit of the bytes that makes the rest fit (repairs), a field put in or out (fields),
            also inside a STDERR frame (log_frames), or changed on the way (line_ends),
            or by a terminal (terminals)
message     what a side said in one turn (messages), or in the handshake (hellos)
turn        who spoke when (turns), recorded in another order (order); who broke off (endings), or
            speaks where nobody should (strangers)

Imports `session` and below. Begin at `mistakes`, then `rules`.
"""
