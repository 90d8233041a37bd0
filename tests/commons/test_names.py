"""Laws of the names of shared objects."""

from __future__ import annotations

import re

from hypothesis import assume, example, given
from hypothesis import strategies as st

from cheesebox.cache import digests
from cheesebox.commons.names import Named, object_name, read_name
from cheesebox.engines import ObjectName, Token
from cheesebox.ports import Key

keys = st.text(min_size=1, max_size=100).map(Key)
hexadecimals = st.text("0123456789abcdef", min_size=1, max_size=128)
found_digests = st.builds(
    digests.of, st.sampled_from(["sha256", "blake2b-256", "blake2b-160", "md5"]), hexadecimals
)
tokens = st.integers(0, 1 << 62).map(Token)


@given(keys, found_digests, tokens)
@example(Key("pypi/packages/a%2Fb/demo 1.0.tar.gz"), digests.of("sha256", "00"), Token(1))
@example(Key("pypi/sha256-00.1/sha256-00.1"), digests.of("sha256", "00"), Token(1))
@example(Key("é=3D\n"), digests.of("sha256", "00"), Token(1))
def test_a_name_tells_what_it_was_made_of(key: Key, digest: digests.Digest, token: Token) -> None:
    name = object_name(key, digest, token)
    assume(name is not None)
    assert name is not None
    assert read_name(name) == Named(key, digest, token)
    assert re.fullmatch(r"[A-Za-z0-9._/+=-]+", name), "every storage lists it as it was written"


@given(keys, keys, found_digests, tokens, tokens)
def test_different_things_never_have_one_name(
    key: Key, other: Key, digest: digests.Digest, token: Token, later: Token
) -> None:
    names = {object_name(key, digest, token), object_name(other, digest, later)} - {None}
    assert (
        len(names) == 2
        or (key, token) == (other, later)
        or None
        in (
            object_name(key, digest, token),
            object_name(other, digest, later),
        )
    )


@given(st.integers(900, 3000), tokens)
def test_a_name_that_no_storage_would_take_is_not_made(length: int, token: Token) -> None:
    name = object_name(Key("k" * length), digests.of("sha256", "0" * 64), token)
    assert name is None or len(name) <= 1000
    assert (name is None) == (length + len("/sha256-.") + 64 + len(str(token)) > 1000)


def test_a_key_that_grows_too_long_by_its_escapes_has_no_name() -> None:
    assert object_name(Key("é" * 200), digests.of("sha256", "00"), Token(1)) is None


@given(keys, st.text(max_size=40), tokens)
def test_what_a_page_calls_a_digest_makes_no_name_that_cannot_be_read(
    key: Key, digest: str, token: Token
) -> None:
    name = object_name(key, f"sha256:{digest}", token)
    assert name is None or read_name(name) == Named(key, digests.of("sha256", digest), token)


@given(st.text(max_size=60))
@example("a/sha256-00.1\n")
@example("=FF/sha256-00.1")
@example("other things")
def test_names_of_another_kind_are_told_from_ours(name: str) -> None:
    named = read_name(ObjectName(name))
    assert named is None or object_name(named.key, named.digest, named.token) is not None
