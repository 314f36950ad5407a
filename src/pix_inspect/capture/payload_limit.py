"""How much of each payload a recording keeps: the option's value and its default."""

from __future__ import annotations

DEFAULT_PAYLOAD = 64 << 10
"""Bytes kept of each payload by default."""
