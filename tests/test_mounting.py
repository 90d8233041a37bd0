"""The cache inside of Starlette and FastAPI applications, under a real uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import aiohttp
import fastapi
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import cheesebox
from cheesebox.errors import SettingsError
from cheesebox.mounting import MountedApp
from tests.clients.client import Client
from tests.clients.environments import PIPS, UV, prepare
from tests.fakes.distributions import incompressible

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.fakes.pypi import FakePyPI

JSON = "application/vnd.pypi.simple.v1+json"


@pytest.fixture
def make(tmp_path, pypi: FakePyPI):
    def create(**values) -> MountedApp:
        values = {"cache_dir": tmp_path / "cache", "upstream": pypi.simple_url, "min_free": 0, **values}
        return cheesebox.create_app(**values)

    return create


async def _home(_request) -> PlainTextResponse:
    return PlainTextResponse("the host's own page")


def starlette_with(cache, path="/pypi", **options):
    return Starlette(routes=[Route("/", _home), Mount(path, cache)], **options)


@contextlib.asynccontextmanager
async def served(app, **options) -> AsyncIterator[str]:
    """Serve as people do; gives the root URL."""
    config = uvicorn.Config(app, log_config=None, access_log=False, ws="none", **options)
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext
    with socket.create_server(("127.0.0.1", 0)) as sock:
        task = asyncio.create_task(server.serve(sockets=[sock]))
        while not server.started:
            assert not task.done()
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@contextlib.asynccontextmanager
async def browsing(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        url, auto_decompress=False, skip_auto_headers=["accept-encoding"]
    ) as session:
        yield session


async def page_links(session, page: str) -> list[str]:
    async with session.get(page, headers={"accept": JSON}) as answer:
        assert answer.status == 200
        return [
            str(answer.url.join(aiohttp.client.URL(f["url"])))
            for f in (await answer.json(content_type=None))["files"]
        ]


async def test_starlette_serves_the_index_on_the_mount(make, pypi):
    wheel = pypi.add_wheel("demo", "1.0")
    cache = make()
    async with served(starlette_with(cache, lifespan=cache.lifespan)) as root, browsing(root) as session:
        [url] = await page_links(session, "/pypi/simple/demo/")
        assert url.startswith(f"{root}/pypi/")
        async with session.get(url) as answer:
            assert await answer.read() == wheel.content
        async with session.get("/pypi/-/ready") as answer:
            assert await answer.text() == "ready\n"
        async with session.get("/") as answer:
            assert await answer.text() == "the host's own page"
    assert not cache._app.is_started


async def test_fastapi_serves_the_index_on_the_mount(make, pypi):
    wheel = pypi.add_wheel("demo", "1.0")
    cache = make()
    app = fastapi.FastAPI(lifespan=cache.lifespan)
    app.mount("/tools/pypi", cache)
    async with served(app, root_path="/outer") as root, browsing(root) as session:
        [url] = await page_links(session, "/tools/pypi/simple/demo/")
        async with session.get(url) as answer:
            assert await answer.read() == wheel.content
    assert not cache._app.is_started


@pytest.mark.parametrize("root_path", ["", "/outer"])
async def test_redirects_stay_below_the_mount(make, pypi, root_path):
    pypi.add_wheel("demo", "1.0")
    cache = make()
    async with served(starlette_with(cache), root_path=root_path) as root, browsing(root) as session:

        async def location(path: str) -> str:
            async with session.get(path, allow_redirects=False) as answer:
                assert answer.status == 302
                return str(answer.url.join(aiohttp.client.URL(answer.headers["location"])))

        assert await location("/pypi/simple") == f"{root}/pypi/simple/"
        assert await location("/pypi/simple/Demo/") == f"{root}/pypi/simple/demo/"
        assert await location("/pypi//simple/demo/") == f"{root}{root_path}/pypi/simple/demo/"


async def test_without_a_lifespan_the_first_requests_start_it_once(make, pypi, monkeypatch):
    pypi.add_wheel("demo", "1.0")
    cache = make()
    starts = []
    start = cache._app.start

    async def counted() -> None:
        starts.append(1)
        await start()

    monkeypatch.setattr(cache._app, "start", counted)
    async with served(starlette_with(cache)) as root, browsing(root) as session:
        assert not cache._app.is_started
        await asyncio.gather(*(page_links(session, "/pypi/simple/demo/") for _ in range(20)))
        assert starts == [1]
        await cache.close()
    assert not cache._app.is_started


def test_without_a_lifespan_the_end_of_the_loop_stops_it(make, pypi):
    pypi.add_wheel("demo", "1.0")
    cache = make()

    async def once() -> None:
        async with served(starlette_with(cache)) as root, browsing(root) as session:
            await page_links(session, "/pypi/simple/demo/")

    for _ in range(2):  # the second loop finds the directory free again
        asyncio.run(once())
        assert not cache._app.is_started


async def test_served_by_itself_it_follows_the_asgi_lifespan(make, pypi):
    pypi.add_wheel("demo", "1.0")
    cache = make()
    async with served(cache, lifespan="on") as root, browsing(root) as session:
        assert cache._app.is_started
        assert await page_links(session, "/simple/demo/")
    assert not cache._app.is_started


async def test_a_lifespan_of_ones_own_can_hold_it(make):
    cache = make()

    @contextlib.asynccontextmanager
    async def lifespan(app):
        async with cache.lifespan(app):
            yield

    async with served(starlette_with(cache, lifespan=lifespan)):
        assert cache._app.is_started
    assert not cache._app.is_started


async def test_a_cache_that_does_not_start_is_a_503_until_it_does(make, pypi, caplog):
    pypi.add_wheel("demo", "1.0")
    first, second = make(), make()
    async with served(starlette_with(second)) as root, browsing(root) as session:
        async with first.lifespan(), session.get("/pypi/simple/demo/") as answer:
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
            assert "cache_dir" not in await answer.text()
        assert "in use by another cheesebox" in caplog.text
        assert await page_links(session, "/pypi/simple/demo/")
        await second.close()


async def test_a_lifespan_tells_why_it_cannot_start(make):
    async with make().lifespan():
        with pytest.raises(SettingsError, match="in use by another cheesebox"):
            async with make().lifespan():
                pass


@pytest.mark.parametrize("middleware", [GZipMiddleware, "base"])
async def test_middlewares_change_no_byte(make, pypi, middleware):
    sdist = pypi.add_file("demo", "demo-1.0.tar.gz", b"compressible " * 30_000)
    big = pypi.add_file("demo", "demo-2.0.tar.gz", incompressible(2 << 20, seed="big"))

    async def passing(request, call_next):
        return await call_next(request)

    layer = (
        Middleware(BaseHTTPMiddleware, dispatch=passing) if middleware == "base" else Middleware(middleware)
    )
    cache = make()
    app = starlette_with(cache, middleware=[layer], lifespan=cache.lifespan)
    zipped = {"accept-encoding": "gzip"}
    async with served(app) as root, browsing(root) as session:
        async with session.get("/pypi/simple/demo/", headers=zipped) as answer:
            assert answer.headers["content-encoding"] == "gzip"
            assert not answer.headers["etag"].startswith("W/")
            length = int(answer.headers["content-length"])
            assert len(await answer.read()) == length
        for file in (sdist, big):
            for _ in range(2):  # cold, then cached
                async with session.get(f"/pypi{file.path}", headers=zipped) as answer:
                    assert answer.status == 200
                    assert answer.headers.get("content-encoding", "identity") == "identity"
                    assert await answer.read() == file.content
            async with session.get(
                f"/pypi{file.path}", headers={**zipped, "range": "bytes=5-1004"}
            ) as answer:
                assert answer.status == 206
                assert await answer.read() == file.content[5:1005]


async def test_without_an_encoding_asked_for_files_have_none(make, pypi):
    sdist = pypi.add_sdist("demo", "1.0")
    cache = make()
    async with (
        served(starlette_with(cache, lifespan=cache.lifespan)) as root,
        browsing(root) as session,
        session.get(f"/pypi{sdist.path}", headers={"accept-encoding": "identity"}) as answer,
    ):
        assert "content-encoding" not in answer.headers


async def test_several_indexes_and_static_files_lie_below_the_mount(pypi, tmp_path):
    pypi.add_wheel("demo", "1.0")
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "hello.txt").write_text("hello")
    cache = cheesebox.create_app(
        cache_dir=str(tmp_path / "cache"),
        min_free="0",
        index=[{"name": "pypi", "upstream": pypi.simple_url}],
        static=[{"mount": "/", "root": str(tmp_path / "www")}],
    )
    async with (
        served(starlette_with(cache, "/x", lifespan=cache.lifespan)) as root,
        browsing(root) as session,
    ):
        assert await page_links(session, "/x/pypi/simple/demo/")
        async with session.get("/x/hello.txt") as answer:
            assert await answer.text() == "hello"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_sise": 1}, "unknown setting 'max_sise'; did you mean max_size?"),
        ({"max_size": "many"}, "max_size \\(create_app\\): 'many' is not a size"),
        ({"mount": "/-"}, "mount = '/-'"),
        (
            {"index": [{"name": "a", "upstream": "https://a.example/"}], "fresh_for": 1},
            "fresh_for: set it in",
        ),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_at_once(values, message):
    with pytest.raises(SettingsError, match=message):
        cheesebox.create_app(**values)


def test_settings_and_values_do_not_mix(make):
    with pytest.raises(SettingsError, match="max_size cannot be added"):
        cheesebox.create_app(make()._app.settings, max_size=1)
    assert isinstance(cheesebox.create_app(make()._app.settings), MountedApp)


def test_neither_file_nor_environment_is_read(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cheesebox.toml").write_text("port = 1")
    monkeypatch.setenv("CHEESEBOX_MAX_SIZE", "1GB")
    settings = make()._app.settings
    assert (settings.port, settings.max_size) == (6283, 50 * 10**9)


def test_the_package_alone_imports_nothing_heavy():
    program = "import cheesebox, sys; print({'aiohttp', 'msgspec', 'cheesebox.app'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = cheesebox.nothing


@pytest.mark.clients
@pytest.mark.timeout(300)
@pytest.mark.parametrize("tool", [PIPS[0], PIPS[-1], UV], ids=str)
async def test_clients_install_from_a_mounted_cache_behind_gzip(make, pypi, tmp_path, tool):
    pypi.add_wheel("helper", "1.0")
    pypi.add_wheel("demo", "1.0", requires=["helper"])
    client = Client(prepare(tool), tmp_path / "client")
    cache = make()
    app = starlette_with(cache, lifespan=cache.lifespan, middleware=[Middleware(GZipMiddleware)])
    async with served(app) as root:
        command = ("install", "--index-url", f"{root}/pypi/simple/", "--target", "installed", "demo")
        words = ("pip", *command) if tool is UV else command
        await asyncio.to_thread(client.run, *words)
    assert (client.project / "installed" / "helper-1.0.dist-info").is_dir()
