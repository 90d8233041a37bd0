"""The lifespan of an ASGI application, with its failures as exceptions (ASGI lifespan 2.0).

uvicorn's own lifespan writes failures to its log and ends the process; ours raises them where the
server is started, so that the command line can say them in one line.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from cheesebox.errors import CheeseboxError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from uvicorn.config import Config


class StartupFailed(CheeseboxError):
    """The application could not start; its words."""


class Lifespan:
    """Runs the application's lifespan in one task, which it owns. Stands in for uvicorn's ``LifespanOn``."""

    def __init__(self, config: Config) -> None:
        self._app = config.loaded_app
        self._version = config.asgi_version
        self._inbox: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self._replies: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self.state: dict[str, Any] = {}
        self.should_exit = False

    @property
    def ended(self) -> bool:
        """Whether the application left its lifespan; before its shutdown that is a failure."""
        return self._task is not None and self._task.done()

    async def startup(self) -> None:
        """Start the application; raises `StartupFailed` with its message, or what else it raises."""
        scope = {
            "type": "lifespan",
            "asgi": {"version": self._version, "spec_version": "2.0"},
            "state": self.state,
        }
        self._task = asyncio.create_task(
            self._app(scope, self._inbox.get, self._replies.put), name="lifespan"
        )
        try:
            await self._pass("startup")
        except CheeseboxError as error:
            raise StartupFailed(str(error)) from error

    async def shutdown(self) -> None:
        """Stop the application; raises `CheeseboxError` or what it raises, also what had ended it before."""
        await self._pass("shutdown")

    async def _pass(self, stage: str) -> None:
        task = self._task
        if task is None:
            return
        self._inbox.put_nowait({"type": f"lifespan.{stage}"})
        reply = asyncio.ensure_future(self._replies.get())
        try:
            await asyncio.wait({task, reply}, return_when=asyncio.FIRST_COMPLETED)
            if not reply.done():
                task.result()
                raise CheeseboxError(f"the application ended before its {stage} was complete")
        finally:
            reply.cancel()
        message = reply.result()
        if message["type"] == f"lifespan.{stage}.failed":
            raise CheeseboxError(message.get("message") or f"the application's {stage} failed")
        if stage == "shutdown":
            await task
