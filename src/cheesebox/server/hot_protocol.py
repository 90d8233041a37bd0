"""The hot lane: repeated requests answered while their head is parsed, before any task exists.

A subclass of uvicorn's httptools protocol. Rules of this module:
1. A request takes the lane only if nothing about it is unusual: GET or HEAD, HTTP/1.1, keep-alive,
   no body, no range, no ``no-cache``, at most one ``Accept`` and one ``Accept-Encoding``.
2. A request that is the same, byte for byte, as one that took the lane before is not parsed again.
   It must be all that was read, and the parser must be between two requests. Nor is its answer put
   together again within the second of its ``Date``.
3. Answers keep the order of the requests: while an answer of the application is under way, requests
   queue behind it as in uvicorn.
4. A client that does not read gets no further answers into its buffer: beyond `_BURST` bytes for
   one read of pipelined requests, or when the transport asks to pause, the application answers,
   which waits.
5. Everything else (limits, shutdown, bad requests) is uvicorn's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import ref

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from cheesebox.server.asked import Asked, read
from cheesebox.web.hot_lane import facts_of
from cheesebox.web.http import VIEWS

if TYPE_CHECKING:
    import asyncio

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from cheesebox.web.access_log import Facts
    from cheesebox.web.hot import ReadyAnswer
    from cheesebox.web.hot_lane import HotLane

_BURST = 1024 * 1024
_MADE = 4 * 1024 * 1024
_LONG = 32 * 1024
_OK, _NOT_MODIFIED = STATUS_LINE[200], STATUS_LINE[304]
_REMEMBERED = 4096
_LONGEST_REMEMBERED = 2048


@dataclass(slots=True, eq=False)
class Made:
    """An answer put together: all its bytes, or its head where ``body`` follows; ``sent`` counts the body's.

    It is right while its ready answer holds for ``remaining`` seconds, and for one ``Date``.
    """

    ready: ReadyAnswer
    remaining: int
    data: bytes
    body: bytes | memoryview
    status: int
    sent: int
    _facts: dict[str, Facts] = field(default_factory=dict)

    def facts(self, asked: Asked, peer: str) -> Facts:
        """Give what the log says of it when a client gets it."""
        facts = self._facts.get(peer)
        if facts is None:
            facts = self._facts[peer] = facts_of(self.status, self.sent, asked.method, asked.path, peer)
        return facts


class SharedState:
    """What the connections of one server share."""

    def __init__(self, lane: HotLane) -> None:
        self.lane = lane
        self.asked: dict[bytes, Asked] = {}
        self._made: dict[Asked, Made] = {}
        self._room = 0
        self._defaults: list[tuple[bytes, bytes]] = []
        self._default_lines = b""

    def remember(self, data: bytes, asked: Asked) -> None:
        """Keep what a request means, under its bytes. Bounded: it starts anew when it is full."""
        if len(data) <= _LONGEST_REMEMBERED:
            if len(self.asked) >= _REMEMBERED:
                self.asked.clear()
            self.asked[data] = asked

    def made_at(self, defaults: list[tuple[bytes, bytes]]) -> dict[Asked, Made]:
        """Give the answers of this second; uvicorn replaces its list of default fields each second."""
        if self._defaults is not defaults:
            self._defaults = defaults
            self._default_lines = b"".join(b"%s: %s\r\n" % pair for pair in defaults)
            self._made = {}
            self._room = _MADE
        return self._made

    def default_lines(self, defaults: list[tuple[bytes, bytes]]) -> bytes:
        """Give the lines that uvicorn puts before ours."""
        self.made_at(defaults)
        return self._default_lines

    def keep(self, asked: Asked, made: Made) -> None:
        """Keep an answer for the rest of the second, if it is small and no view of a file."""
        if len(made.data) <= self._room and not made.body and not made.ready.is_mapped:
            self._room -= len(made.data)
            self._made[asked] = made


class HotProtocol(HttpToolsProtocol):
    """uvicorn's protocol with the hot lane in front. `with_lane` makes the class that uvicorn gets."""

    shared: SharedState

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._data = b""
        self._answered = False
        self._between_requests = True
        self._burst = 0
        self._peer = "-"
        self._idle_since = 0.0
        self._idle_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Note who the client is."""
        super().connection_made(transport)
        self._peer = self.client[0] if self.client else "-"

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answer what is known by its bytes, parse the rest."""
        self._burst = 0
        if self._between_requests and self._is_free() and self._answers_again(data):
            self._unset_keepalive_if_required()
        else:
            self._data = data if self._between_requests else b""
            super().data_received(data)
            self._data = b""
        if self._answered:
            self._idle_since = self.loop.time()
            if self._idle_timer is None and self.timeout_keep_alive_task is None:
                self._watch_idleness(self.timeout_keep_alive)

    # ── parser callbacks ────────────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        """Begin a request. uvicorn's scope is made only if the application is asked."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._answered = False
        self._between_requests = False

    def on_headers_complete(self) -> None:
        """Answer from the lane, or let the application answer."""
        asked = read(self.parser.get_method(), self.url, self.headers)
        if asked is not None and self._may_answer() and (made := self._make(asked)) is not None:
            self._give(asked, made)
            if _is_one_request(self._data):
                self.shared.remember(self._data, asked)
            return
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers
        if self.scheme == "http":
            self.scope["extensions"] = {VIEWS: {}}
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a request's body, which no answered request has."""
        if not self._answered:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._between_requests = True
        if not self._answered:
            super().on_message_complete()

    # ── the lane ────────────────────────────────────────────────────────────────────────────────

    def _may_answer(self) -> bool:
        return self._is_free() and self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive()

    def _is_free(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return (
            (cycle is None or cycle.response_complete)
            and not self.flow.write_paused
            and self._burst < _BURST
            and self.limit_concurrency is None
            and not self.transport.is_closing()
        )

    def _answers_again(self, data: bytes) -> bool:
        """Answer a request whose bytes are known, unless its answer does not hold any more."""
        shared, lane = self.shared, self.shared.lane
        asked = shared.asked.get(data)
        if asked is None:
            return False
        made = shared.made_at(self.server_state.default_headers).get(asked)
        if made is None or lane.holds(made.ready) != made.remaining or not lane.admits(asked.authorization):
            made = self._make(asked)
            if made is None:
                return False
            shared.keep(asked, made)
        self._give(asked, made)
        return True

    def _give(self, asked: Asked, made: Made) -> None:
        if made.body:
            self.transport.writelines((made.data, made.body))
        else:
            self.transport.write(made.data)
        self._burst += len(made.data) + len(made.body)
        self._answered = True
        self.server_state.total_requests += 1
        self.shared.lane.given(made.ready, made.facts(asked, self._peer))

    def _make(self, asked: Asked) -> Made | None:
        """Put an answer together; None if there is none that holds, or none for this client."""
        found = self._find(asked) if self.shared.lane.admits(asked.authorization) else None
        if found is None:
            return None
        ready, remaining = found
        if ready.is_mapped and self.scheme != "http":
            return None  # TLS would touch what only the kernel may
        is_known = asked.if_none_match is not None and asked.is_answered_by(ready.etag)
        body = b"" if is_known or asked.method == "HEAD" else ready.body
        status, line = (304, _NOT_MODIFIED) if is_known else (200, _OK)
        defaults = self.shared.default_lines(self.server_state.default_headers)
        pieces = (line, defaults, ready.head(remaining, full=not is_known))
        if len(body) > _LONG:  # gathered by the kernel: joining would copy it once more
            return Made(ready, remaining, b"".join(pieces), body, status, len(body))
        return Made(ready, remaining, b"".join((*pieces, body)), b"", status, len(body))

    def _find(self, asked: Asked) -> tuple[ReadyAnswer, int] | None:
        """Look first at what answered the same request the last time (it may be gone by now)."""
        lane = self.shared.lane
        if asked.ready is not None and (ready := asked.ready()) is not None:
            remaining = lane.holds(ready)
            if remaining is not None:
                return ready, remaining
        found = lane.find(asked.target, asked.negotiated)
        asked.ready = None if found is None else ref(found[0])
        return found

    # ── keep-alive ──────────────────────────────────────────────────────────────────────────────

    def _watch_idleness(self, delay: float) -> None:
        self._idle_timer = self.loop.call_later(delay, self._close_if_idle)

    def _close_if_idle(self) -> None:
        """End a connection that has been idle; one timer looks, where one a request would cost more."""
        self._idle_timer = None
        if not self._answered:
            return  # the application answered last: uvicorn's own timer runs
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left <= 0:
            self.timeout_keep_alive_handler()
        else:
            self._watch_idleness(left)


def _is_one_request(data: bytes) -> bool:
    """Tell whether these bytes are one whole request head and nothing else."""
    return data.endswith(b"\r\n\r\n") and data.count(b"\r\n\r\n") == 1 and data[:1] in (b"G", b"H")


def with_lane(lane: HotLane) -> type[HotProtocol]:
    """Make the protocol class for one server."""
    return type("HotProtocol", (HotProtocol,), {"shared": SharedState(lane)})
