"""Widgets that any screen uses: lines, bars, text lines, dialogs. Begin at `lines`."""
