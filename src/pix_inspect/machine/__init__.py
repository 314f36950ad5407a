"""What the operating system says: processes, sockets, locks, queues of bytes.

process   how it is, its command line, parents (processes); those below it (process_tree)
doing     the system call in which it waits (doings), for which of its files (descriptors)
socket    compared, handed over by systemd (sockets); who accepts on it (listeners)
lock      who holds which file (file_locks); which build needs which (derivations)
file      when it changes (file_changes)
queue     bytes that a side has not read (kernel_queues)
relay     which run, which stands behind which (running_relays, relay_chain, recent_recordings)

Imports `base`. Begin at `processes`.
"""
