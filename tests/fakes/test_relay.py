from __future__ import annotations

import http.client
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.fakes.faults import Status
from tests.fakes.relay import Relay

if TYPE_CHECKING:
    from tests.fakes.pypi import FakePyPI


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return bytes(answer.read())


def test_a_relay_brings_all_and_notes_what_was_asked_and_the_cache_status(pypi: FakePyPI) -> None:
    pypi.fault("/simple/", Status(200, {"X-Cache2": "HIT"}, b"x" * 100_000))
    with Relay(pypi.simple_url) as relay:
        assert get(relay.url) == b"x" * 100_000
    assert relay.statuses == ["HIT"]
    assert relay.asked.startswith("get /simple/ http/1.1\r\n")


def test_a_relay_cuts_one_connection_in_mid_body(pypi: FakePyPI) -> None:
    file = pypi.add_file("demo", "demo-1.zip", bytes(3_000_000))
    with Relay(pypi.simple_url, cut_after=1_000_000) as relay:
        url = relay.url.removesuffix("/simple/") + file.path
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            get(url)
        assert get(url) == file.content
    assert relay.cuts == 1
