"""Project lists that are made here rather than fetched: of a directory, or of what is cached.

They are small, so they are rendered in a thread; for a merged index they are written down as an
upstream's list would lie in the cache, since the program that merges lists reads them from there.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from cheesebox.cache import envelope
from cheesebox.cache.lists import Listing, render_list
from cheesebox.cache.representations import represent
from cheesebox.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cheesebox.cache.blocking import Blocking
    from cheesebox.cache.copies import Answered
    from cheesebox.cache.lists import Handle
    from cheesebox.cache.representations import Representation
    from cheesebox.simple.negotiation import Coding, Format

API = {"api-version": "1.1"}
_JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True, slots=True)
class MadeList:
    """A list, ``body`` in JSON, and how an answer with it came about."""

    answered: Answered
    body: bytes
    blocking: Blocking

    async def represent(self, form: Format, coding: Coding) -> tuple[Representation, Answered]:
        """Give it as a client asks for it."""
        made = await self.blocking(render_list, self.body, _JSON, "", form)
        return await self.blocking(represent, made, form.content_type, coding), self.answered

    def listing(self) -> Listing:
        """Give it as a source of a merged list."""

        async def open_body() -> Handle:
            return await self.blocking(self._as_file)

        return Listing(self.answered, hashlib.sha256(self.body).hexdigest(), open_body)

    def _as_file(self) -> Handle:
        entry = replace(self.answered.copy.entry, digest=envelope.digest_of(self.body), content_type=_JSON)
        try:
            file = tempfile.TemporaryFile()  # noqa: SIM115 - who gets it closes it
            file.write(envelope.pack(entry) + self.body)
            file.flush()
        except OSError as error:
            raise StoreError(f"no temporary file: {error}") from error
        return file


def list_body(projects: Iterable[str]) -> bytes:
    """Write a list in JSON, in the order of the names."""
    return msgspec.json.encode({"meta": API, "projects": [{"name": name} for name in sorted(projects)]})
