import os
import threading

import pytest

from cheesebox.adapters.board import Board, Slot, make_board, slot_of
from cheesebox.ports import Key
from cheesebox.web.crossing import Offer
from cheesebox.web.granted import GrantedAccess, GrantedLease
from cheesebox.web.heads import ReadyFileHead

PAGE, FILE = Key("pypi/simple/demo.page"), Key("pypi/packages/demo.whl")


@pytest.fixture
def memory():
    fd = make_board()
    yield fd
    os.close(fd)


@pytest.fixture
def keeper(memory):
    board = Board(memory)
    yield board
    board.close()


@pytest.fixture
def worker(memory):
    board = Board(memory)
    yield board
    board.close()


def lease(keeper, worker, clock, *keys, ends=100.0, most=30.0):
    offer = Offer("k", "file", '"e"', ReadyFileHead(None, 1, "X"), keeper.seen(keys), 10.0, ends, most)
    return GrantedLease(offer, worker.counts, lambda: clock[0])


def test_a_lease_holds_until_one_of_its_keys_changes(keeper, worker):
    held = lease(keeper, worker, [50.0], PAGE, FILE)
    keeper.changed([Key("pypi/simple/other.page")])
    assert held.remaining() == 30
    keeper.changed([FILE])
    assert held.remaining() is None


def test_a_lease_ends_in_time_and_does_not_hold_before_it_was_granted(keeper, worker):
    clock = [99.5]
    held = lease(keeper, worker, clock, PAGE)
    assert held.remaining() == 0
    clock[0] = 100.0
    assert held.remaining() is None
    clock[0] = 9.0
    assert held.remaining() is None


def test_a_change_of_everything_ends_all_leases(keeper, worker):
    held = lease(keeper, worker, [50.0])
    keeper.removed()
    assert held.remaining() == 30
    keeper.everything_changed()
    assert held.remaining() is None


def test_no_key_has_a_slot_that_means_something_else():
    assert all(slot_of(Key(f"pypi/{number}")) >= len(Slot) for number in range(2000))


def test_changes_by_several_threads_are_all_counted(keeper):
    threads = [
        threading.Thread(target=lambda: [keeper.changed([PAGE]) for _ in range(500)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert keeper.counts[slot_of(PAGE)] == 2000


def test_who_was_let_in_is_forgotten_when_other_people_may_come_in(keeper, worker):
    access = GrantedAccess(worker.counts, Slot.CREDENTIALS)
    access.remember(b"Basic x", access.state)
    assert access.knows(b"Basic x")
    assert not access.knows(b"Basic y")
    assert not access.knows(None)
    before = access.state
    keeper.credentials_changed()
    assert not access.knows(b"Basic x")
    access.remember(b"Basic z", before)  # let in by keys that do not hold any more
    assert not access.knows(b"Basic z")
    access.remember(b"Basic z", access.state)
    assert access.knows(b"Basic z")
    assert not access.knows(b"Basic x")
