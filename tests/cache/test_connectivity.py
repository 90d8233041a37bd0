from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from cheesebox.cache.connectivity import Connectivity, GatedUpstream
from cheesebox.errors import Offline


class CountingUpstream:
    def __init__(self):
        self.asked = 0

    @asynccontextmanager
    async def request(self, method, url, headers):
        self.asked += 1
        yield (method, url, headers)


async def test_the_gate_lets_requests_pass_only_while_online():
    switch, upstream = Connectivity(is_offline=True), CountingUpstream()
    gate = GatedUpstream(upstream, switch)
    with pytest.raises(
        Offline, match=r"^cheesebox is offline, and https://a.example/simple/ is not in the cache$"
    ):
        async with gate.request("GET", "https://a.example/simple/", {}):
            pass
    assert upstream.asked == 0
    switch.go_online()
    async with gate.request("GET", "https://a.example/simple/", {"a": "b"}) as answer:
        assert answer == ("GET", "https://a.example/simple/", {"a": "b"})
        switch.go_offline()  # what is under way is finished
    assert upstream.asked == 1


def test_credentials_in_a_url_are_not_told():
    with pytest.raises(Offline, match=r", and https://a\.example/simple/ is"):
        Connectivity(is_offline=True).require("https://user:secret@a.example/simple/")


def test_subscribers_are_told_of_each_switch_and_of_nothing_else():
    switch, seen = Connectivity(), []
    switch.subscribe(lambda: seen.append(switch.is_offline))
    switch.go_online()
    switch.go_offline()
    switch.go_offline()
    switch.go_online()
    assert seen == [True, False]
