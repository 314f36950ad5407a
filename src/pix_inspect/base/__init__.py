"""What everything else stands on; knows nothing of the protocol.

safe text   text that a terminal cannot obey (safe_text), with secrets blanked (secrets)
unit        bytes, durations and counts as people read them (units)
state       where the tool remembers things (state_directory, settings, line_history)
choice      the file in which the user chooses how it looks (settings_file)
new file    a file that appears whole, and overwrites nothing unasked (new_files)
stream      lines of output (terminal_text) and of tables (table), what is said beside it (narrate),
            outputs that close (standard_streams)
crash       what is kept of a mistake of our own (crash_report), and what is none (refusals)

Imports the standard library and `pix.problem`. Begin at `safe_text`.
"""
