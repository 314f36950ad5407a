"""What was sent along with an exchange: NARs, exports, logs, as files.

contents    which files a payload holds, and where (contents)
unpacking   those files written to disk (unpacking)

Imports `session`, `base` and `pix`. Begin at `contents`.
"""
