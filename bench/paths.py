"""Where the benchmark reads and writes."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
CACHE = REPOSITORY / ".cache" / "bench"
RECORDING = CACHE / "recording"
VENVS = CACHE / "venvs"
RESULTS = REPOSITORY / "bench" / "results"
DOCS = REPOSITORY / "docs"
TMPFS = Path("/dev/shm")
