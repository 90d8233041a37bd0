"""Ready answers in memory, found by the request as it was sent.

Rules of this module:
1. A ready answer says exactly what the application would say to the same request as a HIT; when it
   can't know (another body, not fresh, removed), it is not given.
2. The table is bounded in bytes, in ready answers per target and in the length of what it is keyed
   by: strange ``Accept`` strings cannot grow it.
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

    def __init__(self, budget: int, cleared: Callable[[], None] = lambda: None) -> None:
        """``budget`` in bytes; ``cleared`` is called when all is let go of."""
        self._cleared = cleared
        self._targets: WeightedLru[bytes, dict[Negotiated, ReadyAnswer]] = WeightedLru(budget, _let_go)
        self._mapped: set[bytes] = set()
        self.clearings = 0
        """How many times it was cleared: an answer that was begun before is not to be offered after."""

    def find(self, target: bytes, negotiated: Negotiated) -> ReadyAnswer | None:
        """Look up a request as it was sent."""
        answers = self._targets.get(target)
        return None if answers is None else answers.get(negotiated)

    def offer(self, target: bytes, negotiated: Negotiated, template: Template, index: str = "") -> None:
        """Take a ready answer in, unless its target has too many already.

        ``index`` is the one that its uses are counted for.
        """
        if len(target) + len(negotiated[0]) + len(negotiated[1]) > _LONGEST_KEY:
            return
        answers = self._targets.get(target)
        if answers is None:
            answers = {}
        held = answers.get(negotiated)
        if held is not None and held.is_made_of(template):
            return
        if held is None and len(answers) >= _VARIANTS:
            return
        if held is not None:
            held.is_held = False
        answers[negotiated] = ReadyAnswer(target, template, index)
        if isinstance(template.body, memoryview):
            self._mapped.add(target)
            if len(self._mapped) > 2 * len(self._targets) + _VARIANTS:
                self._mapped.intersection_update(self._targets)
        self._targets.put(target, answers, sum(len(ready.body) + _OVERHEAD for ready in answers.values()))
        is_held = target in self._targets
        for ready in answers.values():
            ready.is_held = is_held

    def used(self, target: bytes) -> None:
        """Note a use that went past `find`."""
        self._targets.get(target)

    def drop(self, target: bytes) -> None:
        """Let go of the answers of a target: one of them does not hold any more."""
        self._targets.pop(target)

    def unmap(self) -> None:
        """Let go of all views of files: a removed file takes room on disk while it is mapped."""
        for target in self._mapped:
            self.drop(target)
        self._mapped.clear()

    def clear(self) -> None:
        """Let go of all: something was purged, or all is shown in another way."""
        self.clearings += 1
        self._targets.clear()
        self._cleared()

    def statistics(self) -> HotStatistics:
        """Give how many targets are held, and their bytes."""
        return HotStatistics(len(self._targets), self._targets.held)


def _let_go(answers: dict[Negotiated, ReadyAnswer]) -> None:
    for ready in answers.values():
        ready.is_held = False


@dataclass(frozen=True, slots=True)
class HotStatistics:
    """Targets with ready answers, and the bytes that they take."""

    targets: int
    bytes: int
