"""The program of a child process: ``python -m cheesebox.workers.child``, as the supervisor starts it."""

from __future__ import annotations

import os
import signal
import sys

from cheesebox.errors import CheeseboxError
from cheesebox.server import logs
from cheesebox.workers.jobs import Told, take_job, tell
from cheesebox.workers.keeper import keep
from cheesebox.workers.worker import work

_FAILED = 1


def main() -> int:
    """Take the job and do it; gives the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a terminal or a service manager tells all at once:
        signal.signal(number, signal.SIG_IGN)  # the supervisor knows who stops first
    job = take_job()
    sink = logs.configure(job.settings.log_format, job.settings.log_level, sys.stderr, os.environ)
    try:
        (keep if job.listener is None else work)(job, sink)
    except CheeseboxError as error:
        tell(Told(trouble=str(error)))
        return _FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
