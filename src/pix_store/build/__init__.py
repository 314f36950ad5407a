"""Builds: from a derivation to valid outputs.

plan        what has to be built, and in which order (plan)
scheduler   who builds what, once for all clients that ask (scheduler)
build       one derivation's builder, its log and its end (one_build, run_builder; those that
            are part of Nix: builtin_builders)
directory   where the builder works (build_directory)
outcome     built, already valid, failed, and why (outcome, register_outputs)

Imports `pix_store.derivations`, `connection` and `store`. Begin at `one_build`.
"""
