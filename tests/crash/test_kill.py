"""The program is killed at random moments of downloads and evictions; what it left behind is looked at."""

from __future__ import annotations

import http.client
import random
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.cache.fakes import files_below, parts_below
from tests.fakes.cheesebox_process import CheeseboxProcess
from tests.fakes.faults import Truncate

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.index_pages import FakeFile
    from tests.fakes.pypi import FakePyPI

pytestmark = [pytest.mark.crash, pytest.mark.timeout(180)]

ROUNDS = 15
CLIENTS = 6
MAX_SIZE = 2_000_000


@dataclass(frozen=True)
class Offer:
    """What clients ask for: a path below the mount, and the bytes that are right (None: a page)."""

    path: str
    content: bytes | None


def offers_of(files: list[FakeFile]) -> list[Offer]:
    wheels = [Offer(file.path.lstrip("/"), file.content) for file in files]
    metadata = [
        Offer(f"{wheel.path}.metadata", file.metadata) for wheel, file in zip(wheels, files, strict=True)
    ]
    pages = [Offer(f"simple/{project}/", None) for project in sorted({file.project for file in files})]
    return wheels + metadata + pages


class Load:
    """Clients that ask for random things until the server is gone; ``wrong`` collects what must not be."""

    def __init__(self, box: CheeseboxProcess, offers: list[Offer], seed: int) -> None:
        self.wrong: list[str] = []
        self.served = 0
        self._box = box
        self._offers = offers
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(random.Random(f"{seed} {number}"),))
            for number in range(CLIENTS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, order: random.Random) -> None:
        while not self._stopped.is_set():
            offer = order.choice(self._offers)
            try:
                body = fetch(self._box, offer)
            except http.client.IncompleteRead as error:
                self._look(offer, error.partial, whole=False)
            except (OSError, http.client.HTTPException):
                continue
            else:
                self._look(offer, body, whole=True)

    def _look(self, offer: Offer, body: bytes, *, whole: bool) -> None:
        self.served += whole
        if offer.content is not None and body != (offer.content if whole else offer.content[: len(body)]):
            self.wrong.append(offer.path)


def fetch(box: CheeseboxProcess, offer: Offer) -> bytes:
    request = urllib.request.Request(f"{box.mount_url}/{offer.path}", headers={"Accept": "text/html"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            raise OSError(f"{error.code} {offer.path}") from None


def assert_nothing_is_orphaned(root: Path) -> None:
    """Compare the directory with the catalogue, and its sums with a recount."""
    with closing(sqlite3.connect(f"file:{root / 'catalogue.sqlite'}?mode=ro", uri=True)) as catalogue:
        rows = catalogue.execute("SELECT key, size, state FROM entries").fetchall()
        totals = catalogue.execute("SELECT size, entries FROM totals").fetchone()
    assert {key for key, _, _ in rows} == files_below(root)
    assert {state for _, _, state in rows} <= {0}
    assert all((root / key).stat().st_size == size for key, size, _ in rows)
    assert totals == (sum(size for _, size, _ in rows), len(rows))
    assert totals[0] <= MAX_SIZE
    assert parts_below(root) == []


def test_a_killed_server_leaves_nothing_wrong_behind(pypi: FakePyPI, tmp_path: Path) -> None:
    root = tmp_path / "cache"
    order = random.Random(20260131)
    files = [
        pypi.add_wheel(f"project{number % 4}", f"1.{number}", size_padding=order.randrange(1000, 400_000))
        for number in range(24)
    ]
    offers = offers_of(files)
    served = 0
    for turn in range(ROUNDS):
        box = CheeseboxProcess(pypi.simple_url, root, "--max-size", str(MAX_SIZE)).start()
        try:
            assert_nothing_is_orphaned(root)
            if turn % 3 == 0:
                pypi.fault("/packages/*", Truncate(20_000), times=3)
            load = Load(box, offers, turn)
            load.start()
            time.sleep(order.uniform(0.05, 0.7))  # the moment is the experiment, nothing waits for it
        finally:
            box.kill()
        load.stop()
        assert load.wrong == []
        served += load.served
    assert served > 0
    with CheeseboxProcess(pypi.simple_url, root, "--max-size", str(MAX_SIZE)) as box:
        assert_nothing_is_orphaned(root)
        for offer in offers:
            body = fetch(box, offer)
            assert offer.content is None or body == offer.content
        assert box.stop() == 0
    assert_nothing_is_orphaned(root)


def test_a_server_that_is_killed_and_loses_its_catalogue_asks_upstream_for_no_file(
    pypi: FakePyPI, tmp_path: Path
) -> None:
    root = tmp_path / "cache"
    files = [pypi.add_wheel("demo", f"1.{number}", size_padding=10_000) for number in range(5)]
    offers = offers_of(files)
    box = CheeseboxProcess(pypi.simple_url, root, "--max-size", str(MAX_SIZE)).start()
    try:
        for offer in offers:
            fetch(box, offer)
    finally:
        box.kill()
    for path in root.glob("catalogue.sqlite*"):
        path.unlink()
    pypi.go_down()
    with CheeseboxProcess(pypi.simple_url, root, "--max-size", str(MAX_SIZE)) as box:
        box.wait_for_line("catalogue rebuilt: 11 objects")
        for offer in offers:
            body = fetch(box, offer)
            assert offer.content is None or body == offer.content
        assert box.stop() == 0
    assert_nothing_is_orphaned(root)
