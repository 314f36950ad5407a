"""The main screen: panes, selection, filter, search, marks, following. Begin at `main_screen`."""
