"""One exchange in panes.

fields        a tree whose branches are made when opened (fields_pane, outline)
bytes         in lines, the chosen field lit (bytes_pane, byte_lines)
log           what the daemon said: lines, or a tree of activities (log_pane, log_tree)
payload       files in a tree (payload_pane, payload_tree), saving them (payload_saving)
explanation   what the declarations say of a field (explanation)
copy          a field or exchange as text (copying)

Begin at `fields_pane`.
"""
