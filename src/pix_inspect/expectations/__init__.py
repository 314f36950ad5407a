"""What a session has to be like: `check FILE 'no error' 'p95(took) < 50ms'`.

expectation   one sentence that holds or does not (expectation), and can fail (vacuous)
verdict       what a session made of it, and by how much (verdicts)

Imports `filter`, `findings`, `session` and below. Begin at `expectation`.
"""
