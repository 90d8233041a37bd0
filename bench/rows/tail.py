"""The slowest hot answers while cold downloads and an eviction of thousands of files go on.

The clients of those downloads share the load generator's core with wrk and slow it down by themselves; so the
same downloads are also run past the server, from the upstream directly, and told as a second comparison.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from bench import http, wrk
from bench.checks import check_page
from bench.corpus import FILE_SIZES, family
from bench.links import GBIT
from bench.results import Group, Measurement, Row

if TYPE_CHECKING:
    from bench.lab import Lab
    from bench.peers.base import Running

PAGE = "page-18k"
DOWNLOADS = 20
EVICTED = 10_000
KEPT = 4_000
BATCH = 50
MICROSECOND = 1e-6


def _measure(lab: Lab) -> list[Measurement]:
    quiet, bypass, busy, evicted = [], [], [], []
    downloads, to_evict = (round(count * lab.options.crowding) for count in (DOWNLOADS, EVICTED))
    for _ in range(max(1, lab.options.slow_pairs - 1)):
        room = downloads * FILE_SIZES["big"] + KEPT * FILE_SIZES["small"]
        subject = lab.subject(GBIT, "--max-size", str(room))
        check_page(lab, subject, PAGE)
        _fill(subject, KEPT + to_evict)
        before = _count_small(subject)
        quiet.append(_p99(subject, 2 * lab.options.seconds))
        bypass.append(_p99_during(lab, subject, lab.upstream.origin(GBIT), downloads))
        busy.append(_p99_during(lab, subject, subject.files, downloads))
        evicted.append(before - _count_small(subject))
        lab.release(subject)
    notes = {"evicted": evicted, "downloads": downloads}
    return [
        Measurement([one / other for one, other in zip(busy, quiet, strict=True)], busy, quiet, notes),
        Measurement([one / other for one, other in zip(busy, bypass, strict=True)], busy, bypass, notes),
    ]


def _fill(subject: Running, count: int) -> None:
    """Have the subject fetch and keep `count` small files."""
    numbers = range(100_000, 100_000 + count)
    for start in range(0, len(numbers), BATCH):
        batch = numbers[start : start + BATCH]
        files = [family("small").file(number) for number in batch]
        http.download_many([subject.file("small", number) for number in batch], "small", files)


def _count_small(subject: Running) -> int:
    return sum(1 for path in Path(subject.home).rglob("bench_small-*.whl"))


def _p99(subject: Running, seconds: float) -> float:
    return wrk.run(subject.page(PAGE), http.UV_PAGE, seconds).p99 / MICROSECOND


def _p99_during(lab: Lab, subject: Running, base: str | None, downloads: int) -> float:
    """Return p99 while cold files come from `base`: the subject's own, or the upstream's past it."""
    numbers = [lab.new_file_number() for _ in range(downloads)]
    files = [family("big").file(number) for number in numbers]
    urls = [f"{base}{file.path}" for file in files]
    seconds = downloads * FILE_SIZES["big"] / 125e6
    with ThreadPoolExecutor(1) as pool:
        downloads = pool.submit(http.download_many, urls, "big", files)
        p99 = _p99(subject, seconds)
        downloads.result()
    return p99


GROUPS = (
    Group(
        (
            Row(
                "tail.p99.quiet",
                "p99 of hot pages, 20 cold downloads, eviction",
                "itself, quiet",
                "<=",
                3.0,
                quantity="µs",
            ),
            Row(
                "tail.p99.bypass",
                "p99 of hot pages, the same",
                "downloads past it",
                "<=",
                None,
                quantity="µs",
            ),
        ),
        _measure,
    ),
)
