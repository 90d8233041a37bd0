"""How large things are: quantiles of real pages, metadata and wheels, in `sizes.json`.

`python -m bench.simulation.sizes` makes the file anew from what the benchmark has recorded of the public
index (`bench.recording`): 164 pages as uv got them, their newest wheels by the sizes that the pages tell, the
METADATA of the 166 wheels that uv looked at, and how often a year the projects release. Pages are told twice:
as they are stored, and as they are sent (gzip).
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from bench import recording

if TYPE_CHECKING:
    import random

SIZES = Path(__file__).with_name("sizes.json")
STEPS = 40
NEWEST = 5  # days of releases whose wheels count: what installs take is mostly new
YEAR = 365.0


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A distribution: its quantiles at equal steps from least to most, bytes."""

    values: tuple[int, ...]

    @classmethod
    def of(cls, sample: list[int]) -> Quantiles:
        """Take the quantiles of a sample."""
        rising, last = sorted(sample), len(sample) - 1
        return cls(tuple(rising[round(step / STEPS * last)] for step in range(STEPS + 1)))

    def at(self, share: float) -> int:
        """Give the quantile, between steps by straight lines."""
        place = share * (len(self.values) - 1)
        below = min(int(place), len(self.values) - 2)
        low, high = self.values[below], self.values[below + 1]
        return max(1, round(low + (high - low) * (place - below)))

    def mean(self) -> float:
        """Give the mean of what `at` gives."""
        pairs = zip(self.values, self.values[1:], strict=False)
        return mean((low + high) / 2 for low, high in pairs)


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is known of sizes; ``releases`` a year and project."""

    page_stored: Quantiles
    page_sent: Quantiles
    metadata: Quantiles
    file: Quantiles
    releases: float

    def page(self, source: random.Random) -> tuple[int, int]:
        """Draw a page's size as stored and as sent: a long page is long in both."""
        share = source.random()
        return self.page_stored.at(share), self.page_sent.at(share)


def read_sizes(path: Path = SIZES) -> Sizes:
    """Read the file."""
    data = json.loads(path.read_text())
    named = ("page_stored", "page_sent", "metadata", "file")
    return Sizes(**{name: Quantiles(tuple(data[name])) for name in named}, releases=data["releases"])


def measure() -> dict[str, Any]:
    """Measure what is recorded."""
    recorded = recording.load() or recording.record()
    bodies = [path.read_bytes() for path in recorded.pages.values()]
    pages = [json.loads(body)["files"] for body in bodies]
    metadata = [wheel.metadata.stat().st_size for wheel in recorded.wheels.values()]
    newest = max(file["upload-time"] for files in pages for file in files)
    samples = {
        "page_stored": [len(body) for body in bodies],
        "page_sent": [len(gzip.compress(body, 6)) for body in bodies],
        "metadata": metadata,
        "file": [size for files in pages for size in _newest_wheels(files)],
    }
    told: dict[str, Any] = {name: list(Quantiles.of(sample).values) for name, sample in samples.items()}
    return {**told, "releases": round(mean(_releases(files, newest) for files in pages), 2)}


def _newest_wheels(files: list[dict[str, Any]]) -> list[int]:
    """Give one size for each of the last days with wheels: their median, as platforms differ."""
    days: dict[str, list[int]] = {}
    for file in files:
        if file["filename"].endswith(".whl") and file.get("size"):
            days.setdefault(file["upload-time"][:10], []).append(file["size"])
    return [sorted(days[day])[len(days[day]) // 2] for day in sorted(days)[-NEWEST:]]


def _releases(files: list[dict[str, Any]], newest: str) -> int:
    since = f"{int(newest[:4]) - 1}{newest[4:10]}"
    return len({file["upload-time"][:10] for file in files if file["upload-time"][:10] > since})


if __name__ == "__main__":
    SIZES.write_text(json.dumps(measure()) + "\n")
