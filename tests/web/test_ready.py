"""Health and readiness over HTTP, and what is said before the start and after the stop."""

from __future__ import annotations

import json

import pytest

from cheesebox.app import build_app
from cheesebox.settings_loading import load_settings
from tests.web.asgi import Exchange


async def asked(app, path):
    exchange = Exchange()
    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
    await app(scope, exchange.receive, exchange.send)
    return exchange


@pytest.fixture
def app(tmp_path):
    given = {"cache_dir": str(tmp_path / "cache"), "upstream": "http://127.0.0.1:9/simple/", "min_free": "0"}
    return build_app(load_settings(None, {}, given))


async def test_ready_tells_of_start_and_stop(app):
    before = await asked(app, "/-/ready")
    assert (before.status, before.body.startswith(b"not ready: starting")) == (503, True)
    async with app:
        during = await asked(app, "/-/ready")
        assert (during.status, during.body) == (200, b"ready\n")
    after = await asked(app, "/-/ready")
    assert (after.status, after.body) == (503, b"not ready: stopping\n")


async def test_health_is_well_all_the_time(app):
    assert (await asked(app, "/-/health")).status == 200
    async with app:
        assert (await asked(app, "/-/health")).body == b"ok\n"
    assert (await asked(app, "/-/health")).status == 200


async def test_what_is_asked_before_the_start_is_to_be_asked_again(app):
    answer = await asked(app, "/pypi/simple/demo/")
    assert (answer.status, answer.headers[b"retry-after"]) == (503, b"5")
    assert json.loads(answer.body)["detail"].startswith("starting")


async def test_no_other_endpoint_is_there_before_the_start(app):
    assert (await asked(app, "/-/metrics")).status == 404


def test_a_store_that_cannot_be_written_is_told(launch):
    box = launch()
    parts = box.app.settings.cache_dir / ".parts"
    parts.rename(parts.with_name("away"))
    answer = box.get("/-/ready")
    assert (answer.status, answer["cache-control"]) == (503, "no-store")
    assert answer.body.startswith(b"not ready: cannot write to the cache directory")
    parts.with_name("away").rename(parts)
