"""One exchange in panes: fields, bytes, log, payload, explanation. Begin at `fields_pane`."""
