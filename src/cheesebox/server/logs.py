"""The log: lines for people on a terminal, or JSON lines for machines.

Messages come through `logging`. Answers come in batches of `Access`, past `logging`: formatting each
as a record would cost more than answering from memory does. Where an application hands them to the
logger ``cheesebox.access`` instead (attribute ``access`` of the record), they look the same.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, TextIO

import msgspec

from cheesebox.units import human_size
from cheesebox.web.site import ConnectionCut

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cheesebox.web.access_log import Access, Facts, Sink

_RESET = "\033[0m"
_RED, _GREEN, _YELLOW, _CYAN = "\033[31m", "\033[32m", "\033[33m", "\033[36m"
_CACHE_COLOURS = {"HIT": _GREEN, "REVALIDATED": _GREEN, "MISS": _CYAN, "EXPIRED": _CYAN, "STALE": _RED}
_SERVER_ERROR = 500
_REMEMBERED = 1024


class TextLines:
    """Lines for people; times are local."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours
        # Repeated answers share their facts: the rest of their line is written once.
        self._after_time = lru_cache(_REMEMBERED)(self._write)

    def answer(self, access: Access) -> str:
        """Write ``12:00:01 HIT         200     3.1 ms   18.5 KB GET /pypi/simple/six/ 127.0.0.1``."""
        at, facts = access
        return _local_second(int(at)) + self._after_time(facts)

    def answers(self, batch: Iterable[Access]) -> list[str]:
        """Write many."""
        after_time = self._after_time
        second, at_second = -1, ""
        lines = []
        for at, facts in batch:
            if not 0 <= at - second < 1:
                second = int(at)
                at_second = _local_second(second)
            lines.append(at_second + after_time(facts))
        return lines

    def _write(self, facts: Facts) -> str:
        cache = self._paint(f"{facts.cache:<11}", _CACHE_COLOURS.get(facts.cache, _YELLOW))
        status = self._paint(str(facts.status), _RED if facts.status >= _SERVER_ERROR else "")
        size = f"{facts.ms:7.1f} ms {human_size(facts.bytes):>9}"
        return f" {cache} {status} {size} {facts.method} {_one_line(facts.path)} {facts.client}"

    def message(self, record: logging.LogRecord) -> str:
        """Write time, level, message."""
        level = self._paint(f"{record.levelname.lower():<8}", _level_colour(record.levelno))
        return f"{_local_time(record.created)} {level} {_one_line(record.getMessage())}"

    def exception(self, text: str, traceback: str) -> str:
        """Put a traceback below its message."""
        return f"{text}\n{traceback}"

    def _paint(self, text: str, colour: str) -> str:
        return f"{colour}{text}{_RESET}" if self._colours and colour else text


class JsonLines:
    """One JSON object a line; ``time`` is RFC 3339 in UTC."""

    def answer(self, access: Access) -> str:
        """Write the parts of an access."""
        at, said = access
        facts = said._asdict() | {"ms": round(said.ms, 3)}
        return _json({"time": _utc_time(at), "level": "info", "logger": "cheesebox.access"} | facts)

    def answers(self, batch: Iterable[Access]) -> list[str]:
        """Write many."""
        return [self.answer(access) for access in batch]

    def message(self, record: logging.LogRecord) -> str:
        """Write time, level, logger, message."""
        head = {"level": record.levelname.lower(), "logger": record.name}
        return _json({"time": _utc_time(record.created)} | head | {"message": record.getMessage()})

    def exception(self, text: str, traceback: str) -> str:
        """Put a traceback into the object of its message."""
        return _json(msgspec.json.decode(text) | {"exception": traceback})


class Formatter(logging.Formatter):
    """Formats records by either kind of lines."""

    def __init__(self, lines: TextLines | JsonLines) -> None:
        super().__init__()
        self._lines = lines

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        access: Access | None = getattr(record, "access", None)
        if access is not None:
            return self._lines.answer(access)
        text = self._lines.message(record)
        if record.exc_info:
            return self._lines.exception(text, self.formatException(record.exc_info))
        return text


def _json(facts: Mapping[str, object]) -> str:
    return msgspec.json.encode(facts).decode()


def _local_time(seconds: float) -> str:
    return _local_second(int(seconds))


# Busy servers write the same second thousands of times.
@lru_cache(maxsize=8)
def _local_second(second: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(second))


def _utc_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _level_colour(level: int) -> str:
    if level >= logging.ERROR:
        return _RED
    return _YELLOW if level >= logging.WARNING else ""


def _is_no_cut(record: logging.LogRecord) -> bool:
    """Drop the server's traceback of an answer that was cut on purpose: the site has logged it."""
    return not (record.exc_info and isinstance(record.exc_info[1], ConnectionCut))


def _one_line(text: str) -> str:
    """Keep what a client or an upstream sent from forging lines or steering the terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def wants_colours(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether to colour: on a terminal, unless NO_COLOR is set (no-color.org)."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def configure(form: str, level: str, stream: TextIO, environ: Mapping[str, str]) -> Sink:
    """Send the log to ``stream``; gives the sink for answers.

    ``form`` is "text" or "json", ``level`` a level's name in lower case.
    """
    lines = JsonLines() if form == "json" else TextLines(colours=wants_colours(stream, environ))
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Formatter(lines))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # uvicorn tells each step of its start and stop; the ready line and silence say the same.
    server_log = logging.getLogger("uvicorn.error")
    server_log.setLevel(max(logging.WARNING, root.level))
    server_log.filters[:] = [_is_no_cut]

    def write(batch: Sequence[Access]) -> None:
        stream.write("\n".join([*lines.answers(batch), ""]))
        stream.flush()

    return write
