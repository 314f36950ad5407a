"""The daemon as the gRPC service WorkerService: what `nix.proto` calls our operations.

method      what can be called, its fields and numbers, the operations behind it (methods, asking)
descriptor  the same as protobuf knows it, made when it is needed (descriptors)
message     to a request and from a reply, and the other way round (messages); what a daemon's
            error says (status_details)
client      `with WorkerServiceClient("unix:///tmp/grpc.sock") as daemon:` (client)

Imports `pix.daemon`, `pix.protocol`, `pix.codec`; grpcio and protobuf, which the extra `grpc`
installs, only where they are used (extra). Begin at `methods`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pix.worker_service.client import WorkerServiceClient

__all__ = ["WorkerServiceClient"]


def __getattr__(name: str) -> Any:
    if name == "WorkerServiceClient":  # the table can be read without grpcio
        from pix.worker_service.client import WorkerServiceClient

        return WorkerServiceClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
