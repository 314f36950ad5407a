"""The packages that only this service needs, `pip install 'pix-inspect[grpc]'`."""

from __future__ import annotations

import importlib
from types import ModuleType

from pix.problem import Problem


class NotInstalled(Problem, ImportError):
    """gRPC is not there; says how to get it."""


def need(name: str) -> ModuleType:
    """Return the module of that name. Raises NotInstalled."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NotInstalled(
            f"gRPC is not installed ({error.name or name} is missing):"
            " pip install 'pix-inspect[grpc]'"
        ) from None
