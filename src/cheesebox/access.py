"""Restricts access to the whole cache, where that is set; part of the composition root."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from cheesebox.adapters.access_file import AccessFile, remove_run_token, write_run_token
from cheesebox.cache.blocking import Blocking
from cheesebox.errors import NotStarted, SettingsError, StoreError
from cheesebox.hashing import new_token
from cheesebox.web.door import Door, parse_keys

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AsyncExitStack
    from pathlib import Path

    from cheesebox.cache.flights import Tasks
    from cheesebox.web.door import Keys

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

_LOOK_EVERY = 5.0
_THREADS = 1
"""Who tries passwords gets one processor of the machine at most."""


class Access:
    """The door, the file with its keys, and a token of its own for those who own the cache directory."""

    def __init__(self, path: Path, cache_dir: Path, admin_token: str | None) -> None:
        self.run_token = new_token()
        self._file = AccessFile(path)
        self._cache_dir = cache_dir
        self._blocking: Blocking | None = None
        self.door = Door(self._run, [self.run_token, *([admin_token] if admin_token else [])])

    def begin(self, resources: AsyncExitStack) -> None:
        """Have threads until ``resources`` close, which waits for the passwords that are tried then."""
        self._blocking = Blocking(_THREADS)
        resources.callback(self._blocking.close)

    def _run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        if self._blocking is None:
            raise NotStarted("access is not looked after yet")
        return self._blocking(function, *args, **kwargs)

    async def open(self, resources: AsyncExitStack) -> None:
        """Read the keys; raises `SettingsError` or `StoreError`. The cache directory is ours by now."""
        if (keys := await self._run(self._changed_keys)) is not None:
            self.door.renew(keys)
        resources.callback(remove_run_token, self._cache_dir)
        try:
            await self._run(write_run_token, self._cache_dir, self.run_token)
        except OSError as error:
            raise StoreError(f"cannot write to the cache directory: {error.strerror}") from error

    def watch(self, tasks: Tasks) -> None:
        """Follow changes of the file from now on."""
        tasks.start(self._follow(), "follow access file")

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """Take over what has changed; a file that can't be used leaves all as it was."""
        try:
            keys = await self._run(self._changed_keys)
        except SettingsError as error:
            log.error("access as before: %s", error)
            return
        if keys is not None:
            self.door.renew(keys)
            log.info("access file read: %d users, %d tokens", len(keys.passwords), len(keys.tokens))

    def _changed_keys(self) -> Keys | None:
        text = self._file.read_if_changed()
        try:
            return None if text is None else parse_keys(text)
        except ValueError as error:
            raise SettingsError(f"access_file: {self._file.path}: {error}") from error
