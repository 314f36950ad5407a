"""The store itself: objects, their paths, hashes and references, and where they are kept.

object    a file, folder or link in canonical form, and what it names (trees, files, references)
path      its name in the store, and the hash in it (store_paths, content_address, hashes)
info      what is known of a valid path (path_info), and who vouches for it (signatures, ed25519)
backend   memory or a folder that survives restarts (backend, spool)
refusal   an error that a client is told (refusal)

Imports `pix` only. Begin at `store`, which holds them all.
"""
