from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.cli.doctor.directory import (
    Claim,
    DirectoryFacts,
    Space,
    SpaceLimits,
    judge_directory,
    judge_secret,
    judge_space,
)
from cheesebox.cli.doctor.findings import Level

GB = 10**9
SOUND = DirectoryFacts(
    path=Path("/cache"), claim=Claim.OURS, space=Space(100 * GB, 10**6, 10**6), stored=10 * GB
)
LIMITS = SpaceLimits(50 * GB, GB)


def levels(findings):
    return [finding.level for finding in findings]


@pytest.mark.parametrize("claim", [Claim.OURS, Claim.NOTHING])
def test_a_sound_directory_is_in_order(claim):
    assert levels(judge_directory(replace(SOUND, claim=claim), server_answers=False)) == [Level.OK]


@pytest.mark.parametrize(
    "changes",
    [
        {"claim": Claim.FOREIGN},
        {"writing": "Permission denied"},
        {"renaming": "Operation not supported"},
        {"locking": "No locks available"},
    ],
)
def test_a_directory_that_cannot_hold_the_cache_fails_with_a_fix(changes):
    [finding] = judge_directory(replace(SOUND, **changes), server_answers=True)
    assert finding.level is Level.FAIL
    assert "--cache-dir" in finding.fix


def test_a_lock_is_the_running_server_s_or_has_to_be_explained():
    locked = replace(SOUND, is_locked=True)
    assert levels(judge_directory(locked, server_answers=True)) == [Level.OK]
    assert levels(judge_directory(locked, server_answers=False)) == [Level.WARN]


@pytest.mark.parametrize(
    ("free", "stored", "level"),
    [
        (100 * GB, 0, Level.OK),
        (51 * GB, 0, Level.OK),
        (50 * GB, 0, Level.WARN),
        (11 * GB, 40 * GB, Level.OK),
        (GB, 10 * GB, Level.FAIL),
        (GB, 50 * GB, Level.OK),
    ],
)
def test_the_disk_has_to_take_what_the_limits_allow(free, stored, level):
    facts = replace(SOUND, space=replace(SOUND.space, free=free), stored=stored)
    assert levels(judge_space(facts, LIMITS)) == [level]


@given(
    free=st.integers(min_value=0, max_value=10**13),
    stored=st.integers(min_value=0, max_value=10**13),
    max_size=st.integers(min_value=1, max_value=10**13),
    min_free=st.integers(min_value=0, max_value=10**12),
)
def test_all_is_in_order_exactly_when_the_cache_can_fill_up(free, stored, max_size, min_free):
    facts = replace(SOUND, space=replace(SOUND.space, free=free), stored=stored)
    [finding] = judge_space(facts, SpaceLimits(max_size, min_free))
    fills_up = stored >= max_size or free - min_free >= max_size - stored
    assert (finding.level is Level.OK) is fills_up


@pytest.mark.parametrize(
    ("inodes", "left", "expected"),
    [(10**6, 5000, [Level.WARN]), (10**6, 0, [Level.FAIL]), (0, 0, []), (10**6, 10**5, [])],
)
def test_inodes_are_looked_at_where_the_file_system_counts_them(inodes, left, expected):
    _, *found = judge_space(replace(SOUND, space=Space(100 * GB, inodes, left)), LIMITS)
    assert levels(found) == expected


@pytest.mark.parametrize(
    ("mode", "level"),
    [(0o100600, Level.OK), (0o100400, Level.OK), (0o100644, Level.WARN), (0o100660, Level.WARN)],
)
def test_a_secret_is_its_owner_s_alone(mode, level):
    assert judge_secret(Path("/run/token"), mode).level is level
