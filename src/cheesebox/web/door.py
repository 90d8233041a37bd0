"""Who gets in at all, where access to the whole cache is restricted.

Rules of this module:
1. Everything but health and readiness needs credentials, also what the hot lane answers; the control
   socket needs none.
2. A password is hashed once, in a thread; from then on its header field is known, byte for byte. What is
   remembered of good and bad fields is bounded, and forgotten when the access file changes.
3. A wrong password costs as much as a wrong name; many tries at once are told to come back.
4. No credentials are logged.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cheesebox.errors import Busy, Unauthorized
from cheesebox.hashing import PasswordHash, TokenHash, hash_password, hash_token, parse_hash
from cheesebox.web.gate import bearer_token
from cheesebox.web.own import HEALTH, READY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from cheesebox.web.heads import Headers
    from cheesebox.web.http import Request, Response

TOKEN_USER = "__token__"  # noqa: S105 - a name, the one that package indexes have for it
_OPEN = frozenset({HEALTH, READY})
_CHALLENGE = 'Basic realm="cheesebox", charset="UTF-8"'
_MOST_REMEMBERED = 4096
_MOST_TRIES = 32


@dataclass(frozen=True, slots=True)
class Keys:
    """Who may come in: hashes of passwords by user name, names by the digest of their token."""

    passwords: dict[str, PasswordHash] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)


def parse_keys(text: str) -> Keys:
    """Read an access file: lines of ``name:hash``, empty ones and comments (``#``).

    Raises ValueError that names the line, and never what stands there.
    """
    keys = Keys()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            name, found = _entry(line.strip())
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        if isinstance(found, TokenHash):
            keys.tokens[found.digest] = name
        else:
            keys.passwords[name] = found
    if not keys.passwords and not keys.tokens:
        raise ValueError("it names nobody who may come in")
    return keys


def _entry(line: str) -> tuple[str, PasswordHash | TokenHash]:
    name, colon, written = line.partition(":")
    if not colon or not name:
        raise ValueError("not name:hash")
    return name, parse_hash(written)


class Door:
    """Lets those in who have credentials. Until it has keys, nobody but the holders of ``own_tokens``."""

    def __init__(
        self, blocking: Callable[[Callable[[bytes], bool], bytes], Awaitable[bool]], own_tokens: Iterable[str]
    ) -> None:
        """``blocking`` runs what hashes passwords; ``own_tokens`` are valid whatever the keys."""
        self._blocking = blocking
        self._own = {hash_token(token.encode()).digest: TOKEN_USER for token in own_tokens}
        self._keys = Keys()
        self._decoy = hash_password(b"", bytes(16))
        self._known: set[bytes] = set()
        self._refused: set[bytes] = set()
        self._tries: dict[bytes, asyncio.Task[bool]] = {}

    def renew(self, keys: Keys) -> None:
        """Take other keys: everybody has to show credentials anew."""
        self._keys = keys
        self._known, self._refused = set(), set()

    def knows(self, authorization: bytes | None) -> bool:
        """Tell whether this very header field has been let in before."""
        return authorization in self._known

    async def admit(self, request: Request) -> None:
        """Let a request in; raises `Unauthorized`, or `Busy` when too many try at once."""
        if request.is_trusted or request.path in _OPEN:
            return
        given = request.header("authorization")
        if given is None:
            raise Unauthorized("this cache needs a user name and password, or a token", challenge=_CHALLENGE)
        shown = given.encode("latin-1")
        if not self.knows(shown) and not await self._is_good(shown, given):
            raise Unauthorized("user name, password or token is wrong", challenge=_CHALLENGE)

    async def _is_good(self, shown: bytes, given: str) -> bool:
        digest = hashlib.sha256(shown).digest()  # bad fields may be long, and are often nearly right
        if digest in self._refused:
            return False
        keys = self._keys
        is_good = await self._verify(shown, given)
        if keys is self._keys:  # else it was judged by what does not hold any more
            _remember(self._known if is_good else self._refused, shown if is_good else digest)
        return is_good

    async def _verify(self, shown: bytes, given: str) -> bool:
        token = bearer_token(given)
        if token is not None:
            return self._holder(token) is not None
        name, password = _basic(given)
        holder = self._holder(password)
        if holder is not None and name in (holder, TOKEN_USER):
            return True
        return await self._try(shown, name, password)

    def _holder(self, token: bytes) -> str | None:
        digest = hash_token(token).digest
        return self._own.get(digest) or self._keys.tokens.get(digest)

    async def _try(self, shown: bytes, name: str, password: bytes) -> bool:
        """Hash a password, once for all who show the same at the same time."""
        running = self._tries.get(shown)
        if running is None:
            if len(self._tries) >= _MOST_TRIES:
                raise Busy("too many passwords are being looked at")
            running = self._tries[shown] = asyncio.create_task(self._fits(name, password))
            running.add_done_callback(lambda _: self._tries.pop(shown, None))
        return await asyncio.shield(running)

    async def _fits(self, name: str, password: bytes) -> bool:
        stored = self._keys.passwords.get(name)
        fits = await self._blocking((stored or self._decoy).fits, password)
        return fits and stored is not None


def _remember(fields: set[bytes], shown: bytes) -> None:
    if len(fields) >= _MOST_REMEMBERED:
        fields.clear()
    fields.add(shown)


def _basic(given: str) -> tuple[str, bytes]:
    """Read a ``Basic`` field (RFC 7617); what is none names nobody."""
    scheme, _, written = given.partition(" ")
    try:
        decoded = base64.b64decode(written.strip(), validate=True) if scheme.lower() == "basic" else b""
    except ValueError:
        return "", b""
    name, _, password = decoded.partition(b":")
    return name.decode("utf-8", "replace"), password


def keep_private(response: Response) -> Response:
    """Tell caches in between that an answer is for its asker alone (RFC 9111 §3.5)."""
    response.headers = _private(response.headers)
    if response.ready is not None:
        response.ready = replace(response.ready, headers=_privately(response.ready.headers))
    return response


def _privately(headers: Callable[[int, bool], Headers]) -> Callable[[int, bool], Headers]:
    return lambda remaining, full: _private(headers(remaining, full))


def _private(headers: Headers) -> Headers:
    return [(n, v.replace("public", "private") if n == "cache-control" else v) for n, v in headers]
