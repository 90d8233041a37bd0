"""Who may change something."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.errors import Forbidden, Unauthorized
from cheesebox.web.gate import Gate, bearer_token, is_cross_site, is_same_secret
from cheesebox.web.http import Request

TOKEN = "correct horse ü"


def asked(*, trusted=False, **headers):
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", "/-/api/v1/purge", "", {"host": "cache.example:6283"} | fields, is_trusted=trusted)


def bearer(token):
    return f"Bearer {token.encode().decode('latin-1')}"


def test_the_token_opens_the_gate():
    Gate(TOKEN).clear(asked(authorization=bearer(TOKEN)))
    Gate(TOKEN).clear(asked(authorization=bearer(TOKEN).replace("Bearer ", "bEARER  ")))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": bearer("wrong")},
        {"authorization": bearer(TOKEN + "!")},
        {"authorization": bearer(TOKEN[:-1])},
        {"authorization": bearer(TOKEN).replace("Bearer", "Basic")},
        {"authorization": f"{bearer(TOKEN)}, {bearer(TOKEN)}"},
    ],
)
def test_a_missing_or_wrong_token_is_unauthorized_and_told_how(headers):
    with pytest.raises(Unauthorized) as caught:
        Gate(TOKEN).clear(asked(**headers))
    assert caught.value.challenge == 'Bearer realm="cheesebox"'


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_nothing_is_changed_over_the_network(token):
    for headers in ({}, {"authorization": "Bearer "}, {"authorization": "Bearer None"}):
        with pytest.raises(Forbidden):
            Gate(token).clear(asked(**headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://cache.example:6283.evil.example"},
        {"origin": "http://["},
        {"origin": "https://evil.example", "sec_fetch_site": "cross-site"},
    ],
)
def test_another_sites_page_is_refused_even_with_the_token(headers):
    with pytest.raises(Forbidden, match="another site"):
        Gate(TOKEN).clear(asked(authorization=bearer(TOKEN), **headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "same-origin", "origin": "https://cache.example"},
        {"sec_fetch_site": "none"},
        {"origin": "https://cache.example:6283"},
    ],
)
def test_its_own_page_may_ask(headers):
    Gate(TOKEN).clear(asked(authorization=bearer(TOKEN), **headers))


def test_who_comes_by_the_control_socket_needs_no_token():
    Gate(None).clear(asked(trusted=True))
    Gate(TOKEN).clear(asked(trusted=True, sec_fetch_site="cross-site"))


@given(st.text(st.characters(codec="latin-1")), st.text(st.characters(codec="latin-1")))
def test_strange_fields_are_refused_and_never_break_anything(authorization, origin):
    bearer_token(authorization)
    is_cross_site(asked(origin=origin))
    with pytest.raises((Forbidden, Unauthorized)):
        Gate("b" * 40).clear(asked(authorization=authorization, origin=origin))


@given(st.binary(), st.binary())
def test_secrets_are_the_same_when_their_bytes_are(one, other):
    assert is_same_secret(one, other) == (one == other)
    assert is_same_secret(one, one)
