"""Who gets in at all."""

from __future__ import annotations

import asyncio
import base64
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.cache.blocking import Blocking
from cheesebox.errors import Busy, Unauthorized
from cheesebox.hashing import hash_password, hash_token
from cheesebox.web.door import Door, Keys, keep_private, parse_keys
from cheesebox.web.http import Request, Response

PASSWORD, TOKEN, OWN = "pass:wörd", "a-long-random-token", "the-token-of-the-owner"
TEXT = f"# who may come in\n\nalice:{hash_password(PASSWORD.encode())}\nci:{hash_token(TOKEN.encode())}\n"


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def asked(authorization=None, path="/pypi/simple/demo/", *, trusted=False):
    headers = {} if authorization is None else {"authorization": authorization}
    return Request("GET", path, "", headers, is_trusted=trusted)


class CountedHashing:
    """Runs calls in the event loop's thread, when the test lets them."""

    def __init__(self):
        self.calls = 0
        self.opened = asyncio.Event()
        self.opened.set()

    def __call__(self, function, *args):
        self.calls += 1
        return self._later(partial(function, *args))

    async def _later(self, call):
        await self.opened.wait()
        return call()


@pytest.fixture
def hashing():
    return CountedHashing()


@pytest.fixture
def door(hashing):
    door = Door(hashing, [OWN])
    door.renew(parse_keys(TEXT))
    return door


GOOD = [
    basic("alice", PASSWORD),
    basic("alice", PASSWORD).replace("Basic", "bASIC"),
    basic("ci", TOKEN),
    basic("__token__", TOKEN),
    f"Bearer {TOKEN}",
    f"Bearer {OWN}",
    basic("__token__", OWN),
]
BAD = [
    None,
    "",
    "Basic",
    "Basic !",
    "Bearer",
    "Bearer wrong",
    f"Token {TOKEN}",
    basic("alice", "wrong"),
    basic("alice", ""),
    basic("alice", TOKEN),
    basic("bob", PASSWORD),
    basic("bob", TOKEN),
    basic("", ""),
    basic("ci", "wrong"),
    f"Bearer {PASSWORD}".encode().decode("latin-1"),
    f"{basic('alice', PASSWORD)}, {basic('alice', PASSWORD)}",
]


@pytest.mark.parametrize("given", GOOD)
async def test_good_credentials_open_and_are_known_from_then_on(door, hashing, given):
    assert not door.knows(given.encode())
    await door.admit(asked(given))
    calls = hashing.calls
    await door.admit(asked(given))
    assert door.knows(given.encode())
    assert hashing.calls == calls


@pytest.mark.parametrize("given", BAD)
async def test_bad_credentials_are_refused_again_and_again_and_hashed_once(door, hashing, given):
    for _ in range(3):
        with pytest.raises(Unauthorized) as caught:
            await door.admit(asked(given))
    assert caught.value.challenge.startswith("Basic ")
    assert PASSWORD not in str(caught.value)
    assert hashing.calls <= 1
    assert not door.knows(None if given is None else given.encode("latin-1"))


async def test_an_unknown_name_costs_as_much_as_a_wrong_password(door, hashing):
    for number, name in enumerate(("alice", "nobody"), 1):
        with pytest.raises(Unauthorized):
            await door.admit(asked(basic(name, "wrong")))
        assert hashing.calls == number


async def test_health_and_readiness_are_open_and_nothing_like_them_is(door):
    for path in ("/-/health", "/-/ready"):
        await door.admit(asked(path=path))
    for path in ("/-/metrics", "/-/", "/-/health/", "//-/health", "/-/health/../metrics", "/-/ready%2F"):
        with pytest.raises(Unauthorized):
            await door.admit(asked(path=path))


async def test_who_comes_by_the_control_socket_needs_nothing(door):
    await door.admit(asked(trusted=True))


async def test_before_there_are_keys_only_the_own_tokens_open(hashing):
    door = Door(hashing, [OWN])
    await door.admit(asked(f"Bearer {OWN}"))
    for shown in (f"Bearer {TOKEN}", basic("alice", PASSWORD), basic("", "")):
        with pytest.raises(Unauthorized):
            await door.admit(asked(shown))


async def test_other_keys_shut_out_who_is_not_among_them(door):
    await door.admit(asked(basic("alice", PASSWORD)))
    door.renew(parse_keys(f"ci:{hash_token(TOKEN.encode())}"))
    assert not door.knows(basic("alice", PASSWORD).encode())
    with pytest.raises(Unauthorized):
        await door.admit(asked(basic("alice", PASSWORD)))


async def test_a_password_judged_by_former_keys_is_not_remembered(door, hashing):
    hashing.opened.clear()
    trying = asyncio.create_task(door.admit(asked(basic("alice", PASSWORD))))
    await asyncio.sleep(0)
    door.renew(parse_keys(f"ci:{hash_token(TOKEN.encode())}"))
    hashing.opened.set()
    await asyncio.wait({trying})
    assert not door.knows(basic("alice", PASSWORD).encode())


async def test_many_who_show_the_same_are_hashed_once(door, hashing):
    hashing.opened.clear()
    tries = [asyncio.create_task(door.admit(asked(basic("alice", PASSWORD)))) for _ in range(100)]
    await asyncio.sleep(0)
    tries[0].cancel()  # one who leaves does not take the others along
    hashing.opened.set()
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert outcomes[1:] == [None] * 99
    assert hashing.calls == 1


async def test_too_many_passwords_at_once_are_told_to_come_back_and_the_known_get_in(door, hashing):
    await door.admit(asked(basic("alice", PASSWORD)))
    hashing.opened.clear()
    tries = [asyncio.create_task(door.admit(asked(basic("alice", str(n))))) for n in range(40)]
    await asyncio.sleep(0)
    await door.admit(asked(basic("alice", PASSWORD)))
    await door.admit(asked(f"Bearer {TOKEN}"))
    hashing.opened.set()
    outcomes = [type(outcome) for outcome in await asyncio.gather(*tries, return_exceptions=True)]
    assert (outcomes.count(Busy), outcomes.count(Unauthorized)) == (8, 32)


async def test_what_is_remembered_is_bounded(door):
    for number in range(10_000):
        with pytest.raises(Unauthorized):
            await door.admit(asked(f"Bearer {number}"))
    assert len(door._refused) <= 4096
    assert not door._known
    assert not door._tries


async def test_hashing_leaves_the_event_loop_free():
    blocking = Blocking(1)
    door = Door(blocking, [])
    door.renew(parse_keys(TEXT))
    trying = asyncio.create_task(door.admit(asked(basic("alice", PASSWORD))))
    turns = 0
    while not trying.done():
        await asyncio.sleep(0)
        turns += 1
    await trying
    assert turns > 10
    blocking.close()


@given(st.text(st.characters(codec="latin-1")))
def test_no_strange_field_opens_or_breaks(field):
    async def scenario():
        door = Door(CountedHashing(), [OWN])
        for each in (field, f"Basic {field}", f"Bearer {field}"):
            with pytest.raises(Unauthorized):
                await door.admit(asked(each))

    asyncio.run(scenario())


# ── the access file


def test_an_access_file_names_users_and_tokens():
    keys = parse_keys(TEXT)
    assert set(keys.passwords) == {"alice"}
    assert keys.tokens == {hash_token(TOKEN.encode()).digest: "ci"}
    assert keys != Keys()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "names nobody"),
        ("# only a comment\n", "names nobody"),
        ("\nalice:hunter2\n", "line 2: neither"),
        ("alice", "line 1: not name:hash"),
        (":sha256$" + "0" * 64, "line 1: not name:hash"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_and_not_repeated(text, expected):
    with pytest.raises(ValueError, match=expected) as caught:
        parse_keys(text)
    assert "hunter2" not in str(caught.value)


def test_answers_are_kept_from_shared_caches():
    response = Response(200, [("cache-control", "max-age=5, immutable, public"), ("x", "public")])
    assert keep_private(response).headers == [
        ("cache-control", "max-age=5, immutable, private"),
        ("x", "public"),
    ]
