"""The REPL's pane: lines typed, asked on a thread, answered. Begin at `repl_pane`."""
