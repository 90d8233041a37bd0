"""docs/status.md has every status that the program gives, and no other."""

from __future__ import annotations

import inspect
import re

from cheesebox import errors
from cheesebox.cache.freshness import Verdict
from cheesebox.web import heads
from tests.docs.examples import DOCS

PAGE = (DOCS / "status.md").read_text()
NOT_ANSWERED = {
    *(errors.SettingsError, errors.CacheInUse, errors.UnreadableLock, errors.BadExport),
    *(errors.EngineError, errors.ObjectMissing),
}
"""They end a command, or have a node go on by itself; no request meets them."""
AS_TEXT = {errors.UnreadableMetadata}
"""A 200 with a text, not a problem document."""


def table(heading, columns):
    """The rows of the first table below a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line.startswith("|")]
    header = [cell.strip() for cell in rows[0]]
    assert header[: len(columns)] == list(columns)
    found = []
    for row in rows[2:]:
        if len(row) != len(header):
            break
        found.append([cell.strip() for cell in row])
    return found


def test_the_words_of_x_cache2_are_those_of_the_program():
    rows = table("X-Cache2", ("`X-Cache2`", "meaning", "`Cache-Status`"))
    rows = [row for row in rows if row[0].strip("`").isupper()]
    assert {row[0].strip("`") for row in rows} == set(Verdict)
    for word, _, field in rows:
        assert heads.cache_status(Verdict(word.strip("`"))) == field.strip("`")


def test_every_error_has_its_row_with_status_and_retry_after():
    classes = {
        cls
        for _, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, errors.CheeseboxError) and cls not in NOT_ANSWERED | AS_TEXT
    }
    known = {(cls.title, str(cls.status), str(cls.retry_after or "")) for cls in classes}
    rows = table("Errors", ("title", "status", "`Retry-After`", "when"))
    assert {tuple(row[:3]) for row in rows} == known
    assert all(row[3] for row in rows)


def test_the_parts_of_cache_status_are_written_as_the_program_writes_them():
    refused = errors.UpstreamStatus("", upstream_status=500)
    written = {
        heads.failed_cache_status(Verdict.HIT, errors.NotFound("")): "hit; detail=negative",
        heads.failed_cache_status(Verdict.MISS, errors.FileWithheld("")): "detail=withheld",
        heads.failed_cache_status(Verdict.MISS, errors.Offline("")): "detail=offline",
        heads.failed_cache_status(Verdict.MISS, refused).replace("500", "N"): "fwd=uri-miss; fwd-status=N",
        heads.cache_status(Verdict.MISS, 7, collapsed=True).replace("7", "N"): "ttl=N",
        heads.cache_status(Verdict.MISS, collapsed=True): "collapsed",
    }
    for field, part in written.items():
        assert part in field
        assert f"| `{part}` |" in PAGE
