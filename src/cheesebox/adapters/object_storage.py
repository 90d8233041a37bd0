"""Object storage (S3, Google Cloud Storage, Azure) over obstore.

Rules of this module:
1. obstore is called by its blocking functions only, on threads of our own that the interpreter waits for
   at its exit. Its asynchronous functions tell their results from threads that nobody waits for; up to
   Python 3.13 such a thread aborts the process when it meets an interpreter that is finalising: so ended
   3 of 100 exits amid traffic, and none of as many with blocking functions.
2. For the same reason no body is given to it as ``bytes``: a thread of its own would let go of them, maybe
   that late. A file-like object is read into memory that is not Python's.
3. Every call ends: the client has timeouts for connecting and for silence, and its retries are bounded;
   whoever waits for a call waits no longer than for `Patience.call`.
"""

from __future__ import annotations

import asyncio
import io
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cheesebox.adapters.bounds import answered_within
from cheesebox.adapters.multipart import MultipartUpload
from cheesebox.adapters.storage_errors import is_missing, is_not_implemented, told, translated
from cheesebox.engines import ObjectName, StoredObject
from cheesebox.errors import EngineError, ObjectMissing, SettingsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping

    from cheesebox.adapters.multipart import Incoming
    from cheesebox.engines import Upload

_Result = TypeVar("_Result")

_PIECE = 512 * 1024
_PART = 8 * 1024 * 1024
_PARTS_IN_FLIGHT = 2
_PAGE = 1000
_BATCH = 250
_NOTHING = "no-such-folder"
_CLIENT_OPTIONS = frozenset(
    {
        "allow_http",
        "allow_invalid_certificates",
        "connect_timeout",
        "http1_only",
        "http2_only",
        "pool_idle_timeout",
        "pool_max_idle_per_host",
        "proxy_ca_certificate",
        "proxy_excludes",
        "proxy_url",
        "read_timeout",
        "root_certificate",
        "user_agent",
    }
)
"""Options of the connection; all others are the service's."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds.

    ``silence`` is without any byte on a connection; ``retries`` is for how long a failed request is made
    anew; ``call`` bounds a whole call, however many threads are busy.
    """

    connect: float = 3.0
    silence: float = 10.0
    retries: float = 8.0
    call: float = 30.0


@dataclass(frozen=True, slots=True)
class ObjectStorageStatistics:
    """What was done since the start; parts and uploads are of bodies that went in several parts."""

    put: int
    upload: int
    parts: int
    read: int
    remove: int
    list: int
    errors: int
    bytes_up: int
    bytes_down: int


def open_object_storage(
    url: str,
    options: Mapping[str, str],
    *,
    part_size: int = _PART,
    threads: int = 16,
    uploads: int = 8,
    patience: Patience | None = None,
) -> ObjectStorage:
    """Make a client of the storage at ``url`` (``s3://bucket/prefix``, ``gs://``, ``az://``); asks nothing.

    ``options`` are the keys of obstore's configuration for the service and its connections; credentials
    that are not among them come from the environment or the machine. A body above ``part_size`` bytes is
    sent in parts of that size (S3: at least 5 MiB), of ``uploads`` bodies at once, each of which takes up
    to three parts of memory.
    Raises `SettingsError`.
    """
    patience = patience or Patience()
    try:
        import obstore  # noqa: PLC0415 - an extra: who has no storage need not have it
    except ImportError as error:
        raise SettingsError(f"object storage ({url}) needs obstore: install cheesebox[s3]") from error
    store = _connect(url, options, patience)
    singly = None
    if url.startswith(("s3:", "s3a:")):
        singly = _connect(url, {**options, "disable_bulk_delete": "true"}, patience)
    return ObjectStorage(
        obstore,
        store,
        singly=singly,
        part_size=part_size,
        threads=threads,
        uploads=uploads,
        patience=patience,
    )


def _connect(url: str, options: Mapping[str, str], patience: Patience) -> Any:
    from obstore.store import from_url  # noqa: PLC0415 - see above

    if url.startswith("memory:"):
        return from_url(url)
    client = {
        "connect_timeout": timedelta(seconds=patience.connect),
        "read_timeout": timedelta(seconds=patience.silence),
        "timeout": timedelta(days=1),  # of a whole body, which lasts as long as its reader likes
        **{key: value for key, value in options.items() if key in _CLIENT_OPTIONS},
    }
    service = {key: value for key, value in options.items() if key not in _CLIENT_OPTIONS}
    retries = {
        "max_retries": 3,
        "retry_timeout": timedelta(seconds=patience.retries),
        "backoff": {
            "init_backoff": timedelta(milliseconds=100),
            "max_backoff": timedelta(seconds=2),
            "base": 2,
        },
    }
    try:
        return cast("Any", from_url)(url, config=service, client_options=client, retry_config=retries)
    except Exception as error:
        raise SettingsError(f"object storage {url!r} cannot be used: {told(error)}") from error


class ObjectStorage:
    """The objects below a prefix; implements `cheesebox.engines.Objects`. Belongs to one event loop."""

    def __init__(
        self,
        client: Any,
        store: Any,
        *,
        singly: Any = None,
        part_size: int,
        threads: int,
        uploads: int,
        patience: Patience,
    ) -> None:
        """``client`` is the module of functions on stores, ``singly`` a store without bulk deletes."""
        self._client = client
        self._store = store
        self._singly = singly
        self._bulk = True
        self._conditional = True
        self._part_size = part_size
        self._patience = patience
        self._uploads = asyncio.Semaphore(uploads)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="object-storage")
        self._counts: Counter[str] = Counter()
        self._counting = threading.Lock()

    def __repr__(self) -> str:
        return f"<ObjectStorage({self.statistics()})>"

    def statistics(self) -> ObjectStorageStatistics:
        """Count what was done."""
        names = ObjectStorageStatistics.__slots__
        return ObjectStorageStatistics(**{name: self._counts[name] for name in names})

    def count(self, **more: int) -> None:
        """Add to the statistics, on any thread."""
        with self._counting:
            self._counts.update(more)

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────

    async def put(self, name: ObjectName, body: bytes) -> None:
        """Store a body that is in memory; an object that has the name already stays as it is."""
        self.count(put=1)
        await self._call(f"store {name}", partial(self._put, name, body))
        self.count(bytes_up=len(body))

    def _put(self, name: ObjectName, body: bytes) -> None:
        from obstore import exceptions  # noqa: PLC0415 - an extra

        put = partial(self._client.put, self._store, name, use_multipart=False)
        if self._conditional:
            try:
                put(io.BytesIO(body), mode="create")
            except exceptions.AlreadyExistsError:
                return
            except exceptions.BaseError as error:
                if not is_not_implemented(error):
                    raise
                self._conditional = False  # some services have no conditional writes
            else:
                return
        put(io.BytesIO(body))

    @asynccontextmanager
    async def upload(self, name: ObjectName) -> AsyncIterator[Upload]:
        """Store a body that comes piece by piece; leaving without `Upload.finish` removes its parts."""
        upload = _Upload(self, name, self._part_size)
        try:
            yield upload
        finally:
            await upload.leave()

    async def begin_parts(self, name: ObjectName) -> MultipartUpload:
        """Begin to send a body in parts, when it is its turn."""
        self.count(upload=1)
        async with self.bounded(f"store {name}"):
            await self._uploads.acquire()
            try:
                return MultipartUpload(partial(self._send_parts, name), self._uploads.release)
            except RuntimeError:  # no more threads
                self._uploads.release()
                raise

    def _send_parts(self, name: ObjectName, body: Incoming) -> None:
        self._client.put(
            self._store,
            name,
            body,
            use_multipart=True,
            chunk_size=self._part_size,
            max_concurrency=_PARTS_IN_FLIGHT,
        )

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────

    async def read(self, name: ObjectName, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Give the bytes of a slice in pieces; one piece is fetched ahead.

        Raises `ObjectMissing` when there is no such object, `EngineError` also where ``start`` is beyond
        its end.
        """
        if stop is not None and stop <= start:
            return
        self.count(read=1)
        doing = f"read {name}"
        pieces = await self._call(doing, partial(self._open, name, start, stop))
        ahead = self._fetch(doing, pieces)
        try:
            while piece := await ahead:
                ahead = self._fetch(doing, pieces)
                self.count(bytes_down=len(piece))
                yield piece
        finally:
            ahead.cancel()

    def _open(self, name: ObjectName, start: int, stop: int | None) -> Iterator[bytes]:
        wanted: Any = {"offset": start} if stop is None else (start, stop)
        options = {"range": wanted} if start or stop is not None else {}
        return cast("Iterator[bytes]", self._client.get(self._store, name, options=options).stream(_PIECE))

    def _fetch(self, doing: str, pieces: Iterator[bytes]) -> asyncio.Task[bytes]:
        task = asyncio.create_task(self._call(doing, partial(next, pieces, b"")))
        task.add_done_callback(_hear)
        return task

    async def walk(self) -> AsyncIterator[StoredObject]:
        """Give all objects, in the order of their names; asks for a page of names when it comes to it."""
        pages = iter(self._client.list(self._store, chunk_size=_PAGE))
        while page := await self._call("list objects", partial(next, pages, ())):
            self.count(list=1)
            for each in page:
                yield StoredObject(ObjectName(each["path"]), each["size"], each["last_modified"].timestamp())

    async def check(self) -> None:
        """Find out whether the storage answers, by listing a folder that is not there."""
        self.count(list=1)
        pages = iter(self._client.list(self._store, _NOTHING))
        await self._call("list objects", partial(next, pages, ()))

    # ── removing ────────────────────────────────────────────────────────────────────────────────────

    async def remove(self, names: Collection[ObjectName]) -> None:
        """Remove objects, those of them that are there."""
        left = list(names)
        while left:
            batch, left = left[:_BATCH], left[_BATCH:]
            await self._call("remove objects", partial(self._remove, batch))
            self.count(remove=len(batch))

    def _remove(self, names: list[ObjectName]) -> None:
        try:
            self._client.delete(self._store if self._bulk else self._singly, names)
        except FileNotFoundError as error:
            if not is_missing(error):
                raise
            self._remove_each(names)  # the services that say so stop there
        except Exception as error:
            if not (self._bulk and self._singly and is_not_implemented(error)):
                raise
            self._bulk = False
            self._remove(names)

    def _remove_each(self, names: list[ObjectName]) -> None:
        for name in names:
            with suppress(FileNotFoundError):
                self._client.delete(self._store, name)

    # ── threads ─────────────────────────────────────────────────────────────────────────────────────

    async def close(self) -> None:
        """Let go of the threads; calls that are under way end by themselves. Idempotent."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _call(self, doing: str, work: Callable[[], _Result]) -> _Result:
        async with self.bounded(doing):
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @asynccontextmanager
    async def bounded(self, doing: str) -> AsyncIterator[None]:
        """Bound what is done in time, translate what is raised, and count errors."""
        try:
            with translated(doing):
                async with answered_within(self._patience.call):
                    yield
        except EngineError as error:
            if not isinstance(error, ObjectMissing):
                self.count(errors=1)
            raise


def _hear(task: asyncio.Task[bytes]) -> None:
    """Take note of how a task ended, whose reader may have left."""
    if not task.cancelled():
        task.exception()


class _Upload:
    """A body that is kept until it is clear whether it needs parts; implements `engines.Upload`."""

    def __init__(self, storage: ObjectStorage, name: ObjectName, part_size: int) -> None:
        self._storage = storage
        self._name = name
        self._part_size = part_size
        self._size = 0
        self._head: list[bytes] = []
        self._parts: MultipartUpload | None = None
        self._is_over = False

    async def write(self, data: bytes) -> None:
        """Take the next bytes; waits while too many are under way. Raises `EngineError`."""
        self._size += len(data)
        self._head.append(data)
        if self._size <= self._part_size:
            return
        if self._parts is None:
            self._parts = await self._storage.begin_parts(self._name)
        async with self._storage.bounded(f"store {self._name}"):
            for piece in self._head:
                await self._parts.write(piece)
        self._head.clear()

    async def finish(self) -> None:
        """Make it an object; raises `EngineError`."""
        if self._parts is None:
            await self._storage.put(self._name, b"".join(self._head))
        else:
            async with self._storage.bounded(f"store {self._name}"):
                await self._parts.finish()
            self._storage.count(parts=-(-self._size // self._part_size), bytes_up=self._size)
        self._is_over = True

    async def leave(self) -> None:
        """Remove what was sent, unless it was finished; waits for that as long as for a call."""
        self._head.clear()
        if self._parts is not None and not self._is_over:
            with suppress(EngineError):  # the thread goes on to abort, and the service cleans up at last
                async with self._storage.bounded(f"abort {self._name}"):
                    await self._parts.leave()
