"""The main screen, and its controllers: each has a state of its own.

screen      its panes and keys (main_screen, panes, dividers), the line at the top (status, tabs)
selection   one exchange, field and byte in all panes (exchange_panes); a place (places)
filter      in force, at work (filtering); a search likewise (searching)
growth      what arrives is taken in on a timer (following)
mark        kept with their notes (marking); asking: the REPL's daemon (asking)
host        what the screen asks of the application (host)

Begin at `main_screen`.
"""
