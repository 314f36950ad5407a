"""Parts of a recording for elsewhere: printed, as an excerpt for people, as a smaller recording,
or in the formats of other tools.

printer   exchanges as text or JSON lines (printer)
excerpt   some exchanges as Markdown, redacted (excerpt)
subset    some exchanges as a recording (recording_subset)
reading   for scripts: what `pix_inspect.open` returns (reading)
others    OpenTelemetry (spans, collector, delivery), trace events (chrome), SQLite (database)

Imports `describe`, `session` and below. Begin at `printer`.
"""
