"""Widgets that any screen uses.

lines     a pane of lines: cursor, `j` and `k`, mouse (lines); rows of one kind (row_list)
prose     text wrapped to the width (prose); what fits into cells (text)
bar       the line in which one writes (bar, bar_lines, text_line, choices)
key       those that work (keys_footer), one that a text names (pressed)
dialog    a path asked for (path_dialog), a file written meanwhile (writing)
later     work beside the screen (background), or after a while (later); screens left once (guarded)

Begin at `lines`.
"""
