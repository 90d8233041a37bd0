"""How start, lookup, admission and eviction behave with the number of catalogued files.

Run by hand: ``python -m bench.scale``. Entries are made up in the catalogue; files only where they are
touched. Prints a table; takes about two minutes.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from cheesebox.adapters.disk_store import DiskStore
from cheesebox.adapters.sqlite_catalogue import SqliteCatalogue
from cheesebox.ports import Entry, Key, Kind

COUNTS = (1_000, 100_000, 1_000_000)
ROUNDS = 300


def key_of(number: int) -> Key:
    """Give a key as a wheel has it."""
    digest = hashlib.blake2b(str(number).encode(), digest_size=32).hexdigest()
    return Key(f"pypi/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/name-{number}-py3-none-any.whl")


def entry_of(number: int) -> Entry:
    """Give an entry of a megabyte that was used at second ``number``."""
    key = key_of(number)
    return Entry(
        key,
        Kind.FILE,
        1_000_000,
        f"blake2b-256:{number:064x}",
        f"https://files.example/{key}",
        etag=f'"{number:064x}"',
        fetched_at=1.0,
        validated_at=1.0,
        last_used=time.time() - 86_400 + number / 1_000_000,
    )


def fill(root: Path, count: int) -> None:
    """Write a catalogue of ``count`` entries."""
    store = DiskStore(root)
    store.prepare()
    store.close()
    catalogue = SqliteCatalogue(root / "catalogue.sqlite")
    with catalogue._write() as db:  # noqa: SLF001 - a bench may reach in: one transaction, not a million
        from cheesebox.adapters.sqlite_catalogue import _UPSERT, _row  # noqa: PLC0415 - as above

        db.executemany(_UPSERT, ((*_row(entry_of(number)), 0) for number in range(count)))
    catalogue.remember("rebuilt", "1")
    catalogue.close()


def start_up(root: Path) -> tuple[float, float]:
    """Start the server on it; gives seconds until it answers and its memory in MB."""
    command = [sys.executable, "-m", "cheesebox", "serve", "--port", "0", "--cache-dir", str(root)]
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--max-size", "2000TB", "--upstream", "http://127.0.0.1:9/simple/"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert "http://" in process.stdout.readline()
        ready = time.perf_counter() - began
        status = Path(f"/proc/{process.pid}/status").read_text()
        return ready, int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1000
    finally:
        process.terminate()
        process.wait()


def microseconds(action, numbers) -> float:
    """Time an action for each number; gives the median."""
    taken = []
    for number in numbers:
        began = time.perf_counter()
        action(number)
        taken.append(time.perf_counter() - began)
    return median(taken) * 1e6


def operations(root: Path, count: int) -> dict[str, float]:
    """Time the catalogue's part of a lookup, an admission and an eviction, in microseconds."""
    catalogue = SqliteCatalogue(root / "catalogue.sqlite")

    def admit(number: int) -> None:
        catalogue.totals()
        catalogue.announce(entry_of(number))
        catalogue.confirm(key_of(number))

    def evict(_: int) -> None:
        victims = [entry.key for entry in catalogue.oldest(1)]
        catalogue.doom(victims)
        catalogue.forget(victims)

    try:
        return {
            "lookup": microseconds(lambda n: catalogue.get(key_of(n * 7919 % count)), range(ROUNDS)),
            "admission": microseconds(admit, range(count, count + ROUNDS)),
            "eviction": microseconds(evict, range(ROUNDS)),
        }
    finally:
        catalogue.close()


def main() -> None:
    """Print the table."""
    print("  entries   ready s  memory MB  lookup µs   admit µs   evict µs")
    for count in COUNTS:
        root = Path(tempfile.mkdtemp(prefix="cheesebox-scale-"))
        try:
            fill(root, count)
            ready, memory = start_up(root)
            took = operations(root, count)
        finally:
            shutil.rmtree(root)
        times = "  ".join(f"{took[name]:9.0f}" for name in ("lookup", "admission", "eviction"))
        print(f"{count:9,}  {ready:8.2f}  {memory:9.0f}  {times}", flush=True)


if __name__ == "__main__":
    main()
