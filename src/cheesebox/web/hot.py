"""Ready answers in memory, found by the request as it was sent.

Rules of this module:
1. A ready answer says exactly what the application would say to the same request as a HIT; when it
   can't know (another body, not fresh, removed), it is not given.
2. The table is bounded in bytes, in ready answers per target and in the length of what it is keyed
   by: strange ``Accept`` strings cannot grow it. Views of files have bytes of their own: a wheel is
   cheap to map again, and shall not push out a page that is costly to render again.
3. It is read by the server's hot lane and filled by the application, both on the event loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cheesebox.cache.freshness import Verdict
from cheesebox.cache.memory import WeightedLru
from cheesebox.ports import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from cheesebox.cache.terms import Terms
    from cheesebox.ports import Key
    from cheesebox.web.heads import ReadyHead

_OVERHEAD = 1024
_LONGEST_KEY = 1024
_VARIANTS = 8
_HIT = Verdict.HIT.value

Negotiated = tuple[bytes, bytes]
"""``Accept`` and ``Accept-Encoding`` as they were sent (empty: not sent)."""

_Answers = dict[Negotiated, "ReadyAnswer"]


class Source(Protocol):
    """Tells whether a ready answer still holds."""

    def remaining(self) -> int | None:
        """Whole seconds of freshness lifetime left, or None when the application must be asked."""
        ...

    def terms(self) -> Terms | None:
        """Tell what it stands on; None: it holds here only."""
        ...


@dataclass(frozen=True, slots=True)
class Template:
    """What a ready answer is made of.

    ``body`` may be a view of a file in the page cache, which only system calls may touch.
    """

    key: Key
    kind: str
    etag: str
    body: bytes | memoryview
    source: Source
    head: ReadyHead


class ReadyAnswer:
    """One answer, its head encoded anew only when the remaining seconds change.

    ``hits`` and ``sent`` (bytes) count the uses that are not written down yet. It may be given only
    while ``is_held``: what the table has let go of does not hold any more.
    """

    __slots__ = (
        *("_full", "_not_modified", "_remaining", "_template"),
        *("body", "etag", "hits", "is_held", "is_mapped", "key", "sent", "source", "tally", "target"),
        "__weakref__",
    )

    def __init__(self, target: bytes, template: Template, index: str) -> None:
        self._template = template
        self.target = target
        self.is_held = False
        self.key = template.key
        self.tally = Tally(index, template.kind, _HIT)
        self.etag = template.etag.encode("latin-1")
        self.body = template.body
        self.source = template.source
        self.is_mapped = isinstance(template.body, memoryview)
        self.hits = 0
        self.sent = 0
        self._remaining = -1
        self._full = b""
        self._not_modified = b""

    def head(self, remaining: int, *, full: bool) -> bytes:
        """Give the encoded header fields of the 200 or the 304, and the empty line that ends them."""
        if remaining != self._remaining:
            self._remaining = remaining
            self._full = _encode(self._template.head(remaining, True))
            self._not_modified = _encode(self._template.head(remaining, False))
        return self._full if full else self._not_modified

    def is_made_of(self, template: Template) -> bool:
        """Tell whether a template would make the same answer."""
        return self.body is template.body and self._template.source == template.source


def _encode(headers: list[tuple[str, str]]) -> bytes:
    lines = [f"{name.lower()}: {value}\r\n" for name, value in headers]
    return ("".join(lines) + "\r\n").encode("latin-1")


class HotTable:
    """The ready answers. Not thread-safe: used on the event loop only."""

    def __init__(self, budget: int, mapped: int, cleared: Callable[[], None] = lambda: None) -> None:
        """``budget`` and, for views of files, ``mapped`` in bytes; ``cleared``: all is let go of."""
        self._cleared = cleared
        self._in_memory: WeightedLru[bytes, _Answers] = WeightedLru(budget, _let_go)
        self._mapped: WeightedLru[bytes, _Answers] = WeightedLru(mapped, _let_go)
        self.clearings = 0
        """How many times it was cleared: an answer that was begun before is not to be offered after."""

    def find(self, target: bytes, negotiated: Negotiated) -> ReadyAnswer | None:
        """Look up a request as it was sent."""
        answers = self._in_memory.get(target) or self._mapped.get(target)
        return None if answers is None else answers.get(negotiated)

    def offer(self, target: bytes, negotiated: Negotiated, template: Template, index: str = "") -> None:
        """Take a ready answer in, unless its target has too many already.

        ``index`` is the one that its uses are counted for.
        """
        if len(target) + len(negotiated[0]) + len(negotiated[1]) > _LONGEST_KEY:
            return
        held, other = self._in_memory, self._mapped
        if isinstance(template.body, memoryview):
            held, other = other, held
        other.pop(target)
        answers = held.get(target)
        if answers is None:
            answers = {}
        ready = answers.get(negotiated)
        if ready is not None and ready.is_made_of(template):
            return
        if ready is None and len(answers) >= _VARIANTS:
            return
        if ready is not None:
            ready.is_held = False
        answers[negotiated] = ReadyAnswer(target, template, index)
        held.put(target, answers, sum(len(ready.body) + _OVERHEAD for ready in answers.values()))
        is_held = target in held
        for ready in answers.values():
            ready.is_held = is_held

    def used(self, ready: ReadyAnswer) -> None:
        """Note a use that went past `find`."""
        (self._mapped if ready.is_mapped else self._in_memory).get(ready.target)

    def drop(self, target: bytes) -> None:
        """Let go of the answers of a target: one of them does not hold any more."""
        self._in_memory.pop(target)
        self._mapped.pop(target)

    def unmap(self) -> None:
        """Let go of all views of files: a removed file takes room on disk while it is mapped."""
        self._mapped.clear()

    def clear(self) -> None:
        """Let go of all: something was purged, or all is shown in another way."""
        self.clearings += 1
        self._in_memory.clear()
        self._mapped.clear()
        self._cleared()

    def statistics(self) -> HotStatistics:
        """Give how many targets are held, and their bytes."""
        return HotStatistics(
            len(self._in_memory) + len(self._mapped), self._in_memory.held + self._mapped.held
        )


def _let_go(answers: _Answers) -> None:
    for ready in answers.values():
        ready.is_held = False


@dataclass(frozen=True, slots=True)
class HotStatistics:
    """Targets with ready answers, and the bytes that they take."""

    targets: int
    bytes: int
