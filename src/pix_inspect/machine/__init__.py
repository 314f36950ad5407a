"""What the operating system says: processes, sockets, locks, queues of bytes.

process   command line, parents, what it waits in (processes)
socket    compared, handed over by systemd (sockets)
lock      who holds which file, by the kernel's list (file_locks)
queue     bytes that a side has not read (kernel_queues)
relay     which run, which stands behind which (running_relays, relay_chain, recent_recordings)

Imports `base`. Begin at `processes`.
"""
