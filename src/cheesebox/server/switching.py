"""Signals that turn a switch: SIGUSR1 goes offline, SIGUSR2 goes online."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cheesebox.cache.connectivity import Connectivity


def switch_by_signals(connectivity: Connectivity) -> None:
    """Take the signals on the running event loop, until it is closed.

    Only the main thread can; elsewhere signals are left alone.
    """
    if threading.current_thread() is threading.main_thread():
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, connectivity.go_offline)
        loop.add_signal_handler(signal.SIGUSR2, connectivity.go_online)
