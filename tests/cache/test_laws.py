"""Laws of the pure parts, over generated cases."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cheesebox.cache import digests, envelope, freshness
from cheesebox.cache.eviction import Excess, Limits, Usage, choose, excess
from cheesebox.cache.freshness import Copy, Fetch, Policy, Refresh, Serve, Verdict
from cheesebox.cache.memory import WeightedLru
from cheesebox.cache.transfer import Begin, is_lasting, length_of, number, request_headers, understand
from cheesebox.errors import (
    BodyChanged,
    CheeseboxError,
    DigestMismatch,
    NotFound,
    UpstreamBroken,
    UpstreamStatus,
    UpstreamTimeout,
)
from cheesebox.ports import Entry, Key, Kind

seconds = st.integers(0, 1_000_000).map(float)
times = st.integers(1_000_000_000, 1_002_000_000).map(float)
policies = st.builds(Policy, *[seconds] * 9, times | st.just(math.inf))
serials = st.none() | st.integers(0, 1 << 40)
circumstances = st.fixed_dictionaries({"refresh": st.booleans(), "refreshing": st.booleans()})
copies = st.builds(Copy, times, times, serials, st.booleans())


# ── freshness


@given(st.none() | copies, times, policies, circumstances, st.floats(0, 2e9))
def test_every_case_is_decided(
    copy: Copy | None, now: float, policy: Policy, around: dict[str, bool], retry_at: float
) -> None:
    made = freshness.decide(copy, now, policy, **around, retry_at=retry_at)
    assert isinstance(made, Serve | Refresh | Fetch)
    usable = copy is not None and freshness.is_usable(copy, now, policy)
    assert isinstance(made, Fetch) is not usable, "only what may be served is served"


@given(copies, times, policies, circumstances, st.integers(1, 1000))
def test_a_usable_copy_never_causes_a_request_during_the_back_off(
    copy: Copy, now: float, policy: Policy, around: dict[str, bool], more: int
) -> None:
    assume(freshness.is_usable(copy, now, policy))
    assert isinstance(freshness.decide(copy, now, policy, **around, retry_at=now + more), Serve)


@given(copies, times, policies, circumstances, seconds)
def test_hits_are_fresh_and_other_verdicts_are_not(
    copy: Copy, now: float, policy: Policy, around: dict[str, bool], retry_at: float
) -> None:
    made = freshness.decide(copy, now, policy, **around, retry_at=retry_at)
    if isinstance(made, Serve):
        assert (made.verdict is Verdict.HIT) is freshness.is_fresh(copy, now, policy)
        assert (made.verdict is Verdict.UPDATING) <= around["refreshing"]


@given(copies, times, policies)
def test_the_remaining_lifetime_never_promises_more_than_is_left(
    copy: Copy, now: float, policy: Policy
) -> None:
    left = freshness.remaining(copy, now, policy)
    assert 0 <= left <= policy.advertised_max
    if left:
        assert freshness.is_fresh(copy, now + left - 0.5, policy)


@given(copies, serials, times, policies)
def test_a_regression_is_refused_only_while_serials_are_known_and_the_body_is_young(
    copy: Copy, serial: int, now: float, policy: Policy
) -> None:
    refused = freshness.is_regression(copy, serial, now, policy)
    if refused:
        assert copy.serial is not None
        assert serial < copy.serial
        assert not freshness.is_outdated_confirmation(copy, serial)
        assert not freshness.is_regression(copy, serial, copy.fetched_at + policy.full_refetch_after, policy)


@given(st.integers(1, 10_000), policies)
def test_the_back_off_grows_up_to_its_bound(failures: int, policy: Policy) -> None:
    pause = freshness.back_off(failures, policy)
    assert pause <= policy.retry_max
    assert pause <= freshness.back_off(failures + 1, policy)


@given(copies, times, policies)
def test_no_validator_is_sent_that_is_not_there_or_too_old(copy: Copy, now: float, policy: Policy) -> None:
    if freshness.may_revalidate(copy, now, policy):
        assert copy.has_validator
        assert now - copy.fetched_at < policy.full_refetch_after


@given(copies, seconds, policies, circumstances, st.floats(0, 2e9))
def test_a_copy_that_came_after_all_was_settled_is_served_for_ever(
    copy: Copy, age: float, policy: Policy, around: dict[str, bool], retry_at: float
) -> None:
    policy = replace(policy, settled_after=copy.validated_at - 1)
    now = copy.validated_at + age
    assert freshness.remaining(copy, now, policy) == int(policy.advertised_max)
    made = freshness.decide(copy, now, policy, **around | {"refresh": False}, retry_at=retry_at)
    assert made == Serve(Verdict.HIT)


# ── memory

operations = st.lists(
    st.tuples(
        st.sampled_from(["put", "get", "pop", "reweigh", "clear"]), st.integers(0, 9), st.integers(0, 60)
    ),
    max_size=60,
)


class NaiveLru:
    """The same map, written so that it is plainly right."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.entries: OrderedDict[int, int] = OrderedDict()

    def put(self, key: int, weight: int) -> None:
        self.entries.pop(key, None)
        if weight > self.budget:
            return
        self.entries[key] = weight
        while sum(self.entries.values()) > self.budget:
            self.entries.popitem(last=False)

    def get(self, key: int) -> None:
        if key in self.entries:
            self.entries.move_to_end(key)


@given(st.integers(0, 100), operations)
def test_the_memory_keeps_its_bound_and_its_order(budget: int, steps: list[tuple[str, int, int]]) -> None:
    lru: WeightedLru[int, str] = WeightedLru(budget)
    naive = NaiveLru(budget)
    for action, key, weight in steps:
        match action:
            case "put":
                lru.put(key, f"value {key}", weight)
                naive.put(key, weight)
            case "get":
                assert (lru.get(key) is not None) is (key in naive.entries)
                naive.get(key)
            case "pop":
                assert (lru.pop(key) is not None) is (naive.entries.pop(key, None) is not None)
            case "reweigh":
                held = lru.get(key)
                naive.get(key)
                lru.reweigh(key, held or "never held", weight)
                if held is not None:
                    naive.put(key, weight)
            case "clear":
                lru.clear()
                naive.entries.clear()
        assert list(lru) == list(naive.entries)
        assert lru.held == sum(naive.entries.values()) <= budget
        assert len(lru) == len(naive.entries)
        assert all(key in lru for key in naive.entries)


def test_another_value_under_the_same_key_is_not_reweighed() -> None:
    lru: WeightedLru[str, object] = WeightedLru(100)
    lru.put("key", object(), 10)
    lru.reweigh("key", object(), 90)
    assert lru.held == 10


# ── eviction

sizes = st.integers(0, 10_000)
usages = st.builds(Usage, sizes, st.integers(0, 50), sizes, st.integers(0, 10), sizes, sizes)
limits = st.builds(Limits, sizes, st.integers(0, 60), sizes)


def entry_of(size: int, number: int = 0) -> Entry:
    return Entry(Key(f"pypi/{number}"), Kind.FILE, size, "", "")


@given(limits, usages, sizes, st.integers(0, 1))
def test_what_fits_needs_no_eviction_and_the_excess_is_enough(
    bounds: Limits, usage: Usage, wanted: int, more: int
) -> None:
    need = excess(bounds, usage, wanted, more)
    assert need.size >= 0
    assert need.entries >= 0
    relieved = Usage(
        usage.stored - need.size,
        usage.entries - need.entries,
        usage.reserved,
        usage.reserved_entries,
        usage.free + need.size,
        usage.written,
    )
    assert not excess(bounds, relieved, wanted, more)
    assert relieved.stored + usage.reserved + wanted <= bounds.max_size


@given(st.lists(st.integers(0, 100), max_size=20), st.integers(0, 500), st.integers(0, 10))
def test_victims_are_the_fewest_from_the_front(candidate_sizes: list[int], size: int, count: int) -> None:
    candidates = [entry_of(each, number) for number, each in enumerate(candidate_sizes)]
    need = Excess(size, count)
    victims = choose(candidates, need)
    assert victims == candidates[: len(victims)]
    enough = sum(victim.size for victim in victims) >= size and len(victims) >= count
    assert enough or victims == candidates
    if victims:
        fewer = victims[:-1]
        assert sum(victim.size for victim in fewer) < size or len(fewer) < count


@given(usages)
def test_no_limit_of_entries_means_no_excess_of_entries(usage: Usage) -> None:
    assert excess(Limits(10**9), usage, 1).entries == 0


# ── transfer

header_text = (
    st.text(max_size=40)
    | st.from_regex(r"bytes [0-9]+-[0-9]+/([0-9]+|\*)", fullmatch=True)
    | st.just("9" * 6000)
)
headers = st.dictionaries(
    st.sampled_from(["content-length", "content-range", "content-encoding", "etag"]), header_text
)


@given(st.integers(100, 599), headers, sizes, st.none() | sizes)
def test_no_answer_is_understood_by_an_accident(
    status: int, fields: dict[str, str], offset: int, total: int | None
) -> None:
    try:
        begin = understand(status, fields, "https://host.example/file", offset, total)
    except CheeseboxError:
        return
    assert status in (200, 206)
    assert begin.skip == (offset if status == 200 else 0)
    assert begin.total is None or total is None or begin.total == total


@pytest.mark.parametrize(
    ("status", "fields", "total", "expected"),
    [
        (404, {}, None, NotFound),
        (410, {}, None, NotFound),
        (416, {}, None, UpstreamStatus),
        (206, {}, None, UpstreamBroken),
        (206, {"content-range": "bytes 0-9/20"}, None, UpstreamBroken),
        (200, {"content-encoding": "gzip"}, None, UpstreamBroken),
        (200, {"content-length": "21"}, 20, BodyChanged),
    ],
)
def test_an_unusable_answer_has_its_own_error(
    status: int, fields: dict[str, str], total: int | None, expected: type[CheeseboxError]
) -> None:
    with pytest.raises(expected):
        understand(status, fields, "https://host.example/file", 5, total)


def test_usable_answers_tell_where_their_bytes_belong() -> None:
    url = "https://host.example/file"
    assert understand(200, {"content-length": "20"}, url, 5, 20) == Begin(5, 20)
    assert understand(200, {}, url, 5, 20) == Begin(5, None)
    assert understand(206, {"content-range": "bytes 5-19/20"}, url, 5, None) == Begin(0, 20)
    assert understand(206, {"content-range": "bytes 5-19/*"}, url, 5, 20) == Begin(0, None)


@given(sizes, st.none() | st.integers(1, 10_000), st.sampled_from(["", '"a"', 'W/"a"']))
def test_only_strong_validators_are_sent_and_only_with_a_range(
    offset: int, stop: int | None, validator: str
) -> None:
    asked = request_headers(offset, stop, validator)
    assert ("Range" in asked) is bool(offset or stop is not None)
    assert ("If-Range" in asked) is ("Range" in asked and validator == '"a"')


@given(st.text(max_size=25))
def test_a_number_is_made_of_ascii_digits(text: str) -> None:
    read = number(text)
    assert (read is not None) is (text.isascii() and text.isdigit() and len(text) <= 18)
    assert length_of({"content-length": text}) == read


def test_errors_that_will_not_pass_are_told_from_trouble() -> None:
    assert is_lasting(UpstreamStatus("", upstream_status=403))
    assert not is_lasting(UpstreamStatus("", upstream_status=503))
    assert is_lasting(BodyChanged())
    assert is_lasting(DigestMismatch())
    assert not is_lasting(UpstreamTimeout())


# ── envelope

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(
    st.builds(
        Entry,
        texts.map(Key),
        st.sampled_from(Kind),
        st.just(0),
        st.just(""),
        texts,
        texts,
        texts,
        texts,
        texts,
        serials,
        times,
    ),
    st.binary(max_size=200),
)
def test_a_page_comes_back_from_disk_as_it_was(entry: Entry, body: bytes) -> None:
    from dataclasses import replace

    entry = replace(entry, digest=envelope.digest_of(body))
    data = envelope.pack(entry) + body
    found = envelope.unpack(data)
    assert found is not None
    read, read_body = found
    assert read_body == body
    assert read == replace(entry, size=len(data), validated_at=entry.fetched_at, last_used=entry.fetched_at)


BODY = b'{"files": []}\nsecond line'
PAGE = (
    envelope.pack(Entry(Key("pypi/a.page"), Kind.PAGE, 0, envelope.digest_of(BODY), "https://a.example/"))
    + BODY
)


@given(st.integers(0, len(PAGE) - 1))
def test_a_page_that_ends_too_early_is_noticed(length: int) -> None:
    assert envelope.unpack(PAGE[:length]) is None


@given(st.integers(PAGE.index(b"\n"), len(PAGE) - 1), st.integers(1, 255))
def test_a_changed_byte_of_the_body_is_noticed(position: int, flip: int) -> None:
    damaged = bytearray(PAGE)
    damaged[position] ^= flip
    assert envelope.unpack(bytes(damaged)) is None


@given(st.binary(max_size=100))
def test_anything_may_lie_on_disk(data: bytes) -> None:
    assert envelope.unpack(data) is None


def test_a_page_of_an_unknown_kind_is_none_of_ours() -> None:
    assert envelope.unpack(PAGE.replace(b'"page"', b'"pace"')) is None


# ── digests


@given(st.binary(max_size=100), st.sampled_from(["sha256", "sha512", "sha384", "sha224", "md5"]))
def test_digests_are_those_of_hashlib(data: bytes, algorithm: str) -> None:
    hasher = digests.hasher(algorithm)
    hasher.update(data)
    digest = digests.of(algorithm, hasher.hexdigest().upper())
    assert digests.hex_of(digest) == hashlib.new(algorithm, data).hexdigest()
    assert digests.algorithm_of(digest) == algorithm


def test_a_path_digest_is_blake2b_of_256_bits() -> None:
    hasher = digests.hasher(digests.BLAKE2)
    hasher.update(b"data")
    assert hasher.hexdigest() == hashlib.blake2b(b"data", digest_size=32).hexdigest()


@given(st.dictionaries(st.sampled_from(["sha256", "sha512", "md5", "crc32", "blake3"]), st.just("aa")))
def test_the_strongest_known_digest_is_chosen(hashes: dict[str, str]) -> None:
    chosen = digests.strongest(hashes)
    known = [name for name in ("sha256", "sha512", "md5") if name in hashes]
    assert chosen == (f"{known[0]}:aa" if known else None)
