"""Parts of a recording for elsewhere: printed, as an excerpt for people, as a smaller recording.

printer   exchanges as text or JSON lines (printer)
excerpt   some exchanges as Markdown, redacted (excerpt)
subset    some exchanges as a recording (recording_subset)

Imports `describe`, `session` and below. Begin at `printer`.
"""
