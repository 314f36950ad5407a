"""The timeline: exchanges as rows, in columns, sorted and grouped.

row       which exchange stands on which line (rows, arrangement), with its mark (marks)
column    what each shows, which give way first (columns, column_dialog)
painter   how a row looks, and what it is about (row_painter, glances, connection_facts)
lines     scrolled, with a cursor (timeline_lines); with keys: the timeline (timeline)

Begin at `timeline`.
"""
