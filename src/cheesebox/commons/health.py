"""How a shared engine fares: whether it may be asked now, and what its trouble is.

Rules of this module:
1. After a failure the engine is left alone for a while, so that a dead one costs requests no time; the
   while doubles with each failure in a row.
2. When it has passed, one call tries; until that has succeeded the others do without.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cheesebox.errors import EngineError, ObjectMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

_FIRST_REST = 0.5
_LONGEST_REST = 15.0


@dataclass(frozen=True, slots=True)
class HealthStatistics:
    """``trouble`` is empty when all is well; ``failures`` counts since the start."""

    engine: str
    trouble: str
    failures: int


class Health:
    """Watches one engine. ``timer`` gives seconds."""

    def __init__(self, engine: str, timer: Callable[[], float]) -> None:
        self._engine = engine
        self._timer = timer
        self._trouble = ""
        self._in_a_row = 0
        self._rests_until = 0.0
        self._is_trying = False
        self._failures = 0

    @property
    def trouble(self) -> str:
        """What is wrong; empty when all is well."""
        return self._trouble

    @property
    def is_resting(self) -> bool:
        """Whether the engine is not to be asked now."""
        return bool(self._in_a_row) and (self._is_trying or self._timer() < self._rests_until)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Run calls of the engine in here; raises `EngineError` at once while it is left alone.

        Who calls for long tells with `succeeded` that the engine answers.
        """
        if self.is_resting:
            raise EngineError(f"{self._engine} is left alone for a while: {self._trouble}")
        self._is_trying = bool(self._in_a_row)
        try:
            yield
        except ObjectMissing:
            self.succeeded()
            raise
        except EngineError as error:
            self.failed(error)
            raise
        except BaseException:
            self._is_trying = False  # broken off: it has shown nothing
            raise
        else:
            self.succeeded()

    def failed(self, error: EngineError) -> None:
        """Leave it alone for a while."""
        self._failures += 1
        self._is_trying = False
        if self._timer() < self._rests_until:
            return  # calls that were under way at the same time are one failure
        if not self._in_a_row:
            log.warning("%s: %s; this node goes on by itself", self._engine, error)
        self._trouble = str(error)
        self._in_a_row += 1
        rest = min(_LONGEST_REST, _FIRST_REST * 2 ** min(self._in_a_row - 1, 8))
        self._rests_until = self._timer() + rest

    def succeeded(self) -> None:
        """Ask it as before."""
        if self._in_a_row:
            log.warning("%s is back after %d failures in a row", self._engine, self._in_a_row)
        self._is_trying = False
        self._in_a_row = 0
        self._trouble = ""

    def statistics(self) -> HealthStatistics:
        """Tell how it fares."""
        return HealthStatistics(self._engine, self._trouble, self._failures)
