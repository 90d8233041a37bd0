"""How the process takes memory from the system."""

from __future__ import annotations

import ctypes
import os
import sys

_M_ARENA_MAX = -8  # malloc.h of glibc


def share_one_heap() -> None:
    """Have all threads allocate from one heap, from now on (glibc; elsewhere nothing is done).

    glibc gives each thread a heap of its own and gives back little of it: every thread that has read
    and compressed pages would go on to hold what its largest ones took. Who sets ``MALLOC_ARENA_MAX``
    (mallopt(3)) has chosen for himself.
    """
    if sys.platform != "linux" or "MALLOC_ARENA_MAX" in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
