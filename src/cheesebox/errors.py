"""What can go wrong, in the words of the domain, each with the HTTP status that tells a client the truth.

Rule: trouble with the upstream is never a 404 or a 403. A client takes 404 for "try the next
index" and 403 for "wrong password"; only 502, 503 and 504 make it retry or stop.
"""

from __future__ import annotations

import re
from typing import ClassVar

_CREDENTIALS = re.compile(r"://[^/@\s]+@")


class CheeseboxError(Exception):
    """The root of all errors that cheesebox raises on purpose."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    retry_after: ClassVar[int | None] = None
    """Seconds after which a client may try again; None where that would not help."""

    def __init__(self, message: str = "") -> None:
        super().__init__(_CREDENTIALS.sub("://", message))  # messages reach logs and clients


class SettingsError(CheeseboxError):
    """A setting that cannot be used; the message names the key, the value and what is allowed."""

    title = "Bad setting"


class CacheInUse(SettingsError):
    """Another program has the cache directory."""


class UnreadableLock(CheeseboxError):
    """A lock file, a requirements file or a requirement that cannot be read; the message tells where."""

    title = "Unreadable lock file"


class BadExport(CheeseboxError):
    """An export that cannot be written or read; the message tells why."""

    title = "Unusable export"


class InvalidName(CheeseboxError):
    """A project name that no index can hold (PEP 508)."""

    status = 404
    title = "Not Found"


class InvalidPath(CheeseboxError):
    """A request path that cannot name a file: dot segments, NUL, backslash, too long."""

    status = 404
    title = "Not Found"


class NotFound(CheeseboxError):
    """The upstream says, or said a moment ago, that there is no such object (404 or 410)."""

    status = 404
    title = "Not Found"

    def __init__(self, message: str, *, remembered: bool = False) -> None:
        super().__init__(message)
        self.remembered = remembered


class UnreadableMetadata(CheeseboxError):
    """A wheel has no core metadata that can be read, though a page may have offered it.

    pip and uv give up on any error status here, also on one version of many; metadata that is invalid
    makes them leave that version aside and go on, as uv does with such a wheel itself. So this is
    answered with 200 and such a text, which no cache is to keep.
    """

    status = 200
    title = "Unreadable metadata"

    def __init__(self, filename: str, reason: str) -> None:
        super().__init__(f"{filename}: {reason}")
        self.filename = filename


class NoSuchMoment(CheeseboxError):
    """A view of the past was asked for whose moment is unreadable or has not come."""

    status = 404
    title = "No such moment"


class InvalidRequest(CheeseboxError):
    """A request to the API that does not say what it should."""

    status = 400
    title = "Bad request"


class Unauthorized(CheeseboxError):
    """Credentials are needed, or those that were sent are wrong."""

    status = 401
    title = "Unauthorized"

    def __init__(self, message: str, *, challenge: str = 'Bearer realm="cheesebox"') -> None:
        super().__init__(message)
        self.challenge = challenge
        """What to send along as ``WWW-Authenticate`` (RFC 9110 §11.6.1)."""


class Forbidden(CheeseboxError):
    """Not allowed, whatever the credentials."""

    status = 403
    title = "Forbidden"


class FileWithheld(CheeseboxError):
    """A policy of the index, or the state of the project, keeps a file from being served.

    403 is the status for what is understood and refused (RFC 9110 §15.5.4), and unlike 404, 410 and
    451 no cache keeps it by itself. Installers give up on it at once, without a retry.
    """

    status = 403
    title = "Withheld by policy"

    def __init__(self, message: str, *, allowed_from: str | None = None) -> None:
        super().__init__(message)
        self.allowed_from = allowed_from


class Offline(CheeseboxError):
    """Something is not in the cache, and no upstream may be asked for it.

    424 (RFC 4918 §11.4): the request depends on another one, which is not made. Installers give up at
    once and uv prints the message, while 5xx are retried, 404 means "ask the next index" and 401 and
    403 "wrong password" to them. No cache keeps it by itself (RFC 9110 §15.1).
    """

    status = 424
    title = "Offline"


class UpstreamError(CheeseboxError):
    """The upstream did not give a usable answer."""

    status = 502
    title = "Upstream trouble"
    retry_after = 5


class UpstreamUnreachable(UpstreamError):
    """No connection: refused, reset before the answer, DNS or TLS failure."""

    title = "Upstream unreachable"


class UpstreamTimeout(UpstreamError):
    """The upstream did not answer in time."""

    status = 504
    title = "Upstream timed out"


class UpstreamStatus(UpstreamError):
    """An answer with a status that is neither success nor "there is no such object"."""

    title = "Upstream refused"

    def __init__(self, message: str, *, upstream_status: int) -> None:
        super().__init__(message)
        self.upstream_status = upstream_status


class UpstreamBroken(UpstreamError):
    """An answer that cannot be used: truncated, too large, unreadable or mislabelled."""

    title = "Upstream sent a broken answer"
    retry_after = 1  # the next answer may be whole; installers sleep as long as they are told


class UnreadablePage(UpstreamBroken):
    """An index page that is not what its content type says."""


class DigestMismatch(UpstreamBroken):
    """The bytes that came are not the bytes that were promised."""

    title = "Digest mismatch"


class BodyChanged(UpstreamBroken):
    """A resumed body is not the one that was begun."""


class ShuttingDown(CheeseboxError):
    """The program is being stopped; another one may take over."""

    status = 503
    title = "Shutting down"
    retry_after = 1


class Busy(CheeseboxError):
    """Too much of one kind at once."""

    status = 503
    title = "Busy"
    retry_after = 1


class NotStarted(CheeseboxError):
    """The cache could not be started, or is not running any more; the log has the reason."""

    status = 503
    title = "Cache not running"
    retry_after = 5


class LinkLost(CheeseboxError):
    """The process that does a part of the work is not there; it is being replaced."""

    status = 503
    title = "Cache restarting"
    retry_after = 1


class StoreError(CheeseboxError):
    """The disk or the catalogue cannot take or give an object."""

    status = 503
    title = "Cache storage trouble"
    retry_after = 5


class StoreFull(StoreError):
    """No room: the disk is full, or the object does not fit under ``max_size``."""


class EngineError(CheeseboxError):
    """An engine that several nodes share (object storage, register) does not do what it should.

    No client sees it: a node whose engines fail goes on by itself.
    """

    status = 503
    title = "Shared engine trouble"
    retry_after = 5


class ObjectMissing(EngineError):
    """An object is not in the storage (any more)."""
