"""An upstream made of plans: each test writes down what it answers, chunk by chunk, with gates between."""

from __future__ import annotations

import asyncio
import gzip
from collections import defaultdict, deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cheesebox.errors import StoreFull, UpstreamError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from cheesebox.adapters.disk_store import DiskStore
    from cheesebox.ports import Blob, Key, Part

JSON = "application/vnd.pypi.simple.v1+json"
PAGES = "https://index.example/simple/"
FILES = "https://files.example/packages/"


class ManualClock:
    """A clock that stands still until the test moves it."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_time(self, seconds: float) -> None:
        self.now += seconds


class Gate:
    """Where an answer waits; the test sees it come and lets it go."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def pass_through(self) -> None:
        self.reached.set()
        await self.opened.wait()


Step = bytes | Gate | UpstreamError
"""What a body does next: some bytes, a wait, the end by an error."""


@dataclass
class Plan:
    """One answer: its head, then its steps. ``before`` is waited for or raised before the head."""

    steps: Sequence[Step] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    before: Gate | UpstreamError | None = None
    url: str = ""


@dataclass(frozen=True)
class Request:
    """What came to the upstream."""

    method: str
    url: str
    headers: Mapping[str, str]


class PlannedAnswer:
    def __init__(self, plan: Plan, url: str) -> None:
        self.status = plan.status
        self.url = plan.url or url
        self.headers = {name.lower(): value for name, value in plan.headers.items()}
        self._plan = plan

    async def chunks(self) -> AsyncIterator[bytes]:
        for step in self._plan.steps:
            if isinstance(step, Gate):
                await step.pass_through()
            elif isinstance(step, UpstreamError):
                raise step
            else:
                yield step


class PlannedUpstream:
    """Answers each URL from its queue of plans; the last plan of a queue is answered for ever."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._plans: dict[str, deque[Plan | Callable[[Request], Plan]]] = defaultdict(deque)

    def plan(self, url: str, *plans: Plan | Callable[[Request], Plan]) -> None:
        """Replace what comes next for this URL."""
        self._plans[url] = deque(plans)

    def serve(self, url: str, body: bytes, **options: Any) -> None:
        """Answer like a file host that knows ranges."""
        self.plan(url, lambda request: whole_or_part(body, request, **options))

    def asked(self, url: str, method: str = "GET") -> list[Request]:
        return [request for request in self.requests if (request.url, request.method) == (url, method)]

    @asynccontextmanager
    async def request(
        self, method: str, url: str, headers: Mapping[str, str]
    ) -> AsyncIterator[PlannedAnswer]:
        request = Request(method, url, dict(headers))
        self.requests.append(request)
        plans = self._plans[url]
        made = (plans.popleft() if len(plans) > 1 else plans[0]) if plans else Plan(status=404)
        plan = made(request) if callable(made) else made
        if isinstance(plan.before, Gate):
            await plan.before.pass_through()
        elif plan.before is not None:
            raise plan.before
        yield PlannedAnswer(plan, url)


def whole_or_part(
    body: bytes,
    request: Request,
    *,
    ranges: bool = True,
    etag: str = '"v1"',
    steps: Sequence[Step] | None = None,
) -> Plan:
    """Answer a GET or HEAD as RFC 9110 §14 says; ``steps`` replace the body of a whole answer."""
    headers = {"Content-Length": str(len(body))} | ({"ETag": etag} if etag else {})
    if request.method == "HEAD":
        return Plan(headers=headers)
    asked = request.headers.get("Range")
    if asked is None or not ranges or request.headers.get("If-Range", etag) != etag:
        return Plan([body] if steps is None else steps, headers=headers)
    first, _, last = asked.removeprefix("bytes=").partition("-")
    start, stop = int(first), int(last) + 1 if last else len(body)
    headers |= {
        "Content-Length": str(stop - start),
        "Content-Range": f"bytes {start}-{stop - 1}/{len(body)}",
    }
    return Plan([body[start:stop]], 206, headers)


def json_page(*files: dict[str, Any], name: str = "demo") -> bytes:
    """Write a project page."""
    return msgspec.json.encode({"meta": {"api-version": "1.1"}, "name": name, "files": list(files)})


def page_plan(
    body: bytes, *, etag: str = '"p1"', serial: int | None = None, headers: dict[str, str] | None = None
) -> Plan:
    """Answer with a page."""
    fields = {"Content-Type": JSON, "Content-Length": str(len(body))} | (headers or {})
    if etag:
        fields["ETag"] = etag
    if serial is not None:
        fields["X-PyPI-Last-Serial"] = str(serial)
    return Plan([body], headers=fields)


def gzipped(body: bytes, **options: Any) -> Plan:
    """Answer with a page in gzip."""
    packed = gzip.compress(body)
    return page_plan(packed, headers={"Content-Encoding": "gzip"}, **options)


class Disk:
    """A store whose parts take no more after ``room`` bytes, on a file system of ``capacity`` bytes."""

    def __init__(self, store: DiskStore, room: int | None = None, capacity: int | None = None) -> None:
        self._store = store
        self.room = room
        self.capacity = capacity

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def begin(self, key: Key) -> Part:
        part = self._store.begin(key)
        if self.room is not None:
            _limit(part, self.room)
        return part

    def open(self, key: Key) -> Blob | None:
        return self._store.open(key)

    def free_space(self) -> int:
        if self.capacity is None:
            return self._store.free_space()
        root = self._store.root
        used = [root / key for key in files_below(root)] + parts_below(root)
        return self.capacity - sum(path.stat().st_size for path in used)


def _limit(part: Part, room: int) -> None:
    append = part.append

    def append_while_there_is_room(chunks: Sequence[bytes]) -> None:
        if part.size + sum(map(len, chunks)) > room:
            raise StoreFull("the disk is full")
        append(chunks)

    part.append = append_while_there_is_room  # type: ignore[method-assign] # a fake disk that fills up


def open_handles() -> int:
    """Count the file descriptors of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def files_below(root: Path) -> set[str]:
    """Give the keys that lie on disk, without the catalogue and what is hidden."""
    return {
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file()
        and len(path.relative_to(root).parts) > 1
        and not path.relative_to(root).parts[0].startswith(".")
    }


def parts_below(root: Path) -> list[Path]:
    """Give what is growing, or was left."""
    return list((root / ".parts").iterdir())
