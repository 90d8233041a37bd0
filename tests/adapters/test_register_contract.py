"""What every register does, in memory or on a server."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cheesebox.engines import (
    Absent,
    Granted,
    Known,
    Lease,
    Missed,
    ObjectName,
    Published,
    Record,
    Register,
    Removed,
    Selected,
    Taken,
    Token,
)
from cheesebox.errors import EngineError
from cheesebox.ports import Entry, Key, Kind, Totals

from .registers import record_of

if TYPE_CHECKING:
    from cheesebox.engines import Change

    from .registers import Place

KEY = Key("pypi/packages/a.whl")
OTHER = Key("pypi/packages/b.whl")


async def granted(register: Register, key: Key = KEY, max_age: float | None = None) -> Lease:
    claim = await register.claim(key, max_age)
    assert isinstance(claim, Granted)
    return claim.lease


async def published(register: Register, key: Key = KEY, size: int = 10, name: str = "") -> Record:
    lease = await granted(register, key, max_age=-1)
    record = record_of(key, lease.token, size=size, name=name)
    assert await register.publish(lease, record)
    return record


async def test_all_that_is_known_of_a_body_comes_back(place: Place) -> None:
    writer, reader = place.register(), place.register()
    lease = await granted(writer)
    entry = Entry(
        key=KEY,
        kind=Kind.PAGE,
        size=12345,
        digest="sha256:" + "0f" * 32,
        origin="https://up.example/ä",
        location="https://up.example/b",
        etag='W/"x"',
        last_modified="Mon, 01 Jan 2024 00:00:00 GMT",
        content_type="text/html",
        serial=17,
        fetched_at=place.clock() - 7000,
        validated_at=place.clock() - 60,
    )
    assert await writer.publish(lease, Record(entry, ObjectName("name")))
    found = await reader.find(KEY)
    assert found is not None
    assert found.name == "name"
    assert found.entry == replace(
        entry, fetched_at=found.entry.fetched_at, validated_at=found.entry.validated_at
    )
    assert found.entry.fetched_at == pytest.approx(entry.fetched_at, abs=1)
    assert found.entry.validated_at == pytest.approx(entry.validated_at, abs=1)


async def test_nothing_is_known_of_what_nobody_published(place: Place) -> None:
    register = place.register()
    assert await register.find(KEY) is None
    assert await register.totals() == Totals(0, 0)


async def test_one_of_many_gets_the_lease_and_the_others_hear_who_has_it(place: Place) -> None:
    registers = [place.register(f"http://node{number}") for number in range(5)]
    claims = await asyncio.gather(*(register.claim(KEY) for register in registers * 10))
    leases = [claim for claim in claims if isinstance(claim, Granted)]
    holders = {claim.holder for claim in claims if isinstance(claim, Taken)}
    assert len(leases) == 1
    assert len(holders) == 1
    assert len(claims) == 50
    assert holders <= {f"http://node{number}" for number in range(5)}


async def test_a_published_body_is_known_to_all(place: Place) -> None:
    record = await published(place.register())
    claim = await place.register().claim(KEY)
    assert isinstance(claim, Known)
    assert claim.record.name == record.name


async def test_a_body_that_was_validated_too_long_ago_is_asked_for_again_by_one(place: Place) -> None:
    one, other = place.register("http://one"), place.register("http://other")
    lease = await granted(one)
    record = record_of(KEY, lease.token, validated_at=place.clock() - 500)
    await one.publish(lease, record)
    assert isinstance(await one.claim(KEY, max_age=600), Known)
    first = await one.claim(KEY, max_age=400)
    second = await other.claim(KEY, max_age=400)
    assert isinstance(first, Granted)
    assert first.record is not None
    assert first.record.name == record.name
    assert isinstance(second, Taken)
    assert second.holder == "http://one"
    assert second.record is not None
    assert second.record.name == record.name


async def test_a_lease_that_ran_out_is_given_to_another_with_a_higher_token(place: Place) -> None:
    short = await granted(place.register(lease_seconds=0.05))
    await place.passes(0.1)
    later = await granted(place.register())
    assert later.token > short.token


async def test_a_renewed_lease_lasts_longer(place: Place) -> None:
    register = place.register(lease_seconds=0.2)
    lease = await granted(register)
    assert await register.renew(replace(lease, seconds=30.0))
    await place.passes(0.4)
    assert isinstance(await register.claim(KEY), Taken)


async def test_a_lost_lease_is_not_renewed(place: Place) -> None:
    register = place.register(lease_seconds=0.05)
    lease = await granted(register)
    await place.passes(0.1)
    assert not await register.renew(lease)
    await granted(place.register())
    assert not await register.renew(lease)


async def test_who_publishes_after_its_lease_went_to_another_is_refused(place: Place) -> None:
    place.grace = 0.0
    paused = place.register(lease_seconds=0.05)
    lease = await granted(paused)
    await place.passes(0.1)
    other = place.register()
    later = await granted(other)
    refused = record_of(KEY, lease.token)
    assert not await paused.publish(lease, refused)
    assert await paused.find(KEY) is None
    assert await other.garbage(10) == [refused.name]
    assert await other.publish(later, record_of(KEY, later.token))


async def test_who_publishes_after_another_did_is_refused(place: Place) -> None:
    place.grace = 0.0
    paused = place.register(lease_seconds=0.05)
    lease = await granted(paused)
    await place.passes(0.1)
    record = await published(place.register())
    refused = record_of(KEY, lease.token)
    assert not await paused.publish(lease, refused)
    found = await paused.find(KEY)
    assert found is not None
    assert found.name == record.name
    assert await paused.garbage(10) == [refused.name]


async def test_who_wakes_up_with_nobody_else_there_may_publish(place: Place) -> None:
    register = place.register(lease_seconds=0.05)
    lease = await granted(register)
    await place.passes(0.1)
    assert await register.publish(lease, record_of(KEY, lease.token))


async def test_publishing_the_same_once_more_changes_nothing(place: Place) -> None:
    place.grace = 0.0
    register = place.register()
    lease = await granted(register)
    record = record_of(KEY, lease.token, size=10)
    assert await register.publish(lease, record)
    assert await register.publish(lease, record)
    assert await register.totals() == Totals(10, 1)
    assert await register.garbage(10) == []


async def test_a_refused_object_that_is_the_standing_one_is_no_garbage(place: Place) -> None:
    place.grace = 0.0
    paused = place.register(lease_seconds=0.05)
    lease = await granted(paused)
    await place.passes(0.1)
    await published(place.register(), name="the very object")
    assert not await paused.publish(lease, record_of(KEY, lease.token, name="the very object"))
    assert await paused.garbage(10) == []


async def test_what_is_replaced_becomes_garbage_after_its_grace(place: Place) -> None:
    place.grace = 0.2
    register = place.register()
    first = await published(register, size=10)
    await published(register, size=25)
    assert await register.garbage(10) == []
    assert await register.totals() == Totals(25, 1)
    await place.passes(0.3)
    assert await register.garbage(10) == [first.name]
    await register.swept([first.name])
    assert await register.garbage(10) == []


async def test_a_revalidated_body_is_no_garbage(place: Place) -> None:
    place.grace = 0.0
    register = place.register()
    await published(register, name="same")
    await published(register, name="same")
    assert await register.garbage(10) == []


async def test_what_is_published_anew_is_garbage_no_longer(place: Place) -> None:
    place.grace = 0.0
    register = place.register()
    record = await published(register, name="same")
    await register.disown(record)
    assert await register.garbage(10) == ["same"]
    await published(register, name="same")
    assert await register.garbage(10) == []


async def test_an_absence_is_remembered_for_its_time_and_drops_the_body(place: Place) -> None:
    place.grace = 0.0
    register = place.register()
    record = await published(register)
    await register.publish_absence(await granted(register, max_age=-1), 0.2)
    assert isinstance(await register.claim(KEY), Absent)
    assert await register.find(KEY) is None
    assert await register.totals() == Totals(0, 0)
    assert await register.garbage(10) == [record.name]
    await place.passes(0.3)
    assert isinstance(await register.claim(KEY), Granted)


async def test_an_absence_from_a_lost_lease_is_not_taken(place: Place) -> None:
    paused = place.register(lease_seconds=0.05)
    lease = await granted(paused)
    await place.passes(0.1)
    record = await published(place.register())
    await paused.publish_absence(lease, 60)
    claim = await paused.claim(KEY)
    assert isinstance(claim, Known)
    assert claim.record.name == record.name


async def test_a_body_ends_an_absence(place: Place) -> None:
    register = place.register(lease_seconds=0.05)
    lease = await granted(register)
    await register.publish_absence(lease, 60)
    assert await register.publish(Lease(KEY, Token(lease.token + 1), 1.0), record_of(KEY, lease.token))
    assert isinstance(await register.claim(KEY), Known)


async def test_a_released_lease_is_free(place: Place) -> None:
    register = place.register()
    await register.release(await granted(register))
    assert isinstance(await register.claim(KEY), Granted)


async def test_only_the_holder_releases_a_lease(place: Place) -> None:
    register = place.register()
    lease = await granted(register)
    await register.release(replace(lease, token=Token(lease.token - 1)))
    assert isinstance(await register.claim(KEY), Taken)


async def test_eviction_takes_the_longest_unused(place: Place) -> None:
    place.grace = 0.0
    register = place.register()
    keys = [Key(f"pypi/{number}") for number in range(6)]
    names = [(await published(register, key)).name for key in keys]
    for number, key in enumerate(keys):
        await place.unused(key, hours=10 - number)
    await register.touch([keys[0], Key("pypi/unknown")])
    evicted = await register.evict(3)
    assert [record.entry.key for record in evicted] == keys[1:4]
    assert sorted(await register.garbage(10)) == sorted(names[1:4])
    assert await register.totals() == Totals(30, 3)
    assert {record.entry.key for record in await register.evict(10)} == {keys[0], keys[4], keys[5]}
    assert await register.evict(10) == []
    assert await register.totals() == Totals(0, 0)


async def test_eviction_of_the_unused_leaves_what_was_used_since(place: Place) -> None:
    register = place.register()
    await published(register, KEY)
    await published(register, OTHER)
    await place.unused(KEY, hours=5)
    assert await register.evict(10, unused_for=6 * 3600) == []
    evicted = await register.evict(10, unused_for=3 * 3600)
    assert [record.entry.key for record in evicted] == [KEY]
    assert await register.evict(10, unused_for=1) == []


async def test_an_empty_body_comes_and_goes_like_any_other(place: Place) -> None:
    register = place.register()
    await published(register, size=0)
    assert await register.totals() == Totals(0, 1)
    assert len(await register.evict(1)) == 1
    assert await register.totals() == Totals(0, 0)


async def test_a_disowned_body_is_unknown_and_garbage(place: Place) -> None:
    place.grace = 0.0
    register = place.register()
    record = await published(register)
    await register.disown(record)
    assert await register.find(KEY) is None
    assert await register.garbage(10) == [record.name]


async def test_disowning_a_body_leaves_the_one_that_took_its_place(place: Place) -> None:
    register = place.register()
    first = await published(register)
    second = await published(register)
    await register.disown(first)
    found = await register.find(KEY)
    assert found is not None
    assert found.name == second.name


async def test_a_purge_removes_bodies_and_absences(place: Place) -> None:
    place.grace = 0.0
    register = place.register()
    record = await published(register, KEY)
    await register.publish_absence(await granted(register, OTHER), 60)
    await register.purge([KEY, OTHER])
    assert await register.find(KEY) is None
    assert isinstance(await register.claim(OTHER), Granted)
    assert await register.garbage(10) == [record.name]
    assert await register.totals() == Totals(0, 0)


async def test_a_found_body_is_adopted_if_nothing_is_known_of_its_key(place: Place) -> None:
    register = place.register()
    found = record_of(KEY, Token(0), size=10)
    assert await register.adopt(found)
    assert not await register.adopt(record_of(KEY, Token(1)))
    assert await register.totals() == Totals(10, 1)
    claim = await register.claim(KEY)
    assert isinstance(claim, Known)
    assert claim.record.name == found.name


async def test_an_adopted_body_gives_way_to_whatever_is_published(place: Place) -> None:
    register = place.register()
    lease = await granted(register)
    assert await register.adopt(record_of(KEY, Token(0), name="found"))
    assert await register.publish(lease, record_of(KEY, lease.token, name="fetched"))
    found = await register.find(KEY)
    assert found is not None
    assert found.name == "fetched"


async def test_neither_garbage_nor_what_is_said_to_be_absent_is_adopted(place: Place) -> None:
    register = place.register()
    record = await published(register)
    await register.disown(record)
    assert not await register.adopt(record)
    await register.publish_absence(await granted(register, OTHER), 60)
    assert not await register.adopt(record_of(OTHER, Token(0)))


async def test_one_node_leads_until_its_time_is_over(place: Place) -> None:
    register = place.register()
    assert await register.lead("evictor", "a", 0.3)
    assert not await register.lead("evictor", "b", 0.3)
    assert await register.lead("sweeper", "b", 0.3)
    assert await register.lead("evictor", "a", 0.3)
    await place.passes(0.5)
    assert await register.lead("evictor", "b", 0.3)


async def test_all_nodes_have_the_same_secret(place: Place) -> None:
    secrets = await asyncio.gather(*(place.register().secret() for _ in range(5)))
    assert len(set(secrets)) == 1
    assert secrets[0]


async def test_facts_are_remembered(place: Place) -> None:
    register = place.register()
    assert await register.fact("layout") is None
    await register.remember("layout", "1")
    await register.remember("layout", "2 ä")
    assert await place.register().fact("layout") == "2 ä"


async def test_nodes_whose_clocks_differ_by_hours_agree_on_ages(place: Place) -> None:
    ahead, behind = place.register(clock_ahead=3600), place.register(clock_ahead=-3600)
    lease = await granted(ahead)
    entry = record_of(KEY, lease.token, validated_at=place.clock() + 3600 - 100).entry
    await ahead.publish(lease, Record(entry, ObjectName("x")))
    assert isinstance(await behind.claim(KEY, max_age=120), Known)
    found = await behind.find(KEY)
    assert found is not None
    assert place.clock() - 3600 - found.entry.validated_at == pytest.approx(100, abs=2)
    assert isinstance(await behind.claim(KEY, max_age=90), Granted)


async def test_what_is_read_twice_reads_the_same(place: Place) -> None:
    register = place.register()
    await published(register)
    first = await register.find(KEY)
    await place.passes(0.05)
    assert await register.find(KEY) == first


async def test_changes_arrive_in_their_order(place: Place) -> None:
    register = place.register()
    await published(register, Key("before"))
    listening = await place.listen(place.register())
    await published(register, KEY)
    await register.publish_absence(await granted(register, OTHER), 60)
    await register.release(await granted(register, Key("c")))
    await register.purge([KEY, OTHER])
    await register.announce("a selection")
    expected: list[Change] = [
        Published(KEY),
        Published(OTHER),
        Published(Key("c")),
        Removed((KEY, OTHER)),
        Selected("a selection"),
    ]
    assert [await listening.next() for _ in expected] == expected


async def test_changes_go_on_after_a_lost_connection(place: Place) -> None:
    register, reader = place.register(), place.register()
    listening = await place.listen(reader)
    await published(register, KEY)
    assert await listening.next() == Published(KEY)
    await place.lose_connections(listening)
    with pytest.raises(EngineError):
        await listening.next()
    await published(register, OTHER)
    again = await place.listen(reader)
    assert await again.next() == Published(OTHER)


async def test_changes_that_were_lost_with_the_data_are_told_as_missed(place: Place) -> None:
    register = place.register()
    listening = await place.listen(place.register())
    await published(register, KEY)
    assert await listening.next() == Published(KEY)
    await place.lose_everything()
    assert await listening.next() == Missed()
    await published(register, OTHER)
    assert await listening.next() == Published(OTHER)


async def test_changes_that_are_too_many_to_be_kept_are_told_as_missed(place: Place) -> None:
    place.changes_kept = 100
    register, reader = place.register(), place.register()
    listening = await place.listen(reader)
    await published(register, KEY)
    assert await listening.next() == Published(KEY)
    await place.lose_connections(listening)
    with pytest.raises(EngineError):
        await listening.next()
    for _ in range(400):
        await register.purge([KEY])
    again = await place.listen(reader)
    assert await again.next() == Missed()


async def test_tokens_rise_also_when_the_data_is_lost(place: Place) -> None:
    register = place.register()
    before = await granted(register)
    await place.lose_everything()
    assert (await granted(register)).token > before.token


async def test_a_register_that_is_gone_is_an_engine_error(place: Place) -> None:
    register = place.register()
    await granted(register)
    await place.goes_down()
    with pytest.raises(EngineError):
        await register.claim(KEY)
