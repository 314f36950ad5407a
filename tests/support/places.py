"""Where things of the repository lie."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = ROOT / "recordings"
EVERY_RECORDING = sorted(RECORDINGS.glob("*.pcapng"))
