"""What every answer has in common: one end, one close, one line in the log."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

from cheesebox.errors import CheeseboxError, NotFound, StoreError, UpstreamBroken, UpstreamTimeout
from cheesebox.web.http import Response
from cheesebox.web.site import ConnectionCut
from tests.web.asgi import Bench, Exchange, ScriptedFile, streamed

SECRET = "/srv/secret/cache/path"


def _run(work):
    return asyncio.run(asyncio.wait_for(work, 10))


def _logged(bench):
    (access,) = bench.accesses
    _, facts = access
    return facts.status, facts.cache, facts.bytes, facts.method, facts.path, facts.client


def test_a_stream_is_sent_whole_and_closed_once():
    async def scenario():
        file = ScriptedFile(b"abc", b"def")
        bench = Bench(lambda: streamed(file))
        exchange = await bench.exchange(Exchange())

        assert (exchange.status, exchange.body, exchange.is_complete) == (200, b"abcdef", True)
        assert (file.closed, file.ended) == (1, 1)
        assert bench.counter.statistics().answers == {("file", "MISS"): (1, 6)}
        assert _logged(bench) == (200, "MISS", 6, "GET", "/pypi/x", "192.0.2.1")
        assert bench.accesses[0][1].ms >= 0

    _run(scenario())


@pytest.mark.parametrize("script", [(), (b"",)])
def test_an_empty_stream_is_a_whole_answer(script):
    async def scenario():
        exchange = await Bench(lambda: streamed(ScriptedFile(*script))).exchange(Exchange())
        assert (exchange.status, exchange.body, exchange.is_complete) == (200, b"", True)

    _run(scenario())


def test_head_opens_no_stream_and_closes_the_file():
    async def scenario():
        file = ScriptedFile(b"abc")
        exchange = await Bench(lambda: streamed(file)).exchange(Exchange(), "HEAD")
        assert (exchange.status, exchange.body, exchange.is_complete) == (200, b"", True)
        assert (file.closed, file.ended) == (1, 0)

    _run(scenario())


def test_a_failure_before_the_first_byte_is_told_by_a_status():
    async def scenario():
        file = ScriptedFile(UpstreamTimeout("no bytes"))
        bench = Bench(lambda: streamed(file))
        exchange = await bench.exchange(Exchange())

        assert exchange.status == 504
        assert json.loads(exchange.body)["detail"] == "no bytes"
        assert file.closed == 1
        assert _logged(bench)[0] == 504

    _run(scenario())


def test_a_failure_after_bytes_cuts_the_answer_and_counts_what_went_out(caplog):
    async def scenario():
        file = ScriptedFile(b"abc", UpstreamBroken("wrong digest"))
        bench, exchange = Bench(lambda: streamed(file)), Exchange()
        with pytest.raises(ConnectionCut, match="wrong digest"):
            await bench.exchange(exchange)

        assert (exchange.body, exchange.is_complete, file.closed) == (b"abc", False, 1)
        assert bench.counter.statistics().answers == {("file", "MISS"): (1, 3)}
        assert _logged(bench)[:3] == (200, "MISS", 3)

    _run(scenario())
    assert [(r.levelname, r.exc_info) for r in caplog.records] == [("WARNING", None)]


def test_a_bug_after_bytes_cuts_the_answer_with_a_traceback_in_the_log(caplog):
    async def scenario():
        with pytest.raises(ConnectionCut):
            await Bench(lambda: streamed(ScriptedFile(b"abc", ValueError(SECRET)))).exchange(Exchange())

    _run(scenario())
    assert [(r.levelname, bool(r.exc_info)) for r in caplog.records] == [("ERROR", True)]


@pytest.mark.parametrize("error", [ValueError(SECRET), CheeseboxError(SECRET)])
def test_an_internal_error_is_a_500_that_tells_no_path(error):
    def fail():
        raise error

    async def scenario():
        bench = Bench(fail)
        exchange = await bench.exchange(Exchange())

        assert exchange.status == 500
        assert exchange.headers[b"content-type"] == b"application/problem+json"
        assert SECRET.encode() not in exchange.body + repr(exchange.headers).encode()
        assert json.loads(exchange.body) == {"type": "about:blank", "title": "Internal error", "status": 500}
        assert _logged(bench)[0] == 500

    _run(scenario())


def test_what_an_index_lets_through_is_told_by_a_status():
    def fail():
        raise StoreError("the disk is tired")

    async def scenario():
        exchange = await Bench(fail).exchange(Exchange())
        assert (exchange.status, exchange.headers[b"retry-after"]) == (503, b"5")

    _run(scenario())


def test_a_client_that_leaves_ends_a_stream_that_waits():
    async def scenario():
        never = asyncio.Event()
        file, exchange = ScriptedFile(b"abc", never), Exchange()
        bench = Bench(lambda: streamed(file))
        serving = asyncio.create_task(bench.exchange(exchange))
        await exchange.got_body.wait()
        assert not serving.done()
        exchange.left.set()
        await serving

        assert (exchange.is_complete, file.closed, file.ended) == (False, 1, 1)
        assert bench.counter.statistics().answers == {("file", "MISS"): (1, 3)}

    _run(scenario())


def test_a_client_that_left_before_the_head_gets_none():
    async def scenario():
        file, exchange = ScriptedFile(asyncio.Event()), Exchange()
        exchange.left.set()
        await Bench(lambda: streamed(file)).exchange(exchange)
        assert (exchange.messages, file.closed, file.ended) == ([], 1, 1)

    _run(scenario())


def test_a_server_that_tells_of_a_gone_client_by_an_error_is_understood(caplog):
    async def scenario():
        file = ScriptedFile(b"abc", b"def")
        bench = Bench(lambda: streamed(file))
        await bench.exchange(Exchange(raises=BrokenPipeError))
        assert (file.closed, file.ended) == (1, 1)
        assert bench.counter.statistics().answers == {("file", "MISS"): (1, 0)}

    _run(scenario())
    assert caplog.records == []


def test_a_timeout_inside_the_stream_is_not_taken_for_a_gone_client():
    async def scenario():
        exchange = await Bench(lambda: streamed(ScriptedFile(TimeoutError()))).exchange(Exchange())
        assert exchange.status == 500

    _run(scenario())


@pytest.mark.parametrize("script", [(b"abc",), ()])
def test_a_cancelled_request_closes_its_file_once(script):
    async def scenario():
        file, exchange = ScriptedFile(*script, asyncio.Event()), Exchange()
        bench = Bench(lambda: streamed(file))
        serving = asyncio.create_task(bench.exchange(exchange))
        if script:
            await exchange.got_body.wait()
        else:
            await asyncio.sleep(0)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert file.closed == 1
        assert len(bench.accesses) == 1

    _run(scenario())


def test_a_request_that_is_cancelled_before_it_has_an_answer_is_not_counted():
    async def scenario():
        asked = asyncio.Event()

        async def wait():
            asked.set()
            await asyncio.Event().wait()

        bench = Bench(wait)
        serving = asyncio.create_task(bench.exchange(Exchange()))
        await asked.wait()
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        assert (bench.accesses, bench.counter.statistics().answers) == ([], {})

    _run(scenario())


def test_options_of_the_whole_server_and_an_unready_one():
    async def scenario():
        bench = Bench(lambda: Response(200, []))
        assert (await bench.exchange(Exchange(), "OPTIONS", "*")).status == 204
        assert (await bench.exchange(Exchange(), "GET", "*")).status == 404
        assert (await bench.exchange(Exchange(), "GET", "/-/ready")).status == 503

    _run(scenario())


def test_a_site_without_a_log_answers_as_well():
    async def scenario():
        bench = Bench(lambda: Response(204, []))
        bench.site._access_log = None
        assert (await bench.exchange(Exchange())).status == 204
        assert bench.accesses == []

    _run(scenario())


def test_not_found_stays_a_404():
    def fail():
        raise NotFound("nothing")

    async def scenario():
        assert (await Bench(fail).exchange(Exchange())).body == b"404 Not Found"

    _run(scenario())
