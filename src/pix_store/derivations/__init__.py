"""Derivations: what is to be built, and which paths its outputs have.

derivation    a .drv file read and written (derivation)
output        fixed, input-addressed, floating or deferred (outputs, floating)
modulo        the hash of a derivation that its input-addressed outputs are named by (hash_modulo)
realisation   which path an output turned out to have (realisations)

Imports `pix_store.connection` and `pix_store.store`. Begin at `derivation`.
"""
