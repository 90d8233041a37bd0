"""Renders the project list in a process of its own.

Run as a program (``python -m cheesebox.adapters.list_renderer SOURCE_FDS TARGET_FD FORMAT CODING``) it
reads stored pages from inherited file handles (numbers with commas between), writes the representation
of all their projects to another and prints the entity tag. Its memory goes back to the system when it ends.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from cheesebox.cache import envelope
from cheesebox.cache.lists import render_merged_list
from cheesebox.cache.representations import represent
from cheesebox.errors import CheeseboxError, StoreError, UnreadablePage
from cheesebox.simple.negotiation import Coding, Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cheesebox.ports import Entry

_TIME_LIMIT = 120.0
_UNREADABLE = 3


class ProcessListRenderer:
    """The `ListRenderer` that starts this module as a program; ``time_limit`` in seconds."""

    def __init__(self, time_limit: float = _TIME_LIMIT) -> None:
        self._time_limit = time_limit

    async def render(self, source: int, target: int, form: Format, coding: Coding) -> str:
        """Start the program, wait for its end, give the entity tag that it printed."""
        return await self.merge([source], target, form, coding)

    async def merge(self, sources: Sequence[int], target: int, form: Format, coding: Coding) -> str:
        """Do the same for several lists that are merged."""
        process = await self._start(sources, target, form, coding)
        try:
            async with asyncio.timeout(self._time_limit):
                output, errors = await process.communicate()
        except TimeoutError as error:
            await _end(process)
            raise StoreError(f"the project list was not rendered in {self._time_limit:.0f} s") from error
        except BaseException:
            await _end(process)
            raise
        if process.returncode == _UNREADABLE:
            raise UnreadablePage(errors.decode(errors="replace").strip())
        if process.returncode:
            raise StoreError(f"the project list was not rendered: {errors.decode(errors='replace')[-300:]}")
        return output.decode().strip()

    @staticmethod
    async def _start(
        sources: Sequence[int], target: int, form: Format, coding: Coding
    ) -> asyncio.subprocess.Process:
        handles = ",".join(map(str, sources))
        try:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-m", __name__, handles, str(target), form.name, coding.name),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=(*sources, target),
            )
        except OSError as error:
            raise StoreError(f"the project list cannot be rendered: {error}") from error


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def main(sources: Sequence[int], target: int, form: Format, coding: Coding) -> str:
    """Do the work of the program; gives the entity tag."""
    made = represent(render_merged_list([_page(fd) for fd in sources], form), form.content_type, coding)
    with os.fdopen(target, "wb") as file:
        file.write(made.body)
    return made.etag


def _page(fd: int) -> tuple[Entry, bytes]:
    with os.fdopen(fd, "rb") as file:
        file.seek(0)
        page = envelope.unpack(file.read())
    if page is None:
        raise UnreadablePage("the stored project list is damaged")
    return page


if __name__ == "__main__":
    try:
        handles = [int(fd) for fd in sys.argv[1].split(",")]
        etag = main(handles, int(sys.argv[2]), Format[sys.argv[3]], Coding[sys.argv[4]])
    except CheeseboxError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(_UNREADABLE if isinstance(error, UnreadablePage) else 1)
    sys.stdout.write(etag + "\n")
