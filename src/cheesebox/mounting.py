"""The cache as a part of another ASGI application, which may never tell it to start or to stop.

Rules of this module:
1. Who runs the lifespan (by the ASGI scope, by `MountedApp.lifespan`) starts and stops the cache. Where
   nobody does, as Starlette for what it mounts, the first request starts it, once for all that wait.
2. One task holds the started cache. Where nobody stops it, the end of the event loop does: asyncio
   cancels what is left, and the task stops the cache then.
3. Nothing between the cache and the client may compress a file: its entity tag and its ranges are those
   of the bytes as they are.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from cheesebox.app import build_app
from cheesebox.errors import CheeseboxError, NotStarted, SettingsError
from cheesebox.settings_loading import settings_of
from cheesebox.web import problems
from cheesebox.web.http import send_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cheesebox.app import App
    from cheesebox.settings import Settings
    from cheesebox.web.http import Message, Receive, Scope, Send

log = logging.getLogger(__name__)


def create_app(settings: Settings | None = None, **values: Any) -> MountedApp:
    """Build the cache for an ASGI application to mount; raises `SettingsError`.

    ``values`` are settings by their names, as they would stand in ``cheesebox.toml`` (``index`` and
    ``static`` are lists of tables); neither that file nor the environment is read. The only index lies
    on the mount itself unless ``mount`` says otherwise: mounted on ``/pypi``, its pages are below
    ``/pypi/simple/``. A whole `Settings` is taken as it is.
    """
    if settings is not None and values:
        raise SettingsError(f"settings are given already: {', '.join(values)} cannot be added")
    return MountedApp(build_app(settings or settings_of(values, os.environ), is_mounted=True))


class MountedApp:
    """An ASGI application, to be mounted or to be served by itself."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._life: _Life | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._ensure_started()
        except CheeseboxError as error:
            log.error("the cache does not start: %s", error)
            await send_response(problems.problem(NotStarted("see the log")), scope["method"], receive, send)
            return
        await self._app(scope, receive, _uncompressed(scope, send))

    @asynccontextmanager
    async def lifespan(self, _app: object = None) -> AsyncIterator[None]:
        """Hold the cache started. Raises `SettingsError` and the like when it can't be.

        It is what Starlette and FastAPI take as ``lifespan``, and can be entered in one of your own.
        """
        await self._ensure_started()
        try:
            yield
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop the cache; the next request would start it again."""
        life, self._life = self._life, None
        if life is not None:
            await life.end()

    async def _ensure_started(self) -> None:
        if self._life is None:
            if self._app.is_started:  # by the ASGI lifespan
                return
            self._life = _Life(self._app)
        elif self._life.is_over:
            self._life = _Life(self._app)
        await self._life.started()


class _Life:
    """One stretch from start to stop, in a task of its own."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._loop = asyncio.get_running_loop()
        self._begun: asyncio.Future[None] = self._loop.create_future()
        self._end = asyncio.Event()
        self._task = self._loop.create_task(self._live(), name="cheesebox")

    @property
    def is_over(self) -> bool:
        return self._task.done()

    async def started(self) -> None:
        """Wait for the start; raises what it raised."""
        if asyncio.get_running_loop() is not self._loop:
            raise CheeseboxError("the cache runs in another event loop: one application belongs to one loop")
        await asyncio.shield(self._begun)
        if not self._app.is_started:
            raise NotStarted("the cache is being stopped")

    async def end(self) -> None:
        self._end.set()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.result()

    async def _live(self) -> None:
        try:
            await self._app.start()
        except BaseException as error:
            if isinstance(error, Exception):
                self._begun.set_exception(error)
                self._begun.exception()  # it is looked at here: who asked may have left
                return
            self._begun.cancel()
            raise
        try:
            self._begun.set_result(None)
            await self._end.wait()
        finally:
            await self._app.stop()


def _uncompressed(scope: Scope, send: Send) -> Send:
    """Mark files as what must not be compressed on their way, for middlewares that look at nothing else.

    RFC 9110 §8.4.1 would rather not see ``identity`` in the field; Starlette's middleware compresses all
    that has none, and would leave the entity tag as it is.
    """
    if not any(name == b"accept-encoding" and value != b"identity" for name, value in scope["headers"]):
        return send

    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name for name, _ in message["headers"]}
            if b"accept-ranges" in names and b"content-encoding" not in names:
                headers = [*message["headers"], (b"content-encoding", b"identity")]
                message = {**message, "headers": headers}
        await send(message)

    return marked
