"""The hot lane: it answers sooner than the application, and never differently."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any, Self

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st

from cheesebox.server.hot_protocol import with_lane
from tests.fakes.pypi import FakePyPI
from tests.web.running import Running, run_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cheesebox.web.hot_lane import HotLane
    from tests.fakes.pypi import FakeFile

JSON = "application/vnd.pypi.simple.v1+json"
UV = f"{JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"


class Lanes:
    """One application behind two servers: one with the lane, one without."""

    def __init__(self, running: Running, calls: list[str]) -> None:
        self.running = running
        self.calls = calls
        self._plain_socket = socket.create_server(("127.0.0.1", 0))
        self.plain_port = self._plain_socket.getsockname()[1]
        running._config.http = with_lane(self.lane)

    @property
    def lane(self) -> HotLane:
        return self.running.app.hot_lane

    @property
    def plain_app(self) -> Any:
        """What the server without the lane asks."""
        return self.running._config.app

    def start(self) -> None:
        self.running.call(self._start())

    async def _start(self) -> None:
        config = uvicorn.Config(
            self.plain_app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
        )
        self._plain = uvicorn.Server(config)
        config.load()
        self._plain.lifespan = config.lifespan_class(config)
        await self._plain.startup(sockets=[self._plain_socket])
        # Both have the same list, so that the Date is the same.
        self._plain.server_state.default_headers = self.running._server.server_state.default_headers

    def stop(self) -> None:
        self.running.call(self._plain.shutdown(sockets=[self._plain_socket]))

    def ask_lane(self, data: bytes) -> bytes:
        return ask(self.running.port, data)

    def ask_plain(self, data: bytes) -> bytes:
        return ask(self.plain_port, data)


def ask(port: int, data: bytes) -> bytes:
    """Send these bytes, and give all that comes until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.sendall(data)
        received = b""
        while piece := sock.recv(1 << 18):
            received += piece
        return received


@contextmanager
def two_lanes(cache_dir: Path, upstream: str, **overrides: object) -> Iterator[Lanes]:
    calls: list[str] = []

    def counted(app: Any) -> Callable[..., Any]:
        async def counting(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                calls.append(scope["path"])
            await app(scope, receive, send)

        return counting

    running = run_app(cache_dir, upstream, wrap=counted, **overrides)
    lanes = Lanes(running, calls)
    with running:
        lanes.start()
        try:
            yield lanes
        finally:
            lanes.stop()


@dataclass(frozen=True)
class Shop:
    """An index and its files, the smallest first."""

    pypi: FakePyPI
    files: tuple[FakeFile, ...]


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with FakePyPI() as pypi:
        small = pypi.add_wheel("demo", "1.0", size_padding=3000)
        middle = pypi.add_wheel("demo", "2.0", size_padding=90_000)
        large = pypi.add_wheel("other", "1.0", size_padding=700_000)
        yield Shop(pypi, (small, middle, large))


@pytest.fixture(scope="module")
def lanes(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lanes]:
    with two_lanes(tmp_path_factory.mktemp("cache"), shop.pypi.simple_url) as both:
        yield both


def request(method: str, target: str, fields: list[tuple[str, str]], version: str = "1.1") -> bytes:
    lines = [f"{method} {target} HTTP/{version}", "Host: a", *(f"{name}: {value}" for name, value in fields)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


LAST = request("GET", "/-/health", [("Connection", "close")])


def targets(shop: Shop) -> list[str]:
    paths = [f"/pypi{path}" for file in shop.files for path in (file.path, file.metadata_path)]
    pages = [f"/pypi/simple/{name}" for name in ("demo/", "other/", "Demo/", "demo", "", "/demo/", "absent/")]
    odd = [f"/pypi/simple/demo/?format={JSON}", "/pypi/pypi/demo/json", "/x"]
    return [*paths, *pages, *odd]


def etag_of(answer: bytes) -> str:
    for line in answer.partition(b"\r\n\r\n")[0].split(b"\r\n"):
        if line.lower().startswith(b"etag: "):
            return line[6:].decode()
    return '"none"'


ACCEPTS = st.sampled_from([UV, JSON, "text/html", "*/*", "application/json", f"{JSON};q=0", "", "\x80;;,q=="])
CODINGS = st.sampled_from(["gzip, deflate, zstd", "gzip", "identity", "zstd;q=0, gzip", "*", "br", ""])
CACHE_CONTROLS = st.sampled_from(["max-age=0", "no-cache", "No-Cache", "max-age=600"])
RANGES = st.sampled_from(
    ["bytes=0-9", "bytes=5-", "bytes=-7", "bytes=999999999-", "lines=1-2", "bytes=0-1,4-5"]
)
DATES = st.sampled_from(["Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2099 07:28:00 GMT", "never"])
TAGS = st.sampled_from(["ETAG", "W/ETAG", '"other"', '"other", ETAG', "*", "ETAG, ETAG", "broken"])
FIELD = st.one_of(
    st.tuples(st.just("Accept"), ACCEPTS),
    st.tuples(st.just("Accept-Encoding"), CODINGS),
    st.tuples(st.just("Cache-Control"), CACHE_CONTROLS),
    st.tuples(st.just("Range"), RANGES),
    st.tuples(st.just("If-Range"), TAGS),
    st.tuples(st.just("If-None-Match"), TAGS),
    st.tuples(st.just("If-Modified-Since"), DATES),
    st.tuples(st.just("User-Agent"), st.sampled_from(["pip/26.3", "uv/0.13"])),
    st.tuples(st.just("Connection"), st.just("keep-alive")),
    st.tuples(st.just("Authorization"), st.just("Basic eDp5")),
)
CASE = st.sampled_from([str, str.lower, str.upper, str.title])
METHODS = st.sampled_from(["GET"] * 6 + ["HEAD"] * 3 + ["OPTIONS", "DELETE"])


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, int, list[tuple[str, str]]]:
    """Give a method, the number of a target, and header fields in any order and case."""
    fields = draw(st.lists(FIELD, max_size=5))
    cased = [(draw(CASE)(name), value) for name, value in fields]
    return draw(METHODS), draw(st.integers(0, 99)), cased


@given(st.lists(requests(), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_the_lane_says_what_the_application_says(
    lanes: Lanes, shop: Shop, asked: list[tuple[str, int, list[tuple[str, str]]]]
) -> None:
    known = targets(shop)
    sent = []
    for method, number, fields in asked:
        target = known[number % len(known)]
        plain = [(name, value) for name, value in fields if name.lower() in ("accept", "accept-encoding")]
        probe = request("GET", target, plain)
        etag = etag_of(lanes.ask_plain(probe + LAST))  # warms it up, too
        given = [(name, value.replace("ETAG", etag)) for name, value in fields]
        sent.append((method, request(method, target, given)))
    data = b"".join(one for _, one in sent) + LAST
    expected = lanes.ask_plain(data)
    assert lanes.ask_plain(data) == expected
    assert lanes.ask_lane(data) == expected
    assert lanes.ask_lane(data) == expected
    assert one_by_one(lanes.running.port, sent * 3) == one_by_one(lanes.plain_port, sent * 3)


def one_by_one(port: int, asked: list[tuple[str, bytes]]) -> list[tuple[int, list[tuple[str, str]], bytes]]:
    """Ask on one connection, each time when the last answer has come; gives status, fields, bodies."""
    answers = []
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        for method, data in asked:
            sock.sendall(data)
            response = HTTPResponse(sock, method=method)
            response.begin()
            answers.append((response.status, response.headers.items(), response.read()))
            if response.will_close:
                break
    return answers


@pytest.mark.parametrize("target", ["/pypi/simple/demo/", "small file", "metadata"])
def test_a_repeated_request_never_reaches_the_application(lanes: Lanes, shop: Shop, target: str) -> None:
    small = shop.files[0]
    target = {"small file": f"/pypi{small.path}", "metadata": f"/pypi{small.metadata_path}"}.get(
        target, target
    )
    data = request("GET", target, [("Accept", UV), ("Accept-Encoding", "gzip, deflate, zstd")])
    lanes.ask_lane(data + LAST)
    lanes.ask_lane(data + LAST)
    lanes.calls.clear()
    answer = lanes.ask_lane(data * 3 + LAST)
    assert answer.count(b"x-cache2: HIT") == 3
    assert lanes.calls == ["/-/health"]


def test_the_same_bytes_are_answered_again_without_parsing(lanes: Lanes) -> None:
    data = request("GET", "/pypi/simple/other/", [("Accept", UV)])
    lanes.ask_lane(data + LAST)
    with socket.create_connection(("127.0.0.1", lanes.running.port), timeout=20) as sock:
        bodies = []
        for _ in range(4):  # one at a time, so that each is all that is read
            sock.sendall(data)
            bodies.append(read_one(sock))
        sock.sendall(data[:40])  # half a request, which must not be taken for a whole one
        sock.sendall(data[40:])
        bodies.append(read_one(sock))
    assert len(set(bodies)) == 1
    assert bodies[0].startswith(b"HTTP/1.1 200 OK")


class Repeated:
    """One connection that asks the same again and again, each time when the last answer has come."""

    def __init__(self, port: int, data: bytes) -> None:
        self._data = data
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self) -> bytes:
        self._socket.sendall(self._data)
        return read_one(self._socket)


def test_what_is_asked_again_has_the_date_and_the_age_of_now(tmp_path: Path) -> None:
    with FakePyPI() as pypi, two_lanes(tmp_path, pypi.simple_url) as both:
        pypi.add_wheel("demo", "1.0")
        state = both.running._server.server_state
        with Repeated(both.running.port, request("GET", "/pypi/simple/demo/", [("Accept", JSON)])) as asker:
            answers = [asker.ask() for _ in range(4)]
            assert answers[2] == answers[3]
            assert b"max-age=300" in answers[3]
            state.default_headers = [(b"date", b"another second")]
            assert b"date: another second\r\n" in asker.ask()
            both.running.clock.advance(100)  # within what is a second for the server
            assert b"max-age=200" in asker.ask()
            both.running.clock.advance(-50)
            assert b"max-age=250" in asker.ask()
            both.running.clock.advance(250)
            assert b"x-cache2: REVALIDATED" in asker.ask()


def test_what_was_purged_is_not_repeated(tmp_path: Path) -> None:
    purge = b'{"project": "demo"}'
    fields = [("Authorization", "Bearer token"), ("Content-Length", str(len(purge))), ("Connection", "close")]
    with FakePyPI() as pypi, two_lanes(tmp_path, pypi.simple_url, admin_token="token") as both:
        pypi.add_wheel("demo", "1.0")
        with Repeated(both.running.port, request("GET", "/pypi/simple/demo/", [("Accept", JSON)])) as asker:
            for _ in range(4):
                assert b"demo-2.0" not in asker.ask()
            pypi.add_wheel("demo", "2.0")
            assert b" 200 OK" in both.ask_lane(request("POST", "/-/api/v1/purge", fields) + purge)
            assert b"demo-2.0" in asker.ask()


def read_one(sock: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += sock.recv(1 << 16)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(next(line for line in head.split(b"\r\n") if line.startswith(b"content-length"))[16:])
    while len(body) < length:
        body += sock.recv(1 << 16)
    return head + b"\r\n\r\n" + body


def test_an_answer_is_not_given_from_memory_once_it_is_stale(tmp_path: Path) -> None:
    with FakePyPI() as pypi, two_lanes(tmp_path, pypi.simple_url) as both:
        pypi.add_wheel("demo", "1.0")
        data = request("GET", "/pypi/simple/demo/", [("Accept", JSON)]) + LAST
        for _ in range(3):
            answer = both.ask_lane(data)
        assert b"x-cache2: HIT" in answer
        assert b"max-age=300" in answer
        both.running.clock.advance(299)
        assert b"max-age=1," in both.ask_lane(data)
        both.running.clock.advance(1)
        assert b"x-cache2: REVALIDATED" in both.ask_lane(data)


def test_a_new_page_replaces_the_one_in_memory_in_every_variant(tmp_path: Path) -> None:
    with FakePyPI() as pypi, two_lanes(tmp_path, pypi.simple_url) as both:
        pypi.add_wheel("demo", "1.0")
        asked = [request("GET", "/pypi/simple/demo/", [("Accept", accept)]) for accept in (JSON, "text/html")]
        for data in asked * 3:
            both.ask_lane(data + LAST)
        pypi.add_wheel("demo", "2.0")
        both.running.clock.advance(301)
        both.ask_lane(asked[0] + LAST)
        for data in asked:
            assert b"demo-2.0" in both.ask_lane(data + LAST)


def test_strange_accept_fields_do_not_grow_the_table(lanes: Lanes) -> None:
    table = lanes.running.app.hot_lane.table
    before = table.statistics().bytes
    for number in range(300):
        data = request("GET", "/pypi/simple/demo/", [("Accept", f"{JSON};v={number}")])
        lanes.ask_lane(data + LAST)
    assert table.statistics().bytes - before < 50_000


def test_a_client_that_does_not_read_does_not_fill_the_memory(lanes: Lanes) -> None:
    data = request("GET", "/pypi/simple/demo/", [("Accept", JSON)])
    lanes.ask_lane(data * 2 + LAST)
    with socket.create_connection(("127.0.0.1", lanes.running.port), timeout=20) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(1)
        with pytest.raises(TimeoutError):  # the server stops reading: it takes no more requests in
            sock.sendall(data * 1_000_000)
        held = [connection.transport.get_write_buffer_size() for connection in connections(lanes)]
    assert max(held) < 8_000_000


def connections(lanes: Lanes) -> list[Any]:
    return list(lanes.running._server.server_state.connections)


def test_uses_are_counted_for_eviction_and_statistics(tmp_path: Path) -> None:
    with FakePyPI() as pypi, two_lanes(tmp_path, pypi.simple_url) as both:
        pypi.add_wheel("demo", "1.0")
        data = request("GET", "/pypi/simple/demo/", [("Accept", JSON)])
        both.ask_lane(data * 10 + LAST)
        counted = both.running.app.statistics().answers
        assert counted["page", "MISS"][0] + counted["page", "HIT"][0] == 10
