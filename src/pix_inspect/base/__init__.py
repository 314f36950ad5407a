"""What everything else stands on; knows nothing of the protocol.

safe text   text from the wire that a terminal cannot obey (safe_text)
unit        bytes, durations and counts as people read them (units)
state       the folder where the tool remembers things (state_directory, settings)
new file    a file that appears whole, and overwrites nothing unasked (new_files)

Imports the standard library and `pix.problem`. Begin at `safe_text`.
"""
