"""What docs/nodes.md says of settings, URLs, permissions, times and troubles holds."""

from __future__ import annotations

import inspect
import json
import re
import time
import tomllib

import pytest

from cheesebox.adapters.valkey.connecting import open_client
from cheesebox.adapters.valkey_register import open_register
from cheesebox.commons import health
from cheesebox.commons.commons import PATIENCE
from cheesebox.nodes import STORAGE_PATIENCE
from cheesebox.settings import describe
from tests.docs.examples import DOCS, blocks_of
from tests.web.nodes import shared_engines

PAGE = DOCS / "nodes.md"
TEXT = PAGE.read_text()
BLOCKS = blocks_of(PAGE)
TOKEN = "let-me-in"


@pytest.fixture
def shared(tmp_path, pypi):
    with shared_engines(tmp_path, pypi.simple_url) as engines:
        yield engines


@pytest.fixture
def wheel(pypi):
    return pypi.add_wheel("demo", "1.0", size_padding=100_000)


def example():
    (block,) = [each for each in BLOCKS if each.language == "toml"]
    return tomllib.loads(block.text)


def documents():
    return [json.loads(each.text) for each in BLOCKS if each.language == "json"]


def settle(told):
    end = time.monotonic() + 10
    while not told():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


# ── settings, URLs, permissions


def test_the_example_has_every_setting_of_the_group_but_the_endpoint():
    group = {setting.name for setting in describe() if setting.group == "Several nodes"}
    assert group == example().keys() | {"store_endpoint"}
    assert all(f"`{name}`" in TEXT for name in ("store_endpoint", "node_url", "shared_max_size"))


def test_every_url_of_the_table_is_taken():
    urls = re.findall(r"^\| `(\w[\w+]*://[^`]*)` \|", TEXT, re.MULTILINE)
    assert len(urls) == 5
    queries = re.findall(r"`(\?\w+=[^`]*)`", TEXT)
    assert len(queries) == 2
    for url in [*urls, *(f"{urls[3]}{query}" for query in queries)]:
        open_client(url.replace("…", "secret"), 1)


def test_policy_and_lifecycle_are_for_the_bucket_and_prefix_of_the_example():
    policy, lifecycle = documents()
    bucket, _, prefix = example()["store"].removeprefix("s3://").partition("/")
    objects, listing = policy["Statement"]
    assert objects["Resource"] == f"arn:aws:s3:::{bucket}/{prefix}/*"
    assert listing["Resource"] == f"arn:aws:s3:::{bucket}"
    assert set(listing["Condition"]["StringLike"]["s3:prefix"]) == {prefix, f"{prefix}/*"}
    (rule,) = lifecycle["Rules"]
    assert rule["Filter"]["Prefix"] == f"{prefix}/"
    assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 1
    assert "Expiration" not in rule
    (command,) = [each.text for each in BLOCKS if each.language == "sh"]
    assert f"--bucket {bucket} " in command


# ── times


def test_the_times_that_are_named_are_those_of_the_code():
    defaults = {name: each.default for name, each in inspect.signature(open_register).parameters.items()}
    assert f"leases of {defaults['lease_seconds']:.0f} seconds" in TEXT
    assert f"After {defaults['changes_kept']:,} changes" in TEXT
    assert defaults["grace"] == 600
    assert "the storage after\nten minutes" in TEXT
    assert PATIENCE == 12
    assert len(re.findall(r"\b12 seconds", TEXT)) == 2
    assert f"silent for {STORAGE_PATIENCE.silence:.0f} seconds" in TEXT
    assert health._FIRST_REST == 0.5
    assert f"every {health._LONGEST_REST:.0f} seconds at most" in TEXT


# ── troubles


@pytest.mark.parametrize("away", ["register", "storage"])
def test_while_an_engine_is_away_hits_are_hits_and_misses_are_fetched(shared, wheel, pypi, away):
    pypi.add_wheel("other", "1.0")
    box = shared.node()
    assert box.get(f"/pypi{wheel.path}")["x-cache2"] == "MISS"
    if away == "register":
        shared.valkey.kill()
    else:
        shared.objects.down = True
    assert box.get(f"/pypi{wheel.path}")["x-cache2"] == "HIT"
    assert box.get("/pypi/simple/other/").status == 200
    ready = box.get("/-/ready")
    assert ready.status == 200
    settle(lambda: b"fails, this node goes on by itself" in box.get("/-/ready").body)


def test_an_object_that_is_gone_is_fetched_again_and_nobody_sees_it(shared, wheel, pypi):
    first, second = shared.node(), shared.node()
    assert first.get(f"/pypi{wheel.path}").status == 200
    settle(lambda: any("/packages/" in name for name in shared.objects.bodies))
    settle(lambda: b'published"} 2' in first.get("/-/metrics").body)
    shared.objects.lost.update(shared.objects.bodies)
    assert second.get(f"/pypi{wheel.path}").body == wheel.content
    assert pypi.count(wheel.path) == 2


def test_a_purge_on_one_node_reaches_the_others(shared, wheel):
    first, second = shared.node(admin_token=TOKEN), shared.node()
    for box in (first, second):
        assert box.get(f"/pypi{wheel.path}").status == 200
        assert box.get(f"/pypi{wheel.path}")["x-cache2"] == "HIT"
    settle(lambda: any("/packages/" in name for name in shared.objects.bodies))
    settle(lambda: b'published"} 2' in first.get("/-/metrics").body)
    body = b'{"project": "demo"}'
    head = (
        f"POST /-/api/v1/purge HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    assert b" 200 " in first.raw(head.encode() + body).partition(b"\r\n")[0]
    settle(lambda: json.loads(second.get("/-/api/v1/overview").body)["storage"]["entries"] == 0)


def test_no_password_of_an_engine_is_shown_among_the_settings():
    catalogue = next(setting for setting in describe() if setting.name == "catalogue")
    url = "valkey+sentinel://:one@a:26379,b:26379/service/0"
    assert catalogue.show(f"{url}?sentinel_password=two") == url.replace(":one@", "")
