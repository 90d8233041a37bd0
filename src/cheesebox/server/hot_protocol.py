"""The hot lane: repeated requests answered while their head is parsed, before any task exists.

A subclass of uvicorn's httptools protocol. Rules of this module:
1. A request takes the lane only if nothing about it is unusual: GET or HEAD, HTTP/1.1, keep-alive,
   no body, no range, no ``no-cache``, at most one ``Accept`` and one ``Accept-Encoding``.
2. A request that is the same, byte for byte, as one that took the lane before is not parsed again.
   It must be all that was read, and the parser must be between two requests.
3. Answers keep the order of the requests: while an answer of the application is under way, requests
   queue behind it as in uvicorn.
4. A client that does not read gets no further answers into its buffer: beyond `_BURST` bytes for
   one read of pipelined requests, or when the transport asks to pause, the application answers,
   which waits.
5. Everything else (limits, shutdown, bad requests) is uvicorn's.
"""

from __future__ import annotations

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
_LONG = 32 * 1024
_OK, _NOT_MODIFIED = STATUS_LINE[200], STATUS_LINE[304]
_REMEMBERED = 4096
_LONGEST_REMEMBERED = 2048


class SharedState:
    """What the connections of one server share."""

    def __init__(self, lane: HotLane) -> None:
        self.lane = lane
        self.asked: dict[bytes, Asked] = {}
        self._defaults: list[tuple[bytes, bytes]] = []
        self._default_lines = b""

    def remember(self, data: bytes, asked: Asked) -> None:
        """Keep what a request means, under its bytes. Bounded: it starts anew when it is full."""
        if len(data) <= _LONGEST_REMEMBERED:
            if len(self.asked) >= _REMEMBERED:
                self.asked.clear()
            self.asked[data] = asked

    def default_lines(self, defaults: list[tuple[bytes, bytes]]) -> bytes:
        """Give the lines that uvicorn puts before ours; it replaces the list each second."""
        if self._defaults is not defaults:
            self._defaults = defaults
            self._default_lines = b"".join(b"%s: %s\r\n" % pair for pair in defaults)
        return self._default_lines


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
        self._facts: tuple[Asked, Facts] | None = None
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
        asked = self.shared.asked.get(data)
        if asked is not None and self._between_requests and self._is_free() and self._give(asked):
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
        if asked is not None and self._may_answer() and self._give(asked):
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

    def _give(self, asked: Asked) -> bool:
        """Answer, unless the ready answer does not hold any more, or is not for this client."""
        found = self._find(asked) if self.shared.lane.admits(asked.authorization) else None
        if found is None:
            return False
        ready, remaining = found
        if ready.is_mapped and self.scheme != "http":
            return False  # TLS would touch what only the kernel may
        is_known = asked.if_none_match is not None and asked.is_answered_by(ready.etag)
        body = b"" if is_known or asked.method == "HEAD" else ready.body
        head = ready.head(remaining, full=not is_known)
        defaults = self.shared.default_lines(self.server_state.default_headers)
        status_line = _NOT_MODIFIED if is_known else _OK
        if len(body) > _LONG:  # gathered by the kernel: joining would copy it once more
            self.transport.writelines((b"".join((status_line, defaults, head)), body))
        else:
            self.transport.write(b"".join((status_line, defaults, head, body)))
        self._burst += len(body) + len(head)
        self._answered = True
        self.server_state.total_requests += 1
        self.shared.lane.given(ready, self._facts_of(asked, 304 if is_known else 200, len(body)))
        return True

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

    def _facts_of(self, asked: Asked, status: int, size: int) -> Facts:
        """Give what the log says; a client that asks the same again gets the same facts."""
        if self._facts is not None:
            last, facts = self._facts
            if last is asked and facts.bytes == size and facts.status == status:
                return facts
        facts = facts_of(status, size, asked.method, asked.path, self._peer)
        self._facts = (asked, facts)
        return facts

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
