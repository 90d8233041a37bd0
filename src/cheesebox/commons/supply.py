"""Where a download's bytes come from where nodes share: the storage, the node that is fetching, the upstream.

Rules of this module:
1. Only a file whose digest is known beforehand is shared: wherever its bytes come from, and from however
   many places, it is verified as a whole before its end is shown.
2. Who has the lease asks the upstream, and uploads while the file grows, as one of its readers. The record
   is published when the file is verified and uploaded; a failure of either ends the lease without one.
3. Who has not follows the node that has it, byte by byte; if that one cannot be reached or fails, he waits
   for its turn to end, and for no longer than `PATIENCE` without a byte.
4. Then, or where the register is away, a node fetches by itself and publishes nothing. Without the storage
   nodes go on to take turns and to read from each other; what is over is known to its node alone.
"""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

from cheesebox.cache.supply import Direct
from cheesebox.cache.transfer import asked_slice
from cheesebox.commons.commons import PATIENCE
from cheesebox.commons.names import object_name
from cheesebox.engines import Absent, Granted, Known, Taken
from cheesebox.errors import (
    CheeseboxError,
    DigestMismatch,
    EngineError,
    NotFound,
    UpstreamBroken,
    UpstreamError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from cheesebox.cache.downloads import Download
    from cheesebox.cache.origins import Origin
    from cheesebox.cache.supply import Supply
    from cheesebox.commons.commons import Commons
    from cheesebox.commons.peers import Peers
    from cheesebox.commons.tenure import Tenure
    from cheesebox.engines import Record
    from cheesebox.ports import Entry, Upstream, UpstreamAnswer

log = logging.getLogger(__name__)

_GOOD = (200, 206)


class SharedSupplies:
    """Makes the supply of each download of one index."""

    def __init__(
        self,
        upstream: Upstream,
        commons: Commons,
        peers: Peers,
        negative_for: float,
        patience: float = PATIENCE,
    ) -> None:
        self._upstream = upstream
        self._commons = commons
        self._peers = peers
        self._negative_for = negative_for
        self._patience = patience

    def __call__(self, origin: Origin) -> Supply:
        """Give the supply of one download."""
        if origin.digest is None:  # rule 1
            return Direct(self._upstream)
        return SharedSupply(
            origin, self._upstream, self._commons, self._peers, self._negative_for, self._patience
        )


class SharedSupply:
    """The supply of one download."""

    def __init__(
        self,
        origin: Origin,
        upstream: Upstream,
        commons: Commons,
        peers: Peers,
        negative_for: float,
        patience: float,
    ) -> None:
        self._origin = origin
        self._upstream = upstream
        self._commons = commons
        self._peers = peers
        self._negative_for = negative_for
        self._patience = patience
        self._tenure: Tenure | None = None
        self._is_uploading = False
        self._is_alone = False
        self._taken_from: Record | None = None
        self._entry: Entry | None = None

    @asynccontextmanager
    async def request(
        self, method: str, url: str, headers: Mapping[str, str]
    ) -> AsyncIterator[UpstreamAnswer]:
        """Ask whoever is nearest."""
        async with AsyncExitStack() as stack:
            answer = None
            if self._tenure is None and not self._is_alone:
                answer = await self._shared(url, headers, stack)
            if answer is None:
                answer = await stack.enter_async_context(self._upstream.request(method, url, headers))
            yield answer

    async def _shared(
        self, url: str, headers: Mapping[str, str], stack: AsyncExitStack
    ) -> UpstreamAnswer | None:
        """Give an answer from the storage or another node; None: the upstream is to be asked."""
        key, patience = self._origin.key, 0.0
        while True:
            claim = await self._commons.turn(key, None, patience, through_storage=False)
            match claim:
                case Known(record) if self._may_be_read(record):
                    self._taken_from = record
                    self._commons.count("brought")
                    return stored_answer(self._commons, record, url, headers)
                case Absent():
                    raise NotFound(f"{url}: not found", remembered=True)
                case Granted():
                    self._tenure = self._commons.hold(claim)
                    return None
                case Taken(holder) if not patience:
                    answer = await self._follow(holder, headers, stack)
                    if answer is not None:
                        return answer
                    patience = self._patience
                case _:
                    self._is_alone = True
                    self._commons.count("alone")
                    return None

    def _may_be_read(self, record: Record) -> bool:
        """Tell whether the storage is worth asking: not again for what has broken off once."""
        return record != self._taken_from and not self._commons.storage_health.is_resting

    async def _follow(
        self, holder: str, headers: Mapping[str, str], stack: AsyncExitStack
    ) -> UpstreamAnswer | None:
        try:
            # The digest tells whether the bytes fit, so no validator of another server goes along.
            plain = {name: value for name, value in headers.items() if name.lower() != "if-range"}
            request = await self._peers.request(holder, self._origin.key, plain)
            answer = await stack.enter_async_context(request)
        except (UpstreamError, EngineError) as error:
            log.info("%s is not read from the node that fetches it: %s", self._origin.key, error)
            return None
        if answer.status not in _GOOD:
            return None
        self._commons.count("followed")
        return FollowedAnswer(answer)

    # ── what this node fetches for all ──────────────────────────────────────────────────────────

    def announced(self, download: Download) -> None:
        """Begin to upload what this node fetches for all."""
        if self._tenure is not None and not self._is_uploading:
            self._is_uploading = True
            download.attach()
            self._commons.later(self._upload(download, self._tenure), f"upload {self._origin.key}")

    async def _upload(self, download: Download, tenure: Tenure) -> None:
        try:
            name = object_name(self._origin.key, self._origin.digest or "", tenure.lease.token)
            if name is None:
                return
            async with self._commons.uploading(name) as upload:
                async for chunk in download.growing.read(0, None):
                    await upload.write(chunk)
                await upload.finish()
            if self._entry is not None:
                await tenure.publish(self._entry, name)
        except EngineError as error:
            log.info("%s is not stored for all: %s", self._origin.key, error)
            await self._lead_to_the_end(download)
        except CheeseboxError:
            log.debug("%s failed, and is not shared", self._origin.key)  # the download has told why
        finally:
            download.detach()
            tenure.give_back()

    @staticmethod
    async def _lead_to_the_end(download: Download) -> None:
        """Keep the turn while the file grows: others read it from here, storage or not."""
        with suppress(CheeseboxError):
            await download.growing.wait_whole()

    def admitted(self, entry: Entry) -> None:
        """Take over what is known of the verified file."""
        self._entry = entry

    def ended(self, error: CheeseboxError | None) -> None:
        """Give back what is held, and tell the others what was found out."""
        if isinstance(error, DigestMismatch) and self._taken_from is not None:
            self._commons.later(self._commons.disown(self._taken_from), f"disown {self._origin.key}")
        if self._tenure is None or self._is_uploading:
            return  # whoever uploads ends the tenure
        if isinstance(error, NotFound):
            absence = self._tenure.publish_absence(self._negative_for)
            self._commons.later(absence, f"{self._origin.key} is absent")
        else:
            self._tenure.give_back()


class SharedSlices:
    """Asked for heads and slices of one file that are handed on: from the storage, else from the upstream."""

    def __init__(self, origin: Origin, upstream: Upstream, commons: Commons) -> None:
        self._origin = origin
        self._upstream = upstream
        self._commons = commons

    @asynccontextmanager
    async def request(
        self, method: str, url: str, headers: Mapping[str, str]
    ) -> AsyncIterator[UpstreamAnswer]:
        """Ask whoever is nearest."""
        record = None
        if self._origin.digest is not None:  # rule 1
            record = await self._commons.find(self._origin.key)
        if record is not None:
            yield stored_answer(self._commons, record, url, headers)
        else:
            async with self._upstream.request(method, url, headers) as answer:
                yield answer


# ── answers of other nodes and of the storage ───────────────────────────────────────────────────────


class FollowedAnswer:
    """What another node answers, without its validator: no upstream knows that one."""

    def __init__(self, answer: UpstreamAnswer) -> None:
        self.status = answer.status
        self.url = answer.url
        self.headers = {name: value for name, value in answer.headers.items() if name != "etag"}
        self.chunks = answer.chunks


class StoredAnswer:
    """A shared object as an upstream would give it."""

    def __init__(
        self,
        commons: Commons,
        record: Record,
        url: str,
        status: int,
        headers: dict[str, str],
        start: int,
        stop: int,
    ) -> None:
        self.status = status
        self.url = url
        self.headers = headers
        self._commons = commons
        self._record = record
        self._start = start
        self._stop = stop

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the bytes; an engine that fails is as an upstream that breaks off."""
        left = self._stop - self._start
        try:
            async for piece in self._commons.read(self._record, self._start, self._stop):
                left -= len(piece)
                yield piece
        except EngineError as error:
            raise UpstreamBroken(f"{self.url}: the shared copy breaks off: {error}") from error
        if left > 0:
            await self._commons.disown(self._record)
            raise UpstreamBroken(f"{self.url}: the shared copy is {left} bytes too short")


def stored_answer(commons: Commons, record: Record, url: str, headers: Mapping[str, str]) -> StoredAnswer:
    """Answer a request for a file, or for a slice of it (RFC 9110 §14), by a shared object.

    No validator goes along: it is the digest that tells whether slices of several sources fit.
    """
    size = record.entry.size
    told = {"last-modified": record.entry.last_modified}
    wanted = asked_slice(headers, size)
    if wanted is None:
        return StoredAnswer(commons, record, url, 200, {**told, "content-length": str(size)}, 0, size)
    start, stop = wanted
    told["content-range"] = f"bytes {start}-{stop - 1}/{size}"
    told["content-length"] = str(stop - start)
    return StoredAnswer(commons, record, url, 206, told, start, stop)
