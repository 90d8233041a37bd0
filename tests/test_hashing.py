"""Hashes of secrets as they stand in a file."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cheesebox.hashing import PasswordHash, TokenHash, hash_password, hash_token, new_token, parse_hash


def test_a_password_fits_its_hash_and_no_other_does():
    made = parse_hash(str(hash_password("pässword".encode())))
    assert isinstance(made, PasswordHash)
    assert made.fits("pässword".encode())
    assert not made.fits(b"password")
    assert not made.fits(b"")


def test_the_same_password_is_hashed_in_another_way_each_time():
    assert str(hash_password(b"secret")) != str(hash_password(b"secret"))


def test_scrypt_is_the_one_of_its_standard():
    """RFC 7914 §12, the second vector."""
    made = PasswordHash(
        1024,
        8,
        16,
        b"NaCl",
        bytes.fromhex(
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac7"
            "27afb94a83ee6d8360cbdfa2cc0640"
        ),
    )
    assert made.fits(b"password")
    assert parse_hash(str(made)) == made


def test_tokens_are_long_and_none_is_like_another():
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 43


def test_the_hash_of_a_token_can_be_read_again():
    made = hash_token(b"abc")
    assert parse_hash(str(made)) == made == TokenHash(made.digest)


@pytest.mark.parametrize(
    "text",
    [
        "secret",
        "",
        "sha256$",
        "sha256$" + "A" * 64,
        "md5$" + "0" * 32,
        "scrypt$16384$8$1$c2FsdA==",
        "scrypt$16385$8$1$c2FsdA==$" + "A" * 44,
        "scrypt$1$8$1$c2FsdA==$" + "A" * 44,
        "scrypt$0$8$1$c2FsdA==$" + "A" * 44,
        "scrypt$-2$8$1$c2FsdA==$" + "A" * 44,
        "scrypt$1073741824$8$1$c2FsdA==$" + "A" * 44,
        "scrypt$16384$99$1$c2FsdA==$" + "A" * 44,
        "scrypt$16384$8$x$c2FsdA==$" + "A" * 44,
        "scrypt$16384$8$1$c2FsdA==$AAAA",
        "scrypt$16384$8$1$?$" + "A" * 44,
        "scrypt$" + "1" * 5000 + "$8$1$c2FsdA==$" + "A" * 44,
    ],
)
def test_what_is_no_hash_is_refused_without_being_repeated(text):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is looked at
        parse_hash(text)
    assert len(text) < 10 or text not in str(caught.value)


@given(st.text())
@settings(max_examples=200)
def test_any_text_is_read_or_refused(text):
    for each in (text, f"scrypt${text}", f"sha256${text}", f"scrypt$2$8$1${text}${text}"):
        try:
            parse_hash(each)
        except ValueError:
            continue
