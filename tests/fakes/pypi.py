"""``FakePyPI``: a package index with faults, on loopback, in a thread of its own.

Real in what clients can see (protocol, files that install), false only where a test asks for it.
Its methods may be called from any thread.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote

from tests.fakes.delivery import deliver
from tests.fakes.distributions import Release, sdist_bytes, wheel_bytes
from tests.fakes.faults import Delivery, Fault, Options, Reply
from tests.fakes.handlers import Contents, answer
from tests.fakes.index_pages import FakeFile, file_path, normalized
from tests.fakes.loop_thread import LoopThread
from tests.fakes.wire import Connection, Listener, Request, parse_head

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

UPLOAD_TIME = "2025-06-01T12:00:00.000000Z"


@dataclass(slots=True)
class FaultRule:
    """Faults on the paths that a glob matches; ``hits`` counts the answers they spoiled."""

    path_glob: str
    faults: tuple[Fault, ...]
    times: int | None = None
    method: str | None = None
    hits: int = 0

    def take(self, request: Request) -> tuple[Fault, ...]:
        """Return the faults if they apply to this request, and count it."""
        if self.times is not None and self.hits >= self.times:
            return ()
        if self.method not in (None, request.method) or not fnmatchcase(request.path, self.path_glob):
            return ()
        self.hits += 1
        return self.faults


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it went out; ``complete`` is False for a cut one and one whose client left."""

    request: Request
    status: int
    body_size: int
    complete: bool


class FakePyPI:
    """A package index. Use it as a context manager, or call ``start`` and ``stop``.

    ``latency`` is in seconds before each head; with ``separate_file_host`` files are served from a
    second port, which is another host to any client.
    """

    def __init__(self, *, latency: float = 0.0, separate_file_host: bool = False) -> None:
        self.latency = latency
        self.requests: list[Request] = []
        self.answers: list[Answer] = []
        self.in_progress = 0
        self.high_water = 0
        self._rules: list[FaultRule] = []
        self._contents = Contents()
        self._lock = threading.Condition(threading.RLock())
        self._index = Listener(self._serve)
        self._files = Listener(self._serve) if separate_file_host else self._index
        self._thread: LoopThread | None = None

    def __repr__(self) -> str:
        projects = len(self._contents.projects)
        return f"<FakePyPI {self.url} [projects: {projects}, in progress: {self.in_progress}]>"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Listen on free ports of loopback."""
        self._thread = LoopThread("fake-pypi")
        self.come_back()
        return self

    def stop(self) -> None:
        """Cut all connections and end the thread."""
        self.go_down()
        if self._thread is not None:
            self._thread.stop()
            self._thread = None

    def go_down(self) -> None:
        """Refuse connections and cut the open ones, until ``come_back``."""
        self._call_each("close")

    def come_back(self) -> None:
        """Listen again, on the same ports."""
        self._call_each("open")

    def _call_each(self, action: str) -> None:
        async def work() -> None:
            for listener in dict.fromkeys((self._index, self._files)):
                await getattr(listener, action)()

        if self._thread is not None:
            self._thread.call(work())

    @property
    def url(self) -> str:
        """The root of the host, without a slash at the end."""
        return f"http://127.0.0.1:{self._index.port}"

    @property
    def simple_url(self) -> str:
        """The root of the Simple API, with a slash at the end."""
        return f"{self.url}/simple/"

    @property
    def files_url(self) -> str:
        """The root of the file host, without a slash at the end."""
        return f"http://127.0.0.1:{self._files.port}"

    @property
    def serial(self) -> int:
        """The serial of the whole index."""
        return self._contents.serial

    def serial_of(self, project: str) -> int:
        """Return the serial of one project. Raises KeyError when there is none of this name."""
        return self._contents.projects[normalized(project)].serial

    def add_wheel(
        self,
        name: str,
        version: str,
        *,
        requires: Iterable[str] = (),
        size_padding: int = 0,
        metadata: bool = True,
        extra_files: Mapping[str, bytes] | None = None,
        tag: str = "py3-none-any",
        requires_python: str | None = None,
        **listing: Any,
    ) -> FakeFile:
        """Build a wheel that pip installs and list it; ``listing`` goes to ``add_file``."""
        release = Release(name, version, tuple(requires), requires_python)
        content = wheel_bytes(release, tag, size_padding, extra_files or {})
        return self.add_file(
            name,
            f"{release.stem}-{version}-{tag}.whl",
            content,
            version=version,
            requires_python=requires_python,
            metadata=release.core_metadata() if metadata else None,
            **listing,
        )

    def add_sdist(
        self,
        name: str,
        version: str,
        *,
        requires: Iterable[str] = (),
        size_padding: int = 0,
        requires_python: str | None = None,
        **listing: Any,
    ) -> FakeFile:
        """Pack a source distribution that builds without any build dependency and list it."""
        release = Release(name, version, tuple(requires), requires_python)
        content = sdist_bytes(release, size_padding)
        filename = f"{release.stem}-{version}.tar.gz"
        return self.add_file(
            name, filename, content, version=version, requires_python=requires_python, **listing
        )

    def add_file(
        self,
        project: str,
        filename: str,
        content: bytes,
        *,
        version: str = "1.0",
        metadata: bytes | None = None,
        upload_time: str | None = UPLOAD_TIME,
        yanked: bool | str = False,
        requires_python: str | None = None,
        provenance: dict[str, Any] | None = None,
        path: str | None = None,
    ) -> FakeFile:
        """List a file of any content (same name: replaced); ``path`` overrides the one made of the digest."""
        path = path or file_path(content, filename)
        file = FakeFile(
            project=project,
            version=version,
            filename=filename,
            content=content,
            path=path,
            url=self.files_url + path,
            metadata=metadata,
            upload_time=upload_time,
            yanked=yanked,
            requires_python=requires_python,
            provenance=provenance,
        )
        _ = file.etag  # now, so that the first download is not slowed by it
        with self._lock:
            listed = self._contents.touch(project)
            listed.files = [known for known in listed.files if known.filename != filename] + [file]
            self._contents.by_path[unquote(path)] = file
        return file

    def replace_file(self, file: FakeFile, **changes: Any) -> FakeFile:
        """Change what the index says of a file (``yanked``, ``upload_time``, ``metadata``, …)."""
        changed = replace(file, **changes)
        with self._lock:
            project = self._contents.touch(file.project)
            project.files = [changed if known.path == file.path else known for known in project.files]
            self._contents.by_path[unquote(file.path)] = changed
        return changed

    def remove_file(self, file: FakeFile) -> None:
        """Take a file off its project's page and off the file host."""
        with self._lock:
            project = self._contents.touch(file.project)
            project.files = [known for known in project.files if known.path != file.path]
            self._contents.by_path.pop(unquote(file.path), None)

    def remove_project(self, name: str) -> None:
        """Forget a project: its page is a 404 from now on. Its files stay, as they do on PyPI for a while."""
        with self._lock:
            self._contents.touch(name)
            del self._contents.projects[normalized(name)]

    def set_status(self, project: str, status: str, reason: str | None = None) -> None:
        """Set the project status (PEP 792)."""
        with self._lock:
            known = self._contents.touch(project)
            known.status, known.reason = status, reason

    def touch(self, project: str) -> int:
        """Give the project a new serial (its page's bytes change with it) and return it."""
        with self._lock:
            return self._contents.touch(project).serial

    def fault(
        self, path_glob: str, *faults: Fault, times: int | None = None, method: str | None = None
    ) -> FaultRule:
        """Spoil the next ``times`` answers (None: all) on the paths that the glob matches."""
        rule = FaultRule(path_glob, faults, times, method)
        with self._lock:
            self._rules.append(rule)
        return rule

    def heal(self, path_glob: str | None = None) -> None:
        """Take back the faults that were set with this glob, or all."""
        with self._lock:
            self._rules = [rule for rule in self._rules if path_glob not in (None, rule.path_glob)]

    def count(self, path_glob: str, method: str | None = None) -> int:
        """How many requests came for the paths that the glob matches."""
        return sum(
            fnmatchcase(request.path, path_glob) and method in (None, request.method)
            for request in list(self.requests)
        )

    def wait_for_requests(self, path_glob: str, count: int = 1, timeout: float = 20) -> None:
        """Block until so many requests came for the paths that the glob matches. Raises TimeoutError."""
        with self._lock:
            if not self._lock.wait_for(lambda: self.count(path_glob) >= count, timeout):
                raise TimeoutError(
                    f"{self.count(path_glob)} of {count} requests for {path_glob} in {timeout} s"
                )

    def wait_for_answers(self, count: int, timeout: float = 20) -> list[Answer]:
        """Block until so many answers ended, whole or not, and return them. Raises TimeoutError."""
        with self._lock:
            if not self._lock.wait_for(lambda: len(self.answers) >= count, timeout):
                raise TimeoutError(f"{len(self.answers)} of {count} answers in {timeout} s")
            return list(self.answers)

    def clear(self) -> None:
        """Forget the requests so far and the high-water mark."""
        with self._lock:
            self.requests.clear()
            self.answers.clear()
            self.high_water = self.in_progress

    async def _serve(self, connection: Connection) -> None:
        while (head := await connection.read_head()) is not None:
            request = self._note(head)
            await connection.skip(int(request.headers.get("content-length", "0")))
            self.in_progress += 1
            self.high_water = max(self.high_water, self.in_progress)
            try:
                going_on = await self._reply(connection, request)
            finally:
                self.in_progress -= 1
            if not going_on or request.headers.get("connection", "").lower() == "close":
                return

    def _note(self, head: bytes) -> Request:
        with self._lock:
            request = parse_head(head, len(self.requests))
            self.requests.append(request)
            self._lock.notify_all()
            return request

    async def _reply(self, connection: Connection, request: Request) -> bool:
        reply, delivery = self._decide(request)
        if self.latency:
            await asyncio.sleep(self.latency)
        complete = False
        try:
            going_on = await deliver(connection, reply, delivery, bodyless=request.method == "HEAD")
            complete = delivery.cut is None
        finally:
            with self._lock:
                self.answers.append(Answer(request, reply.status, len(reply.body), complete))
                self._lock.notify_all()
        return going_on

    def _decide(self, request: Request) -> tuple[Reply, Delivery]:
        with self._lock:
            faults = [fault for rule in self._rules for fault in rule.take(request)]
            options, delivery = Options(), Delivery()
            for fault in faults:
                options = fault.options(options)
            reply = answer(self._contents, request, options, self.url)
            for fault in faults:
                reply = fault.reply(reply, request.path)
                delivery = fault.delivery(delivery)
            return reply, delivery
