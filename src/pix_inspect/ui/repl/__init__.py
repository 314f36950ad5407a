"""The REPL's pane.

pane     a line to write in, and what came of the ones before (repl_pane, repl_output)
thread   where lines are asked, so that the screen never waits for a daemon (repl_thread)

Begin at `repl_pane`.
"""
