"""Single flight: one task per key, however many wait for it.

Rules of this module:
1. ``join`` has no await between looking for a flight and starting one, so two callers of one
   event loop never both start.
2. A waiter that leaves never ends the flight: waiters hold a shield, the flight belongs to the
   task group of the application.
3. A flight is gone from the table before its waiters wake: whoever comes later looks at what the
   flight stored, not at the flight.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from cheesebox.errors import CheeseboxError, ShuttingDown

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")
log = logging.getLogger(__name__)


class Tasks:
    """Owns the background tasks of one application: started once, cancelled and awaited at its end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def start(self, work: Coroutine[object, object, T], name: str) -> asyncio.Task[T]:
        """Run the work until it ends or the application does; an unexpected end is logged."""
        if self._closed:
            work.close()
            raise ShuttingDown("the cache is shutting down")
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not isinstance(error, CheeseboxError):
            log.error("task %s failed", task.get_name(), exc_info=error)

    async def close(self) -> None:
        """Cancel what still runs and wait for its end."""
        self._closed = True
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def statistics(self) -> int:
        """Count the tasks that are running."""
        return len(self._tasks)


class Flights(Generic[T]):
    """The flights under way, by key."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._flights: dict[str, asyncio.Future[T]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._flights

    def __len__(self) -> int:
        return len(self._flights)

    def join(self, key: str, start: Callable[[], Coroutine[object, object, T]]) -> asyncio.Future[T]:
        """Give the future of the flight under this key, started now if there is none.

        Await it through `asyncio.shield` or `asyncio.wait`, so that leaving does not cancel it.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.get_running_loop().create_future()
            flight.add_done_callback(_mark_retrieved)
            task = self._tasks.start(start(), f"flight {key}")
            self._flights[key] = flight
            task.add_done_callback(lambda task: self._land(key, flight, task))
        return flight

    def _land(self, key: str, flight: asyncio.Future[T], task: asyncio.Task[T]) -> None:
        del self._flights[key]
        if task.cancelled():
            flight.set_exception(ShuttingDown("the cache is shutting down"))
        elif (error := task.exception()) is None:
            flight.set_result(task.result())
        elif isinstance(error, CheeseboxError):
            flight.set_exception(error)
        else:
            flight.set_exception(CheeseboxError(f"{key}: {error!r}"))


def _mark_retrieved(flight: asyncio.Future[Any]) -> None:
    """Keep asyncio quiet about a failure that nobody waited for: the flight has logged it."""
    if not flight.cancelled():
        flight.exception()
