"""The hot lane: repeated requests answered while their head is parsed, before any task exists.

A subclass of uvicorn's httptools protocol. Rules of this module:
1. A request takes the lane only if nothing about it is unusual: GET or HEAD, HTTP/1.1, keep-alive,
   no body, no range, no ``no-cache``, at most one ``Accept`` and one ``Accept-Encoding``.
2. Answers keep the order of the requests: while an answer of the application is under way, requests
   queue behind it as in uvicorn.
3. A client that does not read gets no further answers into its buffer: beyond `_BURST` bytes for
   one read of pipelined requests, or when the transport asks to pause, the application answers,
   which waits.
4. Everything else (limits, time-outs, shutdown, bad requests) is uvicorn's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from cheesebox.web.conditional import matches_none
from cheesebox.web.http import VIEWS

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from cheesebox.web.hot import Negotiated
    from cheesebox.web.hot_lane import HotLane

_BURST = 1024 * 1024
_METHODS = (b"GET", b"HEAD")
_OK, _NOT_MODIFIED = STATUS_LINE[200], STATUS_LINE[304]
_USUAL = frozenset({b"host", b"user-agent", b"connection"})
_UNUSUAL = frozenset(
    {
        b"accept",  # a second one
        b"accept-encoding",
        b"if-none-match",
        b"range",
        b"if-range",
        b"if-match",
        b"if-unmodified-since",
        b"content-length",
        b"transfer-encoding",
        b"expect",
        b"upgrade",
        b"authorization",
    }
)


class HotProtocol(HttpToolsProtocol):
    """uvicorn's protocol with the hot lane in front. `with_lane` makes the class that uvicorn gets."""

    lane: HotLane
    default_lines: tuple[list[tuple[bytes, bytes]], bytes]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._answered = False
        self._burst = 0
        self._peer = "-"

    def connection_made(self, transport: Any) -> None:
        """Note who the client is."""
        super().connection_made(transport)
        self._peer = self.client[0] if self.client else "-"

    def data_received(self, data: bytes) -> None:
        """Parse; the keep-alive time begins when the last answer has been written."""
        self._burst = 0
        super().data_received(data)
        if self._answered and self.timeout_keep_alive_task is None and not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_message_begin(self) -> None:
        """Begin a request. uvicorn's scope is made only if the application is asked."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._answered = False

    def on_headers_complete(self) -> None:
        """Answer from the lane, or let the application answer."""
        if self._answer():
            self._answered = True
            self.server_state.total_requests += 1
            return
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers
        if self.scheme == "http":  # TLS would touch what only the kernel may
            self.scope["extensions"] = {VIEWS: {}}
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a request's body, which no answered request has."""
        if not self._answered:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        if not self._answered:
            super().on_message_complete()

    def _answer(self) -> bool:
        method = self.parser.get_method()
        if method not in _METHODS or not self._may_answer():
            return False
        asked = _read(self.headers)
        if asked is None:
            return False
        negotiated, if_none_match = asked
        found = self.lane.find(self.url, negotiated)
        if found is None:
            return False
        ready, remaining = found
        is_new = if_none_match is None or not _matches(if_none_match, ready.etag)
        head = ready.head(remaining, full=is_new)
        body = ready.body if is_new and method == b"GET" else b""
        self.transport.write(b"".join((_OK if is_new else _NOT_MODIFIED, self._default_lines(), head, body)))
        self._burst += len(head) + len(body)
        self.lane.given(ready, 200 if is_new else 304, len(body), method.decode(), self.url, self._peer)
        return True

    def _may_answer(self) -> bool:
        return (
            not self._is_busy()
            and not self.flow.write_paused
            and self._burst < _BURST
            and self.limit_concurrency is None
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self.transport.is_closing()
        )

    def _is_busy(self) -> bool:
        """Tell whether the application is answering an earlier request of this connection."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _default_lines(self) -> bytes:
        """Give the lines that uvicorn puts before ours; it replaces the list each second."""
        defaults = self.server_state.default_headers
        cached = self.default_lines
        if cached[0] is not defaults:
            cached = (defaults, b"".join(b"%s: %s\r\n" % pair for pair in defaults))
            type(self).default_lines = cached
        return cached[1]


def _read(headers: list[tuple[bytes, bytes]]) -> tuple[Negotiated, bytes | None] | None:
    """Give what the lane goes by: Accept and Accept-Encoding, If-None-Match; None if it is unusual."""
    accept = accept_encoding = if_none_match = None
    has_date = False
    for name, value in headers:
        if name in _USUAL:
            continue
        if name == b"accept" and accept is None:
            accept = value
        elif name == b"accept-encoding" and accept_encoding is None:
            accept_encoding = value
        elif name == b"if-none-match" and if_none_match is None:
            if_none_match = value
        elif name == b"if-modified-since":
            has_date = True
        elif name in _UNUSUAL or (name == b"cache-control" and b"no-cache" in value.lower()):
            return None
    if has_date and if_none_match is None:
        return None
    return (accept or b"", accept_encoding or b""), if_none_match


def _matches(if_none_match: bytes, etag: bytes) -> bool:
    return if_none_match == etag or matches_none(if_none_match.decode("latin-1"), etag.decode("latin-1"))


def with_lane(lane: HotLane) -> type[HotProtocol]:
    """Make the protocol class for one server."""
    return type("HotProtocol", (HotProtocol,), {"lane": lane, "default_lines": ([], b"")})
