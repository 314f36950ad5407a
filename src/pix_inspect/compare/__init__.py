"""Two sessions, or two exchanges: what differs, less what differs by nature.

exchange      two of them, field by field (exchanges, changes, changes_text)
session       two of them, operation by operation (sessions, sessions_text)
fingerprint   what an exchange asked and was answered (fingerprints, canonical_bytes, bulk_bytes)
volatile      what changes from run to run (volatile)

Imports `analysis`, `session` and below. Begin at `sessions`.
"""
