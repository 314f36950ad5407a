"""The gateway: the gRPC service WorkerService in front of any daemon.

listening   the socket, who may connect, and which connection a call came by (listening)
call        one call: from its message to a request, from the reply to its message (calls)
stream      requests that come in pieces (streams)
pool        a daemon connection for each call under way (pool), recorded as it is used (recorded)
status      what a call ends with, and the log that goes with it (statuses)
server      all of these together (server)

Imports `pix.worker_service`, `capture`, `recording`, `base`; grpcio only here. Begin at `server`.
"""
