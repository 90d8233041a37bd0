"""Is the answer right? Asked of every peer before anything is timed."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag, urljoin, urlsplit

from bench import corpus, http
from bench.http import Answer, WrongAnswerError

if TYPE_CHECKING:
    from bench.lab import Lab
    from bench.peers.base import Running

ANCHOR = re.compile(r'<a\s[^>]*?href="([^"]+)"[^>]*>([^<]+)</a>')
KEPT = ("hashes", "requires-python", "size", "upload-time", "yanked")


def check_page(lab: Lab, running: Running, project: str) -> Answer:
    """Fetch the page twice as uv does and return the second answer; WrongAnswerError unless it is the
    upstream's.

    The subject must say all that the upstream says; of peers only names and digests are asked.
    """
    http.fetch(running.page(project), http.UV_PAGE)
    answer = http.fetch(running.page(project), http.UV_PAGE)
    if answer.status != 200:
        raise WrongAnswerError(f"{answer.url}: {answer.status} {answer.body[:200]!r}")
    wanted = {entry["filename"]: entry for entry in corpus.page_entries(project)}
    found = _entries(answer)
    if {name: _digest(entry) for name, entry in found.items()} != {n: _digest(e) for n, e in wanted.items()}:
        raise WrongAnswerError(f"{answer.url}: {len(found)} files, not the {len(wanted)} of the upstream")
    if running.peer == lab.options.subject == "cheesebox":
        _check_all(answer, found, wanted)
    return answer


def check_body(url: str, headers: dict[str, str], body: bytes) -> Answer:
    """Fetch `url` twice and return the second answer; WrongAnswerError unless its body is `body`."""
    http.fetch(url, headers)
    answer = http.fetch(url, headers)
    if answer.status != 200 or answer.decoded() != body:
        raise WrongAnswerError(f"{url}: {answer.status}, {len(answer.body)} bytes")
    return answer


def check_file(running: Running, kind: str, number: int = 0) -> str:
    """Download the file twice, every byte compared, and return its address."""
    url = running.file(kind, number)
    for _ in range(2):
        http.download(url, kind, corpus.family(kind).file(number))
    return url


def _entries(answer: Answer) -> dict[str, dict[str, Any]]:
    body = answer.decoded()
    if answer.fields["content-type"].partition(";")[0].endswith("json"):
        return {entry["filename"]: entry for entry in json.loads(body)["files"]}
    return {unescape(name): {"url": unescape(url)} for url, name in ANCHOR.findall(body.decode())}


def _digest(entry: dict[str, Any]) -> str:
    hashes = entry.get("hashes") or {}
    return str(hashes.get("sha256") or urldefrag(entry["url"]).fragment.removeprefix("sha256="))


def _check_all(answer: Answer, found: dict[str, dict[str, Any]], wanted: dict[str, dict[str, Any]]) -> None:
    origin = urlsplit(answer.url)
    for name, entry in found.items():
        right = wanted[name]
        metadata = entry.get("core-metadata", entry.get("dist-info-metadata"))
        same = all(entry.get(key) == right[key] for key in KEPT) and metadata == right["core-metadata"]
        url = urlsplit(urljoin(answer.url, entry["url"]))
        if not same or url.netloc != origin.netloc or url.path != f"/pypi{right['url']}":
            raise WrongAnswerError(f"{answer.url}: {entry} is not {right}")
