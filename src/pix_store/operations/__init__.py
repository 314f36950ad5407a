"""What the daemon in the box does for each operation of the protocol.

queries       what is valid, who refers to whom, what is missing
adding        files, texts, NARs and exports into the store
building      paths and derivations
roots         what is kept, and collecting the rest (roots, garbage)
maintenance   verify, optimise, signatures, logs
serving       the commands of the serve protocol, by the others

Imports all of `pix_store` below `daemon`. Begin at `queries`.
"""
