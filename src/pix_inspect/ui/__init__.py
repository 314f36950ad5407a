"""The screen: Textual widgets over `pix_inspect.session`. Nothing else knows Textual.

    app                              the program: keys, tabs, palette, what opens what
    screens                          the other screens: statistics, findings, waits, round trips
    main                             the main screen: panes, filter, search, following
    timeline | exchange | repl       rows; fields, bytes, log, payload of one; the REPL's pane
    widgets                          lines, bars, dialogs that any screen uses

A lower line never imports an upper one. Begin at `main.main_screen`.
"""
