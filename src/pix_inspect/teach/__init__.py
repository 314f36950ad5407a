"""The protocol explained: entries, manual, tours, from the declarations and from recordings.

entry      what is known of an operation, type or field (entries, entry_text)
erratum    where other documents are wrong (errata)
example    the recorded exchange that shows a thing best (examples, bundled)
tour       a recorded session, step by step (tours)
manual     all of it as pages (manual)

Imports `describe`, `session` and below. Begin at `entries`.
"""
